"""The result of an interval matrix: scores over seeds, speeds of objects, paired comparisons."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.experiments.engine.runner import CellOutcome, RunOutcome
from mapt_bench.experiments.matrix_config import ADAPTIVE, IntervalMatrixConfig
from mapt_bench.experiments.matrix_plan import SHIPPED, MatrixPlace
from mapt_bench.experiments.plans.plan import Cell
from mapt_bench.experiments.summaries.cell_scores import INTERVAL_SCORES, Comparisons, cell_scores
from mapt_bench.metrics import Bin, LinkEvents, kept_by_displacement
from mapt_bench.metrics.uncertainty import ScoreStatistics
from mapt_bench.provenance import joined_provenance, provenance

__all__ = ["MATRIX_SCHEMA", "SPEEDS", "matrix_result"]

MATRIX_SCHEMA = "mapt-bench/interval-matrix/1"

SPEEDS = ("slow", "medium", "fast")
"""Thirds of all links by displacement over size, on the unchanged videos."""

_PROTOCOL = "present"

_Row = dict[str, Any]
_Place = tuple[str, str, int]


def matrix_result(
    config: IntervalMatrixConfig,
    outcome: RunOutcome,
    places: Mapping[Cell, MatrixPlace],
    setup: Mapping[str, Any],
) -> _Row:
    """Return the result, ready for JSON.

    Scores of a place in the matrix are means over the seeds. Confidence intervals and paired
    differences are bootstrapped over sequences, each with all its seeds.

    Args:
        config: All options.
        outcome: Results of the plan.
        places: Place of each cell in the matrix.
        setup: What the run is a run of.

    Returns:
        ``schema``, the setup, ``speeds`` (upper ends of the ranges in object sizes a frame),
        ``matrix`` (one entry for each place: ``train``, ``infer``, ``drop``, ``scores``,
        ``seeds``, ``intervals``, ``speeds``), ``comparisons``, ``skipped`` and ``provenance``.
    """
    by_place: dict[_Place, list[tuple[int | None, CellOutcome]]] = {}
    for cell in outcome.cells:
        place = places[cell.cell]
        by_place.setdefault((place.train, place.infer, place.drop), []).append((place.seed, cell))
    joined = {place: _over_seeds([cell for _, cell in cells]) for place, cells in by_place.items()}
    labels = outcome.source.labels
    statistics = ScoreStatistics(
        labels, pat_protocol=_PROTOCOL, names=INTERVAL_SCORES, seed=outcome.seed
    )
    comparisons = Comparisons(statistics, "the matrix")
    bins = _speed_bins(joined, min(config.drop))
    rows = []
    for (train, infer, drop), cells in by_place.items():
        cell = joined[train, infer, drop]
        links = list(cell.links_by_sequence().values())
        rates = kept_by_displacement(links, bins, seed=outcome.seed)
        rows.append(
            {
                "train": train,
                "infer": infer,
                "drop": drop,
                "n_sequences": len(cell.sums()),
                "scores": _scores(cell, outcome),
                "seeds": [{"seed": seed, "scores": _scores(one, outcome)} for seed, one in cells],
                "intervals": comparisons.intervals(cell),
                "speeds": {
                    each.label: rate.to_dict() for each, rate in zip(bins, rates, strict=True)
                },
            }
        )
    compared = [
        {**named, **found}
        for named, own, other in _wanted(config, joined)
        if (found := comparisons.differences(own, other)) is not None
    ]
    comparisons.correct()
    units = [unit.provenance for cell in outcome.cells for unit in cell.units.values()]
    return {
        "schema": MATRIX_SCHEMA,
        **setup,
        "speeds": {each.label: each.high for each in bins[:-1]},
        "matrix": rows,
        "comparisons": compared,
        "skipped": [skip.to_dict() for skip in outcome.skipped],
        "provenance": {
            **joined_provenance(units or [provenance(threads=1)]),
            "command": config.command_line(),
        },
    }


def _over_seeds(cells: Sequence[CellOutcome]) -> CellOutcome:
    """Return the cells of several seeds as one, in which seeds are phases of a sequence."""
    first = cells[0]
    phases = first.cell.drop
    units = {
        (sequence, phase + phases * at): unit
        for at, cell in enumerate(cells)
        for (sequence, phase), unit in cell.units.items()
    }
    return replace(
        first, key="+".join(cell.key for cell in cells), units=dict(sorted(units.items()))
    )


def _scores(cell: CellOutcome, outcome: RunOutcome) -> dict[str, float | None]:
    phases = list(zip(*cell.sums().values(), strict=True))
    return cell_scores(phases, outcome.source.labels, _PROTOCOL)


def _speed_bins(joined: Mapping[_Place, CellOutcome], drop: int) -> tuple[Bin, ...]:
    """Return thirds of the links on the true tracks, which all cells have in common."""
    cell = next(cell for (_, _, skip), cell in joined.items() if skip == drop)
    speeds = _speeds(cell.links())
    if not speeds.size:
        return tuple(Bin(name, -1.0, np.inf) for name in SPEEDS[-1:])
    first, second = (float(value) for value in np.quantile(speeds, (1 / 3, 2 / 3)))
    return (
        Bin(SPEEDS[0], -1.0, first),
        Bin(SPEEDS[1], first, second),
        Bin(SPEEDS[2], second, np.inf),
    )


def _speeds(events: LinkEvents) -> NDArray[np.float64]:
    links = events.links[events.links["gap"] == 0]
    speeds = links["displacement_px"].astype(np.float64) / links["size_px"]
    found: NDArray[np.float64] = speeds[np.isfinite(speeds)]
    return found


def _wanted(
    config: IntervalMatrixConfig, joined: Mapping[_Place, CellOutcome]
) -> list[tuple[_Row, CellOutcome, CellOutcome]]:
    """Return the comparisons of the adaptive interval with every fixed one.

    - Inference: for each training interval, adaptive against each fixed inference interval.
    - Training: at the adaptive inference interval, adaptive against each other training interval.
    - Both: adaptive training and inference against each fixed interval used for both.
    """
    found = []

    def add(question: str, own: _Place, other: _Place) -> None:
        if own in joined and other in joined and own != other:
            named = {
                "question": question,
                "train": own[0],
                "infer": own[1],
                "drop": own[2],
                "other_train": other[0],
                "other_infer": other[1],
            }
            found.append((named, joined[own], joined[other]))

    for drop in config.drop:
        for train in (SHIPPED, *config.train_intervals):
            for tau in map(str, config.pair):
                add("inference", (train, ADAPTIVE, drop), (train, tau, drop))
        for train in config.train_intervals:
            add("training", (ADAPTIVE, ADAPTIVE, drop), (train, ADAPTIVE, drop))
        for tau in map(str, config.pair):
            add("both", (ADAPTIVE, ADAPTIVE, drop), (tau, tau, drop))
    return found
