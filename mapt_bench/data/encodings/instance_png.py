"""Cityscapes and MOTS PNGs: 16-bit grey pixels of ``class * 1000 + number``."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.encodings.encoding_registry import FrameEncoding, register_encoding
from mapt_bench.data.folder_layout import Listing
from mapt_bench.data.png import PngHeader, decode_png, load_png, png_header
from mapt_bench.data.sequences import check_size
from mapt_bench.errors import DataError, counted
from mapt_bench.labels import BACKGROUND_ID, LabelSpace, pack_codes

__all__ = [
    "MOTS_ID_LIMIT",
    "MOTS_IGNORE",
    "MOTS_NAMES",
    "CityscapesEncoding",
    "MotsPngEncoding",
    "class_of_mots",
    "looks_like_mots",
    "mots_of_class",
]

MOTS_IGNORE = 10
"""Class number of ignore regions. Their object id is 10000."""

MOTS_ID_LIMIT = 1000
"""Numbers are smaller than this: an object id is ``class * 1000 + number``."""

MOTS_NAMES = {1: "car", 2: "person"}
"""Name of each MOTS class number in our label spaces. MOTS calls class 2 pedestrian."""


def class_of_mots(labels: LabelSpace) -> dict[int, int]:
    """Return the class number in a label space of each MOTS class. Ignore regions are void.

    Classes that the label space lacks are omitted.
    """
    numbers = {entry.name: entry.class_id for entry in labels.classes}
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
_VOID = (1 << 16) - 1  # void in files that were written from signed -1


def _is_grey_16(header: PngHeader) -> bool:
    return header.color_type == 0 and header.bit_depth == 16


class _InstancePngEncoding(FrameEncoding):
    """Base of both encodings: headers and decoding."""

    suffixes = frozenset({".png"})
    form = "16-bit grey PNG"

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

    def _check(self, header: PngHeader, path: Path) -> None:
        if not _is_grey_16(header):
            raise DataError(
                f"has {header}; {self.name} maps need 1 channel, 16-bit grey "
                "(class * 1000 + number); convert it, or name its encoding with --encoding",
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

    def decode(self, path: Path, size: tuple[int, int], labels: LabelSpace) -> NDArray[np.uint32]:
        """Return the codes, ``uint32`` of shape ``size``."""
        with_id = _VALUES >= _NUMBERS
        classes = np.where(with_id, _VALUES // _NUMBERS, _VALUES)
        ids = np.where(with_id, _VALUES % _NUMBERS + 1, 0)
        no_class = classes > 255
        classes[_VOID], ids[_VOID] = labels.ignore_label, 0
        classes[no_class] = 0
        values = self.values(path, size)
        _refuse(values, no_class, _odd_cityscapes(path))
        return pack_codes(classes, ids)[values]


@register_encoding
class MotsPngEncoding(_InstancePngEncoding):
    """Instance maps of KITTI MOTS and MOTS20 (Voigtlaender et al. 2019, arXiv:1902.03604).

    ``value // 1000`` is the MOTS class and ``value % 1000 + 1`` the identity. 0 is background,
    10000 (ignore) is void.
    """

    name = "mots-png"
    refines = "cityscapes"

    def recognises(self, listing: Listing, files: Sequence[Path]) -> bool:
        """Whether all values are MOTS values. A single frame with stuff excludes MOTS.

        Raises:
            DataError: If no file can be decoded.
        """
        del listing
        answers: list[bool] = []
        problem: DataError | None = None
        for path in files:
            try:
                answers.append(looks_like_mots(self.values(path)))
            except DataError as found:
                problem = problem or found
        if problem is not None and not answers:
            raise problem
        return all(answers)

    def decode(self, path: Path, size: tuple[int, int], labels: LabelSpace) -> NDArray[np.uint32]:
        """Return the codes, ``uint32`` of shape ``size``."""
        mots_class = _VALUES // _NUMBERS
        classes = np.full(_VALUES.size, labels.ignore_label)
        ids = np.zeros_like(classes)
        ids[0] = BACKGROUND_ID
        no_class = _VALUES > 0
        for number, class_id in class_of_mots(labels).items():
            here = mots_class == number
            no_class[here] = False
            classes[here] = class_id
            if number != MOTS_IGNORE:
                ids[here] = _VALUES[here] % _NUMBERS + 1
        values = self.values(path, size)
        _refuse(
            values,
            no_class,
            lambda value, _: unknown_mots_class(value // _NUMBERS, labels, path),
        )
        return pack_codes(classes, ids)[values]


def _refuse(
    values: NDArray[np.uint16],
    refused: NDArray[np.bool_],
    problem: Callable[[int, int], DataError],
) -> None:
    odd = refused[values]
    if odd.any():
        raise problem(int(values[odd][0]), int(odd.sum()))


def _odd_cityscapes(path: Path) -> Callable[[int, int], DataError]:
    return lambda value, count: DataError(
        f"{counted(count, 'pixel')} hold{'s' if count == 1 else ''} values such as {value}; "
        "expected a class 0 to 255, class * 1000 + number from 1000 on, or 65535 for void",
        where=path,
    )


def looks_like_mots(values: NDArray[np.uint16]) -> bool:
    """Whether all values are MOTS values: background, cars, pedestrians and ignore regions.

    Example:
        >>> looks_like_mots(np.array([[0, 1003, 10000]], dtype=np.uint16))
        True
    """
    present = np.unique(values)
    of_mots = (present == 0) | (present == 10000) | ((present >= 1000) & (present < 3000))
    return bool(of_mots.all())
