"""Workers of a run: they compute work units in this process, in processes, or on a cluster."""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Self

from mapt_bench.baselines.rows import tracker_entry
from mapt_bench.errors import DataError, FullDiskError, MaptBenchError, text_of
from mapt_bench.experiments.engine._run_folder import (
    keep_objects,
    objects_file,
    read_unit,
    unit_file,
    write_unit,
)
from mapt_bench.experiments.engine.schedule import Unit
from mapt_bench.experiments.engine.shared import Library, SharedVideo
from mapt_bench.experiments.engine.unit import (
    UnitResult,
    one_thread,
    run_unit,
    start_tracking,
)
from mapt_bench.experiments.plans.data_source import DataSource
from mapt_bench.experiments.plans.network_weights import MaptWeights
from mapt_bench.experiments.plans.segment_sources import (
    archive_path,
    has_key,
    noticed_by_segments,
)
from mapt_bench.faults import machine_fault
from mapt_bench.files import write_bytes
from mapt_bench.labels import PanopticMap, Video
from mapt_bench.provenance import provenance
from mapt_bench.tracking.link_model import linker_file
from mapt_bench.weights import shipped_at
from mapt_bench.workers import Lost, RemoteWorkers, Workers

__all__ = ["BUG", "Failure", "Work", "Worker", "import_networks", "outcomes"]

BUG = "bug"
"""Kind of a failure that is no error for the user."""

_CRASH = 70


@dataclass(frozen=True, slots=True)
class Failure:
    """Reason why a unit has no result.

    Attributes:
        reason: Error message and place.
        exit_code: Exit code of the command line.
        kind: Kind of the error, see :class:`~mapt_bench.errors.MaptBenchError`, or ``"bug"``.
    """

    reason: str
    exit_code: int
    kind: str = BUG


@dataclass(frozen=True)
class Work:
    """Data that every worker needs. Each worker gets it once."""

    source: DataSource
    folder: Path
    seed: int


class Worker:
    """Runs units one after the other. Consecutive units of a video share its frames and work."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._library = Library(work.source, work.folder, work.seed)

    def do(self, unit: Unit) -> UnitResult | Failure:
        """Run a unit and write its result.

        Raises:
            ConfigError: If the stress cannot be applied to the video.
            DataError: If the video or its segments are unusable, or a result cannot be written.
        """
        with one_thread(networks=self._runs_networks(unit)):
            shared = self._video(unit)
            outcome = self._outcome(unit, shared)
        if isinstance(outcome, Failure):
            return outcome
        result = replace(outcome, provenance=provenance(threads=1))
        keep_objects(self._work.folder, unit, shared)
        write_unit(self._work.folder, unit, result)
        return result

    def replay(self, unit: Unit, frames: int) -> tuple[Video, list[PanopticMap]]:
        """Track the first frames of a unit again, without scores.

        Returns:
            The video with its existing frames, and their maps.

        Raises:
            ConfigError: If the tracker cannot be built.
            DataError: If the video or its segments are unusable.
            TrackerError: If a user's tracker fails.
        """
        with one_thread(networks=self._runs_networks(unit)):
            kept, run = start_tracking(
                unit.variant,
                self._video(unit),
                segments=unit.segments,
                drop=unit.drop,
                phase=unit.phase,
                pair=unit.pair,
            )
            return kept, list(islice(run.maps(), frames))

    def find_segments(self, unit: Unit) -> Path:
        """Compute the segments that a unit links, if the run folder lacks them.

        Returns:
            Path of their archive.

        Raises:
            ConfigError: If the stress cannot be applied to the video.
            DataError: If the video or its segments are unusable, or the archive cannot be written.
        """
        with one_thread(networks=self._runs_networks(unit)):
            shared = self._video(unit)
        kind = self._work.source.segments_named(unit.segments)
        name = shared.video.info.name
        return archive_path(self._work.folder, kind, unit.sequence, name, unit.stress)

    def _video(self, unit: Unit) -> SharedVideo:
        return self._library.video(unit.sequence, unit.stress, unit.segments, key=unit.segments_key)

    def _outcome(self, unit: Unit, shared: SharedVideo) -> UnitResult | Failure:
        try:
            return run_unit(
                unit.variant,
                shared,
                self._work.source.labels,
                segments=unit.segments,
                drop=unit.drop,
                phase=unit.phase,
                pair=unit.pair,
                vpq_windows=unit.vpq_windows,
            )
        except FullDiskError:  # the others have no space either
            raise
        except MaptBenchError as problem:
            return _named(problem)
        except Exception as problem:  # a failing cell must not stop the others
            fault = machine_fault(problem)
            if isinstance(fault, FullDiskError):
                raise fault from problem
            if fault is not None:
                return _named(fault)
            notes = "".join(f"; {note}" for note in getattr(problem, "__notes__", ()))
            return Failure(f"{type(problem).__name__}: {text_of(problem)}{notes}", _CRASH)

    def _runs_networks(self, unit: Unit) -> bool:
        variant, segments = unit.variant, self._work.source.segments_named(unit.segments)
        if variant.code is not None and _imports_torch(variant.associator):
            return True
        return any(each is not None for each in (variant.weights, variant.mapt, segments.mapt))


def _named(problem: MaptBenchError) -> Failure:
    place = f"{problem.where}: " if problem.where else ""
    return Failure(f"{place}{problem.message}", problem.exit_code, problem.kind)


def _imports_torch(tracker: str) -> bool:
    """Return whether the code of a user's tracker has imported torch."""
    try:
        tracker_entry(tracker)
    except MaptBenchError:
        return False  # run_unit reports the error
    return "torch" in sys.modules


def outcomes(
    work: Work, units: Sequence[Unit], workers: Workers
) -> Iterator[tuple[Unit, UnitResult | Failure | None]]:
    """Yield each unit with its outcome as soon as it is done, and written to the run folder.

    On a cluster, a unit also comes with ``None``, when only its segments are done.

    Raises:
        ConfigError: If the stress cannot be applied to a video.
        DataError: If a worker process was killed, data are unusable, or a result cannot be written.
    """
    if isinstance(workers, RemoteWorkers):
        yield from _remote_outcomes(work, units, workers)
        return
    done = workers.run(partial(_starting, work), units, together=lambda unit: unit.stressed_video)
    for at, outcome in done:
        yield units[at], outcome


def _starting(work: Work) -> Callable[[Unit], UnitResult | Failure]:
    return Worker(work).do


def import_networks() -> None:
    """Import what workers need for networks, which takes seconds."""
    with suppress(Exception):  # units that need a missing or broken package report it
        importlib.import_module("mapt_bench.model")


# On a cluster, workers have run folders of their own. Their files travel.

_Files = Mapping[str, bytes]
"""Content of files by their path below the run folder."""


@dataclass(frozen=True, slots=True)
class _SegmentsOf:
    """Task to compute the segments that a unit links."""

    unit: Unit


@dataclass(frozen=True, slots=True)
class _SentWeights:
    """Weights of MAPT that do not ship, such as fine-tuned heads: their files travel, too.

    Attributes:
        files: The files by identity of the weights.
    """

    files: Mapping[str, _Files]

    @classmethod
    def of(cls, source: DataSource, units: Sequence[Unit]) -> Self:
        """Read the weights that segments and units need."""
        used = [*(each.mapt for each in source.segments), *(unit.variant.mapt for unit in units)]
        own = {each for each in used if each is not None and shipped_at(each.path) is None}
        return cls({_identity(each): _weights_files(each.path) for each in own})

    def write(self, folder: Path) -> None:
        """Write all files to a folder of this worker."""
        for identity, files in self.files.items():
            for name, content in files.items():
                write_bytes(folder / identity / name, content)

    def unit(self, unit: Unit, folder: Path) -> Unit:
        """Return a unit whose weights lie in a folder."""
        variant = unit.variant
        return replace(unit, variant=replace(variant, mapt=self._moved(variant.mapt, folder)))

    def source(self, source: DataSource, folder: Path) -> DataSource:
        """Return data whose segments are detected with weights in a folder."""
        moved = (replace(each, mapt=self._moved(each.mapt, folder)) for each in source.segments)
        return replace(source, segments=tuple(moved))

    def _moved(self, mapt: MaptWeights | None, folder: Path) -> MaptWeights | None:
        if mapt is None or _identity(mapt) not in self.files:
            return mapt
        return replace(mapt, path=folder / _identity(mapt) / mapt.path.name)


def _identity(mapt: MaptWeights) -> str:
    return f"{mapt.sha256[:16]}-{mapt.linker[:16]}"


def _weights_files(weights: Path) -> _Files:
    paths = (weights, linker_file(weights))
    return {path.name: path.read_bytes() for path in paths if path.is_file()}


_NOWHERE = Path("weights-that-travel")
"""Folder of such weights on the way. The client has no such files, so none are looked for."""


@dataclass(frozen=True, slots=True)
class _SettingFiles:
    """Files that settings of users' trackers name. Workers must have the same."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, units: Sequence[Unit]) -> Self:
        found: dict[str, None] = {}
        for variant in dict.fromkeys(unit.variant for unit in units):
            settings = dict(variant.settings)
            names = () if variant.code is None else variant.code.files
            found |= {str(settings[name]): None for name, _ in names}
        return cls(tuple(found))

    def named_files(self) -> Iterator[tuple[Path, Sequence[str]]]:
        """Yield the names, relative ones too: a worker opens them in its own folder."""
        yield Path(), self.names


class _RemoteWorker:
    """Runs units in a folder of its own, and returns the files that the client lacks.

    Args:
        source: Videos and segments.
        seed: Seed of segment order and faults.
        weights: Weights that travelled here.
        files: Files that trackers read here.
    """

    def __init__(
        self, source: DataSource, seed: int, weights: _SentWeights, files: _SettingFiles
    ) -> None:
        from mapt_bench.workers.sessions import scratch_folder  # this process is a worker of Dask

        del files  # they were checked
        self._folder = scratch_folder()
        self._weights = weights
        weights.write(self._folder / _NOWHERE)
        source = weights.source(source, self._folder / _NOWHERE)
        self._worker = Worker(Work(source, self._folder, seed))
        self._sent: set[Path] = set()  # objects of a video travel once from each worker

    def __call__(
        self, task: Unit | _SegmentsOf | _Files, archive: _Files | None = None
    ) -> _Files | Failure:
        if isinstance(task, _SegmentsOf):
            return self._read(self._worker.find_segments(self._placed(task.unit)))
        if not isinstance(task, Unit):
            return task  # an archive that the client has from an earlier run
        task = self._placed(task)
        for name, content in (archive or {}).items():
            if not (self._folder / name).exists():
                write_bytes(self._folder / name, content)
        outcome = self._worker.do(task)
        if isinstance(outcome, Failure):
            return outcome
        objects = objects_file(self._folder, task)
        is_new = objects.exists() and objects not in self._sent
        self._sent.add(objects)
        return self._read(unit_file(self._folder, task), *([objects] if is_new else []))

    def _placed(self, unit: Unit) -> Unit:
        return self._weights.unit(unit, self._folder / _NOWHERE)

    def _read(self, *paths: Path) -> _Files:
        return {path.relative_to(self._folder).as_posix(): path.read_bytes() for path in paths}


def _remote_outcomes(
    work: Work, units: Sequence[Unit], cluster: RemoteWorkers
) -> Iterator[tuple[Unit, UnitResult | Failure | None]]:
    """Run the segments of all units first, then each unit where its segments are."""
    finders: list[Unit] = []
    places: dict[object, int] = {}
    needed: list[int | None] = []
    for unit in units:
        kind = work.source.segments_named(unit.segments)
        place = unit.sequence, noticed_by_segments(kind, unit.stress), unit.segments
        if not kind.is_own and place not in places:
            places[place] = len(finders)
            finders.append(unit)
        needed.append(places.get(place))
    weights = _SentWeights.of(work.source, units)
    sent = partial(weights.unit, folder=_NOWHERE)
    tasks = [
        *(_archived(work, unit) or _SegmentsOf(sent(unit)) for unit in finders),
        *map(sent, units),
    ]
    after = [*(None for _ in finders), *needed]
    source = weights.source(work.source, _NOWHERE)
    start = partial(_RemoteWorker, source, work.seed, weights, _SettingFiles.of(units))
    gpu = [
        at
        for at, task in enumerate(tasks)
        if isinstance(task, _SegmentsOf)
        and work.source.segments_named(task.unit.segments).needs_gpu
    ]
    for at, outcome in cluster.run_each(start, tasks, after=after, gpu=gpu):
        if isinstance(tasks[at], Unit | _SegmentsOf) and not isinstance(outcome, Lost | Failure):
            for name, content in outcome.items():
                write_bytes(work.folder / name, content)
        if at < len(finders):
            yield finders[at], None
        else:
            unit = units[at - len(finders)]
            yield unit, _received(work, unit, outcome)


def _archived(work: Work, unit: Unit) -> _Files | None:
    """Return the archive of the segments of a unit, if the run folder has it."""
    kind = work.source.segments_named(unit.segments)
    video = work.source.videos[unit.sequence].info.name
    path = archive_path(work.folder, kind, unit.sequence, video, unit.stress)
    if not has_key(path, unit.segments_key):
        return None
    return {path.relative_to(work.folder).as_posix(): path.read_bytes()}


def _received(work: Work, unit: Unit, outcome: _Files | Failure | Lost) -> UnitResult | Failure:
    if isinstance(outcome, Failure):
        return outcome
    if isinstance(outcome, Lost):
        return Failure(outcome.reason, DataError.exit_code, DataError.kind)
    found = read_unit(work.folder, unit, work.source.labels)
    if found is None:
        raise DataError("cannot be read back; check the disk", where=unit_file(work.folder, unit))
    return found
