"""The plan of an interval matrix: one row of MAPT for each head and inference interval."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mapt_bench.baselines.registry import AssociatorEntry
from mapt_bench.baselines.rows import parse_row, tracker_entry
from mapt_bench.baselines.thresholds import PAIRING
from mapt_bench.errors import ConfigError
from mapt_bench.experiments.plans.network_weights import MaptWeights
from mapt_bench.experiments.plans.plan import Cell, Plan
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.experiments.plans.variants import BASELINES, ORACLE, with_settings
from mapt_bench.intervals.matrix_config import ADAPTIVE, IntervalMatrixConfig

__all__ = ["SHIPPED", "MatrixPlace", "matrix_plan"]

SHIPPED = "as given"
"""Training interval of the weights that were not fine-tuned."""


@dataclass(frozen=True, slots=True)
class MatrixPlace:
    """Where a cell of the plan stands in the matrix.

    Attributes:
        train: Training interval, :data:`SHIPPED`, or the name of a reference.
        seed: Seed of the training; ``None`` where there is none.
        infer: Inference interval: frames as text, or ``"adaptive"``.
        drop: Frame skip.
    """

    train: str
    seed: int | None
    infer: str
    drop: int


def matrix_plan(
    config: IntervalMatrixConfig,
    given: MaptWeights,
    heads: Mapping[tuple[str, int], MaptWeights],
) -> tuple[Plan, dict[Cell, MatrixPlace]]:
    """Return the plan, and the place of each of its cells in the matrix.

    Args:
        config: All options.
        given: Weights that the fine-tunings began with; they run, too.
        heads: Fine-tuned weights by training interval and seed.

    Raises:
        ConfigError: If the tracker does not run MAPT's motion head, or a threshold does not fit.
    """
    row = parse_row(config.tracker)
    if row.memory or row.weights or not _may_adapt(row.tracker):
        raise ConfigError(
            f"the tracker of an interval matrix is {config.tracker!r}; expected a row of MAPT with "
            "the motion head, without memory and weights, such as mapt:paper or mapt"
        )
    tuned = [(train, seed, weights) for (train, seed), weights in heads.items()]
    found: dict[Cell, MatrixPlace] = {}
    for train, seed, weights in ((SHIPPED, None, given), *tuned):
        for infer in (*map(str, config.pair), ADAPTIVE):
            variant = _variant(config, weights, infer)
            pair = 1 if infer == ADAPTIVE else int(infer)
            for drop in config.drop:
                found[Cell(variant, drop=drop, pair=pair)] = MatrixPlace(train, seed, infer, drop)
    copy = replace(BASELINES[0], group="reference", memory=0)
    for reference in with_settings((copy, ORACLE), config.thresholds):
        for drop in config.drop:
            found[Cell(reference, drop=drop)] = MatrixPlace(reference.name, None, "1", drop)
    plan = Plan(
        experiment=config.experiment,
        variants=tuple(dict.fromkeys(cell.variant for cell in found)),
        cells=tuple(found),
        reference=None,
        thresholds=config.thresholds,
    )
    return plan, found


def _variant(config: IntervalMatrixConfig, weights: MaptWeights, infer: str) -> Variant:
    row = parse_row(config.tracker)
    adaptive = {"pair_target": config.target, "longest_pair": max(config.taus)}
    settings = {**dict(row.settings), **(adaptive if infer == ADAPTIVE else {})}
    named = replace(
        row, memory=config.memory, weights=weights.name, settings=tuple(sorted(settings.items()))
    )
    variant = Variant(
        name=str(named),
        label=f"{weights.name}, adaptive" if infer == ADAPTIVE else weights.name,
        group="heads",
        associator=row.tracker,
        memory=config.memory,
        settings=named.settings,
        mapt=weights,
        switches=row.switches,
    )
    return with_settings((variant,), config.thresholds)[0]


def _may_adapt(tracker: str) -> bool:
    entry = tracker_entry(tracker)
    return isinstance(entry, AssociatorEntry) and PAIRING[0] in entry.settings
