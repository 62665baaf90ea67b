import pytest
import torch
from torch import nn

from mapt_bench.errors import ConfigError
from mapt_bench.profiling import _cross_check, make_flops_report
from mapt_bench.profiling._cross_check import CrossCheck
from mapt_bench.profiling._fvcore_counter import TracedCount
from mapt_bench.profiling.flops_settings import TARGETS, FlopsSettings, InputSize, Target, register
from mapt_bench.profiling.operator_table import MODES, WHOLE, Term, Work

torch.set_num_threads(1)


def image(_, size, instances):
    return (torch.zeros(size.shape),)


def target(build, **more):
    return Target(name="probe", summary="", build=build, example=image, **more)


class Gated(nn.Module):
    """Layers that see pixels, and some that see one number a channel."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, 2, 1)
        self.squeeze = nn.Conv2d(8, 8, 1)

    def forward(self, x):
        x = self.conv(x)
        return x * self.squeeze(x.mean((2, 3), keepdim=True)).sigmoid()


class Pairs(nn.Module):
    def forward(self, x):
        flat = x[..., ::8, ::8].flatten(2)
        return flat.transpose(1, 2) @ flat


def total(found, mode="conv"):
    terms = MODES[mode]
    return found.count.total(WHOLE, terms), found.traced.work[WHOLE].total(terms)


def test_layers_of_fixed_size_are_carried_exactly():
    found = CrossCheck(target(lambda: Gated().eval()), 0).count(InputSize(640, 512))
    assert total(found) == (3 * 8 * 9 * 320 * 256 + 64,) * 2
    assert found.traced_at == ((64, 64), (64, 128))
    assert found.counted_on == "meta"


def test_pairs_of_positions_take_a_third_size():
    found = CrossCheck(target(Pairs), 0).count(InputSize(256, 512))
    positions = 32 * 64
    assert total(found) == (positions * positions * 3,) * 2
    assert found.traced_at == ((64, 64), (64, 128), (128, 128))


def test_other_sizes_are_traced_as_they_are():
    found = CrossCheck(target(lambda: Gated().eval()), 0).count(InputSize(75, 61))
    assert total(found) == (3 * 8 * 9 * 38 * 31 + 64,) * 2
    assert found.traced_at == ((75, 61),)


class Stepwise(nn.Module):
    """Costs what no polynomial in the number of pixels tells."""

    def forward(self, x):
        return x[..., :100, :100].reshape(3, -1) @ x[..., :100, :100].reshape(3, -1).T


def test_where_no_polynomial_fits_the_size_itself_is_traced():
    found = CrossCheck(target(Stepwise), 0).count(InputSize(192, 256))
    assert total(found) == (9 * 100 * 100,) * 2
    assert found.traced_at == ((192, 256),)


class NeedsNumbers(nn.Module):
    def forward(self, x):
        return torch.relu(x) if float(x.sum()) == 0 else x


def test_what_cannot_run_without_numbers_is_counted_on_the_cpu():
    found = CrossCheck(target(NeedsNumbers), 0).count(InputSize(64, 64))
    assert found.counted_on == "cpu"
    assert total(found, "ptflops")[0] == 3 * 64 * 64


class Untraceable(nn.Module):
    def forward(self, x):
        if torch.jit.is_tracing():
            raise ValueError("not in a graph\nbecause of\n  its branches\n\nmore details")
        return torch.relu(x)


@pytest.fixture
def probe(monkeypatch):
    def make(build):
        monkeypatch.setitem(TARGETS, "probe", target(build))
        return FlopsSettings(targets=("probe",), inputs=("128x256",))

    return make


def test_a_network_that_cannot_be_traced_says_so(probe):
    cost = make_flops_report(probe(Untraceable))
    assert {row["gmacs_fvcore"] for row in cost["rows"]} == {None}
    reason = "fvcore cannot trace this network: ValueError: not in a graph because of its branches"
    assert {row["explanation"] for row in cost["rows"]} == {reason}
    assert cost["rows"][-1]["gmacs"] is not None
    assert cost["problems"] == []


def test_counts_that_disagree_are_a_problem(probe, monkeypatch):
    real = _cross_check.trace_operations

    def too_much(*args, **kwargs):
        found = real(*args, **kwargs)
        work = {part: each + Work({Term.MATRIX: 10**6}) for part, each in found.work.items()}
        return TracedCount(work, found.unknown)

    monkeypatch.setattr(_cross_check, "trace_operations", too_much)
    cost = make_flops_report(probe(lambda: Gated().eval()))
    assert any("probe, whole, mode conv: the counts differ by" in each for each in cost["problems"])


def test_operators_of_one_part_may_be_laid_to_another_if_the_whole_agrees(probe, monkeypatch):
    real = _cross_check.trace_operations

    def moved(*args, **kwargs):
        found = real(*args, **kwargs)
        swapped = {WHOLE: found.work[WHOLE], "rest": found.work["conv"]}
        return TracedCount({**found.work, **swapped, "conv": found.work["rest"]}, found.unknown)

    monkeypatch.setattr(_cross_check, "trace_operations", moved)
    monkeypatch.setitem(TARGETS, "probe", target(lambda: Gated().eval(), parts={"conv": ("conv",)}))
    cost = make_flops_report(
        FlopsSettings(targets=("probe",), inputs=("128x256",), modes=("conv",))
    )
    assert cost["problems"] == []
    reasons = {row["part"]: row["explanation"] for row in cost["rows"]}
    assert reasons["whole"] is None
    assert "the trace assigns work to another part" in reasons["conv"]


def test_names_of_targets_are_unique():
    with pytest.raises(ValueError, match="a target 'flownet2' is already registered"):
        register(TARGETS["flownet2"])


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        ("raft-small", "100x200", "too small for raft-small; each side needs 128"),
        ("raft-small", "132x200", "multiples of 8; use 136x200"),
        ("motion-head", "126x128", "multiples of 4; use 128x128"),
        ("flownet2", "1x3x64x64", "fixed for flownet2; give 64x64"),
    ],
)
def test_sizes_that_a_network_cannot_take(name, size, words):
    with pytest.raises(ConfigError, match=words):
        make_flops_report(FlopsSettings(targets=(name,), inputs=(size,)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "384",
        "384x",
        "384X1280",
        "axb",
        "1x2x3",
        "-4x8",
        "1.5x3",
        "0x64",
        "64x70000",
        "1x2x3x4x5x6",
    ],
)
def test_what_is_no_image_size(text):
    with pytest.raises(ConfigError, match="not an image size") as caught:
        InputSize.parse(text)
    assert caught.value.where == "--input"


def test_negative_instances_are_refused():
    with pytest.raises(ConfigError, match="--instances is -1"):
        FlopsSettings(instances=-1)
