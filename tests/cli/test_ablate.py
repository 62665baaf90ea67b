import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.commands import enter_two_walks, examples_of
from helpers.maps import shared_folder
from helpers.raft_files import write_raft_small

from mapt_bench.cli import main
from mapt_bench.errors import DataError
from mapt_bench.experiments import AblationConfig, Replay
from mapt_bench.metrics import SequenceScorer
from mapt_bench.metrics.link_events import pack_rows

SHORT = ("--data", "DATA", "--weights", "none", "--only", "copy", "--no-report", "--out", "run")

REFERENCES = {"unlinked", "oracle", "oracle:in-view"}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with maps alone: trackers that need images cannot run. No weights ship."""
    enter_two_walks(monkeypatch, tmp_path, frames=5)
    (tmp_path / "bad.txt").write_text("hello world")
    return tmp_path


def invoke(*words):
    return CliRunner().invoke(main, ["ablate", *words])


def test_table_files_and_exit_code(here):
    result = invoke("--data", "DATA", "--out", "runs/mine")
    assert result.exit_code == 0, result.stderr
    for words in (
        "bytetrack+memory",
        "oracle",
        "── ground-truth segments",
    ):
        assert words in result.stdout
    conditions = "Memory in frames: 0, 10 in rows named +memory. Pairing interval: 1."
    folder = here / "runs" / "mine" / "tables"
    page = (folder / "tables.md").read_text()
    titles = [line for line in page.splitlines() if line.startswith("**") and "Not run" not in line]
    thresholds = "Thresholds: tuned."
    assert page.count(f"{thresholds} {conditions}") == len(titles) >= 2
    assert "needs images, and the data have none" in " ".join(result.stdout.split())
    lines = result.stdout.splitlines()
    place = "Run folder: runs/mine (results.json, tables, plots, report.html)."
    assert " ".join(lines).endswith(place)
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
    assert result.stderr == ""
    written = {path.name for path in (here / "runs" / "mine").iterdir()}
    assert {"results.json", "run.json", "tables"} <= written
    assert "pat_stq.png" in written
    for table in ("scores.csv", "tables.tex", "tables.md"):
        assert "bytetrack" in (folder / table).read_text()
    assert (folder / "scores.csv").read_text().startswith("segments,variant,PAT (%),")


def test_json_holds_the_whole_result_and_nothing_else(here):
    result = invoke("--data", "DATA", "--out", "run", "--json", "-")
    assert result.exit_code == 0
    data = json.loads(result.stdout)
    assert data["schema"] == "mapt-bench/run/1"
    assert data == json.loads((here / "run" / "results.json").read_text())
    skipped = {entry["tracker"] for entry in data["skipped"]}
    assert {"motion", "appearance", "both", "both+memory", "both:simultaneous+memory"} <= skipped
    reasons = {entry["tracker"]: entry["reason"] for entry in data["skipped"]}
    for network in ("flow:flownet2-narrow", "flow:raft-small", "flow:raft-large", "flow:flownet2"):
        assert reasons[network] == f"needs weights; give --flow-weights {network}=FILE"
    assert {cell["variant"] for cell in data["cells"]} >= {"copy", "iou+memory", "oracle"}


def test_the_thresholds_of_each_row_are_told_and_may_be_the_published_ones(here, monkeypatch):
    tuned = {"sort": (("sort_iou_threshold", 0.2),)}
    monkeypatch.setattr("mapt_bench.baselines.thresholds.tuned_thresholds", lambda: tuned)
    told = []
    for name, words in (("tuned", ()), ("published", ("--thresholds", "published"))):
        invoke("--data", "DATA", "--out", name, *words)
        rows = json.loads((here / name / "results.json").read_text())["summary"]
        told.append({row["variant"]: row["settings"] for row in rows})
    assert told[0]["sort+memory"] == {"sort_iou_threshold": 0.2}
    assert told[0]["iou+memory"] == told[1]["sort+memory"] == {}


@pytest.mark.parametrize("is_named", [True, False])
def test_ctrl_c_names_the_run_and_the_command_that_resumes_it(here, monkeypatch, is_named):
    def stopped(*words, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("mapt_bench.experiments.running.run_plan", stopped)
    result = invoke("--data", "DATA", *(("--out", "my run") if is_named else ()))
    assert result.exit_code == 130
    folder = "'my run'" if is_named else r"runs/ablate-[-\d]+"
    command = f"mapt-bench ablate --data DATA --out {folder}"
    assert re.search(rf"stopped; .* kept in .*; to resume: {command}\n$", result.stderr)


def test_the_default_folder_is_named_after_the_command(here):
    assert invoke("--data", "DATA").exit_code == 0
    (folder,) = (here / "runs").iterdir()
    assert folder.name.startswith("ablate-20")
    assert (folder / "report.html").is_file()


def test_a_finished_run_is_replayed_with_equal_maps(here):
    assert invoke("--data", "DATA", "--out", "run", "--no-report").exit_code == 0
    run = json.loads((here / "run" / "results.json").read_text())
    replay = Replay(AblationConfig(data=Path("DATA"), out=Path("run")))
    (cell,) = [row["cell"] for row in run["summary"] if row["variant"] == "sort+memory"]
    for file in sorted((here / "run" / "cells" / cell).iterdir()):
        unit = json.loads(file.read_text())
        video, maps = replay(cell, unit["sequence"], unit["frames"])
        scorer = SequenceScorer(video.info.labels)
        for index, panoptic in enumerate(maps):
            scorer.update(video.truth(index), panoptic)
        assert pack_rows(scorer.overlap().rows()) == unit["tables"]
    assert len(replay(cell, unit["sequence"], 2)[1]) == 2
    with pytest.raises(DataError, match="code, data or weights have changed since"):
        replay("0" * 16, unit["sequence"], 2)


def test_the_report_can_be_omitted(here):
    outcome = invoke("--data", "DATA", "--out", "run", "--no-report")
    assert outcome.exit_code == 0, outcome.stderr
    assert not (here / "run" / "report.html").exists()
    assert "report.html" not in outcome.stdout


def test_saved_predictions_are_linked(here):
    result = invoke(
        "--data", "DATA", "--segments", "PREDICTIONS", "--out", "run", "--json", "x.json"
    )
    assert result.exit_code == 0
    data = json.loads((here / "x.json").read_text())
    assert data["protocol"]["segments"] == "saved predictions of PREDICTIONS"
    assert data["summary"][-1]["scores"]["PAT"] == 1  # the predictions are the truth


def test_a_run_of_other_data_is_not_overwritten(here):
    assert invoke("--data", "DATA", "--out", "run").exit_code == 0
    before = (here / "run" / "results.json").read_bytes()
    result = invoke("--data", "DATA", "--segments", "noisy", "--out", "run", "--json", "-")
    assert result.exit_code == 2
    error = json.loads(result.stdout)["error"]
    assert error["kind"] == "config"
    assert "differs in data (segments groundtruth: there " in error["message"]
    assert error["where"] == "run"
    assert (here / "run" / "results.json").read_bytes() == before
    result = invoke("--data", "DATA", "--memory", "3", "--out", "run")
    assert result.exit_code == 2
    assert "differs in rows" in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--memory", "0"), 2, "memory is 0"),
        (("--seed", "-1"), 2, "--seed is -1"),
        (("--seed", "9" * 23), 2, "expected 0 or more, below 2**63"),
        (("--seed", str(2**63)), 2, "expected 0 or more, below 2**63"),
        (("--data", "DATA", "-j", "0"), 2, "-j is 0; expected 1 worker process"),
        (("--dataset", "kitti-step"), 2, "give --data too"),
        (("--suite", "tiny", "--segments", "PREDICTIONS"), 3, "has no segments for sequence 'tiny"),
        (("--segments", "noisy,groundtruth,noisy"), 2, "has the same value twice"),
        (("--data", "DATA", "--segments", "PREDICTIONS,DATA"), 2, "link one folder of saved"),
        (("--segments", "mapt"), 2, "needs weights of MAPT, and there are none; give"),
        (
            ("--weights", "none", "--segments", "groundtruth,mapt"),
            2,
            "needs weights of MAPT, and there are none",
        ),
        (("--weights", "mapt-tinny"), 2, "mapt-tinny"),
        (("--weights", "nowhere.safetensors"), 3, "nowhere.safetensors"),
        (("--segments", "nowhere.pth"), 3, "nowhere.pth: there is no such weights file"),
        (("--weights", "bad.txt"), 3, "is not a weights file; expected a .safetensors file, or"),
        (("--switch", "no-gat"), 2, "did you mean 'no-gate'"),
        (("--switch", "no-gate"), 2, "removes a component of MAPT, and there is none"),
        (("--trained", "mine=a.safetensors"), 2, "--trained compares with the complete MAPT"),
        (("--data", "nowhere"), 3, "does not exist"),
        (("--data", "DATA", "--segments", "nowhere"), 2, "unknown segments, and no folder"),
        (("--data", "DATA", "--segments", "./no/where"), 3, "no folder of predictions"),
        (("--reference", "sort+memory=-1"), 2, "there is no row 'sort+memory=-1'"),
        (
            ("--thresholds", "chosen"),
            2,
            "'chosen' is neither a name nor a file",
        ),
        (("--data", "DATA", "--dataset", "kiti-step"), 2, "did you mean 'kitti-step'"),
        (("--data", "DATA", "--encoding", "kitti"), 2, "kitti-step"),
        (("--data", "DATA", "--out", "PREDICTIONS"), 2, "other files and no run"),
        (("--memory", "many"), 2, "many"),
        (("--flow-weights", "raft.pth"), 2, "'raft.pth'; expected NAME=FILE"),
        (("--flow-weights", "flow:raft-small="), 2, "expected NAME=FILE"),
        (("--flow-weights", "flow:raft=x"), 2, "did you mean 'flow:raft-"),
        (("--flow-weights", "flow:dis=x"), 2, "flow:dis has no network"),
        (("--flow-weights", "flow:flownet2=x", "--flow-weights", "flow:flownet2=y"), 2, "twice"),
        (("--flow-weights", "flow:flownet2=nowhere.pth"), 3, "no such weights file"),
    ],
)
def test_wrong_use_is_told_and_leaves_nothing(here, words, code, message):
    result = invoke(*words, *(() if "--out" in words else ("--out", "run")))
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""
    assert not (here / "run").exists() or not list((here / "run").iterdir())


def test_weights_go_to_the_network_they_are_given_to(here):
    write_raft_small(here / "raft=0.pth")
    words = ("--data", "DATA", "--flow-weights", "flow:raft-small=raft=0.pth")
    result = invoke(*words, "--out", "run", "--json", "-")
    assert result.exit_code == 0, result.stderr
    data = json.loads(result.stdout)
    # These data have no images: the rows are known, but not run.
    reasons = {entry["tracker"]: entry["reason"] for entry in data["skipped"]}
    assert reasons["flow:raft-small+appearance+memory"] == "needs images, and the data have none"
    assert "needs weights" in reasons["flow:raft-large"]
    assert data["provenance"]["weights"] == {}


@pytest.fixture
def refused(monkeypatch):
    """Let no suite be drawn; what was asked for is noted."""
    asked = []

    def refuse(name, segments, maps):
        asked.append((name, [each.name for each in segments]))
        raise DataError("no suite is drawn in this test")

    monkeypatch.setattr("mapt_bench.experiments.planning.suite_source", refuse)
    return asked


def test_without_weights_the_rows_that_need_none_run(here, mapt_files):
    mapt = str(mapt_files / "mapt-tiny.safetensors")
    found = []
    for out, words in (("asked", ("--weights", "none")), ("empty", ())):
        result = invoke("--data", "DATA", *words, "--out", out, "--json", "-")
        assert result.exit_code == 0, result.stderr
        found.append([row["variant"] for row in json.loads(result.stdout)["summary"]])
    assert found[0] == found[1]
    assert found[0][0] == "unlinked"
    assert not any("mapt" in variant for variant in found[0])
    # With weights MAPT has rows, which on maps alone cannot run.
    result = invoke("--data", "DATA", "--weights", mapt, "--out", "mapt", "--json", "-")
    assert result.exit_code == 0, result.stderr
    reasons = {each["tracker"]: each["reason"] for each in json.loads(result.stdout)["skipped"]}
    for row in ("mapt", "mapt:motion+memory", "flow:dis+mapt+memory", "mapt:simultaneous+memory"):
        assert reasons[row] == "needs images, and the data have none"


def test_suites_are_linked_as_mapt_finds_them_and_as_they_are(here, mapt_files, refused):
    mapt = ("--weights", str(mapt_files / "mapt-tiny.safetensors"))
    assert invoke("--out", "run").exit_code == 3
    assert invoke(*mapt, "--out", "run").exit_code == 3
    assert invoke(*mapt, "--segments", "groundtruth,noisy", "--suite", "tiny").exit_code == 3
    apart = f"mine={mapt_files / 'no-motion.safetensors'}"
    assert invoke(*mapt, "--trained", apart, "--suite", "tiny").exit_code == 3
    assert refused == [
        ("quick", ["noisy", "groundtruth"]),
        ("quick", ["mapt-tiny", "groundtruth"]),
        ("tiny", ["groundtruth", "noisy"]),
        ("tiny", ["mapt-tiny", "groundtruth", "mine"]),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--trained", "mine={no-motion}", "--trained", "mine={mapt-tiny}"),
            "weights of mine twice",
        ),
        (
            ("--trained", "mapt-tiny={no-motion}"),
            "has a network twice, or the network of --weights",
        ),
        (("--trained", "{no-motion}"), "expected NAME=FILE"),
        (("--trained", "groundtruth={no-motion}"), "need distinct names"),
        (("--switch", "clear_overlp=0.2"), "clear_overlap"),
        (("--switch", "memory=3"), "memory is no setting; write it as NAME+memory=N"),
    ],
)
def test_wrong_networks_are_told(here, mapt_files, words, message):
    files = {name: mapt_files / f"{name}.safetensors" for name in ("mapt-tiny", "no-motion")}
    given = [word.format(**files) for word in words]
    mapt = str(files["mapt-tiny"])
    result = invoke("--data", "DATA", "--weights", mapt, *given, "--out", "run")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (here / "run").exists()


def test_half_a_mapt_is_told_to_go_elsewhere(here, mapt_files):
    half = str(mapt_files / "no-motion.safetensors")
    result = invoke("--data", "DATA", "--weights", half, "--out", "run")
    assert result.exit_code == 2
    assert "no-motion lack a head" in result.stderr


def test_true_and_saved_segments_are_linked_in_one_run(here):
    words = ("--data", "DATA", "--segments", "groundtruth,PREDICTIONS")
    result = invoke(*words, "--out", "run", "--json", "-")
    assert result.exit_code == 0, result.stderr
    data = json.loads(result.stdout)
    assert {row["segments"] for row in data["summary"]} == {"groundtruth", "saved"}
    assert (here / "run" / "segments" / "saved").is_dir()
    assert data["protocol"]["segments_by_name"]["saved"] == "saved predictions of PREDICTIONS"
    assert {path.name for path in (here / "run").glob("*.svg")} == {
        *("pat_stq.svg", "pat_stq_saved.svg"),
    }


def test_wrong_weights_are_told_in_json(here):
    result = invoke("--flow-weights", "flow:raft=x", "--json", "-")
    assert json.loads(result.stdout)["error"]["kind"] == "config"


def test_help_ends_with_examples(here):
    examples = examples_of("ablate")
    assert len(examples) == 5
    # The first takes a whole suite, of which test_results.py runs a part; the second runs here.
    assert examples[0] == ["-j", "2"]
    found = invoke(*examples[1])
    assert found.exit_code == 0, found.stderr
    assert json.loads(found.stdout)["experiment"] == "ablate"


@pytest.mark.parametrize("segments", ["groundtruth", "predictions_espnet"])
def test_on_real_frames_linking_beats_unlinked_and_nothing_beats_the_oracle(tmp_path, segments):
    data = shared_folder("data", "kitti_step_0001")
    chosen = segments if segments == "groundtruth" else str(data / segments)
    result = invoke(
        *("--data", str(data), "--segments", chosen, "--weights", "none"),
        *("--flow-weights", "flow:flownet2-narrow"),
        *("--out", str(tmp_path / "run"), "--json", "-"),
    )
    assert result.exit_code == 0, result.stderr
    rows = {row["variant"]: row["scores"] for row in json.loads(result.stdout)["summary"]}
    assert len(rows) == len(REFERENCES) + 14 + 4  # all with memory, four without it too
    # On detections the oracle is an empirical bound: TQ and AQ reward opposite treatment of
    # segments of a low IoU. Deep OC-SORT passes it by 0.7 points of AssA.
    above = 0 if segments == "groundtruth" else 0.01
    for name in set(rows) - REFERENCES:
        for score in ("PAT", "TQ", "STQ", "AQ", "HOTA", "AssA", "IDF1"):
            most = rows["oracle"][score] + above
            assert rows["unlinked"][score] < rows[name][score] <= most, (name, score)
        assert rows["oracle"]["IDSW"] <= rows[name]["IDSW"] < rows["unlinked"]["IDSW"]


@pytest.mark.parametrize("content", [b"\x80\x81", b"\xff\xfe\x00"])
def test_a_damaged_plan_of_a_finished_run_is_written_again(here, at_once, content):
    assert invoke(*SHORT).exit_code == 0
    path = here / "run" / "plan.yaml"
    text = path.read_text()
    path.write_bytes(content)
    result = invoke(*SHORT)
    assert result.exit_code == 0, result.stderr
    assert path.read_text() == text


def test_a_named_pipe_in_place_of_a_plan_is_not_waited_for(here, at_once):
    assert invoke(*SHORT).exit_code == 0
    path = here / "run" / "plan.yaml"
    path.unlink()
    os.mkfifo(path)
    result = invoke(*SHORT)
    assert result.exit_code == 3
    assert "plan.yaml: cannot be written (it is a named pipe); move it away" in result.stderr


CANCELLED = """
import asyncio

class Cancelled:
    needs_images = False
    def start(self, info): pass
    def associate(self, frame, segments):
        raise asyncio.CancelledError("late")
"""


def test_what_is_no_exception_is_a_failure_of_its_row_in_workers_too(here):
    (here / "own_cancelled.py").write_text(CANCELLED)
    words = "--data DATA --only copy --add own_cancelled:Cancelled -j 2 --no-report --out run"
    result = invoke(*words.split(), "--json", "-")
    assert result.exit_code == 3, result.output
    told = json.loads(result.stdout)["error"]
    assert told["kind"] == "tracker"
    assert "tracker own_cancelled:Cancelled failed: CancelledError: late (" in told["message"]
