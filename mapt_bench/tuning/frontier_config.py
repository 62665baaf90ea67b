"""Every option of ``mapt-bench frontier``, checked and immutable."""

from dataclasses import dataclass
from typing import ClassVar

from mapt_bench.baselines.rows import DEFAULT_MEMORY
from mapt_bench.errors import ConfigError
from mapt_bench.experiments.experiment_config import FOUND_BY_MAPT, ExperimentConfig
from mapt_bench.tuning.tuning_config import refuse_rows

__all__ = ["DEFAULT_SETTINGS", "NEAR", "FrontierConfig"]

DEFAULT_SETTINGS = 17
"""The start, and as many as a Sobol sequence needs to fill a space evenly."""

NEAR = 0.002
"""Distance to both maxima within which a setting counts as best in both scores."""


@dataclass(frozen=True, kw_only=True)
class FrontierConfig(ExperimentConfig):
    """A frontier of PAT against STQ: the same number of settings for every tracker.

    Attributes:
        trackers: Names of the trackers; empty for those of the ablation.
        trials: Settings of each tracker, 2 or more. The first ones are ``thresholds``.
        memory: Frames that a lost track is kept for, the same for every tracker, 1 or more.
        trained: Further networks of MAPT, shipped names or ``NAME=FILE``. Each has its own points:
            MAPT's trackers, on the detections of this network.

    Raises:
        ConfigError: If a value is out of range, or options exclude each other.
    """

    trackers: tuple[str, ...] = ()
    trials: int = DEFAULT_SETTINGS
    memory: int = DEFAULT_MEMORY
    trained: tuple[str, ...] = ()

    default_suite: ClassVar[str] = "val"
    default_segments: ClassVar[str] = FOUND_BY_MAPT

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.trials < 2:
            raise ConfigError(
                f"{self.trials} settings of each tracker; expected 2 or more, the first are the "
                "thresholds"
            )
        if self.memory < 1:
            raise ConfigError(f"memory is {self.memory}; expected 1 frame or more")
        refuse_rows(self, "a frontier")

    @property
    def experiment(self) -> str:
        """Name of the experiment, as results have it."""
        return "frontier"
