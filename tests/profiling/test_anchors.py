"""Figures that the FLOPs report must give, and their sources."""

import pytest
import torch

from mapt_bench.model import MOTION_DESIGNS
from mapt_bench.profiling import make_flops_report
from mapt_bench.profiling._cross_check import CrossCheck
from mapt_bench.profiling.flops_settings import TARGETS, FlopsSettings, InputSize
from mapt_bench.profiling.operator_table import MODES, WHOLE

torch.set_num_threads(1)

KITTI, LARGE = [384, 1280], [1024, 1920]


@pytest.fixture(scope="module")
def cost():
    return make_flops_report(FlopsSettings(targets=("flownet2", "motion-head", "regnet_y_8gf")))


def gmacs(cost, model, part, size, mode):
    (row,) = [
        row
        for row in cost["rows"]
        if (row["model"], row["part"], row["input"], row["mode"]) == (model, part, size, mode)
    ]
    return row["gmacs"]


def test_flownet2(cost):
    assert gmacs(cost, "flownet2", "whole", KITTI, "conv") == 247.801910400
    assert 993.12 <= gmacs(cost, "flownet2", "whole", LARGE, "ptflops") <= 993.15
    # 993,137,376,000 worked out per layer; half of the upsampled numbers are nearest neighbours
    assert gmacs(cost, "flownet2", "whole", LARGE, "ptflops") == 993.137376
    sampled = gmacs(cost, "flownet2", "flownetc", KITTI, "conv+sampling")
    correlation = sampled - gmacs(cost, "flownet2", "flownetc", KITTI, "conv")
    assert correlation == pytest.approx(0.867041280, rel=1e-9)


def test_the_parts_of_flownet2_are_the_whole(cost):
    whole = [row for row in cost["rows"] if row["model"] == "flownet2" and row["is_whole"]]
    for row in whole:
        parts = [
            part
            for part in cost["rows"]
            if part["model"] == "flownet2"
            and not part["is_whole"]
            and (part["input"], part["mode"]) == (row["input"], row["mode"])
        ]
        assert {part["part"] for part in parts} == {
            *("flownetc", "flownets_1", "flownets_2", "flownets_d", "flownetfusion", "rest")
        }
        assert sum(part["macs"] for part in parts) == row["macs"]
        assert sum(part["params"] for part in parts) == row["params"] == 162_518_834


def test_the_motion_head(cost):
    assert gmacs(cost, "motion-head", "whole", LARGE, "conv") == pytest.approx(3.50, rel=0.01)
    assert gmacs(cost, "motion-head", "whole", KITTI, "conv") == pytest.approx(0.874, abs=5e-4)


@pytest.mark.parametrize("design", MOTION_DESIGNS)
def test_each_design_costs_what_its_configuration_says(design):
    name = "motion-head" if design == "gated-s4" else f"motion-head:{design}"
    config = MOTION_DESIGNS[design]
    for instances in (0, 7):
        found = CrossCheck(TARGETS[name], instances).count(InputSize(128, 256))
        expected = config.macs_per_position(instances) * 128 * 256 // config.stride**2
        counted = found.count.total(WHOLE, MODES["conv"])
        assert found.traced.work[WHOLE].total(MODES["conv"]) == counted
        # With matching, the figure of a cell is rounded up.
        slack = 0 if config.match_channels is None else 128 * 256 // config.stride**2
        assert counted <= expected <= counted + slack


def test_the_trunk(cost):
    assert round(gmacs(cost, "regnet_y_8gf", "trunk", KITTI, "conv"), 2) == 82.94


def test_both_counts_agree_on_every_row_and_nothing_is_uncounted(cost):
    assert cost["problems"] == []
    for row in cost["rows"]:
        assert row["uncounted"] == []
        assert row["gmacs_fvcore"] == pytest.approx(row["gmacs"], rel=1e-3)
        assert row["fvcore_at"] == [[64, 64], [64, 128]]


def test_what_a_mode_leaves_out_is_named(cost):
    by_mode = {
        row["mode"]: row["excluded"]
        for row in cost["rows"]
        if row["model"] == "flownet2" and row["is_whole"]
    }
    assert "mapt_bench::correlation" in by_mode["conv"]
    assert "aten::convolution (bias)" in by_mode["conv"]
    assert "mapt_bench::correlation" not in by_mode["conv+sampling"]
    assert not [name for name in by_mode["conv+sampling"] if "upsample" in name]
    assert "aten::grid_sampler" in by_mode["ptflops"]
    assert not [name for name in by_mode["ptflops"] if "leaky_relu" in name]


def test_claims_stand_beside_what_was_counted(cost):
    claims = {(each["name"], *each["at"]): each for each in cost["claims"]}
    head = claims["operations of the motion head", *LARGE]
    assert (head["claimed"], head["fitted"], head["mode"]) == (3.50, True, "conv")
    assert abs(head["relative_difference"]) < 0.01
    flow = claims["operations of FlowNet2", *LARGE]
    assert (flow["claimed"], flow["fitted"], flow["mode"]) == (993.13, False, "ptflops")
    assert abs(flow["relative_difference"]) < 1e-4
    ratio = claims["FlowNet2 over the motion head", *LARGE]
    assert ratio["claimed"] == 284
    assert ratio["measured"] == pytest.approx(991.2076416 / 3.49691904)
    real = claims["operations of FlowNet2", *KITTI]
    assert real["measured"] == pytest.approx(248.28, abs=0.01)
    assert real["relative_difference"] == pytest.approx(-0.75, abs=0.001)
    assert len(claims) == 6


def test_raft_counts_pairs_of_positions_exactly():
    found = CrossCheck(TARGETS["raft-small"], 0).count(InputSize(256, 384))
    terms = MODES["conv"]
    assert len(found.traced_at) == 3
    assert found.count.total(WHOLE, terms) == found.traced.work[WHOLE].total(terms)


def test_the_trackers_without_a_network_are_named(cost):
    assert {"copy", "sort", "motion", "flow:dis"} <= set(cost["without_network"])
