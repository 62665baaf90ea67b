"""Drawn videos read back from disk: frames and maps as of any folder, and the side-car beside."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mapt_bench.data.dataset_file import resolve_labels
from mapt_bench.data.kitti_flow import read_kitti_flow
from mapt_bench.data.known_file import read_known, read_known_header
from mapt_bench.data.videos import FolderVideo, open_videos
from mapt_bench.errors import DataError, counted
from mapt_bench.labels import FlowField, KnownObject, WrappedVideo

__all__ = [
    "BACKWARD_FLOW_FOLDER",
    "FORWARD_FLOW_FOLDER",
    "KNOWN_FOLDER",
    "KnownFolderVideo",
    "check_side_cars",
    "open_known",
]

KNOWN_FOLDER = "known"
BACKWARD_FLOW_FOLDER = "backward_flow"
FORWARD_FLOW_FOLDER = "forward_flow"


@dataclass(frozen=True)
class KnownFolderVideo(WrappedVideo):
    """A drawn video in files; a :class:`~mapt_bench.labels.KnownVideo`.

    Attributes:
        video: Its frames and maps.
        folder: What it lies in.
        split: For example ``"val"``.
    """

    video: FolderVideo
    folder: Path
    split: str

    def objects(self, index: int) -> tuple[KnownObject, ...]:
        """Return the tracked objects that reach into a frame, nearest first; hidden ones too.

        Raises:
            DataError: If the side-car is damaged.
        """
        return _objects(self.folder / KNOWN_FOLDER / self.split / f"{self.info.name}.jsonl")[index]

    def backward_flow(self, index: int) -> FlowField:
        """Return where each pixel of a frame was in the frame before, to 1/64 pixel.

        Raises:
            DataError: For the first frame, or if flow was not written.
        """
        if index < 1:
            raise DataError("there is no frame before the first", where=self.info.name)
        return self._flow(BACKWARD_FLOW_FOLDER, index)

    def forward_flow(self, index: int) -> FlowField:
        """Return where each pixel of a frame will be in the next frame, to 1/64 pixel.

        Raises:
            DataError: For the last frame, or if flow was not written.
        """
        if index + 1 >= self.info.frame_count:
            raise DataError("there is no frame after the last", where=self.info.name)
        return self._flow(FORWARD_FLOW_FOLDER, index)

    def _flow(self, kind: str, index: int) -> FlowField:
        name = f"{self.info.frame_names[index]}.png"
        path = self.folder / kind / self.split / self.info.name / name
        if not path.is_file():
            raise DataError("the flow was not written; write it with synth --flow both", where=path)
        return read_kitti_flow(path, (self.info.height, self.info.width))


@lru_cache(maxsize=4)
def _objects(path: Path) -> tuple[tuple[KnownObject, ...], ...]:
    return read_known(path)[1]


def open_known(folder: Path) -> list[KnownFolderVideo]:
    """Open the drawn videos of a folder that ``mapt-bench synth`` has written.

    Raises:
        DataError: If there is a sequence without side-car, or something is unreadable.
    """
    folder = Path(folder)
    found = []
    for video in open_videos(folder, resolve_labels(None, folder)):
        if not isinstance(video, FolderVideo) or video.maps is None:
            raise DataError("has no maps; expected drawn videos", where=folder)
        *_, split, name = ("", *video.maps.parts)
        path = folder / KNOWN_FOLDER / split / f"{name}.jsonl"
        if not path.is_file():
            raise DataError("is missing; expected drawn videos with their side-cars", where=path)
        _check_frames(video, read_known_header(path).frames, path)
        found.append(KnownFolderVideo(video, folder, split))
    return found


def check_side_cars(folder: Path, maps: Mapping[tuple[str, ...], int]) -> Iterator[DataError]:
    """Yield what is wrong with the side-cars of a folder; there need be none.

    Args:
        folder: Holds ``known``, if there are side-cars.
        maps: Frames of each sequence of maps, by its path below the maps.
    """
    root = Path(folder) / KNOWN_FOLDER
    for path in sorted(root.glob("*/*.jsonl")):
        parts = path.relative_to(root).with_suffix("").parts
        try:
            frames = read_known(path)[0].frames
        except DataError as problem:
            yield problem
            continue
        if maps.get(parts) != frames:
            yield DataError(
                f"tells of {counted(frames, 'frame')}, but there are maps of "
                f"{maps.get(parts, 0)}; write the sequence again",
                where=path,
            )


def _check_frames(video: FolderVideo, expected: int, path: Path) -> None:
    if video.info.frame_count != expected:
        raise DataError(
            f"tells of {counted(expected, 'frame')}, but the sequence has "
            f"{video.info.frame_count}; write it again",
            where=path,
        )
