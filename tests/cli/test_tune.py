import json

import pytest
import yaml
from click.testing import CliRunner
from helpers.commands import enter_two_walks, examples_of
from helpers.tensorboard_logs import read_copy

from mapt_bench.cli import main
from mapt_bench.cli.tune import command
from mapt_bench.tuning.tuning_config import TuningConfig

GIVEN = ("--data", "DATA", "--split", "val", "--score", "TQ", "--trials", "3")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with maps alone: trackers that need images cannot run. No weights ship."""
    enter_two_walks(monkeypatch, tmp_path, frames=5)
    return tmp_path


def invoke(name, *words):
    return CliRunner().invoke(main, [name, *words])


def test_the_default_is_every_tracker_of_the_ablation_in_a_short_table(here):
    outcome = invoke("tune", *GIVEN, "--out", "runs/mine", "--sampler", "random")
    assert outcome.exit_code == 0, outcome.stderr
    lines = outcome.stdout.splitlines()
    assert lines[0] == "TQ on DATA, split val, segments groundtruth"
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
    for name in ("copy", "iou", "sort", "bytetrack"):
        (row,) = [line for line in lines if line.split()[:1] == [name]]
        assert row.split()[1] == "3"
    assert "Not tuned: " in outcome.stdout
    assert "Start: published thresholds. Memory: 10 frames. Sampler: random, seed 0." in lines
    assert lines[-1] == "thresholds: runs/mine/thresholds.json"
    written = {path.name for path in (here / "runs" / "mine").iterdir()}
    assert {"tuning.json", "trials.jsonl", "thresholds.json", "run.json"} <= written
    assert outcome.stderr == ""


def test_ablate_runs_the_thresholds_that_tune_wrote(here):
    assert invoke("tune", *GIVEN, "--tracker", "sort", "--save", "mine.json").exit_code == 0
    tuned = json.loads((here / "mine.json").read_text())["tuned"]["sort"]["settings"]
    words = ("--data", "DATA", "--thresholds", "mine.json", "--without-memory", "--json", "-")
    outcome = invoke("ablate", *words, "--out", "runs/ablation")
    assert outcome.exit_code == 0, outcome.stderr
    result = json.loads(outcome.stdout)
    rows = {row["variant"]: row for row in result["summary"]}
    assert rows["sort"]["settings"] == rows["sort+memory"]["settings"] == tuned
    assert (rows["sort"]["thresholds"], rows["copy"]["thresholds"]) == ("tuned", "published")
    assert result["protocol"]["thresholds"].startswith("mine.json (SHA-256 ")


def test_classes_of_the_data_are_mapped(here):
    words = ("--tracker", "iou", "--json", "-")
    mapped = invoke("tune", *GIVEN, *words, "--map", "common", "--out", "mapped")
    assert mapped.exit_code == 0, mapped.stderr
    plain = json.loads(invoke("tune", *GIVEN, *words, "--out", "plain").stdout)["data"]
    found = json.loads(mapped.stdout)["data"]
    assert (found["label_space"], plain["label_space"]) == ("common", "kitti-step")
    assert (found["split"], found["sequences"]) == ("val", plain["sequences"])
    assert found["fingerprint"] != plain["fingerprint"]
    unknown = invoke("tune", *GIVEN, "--map", "comon")
    assert unknown.exit_code == 2
    assert "did you mean 'common'" in unknown.stderr


def test_json_is_the_whole_result(here):
    outcome = invoke("tune", *GIVEN, "--tracker", "iou", "--out", "run", "--json", "-")
    assert json.loads(outcome.stdout) == json.loads((here / "run" / "tuning.json").read_text())


def test_a_tuning_is_copied_to_a_tool_with_its_tables_and_plot(here):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    words = ("--tracker", "iou", "--folds", "2", "--out", "run", "--log-to", "tensorboard")
    outcome = invoke("tune", *GIVEN, *words)
    assert outcome.exit_code == 0, outcome.stderr
    assert "logged run to TensorBoard: run/tensorboard/run" in outcome.stderr
    result = json.loads((here / "run" / "tuning.json").read_text())
    (tracker,) = result["trackers"]
    scores, pictures = read_copy(here / "run/tensorboard/run")
    assert scores == {
        "iou/start": pytest.approx(tracker["start_value"], rel=1e-5),
        "iou/tuned": pytest.approx(tracker["value"], rel=1e-5),
        "iou/held out": pytest.approx(result["held_out"]["trackers"][0]["held_out"], rel=1e-5),
    }
    assert pictures == ["plots/trials"]
    header, row = (here / "run/tables/held_out.csv").read_text().splitlines()
    assert header.startswith("Tracker,")
    assert "Held out CI" in outcome.stdout
    assert row.startswith("iou,")
    settings = (here / "run/tables/tuning.csv").read_text()
    assert all(f"{name}={value}" in settings for name, value in tracker["settings"].items())


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--suite", "bench"), 2, "suite 'bench' is not for tuning"),
        (("--suite", "tinny"), 2, "unknown suite 'tinny'; did you mean 'tiny'"),
        (("--suite", "val@9"), 2, "unknown version '9' of suite 'val'"),
        (("--data", "DATA"), 2, "--data needs --split"),
        ((*GIVEN, "--thresholds", "nothing.json"), 3, "there is no such thresholds file"),
        ((*GIVEN, "--tracker", "unlinked"), 2, "has nothing to tune"),
        ((*GIVEN, "--tracker", "mapt"), 2, "needs weights of MAPT"),
        ((*GIVEN[:2], "--split", "train", "--score", "TQ"), 3, "no sequence with ground truth"),
    ],
)
def test_wrong_options_end_with_a_message(here, words, code, message):
    outcome = invoke("tune", *words, "--out", "run")
    assert outcome.exit_code == code, outcome.stderr
    assert message in outcome.stderr
    assert not (here / "run").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a thresholds file"),
        ('{"schema": "mapt-bench/run/1", "tuned": {}}', "has schema 'mapt-bench/run/1'"),
        (
            '{"schema": "mapt-bench/thresholds/3", "tuned": {"sort": {"settings": {"iou": 1}}}}',
            "tracker 'sort' has no setting 'iou'",
        ),
    ],
)
def test_a_file_of_another_kind_is_no_thresholds_file(here, text, message):
    (here / "mine.json").write_text(text)
    outcome = invoke("ablate", "--data", "DATA", "--thresholds", "mine.json", "--out", "run")
    assert outcome.exit_code in (2, 3)
    assert message in outcome.stderr


def test_show_config_prints_what_from_dict_reads(here):
    outcome = invoke("tune", *GIVEN, "--tracker", "sort", "--show-config")
    assert outcome.exit_code == 0
    config = TuningConfig.from_dict(yaml.safe_load(outcome.stdout))
    assert (config.trackers, config.trials, config.score) == (("sort",), 3, "TQ")


def test_examples_of_the_help_are_valid():
    found = examples_of("tune")
    assert len(found) == 3
    for words in found:
        command.make_context("tune", words)
