"""Tuning with held-out sequences, and with a limit of time."""

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers.scenes import KITTI
from helpers.small_runs import source, walk

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.experiments import SegmentSource, Variant
from mapt_bench.experiments.plans.segment_sources import MILD_NOISE
from mapt_bench.reports.tuning_plot import plot_tuning
from mapt_bench.reports.tuning_tables import tuning_scores, tuning_tables
from mapt_bench.tuning import tuning_run
from mapt_bench.tuning.held_out import SequencePart, folds_of, held_out_results, winner_results
from mapt_bench.tuning.tuning_config import MOST_TRIALS, Objective, TuningConfig
from mapt_bench.tuning.tuning_run import tune

SORT = Variant("sort+memory", "SORT", "baseline", "sort", memory=10)
COPY = Variant("copy+memory", "copy", "baseline", "copy", memory=10)


def config(folder, **changes):
    given = {"out": folder, "trials": 5, "score": "TQ", "sampler": "random"}
    return TuningConfig(**{**given, **changes})


def videos(count, kind=None):
    scenes = [walk(5, speed=3 + at % 4, name=f"v{at}") for at in range(count)]
    return source(*scenes, segments=(kind or SegmentSource(noise=MILD_NOISE),))


def test_folds_cover_each_sequence_once_and_depend_on_the_seed():
    folds = folds_of(range(7), 3, seed=0)
    assert folds == ((1, 2, 6), (4, 5), (0, 3))
    assert folds != folds_of(range(7), 3, seed=1)
    assert sorted(at for fold in folds_of((1, 4, 5), 2, seed=0) for at in fold) == [1, 4, 5]
    with pytest.raises(ConfigError, match="--folds is 8, and 7 sequences can be tracked"):
        folds_of(range(7), 8, seed=0)


@pytest.fixture(scope="module")
def folded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folded") / "run"
    return folder, tune([SORT, COPY], videos(6), config(folder, folds=3))


def test_settings_of_a_fold_are_chosen_on_the_other_sequences(folded):
    folder, result = folded
    found = result["held_out"]
    assert sorted(name for fold in found["folds"] for name in fold) == [f"v{at}" for at in range(6)]
    lines = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    for entry in found["trackers"]:
        for fold, settings in enumerate(entry["settings"]):
            own = [
                line
                for line in lines
                if line["tracker"] == entry["tracker"] and line.get("fold") == fold
            ]
            assert len(own) == 5  # the same budget as the search on all sequences
            assert settings == max(own, key=lambda line: line["value"])["settings"]


def test_values_are_those_of_the_pooled_sequences(folded):
    _, result = folded
    for tuned, entry in zip(result["trackers"], result["held_out"]["trackers"], strict=True):
        assert entry["tracker"] == tuned["tracker"]
        assert entry["chosen"] == pytest.approx(tuned["value"])
        assert entry["start"] == pytest.approx(tuned["start_value"])
        assert entry["optimism"] == pytest.approx(entry["chosen"] - entry["held_out"])
        assert entry["gain"] == pytest.approx(entry["held_out"] - entry["start"])
        low, high = (entry["intervals"]["held_out"][end] for end in ("low", "high"))
        assert low <= entry["held_out"] <= high
    assert min(entry["behind"] for entry in result["held_out"]["trackers"]) == 0


def test_the_winner_of_a_fold_is_chosen_on_the_other_sequences(folded):
    folder, result = folded
    winner = result["held_out"]["winner"]
    lines = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    for fold, name in enumerate(winner["trackers"]):
        own = [line for line in lines if line.get("fold") == fold]
        assert name == max(own, key=lambda line: line["value"])["tracker"]
    for lead, entry in zip(winner["leads"], result["held_out"]["trackers"], strict=True):
        assert lead["reference_value"] == pytest.approx(entry["held_out"])
        assert lead["difference"] == pytest.approx(winner["held_out"] - entry["held_out"])
        assert lead["n"] == 6
    table = tuning_tables(result)[2]
    assert table.name == "winner"
    assert [row[0] for row in table.rows] == ["sort", "copy"]
    assert max(map(len, table.footnotes)) <= 100


def winners_of(values, winners):
    """``values``: recovered of four reappearances, by tracker and sequence."""

    def parts(counts):
        found = {at: SequencePart((), np.array([n, 4, n, n])) for at, n in enumerate(counts)}
        return {"noisy": found}

    return winner_results(
        winners,
        [parts(counts) for counts in values],
        [(0, 1, 2), (3, 4, 5)],
        KITTI,
        Objective.parse("recovery_recall"),
        names=["sort", "copy", "iou"],
        windows=(1,),
        seed=0,
    )


def test_a_winner_that_changes_can_be_behind_the_best_tracker():
    found = winners_of([(3, 3, 3, 1, 1, 1), (1, 1, 1, 3, 3, 3), (2, 2, 2, 2, 2, 2)], [1, 0])
    assert found["trackers"] == ["copy", "sort"]
    assert found["held_out"] == 0.25
    leads = [each["difference"] for each in found["leads"]]
    assert leads == [-0.25, -0.25, -0.25]
    assert found["comparisons"] == 3


def test_leads_are_paired_and_corrected_for_their_number():
    found = winners_of([(4, 3, 4, 3, 4, 3), (2, 1, 2, 1, 2, 1), (1, 1, 1, 1, 1, 1)], [0, 0])
    own, *others = found["leads"]
    assert (own["difference"], own["p_value"], own["p_adjusted"]) == (0, None, None)
    assert found["comparisons"] == 2
    for each in others:
        assert each["p_value"] == 2 / 2**6  # all six signs are alike
        assert each["p_adjusted"] == 2 * each["p_value"]
    assert others[0]["interval"]["low"] == pytest.approx(0.5)
    assert others[0]["difference"] == pytest.approx(0.5)


def test_random_search_takes_no_further_units_for_folds(folded, tmp_path):
    folder, _ = folded
    tune([SORT, COPY], videos(6), config(tmp_path / "plain"))
    count = [len([*(each / "cells").rglob("*.json")]) for each in (folder, tmp_path / "plain")]
    assert count[0] == count[1]


def test_a_resumed_run_writes_the_same(folded):
    folder, result = folded
    again = tune([SORT, COPY], videos(6), config(folder, folds=3))
    for each in (again, result):
        each["provenance"] = None
    assert again == result


def test_folds_leave_out_sequences_that_are_too_short(tmp_path):
    short = walk(1, name="short")
    data = source(short, walk(5, speed=3, name="a"), walk(5, speed=4, name="b"))
    result = tune([SORT], data, config(tmp_path / "run", folds=2, trials=2))
    assert sorted(result["held_out"]["folds"]) == [["a"], ["b"]]
    with pytest.raises(ConfigError, match="--folds is 3, and 2 sequences can be tracked"):
        tune([SORT], data, config(tmp_path / "more", folds=3))
    with pytest.raises(DataError, match="nothing can be run: pair 1 needs 2 frames"):
        tune([SORT], source(short), config(tmp_path / "none", folds=2))


def test_an_undefined_value_is_not_the_best_one(folded, tmp_path):
    def parts(*counts):
        return {"noisy": {0: SequencePart((), np.array(counts))}}

    nothing, some, more = parts(0, 0, 0, 0), parts(1, 4, 1, 1), parts(3, 4, 3, 3)
    entries = held_out_results(
        [some] * 3,
        [more] * 3,
        [nothing, some, more],
        KITTI,
        Objective.parse("recovery_recall"),
        names=["sort", "copy", "iou"],
        windows=(1,),
        seed=0,
    )
    assert [each["held_out"] for each in entries] == [None, 0.25, 0.75]
    assert [each["behind"] for each in entries] == [None, 0.5, 0.0]
    result = {**folded[1], "held_out": {"folds": [["v0"]], "trackers": entries}}
    assert [row[0] for row in tuning_tables(result)[1].rows] == ["iou", "copy", "sort"]
    assert "sort/held out" not in tuning_scores(result)
    plot_tuning(result, tmp_path / "trials.png")


def test_few_sequences_have_no_interval(tmp_path):
    result = tune([SORT], videos(2), config(tmp_path / "run", folds=2, trials=2))
    (entry,) = result["held_out"]["trackers"]
    assert "needs at least 5" in entry["intervals"]["optimism"]["reason"]


def test_time_ends_the_trials_of_each_tracker_and_a_resumed_run_stops_there(tmp_path):
    given = config(tmp_path / "run", minutes=1e-6, trials=20)
    result = tune([SORT, COPY], videos(2), given)
    for each in result["trackers"]:
        spent = np.cumsum([trial["seconds"] for trial in each["trials"]])
        assert len(each["trials"]) < 20
        assert all(before < 6e-5 for before in spent[:-1])
        assert spent[-1] >= 6e-5
    again = tune([SORT, COPY], videos(2), given)
    assert again["trackers"] == result["trackers"]


def test_no_round_begins_after_the_time_is_spent(tmp_path, monkeypatch):
    real = tuning_run._trial
    monkeypatch.setattr(tuning_run, "_trial", lambda *given: replace(real(*given), seconds=15.0))
    given = config(tmp_path / "run", minutes=2, trials=20)
    (tuned,) = tune([SORT], videos(1), given)["trackers"]
    assert len(tuned["trials"]) == 8  # one round
    assert len([*(tmp_path / "run" / "cells").rglob("*.json")]) == 8


def test_much_time_ends_with_the_most_trials(tmp_path):
    result = tune([SORT], videos(2), config(tmp_path / "run", minutes=60, trials=10))
    assert len(result["trackers"][0]["trials"]) == 10


def test_options_out_of_range_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="--folds is 1; expected 2 folds or more"):
        config(tmp_path, folds=1)
    with pytest.raises(ConfigError, match="--minutes is 0; expected more than 0"):
        config(tmp_path, minutes=0)
    assert TuningConfig.from_cli(minutes=2.0, trials=None).trials == MOST_TRIALS
    assert TuningConfig.from_cli(minutes=None, trials=None).trials == 33


def test_the_plot_is_written(folded, tmp_path):
    plot_tuning(folded[1], tmp_path / "trials.png")
    assert (tmp_path / "trials.png").stat().st_size > 10_000
