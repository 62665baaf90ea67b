"""Error decomposition of the rows of a run: where the points of some rows were lost."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mapt_bench.experiments.engine.runner import Advance, CellOutcome, RunOutcome, spread
from mapt_bench.experiments.summaries.result_tables import result_tables
from mapt_bench.metrics import PatVariant, pat_variant
from mapt_bench.metrics.losses import LossSums, count_losses_of_all, pool_losses
from mapt_bench.metrics.overlap import SequenceOverlap
from mapt_bench.workers import Processes

__all__ = ["RowLosses", "counted_losses"]

_Row = dict[str, Any]

_PORTION = 8
"""Work units whose sums a worker adds. It is fixed, so results do not depend on the workers."""


@dataclass(frozen=True)
class RowLosses:
    """Losses of some rows, which worker processes may still be counting.

    Attributes:
        outcome: Results of the plan.
        variant: Variant of PAT that is decomposed.
        names: Names of the rows with losses, by the key of their cell.
        keys: Key of the cell of each portion of work units.
        sums: Position and sums of each portion, as soon as they are counted.
    """

    outcome: RunOutcome
    variant: PatVariant
    names: Mapping[str, Collection[str]]
    keys: Sequence[str]
    sums: Iterator[tuple[int, LossSums]]

    def add_to(self, rows: Sequence[_Row], *, advance: Advance) -> None:
        """Wait for the losses, and add the field ``losses`` to their rows.

        Args:
            rows: Rows of the summary. Changed in place.
            advance: Takes done steps, one for each cell of the outcome in total.
        """
        steps, count = len(self.outcome.cells), len(self.keys)
        if not count:
            advance(steps)
            return
        counted = dict(spread(self.sums, count, steps, advance))
        parts: dict[str, list[LossSums]] = {}
        for at, key in enumerate(self.keys):
            parts.setdefault(key, []).append(counted[at])
        labels = self.outcome.source.labels
        found = {
            key: pool_losses(each, labels, self.variant).to_dict() for key, each in parts.items()
        }
        for row in rows:
            is_plain = (row.get("interval") or {}).get("tau", 1) == 1
            if is_plain and row["variant"] in self.names.get(row["cell"], ()):
                row["losses"] = found[row["cell"]]


def counted_losses(
    outcome: RunOutcome,
    entries: Sequence[Mapping[str, Any]],
    named: Collection[str],
    pat_protocol: str,
    *,
    processes: Processes,
) -> RowLosses:
    """Begin to count the losses of some rows. Several processes count in the background.

    The rows are, in each table: the reference, the best row by PAT, the oracle, rows that the user
    adds, and rows that are named. Rows under stress, frame skip or another pairing interval than 1
    have no losses. Losses are counted from the overlap tables that each unit keeps.

    Args:
        outcome: Results of the plan.
        entries: Cells of the result, in the order of ``outcome.cells``.
        named: Names of further rows.
        pat_protocol: Variant of PAT of the headline scores.
        processes: Count the losses. Results do not depend on their number.
    """
    variant, names = pat_variant(pat_protocol), _chosen(outcome, entries, named)
    cells = {cell.key: cell for cell in outcome.cells if cell.key in names and _is_plain(cell)}
    portions = [
        (key, portion) for key, cell in cells.items() for portion in _portions(cell, outcome)
    ]
    keys, tables = [key for key, _ in portions], [portion for _, portion in portions]
    counted = processes.run(partial(_counter, variant), tables)
    return RowLosses(outcome, variant, names, keys, counted)


def _counter(variant: PatVariant) -> Callable[[Sequence[SequenceOverlap]], LossSums]:
    """Return the function by which a process counts the losses of a portion."""
    return partial(count_losses_of_all, variant=variant)


def _portions(cell: CellOutcome, outcome: RunOutcome) -> Iterator[list[SequenceOverlap]]:
    tables = [unit.overlap(outcome.source.labels) for unit in cell.units.values()]
    for start in range(0, len(tables), _PORTION):
        yield tables[start : start + _PORTION]


def _is_plain(cell: CellOutcome) -> bool:
    at = cell.cell
    return not cell.failures and at.stress is None and at.drop == at.pair == 1


_OF_USERS = ("added", "whole")
"""Groups of the rows that users add to an experiment, which they want to know most about."""


def _chosen(
    outcome: RunOutcome, entries: Sequence[Mapping[str, Any]], named: Collection[str]
) -> dict[str, set[str]]:
    """Return the names of the rows with losses, by the key of their cell."""
    wanted = {outcome.plan.reference, "oracle", *named}
    chosen: dict[str, set[str]] = {}
    for table in result_tables(outcome):
        members = [at for at in table.positions if _is_plain(outcome.cells[at])]
        best = max(
            (at for at in members if _is_ranked(outcome.cells[at])),
            key=lambda at: entries[at]["scores"].get("PAT") or 0,
            default=None,
        )
        for at in members:
            variant = outcome.cells[at].cell.variant
            if at == best or variant.name in wanted or variant.group in _OF_USERS:
                chosen.setdefault(outcome.cells[at].key, set()).add(variant.name)
    return chosen


def _is_ranked(cell: CellOutcome) -> bool:
    """Whether a row can be the best of its table. References and oracles cannot."""
    variant = cell.cell.variant
    return variant.group != "reference" and not variant.name.startswith("oracle")
