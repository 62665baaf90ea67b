"""16-bit grey PNGs of class and number: Cityscapes, MOTS, Waymo (x 1000), VIPSeg (x 100).

Files of the four look the same. :meth:`CityscapesEncoding.settle` tells them apart by their
values and the label space.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.encodings.encoding_registry import (
    FrameEncoding,
    Lacks,
    register_encoding,
    sampled,
)
from mapt_bench.data.folder_layout import Listing
from mapt_bench.data.png import PngHeader, decode_png, load_png, png_header
from mapt_bench.data.sequences import check_size
from mapt_bench.errors import DataError, counted, listed
from mapt_bench.labels import BACKGROUND_ID, ID_BITS, ID_LIMIT, LabelSpace, pack_codes

__all__ = [
    "MOTS_ID_LIMIT",
    "MOTS_IGNORE",
    "MOTS_NAMES",
    "VIPSEG_COCO",
    "CityscapesEncoding",
    "MotsPngEncoding",
    "VipsegEncoding",
    "WaymoEncoding",
    "class_of_mots",
    "looks_like_mots",
    "mots_of_class",
]

MOTS_IGNORE = 10
"""Class number of ignore regions. Their object id is 10000."""

MOTS_ID_LIMIT = 1000
"""Numbers are smaller than this: an object id is ``class * 1000 + number``."""

MOTS_NAMES = {1: "car", 2: "person"}
"""Name of each MOTS class number in our label spaces. MOTS calls class 2 pedestrian.

A class of a label space that is called pedestrian comes before one that is called person.
"""


def class_of_mots(labels: LabelSpace) -> dict[int, int]:
    """Return the class number in a label space of each MOTS class. Ignore regions are void.

    Classes that the label space lacks are omitted.
    """
    numbers = {entry.name: entry.class_id for entry in labels.classes}
    if "pedestrian" in numbers:
        numbers[MOTS_NAMES[2]] = numbers["pedestrian"]
    known = {mots: numbers[name] for mots, name in MOTS_NAMES.items() if name in numbers}
    return {**known, MOTS_IGNORE: labels.ignore_label}


def mots_of_class(labels: LabelSpace) -> dict[int, int]:
    """Return the MOTS class number of each class of a label space that MOTS has."""
    return {number: mots for mots, number in class_of_mots(labels).items() if mots != MOTS_IGNORE}


def unknown_mots_class(mots_class: int, labels: LabelSpace, where: object) -> DataError:
    """Return the error for an unknown MOTS class number."""
    if mots_class in MOTS_NAMES:
        return DataError(
            f"class {mots_class} is MOTS's {MOTS_NAMES[mots_class]!r}, which the label space "
            f"{labels.name!r} lacks; choose another with --dataset",
            where=where,
        )
    return DataError(
        f"class {mots_class} is unknown in MOTS; expected 1 (car), 2 (pedestrian) or "
        f"{MOTS_IGNORE} (ignore); correct the file, or name its encoding with --encoding",
        where=where,
    )


_VALUES = np.arange(1 << 16)
_NUMBERS = 1000  # numbers of one class
_VIPSEG_NUMBERS = 100
VIPSEG_COCO = "vipseg-coco"
_VIPSEG_CLASSES = 125  # classes of VIPSeg end before this number
_WAYMO = "waymo"
_VOID = (1 << 16) - 1  # void in files that were written from signed -1


def _is_grey_16(header: PngHeader) -> bool:
    return header.color_type == 0 and header.bit_depth == 16


_Table = tuple[NDArray[np.uint32], NDArray[np.bool_]]
"""Code of each value, and which values have no class. Cached tables are never changed."""


class _InstancePngEncoding(FrameEncoding):
    """Base of these encodings: headers and decoding."""

    suffixes = frozenset({".png"})
    form = "16-bit grey PNG"
    rule: ClassVar[str] = "class * 1000 + number"

    def accepts(self, path: Path) -> bool:
        """Whether the file is a 16-bit grey PNG."""
        return _is_grey_16(png_header(path))

    def size(self, path: Path) -> tuple[int, int]:
        """Return height and width from the header alone."""
        header = png_header(path)
        self._check(header, path)
        return header.size

    def values(self, path: Path, size: tuple[int, int] | None = None) -> NDArray[np.uint16]:
        """Return the pixels as they are stored, ``uint16`` of shape ``(height, width)``."""
        file = load_png(path)
        self._check(file.header, path)
        check_size(path, file.header.size, size or file.header.size)
        return decode_png(file)

    def decode(self, path: Path, size: tuple[int, int], labels: LabelSpace) -> NDArray[np.uint32]:
        """Return the codes, ``uint32`` of shape ``size``."""
        codes, no_class = self.table(labels)
        values = self.values(path, size)
        odd = no_class[values]
        if odd.any():
            raise self.unknown(int(values[odd][0]), int(odd.sum()), labels, path)
        return codes[values]

    def contradiction(self, listing: Listing, labels: LabelSpace) -> str | None:
        """Return a value that fits another of these encodings and not this one, in words."""
        if _WAYMO in (self.name, labels.name):  # its values fit anything
            return None
        files = [path for path in sampled(listing.files(".png")) if self.accepts(path)]
        if not files:
            return None
        values = self._sample(files)
        fits = _fits(values, labels)
        best = min(fits.values())
        if best != _PLAUSIBLE or fits[self.name] == best:
            return None
        names = [name for name, fit in fits.items() if fit == best]
        table = _tables(labels)[self.name]
        odd = next(each[0] for each in np.split(values, values.size) if _fit(*table, each, labels))
        return f"value {odd} of {files[0]} and other files fits {listed(names)} and not it"

    def _sample(self, files: Sequence[Path]) -> NDArray[np.uint16]:
        """Return the distinct values of the files that can be decoded."""
        found: list[NDArray[np.uint16]] = []
        problem: DataError | None = None
        for path in files:
            try:
                found.append(np.unique(self.values(path)))
            except DataError as one:
                problem = problem or one
        if problem is not None and not found:
            raise problem
        return np.unique(np.concatenate(found))

    def table(self, labels: LabelSpace) -> _Table:
        """Return the code of each value, and which values have no class."""
        raise NotImplementedError

    def unknown(self, value: int, count: int, labels: LabelSpace, path: Path) -> DataError:
        """Return the error for a value without a class.

        Args:
            value: The value.
            count: Number of pixels with values without a class.
            labels: Label space.
            path: File of the map.
        """
        raise NotImplementedError

    def _check(self, header: PngHeader, path: Path) -> None:
        if not _is_grey_16(header):
            raise DataError(
                f"has {header}; {self.name} maps need 1 channel, 16-bit grey "
                f"({self.rule}); convert it, or name its encoding with --encoding",
                where=path,
            )


@register_encoding
class CityscapesEncoding(_InstancePngEncoding):
    """Maps in the style of Cityscapes.

    A value below 1000 is a class without identity: stuff, or crowd of a thing class. For larger
    values, ``value // 1000`` is the class and ``value % 1000 + 1`` the identity. Cityscapes counts
    objects from 0, but identity 0 is crowd here. 65535 and the ignore label are void. Class numbers
    are those of the label space: train ids, not label ids, for ``cityscapes``.
    """

    name = "cityscapes"

    def settle(self, listing: Listing, files: Sequence[Path], labels: LabelSpace) -> str:
        """Tell Cityscapes, MOTS and VIPSeg apart by the values of a sample.

        A reading is *plausible* if all classes are in the label space, and only things have
        identities. It is *possible* if all classes are in the label space. The only plausible
        reading is taken, or else the only possible one. MOTS is also possible without its classes.
        Without a value from 1000 on, MOTS comes before Cityscapes, and Cityscapes before VIPSeg.

        Raises:
            DataError: If two readings are plausible, or no file can be decoded.
        """
        if labels.name == _WAYMO:  # its values fit Cityscapes as well, and mean other identities
            return _WAYMO
        values = self._sample(files)
        tables, fits = _tables(labels), _fits(values, labels)
        best = min(fits.values())
        if best == _IMPOSSIBLE:
            return self.name
        names = [name for name, fit in fits.items() if fit == best]
        readings = {tables[name][0][values].tobytes() for name in names}
        if best == _PLAUSIBLE and len(readings) > 1 and (values >= _NUMBERS).any():
            raise _ambiguous(names, values, files[0])
        return names[0]

    def table(self, labels: LabelSpace) -> _Table:
        """Return the code of each value, and which values have no class."""
        return _cityscapes_codes(labels)

    def unknown(self, value: int, count: int, labels: LabelSpace, path: Path) -> DataError:
        """Return the error for a value without a class."""
        del labels
        return DataError(
            f"{counted(count, 'pixel')} hold{'s' if count == 1 else ''} values such as {value}; "
            "expected a class 0 to 255, class * 1000 + number from 1000 on, or 65535 for void; if "
            "the maps hold class * 100 + number as VIPSeg's, name them with --encoding vipseg "
            "(--gt-encoding for the ground truth)",
            where=path,
        )


@lru_cache(maxsize=4)
def _cityscapes_codes(labels: LabelSpace) -> _Table:
    """Return the table that decodes: stuff has no identity."""
    codes, no_class = _cityscapes_table(labels)
    # Cityscapes-VPS writes stuff as class * 1000, which is not an identity.
    is_stuff = np.zeros(256, dtype=bool)
    is_stuff[list(labels.stuff_ids)] = True
    bare = (_VALUES % _NUMBERS == 0) & is_stuff[codes >> np.uint32(ID_BITS)]
    codes[bare] &= np.uint32(0xFF << ID_BITS)
    return codes, no_class


def _cityscapes_table(labels: LabelSpace) -> _Table:
    """Return the code of each value, and which values have no class."""
    with_id = _VALUES >= _NUMBERS
    classes = np.where(with_id, _VALUES // _NUMBERS, _VALUES)
    ids = np.where(with_id, _VALUES % _NUMBERS + 1, 0)
    no_class = classes > 255
    classes[_VOID], ids[_VOID] = labels.ignore_label, 0
    classes[no_class] = 0
    return pack_codes(classes, ids), no_class


@register_encoding
class VipsegEncoding(_InstancePngEncoding):
    """Panoptic masks of VIPSeg (Miao et al. 2022).

    0 is void. A value below 125 is a class without identity: stuff, or crowd of a thing class. For
    larger values, ``value // 100`` is the class and ``value % 100 + 1`` the identity. VIPSeg counts
    objects from 0, but identity 0 is crowd here. Class numbers are those of the label space.
    """

    name = "vipseg"
    refines = "cityscapes"
    rule = "class * 100 + number"

    def table(self, labels: LabelSpace) -> _Table:
        """Return the code of each value, and which values have no class."""
        return _vipseg_table(labels)

    def unknown(self, value: int, count: int, labels: LabelSpace, path: Path) -> DataError:
        """Return the error for a value without a class."""
        del labels
        return DataError(
            f"{counted(count, 'pixel')} hold{'s' if count == 1 else ''} values such as {value}; "
            f"expected 0 for void, a class below {_VIPSEG_CLASSES}, or class * 100 + number; name "
            "another encoding with --encoding",
            where=path,
        )


@lru_cache(maxsize=4)
def _vipseg_table(labels: LabelSpace) -> _Table:
    """Return the code of each value, and which values have no class."""
    with_id = _VALUES >= _VIPSEG_CLASSES
    classes = np.where(with_id, _VALUES // _VIPSEG_NUMBERS, _VALUES)
    ids = np.where(with_id, _VALUES % _VIPSEG_NUMBERS + 1, 0)
    no_class = classes >= _VIPSEG_CLASSES
    if labels.name == VIPSEG_COCO:  # the JSON of VIPSeg numbers the classes of its masks from 0
        classes = classes - 1
    classes[0] = labels.ignore_label
    no_class[0] = False
    classes[no_class] = 0
    return pack_codes(classes, ids), no_class


@register_encoding
class WaymoEncoding(_InstancePngEncoding):
    """Panoptic camera labels of Waymo (Mei et al. 2022), exported as PNG with their divisor 1000.

    A value is ``class * 1000 + number``. The number is the identity, and 0 is none: stuff, or crowd
    of a thing class. 65535 and the ignore label are void. Files look as those of Cityscapes, which
    counts differently, so the label space ``waymo`` decides.
    """

    name = _WAYMO
    refines = "cityscapes"

    def table(self, labels: LabelSpace) -> _Table:
        """Return the code of each value. Every value has a class."""
        return _waymo_table(labels)


@lru_cache(maxsize=4)
def _waymo_table(labels: LabelSpace) -> _Table:
    """Return the code of each value. Every value has a class."""
    classes, ids = _VALUES // _NUMBERS, _VALUES % _NUMBERS
    codes = pack_codes(classes, np.where(labels.is_thing_table[classes], ids, 0))
    is_void = classes == labels.ignore_label
    codes[is_void | (_VALUES == _VOID)] = labels.ignore_label << ID_BITS
    return codes, np.zeros(_VALUES.size, dtype=np.bool_)


_PLAUSIBLE, _POSSIBLE, _IMPOSSIBLE = range(3)


def _fit(
    codes: NDArray[np.uint32],
    no_class: NDArray[np.bool_],
    values: NDArray[np.uint16],
    labels: LabelSpace,
) -> int:
    """Say how well values fit an encoding, given its code of each value."""
    found = codes[values]
    classes, ids = found >> np.uint32(ID_BITS), found & np.uint32(ID_LIMIT - 1)
    is_void = labels.is_void_table[classes]
    with_id = (ids > 0) & ~is_void
    if no_class[values].any() or not (is_void | labels.is_known_table[classes]).all():
        return _IMPOSSIBLE
    return _PLAUSIBLE if labels.is_thing_table[classes[with_id]].all() else _POSSIBLE


def _tables(labels: LabelSpace) -> dict[str, _Table]:
    """Return the tables of the encodings that are told apart by values."""
    return {
        "mots-png": _mots_table(labels),
        "cityscapes": _cityscapes_table(labels),
        "vipseg": _vipseg_table(labels),
    }


def _fits(values: NDArray[np.uint16], labels: LabelSpace) -> dict[str, int]:
    """Say how well values fit each of these encodings."""
    fits = {name: _fit(*table, values, labels) for name, table in _tables(labels).items()}
    fits["mots-png"] = min(fits["mots-png"], _POSSIBLE) if looks_like_mots(values) else _IMPOSSIBLE
    if fits["vipseg"] == _POSSIBLE:  # identities of stuff contradict the label space
        fits["vipseg"] = _IMPOSSIBLE
    return fits


def _ambiguous(names: Sequence[str], values: NDArray[np.uint16], where: Path) -> DataError:
    value = int(values[values >= _NUMBERS][0])
    meaning = {
        "cityscapes": f"class {value // _NUMBERS}, number {value % _NUMBERS}",
        "mots-png": f"MOTS class {value // _NUMBERS}, number {value % _NUMBERS}",
        "vipseg": f"class {value // _VIPSEG_NUMBERS}, number {value % _VIPSEG_NUMBERS}",
    }
    readings = " or ".join(f"{name} ({meaning[name]})" for name in names)
    return DataError(
        f"can be read as {readings}: value {value} fits each; expected values of one encoding; "
        "name it with --encoding (--gt-encoding for the ground truth)",
        where=where,
    )


@register_encoding
class MotsPngEncoding(_InstancePngEncoding):
    """Instance maps of KITTI MOTS and MOTS20 (Voigtlaender et al. 2019, arXiv:1902.03604).

    ``value // 1000`` is the MOTS class and ``value % 1000 + 1`` the identity. 0 is background,
    10000 (ignore) is void.
    """

    name = "mots-png"
    refines = "cityscapes"

    def lacks(self, listing: Listing, labels: LabelSpace) -> Lacks:
        """Return that stuff is lacking."""
        del listing, labels
        return Lacks(stuff=True)

    def table(self, labels: LabelSpace) -> _Table:
        """Return the code of each value, and which values have no class."""
        return _mots_table(labels)

    def unknown(self, value: int, count: int, labels: LabelSpace, path: Path) -> DataError:
        """Return the error for a value without a class."""
        del count
        return unknown_mots_class(value // _NUMBERS, labels, path)


@lru_cache(maxsize=4)
def _mots_table(labels: LabelSpace) -> _Table:
    """Return the code of each value, and which values have no class."""
    mots_class = _VALUES // _NUMBERS
    classes = np.full(_VALUES.size, labels.ignore_label)
    ids = np.zeros_like(classes)
    no_class = _VALUES > 0
    for number, class_id in class_of_mots(labels).items():
        here = mots_class == number
        no_class[here] = False
        classes[here] = class_id
        if number != MOTS_IGNORE:
            ids[here] = _VALUES[here] % _NUMBERS + 1
    ids[0] = BACKGROUND_ID
    return pack_codes(classes, ids), no_class


def looks_like_mots(values: NDArray[np.uint16]) -> bool:
    """Whether all values are MOTS values: background, cars, pedestrians and ignore regions.

    Example:
        >>> looks_like_mots(np.array([[0, 1003, 10000]], dtype=np.uint16))
        True
    """
    present = np.unique(values)
    of_mots = (present == 0) | (present == 10000) | ((present >= 1000) & (present < 3000))
    return bool(of_mots.all())
