"""Writers of panoptic maps, all with one face."""

from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.folder_layout import MAPS_FOLDER, write_dataset_file
from mapt_bench.data.kitti_step import encode_kitti_step
from mapt_bench.data.mots_classes import MOTS_ID_LIMIT, MOTS_IGNORE, mots_of_class
from mapt_bench.data.png import encode_png
from mapt_bench.data.rle import encode_rle, runs_of_mask
from mapt_bench.errors import DataError
from mapt_bench.files import replace_when_complete, write_json, write_text
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, PanopticMap, check_map_classes

__all__ = ["CocoPanopticWriter", "KittiStepWriter", "MapWriter", "MotsTextWriter"]


class MapWriter(Protocol):
    """Takes maps frame by frame; what is on disk is whole once it is closed."""

    def write(self, sequence: str, frame_name: str, panoptic_map: PanopticMap) -> None:
        """Write one frame.

        Args:
            sequence: Name of the sequence, for example ``"0001"``.
            frame_name: For example ``"000005"``.
            panoptic_map: Its map.

        Raises:
            DataError: If an identity does not fit, or the file cannot be written.
        """
        ...

    def close(self) -> None:
        """Write what is written last."""
        ...


class _ClosesItself:
    """The context manager of every writer: closes after success, and only then."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()

    def close(self) -> None:
        raise NotImplementedError


class KittiStepWriter(_ClosesItself):
    """Writes ``<folder>/panoptic_maps/<split>/<sequence>/<frame>.png`` and ``dataset.json``.

    Args:
        folder: Where to write.
        labels: Label space, for ``dataset.json``.
        split: For example ``"val"``.
    """

    def __init__(self, folder: Path, labels: LabelSpace, *, split: str = "val") -> None:
        self._folder = Path(folder)
        self._labels = labels
        self._maps = self._folder / MAPS_FOLDER / split

    def write(self, sequence: str, frame_name: str, panoptic_map: PanopticMap) -> None:
        """Write one frame; see :meth:`MapWriter.write`."""
        path = self._maps / sequence / f"{frame_name}.png"
        data = encode_kitti_step(panoptic_map, path)
        with replace_when_complete(path) as beside:
            beside.write_bytes(data)

    def close(self) -> None:
        """Write ``dataset.json``."""
        write_dataset_file(self._folder, self._labels, "kitti-step")


class CocoPanopticWriter(_ClosesItself):
    """Writes ``<folder>/panoptic_maps/<split>/<sequence>/<frame>.png`` and ``panoptic.json``.

    Within a sequence each track, and each stuff class, has one segment id. Track ids stand in the
    JSON as ``track_id`` (ours; other programs may pass over it). Pixels of a thing class with id
    0 are marked ``iscrowd``. Identities on stuff mean nothing and are not kept.

    Args:
        folder: Where to write.
        labels: Label space; its class numbers are the category ids.
        split: For example ``"val"``.
    """

    def __init__(self, folder: Path, labels: LabelSpace, *, split: str = "val") -> None:
        self._folder = Path(folder)
        self._labels = labels
        self._split = split
        self._segment_ids: dict[tuple[str, int], int] = {}
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def write(self, sequence: str, frame_name: str, panoptic_map: PanopticMap) -> None:
        """Write one frame; see :meth:`MapWriter.write`."""
        name = f"{self._split}/{sequence}/{frame_name}.png"
        path = self._folder / MAPS_FOLDER / name
        check_map_classes(panoptic_map, self._labels, path)
        codes, positions, areas = np.unique(
            self._canonical(panoptic_map), return_inverse=True, return_counts=True
        )
        numbers = np.array([self._segment_id(sequence, int(code)) for code in codes])
        ids = numbers[positions].reshape(panoptic_map.shape)
        pixels = np.stack([ids & 0xFF, ids >> 8 & 0xFF, ids >> 16], axis=-1).astype(np.uint8)
        with replace_when_complete(path) as beside:
            beside.write_bytes(encode_png(pixels))
        height, width = panoptic_map.shape
        image_id = len(self._images) + 1
        self._images.append({"id": image_id, "file_name": name, "height": height, "width": width})
        segments = [
            self._segment(int(code), int(number), int(area))
            for code, number, area in zip(codes, numbers, areas, strict=True)
            if number
        ]
        self._annotations.append(
            {"image_id": image_id, "file_name": name, "segments_info": segments}
        )

    def close(self) -> None:
        """Write ``panoptic.json`` and ``dataset.json``."""
        categories = [
            {
                "id": entry.class_id,
                "name": entry.name,
                "isthing": int(entry.is_thing),
                "color": list(entry.color),
            }
            for entry in self._labels.classes
        ]
        write_json(
            self._folder / "panoptic.json",
            {
                "images": self._images,
                "annotations": self._annotations,
                "categories": categories,
            },
        )
        write_dataset_file(self._folder, self._labels, "coco-panoptic")

    def _canonical(self, panoptic_map: PanopticMap) -> NDArray[np.uint32]:
        """Return the codes with identities of things only."""
        is_thing = self._labels.is_thing_table[panoptic_map.classes]
        bare = panoptic_map.codes >> np.uint32(ID_BITS) << np.uint32(ID_BITS)
        return np.where(is_thing, panoptic_map.codes, bare)

    def _segment_id(self, sequence: str, code: int) -> int:
        if code >> ID_BITS == self._labels.ignore_label:
            return 0
        fresh = len(self._segment_ids) + 1
        number = self._segment_ids.setdefault((sequence, code), fresh)
        if number >= ID_LIMIT:
            raise DataError(f"more segments than ids (1 to {ID_LIMIT - 1})", where=self._folder)
        return number

    def _segment(self, code: int, number: int, area: int) -> dict[str, Any]:
        class_id, track_id = code >> ID_BITS, code & (ID_LIMIT - 1)
        is_crowd = bool(self._labels.is_thing_table[class_id]) and track_id == 0
        segment = {"id": number, "category_id": class_id, "area": area, "iscrowd": int(is_crowd)}
        return {**segment, "track_id": track_id} if track_id else segment


class MotsTextWriter(_ClosesItself):
    """Writes ``<folder>/<sequence>.txt`` of MOTS text, whole files when it is closed.

    MOTS knows cars and pedestrians: other classes are not written and read back as void. A track
    of id n has the object id ``class * 1000 + n - 1``; id 0 (crowd) becomes an ignore region.

    Args:
        folder: Where to write.
        labels: Label space, whose ``car`` and ``person`` are written.
    """

    def __init__(self, folder: Path, labels: LabelSpace) -> None:
        self._folder = Path(folder)
        self._labels = labels
        self._classes = mots_of_class(labels)
        self._lines: dict[str, list[str]] = {}

    def write(self, sequence: str, frame_name: str, panoptic_map: PanopticMap) -> None:
        """Take one frame; see :meth:`MapWriter.write`."""
        lines = self._lines.setdefault(sequence, [])
        path = self._folder / f"{sequence}.txt"
        if not frame_name.isdecimal():
            raise DataError(
                f"frame {frame_name!r} is no number; MOTS text counts frames; name them by number",
                where=path,
            )
        height, width = panoptic_map.shape
        for code in np.unique(panoptic_map.codes).tolist():
            mots_class = self._classes.get(code >> ID_BITS)
            if mots_class is None:
                continue
            mots_class, object_id = self._mots_id(mots_class, code & (ID_LIMIT - 1), path)
            rle = encode_rle(runs_of_mask(panoptic_map.codes == code), height * width)
            lines.append(f"{int(frame_name)} {object_id} {mots_class} {height} {width} {rle}\n")

    def close(self) -> None:
        """Write the files and ``dataset.json``."""
        for sequence, lines in self._lines.items():
            write_text(self._folder / f"{sequence}.txt", "".join(lines))
        write_dataset_file(self._folder, self._labels, "mots-txt")

    @staticmethod
    def _mots_id(mots_class: int, track_id: int, path: Path) -> tuple[int, int]:
        if track_id == 0:
            return MOTS_IGNORE, MOTS_IGNORE * MOTS_ID_LIMIT
        if track_id > MOTS_ID_LIMIT:
            raise DataError(
                f"id {track_id} is too large for MOTS text, whose objects are numbered 0 to "
                f"{MOTS_ID_LIMIT - 1} for ids 1 to {MOTS_ID_LIMIT}; number the tracks anew, or "
                "write kitti-step",
                where=path,
            )
        return mots_class, mots_class * MOTS_ID_LIMIT + track_id - 1
