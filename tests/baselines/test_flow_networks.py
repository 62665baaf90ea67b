import subprocess
import sys
import types
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.optical_flow import raft_small

from mapt_bench.baselines import flow_network_sources, flow_networks
from mapt_bench.baselines.flow_files import FlowFiles
from mapt_bench.baselines.flow_networks import NetworkFlow
from mapt_bench.baselines.flow_sources import (
    build_flow_source,
    flow_entry,
    flow_names,
)
from mapt_bench.baselines.flow_without_network import DisFlow
from mapt_bench.baselines.flownet2 import FlowNet2, load_flownet2
from mapt_bench.baselines.tracker_options import FlowOptions, describe_flow
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import Frame, VideoInfo, label_space
from mapt_bench.tracking import FlowWarp
from mapt_bench.tracking.propagation import FlowSource

torch.set_num_threads(1)

INFO = VideoInfo("drawn", ("0", "1"), 40, 60, label_space("kitti-step"), has_images=True)
NETWORKS = ("flow:flownet2", "flow:raft-small", "flow:raft-large", "flow:ptlflow/raft")


def _frame(index, height=40, width=60):
    """Noise that moves 5 to the right and 2 down from frame to frame."""
    noise = np.random.default_rng(0).integers(0, 256, (height + 40, width + 40, 3), np.uint8)
    top, left = 20 - 2 * index, 20 - 5 * index
    image = noise[top : top + height, left : left + width]
    image.flags.writeable = False  # as decoders may hand it out
    return Frame(index, str(index), lambda: image)


def _shift_by_search(first, second):
    """A network of sorts: the one shift of whole pixels that fits best."""
    inner = first[..., 10:-10, 10:-10]
    height, width = first.shape[-2:]
    errors = {
        (u, v): (inner - second[..., 10 + v : height - 10 + v, 10 + u : width - 10 + u])
        .abs()
        .mean()
        for u in range(-9, 10)
        for v in range(-9, 10)
    }
    shift = torch.tensor(min(errors, key=errors.__getitem__), dtype=torch.float32)
    return shift.view(1, 2, 1, 1).expand(1, 2, height, width)


def test_networks_see_the_present_frame_first_and_masks_move_the_right_way():
    source = NetworkFlow(_shift_by_search)
    warp = FlowWarp(source)
    warp.start(INFO)
    flow = source.flow(_frame(1), _frame(0))
    assert flow.dtype == np.float32
    assert flow.shape == (40, 60, 2)
    assert flow[0, 0].tolist() == [-5, -2]
    mask = np.zeros((1, 40, 60), dtype=np.float32)
    mask[0, 10:20, 15:30] = 1
    moved = np.zeros_like(mask)
    moved[0, 12:22, 20:35] = 1
    np.testing.assert_array_equal(warp.propagate(mask, _frame(0), _frame(1)), moved)
    np.testing.assert_array_equal(warp.propagate(moved, _frame(1), _frame(0)), mask)


def test_networks_see_red_first_in_0_to_255():
    seen = []

    def estimate(first, second):
        seen.extend([first, second])
        return torch.zeros(1, 2, 40, 60)

    NetworkFlow(estimate).flow(_frame(1), _frame(0))
    for tensor, index in zip(seen, (1, 0), strict=True):
        assert tensor.shape == (1, 3, 40, 60)
        np.testing.assert_array_equal(tensor[0].numpy().transpose(1, 2, 0), _frame(index).image)


def test_flow_that_is_not_finite_is_refused():
    source = NetworkFlow(lambda first, second: torch.full((1, 2, 4, 4), torch.nan))
    with pytest.raises(DataError, match="flow from frame 1 to 0 is not finite"):
        source.flow(_frame(1), _frame(0))


def test_frames_without_images_are_refused():
    with pytest.raises(DataError, match="no image"):
        NetworkFlow(_shift_by_search).flow(Frame(1, "1"), Frame(0, "0"))


@pytest.fixture
def narrow_flownet2(monkeypatch):
    monkeypatch.setattr(flow_networks, "FlowNet2", partial(FlowNet2, 0.05))
    monkeypatch.setattr(flow_networks, "load_flownet2", partial(load_flownet2, width=0.05))


def _build(name, **options):
    flow_network_sources._loaded.cache_clear()
    return build_flow_source(name, **options)


@pytest.mark.parametrize("name", ["flow:flownet2", "flow:raft-small", "flow:raft-large"])
def test_untrained_networks_run_on_any_size_and_follow_the_seed(narrow_flownet2, name):
    pair = (_frame(1, 37, 61), _frame(0, 37, 61))
    flows = [_build(name, random_weights=True, seed=seed).flow(*pair) for seed in (1, 1, 2)]
    assert flows[0].shape == (37, 61, 2)
    np.testing.assert_array_equal(flows[0], flows[1])
    assert np.abs(flows[0] - flows[2]).max() > 1e-6


def test_drawing_weights_leaves_the_callers_random_numbers_alone(narrow_flownet2):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    _build("flow:flownet2", random_weights=True, seed=9)
    assert torch.equal(torch.rand(3), expected)


def test_flownet2_is_loaded_from_a_file(narrow_flownet2, tmp_path):
    torch.manual_seed(4)
    network = FlowNet2(0.05).eval()
    torch.save({"state_dict": network.state_dict()}, tmp_path / "w.pth.tar")
    source = _build("flow:flownet2", weights=tmp_path / "w.pth.tar")
    frames = torch.from_numpy(np.stack([_frame(1).image, _frame(0).image]))
    with torch.inference_mode():
        expected = network(frames.permute(3, 0, 1, 2)[None].float())[0].permute(1, 2, 0)
    found = source.flow(_frame(1), _frame(0))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-3, atol=1e-4)


def test_raft_is_torchvisions_with_the_weights_of_the_file(tmp_path):
    torch.manual_seed(1)
    network = raft_small(weights=None).eval()
    torch.save(network.state_dict(), tmp_path / "raft.pth")
    source = _build("flow:raft-small", weights=tmp_path / "raft.pth")
    pair = (_frame(1, 128, 136), _frame(0, 128, 136))
    images = [torch.from_numpy(f.image.copy()).permute(2, 0, 1)[None] / 255 for f in pair]
    with torch.inference_mode():
        expected = network(*((image - 0.5) / 0.5 for image in images))[-1][0]
    found = source.flow(*pair)
    np.testing.assert_allclose(found, expected.permute(1, 2, 0), rtol=1e-3, atol=1e-3)


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save(raft_small(weights=None).state_dict(), tmp_path / "small.pth")
    with pytest.raises(DataError, match="weights do not fit RAFT"):
        _build("flow:raft-large", weights=tmp_path / "small.pth")


class _PtlModel(nn.Module):
    """Says what it was given: red of the first frame as u, blue of the second as v."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, inputs):
        images = inputs["images"]
        flow = torch.stack((images[:, 0, 2], images[:, 1, 0]), dim=1) * self.scale
        return {"flows": flow[:, None]}


@pytest.fixture
def ptlflow(monkeypatch):
    module = types.ModuleType("ptlflow")
    module.get_model_names = lambda: ["gmflow", "raft"]
    module.get_model = lambda name: _PtlModel()
    monkeypatch.setitem(sys.modules, "ptlflow", module)


def test_models_of_ptlflow_get_two_images_blue_first_in_0_to_1(ptlflow, tmp_path):
    torch.save({"state_dict": {"scale": torch.full((1,), 255.0)}}, tmp_path / "m.ckpt")
    source = _build("flow:ptlflow/raft", weights=tmp_path / "m.ckpt")
    flow = source.flow(_frame(1), _frame(0))
    np.testing.assert_allclose(flow[..., 0], _frame(1).image[..., 0], atol=1e-4)
    np.testing.assert_allclose(flow[..., 1], _frame(0).image[..., 2], atol=1e-4)


def test_unknown_models_of_ptlflow_are_refused_with_the_nearest(ptlflow):
    with pytest.raises(ConfigError, match=r"no model 'rafft'; did you mean 'raft'\?"):
        _build("flow:ptlflow/rafft", random_weights=True)


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ("ptlflow", "needs the package ptlflow, which is not installed: pip install"),
        ("loguru", "ptlflow is installed, but not the package 'loguru'"),
    ],
)
def test_without_ptlflow_the_way_to_install_it_is_told(monkeypatch, lacking, said):
    def refuse(name):
        raise ModuleNotFoundError(f"No module named {lacking!r}", name=lacking)

    monkeypatch.setattr(flow_networks.importlib, "import_module", refuse)
    with pytest.raises(ConfigError, match=said):
        _build("flow:ptlflow/raft", random_weights=True)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_without_weights_are_refused_unless_untrained_ones_are_asked_for(name, tmp_path):
    with pytest.raises(ConfigError, match=r"needs trained weights.*--random-weights"):
        build_flow_source(name)
    with pytest.raises(ConfigError, match=r"weights and --random-weights; omit one"):
        build_flow_source(name, weights=tmp_path, random_weights=True)
    entry = flow_entry(name)
    assert entry.needs_weights
    assert entry.needs_images
    untrained = FlowOptions(random_weights=True, seed=3)
    assert describe_flow(name, untrained) == f"{name} (UNTRAINED: random weights, seed 3)"
    assert describe_flow(name, FlowOptions(weights=tmp_path)) == f"{name} ({tmp_path})"


def test_sources_without_weights_refuse_them(tmp_path):
    for name, options, said in (
        ("flow:dis", {"weights": tmp_path}, "has no weights"),
        ("flow:dis", {"random_weights": True}, "is no network"),
        ("flow:files", {"random_weights": True}, "is no network"),
        ("flow:files", {}, "needs --weights FOLDER"),
    ):
        with pytest.raises(ConfigError, match=said):
            build_flow_source(name, **options)


def test_sources_without_a_network_are_built(tmp_path):
    assert isinstance(build_flow_source("flow:files", weights=tmp_path), FlowFiles)
    source = build_flow_source("flow:dis", height=64)
    assert isinstance(source, DisFlow)
    assert source.height == 64
    assert isinstance(source, FlowSource)
    assert describe_flow("flow:dis", FlowOptions()) == "flow:dis"
    assert not flow_entry("flow:files").needs_images


@pytest.mark.parametrize("name", ["flow:raft", "dis", "flow:ptlflow/", "flow:ptlflow/MODEL"])
def test_unknown_names_are_refused_with_all_that_are_known(name):
    with pytest.raises(ConfigError, match=r"known: flow:dis, flow:exact, flow:files, "):
        flow_entry(name)
    assert "flow:ptlflow/MODEL" in flow_names()


@pytest.mark.parametrize("device", ["cuda:99", "abacus", "meta"])
def test_devices_that_are_not_there_are_refused(device):
    with pytest.raises(ConfigError, match=f"device '{device}' cannot be used"):
        _build("flow:raft-small", random_weights=True, device=device)


def test_a_network_is_built_once_for_all_videos():
    first, second = (build_flow_source("flow:raft-small", random_weights=True) for _ in range(2))
    assert first.estimate is second.estimate


def test_names_can_be_listed_without_torch():
    code = (
        "import sys; from mapt_bench.baselines.flow_sources import build_flow_source, flow_names;"
        "flow_names(); build_flow_source('flow:dis'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
