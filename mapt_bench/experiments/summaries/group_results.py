"""Scores of a run by group of videos: each half of a suite, each kind of scene, by itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.experiments.engine.runner import CellOutcome, RunOutcome
from mapt_bench.experiments.summaries.cell_scores import (
    INTERVAL_SCORES,
    Comparisons,
    cell_scores,
    class_scores,
)
from mapt_bench.experiments.summaries.result_tables import result_tables
from mapt_bench.metrics.uncertainty import ScoreStatistics

__all__ = ["HALF_AND_KIND", "group_members", "scores_by_group", "with_half_and_kind"]

_Row = dict[str, Any]

HALF_AND_KIND = "half and kind"
"""The factor that crosses the two, with levels such as ``"real-like street"``."""


_HALVES, _KINDS = ("real-like", "hard"), ("street", "crowd")

_BY_ITSELF = {
    "half": _HALVES,
    "kind": _KINDS,
    HALF_AND_KIND: tuple(f"{half} {kind}" for half in _HALVES for kind in _KINDS),
}
"""Factors whose groups are test sets of their own, in the order of tables; of the other factors
the link rates are told."""

_WITH_INTERVALS = "half"
_WITH_CLASSES = HALF_AND_KIND

_Group = tuple[str, str]


def group_members(
    names: Sequence[str], groups: Mapping[str, Mapping[str, str]]
) -> dict[tuple[str, str], tuple[int, ...]]:
    """Return, for each factor and level, the positions of the videos that have it.

    Args:
        names: Of the videos.
        groups: For each name its level of each factor.

    Example:
        >>> group_members(["a", "b"], {"a": {"half": "hard"}, "b": {"half": "real-like"}})
        {('half', 'hard'): (0,), ('half', 'real-like'): (1,)}
    """
    members: dict[tuple[str, str], list[int]] = {}
    for position, name in enumerate(names):
        for factor, level in groups.get(name, {}).items():
            members.setdefault((factor, level), []).append(position)
    return {group: tuple(positions) for group, positions in members.items()}


def with_half_and_kind(levels: Mapping[str, str]) -> dict[str, str]:
    """Return the levels of a video and, where it has both, half and kind taken together.

    Example:
        >>> with_half_and_kind({"half": "hard", "kind": "crowd"})["half and kind"]
        'hard crowd'
    """
    if "half" not in levels or "kind" not in levels:
        return dict(levels)
    return {**levels, HALF_AND_KIND: f"{levels['half']} {levels['kind']}"}


def scores_by_group(outcome: RunOutcome, pat_protocol: str) -> list[_Row]:
    """Return one entry a cell and group, for cells that are done.

    Args:
        outcome: What was run.
        pat_protocol: Which PAT is the headline.

    Returns:
        Each with ``variant``, ``label``, ``cell`` (key), ``factor`` (``"half"``, ``"kind"``, or
        ``"half and kind"``), ``value``, ``n_sequences``, ``scores`` (as of the whole cell),
        ``intervals`` and ``differences``, which halves have and the others have not: to the
        reference row of the first table that the cell stands in, as in the summary; p is
        corrected for the comparisons within the half. Of an ablation half and kind together have
        ``per_class`` too. Nothing where the videos have no groups.
    """
    source = outcome.source
    chosen = _test_sets(outcome)
    statistics = ScoreStatistics(
        source.labels, pat_protocol=pat_protocol, names=INTERVAL_SCORES, seed=outcome.seed
    )
    compared: dict[_Group, Comparisons] = {}
    if not outcome.plan.series:
        compared = {
            group: Comparisons(statistics, " ".join(group), positions)
            for group, positions in chosen.items()
            if group[0] == _WITH_INTERVALS
        }
    references = _references(outcome)
    found: dict[tuple[str, _Group], _Row] = {}
    rows = []
    for at, cell in enumerate(outcome.cells):
        if cell.failures:
            continue
        for group, positions in chosen.items():
            place = cell.key, group
            if place not in found:  # cells of one key are the same work
                found[place] = _scores(outcome, cell, group, positions, pat_protocol)
            row = {**_named(cell), "factor": group[0], "value": group[1], **found[place]}
            row |= {"intervals": {}, "differences": None}
            if group in compared:
                row["intervals"] = compared[group].intervals(cell)
                row["differences"] = compared[group].differences(cell, references.get(at))
            rows.append(row)
    for comparisons in compared.values():
        comparisons.correct()
    return rows


def _test_sets(outcome: RunOutcome) -> dict[_Group, tuple[int, ...]]:
    """Return the groups that are test sets, and the positions of their videos."""
    names = [video.info.name for video in outcome.source.videos]
    groups = {name: with_half_and_kind(found) for name, found in outcome.source.groups.items()}
    members = group_members(names, groups)
    in_order = [(factor, level) for factor, levels in _BY_ITSELF.items() for level in levels]
    return {group: members[group] for group in in_order if group in members}


def _references(outcome: RunOutcome) -> dict[int, CellOutcome | None]:
    """Return, for each cell, the reference of the first table that it stands in."""
    found: dict[int, CellOutcome | None] = {}
    for table in result_tables(outcome):
        for at in table.positions:
            found.setdefault(at, table.reference)
    return found


def _named(cell: CellOutcome) -> _Row:
    variant = cell.cell.variant
    return {"variant": variant.name, "label": variant.label, "cell": cell.key}


def _scores(
    outcome: RunOutcome,
    cell: CellOutcome,
    group: _Group,
    positions: Sequence[int],
    protocol: str,
) -> _Row:
    sums = cell.sums()
    sequences = [sums[position] for position in positions if position in sums]
    if not sequences:
        return {"n_sequences": 0, "scores": {}}
    labels = outcome.source.labels
    phases = list(zip(*sequences, strict=True))
    row: _Row = {
        "n_sequences": len(sequences),
        "scores": cell_scores(phases, labels, protocol),
    }
    if group[0] == _WITH_CLASSES and outcome.plan.is_ablation:
        row["per_class"] = class_scores(phases[0], labels, protocol)
    return row
