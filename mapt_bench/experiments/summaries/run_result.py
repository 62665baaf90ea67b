"""The result of a run: the content of ``results.json``, schema ``mapt-bench/run/1``."""

import re
import statistics
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from mapt_bench.baselines.rows import DEFAULT_MEMORY
from mapt_bench.baselines.thresholds import describe_thresholds
from mapt_bench.experiments.engine.runner import Advance, CellOutcome, CellWork, RunOutcome, spread
from mapt_bench.experiments.plans.plan import Cell
from mapt_bench.experiments.plans.segment_sources import SegmentSource
from mapt_bench.experiments.summaries._link_results import link_results, recovered
from mapt_bench.experiments.summaries.cell_scores import (
    INTERVAL_SCORES,
    Comparisons,
    averaged_class_names,
    cell_scores,
    class_scores,
)
from mapt_bench.experiments.summaries.result_tables import (
    ResultTable,
    result_tables,
    scores_by_group,
)
from mapt_bench.experiments.summaries.row_losses import counted_losses
from mapt_bench.experiments.summaries.step_results import step_results
from mapt_bench.labels import DETECTIONS, MappedShare
from mapt_bench.metrics import METRICS_SCHEMA, pat_variant, undefined_reasons
from mapt_bench.metrics.uncertainty import ScoreStatistics
from mapt_bench.provenance import joined_provenance, provenance, user_revision
from mapt_bench.workers import Processes

__all__ = ["RUN_SCHEMA", "paper_claims", "run_result", "summary_rows"]

RUN_SCHEMA = "mapt-bench/run/1"

_HERE = Processes()


def run_result(
    outcome: RunOutcome,
    *,
    pat_protocol: str = "present",
    losses: Collection[str] = (),
    processes: Processes = _HERE,
    advance: Advance = lambda _steps: None,
) -> dict[str, Any]:
    """Return the whole result as plain data for JSON.

    Args:
        outcome: Results of :func:`~mapt_bench.experiments.engine.runner.run_plan`.
        pat_protocol: Variant of PAT of the headline scores.
        losses: Names of rows with losses, besides the reference, the best row and the oracle.
        processes: Count losses. Results do not depend on their number.
        advance: Takes done steps, three for each cell of the outcome in total.

    Returns:
        ``schema``, ``experiment``, ``cells``, ``skipped``, ``summary``, ``claims``,
        ``protocol``, ``provenance``, ``scores_by_group``, and the fields of
        :func:`~mapt_bench.experiments.summaries._link_results.link_results`. With factors in the
        plan also ``steps``, see
        :func:`~mapt_bench.experiments.summaries.step_results.step_results`. Equal runs have equal
        results with any number of workers, except ``provenance.created`` and ``cost``. If units
        were computed by different versions or machines, ``provenance.sets`` lists these.
    """
    source, plan = outcome.source, outcome.plan
    entries = [_cell(cell, outcome, pat_protocol) for cell in outcome.cells]
    counted = counted_losses(outcome, entries, losses, pat_protocol, processes=processes)
    rows = summary_rows(outcome, entries, pat_protocol, advance=advance)
    by_group = scores_by_group(outcome, pat_protocol, advance=advance)
    counted.add_to(rows, advance=advance)
    return {
        "schema": RUN_SCHEMA,
        "experiment": plan.experiment,
        "cells": entries,
        "skipped": [skip.to_dict() for skip in outcome.skipped],
        "summary": rows,
        "claims": paper_claims(plan.experiment, rows),
        "scores_by_group": by_group,
        **link_results(outcome),
        **({"steps": step_results(outcome, pat_protocol)} if plan.by else {}),
        "protocol": {
            "pat": pat_variant(pat_protocol).name,
            "metrics": METRICS_SCHEMA,
            "label_space": source.labels.name,
            **_class_map(outcome),
            "vpq_windows": list(plan.vpq_windows),
            "unit": "sequence",
            "reference": plan.reference,
            "thresholds": describe_thresholds(plan.thresholds),
            "memory": "frames: 0, or the number in the row's name; +memory alone means "
            f"{DEFAULT_MEMORY}",
            "segments": "; ".join(each.in_words() for each in source.segments),
            "segments_by_name": {each.name: each.in_words() for each in _kinds(outcome)},
            "drop": "mean over all tau phases; within a phase, sequences are pooled",
            "seconds_per_frame": "median time of association, without reading images and segments; "
            "for a whole tracker, median time of its step",
        },
        "provenance": {
            **_provenance_of_units(outcome),
            "revision": user_revision(),
            "seed": outcome.seed,
            "data": source.describe(),
            "weights": _weights(outcome),
        },
    }


def _class_map(outcome: RunOutcome) -> dict[str, Any]:
    """Return the class maps of a run, and what they removed from each side."""
    mapped = outcome.source.class_map
    if mapped is None:
        return {"class_map": None}
    sides = {side: dict(entry) for side, entry in mapped.sides.items()}
    return {"class_map": dict(mapped.identity), "mapped": {**sides, **_mapped_detections(outcome)}}


def _mapped_detections(outcome: RunOutcome) -> dict[str, dict[str, str | int]]:
    """Return what class maps removed from the detections of each network, without stress."""
    found: dict[str, dict[int, Mapping[str, str | int]]] = {}
    for cell in outcome.cells:
        name = outcome.source.segments_named(cell.cell.segments).name
        for (sequence, _), unit in cell.units.items():
            if unit.mapped is not None and cell.cell.stress is None:
                found.setdefault(name, {})[sequence] = unit.mapped
    return {
        f"{DETECTIONS}{name}": sum(map(MappedShare.of_side, entries.values()), MappedShare()).side(
            str(next(iter(entries.values()))["from"])
        )
        for name, entries in found.items()
    }


def _provenance_of_units(outcome: RunOutcome) -> dict[str, Any]:
    """Return the joint provenance of all units. Cells with the same work share their units."""
    units = {
        (cell.key, place): unit.provenance
        for cell in outcome.cells
        for place, unit in cell.units.items()
    }
    return joined_provenance(units.values() if units else [provenance(threads=1)])


def _kinds(outcome: RunOutcome) -> list[SegmentSource]:
    """Return all sources of segments of a run, including detections of whole trackers."""
    own = any(cell.cell.variant.is_whole for cell in outcome.cells)
    return [*outcome.source.segments, *([SegmentSource(is_own=True)] if own else [])]


def _weights(outcome: RunOutcome) -> dict[str, str]:
    """Return the SHA-256 of all weights in the run, by name."""
    variants = [cell.cell.variant for cell in outcome.cells]
    finders = [segments.mapt for segments in outcome.source.segments]
    used = [*(v.weights for v in variants), *(v.mapt for v in variants), *finders]
    return {weights.name: weights.sha256 for weights in used if weights is not None}


def _cell(cell: CellOutcome, outcome: RunOutcome, pat_protocol: str) -> dict[str, Any]:
    labels = outcome.source.labels
    entry: dict[str, Any] = {
        "key": cell.key,
        "variant": cell.cell.variant.name,
        "data": outcome.source.name,
        "segments": outcome.source.segments_named(cell.cell.segments).name,
        "stress": _stress(cell.cell),
        "interval": cell.cell.pair,
        "seed": outcome.seed,
        "status": "failed" if cell.failures else "done",
    }
    if cell.failures:
        nothing: dict[str, Any] = {
            "scores": {},
            "per_sequence": {},
            "matches": {},
            "links": {},
            "cost": {},
        }
        return {**entry, "reason": _reason(cell, outcome), **nothing}
    sums = cell.sums()
    phases = list(zip(*sums.values(), strict=True))
    scores = cell_scores(phases, labels, pat_protocol)
    undefined = undefined_reasons(scores)
    names = [video.info.name for video in outcome.source.videos]
    if outcome.plan.is_ablation:  # with several phases, a class has several scores
        entry["per_class"] = class_scores(phases[0], labels, pat_protocol)
    return {
        **entry,
        "scores": scores,
        "undefined": undefined,
        "classes": averaged_class_names(phases, labels, pat_protocol),
        "per_sequence": {
            names[sequence]: {
                "frames": cell.frames(sequence),
                **cell_scores([[one] for one in of_phases], labels, pat_protocol),
            }
            for sequence, of_phases in sums.items()
        },
        "predictions": {names[sequence]: cell.maps(sequence) for sequence in sums},
        "matches": _matches(cell),
        "links": cell.links().count(),
        "cost": _cost(cell),
    }


def _stress(cell: Cell) -> dict[str, Any]:
    """Return the stress of a cell."""
    if cell.stress is None:
        return {"drop": cell.drop}
    stress = cell.stress
    return {"drop": 1, "name": stress.name, "level": stress.level, "value": stress.value}


def _reason(cell: CellOutcome, outcome: RunOutcome) -> str:
    (sequence, _), failure = next(iter(sorted(cell.failures.items(), key=lambda item: item[0])))
    name = outcome.source.videos[sequence].info.name
    others = len(cell.failures) - 1
    # The place of an error often begins with the sequence, as in "0001/000003".
    is_named = failure.reason.startswith((f"{name}: ", f"{name}/"))
    place = "sequence " if is_named else f"sequence {name}: "
    return f"{place}{failure.reason}" + (f" (and {others} more)" if others else "")


def _matches(cell: CellOutcome) -> dict[str, int]:
    """Count segments by the step that assigned their identity, and those recovered from memory."""
    total: Counter[str] = Counter()
    for unit in cell.units.values():
        total.update(unit.matches)
    recovered = sum(unit.recovered for unit in cell.units.values())
    return {**dict(sorted(total.items())), "recovered": recovered}


def _cost(cell: CellOutcome) -> dict[str, float | int | None]:
    seconds = [value for unit in cell.units.values() for value in unit.seconds]
    return {
        "seconds_per_frame": statistics.median(seconds) if seconds else None,
        "frames_timed": len(seconds),
        "delay_frames": int(dict(cell.cell.variant.settings).get("delay", 0)),
    }


_RESAMPLES = 2000
_RESAMPLES_UNDER_STRESS = 500
"""Fewer, since a stress test has hundreds of cells."""

_Row = dict[str, Any]
_Entry = Mapping[str, Any]


def summary_rows(
    outcome: RunOutcome,
    entries: Sequence[_Entry],
    pat_protocol: str,
    *,
    advance: Advance = lambda _steps: None,
) -> list[_Row]:
    """Return the rows of the summary, table by table.

    Confidence intervals, and paired differences to the reference of the same table, are
    bootstrapped over sequences. The p values of a score are corrected (Holm) for all comparisons of
    this score. In an ablation, a row with memory has ``memory_effect``: the paired differences to
    the same row without memory, ``None`` if there is none. These are a family of their own. See
    :func:`~mapt_bench.experiments.summaries.result_tables.result_tables` for the tables, and
    :class:`~mapt_bench.experiments.summaries.cell_scores.Comparisons` for the comparisons.

    Args:
        outcome: Results of the plan.
        entries: Cells of the result, in the order of ``outcome.cells``.
        pat_protocol: Variant of PAT of the headline scores.
        advance: Takes done steps, one for each cell in total.
    """
    statistics = ScoreStatistics(
        outcome.source.labels,
        pat_protocol=pat_protocol,
        names=INTERVAL_SCORES,
        seed=outcome.seed,
        resamples=_RESAMPLES_UNDER_STRESS if outcome.plan.series else _RESAMPLES,
    )
    comparisons = Comparisons(statistics, "the run")
    effects = Comparisons(statistics, "rows with memory and without")
    rows = []
    found: dict[CellWork, _Row] = {}
    tables = result_tables(outcome)
    places = [
        (table, without, at)
        for table, without in ((each, _without_memory(outcome, each)) for each in tables)
        for at in table.positions
    ]
    for table, without, at in spread(places, len(places), len(outcome.cells), advance):
        cell = outcome.cells[at]
        row = _row(cell, entries[at], table.condition)
        if outcome.plan.series and not cell.failures:
            if cell.work not in found:
                found[cell.work] = recovered(cell, seed=outcome.seed)
            row["recovered"] = found[cell.work]
        if not cell.failures:
            row["intervals"] = comparisons.intervals(cell)
            row["differences"] = comparisons.differences(cell, table.reference)
        if outcome.plan.is_ablation:
            row["memory_effect"] = None
            if not cell.failures:
                row["memory_effect"] = effects.differences(cell, without.get(at))
        rows.append(row)
    comparisons.correct()
    effects.correct()
    return rows


def _without_memory(outcome: RunOutcome, table: ResultTable) -> dict[int, CellOutcome]:
    """Return the cell without memory of each cell with memory, by the position of the latter."""
    described = {at: outcome.cells[at].cell.variant.describe() for at in table.positions}
    return {
        at: outcome.cells[other]
        for at, found in described.items()
        if found["memory"]
        for other, candidate in described.items()
        if {**found, "memory": 0} == candidate
    }


def _row(cell: CellOutcome, entry: _Entry, condition: _Row) -> _Row:
    variant = cell.cell.variant
    return {
        **variant.titles(),
        **variant.describe(),
        "thresholds": variant.thresholds,
        **condition,
        "cell": cell.key,
        "n_sequences": len(entry["per_sequence"]),
        **{name: entry[name] for name in ("status", "scores", "matches", "links", "cost")},
        "intervals": {},
        "differences": None,
    }


_HEADS = (
    ("motion head alone", 0.6161, "mapt:motion"),
    ("appearance head alone", 0.5984, "mapt:appearance"),
    ("both heads", 0.6265, "mapt:paper"),
)
_UNMEASURED = "not measured: the claim is about MAPT's trained model on KITTI-STEP val; no row here"
_ELSEWHERE = (
    "claimed for the published model on KITTI-STEP val; measured on segments {segments!r} with "
    "the weights of this run, other data and another model size: not comparable"
)

_SummaryRow = Mapping[str, Any]


def paper_claims(experiment: str, rows: Sequence[_SummaryRow] = ()) -> list[dict[str, Any]]:
    """Return the claims of the paper for an experiment, as fractions.

    Args:
        experiment: Name of the experiment. Only ``"ablate"`` has claims.
        rows: Summary of the run. Measured values are those of the first table, with memory.

    Returns:
        One entry per claim, with ``name``, ``score``, ``claimed``, ``measured``, ``difference``
        and ``note``. The difference is null, because data and model of the claim differ from those
        of a run; the note says so. Without rows of MAPT, ``measured`` is null too.

    Note:
        Hurtado, Marvi, Mohan and Valada 2025 (arXiv:2503.09191), ablation of the heads.
    """
    return list(_claims(rows)) if experiment == "ablate" else []


def _claims(rows: Sequence[_SummaryRow]) -> Iterator[dict[str, Any]]:
    found = {variant: _pat(rows, variant) for _, _, variant in _HEADS}
    note = _note(rows)
    for name, claimed, variant in _HEADS:
        yield _claim(f"PAT, {name}", claimed, found[variant], note)
    for name, claimed, variant in _HEADS[:2]:
        measured = None
        if (both := _pat(rows, "mapt")) is not None and (alone := found[variant]) is not None:
            measured = both - alone  # rows of one linker, with one cue and with both
        gain = round(_HEADS[2][1] - claimed, 4)
        yield _claim(f"PAT, both heads less {name}", gain, measured, note)


def _claim(name: str, claimed: float, measured: float | None, note: str) -> dict[str, Any]:
    return {
        "name": name,
        "score": "PAT",
        "claimed": claimed,
        "measured": measured,
        "difference": None,
        "note": _UNMEASURED if measured is None else note,
    }


def _of_first_table(rows: Sequence[_SummaryRow]) -> list[_SummaryRow]:
    first = rows[0].get("segments") if rows else None
    return [row for row in rows if row.get("segments") == first and not row.get("trained")]


def _pat(rows: Sequence[_SummaryRow], variant: str) -> float | None:
    named = re.compile(rf"{re.escape(variant)}\+memory(=\d+)?")
    for row in _of_first_table(rows):
        if named.fullmatch(row["variant"]):
            pat: float | None = row["scores"].get("PAT")
            return pat
    return None


def _note(rows: Sequence[_SummaryRow]) -> str:
    return _ELSEWHERE.format(segments=rows[0].get("segments") if rows else None)
