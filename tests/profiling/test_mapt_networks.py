"""MAPT in the FLOPs report: the counted network does what ``MAPT.step`` does."""

import numpy as np
import pytest
import torch
from torch import nn

from mapt_bench.model import MAPT, DeformForm, mapt_config, mapt_config_names
from mapt_bench.profiling import make_flops_report
from mapt_bench.profiling._cross_check import CrossCheck
from mapt_bench.profiling._mapt_networks import BOX_SHARE
from mapt_bench.profiling._torch_counter import count_operations
from mapt_bench.profiling.flops_settings import TARGETS, FlopsSettings, InputSize
from mapt_bench.profiling.operator_table import MODES, WHOLE

torch.set_num_threads(1)

PARTS = (
    *("backbone", "fpn", "semantic", "proposals", "boxes", "masks", "motion", "appearance"),
    *("fusion", "preparation"),
)
COUNT, SIDES = 3, (128, 256)


@pytest.fixture(scope="module")
def cost():
    settings = FlopsSettings(targets=("mapt-regnety8gf", "mapt-tiny"), inputs=("384x1280",))
    return make_flops_report(settings)


def entries(cost, model, mode="conv"):
    rows = (row for row in cost["rows"] if (row["model"], row["mode"]) == (model, mode))
    return {row["part"]: row for row in rows}


@pytest.mark.parametrize(
    ("model", "params"), [("mapt-regnety8gf", 58_531_192), ("mapt-tiny", 1_574_131)]
)
def test_its_parts_are_the_whole(cost, model, params):
    for mode in MODES:
        parts = entries(cost, model, mode)
        whole = parts.pop("whole")
        assert tuple(parts) == PARTS
        assert sum(row["macs"] for row in parts.values()) == whole["macs"]
        assert sum(row["params"] for row in parts.values()) == whole["params"] == params


def test_nothing_is_uncounted_and_both_counts_agree(cost):
    assert cost["problems"] == []
    for row in cost["rows"]:
        assert row["uncounted"] == []
        assert row["gmacs_fvcore"] == pytest.approx(row["gmacs"], rel=1e-3)
    assert any("1000 proposals" in note for note in cost["notes"])


def test_parts_of_the_published_model_worked_by_hand(cost):
    found = {part: row["macs"] for part, row in entries(cost, "mapt-regnety8gf").items()}
    assert round(found["backbone"] / 1e9, 2) == 82.94
    cells = [384 * 1280 // stride**2 for stride in (4, 8, 16, 32)]
    # Two lateral convolutions a level, and one of 3x3.
    widths = (224, 448, 896, 2016)
    lateral = sum(n * 2 * width * 256 for n, width in zip(cells, widths, strict=True))
    assert found["fpn"] == lateral + sum(cells) * 9 * 256**2
    # A 3x3 convolution, one score and four numbers for each of three anchors.
    assert found["proposals"] == sum(cells) * (9 * 256**2 + 256 * 3 * 5)
    # 1000 regions; with the background three classes, a box for each.
    assert found["boxes"] == 1000 * (49 * 256 * 1024 + 1024**2 + 1024 * 3 * 5)
    # 10 regions: four separable convolutions, one transposed, one of 1x1 for its own class.
    convolutions = 4 * 14**2 * (9 * 256 + 256**2)
    assert found["masks"] == 10 * (convolutions + 4 * 14**2 * 256**2 + 28**2 * 256)
    # As the motion head by itself: 28,098 a cell, and 36 for each instance.
    assert found["motion"] == cells[0] * (28_098 + 36 * 10)


class RealStep(nn.Module):
    """:meth:`MAPT.step` with things found in known places, so that its cost is known too."""

    def __init__(self, config):
        super().__init__()
        self.model = MAPT(config).eval()
        self.model.motion.form = DeformForm.OPERATOR
        self.count = config.instance.proposals_after[1]
        self.model.instance.proposals.rpn.filter_proposals = self.proposed
        self.model.instance.regions.postprocess_detections = self.detected
        # Masks that fill their boxes, and win everywhere in them.
        nn.init.constant_(self.model.instance.regions.mask_predictor["2"].bias, 50.0)
        self.state = None

    def proposed(self, *_):
        return [self.boxes()[:1].repeat(self.count, 1)], None

    def detected(self, *_):
        labels = torch.ones(COUNT, dtype=torch.long)
        return [self.boxes()], [torch.full((COUNT,), 0.9)], [labels]

    def boxes(self):
        height, width = (side // BOX_SHARE for side in SIDES)
        start = torch.arange(COUNT)[:, None] * torch.tensor([width, height, width, height])
        return start + torch.tensor([0.0, 0.0, width, height])

    def forward(self, _):
        step, self.state = self.model.step(np.zeros((*SIDES, 3), dtype=np.uint8), self.state)
        assert step.segments.count == COUNT


@pytest.mark.parametrize("name", ["mapt-compact", "mapt-tiny", "mapt-small"])
def test_what_is_counted_is_what_a_step_does(name):
    real = RealStep(mapt_config(name))
    real(None)  # the first frame of a video has no earlier one
    done = count_operations(real, [torch.zeros(1)])
    counted = CrossCheck(TARGETS[name], COUNT).count(InputSize(*SIDES)).count
    for mode in ("conv", "conv+sampling"):
        assert counted.total(WHOLE, MODES[mode]) == done.total(WHOLE, MODES[mode])


def test_every_configuration_is_a_target_with_all_its_weights():
    for name in mapt_config_names():
        built = TARGETS[name].build()
        own = sum(weights.numel() for weights in built.parameters())
        assert own == sum(weights.numel() for weights in MAPT(mapt_config(name)).parameters())


def test_without_instances_and_at_odd_sizes_it_is_counted_too():
    none = CrossCheck(TARGETS["mapt-tiny"], 0).count(InputSize(75, 100))
    some = CrossCheck(TARGETS["mapt-tiny"], 5).count(InputSize(75, 100))
    assert none.count.unknown[WHOLE] == ()
    terms = MODES["conv"]
    assert 0 < none.count.total(WHOLE, terms) < some.count.total(WHOLE, terms)
    # fvcore counts einsum by its contraction, which saves the last addition here and there.
    assert some.traced.work[WHOLE].total(terms) == pytest.approx(
        some.count.total(WHOLE, terms), rel=1e-6
    )


def test_to_count_draws_nothing_from_the_random_numbers_of_others():
    before = torch.get_rng_state()
    TARGETS["mapt-tiny"].build()
    assert torch.equal(torch.get_rng_state(), before)
