"""Results by step of a fusion: its decisions, and the mistakes that each step causes.

The mistakes of a step are measured by ground truth in its place. The share of a step is what its
replacement repairs, averaged over the orders in which the steps can be replaced: the Shapley value
under precedence constraints (Faigle and Kern 1992). The appearance step is always replaced before
the motion step. Otherwise the motion step would be charged with links that it leaves to the
appearance step, because ground truth in the first step leaves nothing to the second one.
"""

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.experiments.engine.runner import CellOutcome, RunOutcome
from mapt_bench.experiments.plans.oracle_rows import ORACLE_SETS, oracle_rows_of
from mapt_bench.experiments.summaries.cell_scores import INTERVAL_SCORES, Comparisons, cell_scores
from mapt_bench.experiments.summaries.result_tables import group_members
from mapt_bench.metrics.shares import share_intervals
from mapt_bench.metrics.step_links import (
    ANY_STEP,
    BY_FACTORS,
    EVERYTHING,
    StepCounts,
    count_steps,
    step_rates,
)
from mapt_bench.metrics.uncertainty import ScoreStatistics
from mapt_bench.tracking.oracle_steps import ORACLE_STEPS

__all__ = ["step_results"]

_Row = dict[str, Any]
_Array = NDArray[np.float64]
_Cells = Mapping[tuple[str, ...], CellOutcome]

_NO_STEP: tuple[str, ...] = ()
_KIND, _EVERY_KIND = "kind", "all"

_ORDERS = tuple(
    order
    for order in permutations(ORACLE_STEPS)
    if order.index("appearance") < order.index("motion")
)
"""Orders in which steps are replaced."""


def step_results(outcome: RunOutcome, pat_protocol: str) -> list[_Row]:
    """Return the decisions and the mistakes by step of each fusion of a run.

    Args:
        outcome: Results of an ablation that has rows with an oracle.
        pat_protocol: Variant of PAT of the headline scores.

    Returns:
        One entry for each fusion, source of segments and kind of video (``"all"`` first), with
        ``variant``, ``label``, ``segments``, ``kind``, ``n_sequences`` and

        - ``decisions``: entries of :func:`~mapt_bench.metrics.step_links.step_rates`;
        - ``mistakes``: wrong links in each range of each factor: ``slice``, ``range``, ``links``,
          ``wrong``, ``left`` (wrong with ground truth in all steps), and ``steps``: for each step
          ``wrong`` (its share of ``wrong - left``), ``rate`` (the same per link), its
          ``interval``, and ``alone`` (wrong links repaired by this step alone);
        - ``scores``: by name ``value``, ``perfect`` (ground truth in all steps), and ``steps``: for
          each step ``share`` and ``alone``;
        - ``gains``: of all videos, for each step the paired differences of the row in which ground
          truth replaces it.

        Fusions with a failed row have no entry.
    """
    factors = [BY_FACTORS[name] for name in outcome.plan.by]
    groups = _kinds(outcome)
    statistics = ScoreStatistics(
        outcome.source.labels, pat_protocol=pat_protocol, names=INTERVAL_SCORES, seed=outcome.seed
    )
    gains = Comparisons(statistics, "steps replaced by ground truth")
    rows = []
    for (name, segments), cells in _fusions(outcome).items():
        counts = {steps: _counts(cell, outcome) for steps, cell in cells.items()}
        for kind, positions in groups.items():
            row = {
                "variant": name,
                "label": cells[_NO_STEP].cell.variant.label,
                "segments": segments,
                "kind": kind,
                **_of_kind(outcome, cells, counts, positions, factors, pat_protocol),
            }
            if kind == _EVERY_KIND:
                row["gains"] = {
                    step: gains.differences(cells[(step,)], cells[_NO_STEP])
                    for step in ORACLE_STEPS
                }
            rows.append(row)
    gains.correct()
    return rows


def _kinds(outcome: RunOutcome) -> dict[str, tuple[int, ...]]:
    """Return the positions of all videos, and those of each kind if the videos have kinds."""
    names = [video.info.name for video in outcome.source.videos]
    members = group_members(names, outcome.source.groups)
    kinds = {level: found for (factor, level), found in members.items() if factor == _KIND}
    return {_EVERY_KIND: tuple(range(len(names))), **dict(sorted(kinds.items(), reverse=True))}


def _fusions(outcome: RunOutcome) -> dict[tuple[str, str], _Cells]:
    """Return the cells of each fusion on each source of segments, by the replaced steps."""
    found: dict[tuple[str, str], dict[tuple[str, ...], CellOutcome]] = {}
    place_of = {
        row: (name, steps)
        for name, rows in oracle_rows_of(outcome.plan.variants).items()
        for steps, row in ((_NO_STEP, name), *rows.items())
    }
    for cell in outcome.cells:
        if cell.cell.variant.name in place_of and not cell.failures:
            name, steps = place_of[cell.cell.variant.name]
            segments = outcome.source.segments_named(cell.cell.segments).name
            found.setdefault((name, segments), {})[steps] = cell
    return {key: cells for key, cells in found.items() if len(cells) == 1 + len(ORACLE_SETS)}


def _counts(cell: CellOutcome, outcome: RunOutcome) -> dict[int, StepCounts]:
    labels = outcome.source.labels
    return {
        sequence: count_steps(unit.overlap(labels), unit.links, unit.decisions)
        for (sequence, _), unit in cell.units.items()
    }


def _of_kind(
    outcome: RunOutcome,
    cells: _Cells,
    counts: Mapping[tuple[str, ...], Mapping[int, StepCounts]],
    positions: Sequence[int],
    factors: Sequence[str],
    pat_protocol: str,
) -> _Row:
    chosen = [at for at in positions if at in counts[_NO_STEP]]
    own = [counts[_NO_STEP][at] for at in chosen]
    return {
        "n_sequences": len(chosen),
        "decisions": step_rates(own, factors, seed=outcome.seed),
        "mistakes": _mistakes(
            {steps: [found[at] for at in chosen] for steps, found in counts.items()},
            factors,
            outcome.seed,
        ),
        "scores": _scores(outcome, cells, chosen, pat_protocol),
    }


def _shares(value: Mapping[tuple[str, ...], _Array]) -> dict[str, _Array]:
    """Return the share of each step: its gain, averaged over the orders of replacement.

    Args:
        value: Value of each set of replaced steps, in the order of :data:`ORACLE_STEPS`.
    """
    found = {step: np.zeros_like(value[_NO_STEP]) for step in ORACLE_STEPS}
    for order in _ORDERS:
        for at, step in enumerate(order):
            gain = value[_sorted(order[: at + 1])] - value[_sorted(order[:at])]
            found[step] = found[step] + gain / len(_ORDERS)
    return found


def _sorted(steps: Sequence[str]) -> tuple[str, ...]:
    return tuple(step for step in ORACLE_STEPS if step in steps)


def _mistakes(
    counts: Mapping[tuple[str, ...], Sequence[StepCounts]], factors: Sequence[str], seed: int
) -> list[_Row]:
    """Return the wrong links in each range, divided among the steps."""
    places = [EVERYTHING]
    places += dict.fromkeys(
        (factor, label)
        for wanted in factors
        for each in counts[_NO_STEP]
        for factor, label, step in each
        if step == ANY_STEP and factor == wanted
    )
    table = {steps: _links(found, places) for steps, found in counts.items()}
    links, wrong = table[_NO_STEP][..., 0], table[_NO_STEP][..., 1]
    # Repaired links of each set of steps, for each sequence and range.
    value = {steps: (wrong - found[..., 1]).astype(np.float64) for steps, found in table.items()}
    share = _shares(value)
    rates = {step: share_intervals(links, each, seed) for step, each in share.items()}
    left = table[ORACLE_STEPS][..., 1]
    return [
        {
            "slice": factor,
            "range": label,
            "links": int(links[:, at].sum()),
            "wrong": int(wrong[:, at].sum()),
            "left": int(left[:, at].sum()),
            "steps": {
                step: {
                    "wrong": float(share[step][:, at].sum()),
                    "rate": rates[step][at][0],
                    "interval": rates[step][at][1],
                    "alone": int(value[step,][:, at].sum()),
                }
                for step in ORACLE_STEPS
            },
        }
        for at, (factor, label) in enumerate(places)
        if links[:, at].sum()
    ]


def _links(sequences: Sequence[StepCounts], places: Sequence[tuple[str, str]]) -> NDArray[np.int64]:
    """Return links and wrong links: ``(sequences, places, 2)``."""
    found = [
        [(sum(each[*place, ANY_STEP]), sum(each[*place, ANY_STEP][1:])) for place in places]
        for each in sequences
    ]
    return np.array(found, dtype=np.int64).reshape(len(sequences), len(places), 2)


def _scores(
    outcome: RunOutcome, cells: _Cells, chosen: Sequence[int], pat_protocol: str
) -> dict[str, _Row]:
    """Return the loss of each score, divided among the steps. Undefined scores are omitted."""
    if not chosen:
        return {}
    found = {
        steps: _scores_of(outcome, cell, chosen, pat_protocol) for steps, cell in cells.items()
    }
    rows = {}
    for name in INTERVAL_SCORES:
        values = {steps: scores[name] for steps, scores in found.items()}
        known = {steps: np.asarray(value) for steps, value in values.items() if value is not None}
        if len(known) < len(values):
            continue
        share = _shares(known)
        rows[name] = {
            "value": float(known[_NO_STEP]),
            "perfect": float(known[ORACLE_STEPS]),
            "steps": {
                step: {
                    "share": float(share[step]),
                    "alone": float(known[step,] - known[_NO_STEP]),
                }
                for step in ORACLE_STEPS
            },
        }
    return rows


def _scores_of(
    outcome: RunOutcome, cell: CellOutcome, chosen: Sequence[int], pat_protocol: str
) -> dict[str, float | None]:
    sums = cell.sums()
    phases = list(zip(*(sums[at] for at in chosen), strict=True))
    return cell_scores(phases, outcome.source.labels, pat_protocol)
