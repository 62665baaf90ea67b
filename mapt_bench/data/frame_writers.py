"""Writers with one file per frame, apart from KITTI-STEP's: NumPy arrays, 16-bit and RGBA PNGs."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mapt_bench.data.dataset_file import write_dataset_file
from mapt_bench.data.encodings._instance_values import VIPSEG_COCO
from mapt_bench.data.encodings.bdd100k import encode_bdd100k
from mapt_bench.data.encodings.object_png import VOID_INDEX
from mapt_bench.data.folder_layout import MAPS_FOLDER
from mapt_bench.data.object_classes import write_object_classes
from mapt_bench.data.png import encode_png
from mapt_bench.data.sequences import ClosingWriter, stored_void_ids
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.files import write_bytes
from mapt_bench.labels import (
    BACKGROUND_ID,
    ID_BITS,
    ID_LIMIT,
    LabelSpace,
    PanopticMap,
    check_map_classes,
)

__all__ = ["FrameWriter", "ObjectMasksWriter", "PalettePngWriter"]


class FrameWriter(ClosingWriter):
    """Writes ``<folder>/panoptic_maps/<split>/<sequence>/<frame>`` and ``dataset.json``.

    Args:
        folder: Output folder.
        labels: Label space.
        encoding: ``two-channel``, ``cityscapes``, ``vipseg``, ``waymo`` or ``bdd100k``.
        split: Name of the split, for example ``"val"``.
        objects_only: Whether the maps label objects only. ``two-channel`` keeps background apart
            from void and says so in ``dataset.json``, ``bdd100k`` if its label space has no stuff.
            The others store both as void.
    """

    def __init__(
        self,
        folder: Path,
        labels: LabelSpace,
        encoding: str,
        *,
        split: str = "val",
        objects_only: bool = False,
    ) -> None:
        self._folder = Path(folder)
        self._labels = labels
        self._encoding = encoding
        self._maps = self._folder / MAPS_FOLDER / split
        self._objects_only = objects_only and encoding == "two-channel"

    def write(self, sequence: str, frame_name: str, panoptic_map: PanopticMap) -> None:
        """Write one frame; see :meth:`MapWriter.write`."""
        suffix = ".npy" if self._encoding == "two-channel" else ".png"
        path = self._maps / sequence / f"{frame_name}{suffix}"
        check_map_classes(panoptic_map, self._labels, path)
        if self._objects_only:
            panoptic_map = stored_void_ids(panoptic_map, self._labels)
        data = _ENCODERS[self._encoding](panoptic_map, self._labels, path)
        write_bytes(path, data)

    def close(self) -> None:
        """Write ``dataset.json``."""
        write_dataset_file(
            self._folder, self._labels, self._encoding, objects_only=self._objects_only
        )


def _two_channel(panoptic: PanopticMap, labels: LabelSpace, where: object) -> bytes:
    del labels, where
    ids = np.where(panoptic.ids == BACKGROUND_ID, 0, panoptic.ids)
    stream = io.BytesIO()
    np.save(stream, np.stack([panoptic.classes.astype(np.uint32), ids], axis=-1))
    return stream.getvalue()


def _joined(
    encoding: str, factor: int, *, shift: int, void: int, first: int
) -> Callable[[PanopticMap, LabelSpace, object], bytes]:
    """Return the encoder of 16-bit PNGs ``class * factor + number``.

    Args:
        encoding: Name of the encoding.
        factor: Numbers of one class.
        shift: Number of identity 1: 0, or 1 if number 0 means no identity.
        void: Value of void.
        first: Smallest value with a number. Smaller ones are classes.
    """

    def encode(panoptic: PanopticMap, labels: LabelSpace, where: object) -> bytes:
        classes, ids = panoptic.classes.astype(np.int64), panoptic.ids.astype(np.int64)
        is_object = labels.is_thing_table[classes] & (ids > 0)
        numbers = np.where(is_object, ids - 1 + shift, 0)
        is_void = classes == labels.ignore_label
        plain = classes * factor if shift else classes
        values = np.where(is_object, classes * factor + numbers, plain)
        values = np.where(is_void, void, values)
        largest = int(numbers.max())
        if largest >= factor or int(values.max()) > np.iinfo(np.uint16).max:
            raise DataError(
                f"id {int(ids[is_object].max())} or class {int(classes[~is_void].max())} is too "
                f"large for {encoding}, whose values are class * {factor} + number below 65536; "
                "renumber the tracks, or write kitti-step",
                where=where,
            )
        if (is_object & (values < first) | (values == void) & ~is_void).any():
            raise DataError(
                f"has values of class 0 or 1 that {encoding} cannot tell from classes or void; "
                "write kitti-step",
                where=where,
            )
        return encode_png(values.astype(np.uint16))

    return encode


def _vipseg(panoptic: PanopticMap, labels: LabelSpace, where: object) -> bytes:
    if labels.name == VIPSEG_COCO:
        raise ConfigError(
            "the masks of VIPSeg count classes from 1, but the label space 'vipseg-coco' from 0; "
            "write coco-panoptic or kitti-step"
        )
    return _joined("vipseg", 100, shift=0, void=0, first=125)(panoptic, labels, where)


_ENCODERS: dict[str, Callable[[PanopticMap, LabelSpace, object], bytes]] = {
    "two-channel": _two_channel,
    "cityscapes": _joined("cityscapes", 1000, shift=0, void=65535, first=1000),
    "vipseg": _vipseg,
    "waymo": _joined("waymo", 1000, shift=1, void=65535, first=0),
    "bdd100k": encode_bdd100k,
}


class _ObjectWriter(ClosingWriter):
    """Base of writers of objects, whose numbers do not state their class.

    Two tracks of different classes may have one identity. Then the second gets another number.

    Args:
        folder: Output folder.
        labels: Label space. Only its things are written.
        name: Name of the encoding.
        limit: Numbers of objects are smaller than this.
    """

    def __init__(self, folder: Path, labels: LabelSpace, name: str, limit: int) -> None:
        self._folder = Path(folder)
        self._labels = labels
        self._name = name
        self._limit = limit
        self._numbers: dict[str, dict[int, int]] = {}
        self._codes: dict[str, dict[int, int]] = {}

    def close(self) -> None:
        """Write ``object_classes.yaml`` and ``dataset.json``."""
        classes = {
            sequence: {number: code >> ID_BITS for code, number in numbers.items()}
            for sequence, numbers in self._numbers.items()
        }
        write_object_classes(self._folder, classes, self._labels)
        write_dataset_file(self._folder, self._labels, self._name)

    def _objects(self, sequence: str, panoptic: PanopticMap) -> dict[int, int]:
        """Return the number of each object of a frame by its code."""
        codes = [
            code
            for code in np.unique(panoptic.codes).tolist()
            if self._labels.is_thing_table[code >> ID_BITS] and code & (ID_LIMIT - 1)
        ]
        return {code: self._number(sequence, code) for code in codes}

    def _number(self, sequence: str, code: int) -> int:
        numbers = self._numbers.setdefault(sequence, {})
        taken = self._codes.setdefault(sequence, {})
        if code in numbers:
            return numbers[code]
        own = code & (ID_LIMIT - 1)
        free = (number for number in range(1, self._limit) if number not in taken)
        number = own if own < self._limit and own not in taken else next(free, None)
        if number is None:
            raise DataError(
                f"has more than {self._limit - 1} objects, which {self._name} cannot number; write "
                "another encoding",
                where=self._folder / sequence,
            )
        numbers[code], taken[number] = number, code
        return number


class PalettePngWriter(_ObjectWriter):
    """Writes ``<folder>/panoptic_maps/<split>/<sequence>/<frame>.png`` and the classes of objects.

    Background and stuff have index 0, void and crowd 255. Objects are numbered below 255.

    Args:
        folder: Output folder.
        labels: Label space.
        split: Name of the split, for example ``"val"``.
    """

    def __init__(self, folder: Path, labels: LabelSpace, *, split: str = "val") -> None:
        super().__init__(folder, labels, "palette-png", VOID_INDEX)
        self._maps = self._folder / MAPS_FOLDER / split

    def write(self, sequence: str, frame_name: str, panoptic_map: PanopticMap) -> None:
        """Write one frame; see :meth:`MapWriter.write`."""
        classes, ids = panoptic_map.classes, panoptic_map.ids
        is_void = (classes == self._labels.ignore_label) & (ids != BACKGROUND_ID)
        is_crowd = self._labels.is_thing_table[classes] & (ids == 0)
        indices = np.where(is_void | is_crowd, np.uint8(VOID_INDEX), np.uint8(0))
        for code, number in self._objects(sequence, panoptic_map).items():
            indices[panoptic_map.codes == code] = number
        path = self._maps / sequence / f"{frame_name}.png"
        write_bytes(path, _palette_png(indices))


def _palette_png(indices: NDArray[np.uint8]) -> bytes:
    """Return a PNG with the colours of PASCAL VOC and DAVIS, which follow the bits of an index."""
    image = Image.fromarray(indices)
    numbers = np.arange(256)
    colours = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            set_bit = (numbers >> (3 * bit + channel)) & 1 if 3 * bit + channel < 8 else 0 * numbers
            colours[:, channel] |= (set_bit << (7 - bit)).astype(np.uint8)
    image.putpalette(colours.tobytes())
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()


class ObjectMasksWriter(_ObjectWriter):
    """Writes ``<folder>/panoptic_maps/<split>/<sequence>/<frame>.npz`` and the classes of objects.

    Each object has a mask. Stuff, void and crowd are not written, so they are read as background.

    Args:
        folder: Output folder.
        labels: Label space.
        split: Name of the split, for example ``"val"``.
    """

    def __init__(self, folder: Path, labels: LabelSpace, *, split: str = "val") -> None:
        super().__init__(folder, labels, "object-masks", ID_LIMIT - 1)
        self._maps = self._folder / MAPS_FOLDER / split

    def write(self, sequence: str, frame_name: str, panoptic_map: PanopticMap) -> None:
        """Write one frame; see :meth:`MapWriter.write`."""
        found = self._objects(sequence, panoptic_map)
        masks = [panoptic_map.codes == code for code in found]
        stacked = np.array(masks).reshape(len(masks), *panoptic_map.shape)
        ids = np.array(list(found.values()), dtype=np.int64)
        stream = io.BytesIO()
        np.savez_compressed(stream, masks=stacked, object_ids=ids)
        path = self._maps / sequence / f"{frame_name}.npz"
        write_bytes(path, stream.getvalue())
