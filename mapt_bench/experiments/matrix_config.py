"""The configuration of an interval matrix: all options of ``sweep-interval --train``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from mapt_bench.baselines.rows import DEFAULT_MEMORY
from mapt_bench.errors import ConfigError, check_range, check_seed, whole_numbers
from mapt_bench.experiments.experiment_config import DEFAULT_TAUS, FOUND_BY_MAPT, ExperimentConfig

__all__ = [
    "ADAPTIVE",
    "DEFAULT_STEPS",
    "DEFAULT_TARGET",
    "DEFAULT_TRAINING",
    "SAMPLED",
    "IntervalMatrixConfig",
    "is_fixed",
]

SAMPLED, ADAPTIVE = "sampled", "adaptive"

DEFAULT_TRAINING = (*map(str, DEFAULT_TAUS), SAMPLED, ADAPTIVE)
"""Training intervals of the default matrix."""

DEFAULT_STEPS = 80

DEFAULT_TARGET = 0.3
"""Displacement over size of the adaptive intervals: what cars of KITTI move in three frames."""

_TRACKER = "mapt:paper"


def is_fixed(interval: str) -> bool:
    """Whether a training interval is a number of frames, and not sampled or adaptive.

    Example:
        >>> is_fixed("3"), is_fixed("03"), is_fixed("adaptive")
        (True, False, False)
    """
    return re.fullmatch("[1-9][0-9]{0,8}", interval) is not None


@dataclass(frozen=True, kw_only=True)
class IntervalMatrixConfig(ExperimentConfig):
    """A matrix of training intervals by inference intervals.

    Attributes:
        train_on: Suite of synthetic videos, or folder, that heads are fine-tuned on. ``None`` is
            the suite ``train``; with ``data`` it must be given.
        train_sequences: Number of its sequences, spread over all, 1 or more.
        train_intervals: Training intervals: frames as text, ``"sampled"``, ``"adaptive"``.
        train_seeds: Seeds of the fine-tunings; each interval has one network for each.
        train_steps: Steps of a fine-tuning, 1 or more.
        pair: Fixed inference intervals in frames. The adaptive interval always runs, too.
        drop: Frame skips; 1 keeps all frames.
        target: Displacement over size that adaptive intervals aim at, above 0.
        memory: Frames for which the row keeps a lost track, 0 or more.
        tracker: Row that links, without memory.

    Raises:
        ConfigError: If a value is out of range, or options do not go together.
    """

    train_on: str | None = None
    train_sequences: int = 24
    train_intervals: tuple[str, ...] = DEFAULT_TRAINING
    train_seeds: tuple[int, ...] = (0, 1, 2)
    train_steps: int = DEFAULT_STEPS
    pair: tuple[int, ...] = DEFAULT_TAUS
    drop: tuple[int, ...] = (1,)
    target: float = DEFAULT_TARGET
    memory: int = DEFAULT_MEMORY
    tracker: str = _TRACKER

    default_segments: ClassVar[str] = FOUND_BY_MAPT

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("--train-sequences", self.train_sequences, 1)
        check_range("--train-steps", self.train_steps, 1)
        check_range("--target", self.target, 0, open_low=True)
        check_range("--memory", self.memory, 0)
        for name, values in (("--pair", self.pair), ("--drop", self.drop)):
            _check_distinct(name, values, least=1)
        _check_distinct("--train-seeds", self.train_seeds, least=0)
        for each in self.train_seeds:
            check_seed("--train-seeds", each)
        _check_intervals(self.train_intervals)
        if self.data is not None and self.train_on is None:
            raise ConfigError(
                "an interval matrix with --data needs --train-on: the folder or suite that heads "
                "are fine-tuned on, such as the training split of the same data"
            )
        if self.add or self.only or self.losses or self.flow_weights:
            raise ConfigError(
                "an interval matrix runs one row of MAPT at all intervals; omit --add, --only, "
                "--losses and --flow-weights"
            )

    @property
    def experiment(self) -> str:
        """Name of the experiment, as results have it."""
        return "interval-matrix"

    def _words_of_command(self) -> tuple[str, ...]:
        return "sweep-interval", "--train"

    @property
    def taus(self) -> tuple[int, ...]:
        """Intervals that sampled and adaptive training choose from."""
        fixed = {int(each) for each in self.train_intervals if is_fixed(each)}
        return tuple(sorted(fixed | set(self.pair)))

    @classmethod
    def from_cli(cls, **options: Any) -> Self:  # noqa: ANN401 - what click collects
        """Build a configuration from the options of the command line.

        Args:
            **options: By name of the field. Lists are text with commas, ``None`` for the default.

        Raises:
            ConfigError: If a list has another form, or a value is out of range.
        """
        given = {name: value for name, value in options.items() if value is not None}
        for name in ("pair", "drop", "train_seeds"):
            if name in given:
                option = f"--{name.replace('_', '-')}"
                expected = "whole numbers with commas, as in 1,2,3"
                given[name] = whole_numbers(option, given[name], expected)
        if "train_intervals" in given:
            words = given["train_intervals"].split(",")
            given["train_intervals"] = tuple(word.strip() for word in words)
        return cls(**given)


def _check_distinct(option: str, values: Sequence[int], *, least: int) -> None:
    if not values or min(values) < least or len(set(values)) != len(values):
        raise ConfigError(
            f"{option} is {list(values)}; expected distinct whole numbers, {least} or more"
        )


def _check_intervals(values: Sequence[str]) -> None:
    for each in values:
        if each not in (SAMPLED, ADAPTIVE) and not is_fixed(each):
            raise ConfigError(
                f"--train-intervals has {each!r}; expected frames, such as 1 or 3, {SAMPLED}, or "
                f"{ADAPTIVE}"
            )
    if not values or len(set(values)) != len(values):
        raise ConfigError(f"--train-intervals is {list(values)}; expected each interval once")
