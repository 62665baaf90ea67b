"""What comes of a tuning run: its trials, its result, and the thresholds file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mapt_bench.baselines.search_spaces import SearchSpace
from mapt_bench.baselines.thresholds import THRESHOLDS_SCHEMA
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.tuning.held_out import Parts
from mapt_bench.tuning.samplers import Sampler, Settings
from mapt_bench.tuning.tuning_config import TUNING_SETTINGS

__all__ = [
    "TUNING_SCHEMA",
    "Trial",
    "TunedTracker",
    "thresholds_file",
    "trial_lines",
    "tuning_result",
]

TUNING_SCHEMA = "mapt-bench/tuning/1"

_Row = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """Settings that were tried, and what they reached.

    Attributes:
        number: Place among the trials of the tracker; 0 is the start.
        settings: Settings of the tracker.
        value: Mean of the objective over all segments.
        scores: For each name of segments the scores of the objective; fractions.
        seconds: Tracking time of the trial, on all sequences and segments; ``None`` where time is
            not limited.
    """

    number: int
    settings: Settings
    value: float
    scores: Mapping[str, Mapping[str, float | None]]
    seconds: float | None = None

    def to_dict(self) -> _Row:
        """Return plain data for JSON."""
        timed = {} if self.seconds is None else {"seconds": self.seconds}
        return {
            "number": self.number,
            "settings": dict(self.settings),
            "value": self.value,
            "scores": {name: dict(scores) for name, scores in self.scores.items()},
            **timed,
        }


@dataclass
class TunedTracker:
    """A tracker that is tuned, with its trials so far.

    Attributes:
        row: The tracker with the settings of the first trial.
        space: Its search space.
        sampler: Proposes settings.
        trials: In the order in which they were proposed.
        fold: Number of the fold that the search does not see; ``None`` for the search on all
            sequences.
        sequences: Positions of the sequences that the search sees.
        parts: Parts of all sequences under the first and the best settings, in a
            cross-validation.
        is_timed: Whether its time is limited.
        is_finished: Whether the time of the tracker is spent.
    """

    row: Variant
    space: SearchSpace
    sampler: Sampler
    trials: list[Trial] = field(default_factory=list)
    fold: int | None = None
    sequences: tuple[int, ...] = ()
    parts: dict[str, Parts] = field(default_factory=dict)
    is_timed: bool = False
    is_finished: bool = False

    @property
    def seconds(self) -> float:
        """Tracking time of all trials."""
        return sum(trial.seconds or 0.0 for trial in self.trials)

    @property
    def best(self) -> Trial:
        """The best trial; of equal ones the first."""
        return max(self.trials, key=lambda trial: trial.value)

    def to_dict(self) -> _Row:
        """Return plain data for JSON."""
        networks = [each for each in (self.row.weights, self.row.mapt) if each is not None]
        return {
            "tracker": self.row.associator,
            "label": self.row.label,
            "memory": self.row.memory,
            "weights": {each.name: each.sha256 for each in networks},
            "space": {name: list(values) for name, values in self.space.items()},
            "best": self.best.number,
            "settings": dict(self.best.settings),
            "value": self.best.value,
            "start_value": self.trials[0].value,
            "trials": [trial.to_dict() for trial in self.trials],
        }


def tuning_result(
    trackers: Sequence[TunedTracker],
    setup: Mapping[str, Any],
    *,
    objective: Mapping[str, float],
    skipped: Sequence[Mapping[str, str]],
    held_out: Mapping[str, Any] | None,
    provenance: Mapping[str, Any],
) -> _Row:
    """Return the result of a run, ready for JSON.

    Args:
        trackers: With all their trials.
        setup: What the run is a run of.
        objective: Weight of each score.
        skipped: Trackers that cannot run on the videos, sequences that cannot run, and why.
        held_out: Folds, and what each tracker reaches on sequences that its settings were not
            chosen on; ``None`` without cross-validation.
        provenance: How the trials came about.

    Returns:
        Schema ``mapt-bench/tuning/1``; equal for equal runs, except for ``provenance.created`` and
        measured times.
    """
    return {
        "schema": TUNING_SCHEMA,
        **{name: setup[name] for name in ("experiment", *TUNING_SETTINGS)},
        "objective": dict(objective),
        "trackers": [each.to_dict() for each in trackers],
        "skipped": list(skipped),
        "held_out": None if held_out is None else dict(held_out),
        "provenance": dict(provenance),
    }


def thresholds_file(result: Mapping[str, Any]) -> _Row:
    """Return the thresholds file of a result: what ``--thresholds FILE`` reads, ready for JSON.

    Returns:
        Schema ``mapt-bench/thresholds/3``; equal for equal runs of one version.
    """
    data, made = result["data"], result["provenance"]
    trackers = sorted(result["trackers"], key=lambda each: str(each["tracker"]))
    return {
        "schema": THRESHOLDS_SCHEMA,
        "suite": data["suite"],
        "data": {name: data[name] for name in ("name", "split", "fingerprint", "label_space")},
        "segments": data["segments"],
        **{name: result[name] for name in ("score", "trials", "sampler", "memory", "seed")},
        "start": result["thresholds"],
        "provenance": {name: made[name] for name in ("mapt_bench", "git_commit")},
        "tuned": {
            each["tracker"]: {
                "settings": each["settings"],
                "score": each["value"],
                "start_score": each["start_value"],
                "trials": len(each["trials"]),
                "weights": each["weights"],
            }
            for each in trackers
        },
    }


def trial_lines(trackers: Sequence[TunedTracker]) -> str:
    """Return all trials as JSON, one a line. Those of a fold name it."""
    return "".join(
        json.dumps({**_search_of(each), **trial.to_dict()}, allow_nan=False) + "\n"
        for each in trackers
        for trial in each.trials
    )


def _search_of(tracker: TunedTracker) -> _Row:
    name = {"tracker": tracker.row.associator}
    return name if tracker.fold is None else {**name, "fold": tracker.fold}
