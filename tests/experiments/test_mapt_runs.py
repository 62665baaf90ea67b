"""MAPT in runs: its own segments beside true ones, networks beside it, and work that is shared."""

import json
from types import SimpleNamespace

import pytest
import torch
from helpers.annotated_scenes import AnnotatedScene
from helpers.scenes import PERSON, Box
from helpers.small_runs import source

from mapt_bench.baselines import build_associator
from mapt_bench.baselines.segmenters import GroundTruthSegments
from mapt_bench.baselines.tracker_options import FlowOptions, MaptOptions
from mapt_bench.errors import ConfigError
from mapt_bench.experiments import (
    Cell,
    Plan,
    SegmentSource,
    ablation_plan,
    read_mapt_weights,
    run_experiment,
    run_plan,
    run_result,
)
from mapt_bench.experiments.engine import shared
from mapt_bench.experiments.engine.shared import SharedWork, WorkOfUnit
from mapt_bench.model.cues import MaptCues
from mapt_bench.results.result_views import run_parts
from mapt_bench.tracking import SegmentTracker
from mapt_bench.tracking.loop import run_tracker
from mapt_bench.workers import Processes

torch.set_num_threads(1)

SCENE = [[Box(1, 10 + 5 * t), Box(2, 70 - 2 * t, y=30, width=8, class_id=PERSON)] for t in range(3)]
VIDEO = AnnotatedScene(SCENE, name="drawn")


@pytest.fixture(scope="module")
def networks(mapt_files):
    return [
        read_mapt_weights(str(mapt_files / f"{name}.safetensors"))
        for name in ("mapt-tiny", "no-motion")
    ]


def finding(networks, **changes):
    kinds = SegmentSource(mapt=networks[0]), SegmentSource(), SegmentSource(mapt=networks[1])
    return source(VIDEO, segments=kinds, **changes)


@pytest.fixture(scope="module")
def whole(networks, tmp_path_factory):
    """The whole ablation of one small video, and what was found ready on the way."""
    plan = ablation_plan(
        mapt=networks[0],
        switches=("static", "no-offsets"),
        trained=networks,
        segments=("mapt-tiny", "groundtruth"),
        shared_segments=("groundtruth",),
    )
    ready, real = set(), SharedWork.find

    def find(work, key):
        made = real(work, key)
        if made is not None:
            what = key[0]
            ready.add(what if isinstance(what, str) else what[0])
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SharedWork, "find", find)
        result = run_experiment(plan, finding(networks), tmp_path_factory.mktemp("whole") / "run")
    return SimpleNamespace(plan=plan, result=result, ready=ready)


def without_times(entries):
    return {
        (entry["variant"], entry["segments"]): json.dumps({**entry, "cost": None})
        for entry in entries
    }


def test_every_cell_of_the_ablation_runs(whole):
    assert whole.result["skipped"] == [
        skip.to_dict() for skip in whole.plan.skipped
    ]  # networks of flow without weights
    assert [cell["status"] for cell in whole.result["cells"]] == ["done"] * len(whole.plan.cells)


def test_the_tables_are_of_one_kind_of_segments_each(whole):
    parts = run_parts(whole.result)
    assert [(part.segments, part.trained, part.suffix) for part in parts] == [
        ("mapt-tiny", False, ""),
        ("groundtruth", False, "groundtruth"),
        ("own", True, "trained-own"),
        ("groundtruth", True, "trained-groundtruth"),
    ]
    names = [[row["variant"] for row in part.run["summary"]] for part in parts]
    rows = [row.name for row in whole.plan.variants if row.group != "trained"]
    trained = ["mapt+memory,weights=mapt-tiny", "mapt:appearance+memory,weights=no-motion"]
    assert names == [rows, rows, trained, trained]


def test_each_table_has_a_reference_of_its_own(whole):
    for part in run_parts(whole.result):
        compared = {
            row["differences"]["reference"] for row in part.run["summary"] if row["differences"]
        }
        assert compared == {"mapt+memory,weights=mapt-tiny" if part.trained else "mapt+memory"}


def test_the_whole_network_stands_in_both_tables_with_the_same_numbers(whole):
    rows = {(r["variant"], r["segments"], r["trained"]): r for r in whole.result["summary"]}
    for theirs, mine in (("own", "mapt-tiny"), ("groundtruth", "groundtruth")):
        trained = rows["mapt+memory,weights=mapt-tiny", theirs, True]
        row = rows["mapt+memory", mine, False]
        assert trained["cell"] == row["cell"]
        assert trained["scores"] == row["scores"]


def test_segments_are_those_that_the_table_names(whole):
    quality = {
        (cell["variant"], cell["segments"]): cell["scores"]["PQ"] for cell in whole.result["cells"]
    }
    assert quality["oracle", "groundtruth"] == 1
    assert quality["oracle", "mapt-tiny"] < 1
    assert quality["mapt:appearance+memory,weights=no-motion", "groundtruth"] == 1
    assert quality["mapt:appearance+memory,weights=no-motion", "no-motion"] < 1


def test_heads_decide_alone_and_together(whole):
    matches = {
        cell["variant"]: set(cell["matches"])
        for cell in whole.result["cells"]
        if cell["segments"] == "groundtruth"
    }
    assert "appearance" not in matches["mapt:motion"]
    assert "motion" not in matches["mapt:appearance"]
    assert {"motion", "joint"} & matches["mapt:motion"]
    assert "joint" in matches["mapt:appearance"]
    assert "motion" not in matches["mapt:appearance+memory,weights=no-motion"]
    assert {"motion", "appearance"} & matches["mapt:paper+memory"]


def test_a_result_names_the_weights_by_their_contents(whole, networks):
    weights = {each.name: each.sha256 for each in networks}
    assert whole.result["provenance"]["weights"] == weights
    kinds = whole.result["provenance"]["data"]["segments"]
    for name, sha256 in weights.items():
        assert kinds[name] == {"kind": "found by MAPT", "weights": sha256}
    assert "safetensors" not in json.dumps(whole.result)  # no paths


def test_what_is_shared_changes_no_score(whole, networks, tmp_path, monkeypatch):
    shareable = {"flow", "appearance", "motion", "carried", "camera motion", "seen"}
    assert whole.ready == shareable
    monkeypatch.setattr(shared, "SharedWork", lambda *_: SharedWork(budget_bytes=0))
    alone = run_experiment(whole.plan, finding(networks), tmp_path / "run")
    assert without_times(alone["cells"]) == without_times(whole.result["cells"])


def test_two_workers_find_what_one_finds(whole, networks, tmp_path):
    names = {"copy", "mapt+memory", "flow:dis+mapt+memory", "mapt+memory,switch=static"}
    rows = tuple(row for row in whole.plan.variants if row.name in names)
    cells = tuple(Cell(row, segments=name) for name in ("mapt-tiny", "groundtruth") for row in rows)
    outcome = run_plan(
        Plan("ablate", rows, cells, "mapt+memory"),
        finding(networks),
        tmp_path / "run",
        workers=Processes(2),
    )
    assert outcome.exit_code == 0
    expected = {
        cell["key"]: (cell["matches"], cell["scores"]["IDSW"], cell["scores"]["TQ"])
        for cell in whole.result["cells"]
    }
    for cell in run_result(outcome)["cells"]:
        found = cell["matches"], cell["scores"]["IDSW"], cell["scores"]["TQ"]
        assert found == expected[cell["key"]], (cell["variant"], cell["segments"])


def ids_and_steps(associator, video=VIDEO):
    tracker = SegmentTracker(GroundTruthSegments(video), associator)
    list(run_tracker(tracker, video))
    return [(found.ids.tolist(), found.steps) for found in tracker.associations]


def linked_by(name, networks, work=None, **options):
    share = {} if work is None else {"share": WorkOfUnit(work, "groundtruth", lambda at: at)}
    mapt = MaptOptions(weights=networks[0].path)
    return build_associator(name, mapt=mapt, **share, **options)


@pytest.mark.parametrize("name", ["mapt", "mapt:simultaneous", "flow:dis+mapt"])
def test_what_another_tracker_worked_out_gives_the_same_identities(name, networks, monkeypatch):
    work = SharedWork()
    alone = ids_and_steps(linked_by(name, networks))
    assert ids_and_steps(linked_by(name, networks, work)) == alone
    with monkeypatch.context() as patch:
        for made in ("motion", "embed", "carry_each"):
            patch.setattr(MaptCues, made, None)  # nothing is worked out a second time
        assert ids_and_steps(linked_by(name, networks, work)) == alone


def test_switched_networks_share_nothing_with_the_whole_one(networks):
    work = SharedWork()
    ids_and_steps(linked_by("mapt", networks, work))
    switched = MaptOptions(weights=networks[0].path, switches=("no-offsets",))
    whole = set(work._made)
    share = WorkOfUnit(work, "groundtruth", lambda at: at)
    ids_and_steps(build_associator("mapt", mapt=switched, share=share))
    added = set(work._made) - whole
    # The same frames are worked out anew, under a name that says what is switched off.
    assert len(added) == len(whole)
    assert all(what[1][1] == ("no-offsets",) for what, _, _ in added)


def test_mapt_looks_where_a_flow_carries_the_masks(networks, monkeypatch):
    monkeypatch.setattr(MaptCues, "carry_each", None)  # the motion head carries none
    found = ids_and_steps(linked_by("flow:dis+mapt", networks))
    assert {step for _, steps in found[1:] for step in steps} <= {"motion", "appearance", "new"}
    exact = linked_by("flow:exact+mapt", networks, true_flow=VIDEO.backward_flow)
    (first, _), *others = ids_and_steps(exact)
    assert [(ids, steps) for ids, steps in others] == 2 * [(first, ("motion", "motion"))]


def test_what_the_flow_leaves_over_is_found_by_mapts_looks(networks):
    # Told that nothing moved, the flow carries the far-moving car nowhere near itself.
    jump = AnnotatedScene([[Box(1, 5)], [Box(1, 60)]], name="jump")
    stands = AnnotatedScene([[Box(1, 5)], [Box(1, 5)]], name="stands")
    tracker = linked_by("flow:exact+mapt", networks, true_flow=stands.backward_flow)
    assert ids_and_steps(tracker, jump)[1][1] == ("appearance",)
    plain = build_associator("flow:exact", true_flow=stands.backward_flow)
    assert ids_and_steps(plain, jump)[1][1] == ("new",)


def test_weights_of_mapt_are_not_those_of_the_flow(networks):
    with pytest.raises(ConfigError, match="tracker 'flow:dis' has no weights"):
        build_associator("flow:dis", mapt=MaptOptions(weights=networks[0].path))
    with pytest.raises(ConfigError, match="flow:dis has no weights"):
        build_associator("flow:dis+mapt", flow=FlowOptions(weights=networks[0].path))
