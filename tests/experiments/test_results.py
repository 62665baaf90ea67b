import json
from contextlib import nullcontext
from dataclasses import replace

import pytest
from helpers.scenes import Box, DrawnVideo
from helpers.small_runs import COPY, MOTION, ORACLE, UNLINKED, plan, source, walk

from mapt_bench.baselines.noise import SegmentNoise
from mapt_bench.errors import ConfigError
from mapt_bench.experiments import (
    MILD_NOISE,
    Cell,
    SegmentSource,
    Variant,
    ablation_plan,
    run_experiment,
    run_plan,
    run_result,
    suite_source,
)
from mapt_bench.experiments.engine import unit_workers as workers
from mapt_bench.experiments.plans.plan import Sweep
from mapt_bench.experiments.summaries.cell_scores import INTERVAL_SCORES, cell_scores
from mapt_bench.metrics import SCORE_NAMES
from mapt_bench.metrics.uncertainty import ScoreStatistics
from mapt_bench.reports.difference_tables import memory_table
from mapt_bench.reports.table_formats import render_table
from mapt_bench.workers import Processes


def without_times(result):
    """The result as bytes, without what may differ between two runs."""
    plain = json.loads(json.dumps(result))
    plain["provenance"].pop("created")
    for row in [*plain["cells"], *plain["summary"]]:
        row["cost"].pop("seconds_per_frame")
    return json.dumps(plain)


def test_the_schema_of_a_run(tmp_path):
    result = run_result(run_plan(plan(), source(), tmp_path / "run"))
    assert list(result) == [
        *("schema", "experiment", "cells", "skipped", "summary"),
        *("claims", "scores_by_group", "recoveries", "protocol", "provenance"),
    ]
    assert result["schema"] == "mapt-bench/run/1"
    assert result["experiment"] == "ablate"
    cell = result["cells"][1]
    assert (cell["variant"], cell["data"], cell["status"]) == ("copy", "drawn", "done")
    assert (cell["stress"], cell["interval"], cell["seed"]) == ({"drop": 1}, 1, 0)
    assert cell["segments"] == "groundtruth"
    assert list(cell["scores"]) == list(SCORE_NAMES)
    assert cell["per_sequence"]["a"]["frames"] == 6
    assert cell["cost"]["frames_timed"] == 13
    assert [row["variant"] for row in result["summary"]] == ["unlinked", "copy", "oracle"]
    assert result["summary"][1]["scores"] == cell["scores"]
    assert result["summary"][1]["cell"] == cell["key"]
    for row in result["summary"]:
        assert (row["segments"], row["trained"]) == ("groundtruth", False)
    stated = result["provenance"]
    assert stated["data"]["sequences"] == {"a": 6, "b": 7}
    assert (stated["seed"], stated["threads"]) == (0, 1)
    assert result["protocol"]["unit"] == "sequence"
    words = "ground-truth segments without identities"
    assert result["protocol"]["segments"] == words
    assert result["protocol"]["segments_by_name"] == {"groundtruth": words}


def test_the_oracle_is_perfect_on_perfect_segments_and_unlinked_is_not(tmp_path):
    result = run_result(run_plan(plan(), source(), tmp_path / "run"))
    scores = {row["variant"]: row["scores"] for row in result["summary"]}
    assert scores["oracle"]["PAT"] == scores["oracle"]["STQ"] == 1
    assert scores["unlinked"]["PAT"] < scores["copy"]["PAT"]
    assert scores["oracle"]["IDSW"] == 0
    # 2 objects, 5 and 6 steps from frame to frame: every one of them is a switch.
    assert scores["unlinked"]["IDSW"] == 2 * (5 + 6)


def test_matches_say_which_step_decided(tmp_path):
    result = run_result(run_plan(plan(), source(), tmp_path / "run"))
    matches = {row["variant"]: row["matches"] for row in result["summary"]}
    # 26 segments: 2 in each of 6 + 7 frames; 4 of them are the first of their track.
    assert matches["unlinked"] == {"new": 26, "recovered": 0}
    assert matches["copy"] == {"motion": 22, "new": 4, "recovered": 0}
    assert matches["oracle"] == {"oracle": 26, "recovered": 0}


def test_a_cell_has_a_hash_of_the_maps_of_each_sequence(tmp_path):
    result = run_result(run_plan(plan(), source(), tmp_path / "run"))
    found = {cell["variant"]: cell["predictions"] for cell in result["cells"]}
    assert found["copy"].keys() == {"a", "b"}
    assert found["unlinked"]["a"] != found["copy"]["a"] != found["copy"]["b"]
    again = run_result(run_plan(plan(), source(), tmp_path / "again"))
    assert {cell["variant"]: cell["predictions"] for cell in again["cells"]} == found


def test_memory_counts_what_it_recovered(tmp_path):
    seen, gone = [Box(1, 20)], []
    hidden = DrawnVideo([seen, seen, gone, gone, seen], name="hidden")
    remembering = Variant("copy+memory", "copy + memory", "baseline", "copy", memory=5)
    result = run_result(run_plan(plan(COPY, remembering), source(hidden), tmp_path / "run"))
    forgets, remembers = result["summary"]
    assert (forgets["matches"]["recovered"], forgets["scores"]["IDSW"]) == (0, 1)
    assert (remembers["matches"]["recovered"], remembers["scores"]["IDSW"]) == (1, 0)


def test_dropped_frames_are_the_mean_over_phases(tmp_path):
    # One object stands still, but for frame 3, where it is far away. Of the phases of every second
    # frame 0, 2, 4 never see it move; 1, 3, 5 see it leave and come back: two switches.
    places = (20, 20, 20, 60, 20, 20)
    jump = DrawnVideo([[Box(1, x)] for x in places], name="jump")
    sweeps = (Sweep("drop", (1, 2), ("copy",)),)
    cells = (Cell(COPY), Cell(COPY, drop=2))
    outcome = run_plan(plan(COPY, cells=cells, sweeps=sweeps), source(jump), tmp_path / "run")
    every, second = run_result(outcome)["cells"]
    assert every["scores"]["IDSW"] == 2
    assert second["scores"]["IDSW"] == (0 + 2) / 2
    # AQ: phase 0 is perfect. In phase 1 three tracks of one frame each cover a third of the tube:
    # the sum over the three of 1 pixel share x IoU 1/3, divided by the tube's 3 frames, is 1/3.
    assert second["scores"]["AQ"] == pytest.approx((1 + 1 / 3) / 2)
    assert second["per_sequence"]["jump"]["frames"] == 6
    assert second["per_sequence"]["jump"]["IDSW"] == 1


def test_sequences_are_pooled_within_a_phase(tmp_path):
    outcome = run_plan(plan(COPY), source(), tmp_path / "run")
    units = list(outcome.cells[0].units.values())
    sums = [unit.sums for unit in units]
    assert outcome.cells[0].sums() == {0: [sums[0]], 1: [sums[1]]}
    pooled = cell_scores([sums], outcome.source.labels, "present")
    assert run_result(outcome)["summary"][0]["scores"] == pooled


def test_resampling_sees_the_scores_of_the_table(tmp_path):
    cells = (Cell(COPY), Cell(COPY, drop=2))
    sweeps = (Sweep("drop", (1, 2), ("copy",)),)
    outcome = run_plan(plan(COPY, cells=cells, sweeps=sweeps), source(), tmp_path / "run")
    statistic = ScoreStatistics(outcome.source.labels, names=INTERVAL_SCORES)
    for cell, entry in zip(outcome.cells, run_result(outcome)["cells"], strict=True):
        samples = statistic.samples(list(cell.sums().values()))
        expected = [entry["scores"][name] for name in INTERVAL_SCORES]
        assert statistic.scores(samples) == pytest.approx(expected)


def five_walks():
    return [walk(4, speed=speed, name=f"walk{speed}") for speed in range(1, 6)]


def test_four_sequences_give_no_interval_but_a_reason(tmp_path):
    result = run_result(run_plan(plan(), source(*five_walks()[:4]), tmp_path / "run"))
    for row in result["summary"]:
        assert row["n_sequences"] == 4
        assert "needs at least 5" in row["intervals"]["PAT"]["reason"]
        assert "low" not in row["intervals"]["PAT"]


def test_five_sequences_give_intervals_and_differences_to_the_reference(tmp_path):
    result = run_result(run_plan(plan(), source(*five_walks()), tmp_path / "run"))
    unlinked, copy, oracle = result["summary"]
    interval = unlinked["intervals"]["STQ"]
    assert interval["low"] <= unlinked["scores"]["STQ"] <= interval["high"]
    assert (interval["n"], interval["level"]) == (5, 0.95)
    assert copy["differences"] is None
    assert unlinked["differences"]["reference"] == "copy"
    found = unlinked["differences"]["scores"]["STQ"]
    expected = unlinked["scores"]["STQ"] - copy["scores"]["STQ"]
    assert found["difference"] == pytest.approx(expected)
    # All 5 sequences agree: 2 of the 32 exchanges of signs are as extreme. Holm multiplies the
    # smallest p by the number of comparisons of the score: 2 rows.
    assert found["p_value"] == 2 / 32
    assert found["p_adjusted"] == pytest.approx(2 * 2 / 32)
    assert oracle["differences"]["scores"]["STQ"]["difference"] >= 0


def hidden_walk(speed):
    """A walk whose second box disappears in one frame and returns."""
    video = walk(6, speed=speed, name=f"walk{speed}")
    scene = [frame[: 1 if t == 3 else 2] for t, frame in enumerate(video.scene)]
    return replace(video, scene=scene)


def test_a_row_with_memory_is_compared_with_the_same_row_without(tmp_path):
    remembering = replace(COPY, name="copy+memory", memory=5)
    tried = plan(UNLINKED, COPY, remembering, ORACLE)
    videos = [hidden_walk(speed) for speed in range(1, 6)]
    result = run_result(run_plan(tried, source(*videos), tmp_path / "run"))
    unlinked, copy, with_memory, oracle = result["summary"]
    for row in (unlinked, copy, oracle):
        assert row["memory_effect"] is None
    effect = with_memory["memory_effect"]
    assert effect["reference"] == "copy"
    assert effect["family"]["comparisons"] == 1  # of each score
    gain = with_memory["scores"]["TQ"] - copy["scores"]["TQ"]
    assert gain > 0
    assert effect["scores"]["TQ"]["difference"] == pytest.approx(gain)
    shown = render_table(memory_table(result), "markdown")
    assert "With memory minus without memory" in shown
    assert f"| copy+memory | {100 * effect['scores']['PAT']['difference']:+.2f}" in shown
    assert memory_table({"summary": [copy]}) is None


def test_rows_of_equal_work_are_one_comparison(tmp_path):
    again = (replace(UNLINKED, name="unlinked again"), replace(COPY, name="copy again"))
    once = run_result(run_plan(plan(), source(*five_walks()), tmp_path / "once"))
    twice = plan(*plan().variants, *again)
    rows = run_result(run_plan(twice, source(*five_walks()), tmp_path / "twice"))["summary"]
    # They neither make the correction for many comparisons harsher, nor differ from themselves.
    assert [row["differences"] for row in rows[:3]] == [
        row["differences"] for row in once["summary"]
    ]
    assert rows[3]["differences"] == rows[0]["differences"]
    assert rows[4]["differences"] is None
    assert rows[4]["intervals"] == rows[1]["intervals"]


def test_a_sweep_has_a_row_for_every_variant_and_interval(tmp_path):
    cells = (*(Cell(v) for v in (COPY, MOTION, ORACLE)), Cell(COPY, drop=2), Cell(COPY, pair=2))
    sweeps = (
        Sweep("drop", (1, 2), ("copy", "motion", "oracle")),
        Sweep("pair", (1, 2), ("copy", "oracle")),
    )
    outcome = run_plan(
        plan(COPY, MOTION, ORACLE, cells=cells, sweeps=sweeps), source(), tmp_path / "run"
    )
    found = [
        (row["variant"], row["interval"]["kind"], row["interval"]["tau"])
        for row in run_result(outcome)["summary"]
    ]
    assert found == [
        ("copy", "drop", 1),
        ("motion", "drop", 1),
        ("oracle", "drop", 1),
        ("copy", "drop", 2),
        ("copy", "pair", 1),
        ("oracle", "pair", 1),
        ("copy", "pair", 2),
    ]


def test_without_mapt_no_claim_is_measured(tmp_path):
    result = run_result(run_plan(plan(), source(), tmp_path / "run"))
    claimed = [claim["claimed"] for claim in result["claims"]]
    assert claimed == [0.6161, 0.5984, 0.6265, 0.0104, 0.0281]
    for claim in result["claims"]:
        assert claim["measured"] is None
        assert claim["difference"] is None
        assert "not measured" in claim["note"]


def test_undefined_scores_have_reasons(tmp_path):
    nobody = DrawnVideo([[], [], []], name="nobody")
    (row,) = run_result(run_plan(plan(COPY), source(nobody), tmp_path / "run"))["cells"]
    assert row["scores"]["TQ"] is None
    assert "track" in row["undefined"]["TQ"]


def test_two_runs_and_two_workers_give_the_same_bytes(tmp_path):
    results = [
        run_result(
            run_plan(plan(), source(*five_walks()), tmp_path / name, workers=Processes(jobs))
        )
        for name, jobs in (("first", 1), ("again", 1), ("two", 2))
    ]
    assert without_times(results[0]) == without_times(results[1]) == without_times(results[2])


def test_a_resumed_run_gives_the_same_bytes(tmp_path):
    whole = run_result(run_plan(plan(), source(), tmp_path / "run"))
    for path in sorted((tmp_path / "run" / "cells").glob("*/*.json"))[::2]:
        path.unlink()
    resumed = run_result(run_plan(plan(), source(), tmp_path / "run"))
    assert without_times(whole) == without_times(resumed)


def test_results_are_written_when_complete(tmp_path):
    told, totals = [], []

    def progress(schedule):
        totals.append(schedule.step_count + schedule.summary_steps)
        return nullcontext(told.append)

    result = run_experiment(plan(), source(), tmp_path / "run", progress=progress)
    assert json.loads((tmp_path / "run" / "results.json").read_text()) == result
    assert [sum(told)] == totals
    assert totals[0] > 6 + 2  # units and segments: the summary counts too


def test_a_failed_cell_leaves_the_complete_result_alone(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    run_experiment(plan(), source(), folder)
    complete = (folder / "results.json").read_bytes()
    for path in (folder / "cells").glob("*/0001-0.json"):
        path.unlink()

    def broken(*arguments, **options):
        raise ConfigError("is out of order")

    with monkeypatch.context() as patch:
        patch.setattr("mapt_bench.experiments.engine.unit_workers.run_unit", broken)
        with pytest.raises(ConfigError, match=r"3 of 3 cells failed.*sequence b: is out of order"):
            run_experiment(plan(), source(), folder)
    assert (folder / "results.json").read_bytes() == complete
    partial = json.loads((folder / "results.incomplete.json").read_text())
    assert [cell["status"] for cell in partial["cells"]] == ["failed"] * 3
    assert partial["cells"][0]["reason"] == "sequence b: is out of order"
    run_experiment(plan(), source(), folder)
    assert not (folder / "results.incomplete.json").exists()


def test_a_crashed_cell_is_a_crash(tmp_path, monkeypatch):
    def crash(*arguments, **options):
        raise ZeroDivisionError

    monkeypatch.setattr("mapt_bench.experiments.engine.unit_workers.run_unit", crash)
    with pytest.raises(RuntimeError, match="1 of 1 cells failed"):
        run_experiment(plan(COPY), source(), tmp_path / "run")


def test_the_ablation_on_one_sequence_of_the_world(tmp_path):
    tiny = suite_source("tiny", (SegmentSource(noise=MILD_NOISE),))
    one = replace(tiny, videos=tiny.videos[:1])
    result = run_experiment(ablation_plan(), one, tmp_path / "run")
    scores = {row["variant"]: row["scores"] for row in result["summary"]}
    references = {"unlinked", "oracle", "oracle:in-view"}
    assert len(scores) == len(references) + 14 + 4  # all with memory, four without it too
    for name in set(scores) - references:
        assert scores["unlinked"]["TQ"] < scores[name]["TQ"] <= scores["oracle"]["TQ"]
    assert max(row["TQ"] for row in scores.values()) - scores["copy"]["TQ"] > 0.05


GROUPS = {
    "a": {"half": "real-like", "kind": "street"},
    "b": {"half": "hard", "kind": "street", "displacement": "high"},
}


def test_groups_are_scored_by_themselves(tmp_path):
    result = run_experiment(plan(), source(groups=GROUPS), tmp_path / "run")
    entries = {(e["variant"], e["factor"], e["value"]): e for e in result["scores_by_group"]}
    # The cells of a factorial are too small to be test sets.
    assert {place[1:] for place in entries} == {
        *(("half", "real-like"), ("half", "hard"), ("kind", "street")),
        *(("half and kind", "real-like street"), ("half and kind", "hard street")),
    }
    cells = {cell["variant"]: cell for cell in result["cells"]}
    for variant, cell in cells.items():
        for name, half in (("a", "real-like"), ("b", "hard")):
            entry = entries[variant, "half", half]
            assert entry["n_sequences"] == 1
            assert entry["cell"] == cell["key"]
            assert entry["scores"]["PAT"] == cell["per_sequence"][name]["PAT"]
            assert "at least 5" in entry["intervals"]["PAT"]["reason"]
        assert entries[variant, "kind", "street"]["scores"] == cell["scores"]
        assert entries[variant, "kind", "street"]["intervals"] == {}


def test_groups_are_pooled_phase_by_phase(tmp_path):
    cells = (Cell(COPY, drop=2), Cell(ORACLE, drop=2))
    sweep = Sweep("drop", (2,), ("copy", "oracle"))
    of_all = {name: {"half": "hard"} for name in ("a", "b")}
    given = plan(COPY, ORACLE, cells=cells, sweeps=(sweep,))
    result = run_experiment(given, source(groups=of_all), tmp_path / "run")
    for entry, cell in zip(result["scores_by_group"], result["cells"], strict=True):
        assert entry["scores"] == cell["scores"]


def test_videos_without_groups_have_no_scores_of_groups(tmp_path):
    assert run_result(run_plan(plan(), source(), tmp_path / "run"))["scores_by_group"] == []


def computed_by(monkeypatch, **facts):
    """Let units be computed as if by another version or machine."""
    real = workers.provenance
    monkeypatch.setattr(workers, "provenance", lambda **given: {**real(**given), **facts})


def test_a_result_of_one_machine_says_so_once(tmp_path, monkeypatch):
    computed_by(monkeypatch, host="a", created="2031-01-01")
    result = run_result(run_plan(plan(), source(), tmp_path / "run"))
    stated = result["provenance"]
    assert (stated["host"], stated["created"]) == ("a", "2031-01-01")
    assert stated["packages"]["numpy"]
    assert "sets" not in stated
    again = run_result(run_plan(plan(), source(), tmp_path / "run"))
    assert json.dumps(again) == json.dumps(result)


def test_a_result_of_two_versions_and_machines_lists_both(tmp_path, monkeypatch):
    """The run is stopped and resumed elsewhere; the last process does not speak for the first."""
    old = {"host": "a", "mapt_bench": "0.0.9", "created": "2031-01-01"}
    new = {"host": "b", "mapt_bench": "0.1.0", "created": "2031-01-02"}
    given, folder = (plan(), source()), tmp_path / "run"
    with monkeypatch.context() as patch:
        computed_by(patch, **old)
        run_plan(*given, folder)
    for name in sorted(path.name for path in (folder / "cells").iterdir())[:1]:
        for unit in (folder / "cells" / name).iterdir():
            unit.unlink()  # 2 of 6 units, as if the run had been stopped before them
    with monkeypatch.context() as patch:
        computed_by(patch, **new)
        outcome = run_plan(*given, folder)
    assert outcome.computed == 2
    result = run_result(outcome)
    stated = result["provenance"]
    assert stated["sets"] == [
        {"units": 4, "mapt_bench": "0.0.9", "host": "a", "created": "2031-01-01"},
        {"units": 2, "mapt_bench": "0.1.0", "host": "b", "created": "2031-01-02"},
    ]
    assert (stated["host"], stated["mapt_bench"], stated["created"]) == (None, None, "2031-01-02")
    assert stated["device"] == "cpu"
    assert stated["seed"] == 0
    assert result["schema"] == "mapt-bench/run/1"


def test_shared_units_are_counted_once(tmp_path, monkeypatch):
    cells = (Cell(COPY), Cell(ORACLE), Cell(ORACLE, pair=2))
    sweeps = (Sweep("pair", (1, 2), ("copy", "oracle")),)
    given = plan(COPY, ORACLE, cells=cells, sweeps=sweeps)
    numbers = iter("abcdef")
    real = workers.provenance
    monkeypatch.setattr(workers, "provenance", lambda **g: {**real(**g), "host": next(numbers)})
    result = run_result(run_plan(given, source(), tmp_path / "run"))
    assert [each["units"] for each in result["provenance"]["sets"]] == [1, 1, 1, 1]


def test_a_unit_without_provenance_is_computed_again(tmp_path):
    run_plan(plan(), source(), tmp_path / "run")
    path = next((tmp_path / "run" / "cells").rglob("*.json"))
    unit = json.loads(path.read_text())
    assert {"host", "cpu", "packages", "device", "threads", "created"} <= unit["provenance"].keys()
    del unit["provenance"]
    path.write_text(json.dumps(unit))
    assert run_plan(plan(), source(), tmp_path / "run").computed == 1


def test_a_score_does_not_depend_on_the_other_variants(tmp_path):
    """ByteTrack drops the segments of low score, and with them a class that is nowhere true."""
    noise = SegmentNoise(missed=0.1, eroded=0.5, spurious=0.5)
    faulty = source(*five_walks(), segments=(SegmentSource(noise=noise),))
    bytetrack = Variant("bytetrack", "ByteTrack", "baseline", "bytetrack", memory=0)
    (alone,) = run_result(run_plan(plan(COPY), faulty, tmp_path / "alone"))["summary"]
    result = run_result(run_plan(plan(UNLINKED, COPY, bytetrack), faulty, tmp_path / "all"))
    _, copy, other = result["summary"]
    assert copy["scores"] == alone["scores"]
    assert copy["intervals"] == alone["intervals"]
    classes = {cell["variant"]: cell["classes"] for cell in result["cells"]}
    assert set(classes["bytetrack"]) < set(classes["copy"])
    found = other["differences"]
    assert found["classes"] == classes["copy"]
    assert f"over the {len(classes['copy'])} classes of either side" in found["note"]
    # One class more is averaged over, as 0.
    shrink = len(classes["bytetrack"]) / len(classes["copy"])
    quality, tracking = other["scores"]["PQ"] * shrink, other["scores"]["TQ"]
    assert found["scores"]["PAT"]["value"] == pytest.approx(
        2 * quality * tracking / (quality + tracking)
    )
    assert found["scores"]["PAT"]["reference_value"] == pytest.approx(copy["scores"]["PAT"])
    assert other["scores"]["PAT"] > found["scores"]["PAT"]["value"]
