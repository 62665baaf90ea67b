"""Where a drawn sequence lies: written beside, moved when whole, believed only if it reads."""

import fcntl
import filecmp
import hashlib
import os
import platform
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
from mapt_bench.errors import DataError
from mapt_bench.labels import VideoInfo

__all__ = ["SIDE_CAR", "Place", "flow_names", "sweep"]

SIDE_CAR = "known.jsonl"

_UNFINISHED = ".unfinished"
_REPLACED = "replaced"
_MOST_TRIES = 10  # to put a part in place while another process does the same


@dataclass(frozen=True, slots=True)
class Place:
    """Where one sequence lies.

    Attributes:
        folder: Of all sequences.
        split: For example ``"val"``.
        info: Of the video.
        flows: Folders of the flow that is written.
    """

    folder: Path
    split: str
    info: VideoInfo
    flows: tuple[str, ...]

    @property
    def beside(self) -> Path:
        """Where this process writes; no other, not even an orphan of an earlier call, has it."""
        return self.folder / _UNFINISHED / f"{self.info.name}@{platform.node()}-{os.getpid()}"

    def parts(self) -> Iterator[tuple[Path, Path]]:
        """Yield each part: where it is written, and where it belongs; the side-car comes last."""
        for kind in (IMAGES_FOLDER, MAPS_FOLDER, *self.flows):
            yield self.beside / kind, self.folder / kind / self.split / self.info.name
        known = self.folder / ANNOTATIONS_FOLDER / self.split / f"{self.info.name}.jsonl"
        yield self.beside / SIDE_CAR, known

    @contextmanager
    def staged(self) -> Iterator[None]:
        """Make empty folders to write into, and remove them when all is done.

        Meanwhile they are locked. The lock ends with the process, however that ends.
        """
        self.beside.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.beside, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _empty(self.beside)  # the name of a process that ended may come again
            for part, _ in self.parts():
                (part if part.name != SIDE_CAR else part.parent).mkdir(exist_ok=True)
            yield
        finally:
            shutil.rmtree(self.beside, ignore_errors=True)
            os.close(lock)

    def finished(self) -> AnnotationsHeader | None:
        """Return the header of the sequence if all of it is in its place, whole and readable.

        Maps and images are decoded and compared with the hashes of the side-car, which takes a
        small part of the time of drawing them.
        """
        *_, (_, side_car) = self.parts()
        if not side_car.exists():
            return None
        try:
            header, _ = read_annotations(side_car)
            is_whole = header.frames == self.info.frame_count and self._reads_as(header)
        except DataError:  # cut off or damaged: it is drawn again
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
        """Move what was written to where it belongs, in place of leftovers.

        The side-car goes away first and comes last, so that it never tells of maps that are not
        there. What another process has put there meanwhile has the same bytes, and stays.
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
            # Renamed, not removed: at no time is there a half of a folder.
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
    """Return the frames that have a flow: it leads nowhere from the first, or from the last."""
    return info.frame_names[1:] if kind == BACKWARD_FLOW_FOLDER else info.frame_names[:-1]


def sweep(folder: Path) -> None:
    """Remove what processes left behind that live no more; those that live go on."""
    unfinished = folder / _UNFINISHED
    if not unfinished.is_dir():
        return
    for left in unfinished.iterdir():
        with suppress(OSError):  # locked, so somebody writes there; or gone already
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
