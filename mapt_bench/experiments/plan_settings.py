"""The keys of a plan in a file, and the options of an experiment that they stand for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from mapt_bench.errors import ConfigError
from mapt_bench.experiments.experiment_config import (
    AblationConfig,
    ExperimentConfig,
    StressConfig,
    SweepConfig,
)
from mapt_bench.experiments.matrix_config import IntervalMatrixConfig
from mapt_bench.experiments.plan_rows import (
    memory_of,
    name_in_plan,
    name_in_run,
)
from mapt_bench.marked_yaml import Node, Places
from mapt_bench.strict_config import from_mapping

__all__ = [
    "PLAN_SCHEMA",
    "RUN_KEYS",
    "DataSettings",
    "PlanSettings",
    "ReportSettings",
    "RunSettings",
    "TrackerSettings",
    "config_of",
    "dumped_plan",
    "folder_names",
    "plan_text",
]

PLAN_SCHEMA = "mapt-bench/plan/1"

_STRESS = "stress-"

Experiment = Literal[
    "ablate",
    "sweep-interval",
    "stress-occlusion",
    "stress-motion",
    "stress-similarity",
    "stress-image",
    "stress-failures",
    "interval-matrix",
]


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """One data set of a plan. The keys are those of the options with the same names.

    Attributes:
        suite: Name of a synthetic suite.
        folder: Folder with ``panoptic_maps`` and ``images``.
        dataset: Label space of the folder.
        encoding: Encoding of the maps of the folder.
        map: Class maps of the data and of detections.
        segments: Segments to link on these data. Empty for those of the plan.
    """

    suite: str | None = None
    folder: Path | None = None
    dataset: str | None = None
    encoding: str | None = None
    map: str | None = None
    segments: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrackerSettings:
    """One row of a plan, as a mapping instead of a text such as ``mapt+memory=20``.

    Attributes:
        tracker: Name of the tracker, or ``package.module:Class``.
        memory: Track memory in frames, 0 for none.
        weights: Weights of its network.
        switches: Components of MAPT to remove at inference.
        settings: Thresholds, or arguments of the class.
    """

    tracker: str
    memory: int = 0
    weights: str | None = None
    switches: tuple[str, ...] = ()
    settings: Mapping[str, str | int | float] = field(default_factory=dict)

    def row(self) -> str:
        """Return the row in the grammar of the command line."""
        memory = f"+memory={self.memory}" if self.memory else ""
        words = [f"{name}={value}" for name, value in self.settings.items()]
        words += [f"switch={name}" for name in self.switches]
        words += [] if self.weights is None else [f"weights={self.weights}"]
        return ",".join((f"{self.tracker}{memory}", *words))


@dataclass(frozen=True, kw_only=True)
class ReportSettings:
    """What is shown of the results.

    Attributes:
        scores: Scores of the headline and LaTeX tables. Empty for the default ones.
        rows: Rows of the headline and LaTeX tables. Empty for the best ones.
        losses: Rows with an error decomposition besides the reference, the best and the oracle.
        full: Whether to print all tables.
        page: Whether to write ``report.html``.
        gallery: Number of sequences with pictures in the report, 0 or more.
    """

    scores: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    full: bool = False
    page: bool = True
    gallery: int = 4

    def __post_init__(self) -> None:
        if self.gallery < 0:
            raise ConfigError(f"gallery is {self.gallery}; expected 0 or more")


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The keys of a plan that a matrix may vary. They are the options of the commands.

    Attributes:
        experiment: Name of the experiment.
        data: Data sets, with a run for each. Empty for the default suite of the experiment.
        segments: Segments that all trackers link.
        trackers: Rows that run, besides the bounds. Empty for all rows of the experiment.
        add: Rows to run besides those of the experiment.
        seeds: Seeds, with a run for each.
        weights: Weights of MAPT.
        flow_weights: Flow networks to run.
        thresholds: Thresholds of all trackers.
        memory: Track memory in frames.
        vpq_windows: Window sizes of VPQ in frames.
        reference: Row of the paired differences of an ablation.
        switches: Components of MAPT to remove at inference, one row each, in an ablation.
        trained: Networks that were trained without a component, in an ablation.
        without_memory: Whether all baselines run without memory too, in an ablation.
        by: Factors by which links are counted for each step of a fusion, in an ablation.
        drop: Intervals of dropped frames of a sweep or an interval matrix.
        pair: Pairing intervals of a sweep or an interval matrix.
        train_on: Suite or folder that heads are fine-tuned on, in an interval matrix.
        train_sequences: Number of its sequences.
        train_intervals: Training intervals: frames, ``"sampled"`` or ``"adaptive"``.
        train_seeds: Seeds of the fine-tunings.
        train_steps: Steps of a fine-tuning.
        target: Displacement in object sizes that adaptive intervals aim at.
        tracker: Row of an interval matrix, without memory.
        stressors: Stressors of a stress test.
        levels: Levels of a stress test.
        device: Device on which MAPT detects segments.
        precision: Precision of detection.
        batch: Frames that are detected at a time.
    """

    experiment: Experiment | None = None
    data: tuple[DataSettings, ...] = ()
    segments: tuple[str, ...] = ()
    trackers: tuple[TrackerSettings | str, ...] = ()
    add: tuple[TrackerSettings | str, ...] = ()
    seeds: tuple[int, ...] = ()
    weights: str | None = None
    flow_weights: tuple[str, ...] = ()
    thresholds: str | None = None
    memory: int | None = None
    vpq_windows: tuple[int, ...] | None = None
    reference: str | None = None
    switches: tuple[str, ...] = ()
    trained: tuple[str, ...] = ()
    without_memory: bool | None = None
    by: tuple[str, ...] = ()
    drop: tuple[int, ...] | None = None
    pair: tuple[int, ...] | None = None
    train_on: str | None = None
    train_sequences: int | None = None
    train_intervals: tuple[str | int, ...] | None = None
    train_seeds: tuple[int, ...] | None = None
    train_steps: int | None = None
    target: float | None = None
    tracker: str | None = None
    stressors: tuple[str, ...] = ()
    levels: tuple[int, ...] | None = None
    device: str | None = None
    precision: str | None = None
    batch: int | None = None


@dataclass(frozen=True, kw_only=True)
class PlanSettings(RunSettings):
    """All keys of a plan.

    Attributes:
        schema: Version of the format.
        name: Name of the plan. ``None`` is the name of its file.
        base: Path of another plan, relative to this one. The keys of this plan win.
        variables: Values of ``${NAME}``. The command line overrides them.
        matrix: Values by key: every combination runs.
        include: Further combinations.
        exclude: Combinations that do not run.
        report: What is shown of the results.
    """

    schema: Literal["mapt-bench/plan/1"] | None = None
    name: str | None = None
    base: str | None = None
    variables: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    matrix: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    include: tuple[Mapping[str, object], ...] = ()
    exclude: tuple[Mapping[str, object], ...] = ()
    report: ReportSettings = field(default_factory=ReportSettings)


RUN_KEYS = tuple(each.name for each in fields(RunSettings))
"""Keys of one run: those that ``include`` may have."""


def _kind_of(experiment: str) -> type[ExperimentConfig]:
    kinds: dict[str, type[ExperimentConfig]] = {
        "ablate": AblationConfig,
        "sweep-interval": SweepConfig,
        "interval-matrix": IntervalMatrixConfig,
    }
    return kinds.get(experiment, StressConfig)


_DIRECT = tuple(
    name for name in RUN_KEYS if name not in ("experiment", "data", "seeds", "segments")
)
"""Keys that are fields of the options of an experiment."""

_OF_DEVICE = ("device", "precision", "batch")
"""Keys that a written plan has only where they differ from their defaults."""


def config_of(node: Node, report: ReportSettings) -> ExperimentConfig:
    """Return the options of one run."""
    places = Places(node)
    run: RunSettings = from_mapping(RunSettings, node.plain(), what="the plan", where=places)
    if run.experiment is None:
        known = ", ".join(get_args(Experiment))
        raise ConfigError(
            f"the plan lacks the key 'experiment'; expected one of {known}", where=places.of("")
        )
    kind = _kind_of(run.experiment)
    own = {each.name for each in fields(kind)}
    data = run.data[0] if run.data else DataSettings()
    segments = data.segments or run.segments
    options: dict[str, Any] = {
        "data": data.folder,
        "suite": data.suite,
        "dataset": data.dataset,
        "encoding": data.encoding,
        "class_map": data.map,
        "segments": ",".join(segments) if segments else None,
        "losses": report.losses,
        "seed": run.seeds[0] if run.seeds else 0,
    }
    if kind is StressConfig:
        options["kind"] = run.experiment.removeprefix(_STRESS)
    for name in _DIRECT:
        value = getattr(run, name)
        if name not in node.value or value is None:
            continue
        target = "only" if name == "trackers" else name
        if target not in own:
            raise ConfigError(
                f"{name} is no key of the experiment {run.experiment!r}; remove it, or choose "
                "another experiment",
                where=places.of(name, is_key=True),
            )
        options[target] = _rows(value) if name in ("trackers", "add") else value
    if "train_intervals" in options:
        options["train_intervals"] = tuple(map(str, options["train_intervals"]))
    if kind is SweepConfig and ("drop" in options or "pair" in options):
        options = {"drop": None, "pair": None, **options}
    config = kind(**options)
    return replace(
        config, losses=tuple(name_in_run(name, memory_of(config)) for name in config.losses)
    )


def _rows(rows: Sequence[TrackerSettings | str]) -> tuple[str, ...]:
    return tuple(each if isinstance(each, str) else each.row() for each in rows)


def plan_text(configs: Sequence[ExperimentConfig], report: ReportSettings) -> str:
    """Return the plan of runs that differ in their data only, as YAML.

    The run folder and the number of processes are omitted: they do not change the result.

    Args:
        configs: Options of each run.
        report: What is shown of the results, except losses, which the options have.
    """
    first = configs[0]
    document: dict[str, Any] = {
        "schema": PLAN_SCHEMA,
        "experiment": first.experiment,
        "data": [_data_of(config) for config in configs],
    }
    if first.segments is not None:
        document["segments"] = first.segments.split(",")
    own = {each.name for each in fields(first)}
    for name in _DIRECT:
        target = "only" if name == "trackers" else name
        value = getattr(first, target) if target in own else None
        if name in _OF_DEVICE and value == getattr(ExperimentConfig, name):
            continue
        if value is not None and value != ():
            document[name] = list(dict.fromkeys(value)) if isinstance(value, tuple) else value
    document["seeds"] = [first.seed]
    shown = {each.name: getattr(report, each.name) for each in fields(report)}
    shown["losses"] = tuple(name_in_plan(name, memory_of(first)) for name in first.losses)
    document["report"] = {
        name: list(dict.fromkeys(value)) if isinstance(value, tuple) else value
        for name, value in shown.items()
        if value != ()
    }
    return dumped_plan(document)


def _data_of(config: ExperimentConfig) -> dict[str, str]:
    suite = None if config.data is not None else config.suite or config.default_suite
    found = {
        "suite": suite,
        "folder": config.data,
        "dataset": config.dataset,
        "encoding": config.encoding,
        "map": config.class_map,
    }
    return {name: str(value) for name, value in found.items() if value is not None}


def dumped_plan(document: Mapping[str, Any]) -> str:
    """Return a plan as YAML, with its keys in their order. Texts with ``${`` keep it."""
    return yaml.safe_dump(_escaped(document), sort_keys=False, allow_unicode=True)


def _escaped(value: Any) -> Any:  # noqa: ANN401 - any YAML
    if isinstance(value, Mapping):
        return {name: _escaped(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    return value.replace("${", "$${") if isinstance(value, str) else value


def folder_names(folders: Sequence[Path]) -> list[str]:
    """Return the shortest distinct endings of the paths, as names of run folders."""
    parts = [folder.resolve().parts for folder in folders]
    for length in range(1, max(map(len, parts), default=0) + 1):
        names = ["-".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return ["-".join(each[-1:]) for each in parts]
