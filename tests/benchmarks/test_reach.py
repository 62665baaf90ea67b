import importlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.reach_runs import (
    APPEARANCE,
    BOTH,
    CARRIED,
    HARD,
    MOTION,
    REALISTIC,
    difference,
    entry_of,
    rate,
    reaching_run,
    recovery_of,
    row_of,
    write_run,
)

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
LINES = [
    *("both heads", "cost of memory", "published trackers", "recovery", "propagation"),
    "association efficiency",
]


@pytest.fixture
def reached(monkeypatch, tmp_path):
    """The report on made-up results, as JSON."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    command = importlib.import_module("reach").main

    def report(*results, page=None, shift=(), target=None):
        folders = [write_run(tmp_path / f"seed{at}", each) for at, each in enumerate(results, 1)]
        wanted = [] if page is None else ["--page", str(page)]
        for at, each in enumerate(shift, 1):
            wanted += ["--shift", str(write_run(tmp_path / f"shift{at}", each))]
        wanted += [] if target is None else ["--target", target]
        done = CliRunner().invoke(command, [*map(str, folders), "--json", "-", *wanted])
        return json.loads(done.stdout) if done.exit_code == 0 else done

    return report


def states(report):
    return {line["name"]: line["state"] for line in report["lines"]}


def line(report, name):
    (found,) = [each for each in report["lines"] if each["name"] == name]
    return found


def notes(report, name):
    return " ".join(line(report, name)["table"]["footnotes"])


def test_three_seeds_that_reach_every_line(reached):
    report = reached(*map(reaching_run, (1, 2, 3)))
    assert states(report) == dict.fromkeys(LINES, "reached")
    assert report["notes"] == []
    assert [run["weights"] for run in report["runs"]] == ["hash1", "hash2", "hash3"]
    both = line(report, "both heads")["table"]
    gain = [pytest.approx(0.03), [0.01, 0.08]]
    assert both["rows"][0] == ["seed1", "motion alone", *gain, *gain, *gain]
    assert [row[0] for row in both["rows"]] == ["seed1", "seed2", "seed3", "mean"] * 2
    memory = line(report, "cost of memory")["table"]["rows"]
    assert [row[:2] for row in memory] == [
        [words, row]
        for words in ("own detections", "ground truth")
        for row in (BOTH, MOTION, APPEARANCE, CARRIED)
    ]
    assert memory[0][2:] == [pytest.approx(0.001), *[[-0.002, 0.004]] * 3]
    trackers = line(report, "published trackers")["table"]["rows"]
    assert trackers[0] == ["own detections", "SORT", pytest.approx(0.1), *[[0.01, 0.08]] * 3]
    assert len(trackers) == 2 * 5
    propagation = line(report, "propagation")["table"]["rows"][0]
    assert propagation == ["seed1", 0.58, 0.40, 0.55, 0.575, 0.60, pytest.approx(0.9)]
    assert "in ms per frame: motion head 2.0, copying 1.0" in notes(report, "propagation")
    efficiency = line(report, "association efficiency")["table"]["rows"][0]
    assert efficiency == [
        *("seed1", 0.48, 0.4, 0.5, pytest.approx(0.96), pytest.approx(0.8)),
        "pole 5.0, person 20.0, road 90.0",
    ]


def test_the_page_has_every_line_and_what_it_was_measured_with(reached, tmp_path):
    results = [reaching_run(1), reaching_run(2)]
    for each in results:
        _efficiency(each)
    page = tmp_path / "page.md"
    reached(*results, page=page)
    text = page.read_text()
    assert [row[4:].lower() for row in text.splitlines() if row.startswith("### ")] == [
        *LINES,
        "margin",
        "weights",
    ]
    assert "| seed1 | motion alone | +3.00 [1.00, 8.00] | +3.00 [1.00, 8.00] |" in text
    assert "**Not reached.**\n\n- PAT as a share of the oracle's is" in text
    assert text.count("**Reached.**") == 5
    assert "seed1 `hash1`, seed2 `hash2`" in text
    assert "2 training seeds: the targets are for 3" in text


def test_own_and_true_segments_stand_side_by_side(reached):
    other = reaching_run(2)
    entry_of(other, MOTION, "half", "hard")["scores"]["TQ"] = 0.59
    (found,) = reached(reaching_run(1), other)["margins"]
    rows = {row[0]: row[1:] for row in found["rows"]}
    assert found["columns"] == [
        "with memory",
        "TQ, detections",
        "AssA, detections",
        "TQ, ground truth",
        "AssA, ground truth",
    ]
    assert rows["MAPT motion"] == [pytest.approx(0.58), 0.57, 0.57, 0.57]
    assert rows["oracle, in view"] == [None] * 4


def shifted_run(seed):
    result = reaching_run(seed)
    result["provenance"]["data"] = {"name": "shift", "fingerprint": "of shift"}
    row_of(result, BOTH)["scores"]["PAT"] = 0.35
    return result


def test_another_domain_has_the_change_of_every_row(reached):
    report = reached(reaching_run(1), reaching_run(2), shift=[shifted_run(1), shifted_run(2)])
    _, found = report["margins"]
    assert found["columns"][:4] == ["with memory", "PAT, bench", "PAT, shift", "PAT change"]
    rows = {row[0]: row[1:4] for row in found["rows"]}
    assert rows["MAPT both"] == [0.6, 0.35, pytest.approx(-0.25)]
    assert rows["copying"] == [0.4, 0.4, 0.0]
    assert rows["oracle, in view"] == [None] * 3


def test_another_domain_must_be_of_the_same_weights(reached):
    done = reached(reaching_run(1), shift=[shifted_run(2)])
    assert done.exit_code == 3
    assert "other weights than those of bench" in done.stderr


def test_one_target_alone(reached):
    report = reached(reaching_run(), target="recovery")
    assert ([each["name"] for each in report["lines"]], report["margins"]) == (["recovery"], [])


def test_a_target_that_does_not_exist(reached):
    done = reached(reaching_run(), target="recover")
    assert done.exit_code == 2
    assert "there is no target 'recover'; did you mean 'recovery'" in done.stderr


def _association(result):
    row_of(result, APPEARANCE)["differences"]["scores"]["AssA"] = difference(-0.08, 0.002)


def _hard(result):
    entry_of(result, MOTION, *HARD)["scores"]["TQ"] = 0.59


def _memory(result):
    effect = row_of(result, MOTION, "groundtruth")["memory_effect"]["scores"]
    effect["PAT"] = difference(-0.0012, 0.0004)
    effect["PAT"]["difference"] = -0.0015


def _memory_interval(result):
    row_of(result, BOTH)["memory_effect"]["scores"]["PAT"] = difference(-0.0006, -0.0002)


def _tracker(result):
    row_of(result, "oc-sort+memory", "groundtruth")["scores"]["PAT"] = 0.61


def _precision(result):
    recovery_of(result, BOTH)["returns"] = rate(0.75)


def _share(result):
    recovery_of(result, BOTH)["recovered"] = rate(0.45)


def _captured(result):
    row_of(result, "flow:exact+memory")["scores"]["TQ"] = 0.8


def _rival(result):
    row_of(result, "flow:dis+memory")["scores"]["TQ"] = 0.59


def _efficiency(result):
    entry_of(result, "oracle", *REALISTIC)["scores"]["PAT"] = 0.52


def _copying(result):
    entry_of(result, "copy+memory", *REALISTIC)["scores"]["PAT"] = 0.46


@pytest.mark.parametrize(
    ("spoil", "name", "reason"),
    [
        (
            _association,
            LINES[0],
            "seed1: AssA over appearance alone has the confidence interval [-0.20, 8.00]",
        ),
        (_hard, LINES[0], "seed1: TQ over motion alone on the hard split is 1.00, below 2.00"),
        (_memory, LINES[1], "mapt:motion+memory on ground truth: PAT with memory minus without is"),
        (_memory_interval, LINES[1], "has the confidence interval [-0.06, -0.02]"),
        (
            _tracker,
            LINES[2],
            "seed1: PAT over OC-SORT on ground truth is -1.00, not above the 0.00",
        ),
        (_precision, LINES[3], "the precision is 75.00, below 80.00"),
        (_share, LINES[3], "the share recovered is 45.00, below 50.00"),
        (_captured, LINES[4], "the share captured is 45.00, below 50.00"),
        (_rival, LINES[4], "TQ of the motion head is 58.00, not above the 59.00 of DIS"),
        (_efficiency, LINES[5], "PAT as a share of the oracle's is 92.31, below 95.00"),
        (_copying, LINES[5], "copying: PAT as a share of the oracle's is 92.00, above 90.00"),
    ],
)
def test_each_line_can_be_missed_alone(reached, spoil, name, reason):
    result = reaching_run()
    spoil(result)
    report = reached(result)
    assert states(report) == {**dict.fromkeys(LINES, "reached"), name: "not reached"}
    assert any(reason in each for each in line(report, name)["reasons"])


def test_intervals_are_asked_of_every_seed_and_bounds_of_the_mean(reached):
    weak = reaching_run(2)
    _association(weak)
    _share(weak)
    report = reached(reaching_run(1), weak, reaching_run(3))
    assert states(report)["both heads"] == "not reached"
    assert states(report)["recovery"] == "reached"
    assert "the share recovered is below 50 in seed2" in notes(report, "recovery")
    assert line(report, "recovery")["table"]["rows"][3][2] == pytest.approx(0.55)


def test_too_few_sequences_leave_it_open(reached):
    result = reaching_run()
    interval = {"n": 2, "reason": "2 sequences; an interval needs at least 5"}
    row_of(result, MOTION)["differences"]["scores"]["PAT"]["interval"] = interval
    report = reached(result)
    assert states(report)["both heads"] == "undefined"
    assert "2 sequences" in line(report, "both heads")["reasons"][0]
    assert line(report, "both heads")["table"]["rows"][0][2] == pytest.approx(0.03)


def test_what_fails_decides_whatever_is_not_known_beside_it(reached):
    result = reaching_run()
    scores = row_of(result, MOTION)["differences"]["scores"]
    scores["PAT"]["interval"] = {"n": 2, "reason": "2 sequences"}
    scores["AssA"] = difference(-0.01, 0.01)
    assert states(reached(result))["both heads"] == "not reached"


def test_rows_that_run_only_with_memory_leave_its_cost_open(reached):
    result = reaching_run()
    row_of(result, CARRIED)["memory_effect"] = None
    report = reached(result)
    assert states(report)["cost of memory"] == "undefined"
    assert "add --without-memory" in line(report, "cost of memory")["reasons"][0]


def test_a_row_that_was_not_run_is_named(reached):
    result = reaching_run()
    missing = "flow:flownet2-narrow+memory"
    result["summary"] = [row for row in result["summary"] if row["variant"] != missing]
    report = reached(result)
    assert line(report, "propagation")["state"] == "undefined"
    assert line(report, "propagation")["reasons"] == [f"seed1 has no row {missing}"]


def test_nobody_who_returns_is_no_precision(reached):
    result = reaching_run()
    recovery_of(result, BOTH)["returns"] = rate(0.0, n=0)
    report = reached(result)
    assert line(report, "recovery")["state"] == "undefined"
    assert "returns no identity" in line(report, "recovery")["reasons"][0]


def test_a_true_flow_that_gains_nothing_leaves_no_share(reached):
    result = reaching_run()
    row_of(result, "flow:exact+memory")["scores"]["TQ"] = 0.4
    report = reached(result)
    (reason,) = line(report, "propagation")["reasons"]
    assert "the ground-truth flow gains nothing over copying" in reason
    assert line(report, "propagation")["state"] == "undefined"


def test_videos_without_halves(reached):
    report = reached(reaching_run(scores_by_group=[], recoveries=[]))
    open_lines = {"both heads", "recovery", "association efficiency"}
    assert {name for name, state in states(report).items() if state == "undefined"} == open_lines
    assert "run it on a suite with both splits" in line(report, "both heads")["reasons"][0]


def test_a_trial_says_that_it_is_one(reached):
    result = reaching_run()
    result["provenance"]["data"]["name"] = "tiny"
    first, second = reached(result)["notes"]
    assert "suite tiny" in first
    assert "1 training seed" in second


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"experiment": "sweep-interval"}, "expected mapt-bench/run/1 ablate"),
        ({"provenance": {"data": {"name": "b", "fingerprint": "x"}}}, "run mapt-bench ablate"),
    ],
)
def test_what_is_no_ablation_of_mapt_is_refused(reached, change, message):
    done = reached(reaching_run(**change))
    assert done.exit_code == 3
    assert message in done.stderr


def test_seeds_must_be_of_one_suite_and_different(reached):
    done = reached(reaching_run(1), reaching_run(1))
    assert done.exit_code == 3
    assert "seed2 and seed1 are of the same weights" in done.stderr


def test_runs_of_other_videos_are_refused(reached):
    other = reaching_run(2)
    other["provenance"]["data"]["fingerprint"] = "another"
    done = reached(reaching_run(1), other)
    assert done.exit_code == 3
    assert "give runs of one suite" in done.stderr


def test_a_folder_without_a_result(reached, tmp_path):
    command = importlib.import_module("reach").main
    done = CliRunner().invoke(command, [str(tmp_path / "none")])
    assert done.exit_code == 3
    assert "finished run of mapt-bench ablate" in done.stderr


def test_tables_for_people(reached, tmp_path):
    folder = write_run(tmp_path / "run", reaching_run())
    command = importlib.import_module("reach").main
    done = CliRunner().invoke(command, [str(folder), "--json", str(tmp_path / "reach.json")])
    assert done.exit_code == 0
    assert done.stdout.count("\nREACHED\n") == len(LINES)
    assert "note: 1 training seed" in done.stdout
    written = json.loads((tmp_path / "reach.json").read_text(encoding="utf-8"))
    assert states(written) == dict.fromkeys(LINES, "reached")
