"""Depth maps beside panoptic maps: 16-bit grey PNG, depth in metres times 256, 0 for none."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.folder_layout import DEPTH_FOLDER, MAPS_FOLDER, FrameFolder, list_folder
from mapt_bench.data.map_folders import MapFolder
from mapt_bench.data.matching import match_by_suffix
from mapt_bench.data.png import decode_png, load_png
from mapt_bench.data.sequences import StoredSequence, check_size, moment
from mapt_bench.errors import DataError, listed

__all__ = ["DepthSequence", "depth_folder", "open_depth"]


@dataclass(frozen=True, slots=True)
class DepthSequence:
    """The depth maps of one sequence. Must pickle.

    Attributes:
        paths: One file for each frame of the panoptic maps.
        size: Height and width in pixels.
    """

    paths: tuple[Path, ...]
    size: tuple[int, int]

    def read(self, index: int) -> NDArray[np.uint16]:
        """Decode the depth of a frame, ``uint16`` of shape ``size``, in metres times 256.

        Raises:
            DataError: If the file is unusable, is no 16-bit grey PNG, or has another size.
        """
        path = self.paths[index]
        file = load_png(path)
        check_size(path, file.header.size, self.size)
        if (file.header.color_type, file.header.bit_depth) != (0, 16):
            raise DataError(
                f"has {file.header}; depth maps need 1 channel, 16-bit grey (metres times 256, 0 "
                "for no depth); convert it",
                where=path,
            )
        depth: NDArray[np.uint16] = decode_png(file)
        return depth


def depth_folder(folder: Path) -> Path | None:
    """Return the folder of the depth maps that belong to a folder of maps, ``None`` without one.

    It is ``depth`` in the folder, or beside a ``panoptic_maps`` on its path.
    """
    whole = Path(folder).absolute()
    owners = [place.parent for place in (whole, *whole.parents) if place.name == MAPS_FOLDER]
    for owner in (Path(folder), *owners):
        if (owner / DEPTH_FOLDER).is_dir():
            return owner / DEPTH_FOLDER
    return None


def open_depth(maps: MapFolder, sequences: Sequence[StoredSequence]) -> list[DepthSequence]:
    """Find the depth maps of sequences.

    Args:
        maps: Folder of the panoptic maps.
        sequences: Sequences of it.

    Raises:
        DataError: If there is no folder of depth maps, or a sequence or a frame has none.
    """
    root = depth_folder(maps.folder)
    if root is None:
        raise DataError("has no folder of depth maps; add depth/<sequence>", where=maps.folder)
    folders = {entry.parts: entry for entry in list_folder(root).folders}
    wanted = [sequence.parts for sequence in sequences]
    if len(wanted) == len(folders) == 1:
        partner = {wanted[0]: next(iter(folders))}
    else:
        partner = match_by_suffix(wanted, list(folders), where=root)
    missing = ["/".join(parts) for parts in wanted if parts not in partner]
    if missing:
        raise DataError(
            f"has no depth maps of {listed(missing)}; expected a folder with the name of each "
            "sequence; add them, or remove the folder to score without depth",
            where=root,
        )
    return [_sequence(each, folders[partner[each.parts]]) for each in sequences]


def _sequence(maps: StoredSequence, folder: FrameFolder) -> DepthSequence:
    by_moment = {moment(folder.frame_name(path)): path for path in folder.with_suffix(".png")}
    lacking = [name for name in maps.frame_names if moment(name) not in by_moment]
    if lacking:
        raise DataError(
            f"has no depth map of {len(lacking)} of {len(maps.frame_names)} frames, the first "
            f"{lacking[0]}; expected one PNG for each frame",
            where=folder.path,
        )
    return DepthSequence(tuple(by_moment[moment(name)] for name in maps.frame_names), maps.size)
