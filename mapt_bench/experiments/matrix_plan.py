"""The plan of an interval matrix: one row of MAPT for each training and inference interval."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mapt_bench.baselines.registry import AssociatorEntry
from mapt_bench.baselines.rows import parse_row, tracker_entry
from mapt_bench.baselines.thresholds import PAIRING
from mapt_bench.errors import ConfigError
from mapt_bench.experiments.matrix_config import ADAPTIVE, IntervalMatrixConfig, is_fixed
from mapt_bench.experiments.plans.network_weights import MaptWeights
from mapt_bench.experiments.plans.plan import Cell, Plan
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.experiments.plans.variants import BASELINES, ORACLE, with_settings
from mapt_bench.files import parse_json, read_text

__all__ = ["SHIPPED", "Heads", "MatrixPlace", "expected_heads", "heads_of", "matrix_plan"]

SHIPPED = "as given"
"""Training interval of the weights that were not fine-tuned."""


@dataclass(frozen=True, slots=True)
class Heads:
    """One fine-tuning.

    Attributes:
        interval: Training interval.
        seed: Of the training.
        run: Run folder of the matrix.

    Example:
        >>> Heads("3", 0, Path("run")).name, Heads("sampled", 1, Path("run")).name
        ('tau3-seed0', 'sampled-seed1')
    """

    interval: str
    seed: int
    run: Path

    @property
    def name(self) -> str:
        """Name in rows and folders."""
        of_interval = f"tau{self.interval}" if is_fixed(self.interval) else self.interval
        return f"{of_interval}-seed{self.seed}"

    @property
    def folder(self) -> Path:
        """Run folder of the training."""
        return self.run / "heads" / self.name

    @property
    def weights(self) -> Path:
        """File of the weights."""
        return self.folder / "weights.safetensors"


def heads_of(config: IntervalMatrixConfig, run: Path) -> list[Heads]:
    """Return the fine-tunings of a matrix: all intervals of the first seed, then of the next."""
    return [
        Heads(interval, seed, run)
        for seed in config.train_seeds
        for interval in config.train_intervals
    ]


def expected_heads(
    config: IntervalMatrixConfig,
    given: MaptWeights,
    read: Callable[[str, str | None], MaptWeights],
) -> dict[tuple[str, int], MaptWeights]:
    """Return the heads of a matrix by training interval and seed, before it runs.

    Heads in the run folder are read if they had the same number of steps from the same weights. In
    the place of the others stand weights without a file, so that their cells have keys that no
    finished work unit has.

    Args:
        config: All options, with the run folder if there is one.
        given: Weights that the fine-tunings begin with.
        read: Reads a file of weights, and gives the network a name.

    Raises:
        DataError: If a file is damaged.
    """
    found = {}
    for each in heads_of(config, config.out or Path()):
        if config.out is not None and _is_trained(each, config, given):
            weights = read(str(each.weights), each.name)
        else:  # the name tells them apart, as they have no hash
            weights = replace(given, name=each.name, path=each.weights, sha256=each.name)
        found[each.interval, each.seed] = weights
    return found


def _is_trained(heads: Heads, config: IntervalMatrixConfig, given: MaptWeights) -> bool:
    record = heads.weights.with_suffix(".json")
    if not (heads.weights.is_file() and record.is_file()):
        return False
    try:
        stated = parse_json(read_text(record))
        steps, began_with = stated["steps"], stated["data"]["weights"]
    except (OSError, ValueError, KeyError, TypeError):  # the run itself reports a damaged record
        return False
    return steps == config.train_steps and given.sha256 in ("", began_with)


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
        given: Weights that the fine-tunings begin with; they run, too.
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
        vpq_windows=config.vpq_windows,
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
