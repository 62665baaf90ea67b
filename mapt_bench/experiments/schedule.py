"""Which units of work a plan comes to on given data, and what cannot be run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mapt_bench.baselines import associator_entry
from mapt_bench.errors import DataError
from mapt_bench.experiments.cells import cell_config, cell_key
from mapt_bench.experiments.plan import Cell, Plan, Skip
from mapt_bench.experiments.source import DataSource
from mapt_bench.experiments.variants import Variant

__all__ = ["Schedule", "ScheduledCell", "Unit", "schedule_plan"]


@dataclass(frozen=True, slots=True)
class Unit:
    """One tracker over one sequence under one condition.

    Attributes:
        variant: The tracker.
        drop: Only every ``drop``-th frame exists.
        pair: Pairing interval, 1 where the tracker has none.
        key: Content key of the cell; cells that amount to the same work share units.
        sequence: Index of the video.
        phase: First frame that exists.
    """

    variant: Variant
    drop: int
    pair: int
    key: str
    sequence: int
    phase: int

    @property
    def place(self) -> tuple[str, int, int]:
        """What the unit is known by."""
        return self.key, self.sequence, self.phase

    @property
    def file(self) -> str:
        """Where its result lies below the folder of cells."""
        return f"{self.key}/{self.sequence:04d}-{self.phase}.json"


@dataclass(frozen=True, slots=True)
class ScheduledCell:
    """A cell that can run.

    Attributes:
        cell: What to run.
        pair: The pairing interval that its tracker is told, 1 where it has none.
        key: Its content key.
        sequences: Indices of the videos that are long enough for it.
    """

    cell: Cell
    pair: int
    key: str
    sequences: tuple[int, ...]

    def units(self) -> Iterator[Unit]:
        """Yield its units by sequence and phase."""
        for sequence in self.sequences:
            for phase in range(self.cell.drop):
                yield Unit(self.cell.variant, self.cell.drop, self.pair, self.key, sequence, phase)


@dataclass(frozen=True, slots=True)
class Schedule:
    """All work of a plan.

    Attributes:
        cells: Those that can run, in the order of the plan.
        skipped: What cannot, and why.
    """

    cells: tuple[ScheduledCell, ...]
    skipped: tuple[Skip, ...]

    def units(self) -> list[Unit]:
        """Return every unit once, sequence by sequence, so that what is decoded is used."""
        found = {unit.place: unit for cell in self.cells for unit in cell.units()}
        return sorted(found.values(), key=lambda unit: unit.sequence)


def schedule_plan(plan: Plan, source: DataSource, seed: int) -> Schedule:
    """Match a plan with data.

    A tracker that needs images is skipped where a video has none; a sequence is skipped where it
    is too short for an interval: each phase of dropped frames needs two frames, so that there is
    something to link, and a pairing interval of tau needs more than tau frames.

    Args:
        plan: What to run.
        source: On what.
        seed: Of the experiment, part of the keys.

    Raises:
        DataError: If nothing at all can be run.
    """
    skipped = {
        name: Skip("all", "the sequence has no ground truth", name) for name in source.without_truth
    }
    skipped.update((skip.tracker, skip) for skip in plan.skipped)
    cells = []
    for cell in plan.cells:
        entry = associator_entry(cell.variant.associator)
        if entry.needs_images and not source.has_images:
            reason = "needs images, and the data have none"
            skipped.setdefault(cell.variant.name, Skip(cell.variant.name, reason))
            continue
        pair = cell.pair if entry.supports_pair else 1
        key = cell_key(
            cell_config(cell, pair=pair),
            data_fingerprint=source.fingerprint,
            segments=source.segments.describe(),
            seed=seed,
        )
        long_enough, too_short = _by_length(cell, source)
        skipped.update((f"{skip.sequence} {skip.reason}", skip) for skip in too_short)
        if long_enough:
            cells.append(ScheduledCell(cell, pair, key, long_enough))
    if not cells:
        reasons = "; ".join(sorted({skip.reason for skip in skipped.values()}))
        raise DataError(f"nothing can be run: {reasons}", where=source.name)
    return Schedule(tuple(cells), tuple(skipped.values()))


def _by_length(cell: Cell, source: DataSource) -> tuple[tuple[int, ...], Sequence[Skip]]:
    needed = max(2 * cell.drop, cell.pair + 1)
    kind, tau = ("drop", cell.drop) if cell.drop > 1 else ("pair", cell.pair)
    long_enough, skips = [], []
    for index, video in enumerate(source.videos):
        count = video.info.frame_count
        if count >= needed:
            long_enough.append(index)
        else:
            reason = f"{kind} {tau} needs {needed} frames, the sequence has {count}"
            skips.append(Skip("all", reason, video.info.name))
    return tuple(long_enough), skips
