"""Configurations of the experiments: all options of a command, with defaults and checks."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from mapt_bench.baselines.rows import DEFAULT_MEMORY
from mapt_bench.baselines.segmenters import GROUND_TRUTH
from mapt_bench.baselines.thresholds import (
    DEFAULT_THRESHOLDS,
    ThresholdsName,
    check_thresholds,
)
from mapt_bench.devices import CPU, FLOAT32, DeviceSettings, check_device_options
from mapt_bench.errors import ConfigError, check_seed, whole_numbers
from mapt_bench.metrics.scorer import WINDOWS, checked_windows
from mapt_bench.strict_config import from_mapping
from mapt_bench.workers import LOCAL, check_cluster

__all__ = [
    "DEFAULT_LEVELS",
    "DEFAULT_TAUS",
    "FAILURES",
    "FOUND_BY_MAPT",
    "SEGMENTS_FORM",
    "AblationConfig",
    "ExperimentConfig",
    "StressConfig",
    "SweepConfig",
]

FOUND_BY_MAPT = "mapt"
"""Value of ``--segments`` for the detections of the command's MAPT."""

SEGMENTS_FORM = "mapt|groundtruth|noisy|NAME|FILE|DIR"
"""Values of ``--segments``."""

DEFAULT_TAUS = (1, 2, 3, 5)
"""Default temporal intervals of a sweep, in frames: those of the experiments in the paper."""

DEFAULT_LEVELS = (1, 3, 5)
"""Default levels of a stress test of one kind."""

FAILURES = "failures"
"""Kind of the stress test with the failure signatures of the paper."""

_Config = TypeVar("_Config", bound="ExperimentConfig")


@dataclass(frozen=True, kw_only=True)
class ExperimentConfig:
    """The options that all experiments have.

    Attributes:
        data: Folder with ``panoptic_maps`` and ``images``; ``None`` runs on a suite.
        suite: Name of a synthetic suite; ``None`` is the default of the experiment.
        segments: Segments that every tracker links, in the grammar of ``--segments``; ``None`` is
            the default of the experiment.
        add: Rows to run besides those of the experiment, ``NAME[+memory[=N]][,SETTING=VALUE...]``.
        only: Rows to run, in this order and in the same grammar, with the rows of ``add``. The
            unlinked segments, the copied masks and the oracles run too, because they bound the
            scores. Empty runs all rows of the experiment.
        dataset: Label space of ``data``: a built-in name or a YAML file; ``None`` asks the folder.
        encoding: Encoding of the maps of ``data``; ``None`` detects it.
        class_map: Class maps of the data and of detections: a built-in name or a YAML file.
        vpq_windows: Window sizes of VPQ in frames, ascending, each 1 or more.
        weights: Weights of MAPT: a shipped name, a file, or ``"none"``; ``None`` takes the shipped
            default.
        flow_weights: Flow networks to run: ``NAME=FILE``, or the name of shipped weights.
        thresholds: Thresholds of all trackers: ``"tuned"``, ``"published"``, or a file that
            ``mapt-bench tune`` wrote.
        out: Run folder; ``None`` is ``runs/<experiment>-<time>``.
        losses: Rows with an error decomposition besides the reference, the best, the oracle and
            added rows.
        jobs: Worker processes, 1 or more.
        cluster: Address of a Dask scheduler that runs the work units, or ``"local"`` for a cluster
            on this machine with ``jobs`` workers; ``None`` runs them in processes.
        scheduler_file: File with the address of a Dask scheduler, instead of ``cluster``.
        seed: Seed of segment order, faults and resampling, 0 or more.
        device: Device on which MAPT detects segments: ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or
            ``"auto"``. Trackers link them on the CPU.
        precision: Precision of detection: ``"float32"``, ``"bf16"`` or ``"fp16"``.
        batch: Frames that are detected at a time; ``None`` is 1 on the CPU and 8 on a GPU.

    Raises:
        ConfigError: If a value is out of range, or options exclude each other.
        DataError: If the thresholds file cannot be used.
    """

    data: Path | None = None
    suite: str | None = None
    segments: str | None = None
    add: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    dataset: str | None = None
    encoding: str | None = None
    class_map: str | None = None
    vpq_windows: tuple[int, ...] = WINDOWS
    weights: str | None = None
    flow_weights: tuple[str, ...] = ()
    thresholds: ThresholdsName = DEFAULT_THRESHOLDS
    out: Path | None = None
    losses: tuple[str, ...] = ()
    jobs: int = 1
    cluster: str | None = None
    scheduler_file: Path | None = None
    seed: int = 0
    device: str = CPU
    precision: str = FLOAT32
    batch: int | None = None

    default_suite: ClassVar[str] = "quick"
    default_segments: ClassVar[str] = GROUND_TRUTH
    takes_many_segments: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_seed("--seed", self.seed)
        if self.jobs < 1:
            raise ConfigError(f"-j is {self.jobs}; expected 1 worker process or more")
        checked_windows(self.vpq_windows, "--vpq-windows")
        check_cluster(self.cluster, self.scheduler_file)
        check_device_options(self.device, self.precision, self.batch)
        check_thresholds(self.thresholds)
        if self.data is not None and self.suite is not None:
            raise ConfigError("--data and --suite are two sources of videos; keep one of them")
        if self.data is None and (self.dataset is not None or self.encoding is not None):
            raise ConfigError("--dataset and --encoding are for --data; give --data too")

    @property
    def experiment(self) -> str:
        """Name of the experiment, as results have it."""
        raise NotImplementedError

    @classmethod
    def from_cli(cls: type[_Config], **options: Any) -> _Config:  # noqa: ANN401 - what click collects
        """Build a configuration from the options of the command line.

        Args:
            **options: By name of the field. Lists of numbers are text with commas.

        Raises:
            ConfigError: If a list of numbers has another form, or a value is out of range.
        """
        return cls(**options)

    @classmethod
    def from_dict(
        cls: type[_Config], data: Mapping[str, Any], *, where: object | None = None
    ) -> _Config:
        """Build a configuration from plain data. Missing keys take their defaults.

        Args:
            data: From YAML or JSON, or from :meth:`to_dict`.
            where: File, for messages.

        Raises:
            ConfigError: If a key is unknown (the message names the nearest), or a value has the
                wrong type or is out of range.
        """
        return from_mapping(cls, data, what="the configuration", where=where)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for YAML or JSON that :meth:`from_dict` reads back."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    def device_settings(self) -> DeviceSettings:
        """Return where MAPT detects segments.

        Raises:
            ConfigError: If the device is ``"auto"`` and the work runs on other machines.
        """
        return DeviceSettings.of(self.device, self.precision, self.batch, is_remote=self._is_remote)

    def settings_here(self) -> DeviceSettings:
        """Return where networks run on this machine: on the CPU if others detect segments."""
        return DeviceSettings() if self._is_remote else self.device_settings()

    def check_device(self) -> None:
        """Check that this machine has the device and the precision, if the work runs on it.

        Raises:
            ConfigError: If it has not. The message names what there is.
        """
        settings = self.device_settings()
        if not self._is_remote:
            settings.check_here()

    @property
    def _is_remote(self) -> bool:
        return self.scheduler_file is not None or self.cluster not in (None, LOCAL)

    def command_line(self) -> str:
        """Return the command of the same run, with its data and all options that differ.

        The run folder, the number of processes and the cluster are omitted: they do not change the
        result.

        Example:
            >>> SweepConfig(suite="tiny", drop=(1, 2), add=("sort+memory",)).command_line()
            'mapt-bench sweep-interval --suite tiny --add sort+memory --drop 1,2 --pair 1,2,3,5'
        """
        words = ["mapt-bench", *self._words_of_command()]
        suite = self.suite or (None if self.data else self.default_suite)
        for field in fields(self):
            value = suite if field.name == "suite" else getattr(self, field.name)
            is_default = value == field.default and field.name not in _ALWAYS_GIVEN
            if field.name not in _WITHOUT_EFFECT and not is_default and value is not None:
                words += _option_words(field.name, value)
        return shlex.join(words)

    def _words_of_command(self) -> tuple[str, ...]:
        return (self.experiment,)

    def with_folder(self: _Config) -> _Config:
        """Return the same configuration with a run folder."""
        if self.out is not None:
            return self
        name = f"{self.experiment}-{datetime.now():%Y%m%d-%H%M%S}"
        return replace(self, out=Path("runs") / name)


@dataclass(frozen=True, kw_only=True)
class AblationConfig(ExperimentConfig):
    """An ablation: cues, memory, fusion orders and flows on the same segments.

    Attributes:
        memory: Frames for which rows named ``+memory`` keep a lost track, 1 or more.
        switches: Parts of MAPT to remove at inference, one row each; ``"all"`` for every part;
            ``"KEY=VALUE"`` for a setting.
        trained: Networks that were trained without a part: shipped names or ``NAME=FILE``.
        reference: Row that paired differences are taken to; ``None`` is MAPT with memory, or
            ``both`` without MAPT.
        without_memory: Whether baselines and fusions also run without memory, and not only copying
            and the heads.
        by: Factors by which links are counted for each step of a fusion, names of
            :data:`~mapt_bench.metrics.step_links.BY_FACTORS`. With any, each fusion with memory
            gets rows in which ground truth replaces its steps.
    """

    memory: int = DEFAULT_MEMORY
    switches: tuple[str, ...] = ()
    trained: tuple[str, ...] = ()
    reference: str | None = None
    without_memory: bool = False
    by: tuple[str, ...] = ()

    default_segments: ClassVar[str] = f"{FOUND_BY_MAPT},{GROUND_TRUTH}"
    takes_many_segments: ClassVar[bool] = True

    @property
    def experiment(self) -> str:
        """Name of the experiment, as results have it."""
        return "ablate"


@dataclass(frozen=True, kw_only=True)
class SweepConfig(ExperimentConfig):
    """A sweep over temporal intervals.

    Attributes:
        drop: Intervals in frames; only every tau-th frame exists. ``None`` omits this sweep.
        pair: Pairing intervals in frames. ``None`` omits this sweep.
        memory: Frames for which every row that has memory keeps a lost track; 0 for none.
    """

    drop: tuple[int, ...] | None = DEFAULT_TAUS
    pair: tuple[int, ...] | None = DEFAULT_TAUS
    memory: int = 0

    default_segments: ClassVar[str] = FOUND_BY_MAPT

    @property
    def experiment(self) -> str:
        """Name of the experiment, as results have it."""
        return "sweep-interval"

    @classmethod
    def from_cli(cls: type[_Config], **options: Any) -> _Config:  # noqa: ANN401 - what click collects
        """Build a configuration from the options of the command line.

        Args:
            **options: By name of the field. ``drop`` and ``pair`` are text with commas; both sweeps
                run if neither is given.

        Raises:
            ConfigError: If intervals have another form, or a value is out of range.
        """
        texts = {name: options.pop(name, None) for name in ("drop", "pair")}
        if texts != {"drop": None, "pair": None}:
            expected = "whole numbers of frames with commas, as in 1,2,3,5"
            for name, text in texts.items():
                options[name] = None if text is None else whole_numbers(f"--{name}", text, expected)
        return cls(**options)


@dataclass(frozen=True, kw_only=True)
class StressConfig(ExperimentConfig):
    """A stress test of one kind, or of the failure signatures of the paper.

    Attributes:
        kind: ``"occlusion"``, ``"motion"``, ``"similarity"``, ``"image"`` or ``"failures"``.
        stressors: Stressors of the kind, for failures of any kind; empty for the default ones.
        levels: Levels, 1 (mild) to 5; ``None`` for the default ones of the kind. Level 0, the
            unchanged videos, always runs.
        memory: Frames for which rows named ``+memory`` keep a lost track, 1 or more.
    """

    kind: str
    stressors: tuple[str, ...] = ()
    levels: tuple[int, ...] | None = None
    memory: int = DEFAULT_MEMORY

    default_suite: ClassVar[str] = "stress"
    takes_many_segments: ClassVar[bool] = True

    @property
    def experiment(self) -> str:
        """Name of the experiment, as results have it."""
        return f"stress-{self.kind}"

    def _words_of_command(self) -> tuple[str, ...]:
        return "stress", self.kind

    @classmethod
    def from_cli(cls: type[_Config], **options: Any) -> _Config:  # noqa: ANN401 - what click collects
        """Build a configuration from the options of the command line.

        Args:
            **options: By name of the field. ``levels`` is text with commas, or ``None``.

        Raises:
            ConfigError: If the levels have another form, or a value is out of range.
        """
        if options.get("levels") is not None:
            expected = "levels of 1 (mild) to 5 with commas, as in 1,3,5"
            options["levels"] = whole_numbers("--levels", options["levels"], expected)
        return cls(**options)


_WITHOUT_EFFECT = frozenset({"out", "jobs", "cluster", "scheduler_file", "kind"})
"""Fields that are no options of a command, or do not change its result."""

_ALWAYS_GIVEN = frozenset({"drop", "pair"})
"""Options whose default applies only if neither is given."""

_WITH_COMMAS = frozenset({"by", "train_intervals"})
"""Lists that are one option with commas."""

_OPTIONS = {
    "class_map": "map",
    "switches": "switch",
    "stressors": "stressor",
    "trackers": "tracker",
}
"""Names of options that differ from those of their fields."""


def _option_words(name: str, value: object) -> list[str]:
    """Return an option with its value, repeated for each text of a list; a flag has none."""
    option = f"--{_OPTIONS.get(name, name).replace('_', '-')}"
    if isinstance(value, bool):
        return [option] if value else []
    if isinstance(value, tuple) and (
        name in _WITH_COMMAS or all(isinstance(each, int) for each in value)
    ):
        return [option, ",".join(map(str, value))]
    values = value if isinstance(value, tuple) else (value,)
    return [word for each in values for word in (option, str(each))]


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
