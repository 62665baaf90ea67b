"""The configuration of ``mapt-bench tune``: every option, checked and immutable."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mapt_bench.baselines.rows import DEFAULT_MEMORY
from mapt_bench.baselines.segmenters import GROUND_TRUTH
from mapt_bench.baselines.thresholds import PUBLISHED, ThresholdsName
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.experiments.experiment_config import FOUND_BY_MAPT, ExperimentConfig
from mapt_bench.tuning.objective import DEFAULT_SCORE, Objective

__all__ = [
    "ALL_SEQUENCES",
    "AUTO",
    "DEFAULT_TRIALS",
    "OPTUNA",
    "RANDOM",
    "SAMPLERS",
    "TUNING_SUITES",
    "TuningConfig",
    "allows_tuning",
]

TUNING_SUITES = ("val", "shift-val", "train")
"""Suites that may be tuned on, in every version. The others are for reporting."""

AUTO, OPTUNA, RANDOM = SAMPLERS = ("auto", "optuna", "random")

ALL_SEQUENCES = "all"
"""The split that stands for every sequence of a folder."""

DEFAULT_TRIALS = 33
"""The start, and as many as a Sobol sequence needs to fill a space evenly."""


def allows_tuning(suite: str) -> bool:
    """Return whether a suite may be tuned on.

    Example:
        >>> allows_tuning("val@2"), allows_tuning("bench")
        (True, False)
    """
    return suite.partition("@")[0] in TUNING_SUITES


@dataclass(frozen=True, kw_only=True)
class TuningConfig(ExperimentConfig):
    """A tuning run: the same number of trials for every tracker.

    Attributes:
        trackers: Names of the trackers to tune; empty for those of the ablation.
        score: What to maximise: a score, or ``NAME=WEIGHT,NAME=WEIGHT`` for a weighted mean.
        trials: Trials of each tracker, 2 or more. The first runs ``thresholds``.
        sampler: ``"optuna"``, ``"random"``, or ``"auto"`` for Optuna where it is installed.
        memory: Frames that a lost track is kept for, the same for every tracker, 1 or more.
        split: Folder of the sequences of ``data`` that are tuned on, or ``"all"``; required with
            ``data``.
        save: Thresholds file; ``None`` is ``thresholds.json`` in the run folder.
        thresholds: Thresholds of the first trial.

    Raises:
        ConfigError: If the suite is for reporting, a value is out of range, or options exclude
            each other.
    """

    trackers: tuple[str, ...] = ()
    score: str = DEFAULT_SCORE
    trials: int = DEFAULT_TRIALS
    sampler: str = AUTO
    memory: int = DEFAULT_MEMORY
    split: str | None = None
    save: Path | None = None
    thresholds: ThresholdsName = PUBLISHED

    default_suite: ClassVar[str] = "val"
    default_segments: ClassVar[str] = f"{FOUND_BY_MAPT},{GROUND_TRUTH}"
    takes_many_segments: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.trials < 2:
            raise ConfigError(f"{self.trials} trials; expected 2 or more, the first is the start")
        if self.memory < 1:
            raise ConfigError(f"memory is {self.memory}; expected 1 frame or more")
        if self.sampler not in SAMPLERS:
            raise ConfigError(f"--sampler is {self.sampler!r}; {nearest(self.sampler, SAMPLERS)}")
        if self.add:
            raise ConfigError("a tuning run has no rows to add; name every tracker in trackers")
        self._check_videos()
        Objective.parse(self.score)

    @property
    def experiment(self) -> str:
        """Name of the experiment, as results have it."""
        return "tune"

    def _check_videos(self) -> None:
        if self.suite is not None and not allows_tuning(self.suite):
            raise ConfigError(
                f"suite {self.suite!r} is not for tuning: what is tuned on a suite must not be "
                f"reported on it; expected {', '.join(TUNING_SUITES)}, or your own --data"
            )
        if self.split is None:
            if self.data is not None:
                raise ConfigError(
                    "--data needs --split: name the folder of the sequences that you tune on, such "
                    f"as train, or {ALL_SEQUENCES} for every sequence; report on other sequences"
                )
            return
        if self.data is None:
            raise ConfigError("--split says which sequences of --data to use; give --data too")
        if self.split.lower() in ("test", "testing"):
            raise ConfigError(
                f"--split {self.split}: a test split is for reporting; tune on another one"
            )
