from dataclasses import replace

import pytest
from helpers.experiment_networks import named_flow, named_mapt

from mapt_bench.baselines import associator_entry
from mapt_bench.errors import ConfigError
from mapt_bench.experiments import Cell, ablation_plan, interval_plan

MAPT = named_mapt()
RAFT, NARROW = named_flow("flow:raft-small"), named_flow("flow:flownet2-narrow")
BASELINES = [
    *("copy", "iou", "sort", "bytetrack", "oc-sort", "deep-oc-sort", "bot-sort"),
    *("appearance", "both"),
]
HEADS = ["mapt:motion", "mapt:appearance", "mapt"]
WITH_MEMORY_ALONE = [
    *("mapt:paper", "mapt:appearance-first", "mapt:simultaneous", "mapt:propagation"),
    *("flow:dis", "flow:dis+mapt"),
]
CEILINGS = ["flow:exact", "flow:exact+mapt"]


def names(plan):
    return [variant.name for variant in plan.variants]


def crossed(name):
    return [name, f"{name}+memory"]


def test_copying_and_the_heads_run_without_memory_too():
    plan = ablation_plan(mapt=MAPT)
    assert names(plan) == [
        "unlinked",
        *crossed("copy"),
        *(f"{name}+memory" for name in BASELINES[1:]),
        *(row for name in HEADS for row in crossed(name)),
        *(f"{name}+memory" for name in (*WITH_MEMORY_ALONE, *CEILINGS)),
        *("oracle:in-view", "oracle"),
    ]
    assert plan.reference == "mapt+memory"
    assert plan.reference in names(plan)
    assert plan.cells == tuple(Cell(variant) for variant in plan.variants)
    memory = {variant.name: variant.memory for variant in plan.variants}
    assert (memory["mapt"], memory["mapt+memory"], memory["unlinked"]) == (0, 10, None)
    longer = ablation_plan(mapt=MAPT, memory=3)
    assert {row.memory for row in longer.variants} == {None, 0, 3}


def test_every_baseline_runs_without_memory_on_request():
    plan = ablation_plan(mapt=MAPT, every_memory=True)
    fusions = WITH_MEMORY_ALONE[:4]
    rows = [row for name in (*BASELINES, *HEADS, *fusions) for row in crossed(name)]
    assert names(plan)[1 : 1 + len(rows)] == rows
    assert [*dict.fromkeys(names(plan))] == names(plan)
    assert set(names(ablation_plan(mapt=MAPT))) < set(names(plan))


def test_flows_and_switches_stand_between_dis_and_the_true_flow():
    plan = ablation_plan(mapt=MAPT, flow_weights=(RAFT, NARROW), switches=("static", "no-gate"))
    with_memory_alone = names(plan)[names(plan).index("mapt:paper+memory") : -2]
    flows = (
        *("flow:flownet2-narrow", "flow:flownet2-narrow+mapt"),
        *("flow:raft-small", "flow:raft-small+mapt"),
    )
    assert with_memory_alone == [
        *(f"{name}+memory" for name in (*WITH_MEMORY_ALONE, *flows)),
        *("mapt+memory,switch=static", "mapt+memory,switch=no-gate"),
        *(f"{name}+memory" for name in CEILINGS),
    ]
    switches = {row.name: row.switches for row in plan.variants if row.switches}
    assert switches == {
        "mapt+memory,switch=static": ("static",),
        "mapt+memory,switch=no-gate": ("no-gate",),
    }
    assert [skip.tracker for skip in plan.skipped] == ["flow:raft-large", "flow:flownet2"]


def test_networks_go_to_the_rows_that_link_by_them():
    plan = ablation_plan(mapt=MAPT, flow_weights=(RAFT,), switches=("static",))
    for row in plan.variants:
        links_by_mapt = row.associator.startswith("mapt") or row.associator.endswith("+mapt")
        assert row.mapt == (MAPT if links_by_mapt else None), row.name
        assert row.weights == (RAFT if "raft" in row.associator else None), row.name
        assert associator_entry(row.associator).name == row.associator


def test_rows_know_their_question():
    plan = ablation_plan(mapt=MAPT, flow_weights=(RAFT,), switches=("static",))
    groups = {row.name: row.group for row in plan.variants}
    # Hand-made cues are baselines of the learned ones; upper bounds compete for nothing.
    assert groups["appearance+memory"] == groups["both+memory"] == groups["copy"] == "baseline"
    assert groups["mapt"] == groups["mapt:motion+memory"] == "heads"
    assert groups["mapt:simultaneous+memory"] == "fusion"
    assert groups["flow:raft-small+mapt+memory"] == groups["flow:dis+memory"] == "flow"
    assert groups["mapt:propagation+memory"] == "flow"
    assert groups["mapt+memory,switch=static"] == "switch"
    assert {name for name, group in groups.items() if group == "reference"} == {
        *("unlinked", "oracle:in-view", "oracle"),
        *("flow:exact+memory", "flow:exact+mapt+memory"),
    }
    labels = [row.label for row in plan.variants]
    assert len(set(labels)) == len(labels)


def test_every_row_runs_on_every_kind_of_segments():
    plan = ablation_plan(mapt=MAPT, segments=("mapt-tiny", "groundtruth"))
    assert plan.cells == tuple(
        Cell(variant, segments=name)
        for name in ("mapt-tiny", "groundtruth")
        for variant in plan.variants
    )


def test_trained_networks_run_on_their_own_segments_and_on_those_that_all_share():
    trained = (MAPT, named_mapt("no-motion", has_motion=False))
    given = {"mapt": MAPT, "segments": ("mapt-tiny", "groundtruth")}
    without = ablation_plan(**given)
    plan = ablation_plan(**given, trained=trained, shared_segments=("groundtruth",))
    assert plan.variants[: len(without.variants)] == without.variants
    assert plan.cells[: len(without.cells)] == without.cells
    whole, apart = plan.variants[len(without.variants) :]
    assert (whole.name, whole.label) == ("mapt+memory,weights=mapt-tiny", "mapt-tiny + memory")
    assert {whole.group, apart.group} == {"trained"}
    assert (whole.mapt, apart.mapt) == trained
    assert (whole.memory, apart.memory) == (10, 10)
    assert plan.cells[len(without.cells) :] == (
        Cell(whole, segments="mapt-tiny"),
        Cell(apart, segments="no-motion"),
        Cell(whole, segments="groundtruth"),
        Cell(apart, segments="groundtruth"),
    )


def test_a_trained_network_links_by_the_heads_that_it_has():
    trained = (
        MAPT,
        named_mapt("looks", has_motion=False),
        named_mapt("moves", has_appearance=False),
    )
    plan = ablation_plan(mapt=MAPT, trained=trained)
    associators = {row.name: row.associator for row in plan.variants if row.group == "trained"}
    assert associators == {
        "mapt+memory,weights=mapt-tiny": "mapt",
        "mapt:appearance+memory,weights=looks": "mapt:appearance",
        "mapt:motion+memory,weights=moves": "mapt:motion",
    }
    neither = named_mapt("neither", has_motion=False, has_appearance=False)
    with pytest.raises(ConfigError, match="neither has neither a motion head"):
        ablation_plan(mapt=MAPT, trained=(MAPT, neither))


def test_tuned_thresholds_go_to_all_rows_of_an_associator_below_their_own(monkeypatch):
    tuned = {
        "mapt": (("lost_probability", 0.6), ("view_probability", 0.4)),
        "sort": (("sort_iou_threshold", 0.4),),
    }
    monkeypatch.setattr("mapt_bench.baselines.thresholds.tuned_thresholds", lambda: tuned)
    given = {"switches": ("static", "lost_probability=0.3"), "trained": (MAPT,)}
    plan = ablation_plan(mapt=MAPT, **given)
    settings = {row.name: dict(row.settings) for row in plan.variants}
    for name in (
        *("mapt", "mapt+memory"),
        *("mapt+memory,switch=static", "mapt+memory,weights=mapt-tiny"),
    ):
        assert settings[name] == dict(tuned["mapt"]), name
    changed = {"lost_probability": 0.3, "view_probability": 0.4}
    assert settings["mapt+memory,lost_probability=0.3"] == changed
    assert settings["sort+memory"] == {"sort_iou_threshold": 0.4}
    assert settings["mapt:motion"] == settings["copy"] == {}
    origins = {row.name: row.thresholds for row in plan.variants}
    assert (origins["mapt"], origins["copy"], origins["oracle"]) == ("tuned", "published", "none")
    published = ablation_plan(mapt=MAPT, **given, thresholds="published")
    assert {row.thresholds for row in published.variants} == {"published", "none"}
    assert [dict(row.settings) for row in published.variants if row.settings] == [
        {"lost_probability": 0.3}
    ]


@pytest.mark.parametrize("missing", ["has_motion", "has_appearance"])
def test_a_network_without_a_head_is_no_mapt_to_ablate(missing):
    with pytest.raises(ConfigError, match=r"half lack a head.*--trained"):
        ablation_plan(mapt=named_mapt("half", **{missing: False}))


def test_differences_can_be_taken_to_any_row():
    assert ablation_plan(mapt=MAPT, reference="copy").reference == "copy"
    for text in ("sort+memory", "sort+memory=10"):
        assert ablation_plan(mapt=MAPT, reference=text).reference == "sort+memory"
    # With another memory the same words name another row.
    longer = ablation_plan(mapt=MAPT, reference="sort+memory", memory=20)
    assert longer.reference == "sort+memory=20"
    assert ablation_plan(mapt=MAPT, memory=20).reference == "mapt+memory=20"
    with pytest.raises(ConfigError, match=r"there is no row 'sort\+memory=4'.*add it with --add"):
        ablation_plan(mapt=MAPT, reference="sort+memory=4")
    with pytest.raises(ConfigError, match=r"there is no row 'sorted'.*sort"):
        ablation_plan(mapt=MAPT, reference="sorted")


def test_without_mapt_there_is_nothing_to_switch_off():
    with pytest.raises(ConfigError, match="removes a component of MAPT, and there is none"):
        ablation_plan(switches=("static",))


def test_without_mapt_the_cues_without_a_network_take_its_place():
    plan = ablation_plan()
    assert plan.reference == "both"
    assert all(row.mapt is None for row in plan.variants)
    heads = [row.name for row in plan.variants if row.group == "heads"]
    assert heads == [row for name in ("motion", "appearance", "both") for row in crossed(name)]
    assert not any("mapt" in name for name in names(plan))


def test_sweeps_have_a_line_for_each_head():
    plan = interval_plan(mapt=MAPT, flow_weights=(RAFT,), memory=2)
    drop, pair = plan.sweeps
    mapt = ("mapt:motion", "mapt:appearance", "mapt:paper", "mapt")
    lines = (*mapt, "flow:dis", "flow:raft-small", "flow:exact")
    boxes = ("copy", "iou", "sort", "bytetrack")
    assert drop.variants == (*(f"{name}+memory=2" for name in (*boxes, *lines)), "oracle")
    assert pair.variants == (*(f"{name}+memory=2" for name in ("copy", *lines)), "oracle")
    assert plan.reference == "copy+memory=2"
    memory = {row.name: (row.memory, row.mapt) for row in plan.variants}
    assert memory["mapt+memory=2"] == (2, MAPT)
    assert memory["flow:dis+memory=2"] == (2, None)
    one_head = interval_plan(mapt=replace(MAPT, has_appearance=False))
    assert "mapt:paper" not in names(one_head)
    without = interval_plan(mapt=MAPT)
    assert without.reference == "copy"
    assert {row.memory for row in without.variants} == {0, None}


def test_only_the_named_rows_run_between_the_bounds():
    only = ("sort+memory", "mapt+memory", "flow:exact+memory")
    plan = ablation_plan(mapt=MAPT, only=only, left_out=("flow:flownet2-narrow",))
    assert names(plan) == ["unlinked", *only, "oracle:in-view", "oracle"]
    assert (plan.reference, plan.skipped) == ("mapt+memory", ())
    assert ablation_plan(mapt=MAPT, only=only[:1]).reference == "sort+memory"
    with pytest.raises(ConfigError, match=r"no row 'sort\+memroy' to run; did you mean 'sort\+m"):
        ablation_plan(mapt=MAPT, only=("sort+memroy",))


def test_only_the_named_rows_run_at_each_interval():
    plan = interval_plan(mapt=MAPT, only=("mapt", "iou"), drop=(1, 2), pair=None)
    assert names(plan) == ["copy", "mapt", "iou", "oracle"]
    assert plan.reference == "copy"
    assert [cell.drop for cell in plan.cells] == [1] * 4 + [2] * 4
