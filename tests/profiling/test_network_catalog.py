import json
import sys

import pytest
import torch

from mapt_bench.errors import ConfigError
from mapt_bench.profiling import make_flops_report
from mapt_bench.profiling._measurement import measured
from mapt_bench.profiling.flops_settings import TARGETS, FlopsSettings, network_names
from mapt_bench.profiling.network_catalog import find_target, find_targets

torch.set_num_threads(1)

MODULE = """
import torch
from torch import nn
from torchvision.ops import DeformConv2d, roi_align


class Net(nn.Module):
    def __init__(self, odd=True):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.offset = nn.Conv2d(8, 18, 3, padding=1)
        self.deform = DeformConv2d(8, 4, 3, padding=1)
        self.odd = odd

    def forward(self, x):
        x = self.stem(x)
        x = self.deform(x, self.offset(x))
        boxes = torch.tensor([[0.0, 0, 0, 30, 20], [0, 4, 4, 20, 30]], device=x.device)
        regions = roi_align(x, boxes, 7, 0.5, 2)
        return torch.geqrf(regions)[0] if self.odd else regions


class Pair(nn.Module):
    def example_inputs(self, height, width, instances):
        return torch.zeros(1, 2, height, width), torch.zeros(instances, 2)

    def forward(self, image, objects):
        return objects @ image.flatten(2)


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.relu(x) * 2


class Hidden(nn.Module):
    def forward(self, x):
        return Twice.apply(x)


@torch.library.custom_op("their_net::secret", mutates_args=())
def secret(x: torch.Tensor) -> torch.Tensor:
    return x.clone()


class Custom(nn.Module):
    def forward(self, x):
        return secret(torch.relu(x))


class Inverse(nn.Module):
    def forward(self, x):
        return torch.linalg.inv(x[..., :64, :64])


class Broken(nn.Module):
    def forward(self, x):
        raise RuntimeError("no such thing")


class Named(nn.Module):
    # Takes keywords alone.
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 1, bias=False)

    def example_inputs(self, height, width, instances):
        return {"image": torch.zeros(1, 3, height, width), "scale": 2.0}

    def forward(self, *, image, scale):
        return {"found": self.conv(image) * scale, "nothing": None}


class Batch(Named):
    # Takes a dictionary, and a list that holds tensors and other values.
    def example_inputs(self, height, width, instances):
        return {"image": torch.zeros(1, 3, height, width)}, [torch.zeros(1), None]

    def forward(self, batch, more):
        return self.conv(batch["image"]) * more[0]


class Wrong(Named):
    def example_inputs(self, height, width, instances):
        return instances


class Marked(Named):
    example_inputs = None

    def forward(self, x):
        with torch.autograd.profiler.record_function("backbone"):
            return self.conv(x)


class Fixed(Marked):
    # Takes images of 192 x 192 only.
    def forward(self, x):
        assert x.shape[-2:] == (192, 192), "the size is fixed"
        return self.conv(x)


def half():
    return Marked().half()


def bfloat():
    return Marked().bfloat16()


def parallel():
    return nn.DataParallel(Marked())


def volume():
    return nn.Sequential(nn.Conv3d(3, 8, 1, bias=False), nn.MaxPool3d(2))


def fine():
    return Net(odd=False)


def picky(size):
    return Net()


ready = Net()
number = 3
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "their_net.py").write_text(MODULE)
    (tmp_path / "bad_net.py").write_text("raise OSError('disk')")
    (tmp_path / "needy_net.py").write_text("import no_such_package_at_all")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in ("their_net", "bad_net", "needy_net"):
        sys.modules.pop(name, None)


def row(name, size="128x256", mode="conv", **settings):
    cost = make_flops_report(
        FlopsSettings(targets=(name,), inputs=(size,), modes=(mode,), **settings)
    )
    json.dumps(cost, allow_nan=False)
    return cost["rows"][0]


# 64 x 128 positions: 8 x 3 x 9 of the stem, 18 x 8 x 9 of the offsets, 4 x 8 x 9 deformable
MACS = 64 * 128 * (216 + 1296 + 288)
SAMPLING = 64 * 128 * 8 * 9 * 4 + 2 * 4 * 49 * 4 * 4


def test_a_module_with_an_operator_without_a_formula_is_counted_and_the_operator_named():
    found = row("their_net:Net")
    assert found["uncounted"] == ["aten::geqrf"]
    assert found["gmacs"] is found["gmacs_fvcore"] is found["macs"] is None
    assert found["counted_gmacs"] == MACS / 1e9


def test_what_only_the_trace_cannot_see_leaves_one_count():
    found = row("their_net:Hidden", mode="ptflops")
    assert (found["macs"], found["gmacs_fvcore"], found["uncounted"]) == (3 * 128 * 256, None, [])
    assert found["explanation"] == "fvcore has no formula for prim::PythonOp.Twice"


def test_operators_of_ones_own_are_named():
    found = row("their_net:Custom", mode="ptflops")
    assert found["uncounted"] == ["their_net::secret"]
    assert found["counted_gmacs"] == 3 * 128 * 256 / 1e9
    assert (found["gmacs"], found["counted_on"]) == (None, "cpu")


def test_parts_of_composite_operators_are_named():
    assert row("their_net:Inverse")["uncounted"] == ["aten::linalg_inv_ex"]


@pytest.mark.parametrize("name", ["Named", "Batch", "Marked", "half", "bfloat", "parallel"])
def test_inputs_and_modules_of_every_kind(name):
    found = row(f"their_net:{name}", "64x128")
    assert found["macs"] == 3 * 8 * 64 * 128
    assert found["gmacs"] == found["gmacs_fvcore"]
    assert found["uncounted"] == []
    assert (found["counted_on"], found["explanation"]) == ("meta", None)


def test_a_shape_may_have_a_time_axis():
    found = row("their_net:volume", "2x3x4x64x128", "ptflops")
    numbers = 2 * 8 * 4 * 64 * 128
    assert found["macs"] == 3 * numbers + numbers
    assert found["gmacs"] == found["gmacs_fvcore"]
    assert (found["input"], found["shape"]) == ([64, 128], [2, 3, 4, 64, 128])


def test_a_network_of_one_size_is_traced_at_that_size():
    found = row("their_net:Fixed", "192x192")
    assert found["gmacs"] == found["gmacs_fvcore"] == 3 * 8 * 192 * 192 / 1e9
    assert found["fvcore_at"] == [[192, 192]]


def test_a_module_in_half_precision_is_measured():
    found = measured(
        {
            "target": "their_net:half",
            "size": "8x8",
            "instances": 0,
            "warm_up": 0,
            "repeats": 1,
            "threads": 1,
            "device": "cpu",
        }
    )
    assert len(found["milliseconds"]) == 1


@pytest.mark.parametrize("name", ["fine", "ready"])
def test_functions_classes_and_modules_will_do(name):
    found = row(f"their_net:{name}")
    assert found["counted_gmacs"] == MACS / 1e9
    assert found["params"] == 224 + 1314 + 292


def test_deformable_convolution_and_roi_align_are_counted_by_both():
    found = row("their_net:fine", mode="conv+sampling")
    assert found["macs"] == MACS + SAMPLING
    assert found["gmacs_fvcore"] == found["gmacs"]


def test_the_shape_may_be_given_whole():
    found = row("their_net:fine", "2x3x128x256")
    assert found["macs"] == 2 * MACS
    assert (found["input"], found["shape"]) == ([128, 256], [2, 3, 128, 256])


def test_a_module_may_make_its_own_inputs():
    assert row("their_net:Pair", "64x64", instances=5)["macs"] == 5 * 2 * 64 * 64


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere_net:build", "there is no module 'nowhere_net'"),
        ("their_net:finer", "did you mean 'fine'"),
        ("their_net:", "not a network; expected package.module:build"),
        ("bad_net:build", "cannot be imported: OSError: disk"),
        ("needy_net:build", "needs 'no_such_package_at_all', which is not installed"),
        ("their_net:picky", "could not be built: TypeError: "),
        ("their_net:number", "is or returns an int; expected a torch.nn.Module"),
        ("their_net:Broken", "fails on an input of 128x256: RuntimeError: no such thing"),
        ("their_net:Wrong", "gives no example input of 128x256: the example input is an int"),
        ("flownett2", "did you mean 'flownet2'"),
        ("motion-head:linear", "did you mean 'motion-head:linear-s4'"),
        ("sort", "has no network"),
        ("flow:dis", "has no network"),
        ("flow:raft-smal", "did you mean 'raft-small'"),
    ],
)
def test_what_cannot_be_counted(name, words):
    with pytest.raises(ConfigError, match=words):
        row(name)


def test_a_wrong_number_of_channels_is_the_networks_own_error():
    with pytest.raises(ConfigError, match=r"fails on an input of 1x4x128x256: RuntimeError"):
        row("their_net:fine", "1x4x128x256")


def test_a_flow_tracker_stands_for_its_network():
    assert find_target("flow:flownet2") is TARGETS["flownet2"]
    assert len(find_targets(["flownet2", "flow:flownet2", "flownet2"])) == 1


def test_without_names_every_network_of_the_package_is_counted():
    assert [target.name for target in find_targets([])] == list(TARGETS)


def test_names_are_known_without_building_networks():
    assert list(network_names()) == list(TARGETS)
    assert FlopsSettings(targets=("flow:flownet2", "flownet2")).target_names() == ["flownet2"]
