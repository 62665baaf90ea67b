"""Identities that come back after a gap: how many, and how often to the right object."""

from collections.abc import Sequence
from typing import Any

from mapt_bench.experiments.group_results import group_members
from mapt_bench.experiments.runner import CellOutcome, RunOutcome
from mapt_bench.metrics import LinkEvents
from mapt_bench.metrics.link_rates import (
    FULL_OCCLUSIONS,
    GAP_BINS,
    Bin,
    Rate,
    kept_by_gap,
    recovered_by_gap,
    right_returns,
)

__all__ = ["recoveries", "recoveries_of_cells", "without_bin"]

_Row = dict[str, Any]
_Group = tuple[str, str]

_EVERYTHING = ("all", "all")
_HALF = "half"


def recoveries(
    events: Sequence[LinkEvents], bins: Sequence[Bin] = GAP_BINS, *, seed: int = 0
) -> list[_Row]:
    """Return, for each range of gaps, what is kept and recovered, and the precision of returns.

    Args:
        events: One entry a sequence, the unit of the intervals.
        bins: Ranges of gaps, and of absences of identities, in frames.
        seed: Of the resampling.

    Returns:
        Each with ``bin``, ``hits``, ``n``, ``share``, ``interval`` of the links over such gaps;
        ``recovered``, the same of the tracks that are found on both sides of the gap; and
        ``returns``, the same of the identities that were given again.
    """
    kept = kept_by_gap(events, bins, seed=seed)
    recovered = recovered_by_gap(events, bins, seed=seed)
    right = right_returns(events, bins, seed=seed)
    return [
        {**rate.to_dict(), "recovered": without_bin(found), "returns": without_bin(precision)}
        for rate, found, precision in zip(kept, recovered, right, strict=True)
    ]


def recoveries_of_cells(outcome: RunOutcome) -> list[_Row]:
    """Return the recoveries of each cell that is done: over all videos, and in each half.

    Returns:
        Each with ``variant``, ``label``, ``group``, ``cell`` (key), ``factor`` (``"all"`` or
        ``"half"``), ``value``, ``n_sequences``, ``bins`` (see :func:`recoveries`), and
        ``full_occlusions``, the same of gaps of 3 to 10 frames together.
    """
    chosen = _selections(outcome)
    found: dict[tuple[str, _Group], _Row] = {}
    rows = []
    for cell in outcome.cells:
        if cell.failures:
            continue
        variant = cell.cell.variant
        given = {"variant": variant.name, "label": variant.label, "group": variant.group}
        for group, positions in chosen.items():
            place = cell.key, group
            if place not in found:  # cells of one key are the same work
                found[place] = _of_selection(cell, positions, outcome.seed)
            rows.append(
                {**given, "cell": cell.key, "factor": group[0], "value": group[1], **found[place]}
            )
    return rows


def without_bin(rate: Rate) -> _Row:
    """Return a rate ready for JSON, its range not named."""
    return {name: value for name, value in rate.to_dict().items() if name != "bin"}


def _selections(outcome: RunOutcome) -> dict[_Group, tuple[int, ...]]:
    names = [video.info.name for video in outcome.source.videos]
    members = group_members(names, outcome.source.groups)
    halves = {group: members[group] for group in sorted(members) if group[0] == _HALF}
    return {_EVERYTHING: tuple(range(len(names))), **halves}


def _of_selection(cell: CellOutcome, positions: Sequence[int], seed: int) -> _Row:
    links = cell.links_by_sequence()
    events = [links[position] for position in positions if position in links]
    if not events:
        return {"n_sequences": 0, "bins": [], "full_occlusions": None}
    *bins, together = recoveries(events, (*GAP_BINS, FULL_OCCLUSIONS), seed=seed)
    return {"n_sequences": len(events), "bins": bins, "full_occlusions": together}
