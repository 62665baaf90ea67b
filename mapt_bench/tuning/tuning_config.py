"""What ``mapt-bench tune`` maximises, and every option of it, checked and immutable."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from mapt_bench.baselines.rows import DEFAULT_MEMORY
from mapt_bench.baselines.segmenters import GROUND_TRUTH
from mapt_bench.baselines.thresholds import PUBLISHED, ThresholdsName
from mapt_bench.errors import ConfigError, DataError, check_range, nearest
from mapt_bench.experiments.experiment_config import FOUND_BY_MAPT, ExperimentConfig
from mapt_bench.synthetic.suites import is_suite, open_suite

__all__ = [
    "ALL_SEQUENCES",
    "AUTO",
    "DEFAULT_SCORE",
    "DEFAULT_TRIALS",
    "MOST_TRIALS",
    "OPTUNA",
    "RANDOM",
    "RECOVERY_SCORES",
    "SAMPLERS",
    "TUNING_SETTINGS",
    "TUNING_SUITES",
    "Objective",
    "TuningConfig",
    "allows_tuning",
    "recovery_scores",
    "refuse_rows",
    "score_choices",
]

DEFAULT_SCORE = "PAT=1,recovery_f1=0.5"

RECOVERY_SCORES = ("recovery_f1", "recovery_recall", "recovery_precision")
"""Scores of identities that were hidden for 3 to 10 frames."""

TUNING_SETTINGS = (
    *("score", "trials", "minutes", "folds", "sampler"),
    *("memory", "thresholds", "seed", "data"),
)
"""Settings that a result has."""

_LESS_IS_BETTER = ("IDSW", "Frag")


def score_choices() -> tuple[str, ...]:
    """Return the names of all scores that can be maximised."""
    from mapt_bench.metrics import SCORE_NAMES  # imported here: --help must start fast

    return (*(name for name in SCORE_NAMES if name not in _LESS_IS_BETTER), *RECOVERY_SCORES)


@dataclass(frozen=True, slots=True)
class Objective:
    """A weighted mean of scores.

    Attributes:
        weights: Name and weight of each score; weights are positive.

    Example:
        >>> objective = Objective.parse("PAT=1,recovery_f1=0.5")
        >>> round(objective.value({"PAT": 0.3, "recovery_f1": 0.6}), 6)
        0.4
        >>> str(Objective.parse("TQ"))
        'TQ'
    """

    weights: tuple[tuple[str, float], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``NAME`` or ``NAME=WEIGHT,NAME=WEIGHT``.

        Raises:
            ConfigError: If a score is unknown or named twice, is a count of errors, or a weight is
                not a positive number.
        """
        found: dict[str, float] = {}
        for word in text.split(","):
            name, equals, weight = (part.strip() for part in word.partition("="))
            _check_name(text, name)
            if name in found:
                raise ConfigError(f"--score {text} names {name} twice; keep one")
            found[name] = _weight(text, weight) if equals else 1.0
        return cls(tuple(found.items()))

    def __str__(self) -> str:
        if len(self.weights) == 1:
            return self.weights[0][0]
        return ",".join(f"{name}={weight:g}" for name, weight in self.weights)

    def value(self, scores: Mapping[str, float | None]) -> float:
        """Return the weighted mean of scores.

        Args:
            scores: Fractions by name; must hold every score of the objective.

        Raises:
            DataError: If a score is undefined.
        """
        total = 0.0
        for name, weight in self.weights:
            score = scores[name]
            if score is None:
                hint = (
                    "no identity is hidden for 3 to 10 frames and found on both sides"
                    if name in RECOVERY_SCORES
                    else "the videos do not have what it measures"
                )
                raise DataError(
                    f"{name} is undefined: {hint}; choose another --score, or tune on other videos"
                )
            total += weight * score
        return total / math.fsum(weight for _, weight in self.weights)


def recovery_scores(recovered: int, reappeared: int, right: int, returned: int) -> dict[str, float]:
    """Return recall, precision and F1 of recovered identities.

    Args:
        recovered: Reappearances found with the identity that they had.
        reappeared: Reappearances of tracks that are found on both sides of the gap.
        right: Identities given again to the right track.
        returned: Identities given again at all.

    Returns:
        A fraction for each of :data:`RECOVERY_SCORES`. Precision is 0 where no identity is given
        again: a tracker without memory recovers nothing. Empty where nothing reappears.

    Example:
        >>> recovery_scores(3, 4, 3, 6)
        {'recovery_f1': 0.6, 'recovery_recall': 0.75, 'recovery_precision': 0.5}
    """
    if not reappeared:
        return {}
    recall, precision = recovered / reappeared, right / returned if returned else 0.0
    both = recall + precision
    values: Sequence[float] = (2 * recall * precision / both if both else 0.0, recall, precision)
    return dict(zip(RECOVERY_SCORES, values, strict=True))


def _check_name(text: str, name: str) -> None:
    if name in _LESS_IS_BETTER:
        raise ConfigError(
            f"--score {text}: {name} counts errors, and a count depends on the number of frames; "
            "maximise a score such as TQ or AssA"
        )
    known = score_choices()
    if name not in known:
        raise ConfigError(
            f"--score {text}: there is no score {name!r}; {nearest(name, known)}; expected NAME or "
            f"NAME=WEIGHT,..., as in {DEFAULT_SCORE}"
        )


def _weight(text: str, word: str) -> float:
    try:
        weight = float(word)
    except ValueError:
        weight = math.nan
    if not 0 < weight < math.inf:
        raise ConfigError(f"--score {text}: the weight is {word!r}; expected a positive number")
    return weight


TUNING_SUITES = ("val", "shift-val", "train")
"""Suites that may be tuned on, in every version. The others are for reporting."""

AUTO, OPTUNA, RANDOM = SAMPLERS = ("auto", "optuna", "random")

ALL_SEQUENCES = "all"
"""The split that stands for every sequence of a folder."""

DEFAULT_TRIALS = 33
"""The start, and as many as a Sobol sequence needs to fill a space evenly."""

MOST_TRIALS = 1025
"""Most trials of each tracker where ``--minutes`` decides."""


def allows_tuning(suite: str) -> bool:
    """Return whether a suite may be tuned on.

    Example:
        >>> allows_tuning("val@2"), allows_tuning("bench")
        (True, False)
    """
    return suite.partition("@")[0] in TUNING_SUITES


def refuse_rows(config: ExperimentConfig, what: str) -> None:
    """Refuse the options about the rows of an experiment, for runs that take trackers instead.

    Args:
        config: Options of the run.
        what: What it is, for the message.

    Raises:
        ConfigError: If ``add``, ``only`` or ``losses`` is given.
    """
    given = [name for name in ("add", "only", "losses") if getattr(config, name)]
    if given:
        raise ConfigError(
            f"{what} has no rows; omit {', '.join(given)}, and name every tracker in trackers"
        )


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
        folds: Folds of a cross-validation over sequences, 2 or more; ``None`` for none.
        minutes: Tracking time of each tracker, more than 0. ``trials`` is then the most trials.
            ``None`` for no limit.

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
    folds: int | None = None
    minutes: float | None = None

    default_suite: ClassVar[str] = "val"
    default_segments: ClassVar[str] = f"{FOUND_BY_MAPT},{GROUND_TRUTH}"
    takes_many_segments: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.trials < 2:
            raise ConfigError(f"{self.trials} trials; expected 2 or more, the first is the start")
        if self.folds is not None and self.folds < 2:
            raise ConfigError(f"--folds is {self.folds}; expected 2 folds or more")
        if self.minutes is not None:
            check_range("--minutes", self.minutes, 0, open_low=True)
        if self.memory < 1:
            raise ConfigError(f"memory is {self.memory}; expected 1 frame or more")
        if self.sampler not in SAMPLERS:
            raise ConfigError(f"--sampler is {self.sampler!r}; {nearest(self.sampler, SAMPLERS)}")
        refuse_rows(self, "a tuning run")
        self._check_videos()
        Objective.parse(self.score)

    @property
    def experiment(self) -> str:
        """Name of the experiment, as results have it."""
        return "tune"

    @classmethod
    def from_cli(cls, **options: Any) -> Self:  # noqa: ANN401 - what click collects
        """Build a configuration from the options of the command line.

        Args:
            **options: By name of the field. ``trials`` is ``None`` for the default: as many as fit
                into ``minutes``, if they are given.

        Raises:
            ConfigError: If a value is out of range.
        """
        if options.get("trials") is None:
            timed = options.get("minutes") is not None
            options["trials"] = MOST_TRIALS if timed else DEFAULT_TRIALS
        return cls(**options)

    def _check_videos(self) -> None:
        if self.suite is not None and not is_suite(self.suite):
            open_suite(self.suite)  # its error names the nearest suite
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
