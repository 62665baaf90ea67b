"""The result of a frontier run: the Pareto set of PAT against STQ of each tracker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mapt_bench.baselines.search_spaces import SearchSpace
from mapt_bench.errors import DataError
from mapt_bench.experiments.engine.runner import CellOutcome, RunOutcome
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.experiments.summaries.cell_scores import Comparisons
from mapt_bench.metrics import pool
from mapt_bench.metrics.pareto import hypervolume, pareto_set
from mapt_bench.metrics.uncertainty import ScoreStatistics
from mapt_bench.tuning.frontier_config import NEAR
from mapt_bench.tuning.setting_scores import setting_scores

__all__ = ["FRONTIER_SCHEMA", "FrontierTracker", "frontier_result"]

FRONTIER_SCHEMA = "mapt-bench/frontier/1"

_SCORES = ("PAT", "STQ", "PQ", "TQ", "SQ", "AQ", "AssA", "IDSW")

_Row = dict[str, Any]
_Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class FrontierTracker:
    """A tracker that ran with all its settings.

    Attributes:
        name: Name, with its network if it has one of its own.
        row: The tracker.
        segments: Name of the segments that it links.
        space: Its search space.
        cells: Cell of each setting, the start first.
    """

    name: str
    row: Variant
    segments: str
    space: SearchSpace
    cells: tuple[CellOutcome, ...]


def frontier_result(
    trackers: Sequence[FrontierTracker],
    outcome: RunOutcome,
    setup: Mapping[str, Any],
    *,
    skipped: Sequence[Mapping[str, str]],
    provenance: Mapping[str, Any],
) -> _Row:
    """Return the result of a run, ready for JSON.

    Args:
        trackers: With the cells of all their settings.
        outcome: Results of the plan.
        setup: What the run is a run of, without its trackers.
        skipped: Trackers that cannot run on the videos, sequences that cannot run, and why.
        provenance: How the scores came about.

    Returns:
        Schema ``mapt-bench/frontier/1``; equal for equal runs, except for ``provenance.created``.

    Raises:
        DataError: If PAT or STQ is undefined.
    """
    scores = {each.name: [_scores(cell, outcome) for cell in each.cells] for each in trackers}
    points = {name: _points(name, found) for name, found in scores.items()}
    every = [point for found in points.values() for point in found]
    reference = min(pat for pat, _ in every), min(stq for _, stq in every)
    comparisons = Comparisons(
        ScoreStatistics(outcome.source.labels, names=("PAT", "STQ"), seed=outcome.seed),
        "ends of frontiers",
    )
    entries = [
        {
            "tracker": each.name,
            "label": each.row.label,
            "memory": each.row.memory,
            "segments": each.segments,
            "weights": {
                network.name: network.sha256
                for network in (each.row.weights, each.row.mapt)
                if network is not None
            },
            "space": {name: list(values) for name, values in each.space.items()},
            "trials": [
                {"number": number, "settings": dict(cell.cell.variant.settings), "scores": found}
                for number, (cell, found) in enumerate(
                    zip(each.cells, scores[each.name], strict=True)
                )
            ],
            **_frontier(points[each.name], reference),
            "difference": _difference(each, points[each.name], comparisons),
        }
        for each in trackers
    ]
    comparisons.correct()
    places = [(each.name, at) for each in trackers for at in range(len(each.cells))]
    joint = _frontier(every, reference)
    return {
        "schema": FRONTIER_SCHEMA,
        **setup,
        "reference_point": {"PAT": reference[0], "STQ": reference[1]},
        "near": NEAR,
        "trackers": entries,
        "joint": {name: _named(value, places) for name, value in joint.items()},
        "skipped": list(skipped),
        "provenance": dict(provenance),
    }


def _scores(cell: CellOutcome, outcome: RunOutcome) -> dict[str, float | None]:
    sums = pool([sums for phases in cell.sums().values() for sums in phases])
    found = setting_scores(sums, outcome.source.labels)
    return {name: found[name] for name in _SCORES}


def _points(name: str, scores: Sequence[Mapping[str, float | None]]) -> _Points:
    found = []
    for each in scores:
        pat, stq = each["PAT"], each["STQ"]
        if pat is None or stq is None:
            raise DataError(f"PAT or STQ of {name} is undefined; use videos with things and stuff")
        found.append((pat, stq))
    return found


def _frontier(points: _Points, reference: tuple[float, float]) -> _Row:
    """Return the Pareto set of points, its ends, and the setting nearest to both maxima."""
    ends = pareto_set(points)
    best = max(pat for pat, _ in points), max(stq for _, stq in points)
    shortfall = {at: max(best[0] - points[at][0], best[1] - points[at][1]) for at in ends}
    nearest = min(ends, key=lambda at: shortfall[at])
    return {
        "frontier": ends,
        "hypervolume": hypervolume(points, reference),
        "best_pat": ends[0],
        "best_stq": ends[-1],
        "nearest": nearest,
        "shortfall": shortfall[nearest],
        "is_near_both": shortfall[nearest] <= NEAR,
    }


def _named(value: Any, places: Sequence[tuple[str, int]]) -> Any:  # noqa: ANN401 - for JSON
    """Return positions among all trackers as tracker and number of the setting."""
    if isinstance(value, list):
        return [_named(each, places) for each in value]
    if isinstance(value, int) and not isinstance(value, bool):
        tracker, number = places[value]
        return {"tracker": tracker, "number": number}
    return value


def _difference(tracker: FrontierTracker, points: _Points, comparisons: Comparisons) -> _Row | None:
    """Return the paired differences of the end with the best STQ to that with the best PAT."""
    ends = pareto_set(points)
    return comparisons.differences(tracker.cells[ends[-1]], tracker.cells[ends[0]])
