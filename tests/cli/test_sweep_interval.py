import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.commands import examples_of
from helpers.shipped_weights import empty_weights_folder
from helpers.small_runs import walk, write_videos

from mapt_bench.cli import main
from mapt_bench.errors import DataError
from mapt_bench.experiments import (
    AblationConfig,
    NetworkWeights,
    SweepConfig,
    planning,
    run_ablation,
    run_sweep,
    running,
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with maps alone, one sequence too short for large intervals; no weights ship."""
    monkeypatch.chdir(tmp_path)
    empty_weights_folder(monkeypatch, tmp_path / "no weights")
    videos = [walk(count, speed=1, name=name) for name, count in (("long", 12), ("short", 5))]
    write_videos(tmp_path / "DATA", *videos)
    return tmp_path


def invoke(*words):
    return CliRunner().invoke(main, ["sweep-interval", *words])


def intervals(data):
    found = {}
    for row in data["summary"]:
        place = (row["interval"]["kind"], row["interval"]["tau"])
        found.setdefault(place, []).append(row["variant"])
    return found


def test_both_sweeps_by_default(here):
    result = invoke("--data", "DATA", "--out", "run", "--json", "-")
    assert result.exit_code == 0, result.stderr
    data = json.loads(result.stdout)
    assert data["experiment"] == "sweep-interval"
    found = intervals(data)
    assert list(found) == [(kind, tau) for kind in ("drop", "pair") for tau in (1, 2, 3, 5)]
    for (kind, _), variants in found.items():
        assert {"copy", "oracle"} <= set(variants)
        assert ("sort" in variants) == (kind == "drop")
    reasons = {(s.get("sequence"), s["reason"]) for s in data["skipped"] if s["tracker"] == "all"}
    assert ("short", "drop 5 needs 10 frames, the sequence has 5") in reasons
    assert ("short", "pair 5 needs 6 frames, the sequence has 5") in reasons
    by_place = {(r["interval"]["kind"], r["interval"]["tau"]): r for r in data["summary"]}
    assert by_place["drop", 5]["n_sequences"] == 1
    assert by_place["drop", 2]["n_sequences"] == 2


def test_interval_one_is_run_once_for_both(here):
    data = json.loads(invoke("--data", "DATA", "--out", "run", "--json", "-").stdout)
    ones = {
        (row["variant"], row["interval"]["kind"]): row["cell"]
        for row in data["summary"]
        if row["interval"]["tau"] == 1
    }
    assert ones["copy", "drop"] == ones["copy", "pair"]
    conditions = [(c["variant"], c["stress"]["drop"], c["interval"]) for c in data["cells"]]
    assert len(conditions) == len(set(conditions))


def test_one_sweep_and_its_files(here):
    result = invoke("--data", "DATA", "--drop", "2,1", "--out", "run")
    assert result.exit_code == 0, result.stderr
    assert "drop 2" in result.stdout
    assert "pair" not in result.stdout.replace("pairs", "")
    written = {path.name for path in (here / "run").iterdir()}
    assert {"results.json", "tables", "sweep_PAT.png", "sweep_STQ.png"} <= written
    page = (here / "run" / "tables" / "tables.md").read_text()
    assert "Compare only rows with the same tau" in page
    intervals = (here / "run" / "tables" / "by_interval.csv").read_text().splitlines()
    assert intervals[0] == "segments,score,videos,variant,drop 1 (%),drop 2 (%)"
    assert any(line.startswith("groundtruth,STQ,all,oracle,") for line in intervals)


def test_memory_is_for_all_rows_that_have_one(here):
    result = invoke("--data", "DATA", "--drop", "1", "--memory", "4", "--out", "r", "--json", "-")
    memory = {row["variant"]: row["memory"] for row in json.loads(result.stdout)["summary"]}
    named = {f"{name}+memory=4": 4 for name in ("copy", "iou", "sort", "bytetrack")}
    assert memory == {**named, "oracle": None}


NARROW = "flow:flownet2-narrow"


COMMANDS = {"ablate": (run_ablation, AblationConfig), "sweep": (run_sweep, SweepConfig)}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("is_named", [True, False])
def test_the_flow_network_that_ships_takes_long_and_runs_where_it_is_named(
    monkeypatch, here, tmp_path, is_named, command
):
    file = tmp_path / "narrow.safetensors"
    reader = replace(running.LOADED, flow=lambda files: tuple(map(flow, files)))
    planned = []

    def keep(plan, *_, **__):
        planned.append(plan)
        return {}

    monkeypatch.setattr(planning, "shipped_flow_files", lambda: {NARROW: file})
    monkeypatch.setattr(running, "LOADED", reader)
    monkeypatch.setattr(running, "run_experiment", keep)
    named = (NARROW,) if is_named else ()
    run, config = COMMANDS[command]
    run(config(data=Path("DATA"), flow_weights=named))
    assert any(row.name.startswith(NARROW) for row in planned[0].variants) == is_named
    skips = {skip.tracker: skip.reason for skip in planned[0].skipped if skip.tracker == NARROW}
    assert list(skips) == [NARROW] * (not is_named)
    assert all(f"add --flow-weights {NARROW}" in reason for reason in skips.values())


def flow(name):
    return NetworkWeights(name, Path("narrow.safetensors"), "0" * 64)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--drop", "1,two"), "--drop is '1,two'; expected whole numbers"),
        (("--pair", ""), "--pair is ''"),
        (("--pair", "0,1"), "--pair are [0, 1]"),
        (("--drop", "2,2"), "--drop are [2, 2]"),
        (("--memory", "-1"), "memory is -1"),
        (("--flow-weights", "flow:raft-smal=x"), "did you mean 'flow:raft-small'"),
        (("--segments", "groundtruth,noisy"), "this command takes one value"),
        (("--segments", "mapt"), "needs weights of MAPT, and there are none"),
    ],
)
def test_wrong_intervals_are_told(here, words, message):
    result = invoke(*words, "--out", "run", "--json", "-")
    assert result.exit_code == 2
    assert message in json.loads(result.stdout)["error"]["message"]
    assert not (here / "run").exists()


def test_mapt_has_lines_and_finds_the_segments_of_suites(here, mapt_files, monkeypatch):
    def refuse(name, segments, maps):
        raise DataError(f"{name} of {[each.name for each in segments]} is not drawn in this test")

    monkeypatch.setattr("mapt_bench.experiments.planning.suite_source", refuse)
    mapt = ("--weights", str(mapt_files / "mapt-tiny.safetensors"))
    assert "quick of ['mapt-tiny']" in invoke(*mapt, "--out", "run").stderr
    assert "quick of ['noisy']" in invoke("--out", "run").stderr
    result = invoke(*mapt, "--data", "DATA", "--drop", "1", "--out", "run", "--json", "-")
    assert result.exit_code == 0, result.stderr
    reasons = {each["tracker"]: each["reason"] for each in json.loads(result.stdout)["skipped"]}
    for head in ("mapt", "mapt:motion", "mapt:appearance"):
        assert reasons[head] == "needs images, and the data have none"


def test_only_too_short_sequences_are_an_error(here):
    result = invoke("--data", "DATA", "--drop", "9", "--out", "run")
    assert result.exit_code == 3
    assert "nothing can be run" in result.stderr


def test_help_ends_with_examples(here):
    examples = examples_of("sweep-interval")
    assert [words[0] for words in examples] == ["-j", "-j", "--add", "--data", "--train"]
    found = invoke(*examples[3])
    assert found.exit_code == 0, found.stderr
    assert json.loads((here / "drop.json").read_text())["experiment"] == "sweep-interval"
