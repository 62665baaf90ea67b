import json

import pytest
from click.testing import CliRunner
from helpers.commands import examples_of, write_two_walks
from helpers.maps import shared_folder

from mapt_bench.cli import main
from mapt_bench.errors import DataError
from mapt_bench.experiments import SegmentSource

PICTURES = {
    f"{name}{suffix}" for name in ("stress_levels", "stress_links") for suffix in (".png", ".svg")
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with maps alone, of which trackers that read images are skipped."""
    monkeypatch.chdir(tmp_path)
    write_two_walks(tmp_path, frames=12)
    return tmp_path


def invoke(*words):
    return CliRunner().invoke(main, ["stress", *words])


def test_tables_pictures_and_exit_code(here):
    words = ("--stressor", "bars", "--levels", "1,2", "--out", "run")
    result = invoke("occlusion", "--data", "DATA", *words, "--full")
    assert result.exit_code == 0, result.stderr
    for expected in (
        "bars: PAT, TQ and STQ by level",
        "are void. STQ penalises void",
        "1: 10, 2: 25 % of the things' area",
        "Association accuracy by visible fraction",
        "Association accuracy by occlusion gap in frames",
        "needs images, and the data have none",
        "Run folder: run",
    ):
        assert expected in result.stdout
    written = {path.name for path in (here / "run").iterdir()}
    assert {"results.json", "run.json", "tables", *PICTURES} <= written


def test_what_is_too_short_is_told_before_the_run_and_in_its_result(here):
    words = ("--stressor", "passing", "--levels", "1,5", "--out", "run")
    result = invoke("occlusion", "--data", "DATA", *words)
    assert result.exit_code == 0, result.stderr
    reason = "passing at level 5 needs 23 frames, the sequence has 12"
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("not run: ")]
    assert reason in line
    assert reason in " ".join(result.stdout.split())  # lines are wrapped


def test_motion_draws_its_break_points(here):
    words = ("--data", "DATA", "--stressor", "drop", "--levels", "1", "--out", "run")
    result = invoke("motion", *words, "--json", "-")
    assert result.exit_code == 0, result.stderr
    data = json.loads(result.stdout)
    assert data["schema"] == "mapt-bench/run/1"
    assert data["experiment"] == "stress-motion"
    assert data == json.loads((here / "run" / "results.json").read_text())
    assert (here / "run" / "stress_break.png").exists()


def test_saved_predictions_are_linked_under_dropped_frames_alone(here):
    words = ("motion", "--data", "DATA", "--segments", "PREDICTIONS", "--levels", "1")
    dropped = invoke(*words, "--stressor", "drop", "--out", "run", "--json", "-")
    assert dropped.exit_code == 0, dropped.stderr
    rows = json.loads(dropped.stdout)["summary"]
    assert {row["stress"]["level"] for row in rows} == {0, 1}
    shaken = invoke(*words, "--stressor", "shake", "--out", "other")
    assert shaken.exit_code == 2
    assert "saved predictions do not fit the stressor 'shake'" in shaken.stderr
    assert "--stressor drop" in shaken.stderr
    assert not (here / "other").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("oclusion",), "did you mean 'occlusion'"),
        (("occlusion", "--stressor", "bar"), "did you mean 'bars'"),
        (("occlusion", "--levels", "0"), "1 (mild) to 5"),
        (("occlusion", "--levels", "6"), "1 (mild) to 5"),
        (("occlusion", "--levels", "one"), "--levels is 'one'"),
        (("occlusion", "--memory", "0"), "memory is 0"),
        (("occlusion", "--seed", "-1"), "-1"),
        (("occlusion", "-j", "0", "--data", "DATA"), "-j is 0; expected 1 worker process"),
        ((), "occlusion|motion|similarity|image|failures"),
        (("failures", "--stressor", "sped"), "did you mean 'speed'"),
        (("occlusion", "--segments", "mapt", "--weights", "none"), "groundtruth or noisy"),
        (("occlusion", "--segments", "noisy,noisy"), "has the same value twice"),
        (("occlusion", "--add", "bot"), "did you mean 'both'"),
    ],
)
def test_wrong_use_is_told_and_leaves_nothing(here, words, message):
    result = invoke(*words, "--out", "run")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (here / "run").exists()


def test_what_no_data_can_bear_is_unusable_data(here):
    result = invoke("image", "--data", "DATA", "--stressor", "noise", "--out", "run", "--json", "-")
    # Without images nothing is changed, and level 0 alone is no stress test.
    assert result.exit_code == 3
    assert "changes only images" in json.loads(result.stdout)["error"]["message"]


def test_the_suite_of_its_own_is_the_default(monkeypatch):
    asked = []

    def refuse(name, segments, maps):
        asked.append((name, list(segments)))
        raise DataError("no suite is drawn in this test")

    monkeypatch.setattr("mapt_bench.experiments.planning.suite_source", refuse)
    assert invoke("motion").exit_code == 3
    assert invoke("motion", "--suite", "tiny").exit_code == 3
    assert asked == [("stress", [SegmentSource()]), ("tiny", [SegmentSource()])]  # true segments


def test_help_ends_with_examples(here):
    examples = examples_of("stress")
    assert [words[0] for words in examples] == ["occlusion", "motion", "failures", "occlusion"]
    # The first takes minutes; the second runs here.
    found = invoke(*examples[1])
    assert found.exit_code == 0, found.stderr
    assert json.loads(found.stdout)["experiment"] == "stress-motion"


def test_on_real_frames_what_hides_is_void_and_nothing_beats_the_oracle(tmp_path):
    data = shared_folder("data", "kitti_step_0001")
    words = ("--data", str(data), "--weights", "none", "--levels", "3")
    result = invoke(
        "occlusion", *words, "--stressor", "bars", "--out", str(tmp_path / "run"), "--json", "-"
    )
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["stressors"][0]["occluder"] == "void"
    rows = {(row["variant"], row["stress"]["level"]): row["scores"] for row in found["summary"]}
    for (variant, level), scores in rows.items():
        for score in ("PAT", "TQ", "STQ", "AQ"):
            assert scores[score] <= rows["oracle", level][score], (variant, level, score)
    assert rows["oracle", 3]["PAT"] == pytest.approx(1)
    # No level of void is without links whose visible fraction was measured.
    (bins,) = [entry["bins"] for entry in found["visibility"] if entry["variant"] == "oracle"]
    assert sum(rate["n"] for rate in bins) > 0
    assert all(rate["interval"]["n"] == 1 for rate in bins)


def test_failures_have_one_table_for_each_source_of_segments(here):
    words = ("--data", "DATA", "--weights", "none", "--segments", "groundtruth,noisy")
    given = (*words, "--stressor", "bars", "--stressor", "drop", "--levels", "1", "--out", "run")
    result = invoke("failures", *given)
    assert result.exit_code == 0, result.stderr
    for title in ("PAT", "IDSW", "Frag", "Identities recovered"):
        assert result.stdout.count(f"{title} by failure signature, ") == 2
    assert "Break points" not in result.stdout
    found = json.loads((here / "run" / "results.json").read_text())
    assert found["experiment"] == "stress-failures"
    assert {row["segments"] for row in found["summary"]} == {"groundtruth", "noisy"}
    assert {entry["segments"] for entry in found["recoveries"]} == {"groundtruth", "noisy"}
    assert (here / "run" / "stress_levels_noisy.png").exists()
    oracle = [row for row in found["summary"] if row["variant"] == "oracle"]
    assert all(row["recovered"]["hits"] == row["recovered"]["n"] for row in oracle)
