import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest
from helpers.modules import ROOT
from helpers.small_runs import source, walk, write_videos
from PIL import Image

import mapt_bench.experiments.engine.unit_workers as workers
from mapt_bench.baselines import TrackerSettings, associator_entry, associator_names
from mapt_bench.baselines.registry import flow_tracker_names, mapt_tracker_names
from mapt_bench.baselines.thresholds import thresholds_named
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.experiments import SegmentSource, Variant
from mapt_bench.experiments.plans.segment_sources import MILD_NOISE
from mapt_bench.reports.tuning_tables import tuning_tables
from mapt_bench.tuning._tuned_rows import of_split, search_space
from mapt_bench.tuning.tuning_config import TuningConfig
from mapt_bench.tuning.tuning_run import check_tuning, run_tuning, tune

COPY = Variant("copy+memory", "copy", "baseline", "copy", memory=10)
SORT = Variant("sort+memory", "SORT", "baseline", "sort", memory=10)
BYTETRACK = Variant("bytetrack+memory", "ByteTrack", "baseline", "bytetrack", memory=10)
ROWS = (COPY, SORT, BYTETRACK)
KINDS = (SegmentSource(), SegmentSource(noise=MILD_NOISE))


def config(folder, **changes):
    given = {"out": folder, "trials": 5, "score": "TQ", "sampler": "random"}
    return TuningConfig(**{**given, **changes})


def fast(name):
    """Boxes fast enough that thresholds decide what is linked."""
    return walk(6, speed=5, name=name)


def source_of_two():
    return source(fast("a"), fast("b"), segments=KINDS)


@pytest.mark.parametrize("sampler", ["random", "optuna"])
def test_every_tracker_has_exactly_as_many_trials(tmp_path, sampler):
    if sampler == "optuna":
        pytest.importorskip("optuna")
    result = tune(ROWS, source_of_two(), config(tmp_path / "run", sampler=sampler, trials=6))
    assert result["schema"] == "mapt-bench/tuning/1"
    assert [each["tracker"] for each in result["trackers"]] == ["copy", "sort", "bytetrack"]
    for each in result["trackers"]:
        assert [trial["number"] for trial in each["trials"]] == [0, 1, 2, 3, 4, 5]
        assert each["trials"][0]["settings"] == {}
        for trial in each["trials"][1:]:
            assert set(trial["settings"]) == set(search_space(each["tracker"]))
    lines = (tmp_path / "run" / "trials.jsonl").read_text().splitlines()
    assert len(lines) == 18
    assert json.loads(lines[6])["tracker"] == "sort"


def test_the_value_is_the_mean_over_segments_and_the_best_trial_is_kept(tmp_path):
    given = config(tmp_path / "run", score="PAT=1,TQ=3")
    (tuned,) = tune([SORT], source_of_two(), given)["trackers"]
    for trial in tuned["trials"]:
        means = [(each["PAT"] + 3 * each["TQ"]) / 4 for each in trial["scores"].values()]
        assert set(trial["scores"]) == {"groundtruth", "noisy"}
        assert trial["value"] == pytest.approx(sum(means) / 2)
    values = [trial["value"] for trial in tuned["trials"]]
    assert len(set(values)) > 1
    assert tuned["value"] == max(values)
    assert tuned["best"] == values.index(max(values))
    assert tuned["settings"] == tuned["trials"][tuned["best"]]["settings"]
    assert tuned["start_value"] == values[0]


def test_scores_are_those_of_the_same_row_in_an_experiment(tmp_path):
    from mapt_bench.experiments import Cell, Plan, run_experiment

    one = source(fast("a"), fast("b"))
    (tuned,) = tune([SORT], one, config(tmp_path / "run"))["trackers"]
    row = Variant("sort", "sort", "baseline", "sort", 10, tuple(tuned["settings"].items()))
    result = run_experiment(Plan("ablate", (row,), (Cell(row),), None), one, tmp_path / "other")
    assert result["summary"][0]["scores"]["TQ"] == tuned["value"]


def test_thresholds_file_is_read_by_experiments(tmp_path):
    file = tmp_path / "mine.json"
    result = tune(ROWS, source_of_two(), config(tmp_path / "run", save=file, seed=2))
    known = thresholds_named(str(file))
    for each in result["trackers"]:
        assert dict(known[each["tracker"]]) == each["settings"]
    written = json.loads(file.read_text())
    assert written["schema"] == "mapt-bench/thresholds/3"
    assert (written["score"], written["trials"], written["seed"]) == ("TQ", 5, 2)
    assert written["data"]["fingerprint"] == "of drawn videos"
    assert written["provenance"]["mapt_bench"]
    assert {each["trials"] for each in written["tuned"].values()} == {5}


def test_the_seed_decides_everything_and_workers_decide_nothing(tmp_path):
    texts = {}
    for name, changes in {
        "first": {},
        "again": {"jobs": 2},
        "other": {"seed": 1},
    }.items():
        tune([SORT, BYTETRACK], source_of_two(), config(tmp_path / name, **changes))
        files = [(tmp_path / name / file) for file in ("trials.jsonl", "thresholds.json")]
        texts[name] = [file.read_text() for file in files]
    assert texts["first"] == texts["again"]
    assert texts["first"][0] != texts["other"][0]


SCRIPT = """
import sys, time
from pathlib import Path
import mapt_bench.experiments.engine.unit_workers as workers
from mapt_bench.tuning.tuning_config import TuningConfig
from mapt_bench.tuning.tuning_run import run_tuning
real = workers.run_unit
def run_unit(*given, **options):
    time.sleep(0.05)
    return real(*given, **options)
workers.run_unit = run_unit
data, out = map(Path, sys.argv[1:])
run_tuning(TuningConfig(
    data=data, split="val", out=out, trials=6, score="TQ", trackers=("sort", "copy")
))
"""


def units_in(cells):
    """Return the finished work units. Temporary files come and go meanwhile, which glob minds."""
    return [
        Path(folder) / name
        for folder, _, names in os.walk(cells)
        for name in names
        if name.endswith(".json") and not name.startswith(".unfinished")
    ]


def test_a_run_killed_by_signal_9_resumes_to_the_same_files(tmp_path):
    write_videos(tmp_path / "data", fast("a"), fast("b"))
    words = [sys.executable, "-c", SCRIPT, str(tmp_path / "data")]
    run = subprocess.Popen([*words, str(tmp_path / "killed")], cwd=ROOT)
    cells = tmp_path / "killed" / "cells"
    deadline = time.monotonic() + 120
    while len(units_in(cells)) < 9 and time.monotonic() < deadline:
        assert run.poll() is None
        time.sleep(0.01)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    before = {path: path.stat().st_mtime_ns for path in units_in(cells)}
    assert len(before) >= 9
    assert not (tmp_path / "killed" / "thresholds.json").exists()
    for name in ("killed", "whole"):
        subprocess.run([*words, str(tmp_path / name)], cwd=ROOT, check=True)
    after = {path: path.stat().st_mtime_ns for path in before}
    assert after == before  # nothing was run again
    for file in ("thresholds.json", "trials.jsonl"):
        assert (tmp_path / "killed" / file).read_text() == (tmp_path / "whole" / file).read_text()


def test_a_finished_run_repeats_nothing_and_another_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    first = tune([SORT], source_of_two(), config(folder))

    def run_again(*given, **options):
        raise AssertionError("a trial was run again")

    monkeypatch.setattr(workers, "run_unit", run_again)
    again = tune([SORT], source_of_two(), config(folder))
    assert again == first
    for changes in ({"trials": 6}, {"score": "PAT"}, {"seed": 1}, {"memory": 11}):
        with pytest.raises(ConfigError, match="holds a run that differs in"):
            tune([SORT], source_of_two(), config(folder, **changes))


def test_the_start_is_what_thresholds_name(tmp_path):
    file = tmp_path / "start.json"
    tune([SORT], source_of_two(), config(tmp_path / "run", save=file))
    start = thresholds_named(str(file))["sort"]
    result = tune([SORT], source_of_two(), config(tmp_path / "more", thresholds=str(file)))
    assert result["trackers"][0]["trials"][0]["settings"] == dict(start)


def test_a_tracker_that_cannot_run_is_left_out_and_named(tmp_path):
    blind = source(walk(6, name="a", with_images=False))
    both = Variant("both+memory", "both", "heads", "both", memory=10)
    result = tune([both, SORT], blind, config(tmp_path / "run"))
    assert [each["tracker"] for each in result["trackers"]] == ["sort"]
    (skip,) = result["skipped"]
    assert skip["tracker"] == "both"
    assert "needs images" in skip["reason"]
    with pytest.raises(DataError, match="needs images"):
        tune([both], blind, config(tmp_path / "other"))


def test_a_sequence_that_is_too_short_is_left_out_and_named(tmp_path):
    short = walk(1, name="short")
    result = tune([SORT], source(fast("a"), short), config(tmp_path / "run"))
    reason = "pair 1 needs 2 frames, the sequence has 1"
    assert result["skipped"] == [{"tracker": "all", "reason": reason, "sequence": "short"}]
    (table,) = tuning_tables(result)
    assert table.footnotes[-1] == f"Sequences left out: short ({reason})."
    alone = tune([SORT], source(fast("a")), config(tmp_path / "alone"))
    assert result["trackers"] == alone["trackers"]


def test_an_undefined_score_is_an_error(tmp_path):
    with pytest.raises(DataError, match="recovery_f1 is undefined"):
        tune([SORT], source_of_two(), config(tmp_path / "run", score="PAT,recovery_f1"))


@pytest.mark.parametrize("suite", ["bench", "quick", "tiny", "stress", "shift", "bench@2"])
def test_suites_for_reporting_are_refused(suite):
    with pytest.raises(ConfigError, match=f"suite '{suite}' is not for tuning"):
        TuningConfig(suite=suite)


@pytest.mark.parametrize("suite", ["val", "val@2", "shift-val", "train", "train@2"])
def test_suites_for_choices_are_accepted(suite):
    check_tuning(TuningConfig(suite=suite, trackers=("sort",)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "d"}, "--data needs --split"),
        ({"split": "train"}, "--split says which sequences of --data"),
        ({"data": "d", "split": "test"}, "a test split is for reporting"),
        ({"trials": 1}, "1 trials; expected 2 or more"),
        ({"sampler": "optina"}, "did you mean 'optuna'"),
        ({"memory": 0}, "expected 1 frame or more"),
        ({"add": ("sort",)}, "a tuning run has no rows; omit add, and name every tracker"),
        ({"only": ("sort",), "losses": ("sort",)}, "a tuning run has no rows; omit only, losses,"),
        ({"thresholds": "tund"}, "did you mean 'tuned'"),
        ({"trails": 3}, "did you mean 'trials'"),
    ],
)
def test_wrong_options_are_explained(changes, message):
    with pytest.raises(ConfigError, match=message):
        TuningConfig.from_dict(changes)


def test_a_configuration_survives_as_plain_data():
    given = TuningConfig(trackers=("sort", "mapt"), score="PAT=1,AssA=2", suite="train", jobs=2)
    assert TuningConfig.from_dict(given.to_dict()) == given


@pytest.mark.parametrize(
    ("trackers", "message"),
    [
        (("oracle",), "has nothing to tune"),
        (("sort", "sort"), "given twice"),
        (("sort+memory",), "expected the name of a tracker alone, as in sort"),
        (("copy,lost_margin=0.1",), "settings are what is tuned"),
        (("sortt",), "did you mean 'sort'"),
    ],
)
def test_trackers_that_cannot_be_tuned_are_refused(trackers, message):
    with pytest.raises(ConfigError, match=message):
        check_tuning(TuningConfig(trackers=trackers))


def test_only_the_sequences_of_the_split_are_used(tmp_path):
    data = tmp_path / "data"
    write_videos(data, fast("a"), fast("b"))
    (data / "panoptic_maps" / "train").mkdir()
    (data / "panoptic_maps" / "val" / "b").rename(data / "panoptic_maps" / "train" / "b")
    given = {"data": data, "trackers": ("sort",), "score": "TQ", "trials": 2}
    for split, expected in (("train", ["b"]), ("all", ["b", "a"])):
        result = run_tuning(TuningConfig(**given, split=split, out=tmp_path / split))
        assert list(result["data"]["sequences"]) == expected
        assert result["data"]["split"] == split
    with pytest.raises(DataError, match=r"no sequence .* 'dev'; found a, b, panoptic_maps, train"):
        run_tuning(TuningConfig(**given, split="dev", out=tmp_path / "dev"))


def test_sequences_without_ground_truth_are_named_unless_there_is_a_split(tmp_path):
    write_videos(tmp_path / "DATA", fast("a"))
    for place in ("val/a", "test/secret"):
        folder = tmp_path / "DATA" / "images" / place
        folder.mkdir(parents=True)
        for index in range(6):
            Image.fromarray(fast("a").image(index)).save(folder / f"{index:06d}.png")
    given = {"data": tmp_path / "DATA", "trackers": ("sort",), "score": "TQ", "trials": 2}
    for split, expected in (("val", []), ("all", ["secret"])):
        result = run_tuning(TuningConfig(**given, split=split, out=tmp_path / split))
        assert [skip["sequence"] for skip in result["skipped"]] == expected


def test_a_copy_of_a_suite_for_reporting_is_refused(tmp_path):
    copied = source(walk(6, name="tiny-street-hard-d0n0s1g0"))
    given = TuningConfig(data=tmp_path, split="all")
    with pytest.raises(ConfigError, match="of the suite tiny, which is for reporting"):
        of_split(copied, given)


MINE = """
import numpy as np
import mapt_bench as mb

class Mine:
    needs_images = False
    search_space = {"reach": (5, 60)}

    def __init__(self, reach=20, bias=0.0):
        self.reach = reach

    def start(self, info):
        pass

    def associate(self, frame, segments):
        ids = np.arange(1, segments.count + 1) + 10 * frame.index * (self.reach < 30)
        return mb.Association(ids.astype(np.int64))

class Wrong(Mine):
    search_space = {"reech": (5, 60)}

class Without(Mine):
    search_space = {}

class Blind:
    # Sees the sky everywhere, or the road.
    needs_images = False
    search_space = {"reach": (5, 60)}

    def __init__(self, reach=20):
        self.name = "sky" if reach < 30 else "road"

    def start(self, info):
        self.shape = info.height, info.width
        self.code = info.labels.by_name(self.name).class_id << 24

    def step(self, frame):
        return mb.PanopticMap(np.full(self.shape, self.code, np.uint32))
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "mine_tuned.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield "mine_tuned"
    sys.modules.pop("mine_tuned", None)


def test_a_users_tracker_is_tuned_by_its_own_search_space(tmp_path, mine):
    write_videos(tmp_path / "data", fast("a"), fast("b"))
    name = f"{mine}:Mine"
    given = {"data": tmp_path / "data", "split": "val", "score": "TQ", "trials": 5}
    result = run_tuning(TuningConfig(**given, trackers=(name,), out=tmp_path / "run"))
    (tuned,) = result["trackers"]
    assert tuned["settings"]["reach"] >= 30
    assert tuned["value"] > tuned["start_value"]
    assert all(isinstance(t["settings"].get("reach", 5), int) for t in tuned["trials"])
    with pytest.raises(ConfigError, match=r"names 'reech'.*did you mean 'reach'"):
        check_tuning(TuningConfig(trackers=(f"{mine}:Wrong",)))
    with pytest.raises(ConfigError, match="has nothing to tune; give its class a search_space"):
        check_tuning(TuningConfig(trackers=(f"{mine}:Without",)))


def test_pat_counts_as_0_where_a_trial_finds_nothing(tmp_path, mine):
    write_videos(tmp_path / "data", fast("a"), fast("b"))
    given = {"data": tmp_path / "data", "split": "val", "score": "PAT,PQ", "trials": 5, "folds": 2}
    result = run_tuning(TuningConfig(**given, trackers=(f"{mine}:Blind",), out=tmp_path / "run"))
    (tuned,), (entry,) = result["trackers"], result["held_out"]["trackers"]
    assert tuned["trials"][0]["scores"] == {"own": {"PAT": 0.0, "PQ": 0.0}}
    assert tuned["start_value"] == entry["start"] == 0
    assert tuned["value"] == pytest.approx(entry["held_out"])
    assert entry["gain"] > 0


@pytest.mark.parametrize("name", [*associator_names(), *mapt_tracker_names()])
def test_what_is_searched_is_a_setting_and_within_its_range(name):
    space = search_space(name)
    assert set(space) <= {field.name for field in fields(TrackerSettings)}
    for setting, values in space.items():
        for value in values:
            TrackerSettings.from_mapping({setting: value})


@pytest.mark.parametrize(
    "name", [*associator_names(), *mapt_tracker_names(), *flow_tracker_names()]
)
def test_a_tracker_with_settings_declares_what_may_be_tuned(name):
    if "MODEL" not in name:
        assert bool(associator_entry(name).settings) == bool(search_space(name))


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("flow:raft-small", "copy"),
        ("flow:dis+mapt", "mapt:appearance-first"),
        ("flow:dis+appearance", "both"),
    ],
)
def test_a_flow_is_searched_like_the_tracker_it_stands_in_for(name, like):
    assert search_space(name) == search_space(like)
