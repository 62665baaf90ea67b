"""Scores of a run by group of videos: each half of a suite, each kind of scene, by itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.experiments.runner import CellOutcome, RunOutcome
from mapt_bench.experiments.statistics import PooledStatistic, cell_scores
from mapt_bench.metrics import SequenceSums

__all__ = ["group_members", "scores_by_group"]

_Row = dict[str, Any]

_BY_ITSELF = {"half": ("real-like", "hard"), "kind": ("street", "crowd")}
"""Factors whose groups are test sets of their own, in the order of tables; of the other factors
the link rates are told."""

_WITH_INTERVALS = "half"


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


def scores_by_group(outcome: RunOutcome, pat_protocol: str) -> list[_Row]:
    """Return one entry a cell and group, for cells that are done.

    Args:
        outcome: What was run.
        pat_protocol: Which PAT is the headline.

    Returns:
        Each with ``variant``, ``label``, ``cell`` (key), ``factor`` (``"half"`` or ``"kind"``),
        ``value``, ``n_sequences``, ``scores`` (as of the whole cell) and, for halves,
        ``intervals``; nothing where the videos have no groups.
    """
    source = outcome.source
    members = group_members([video.info.name for video in source.videos], source.groups)
    groups = [(factor, level) for factor, levels in _BY_ITSELF.items() for level in levels]
    chosen = {group: members[group] for group in groups if group in members}
    statistic = PooledStatistic(source.labels, pat_protocol=pat_protocol, seed=outcome.seed)
    found: dict[tuple[str, tuple[str, str]], _Row] = {}
    rows = []
    for cell in outcome.cells:
        if cell.failures:
            continue
        sums = cell.sums()
        for (factor, level), positions in chosen.items():
            of_group = [sums[position] for position in positions if position in sums]
            place = (cell.key, (factor, level))
            if place not in found:  # cells of one key are the same work
                with_intervals = factor == _WITH_INTERVALS and not outcome.plan.series
                found[place] = _scores(of_group, statistic, pat_protocol, with_intervals)
            rows.append({**_named(cell), "factor": factor, "value": level, **found[place]})
    return rows


def _named(cell: CellOutcome) -> _Row:
    variant = cell.cell.variant
    return {"variant": variant.name, "label": variant.label, "cell": cell.key}


def _scores(
    sequences: Sequence[Sequence[SequenceSums]],
    statistic: PooledStatistic,
    pat_protocol: str,
    with_intervals: bool,
) -> _Row:
    if not sequences:
        return {"n_sequences": 0, "scores": {}, "intervals": {}}
    phases = list(zip(*sequences, strict=True))
    intervals = statistic.intervals(statistic.samples(sequences)) if with_intervals else {}
    return {
        "n_sequences": len(sequences),
        "scores": cell_scores(phases, statistic.labels, pat_protocol),
        "intervals": {name: interval.to_dict() for name, interval in intervals.items()},
    }
