"""The schedule of a plan on given data: its work units, and what is skipped."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from mapt_bench.baselines.registry import TrackerEntry
from mapt_bench.baselines.rows import tracker_entry
from mapt_bench.baselines.user_trackers import UserTracker
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.experiments.engine._keys import Keys
from mapt_bench.experiments.plans.data_source import DataSource
from mapt_bench.experiments.plans.plan import Cell, Plan, Skip
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.labels import Video
from mapt_bench.metrics.scorer import WINDOWS
from mapt_bench.stress import Stress, StressEntry, least_frames, stress_video

__all__ = ["Schedule", "ScheduledCell", "Unit", "runnable_sequences", "schedule_plan"]

_STRESSOR_WORD = "stressor "


@dataclass(frozen=True, slots=True)
class Unit:
    """One tracker over one sequence under one condition.

    Attributes:
        variant: Row of the tracker.
        drop: Only every ``drop``-th frame exists.
        pair: Pairing interval, 1 if the tracker supports none.
        key: Content key of the cell. Cells with the same work share their units.
        sequence: Index of the video.
        phase: First frame that exists.
        stress: Stress of the video, or ``None``.
        segments: Name of the segments to link.
        segments_key: Content key of the segments.
        vpq_windows: Window sizes of VPQ in frames.
    """

    variant: Variant
    drop: int
    pair: int
    key: str
    sequence: int
    phase: int
    stress: Stress | None = None
    segments: str | None = None
    segments_key: str = ""
    vpq_windows: tuple[int, ...] = WINDOWS

    @property
    def place(self) -> tuple[str, int, int]:
        """Identity of the unit in a run."""
        return self.key, self.sequence, self.phase

    @property
    def stressed_video(self) -> tuple[int, tuple[Any, ...]]:
        """Identity of its video under its stress: equal for units that share its frames.

        Units are sorted by it and handed to workers in groups of it, so it has an order.
        """
        return self.sequence, () if self.stress is None else astuple(self.stress)

    @property
    def segments_place(self) -> tuple[int, Stress | None, str | None]:
        """Identity of the segments that it links, in a run."""
        return self.sequence, self.stress, self.segments

    @property
    def file(self) -> str:
        """Path of its result below the folder of cells."""
        return f"{self.key}/{self.sequence:04d}-{self.phase}.json"


@dataclass(frozen=True, slots=True)
class ScheduledCell:
    """A cell that can run.

    Attributes:
        cell: The cell.
        pair: Pairing interval of its tracker, 1 if it supports none.
        key: Content key of the cell.
        sequences: Indices of the videos that it can run on.
        stress: Stress that affects its tracker. ``None`` if only images change and it reads none.
        segments_key: Content key of the segments that it links.
        vpq_windows: Window sizes of VPQ in frames.
    """

    cell: Cell
    pair: int
    key: str
    sequences: tuple[int, ...]
    stress: Stress | None = None
    segments_key: str = ""
    vpq_windows: tuple[int, ...] = WINDOWS

    def units(self) -> Iterator[Unit]:
        """Yield its units, sequence by sequence and phase by phase."""
        cell = self.cell
        for sequence in self.sequences:
            for phase in range(cell.drop):
                yield Unit(
                    cell.variant,
                    cell.drop,
                    self.pair,
                    self.key,
                    sequence,
                    phase,
                    self.stress,
                    cell.segments,
                    self.segments_key,
                    self.vpq_windows,
                )


@dataclass(frozen=True, slots=True)
class Schedule:
    """All work of a plan.

    Attributes:
        plan: The plan.
        cells: Cells that can run, in the order of the plan.
        skipped: Everything that cannot run, with the reason.
    """

    plan: Plan
    cells: tuple[ScheduledCell, ...]
    skipped: tuple[Skip, ...]

    @property
    def skips_of_stress(self) -> tuple[Skip, ...]:
        """Skipped stressors and sequences of a stress test."""
        if not self.plan.series:
            return ()
        return tuple(
            skip
            for skip in self.skipped
            if skip.sequence or skip.tracker.startswith(_STRESSOR_WORD)
        )

    def units(self) -> list[Unit]:
        """Return every unit once. Units of one video under one stress are consecutive."""
        found: dict[tuple[str, int, int], Unit] = {}
        for cell in self.cells:
            for unit in cell.units():
                found.setdefault(unit.place, unit)
        return sorted(found.values(), key=lambda unit: unit.stressed_video)

    @property
    def step_count(self) -> int:
        """Number of steps of a progress bar over the work of :meth:`units`.

        A step is a unit, or the segments of a video under one stress.
        """
        units = self.units()
        return len(units) + len({unit.segments_place for unit in units})

    @property
    def summary_steps(self) -> int:
        """Number of steps of a progress bar over the summary, three for each cell.

        They are statistics, scores by group, and losses.
        """
        return 3 * len(self.cells)


def schedule_plan(plan: Plan, source: DataSource, seed: int) -> Schedule:
    """Match a plan with data, and skip what cannot run.

    - A tracker that needs images, or the ground-truth flow, is skipped if a video has none.
    - A sequence is skipped if it is too short. Each phase of dropped frames needs two frames, and
      a pairing interval of tau needs more than tau frames.
    - A synthetic sequence is skipped at a level at which it cannot be rendered.
    - A stressor is skipped if it cannot be applied to the data.

    Args:
        plan: The plan.
        source: Videos and segments.
        seed: Seed of the experiment, part of the keys.

    Raises:
        ConfigError: If a stressor changes the videos of saved predictions.
        DataError: If nothing can run, or nothing of a stress test can run under stress.
    """
    skipped = {
        name: Skip("all", "the sequence has no ground truth", name) for name in source.without_truth
    }
    skipped.update((skip.tracker, skip) for skip in plan.skipped)
    cells, keys = [], Keys(source, seed, plan.vpq_windows)
    for cell in plan.cells:
        entry = tracker_entry(cell.variant.associator)
        skip = _skip(cell, entry, source)
        if skip is not None:
            skipped.setdefault(skip.tracker, skip)
            continue
        pair = cell.pair if entry.supports_pair else 1
        stress = _noticed(cell, entry, source)
        key = keys.of_cell(cell, entry, pair=pair, stress=stress)
        suited, unsuited = runnable_sequences(cell, source)
        skipped.update((f"{skip.sequence} {skip.reason}", skip) for skip in unsuited)
        if suited:
            segments_key = keys.of_segments(cell.segments, stress)
            cells.append(
                ScheduledCell(cell, pair, key, suited, stress, segments_key, plan.vpq_windows)
            )
    stressed = any(series.level_of(each.cell) for series in plan.series for each in cells)
    if not cells or (plan.series and not stressed):
        omitted = set(plan.skipped)  # rows that were not asked for, which explain nothing
        skips = [skip for skip in skipped.values() if skip not in omitted]
        reasons = "; ".join(sorted({skip.reason for skip in skips}))
        raise DataError(f"nothing can be run: {reasons}", where=source.name)
    return Schedule(plan, tuple(cells), tuple(skipped.values()))


def _noticed(cell: Cell, entry: TrackerEntry, source: DataSource) -> Stress | None:
    """Return the stress that affects a cell: none if only images change and it reads none.

    Such a cell is the same as the cell without stress, so it does not run again.
    """
    reads_images = entry.needs_images or source.segments_named(cell.segments).needs_images
    if cell.stress is not None and cell.stress.entry.needs_images and not reads_images:
        return None
    return cell.stress


def _skip(cell: Cell, entry: TrackerEntry, source: DataSource) -> Skip | None:
    """Return why a cell cannot run on any video of the data, ``None`` if it can."""
    if cell.stress is not None:
        reason = _unsuited(cell.stress.entry, source)
        if reason is not None:
            return Skip(f"{_STRESSOR_WORD}{cell.stress.name}", reason)
    reason = _unmet_need(entry, source) or _unknown_classes(cell, source)
    return None if reason is None else Skip(cell.variant.name, reason)


def _unknown_classes(cell: Cell, source: DataSource) -> str | None:
    """Return why MAPT cannot detect the segments of a cell, ``None`` if it can."""
    finder = source.segments_named(cell.segments).mapt
    if finder is None:
        return None
    if not source.has_images:
        return f"links detections of {finder.name}, which needs images, and the data have none"
    if finder.label_space != source.labels.name and source.class_map is None:
        return (
            f"links detections of {finder.name}, which has the label space {finder.label_space}, "
            f"and the data have {source.labels.name}; map both to one label space with --map"
        )
    return None


def _unsuited(stressor: StressEntry, source: DataSource) -> str | None:
    """Return why a stressor cannot be applied to the data, ``None`` if it can.

    Raises:
        ConfigError: If the segments are predictions for the videos without the stressor.
    """
    if stressor.world_only and not source.is_synthetic:
        return "needs synthetic videos, which it generates with other settings"
    if stressor.needs_images and not source.has_images:
        return "changes only images, and the data have none"
    if any(each.saved is not None for each in source.segments):
        raise ConfigError(
            f"saved predictions do not fit the stressor {stressor.name!r}, because they were "
            "computed on the videos without it; give --segments groundtruth or noisy, or "
            "--stressor drop, which does not change the remaining frames"
        )
    return None


def _unmet_need(entry: TrackerEntry, source: DataSource) -> str | None:
    """Return why a tracker cannot run on any video of the data, ``None`` if it can."""
    if entry.needs_true_flow and not source.knows_flow:
        return "needs the ground-truth flow, which only synthetic videos have"
    if entry.needs_images and not source.has_images:
        hint = "; if it reads none, set needs_images = False on its class"
        own = hint if isinstance(entry, UserTracker) else ""
        return f"needs images, and the data have none{own}"
    return None


def runnable_sequences(cell: Cell, source: DataSource) -> tuple[tuple[int, ...], Sequence[Skip]]:
    """Return the indices of the videos that a cell can run on, and why the others are skipped."""
    suited, skips = [], []
    for index, video in enumerate(source.videos):
        reason = _too_short(cell, video.info.frame_count) or _not_drawable(cell.stress, video)
        if reason is None:
            suited.append(index)
        else:
            skips.append(Skip("all", reason, video.info.name))
    return tuple(suited), skips


def _too_short(cell: Cell, frames: int) -> str | None:
    needed, condition = max(2 * cell.drop, cell.pair + 1), f"pair {cell.pair}"
    if cell.drop > 1:
        condition = f"drop {cell.drop}"
    if cell.stress is not None and least_frames(cell.stress) > needed:
        needed = least_frames(cell.stress)
        condition = f"{cell.stress.name} at level {cell.stress.level}"
    if frames >= needed:
        return None
    return f"{condition} needs {needed} frames, the sequence has {frames}"


def _not_drawable(stress: Stress | None, video: Video) -> str | None:
    """Return why a scene cannot be rendered under a stress, for example with too fast objects."""
    if stress is None or not stress.entry.world_only:
        return None
    try:
        stress_video(video, stress)  # renders nothing before a frame is read
    except ConfigError as problem:
        return problem.message
    return None
