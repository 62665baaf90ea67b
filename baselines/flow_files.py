"""Optical flow that somebody else computed, read from disk.

Three kinds of file: ``.flo`` (Middlebury), 16-bit RGB PNG (KITTI) and ``.npy``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mapt_bench.baselines.flow_formats import FLOW_SUFFIXES, read_flow
from mapt_bench.data.sequences import moment
from mapt_bench.errors import DataError
from mapt_bench.labels import Frame, VideoInfo

__all__ = ["FlowFiles"]

_FORWARD = re.compile(r"(?<![a-z])(forward|fwd|fw(?![a-z]))")
_BACKWARD = re.compile(r"(?<![a-z])(backward|bwd|bw(?![a-z]))")
_DECORATION = re.compile(r"(?:^|[_\-. ])(?:backwards?|bwd|bw|flow)(?=$|[_\-. ])")
_PAIR = re.compile(r"(\d+)(?:[_\-. ]to[_\-. ]|[_\-. ])(\d+)")


@dataclass(frozen=True)
class _FlowFile:
    """A file of flow and what its name says.

    Attributes:
        path: The file.
        present: The frame whose pixels have the flow.
        earlier: The frame that the flow leads to, where the name has it.
        is_forward: Whether a name on the way says that the flow leads forwards in time.
    """

    path: Path
    present: str | int
    earlier: int | None
    is_forward: bool


class FlowFiles:
    """Flow from each frame to the one before it, one file a frame.

    The file of frame ``t`` holds the flow **from t to t-1** (often called backward flow): the
    pixel ``(x, y)`` of frame ``t`` was at ``(x + u, y + v)`` in frame ``t-1``. The first frame of
    a video needs none. For a video ``0001`` files are looked for in ``folder/0001``, else in
    ``folder`` itself; a file is called like its frame, words such as ``flow`` and ``backward``
    aside, or by both frames, the present one first: ``000005.flo``, ``flow_bwd_000005.npy``,
    ``000005_to_000004.png``. Where forward and backward flow lie side by side the former is
    passed over; where there is only forward flow it is refused.

    Pixels without valid flow take that of the nearest pixel that has one.

    Args:
        folder: Holds the files, or a folder of files for each video.

    Raises:
        DataError: If there is no such folder.
    """

    needs_images = False

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise DataError("there is no such folder of flow files; check the path", where=folder)
        self.folder = folder
        self._paths: list[Path] = []
        self._size = (0, 0)

    def start(self, info: VideoInfo) -> None:
        """Find the file of every frame.

        Raises:
            DataError: If one is missing, there are two for a frame, a name says that the flow
                leads forwards, or frames were dropped between those of the video.
        """
        below = self.folder / info.name
        place = below if below.is_dir() else self.folder
        files = _list_files(place, self.folder, info.frame_names)
        moments = [moment(name) for name in info.frame_names]
        _refuse_dropped_frames(files, moments, place)
        self._size = (info.height, info.width)
        self._paths = [
            _choose(files, moments[index], moments[index - 1], place)
            for index in range(1, info.frame_count)
        ]

    def flow(self, frame_from: Frame, frame_to: Frame) -> NDArray[np.float32]:
        """Return where each pixel of ``frame_from`` was in ``frame_to``, the frame before it.

        Returns:
            ``float32`` of shape ``(height, width, 2)``, in pixels.

        Raises:
            DataError: If ``frame_to`` is not the frame before, or the file is damaged, of another
                size or not finite.
        """
        if not self._paths:
            raise RuntimeError("start() must be called before flow()")
        if frame_to.index != frame_from.index - 1:
            raise DataError(
                f"flow files lead from each frame to the one before; there is none from frame "
                f"{frame_from.name} to {frame_to.name}; use a pairing interval of 1, or compute "
                "the flow (flow:dis)",
                where=self.folder,
            )
        return read_flow(self._paths[frame_to.index], self._size)


def _list_files(place: Path, root: Path, frame_names: Sequence[str]) -> list[_FlowFile]:
    paths = sorted(path for path in place.iterdir() if path.suffix.lower() in FLOW_SUFFIXES)
    if not paths:
        raise DataError(
            f"has no flow files; expected one a frame: {', '.join(sorted(FLOW_SUFFIXES))}",
            where=place,
        )
    names = frozenset(frame_names)
    return [_described(path, root, names) for path in paths]


def _described(path: Path, root: Path, frame_names: frozenset[str]) -> _FlowFile:
    stem = path.stem
    says_forward = False
    # The name nearest to the pixels that says a direction counts; names above the folder that the
    # user gave are not about the flow.
    for name in (stem, *(part.name for part in path.parents if part.is_relative_to(root))):
        word = name.lower()
        forward, backward = _FORWARD.search(word), _BACKWARD.search(word)
        if bool(forward) != bool(backward):
            says_forward = forward is not None
            break
    if stem in frame_names:
        return _FlowFile(path, moment(stem), None, says_forward)
    bare = _DECORATION.sub("", _FORWARD.sub("", stem.lower())).strip("_-. ")
    pair = None if bare in frame_names else _PAIR.fullmatch(bare)
    if pair is None:
        same = {name.lower(): name for name in frame_names}
        return _FlowFile(path, moment(same.get(bare, bare)), None, says_forward)
    present, earlier = int(pair[1]), int(pair[2])
    if earlier > present:  # kept under the frame that the opposite flow would belong to
        return _FlowFile(path, earlier, present, is_forward=True)
    return _FlowFile(path, present, earlier, says_forward)


def _refuse_dropped_frames(files: list[_FlowFile], moments: list[str | int], place: Path) -> None:
    """Flow to the frame before is useless when that frame is no longer in the video."""
    numbers = [number for number in moments if isinstance(number, int)]
    if len(numbers) < len(moments):
        return
    kept = set(numbers)
    for file in files:
        between = isinstance(file.present, int) and numbers[0] < file.present < numbers[-1]
        if between and file.present not in kept:
            raise DataError(
                f"{file.path.name} belongs to a frame that the video lacks, so flow to the frame "
                "before does not lead to the video's; frames were dropped: compute the flow "
                "(flow:dis), or make files for the frames that are kept",
                where=place,
            )


def _choose(files: list[_FlowFile], present: str | int, earlier: str | int, place: Path) -> Path:
    """Return the one file that holds the flow between two frames."""
    about = [file for file in files if file.present == present]
    fitting = [
        file.path for file in about if not file.is_forward and file.earlier in (None, earlier)
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise DataError(
            f"{fitting[0].name} and {fitting[1].name} are both flow of frame {present}; keep one",
            where=place,
        )
    forward = [file.path for file in about if file.is_forward]
    if forward:
        raise DataError(
            "the name says that this flow leads forwards in time, from the earlier frame; expected "
            f"flow from frame {present} back to {earlier}; compute it in that direction, or rename "
            "the file if its name is wrong",
            where=forward[0],
        )
    raise DataError(
        f"has no flow from frame {present} to {earlier}; expected a file of every frame but the "
        f"first, for example {present}.flo",
        where=place,
    )
