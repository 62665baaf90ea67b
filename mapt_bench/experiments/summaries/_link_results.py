"""Results from link events: association accuracy and recovery, by group and under stress."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.baselines.mapt_trackers import motion_reach
from mapt_bench.baselines.tracker_options import MaptOptions
from mapt_bench.experiments.engine.runner import CellOutcome, CellWork, RunOutcome
from mapt_bench.experiments.plans.plan import Series
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.experiments.summaries.result_tables import group_members, segments_of
from mapt_bench.metrics import (
    FULL_OCCLUSIONS,
    GAP_BINS,
    Bin,
    LinkEvents,
    Rate,
    break_point,
    kept_by_displacement,
    kept_by_gap,
    kept_by_visibility,
    kept_links,
    recovered_by_gap,
    right_returns,
)
from mapt_bench.stress import Stress, occluder_label, stress_entry, stress_video

__all__ = [
    "EVERY_STRESSOR",
    "link_results",
    "recovered",
    "recoveries",
    "recoveries_of_cells",
    "without_bin",
]

_Row = dict[str, Any]

EVERY_STRESSOR = "all"
"""Name of the entries that pool all stressors of a run."""

_EVERY_GAP = Bin("1 or more", 0, math.inf)

_NO_MOTION = "mapt:appearance"
_HIDES = "occlusion"
_MOVES = "motion"


def link_results(outcome: RunOutcome) -> _Row:
    """Return the parts of a result that are computed from link events.

    Args:
        outcome: Results of the plan.

    Returns:
        ``groups`` and ``links_by_group`` if the videos have groups, and ``recoveries`` for an
        ablation (see :func:`recoveries_of_cells`). A stress test has instead ``stressors`` (with
        levels and occluders), ``visibility`` and ``recoveries`` (one entry per variant and
        stressor, all levels pooled, each with one entry per range), and for motion
        ``break_points`` and ``motion_reach``.
    """
    if outcome.plan.series:
        return _under_stress(outcome)
    results: _Row = {}
    if outcome.source.groups:
        results = {"groups": _groups(outcome), "links_by_group": _by_group(outcome)}
    if outcome.plan.is_ablation:
        results["recoveries"] = recoveries_of_cells(outcome)
    return results


def _under_stress(outcome: RunOutcome) -> _Row:
    results: _Row = {"stressors": [_stressor(series, outcome) for series in outcome.series]}
    moves = all(stress_entry(each.stressor).kind == _MOVES for each in outcome.plan.series)
    results |= {"visibility": [], "recoveries": []}
    reaches: dict[str, _Row] = {}
    if moves:
        reaches = _reaches(outcome)
        results |= {"break_points": [], "motion_reach": list(reaches.values())}
    for name, series in _chosen_series(outcome):
        for (variant, segments), events in _events(series, outcome).items():
            given = {**variant.titles(), "stressor": name}
            given |= {"segments": segments} if segments else {}
            seen = [rate.to_dict() for rate in kept_by_visibility(events, seed=outcome.seed)]
            results["visibility"].append({**given, "bins": seen})
            results["recoveries"].append({**given, "bins": recoveries(events, seed=outcome.seed)})
            if moves and name != EVERY_STRESSOR:
                reach = reaches.get(_motion_head(variant))
                given |= {} if reach is None else {"reach_px": reach["pixels"]}
                results["break_points"].append({**given, **_break_points(events, outcome.seed)})
    return results


def _chosen_series(outcome: RunOutcome) -> list[tuple[str, tuple[Series, ...]]]:
    """Return the series of each stressor, and of all stressors together if there are several."""
    chosen: list[tuple[str, tuple[Series, ...]]] = [
        (series.stressor, (series,)) for series in outcome.series
    ]
    return chosen if len(chosen) < 2 else [*chosen, (EVERY_STRESSOR, outcome.series)]


def _stressor(series: Series, outcome: RunOutcome) -> _Row:
    """Return the description of a stressor, with the levels that ran."""
    entry = stress_entry(series.stressor)
    levels = {series.level_of(cell.cell) for cell in outcome.cells}
    run = [stress for stress in series.stresses if stress.level in levels]
    described: _Row = {
        "name": entry.name,
        "kind": entry.kind,
        "summary": entry.summary,
        "unit": entry.unit,
        "meaning": entry.meaning,
        "levels": {str(stress.level): stress.value for stress in run},
    }
    if entry.kind == _HIDES:
        described["occluder"] = _occluder(run, outcome)
    return described


def _occluder(stresses: Sequence[Stress], outcome: RunOutcome) -> str | None:
    """Return the ground-truth labels of all occluders in a run, ``None`` if there are none."""
    found: set[str] = set()
    for index, video in enumerate(outcome.source.videos):
        for stress in stresses:
            label = (
                occluder_label(stress_video(video, stress))
                if _was_run(index, stress, outcome)
                else None
            )
            found.update(label.split(", ") if label else ())
    return ", ".join(sorted(found)) or None


def _was_run(video: int, stress: Stress, outcome: RunOutcome) -> bool:
    return any(
        sequence == video
        for cell in outcome.cells
        if cell.cell.stress == stress
        for sequence, _ in cell.units
    )


def _events(
    chosen: Sequence[Series], outcome: RunOutcome
) -> dict[tuple[Variant, str], list[LinkEvents]]:
    """Return the link events of each row by sequence, with all levels of some series.

    A row is a variant on the segments with a name; see :func:`.result_tables.segments_of`.
    """
    found: dict[tuple[Variant, str], dict[int, list[LinkEvents]]] = {}
    for cell in outcome.cells:
        if cell.failures or all(series.level_of(cell.cell) is None for series in chosen):
            continue
        of_row = found.setdefault((cell.cell.variant, segments_of(outcome, cell)), {})
        for sequence, events in cell.links_by_sequence().items():
            of_row.setdefault(sequence, []).append(events)
    return {
        row: [LinkEvents.joined(parts) for parts in sequences.values()]
        for row, sequences in found.items()
    }


def _reaches(outcome: RunOutcome) -> dict[str, _Row]:
    """Return how far each motion head of a run reaches, by the hash of its weights."""
    found: dict[str, _Row] = {}
    for variant in outcome.plan.variants:
        head, mapt = _motion_head(variant), variant.mapt
        if head and head not in found and mapt is not None:
            reach = motion_reach(MaptOptions(weights=mapt.path))
            found[head] = {"weights": mapt.name, "sha256": head, **reach}
    return found


def _motion_head(variant: Variant) -> str:
    """Return the hash of the weights whose motion head links, or ``""`` if none does."""
    if variant.mapt is None or not variant.mapt.has_motion:
        return ""
    is_other = not variant.associator.startswith("mapt") or variant.associator == _NO_MOTION
    return "" if is_other else variant.mapt.sha256


def _break_points(events: Sequence[LinkEvents], seed: int) -> _Row:
    return {
        "over_size": break_point(events, unit="size", seed=seed).to_dict(),
        "pixels": break_point(events, unit="pixels", seed=seed).to_dict(),
        "bins": [rate.to_dict() for rate in kept_by_displacement(events, seed=seed)],
    }


def _groups(outcome: RunOutcome) -> list[_Row]:
    """Return the sequences of each group."""
    names = [video.info.name for video in outcome.source.videos]
    return [
        {"factor": factor, "value": value, "sequences": [names[place] for place in places]}
        for (factor, value), places in _members(outcome).items()
    ]


def _members(outcome: RunOutcome) -> dict[tuple[str, str], tuple[int, ...]]:
    names = [video.info.name for video in outcome.source.videos]
    groups = {name: _with_cell(found) for name, found in outcome.source.groups.items()}
    return group_members(names, groups)


def _by_group(outcome: RunOutcome) -> list[_Row]:
    """Return the association accuracy in each group of videos, one entry per cell and group.

    The factor ``"cell"`` crosses all factors except ``half`` and ``kind``, as in a factorial
    design.
    """
    members = _members(outcome)
    return [
        {
            "variant": cell.cell.variant.name,
            "label": cell.cell.variant.label,
            "cell": cell.key,
            "factor": factor,
            "value": value,
            **_of_members(cell, chosen, outcome.seed),
        }
        for cell in outcome.cells
        if not cell.failures
        for (factor, value), chosen in members.items()
    ]


def _with_cell(levels: Mapping[str, str]) -> dict[str, str]:
    crossed = {name: level for name, level in levels.items() if name not in ("half", "kind")}
    words = ", ".join(f"{name} {level}" for name, level in crossed.items())
    return {**levels, "cell": words} if len(crossed) > 1 else dict(levels)


def _of_members(cell: CellOutcome, chosen: Sequence[int], seed: int) -> _Row:
    found = cell.links_by_sequence()
    events = [found[position] for position in chosen if position in found]
    if not events:
        return {"hits": 0, "n": 0, "share": None, "interval": {"n": 0, "reason": "no sequence"}}
    return without_bin(kept_links(events, seed=seed))


_Group = tuple[str, str]

_EVERYTHING = ("all", "all")
_HALF = "half"


def recoveries(
    events: Sequence[LinkEvents], bins: Sequence[Bin] = GAP_BINS, *, seed: int = 0
) -> list[_Row]:
    """Return association accuracy, recovery and its precision for each range of occlusion gaps.

    Args:
        events: Link events, one entry per sequence. Sequences are the unit of resampling.
        bins: Ranges of occlusion gaps, and of absences of identities, in frames.
        seed: Seed of the resampling.

    Returns:
        One entry per range, with ``bin``, and ``hits``, ``n``, ``share`` and ``interval`` of the
        links over such gaps. ``recovered`` has the same for tracks that are matched on both sides
        of the gap, and ``returns`` for identities that occur again after an absence.
    """
    kept = kept_by_gap(events, bins, seed=seed)
    recovered = recovered_by_gap(events, bins, seed=seed)
    right = right_returns(events, bins, seed=seed)
    return [
        {**rate.to_dict(), "recovered": without_bin(found), "returns": without_bin(precision)}
        for rate, found, precision in zip(kept, recovered, right, strict=True)
    ]


def recovered(cell: CellOutcome, *, seed: int = 0) -> _Row:
    """Return the share of identities that a cell recovers after any occlusion gap.

    Args:
        cell: A finished cell.
        seed: Seed of the resampling.

    Returns:
        ``hits``, ``n``, ``share`` and ``interval``. The share is over tracks that are matched on
        both sides of the gap.
    """
    (rate,) = recovered_by_gap([*cell.links_by_sequence().values()], [_EVERY_GAP], seed=seed)
    return without_bin(rate)


def recoveries_of_cells(outcome: RunOutcome) -> list[_Row]:
    """Return the recovery after occlusion of each finished cell: on all videos and each split.

    Returns:
        One entry per cell and group, with ``variant``, ``label``, ``group``, ``cell`` (key),
        ``factor`` (``"all"`` or ``"half"``), ``value``, ``n_sequences``, ``bins`` (see
        :func:`recoveries`), and ``full_occlusions``, the same for all gaps of 3 to 10 frames.
    """
    chosen = _selections(outcome)
    found: dict[tuple[CellWork, _Group], _Row] = {}
    rows = []
    for cell in outcome.cells:
        if cell.failures:
            continue
        given = cell.cell.variant.titles()
        for group, positions in chosen.items():
            place = cell.work, group
            if place not in found:
                found[place] = _of_selection(cell, positions, outcome.seed)
            rows.append(
                {**given, "cell": cell.key, "factor": group[0], "value": group[1], **found[place]}
            )
    return rows


def without_bin(rate: Rate) -> _Row:
    """Return a rate as plain data for JSON, without its range."""
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
