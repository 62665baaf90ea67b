"""Error decomposition of the rows of a run: where the points of some rows were lost."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from mapt_bench.experiments.engine.runner import CellOutcome, RunOutcome
from mapt_bench.metrics import count_losses, pat_variant, pool_losses

__all__ = ["add_losses"]

_Row = dict[str, Any]


def add_losses(
    rows: Sequence[_Row], outcome: RunOutcome, named: Collection[str], pat_protocol: str
) -> None:
    """Add the field ``losses`` to some rows of a summary.

    These are, in each group of rows with the same condition: the reference, the best row by PAT,
    the oracle, and rows that are named. Rows under stress, frame skip or another pairing interval
    than 1 have none.

    Args:
        rows: Rows of the summary. Changed in place.
        outcome: Results of the plan.
        named: Names of further rows.
        pat_protocol: Variant of PAT of the headline scores.
    """
    cells = {cell.key: cell for cell in outcome.cells if _is_plain(cell)}
    found: dict[str, dict[str, Any]] = {}
    for row in _chosen(rows, outcome.plan.reference, named, cells):
        key = row["cell"]
        if key not in found:
            found[key] = _losses(cells[key], outcome, pat_protocol)
        row["losses"] = found[key]


def _is_plain(cell: CellOutcome) -> bool:
    at = cell.cell
    return not cell.failures and at.stress is None and at.drop == at.pair == 1


def _chosen(
    rows: Iterable[_Row],
    reference: str | None,
    named: Collection[str],
    cells: Mapping[str, CellOutcome],
) -> list[_Row]:
    groups: dict[tuple[str, ...], list[_Row]] = {}
    for row in rows:
        if row["cell"] in cells:
            group = tuple(str(row.get(name)) for name in ("segments", "trained", "interval"))
            groups.setdefault(group, []).append(row)
    chosen = []
    for members in groups.values():
        wanted = {reference, "oracle", *named}
        ranked = [
            row
            for row in members
            if row["group"] != "reference" and not row["variant"].startswith("oracle")
        ]
        best = max(ranked, key=lambda row: row["scores"].get("PAT") or 0, default=None)
        chosen += [row for row in members if row["variant"] in wanted or row is best]
    return chosen


def _losses(cell: CellOutcome, outcome: RunOutcome, pat_protocol: str) -> dict[str, Any]:
    labels, variant = outcome.source.labels, pat_variant(pat_protocol)
    sums = (count_losses(unit.overlap(labels), variant) for unit in cell.units.values())
    return pool_losses(sums, labels, variant).to_dict()
