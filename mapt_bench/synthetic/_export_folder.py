"""Place of an exported sequence: written to a temporary folder, moved when complete, verified."""

import fcntl
import filecmp
import hashlib
import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mapt_bench.data.annotations import (
    ANNOTATIONS_FOLDER,
    BACKWARD_FLOW_FOLDER,
    AnnotationsHeader,
    read_annotations,
)
from mapt_bench.data.encodings.kitti_step import KittiStepEncoding
from mapt_bench.data.flow_fields import read_kitti_flow
from mapt_bench.data.folder_layout import IMAGES_FOLDER, MAPS_FOLDER
from mapt_bench.data.videos import read_image
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import VideoInfo

__all__ = ["SIDE_CAR", "Place", "flow_names", "sweep"]

SIDE_CAR = "known.jsonl"

_UNFINISHED = ".unfinished"
_REPLACED = "replaced"
_OF_PROCESS = re.compile(".+@.+-[0-9]+", re.DOTALL)
"""Names of temporary folders, see :attr:`Place.beside`."""

_MOST_TRIES = 10  # to move a part while another process does the same


@dataclass(frozen=True, slots=True)
class Place:
    """Place of one sequence.

    Attributes:
        folder: Folder of all sequences.
        split: For example ``"val"``.
        info: Description of the video.
        flows: Folders of written flow.
    """

    folder: Path
    split: str
    info: VideoInfo
    flows: tuple[str, ...]

    @property
    def beside(self) -> Path:
        """Temporary folder of this process. No other process uses it."""
        return self.folder / _UNFINISHED / f"{self.info.name}@{platform.node()}-{os.getpid()}"

    def parts(self) -> Iterator[tuple[Path, Path]]:
        """Yield the temporary and the final path of each part. The side-car comes last."""
        for kind in (IMAGES_FOLDER, MAPS_FOLDER, *self.flows):
            yield self.beside / kind, self.folder / kind / self.split / self.info.name
        known = self.folder / ANNOTATIONS_FOLDER / self.split / f"{self.info.name}.jsonl"
        yield self.beside / SIDE_CAR, known

    @contextmanager
    def staged(self) -> Iterator[None]:
        """Make empty folders to write into, and remove them at the end.

        They are locked in between. The lock ends with the process, even if it is killed.
        """
        self._refuse_links()
        self.beside.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.beside, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _empty(self.beside)  # an earlier process may have had the same id
            for part, _ in self.parts():
                (part if part.name != SIDE_CAR else part.parent).mkdir(exist_ok=True)
            yield
        finally:
            shutil.rmtree(self.beside, ignore_errors=True)
            os.close(lock)

    def _refuse_links(self) -> None:
        for path in (self.beside.parent, self.beside):
            if path.is_symlink():
                raise ConfigError(
                    "is a link in place of a temporary folder; remove it, or choose another --out",
                    where=path,
                )

    def finished(self) -> AnnotationsHeader | None:
        """Return the header of the sequence if all of it is in place, complete and readable.

        Maps and images are decoded and compared with the hashes of the side-car. This takes a small
        part of the time of rendering.
        """
        *_, (_, side_car) = self.parts()
        if not side_car.exists():
            return None
        try:
            header, _ = read_annotations(side_car)
            is_whole = header.frames == self.info.frame_count and self._reads_as(header)
        except DataError:  # incomplete or damaged: it is generated again
            return None
        return header if is_whole else None

    def _reads_as(self, header: AnnotationsHeader) -> bool:
        goals = {part.name: goal for part, goal in self.parts()}
        size = (self.info.height, self.info.width)
        maps, images = hashlib.sha256(), hashlib.sha256()
        codec = KittiStepEncoding()
        for name in self.info.frame_names:
            codes = codec.decode(goals[MAPS_FOLDER] / f"{name}.png", size, self.info.labels)
            maps.update(codes.astype("<u4").tobytes())
            images.update(read_image(goals[IMAGES_FOLDER] / f"{name}.png", size).tobytes())
        for kind in self.flows:
            for name in flow_names(self.info, kind):
                read_kitti_flow(goals[kind] / f"{name}.png", size)
        found = (maps.hexdigest(), images.hexdigest())
        return found == (header.maps_sha256, header.images_sha256)

    def move(self) -> None:
        """Move the written parts to their final paths, and replace leftovers.

        The side-car is removed first and written last, so that it never describes missing maps.
        Parts that another process has moved there have the same bytes and stay.
        """
        *folders, (side_car, known) = self.parts()
        if known.is_file() and not filecmp.cmp(side_car, known, shallow=False):
            known.unlink(missing_ok=True)
        for part, goal in folders:
            self._put(part, goal, known)
        known.parent.mkdir(parents=True, exist_ok=True)
        side_car.replace(known)

    def _put(self, part: Path, goal: Path, known: Path) -> None:
        goal.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(_MOST_TRIES):
            if _is_same(part, goal):
                return
            known.unlink(missing_ok=True)
            # Renamed, not removed, so that there is never half of a folder.
            aside = self.beside / _REPLACED / f"{part.name}-{attempt}"
            aside.parent.mkdir(exist_ok=True)
            try:
                if goal.exists():
                    goal.rename(aside)
                part.rename(goal)
            except OSError:  # another process was faster
                if attempt == _MOST_TRIES - 1:
                    raise
            else:
                return


def flow_names(info: VideoInfo, kind: str) -> tuple[str, ...]:
    """Return the frames with flow: all except the first for backward flow, or the last."""
    return info.frame_names[1:] if kind == BACKWARD_FLOW_FOLDER else info.frame_names[:-1]


def sweep(folder: Path) -> None:
    """Remove temporary folders of processes that have ended."""
    unfinished = folder / _UNFINISHED
    if not unfinished.is_dir() or unfinished.is_symlink():
        return
    for left in unfinished.iterdir():
        if left.is_symlink() or not _OF_PROCESS.fullmatch(left.name):
            continue
        with suppress(OSError):  # locked by a process that writes there, or removed already
            lock = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)
    with suppress(OSError):  # not empty
        unfinished.rmdir()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _is_same(part: Path, goal: Path) -> bool:
    if not goal.is_dir():
        return False
    names = sorted(path.name for path in part.iterdir())
    if names != sorted(path.name for path in goal.iterdir()):
        return False
    return filecmp.cmpfiles(part, goal, names, shallow=False)[0] == names
