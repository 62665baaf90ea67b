from dataclasses import replace
from pathlib import Path

import pytest

from mapt_bench.baselines import associator_entry
from mapt_bench.errors import ConfigError
from mapt_bench.experiments import (
    Cell,
    NetworkWeights,
    Plan,
    Variant,
    ablation_plan,
    interval_plan,
)

RAFT, FLOWNET2, GMFLOW = (
    NetworkWeights(flow, Path("weights.pth"), f"hash of {flow}")
    for flow in ("flow:raft-small", "flow:flownet2", "flow:ptlflow/gmflow")
)


def names_of(plan):
    return [variant.name for variant in plan.variants]


def test_the_ablation_crosses_every_cue_and_order_with_memory():
    plan = ablation_plan(every_memory=True)
    crossed = [
        *("copy", "iou", "sort", "bytetrack"),
        *("oc-sort", "deep-oc-sort", "bot-sort"),
        *("motion", "appearance", "both"),
        *("both:appearance-first", "both:simultaneous"),
        *("flow:exact", "flow:exact+appearance"),
    ]
    both_ways = [name for variant in crossed for name in (variant, f"{variant}+memory")]
    assert names_of(plan) == [
        "unlinked",
        *both_ways,
        *("oracle:in-view", "oracle"),
    ]
    assert [cell.variant for cell in plan.cells] == list(plan.variants)
    assert all((cell.drop, cell.pair) == (1, 1) for cell in plan.cells)
    default = {variant.name for variant in ablation_plan().variants}
    cues = {"copy", "motion", "appearance", "both"}
    assert default == {name for name in names_of(plan) if "memory" in name} | cues | {
        *("unlinked", "oracle:in-view", "oracle")
    }


def test_memory_is_off_on_or_meaningless():
    memory = {variant.name: variant.memory for variant in ablation_plan().variants}
    assert memory["unlinked"] is None
    assert memory["oracle"] is None
    assert memory["both"] == 0
    assert memory["both+memory"] == 10
    longer = ablation_plan(memory=25)
    assert {variant.memory for variant in longer.variants} == {None, 0, 25}


def test_motion_first_is_run_once():
    variants = ablation_plan().variants
    assert [v.name for v in variants if v.associator == "both"] == ["both", "both+memory"]
    assert not any("motion-first" in variant.name for variant in variants)
    # DIS is the motion of the hand-crafted cues: it has no second rows.
    assert not any(variant.associator.startswith("flow:dis") for variant in variants)


def test_networks_without_weights_have_no_rows_but_a_reason():
    plan = ablation_plan()
    assert [skip.to_dict() for skip in plan.skipped] == [
        {"tracker": flow, "reason": f"needs weights; give --flow-weights {flow}=FILE"}
        for flow in ("flow:flownet2-narrow", "flow:raft-small", "flow:raft-large", "flow:flownet2")
    ]
    assert all(variant.weights is None for variant in plan.variants)


def test_networks_with_weights_are_crossed_with_appearance_and_memory():
    networks = (FLOWNET2, GMFLOW, RAFT)
    plan = ablation_plan(memory=7, flow_weights=networks, every_memory=True)
    rows = [variant for variant in plan.variants if variant.weights is not None]
    assert [(row.name, row.label, row.associator, row.memory) for row in rows[:4]] == [
        ("flow:raft-small", "RAFT-small", "flow:raft-small", 0),
        ("flow:raft-small+memory=7", "RAFT-small + memory 7", "flow:raft-small", 7),
        (
            *("flow:raft-small+appearance", "RAFT-small + appearance"),
            *("flow:raft-small+appearance", 0),
        ),
        (
            *("flow:raft-small+appearance+memory=7", "RAFT-small + appearance + memory 7"),
            *("flow:raft-small+appearance", 7),
        ),
    ]
    # Four rows each, in the order of the tables, whatever the order they were given in.
    assert [row.weights for row in rows] == [*[RAFT] * 4, *[FLOWNET2] * 4, *[GMFLOW] * 4]
    assert [skip.tracker for skip in plan.skipped] == ["flow:flownet2-narrow", "flow:raft-large"]
    assert {variant.group for variant in rows} == {"flow"}
    assert plan.variants[-1].name == "oracle"
    for row in rows:
        assert associator_entry(row.associator).name == row.associator


def test_weights_given_twice_are_refused():
    with pytest.raises(ConfigError, match="distinct names"):
        ablation_plan(flow_weights=(RAFT, RAFT))
    with pytest.raises(ConfigError, match="distinct names"):
        interval_plan(flow_weights=(RAFT, RAFT))


def test_sweeps_have_a_line_for_each_network_with_weights():
    plan = interval_plan(drop=(1,), pair=(1, 2), memory=3, flow_weights=(RAFT,))
    for sweep in plan.sweeps:
        flows = [name for name in sweep.variants if name.startswith("flow:")]
        assert flows == ["flow:raft-small+memory=3", "flow:exact+memory=3"]
    (row,) = (variant for variant in plan.variants if variant.weights is not None)
    assert (row.memory, row.weights) == (3, RAFT)
    assert Cell(row, pair=2) in plan.cells
    assert interval_plan().skipped == ()


def test_every_associator_of_a_plan_is_known():
    for plan in (ablation_plan(), interval_plan()):
        for variant in plan.variants:
            assert associator_entry(variant.associator).name == variant.associator


def test_rows_with_memory_need_memory():
    with pytest.raises(ConfigError, match="memory is 0"):
        ablation_plan(memory=0)


def test_the_sweeps_share_interval_one():
    plan = interval_plan(drop=(1, 2), pair=(1, 3))
    drop, pair = plan.sweeps
    assert (drop.kind, drop.taus) == ("drop", (1, 2))
    assert (pair.kind, pair.taus) == ("pair", (1, 3))
    assert drop.variants == (
        *("copy", "iou", "sort", "bytetrack", "motion", "appearance", "both"),
        *("flow:exact", "oracle"),
    )
    assert pair.variants == ("copy", "motion", "appearance", "both", "flow:exact", "oracle")
    # 9 variants at interval 1, 9 with every second frame, 6 with a pairing interval of 3.
    assert len(plan.cells) == 9 + 9 + 6
    assert len(set(plan.cells)) == len(plan.cells)


def test_every_interval_carries_its_references():
    plan = interval_plan()
    for sweep in plan.sweeps:
        assert sweep.taus == (1, 2, 3, 5)
        for tau in sweep.taus:
            there = {cell.variant.name for cell in plan.cells if sweep.tau_of(cell) == tau}
            assert {"copy", "flow:exact", "oracle"} <= there


def test_one_sweep_alone():
    plan = interval_plan(drop=None, pair=(4, 2))
    assert [(sweep.kind, sweep.taus) for sweep in plan.sweeps] == [("pair", (2, 4))]
    assert "sort" not in {variant.name for variant in plan.variants}
    assert all(cell.drop == 1 for cell in plan.cells)


def test_a_cell_stands_in_a_sweep_at_its_own_interval():
    (drop, pair) = interval_plan(drop=(1, 2), pair=(1, 2)).sweeps
    both = Variant("both", "both", "heads", "both", memory=0)
    assert drop.tau_of(Cell(both)) == pair.tau_of(Cell(both)) == 1
    assert (drop.tau_of(Cell(both, drop=2)), pair.tau_of(Cell(both, drop=2))) == (2, None)
    assert pair.tau_of(Cell(replace(both, name="sort"))) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"drop": (0, 1)}, r"--drop are \[0, 1\]"),
        ({"pair": (2, 2)}, r"--pair are \[2, 2\]"),
        ({"drop": ()}, r"--drop are \[\]"),
        ({"drop": None, "pair": None}, "nothing to sweep"),
        ({"memory": -1}, "memory is -1"),
    ],
)
def test_wrong_sweeps_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        interval_plan(**changes)


def test_variants_need_names_of_their_own():
    twice = (Variant("a", "a", "heads", "iou"), Variant("a", "b", "heads", "sort"))
    with pytest.raises(ConfigError, match="distinct names"):
        Plan("ablate", twice, (), "a")
