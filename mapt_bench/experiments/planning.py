"""From the options of an experiment to its plan and its inputs: networks, segments and data."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from mapt_bench.baselines.rows import DEFAULT_MEMORY, parse_row, row_name
from mapt_bench.baselines.segmenters import GROUND_TRUTH
from mapt_bench.data.encodings import encoding_by_name
from mapt_bench.errors import ConfigError, DataError, nearest
from mapt_bench.experiments.experiment_config import (
    FOUND_BY_MAPT,
    AblationConfig,
    ExperimentConfig,
    StressConfig,
    SweepConfig,
)
from mapt_bench.experiments.matrix_config import IntervalMatrixConfig
from mapt_bench.experiments.matrix_plan import expected_heads, matrix_plan
from mapt_bench.experiments.plans.ablation_plan import ablation_plan
from mapt_bench.experiments.plans.data_source import DataSource, folder_source, suite_source
from mapt_bench.experiments.plans.network_weights import (
    BY_NAME,
    MaptWeights,
    NetworkWeights,
    WeightsReader,
    named_files,
    shipped_flow_files,
)
from mapt_bench.experiments.plans.plan import Plan
from mapt_bench.experiments.plans.segment_sources import (
    NOISY,
    SAVED,
    SegmentSource,
    parse_segments,
)
from mapt_bench.experiments.plans.sweep_plans import interval_plan, stress_plan
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.experiments.plans.variants import added_variant, flow_variant
from mapt_bench.labels import class_maps, label_space
from mapt_bench.mapt_switches import SWITCHES, check_switch
from mapt_bench.synthetic.suites import is_suite, open_suite
from mapt_bench.weights import DEFAULT_MAPT, shipped_mapt_weights, shipped_weights

__all__ = ["TUNES_MAPT", "ExperimentInputs", "check_config", "check_inputs", "plan_of"]

TUNES_MAPT = "an interval matrix fine-tunes heads of MAPT; give --weights NAME|FILE"
"""Why an interval matrix needs weights."""

_NO_WEIGHTS = "none"
_ALL_SWITCHES = "all"


def check_config(config: ExperimentConfig) -> Plan:
    """Check all names of a configuration. This reads no weights and no data, so it is fast.

    Returns:
        The plan, with networks that have a name only.

    Raises:
        ConfigError: If a name is unknown, or options do not go together.
        DataError: If a file or folder does not exist.
    """
    check_inputs(config)
    plan = plan_of(config, ExperimentInputs(config, BY_NAME))
    names = [variant.name for variant in plan.variants]
    for name in config.losses:
        if name not in names:
            raise ConfigError(
                f"--losses is {name!r}, and no row has this name; {nearest(name, names)}"
            )
    return plan


def check_inputs(config: ExperimentConfig) -> None:
    """Check the names of data, label space, class maps and encoding.

    Raises:
        ConfigError: If a name is unknown.
        DataError: If a file or folder does not exist.
    """
    if config.data is None:
        open_suite(config.suite or config.default_suite)
    elif not config.data.exists():
        raise DataError(
            "does not exist; expected a folder of frames or sequences", where=config.data
        )
    if config.dataset is not None:
        label_space(config.dataset)
    if config.class_map is not None:
        class_maps(config.class_map)
    if config.encoding is not None:
        encoding_by_name(config.encoding)


def plan_of(config: ExperimentConfig, inputs: "ExperimentInputs") -> Plan:
    """Return the plan of a configuration."""
    return replace(_plan(config, inputs), vpq_windows=config.vpq_windows)


def _plan(config: ExperimentConfig, inputs: "ExperimentInputs") -> Plan:
    if isinstance(config, AblationConfig):
        return _plan_ablation(config, inputs)
    if isinstance(config, SweepConfig):
        return _plan_sweep(config, inputs)
    if isinstance(config, StressConfig):
        return _plan_stress(config, inputs)
    if isinstance(config, IntervalMatrixConfig):
        return _plan_matrix(config, inputs)
    raise TypeError(f"no experiment has a {type(config).__name__}")


def _plan_ablation(config: AblationConfig, inputs: "ExperimentInputs") -> Plan:
    names = _names_of(inputs.kinds)
    finder = None if inputs.mapt is None else inputs.mapt.name
    return ablation_plan(
        memory=config.memory,
        mapt=inputs.mapt,
        flow_weights=inputs.flow_weights,
        switches=_switches(config.switches),
        trained=inputs.trained,
        segments=names,
        shared_segments=[name for name in names if name != finder],
        thresholds=config.thresholds,
        reference=config.reference,
        left_out=tuple(shipped_flow_files()),
        every_memory=config.without_memory,
        added=inputs.added(memory=config.memory),
        only=inputs.only(memory=config.memory),
        by=config.by,
    )


def _names_of(kinds: Sequence[SegmentSource | Path]) -> list[str]:
    return [each.name if isinstance(each, SegmentSource) else SAVED for each in kinds]


def _plan_sweep(config: SweepConfig, inputs: "ExperimentInputs") -> Plan:
    _ = inputs.kinds  # refuses several kinds of segments before anything is planned
    return interval_plan(
        drop=config.drop,
        pair=config.pair,
        memory=config.memory,
        mapt=inputs.mapt,
        flow_weights=inputs.flow_weights,
        thresholds=config.thresholds,
        left_out=tuple(shipped_flow_files()),
        added=inputs.added(memory=config.memory),
        only=inputs.only(memory=config.memory),
    )


def _plan_stress(config: StressConfig, inputs: "ExperimentInputs") -> Plan:
    flows = [flow_variant(weights.name, weights) for weights in inputs.flow_weights]
    return stress_plan(
        config.kind,
        stressors=config.stressors,
        levels=config.levels,
        memory=config.memory,
        seed=config.seed,
        mapt=inputs.mapt,
        segments=_names_of(inputs.kinds),
        thresholds=config.thresholds,
        added=(*inputs.added(memory=config.memory), *flows),
        only=inputs.only(memory=config.memory),
    )


def _plan_matrix(config: IntervalMatrixConfig, inputs: "ExperimentInputs") -> Plan:
    _ = inputs.kinds
    name = config.train_on
    if name is not None and not is_suite(name) and not Path(name).exists():
        open_suite(name)  # raises the error that names the nearest suite
    given = inputs.needed_mapt(TUNES_MAPT)
    plan, _ = matrix_plan(config, given, expected_heads(config, given, inputs.reader.mapt))
    return plan


class ExperimentInputs:
    """The inputs that the options of an experiment name: networks, segments, rows and data.

    Args:
        config: The options.
        reader: Reads weights.

    Attributes:
        reader: Reads weights.
    """

    def __init__(self, config: ExperimentConfig, reader: WeightsReader) -> None:
        self._config = config
        self.reader = reader

    @cached_property
    def mapt(self) -> MaptWeights | None:
        """Weights of MAPT, or ``None`` without MAPT."""
        weights = self._config.weights
        if weights == _NO_WEIGHTS or (weights is None and DEFAULT_MAPT not in shipped_weights()):
            return None
        return self.reader.mapt(weights or DEFAULT_MAPT, None)

    @cached_property
    def flow_weights(self) -> tuple[NetworkWeights, ...]:
        """Weights of the flow networks."""
        shipping, texts = shipped_flow_files(), self._config.flow_weights
        files = named_files(
            "--flow-weights",
            [text for text in texts if text not in shipping],
            example="flow:raft-small=raft_small.pth",
            shipping=shipping,
        )
        named = {name: path for name, path in shipping.items() if name in texts}
        return self.reader.flow({**named, **files})

    @cached_property
    def kinds(self) -> tuple[SegmentSource | Path, ...]:
        """Sources of segments. A path is a folder of predictions."""
        text = self._config.segments
        if text is None:
            is_real = self._config.data is not None
            text = GROUND_TRUTH if is_real else self._config.default_segments
            if FOUND_BY_MAPT in text and self.mapt is None:
                text = text.replace(FOUND_BY_MAPT, NOISY)
        return parse_segments(
            text,
            mapt=self._finder,
            many=self._config.takes_many_segments,
            reader=self.reader,
        )

    def _finder(self) -> MaptWeights:
        return self.needed_mapt(
            "--segments mapt needs weights of MAPT, and there are none; give --weights "
            f"NAME|FILE, or --segments {GROUND_TRUTH} or {NOISY}"
        )

    def needed_mapt(self, message: str) -> MaptWeights:
        """Return the weights of MAPT.

        Args:
            message: What needs them, and what to do without them.

        Raises:
            ConfigError: If there are none. It has the message.
        """
        if self.mapt is None:
            raise ConfigError(message)
        return self.mapt

    @cached_property
    def trained(self) -> tuple[MaptWeights, ...]:
        """Networks with separate tables or points, the network of ``weights`` first."""
        texts: Sequence[str] = getattr(self._config, "trained", ())  # not all experiments have it
        if not texts:
            return ()
        if self.mapt is None:
            raise ConfigError("--trained compares with the complete MAPT; give its --weights too")
        known = shipped_mapt_weights()
        shipping = [text for text in texts if text in known]
        files = named_files(
            "--trained",
            [text for text in texts if text not in known],
            example="static=runs/static/weights.safetensors",
            shipping=known,
        )
        found = (
            self.mapt,
            *(self.reader.mapt(name, None) for name in shipping),
            *(self.reader.mapt(str(path), name) for name, path in files.items()),
        )
        names = [each.name for each in found]
        if len(set(names)) != len(names):
            raise ConfigError(
                f"--trained has a network twice, or the network of --weights: {', '.join(names)}"
            )
        return found

    def added(self, *, memory: int) -> tuple[Variant, ...]:
        """Return the rows of ``--add`` and ``--only``.

        ``+memory`` means ``memory`` frames, if that is not 0.
        """
        texts = (*self._config.add, *self._config.only)
        rows = [parse_row(text, memory=memory or DEFAULT_MEMORY) for text in texts]
        return tuple(
            added_variant(
                row,
                mapt=lambda: self.mapt,
                flow_weights=self.flow_weights,
                reader=self.reader,
            )
            for row in rows
        )

    def only(self, *, memory: int) -> tuple[str, ...] | None:
        """Return the names of the rows to run besides the bounds, ``None`` for all rows."""
        texts = self._config.only
        if not texts:
            return None
        texts = (*texts, *self._config.add)
        return tuple(row_name(text, memory=memory or DEFAULT_MEMORY) for text in texts)

    def source(self) -> DataSource:
        """Open the data, or a suite of synthetic videos.

        Raises:
            ConfigError: If a label space, an encoding or the device cannot be used.
            DataError: If the data cannot be used.
        """
        config, kinds = self._config, [*self.kinds]
        found_by_trained = [SegmentSource(mapt=each) for each in self.trained]
        kinds += [each for each in found_by_trained if each not in kinds]
        on = config.device_settings()
        kinds = [each if isinstance(each, Path) else replace(each, on=on) for each in kinds]
        maps = None if config.class_map is None else class_maps(config.class_map)
        if config.data is None:
            return suite_source(config.suite or config.default_suite, kinds, maps)
        return folder_source(
            config.data,
            segments=kinds,
            dataset=config.dataset,
            encoding=config.encoding,
            maps=maps,
        )


def _switches(names: Sequence[str]) -> tuple[str, ...]:
    """Return the requested switches, each once."""
    for name in names:
        if "=" in name:
            parse_row(f"mapt,{name}")  # refuses unknown settings
        elif name != _ALL_SWITCHES:
            check_switch(name)
    every = tuple(SWITCHES) if _ALL_SWITCHES in names else ()
    return tuple(dict.fromkeys((*every, *(name for name in names if name != _ALL_SWITCHES))))
