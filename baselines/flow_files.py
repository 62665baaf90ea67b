"""Precomputed optical flow, read from disk.

Three kinds of file: ``.flo`` (Middlebury), 16-bit RGB PNG (KITTI) and ``.npy``.
"""

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mapt_bench.baselines.flow_sources import register_flow
from mapt_bench.baselines.tracker_options import FlowOptions
from mapt_bench.data.flow_fields import read_kitti_flow
from mapt_bench.data.sequences import moment
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.files import NPY_DAMAGE
from mapt_bench.labels import Frame, VideoInfo
from mapt_bench.special_files import refuse_special
from mapt_bench.tracking.propagation import FlowSource

__all__ = [
    "FLOW_SUFFIXES",
    "FlowFiles",
    "read_flow",
]

_FORWARD = re.compile(r"(?<![a-z])(forward|fwd|fw(?![a-z]))")
_BACKWARD = re.compile(r"(?<![a-z])(backward|bwd|bw(?![a-z]))")
_DECORATION = re.compile(r"(?:^|[_\-. ])(?:backwards?|bwd|bw|flow)(?=$|[_\-. ])")
_PAIR = re.compile(r"([0-9]{1,18})(?:[_\-. ]to[_\-. ]|[_\-. ])([0-9]{1,18})")


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
    paths = sorted(
        path
        for path in place.iterdir()
        if path.suffix.lower() in FLOW_SUFFIXES and not path.name.startswith(".")
    )
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


_Size = tuple[int, int]
_Flow = NDArray[np.float32]
_Valid = NDArray[np.bool_]

_FLO_TAG = b"PIEH"  # 202021.25 as a little-endian float32
_FLO_HEADER = struct.Struct("<4sii")
_FLO_UNKNOWN = 1e9


def read_flow(path: Path, size: _Size) -> _Flow:
    """Read a flow file.

    Args:
        path: ``.flo``; ``.png`` of three 16-bit channels, ``u = (red - 2**15) / 64``,
            ``v = (green - 2**15) / 64``, valid where blue is not 0; or ``.npy``, floating, of
            shape ``(height, width, 2)`` or ``(2, height, width)``.
        size: Height and width that it must have; checked before pixels are read.

    Returns:
        ``float32`` of shape ``(height, width, 2)``: pixels to the right and downwards. Where the
        file has no valid flow (blue is 0 in PNG, beyond 1e9 in ``.flo``) the flow of the nearest
        valid pixel stands.

    Raises:
        DataError: If the file is missing, damaged, of another size, not finite, or valid nowhere.
    """
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise DataError(
            f"is no flow file; expected one of {', '.join(sorted(FLOW_SUFFIXES))}", where=path
        )
    try:
        refuse_special(path)
        flow, valid = _READERS[suffix](path, size)
    except OSError as problem:
        raise DataError(
            f"cannot be read ({problem.strerror or problem}); check the path", where=path
        ) from problem
    if not np.isfinite(flow[valid]).all():
        raise DataError(
            "holds flow that is not finite (NaN or infinite); mark unknown pixels as the format "
            "has it, or compute the flow again",
            where=path,
        )
    return _filled(flow, valid, path)


def _read_flo(path: Path, size: _Size) -> tuple[_Flow, _Valid]:
    with path.open("rb") as stream:
        head = stream.read(_FLO_HEADER.size)
        if len(head) < _FLO_HEADER.size or not head.startswith(_FLO_TAG):
            raise DataError(
                f"begins with {head[:4]!r}; expected {_FLO_TAG!r}, as .flo files do", where=path
            )
        _, width, height = _FLO_HEADER.unpack(head)
        _check_size((height, width), size, path)
        data = stream.read()
    if len(data) != 8 * height * width:
        raise DataError(
            f"has {len(data)} bytes of flow; expected {8 * height * width} for {height}x{width} "
            "pixels; copy the file again",
            where=path,
        )
    flow = np.frombuffer(data, dtype="<f4").reshape(height, width, 2).astype(np.float32)
    # The mark for "unknown" is a finite number; NaN and infinity stay valid here, to be refused.
    unknown = np.any(np.isfinite(flow) & (np.abs(flow) > _FLO_UNKNOWN), axis=-1)
    return flow, np.logical_not(unknown)


def _read_kitti(path: Path, size: _Size) -> tuple[_Flow, _Valid]:
    field = read_kitti_flow(path, size)
    return field.flow, field.valid


def _read_npy(path: Path, size: _Size) -> tuple[_Flow, _Valid]:
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except NPY_DAMAGE as problem:
        raise DataError(
            f"cannot be read as .npy ({problem}); expected an array of numbers, written by "
            "numpy.save",
            where=path,
        ) from problem
    if not isinstance(stored, np.ndarray) or not np.issubdtype(stored.dtype, np.floating):
        raise DataError(
            f"holds {getattr(stored, 'dtype', type(stored).__name__)}; expected floating flow in "
            "pixels",
            where=path,
        )
    if stored.ndim == 3 and stored.shape[0] == 2 and stored.shape[2] != 2:
        stored = np.moveaxis(stored, 0, -1)
    if stored.ndim != 3 or stored.shape[2] != 2:
        raise DataError(
            f"has shape {stored.shape}; expected (height, width, 2) or (2, height, width)",
            where=path,
        )
    _check_size(stored.shape[:2], size, path)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
        return np.array(stored, dtype=np.float32), np.ones(size, dtype=bool)


_READERS: dict[str, Callable[[Path, _Size], tuple[_Flow, _Valid]]] = {
    ".flo": _read_flo,
    ".npy": _read_npy,
    ".png": _read_kitti,
}

FLOW_SUFFIXES = frozenset(_READERS)
"""File endings, lower case."""


def _check_size(found: _Size, expected: _Size, path: Path) -> None:
    if found != expected:
        raise DataError(
            f"flow has {found} pixels (height, width), the video {expected}; compute it at the "
            "size of the video",
            where=path,
        )


def _filled(flow: _Flow, valid: _Valid, path: Path) -> _Flow:
    if valid.all():
        return flow
    if not valid.any():
        raise DataError("has no pixel with valid flow; compute the flow again", where=path)
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(~valid, return_distances=False, return_indices=True)
    row, column = nearest
    filled: _Flow = flow[row, column]
    return filled


@register_flow("flow:files", "flow files from t to t-1 on disk", takes="folder", needs_images=False)
def _files(options: FlowOptions) -> FlowSource:
    if options.weights is None:
        raise ConfigError("flow:files needs --weights FOLDER, the folder of flow files")
    return FlowFiles(options.weights)
