"""16-bit grey PNG that holds ``class * 1000 + number``: Cityscapes' and MOTS's ways."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.mots_classes import MOTS_IGNORE, class_of_mots, unknown_mots_class
from mapt_bench.data.png import PngHeader, decode_png, load_png, png_header
from mapt_bench.data.sequences import check_size
from mapt_bench.errors import DataError, counted
from mapt_bench.labels import BACKGROUND_ID, LabelSpace, pack_codes

__all__ = ["CityscapesCodec", "MotsPngCodec", "looks_like_mots"]

_VALUES = np.arange(1 << 16)
_NUMBERS = 1000  # numbers of one class
_VOID = (1 << 16) - 1  # void in files of either kind that were written from signed -1


@dataclass(frozen=True, slots=True)
class _InstancePngCodec:
    """What both ways share: headers, decoding, and one table from values to codes."""

    name: ClassVar[str]
    suffixes: ClassVar[frozenset[str]] = frozenset({".png"})

    @staticmethod
    def accepts(header: PngHeader) -> bool:
        """Whether a PNG with this header can be of this encoding."""
        return header.color_type == 0 and header.bit_depth == 16

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
        if not self.accepts(header):
            raise DataError(
                f"has {header}; {self.name} maps need 1 channel, 16-bit grey "
                "(class * 1000 + number); convert it, or name its encoding with --encoding",
                where=path,
            )


@dataclass(frozen=True, slots=True)
class CityscapesCodec(_InstancePngCodec):
    """Reads Cityscapes-style maps.

    A value below 1000 is a class without identity: stuff, or crowd of a thing class. From 1000
    on, ``value // 1000`` is the class and ``value % 1000 + 1`` the identity (Cityscapes counts
    objects from 0, while identity 0 is crowd here). 65535 and the ignore label are void. Classes
    are those of the label space, which for ``cityscapes`` are train ids, not label ids.
    """

    name: ClassVar[str] = "cityscapes"

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


@dataclass(frozen=True, slots=True)
class MotsPngCodec(_InstancePngCodec):
    """Reads KITTI MOTS / MOTS20 instance maps (Voigtlaender et al. 2019, arXiv:1902.03604).

    ``value // 1000`` is MOTS's class and ``value % 1000 + 1`` the identity; 0 is background, 10000
    (ignore) void.
    """

    name: ClassVar[str] = "mots-png"

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
    """Whether stored values are MOTS's: background 0, cars, pedestrians, ignore, nothing else.

    Example:
        >>> looks_like_mots(np.array([[0, 1003, 10000]], dtype=np.uint16))
        True
    """
    present = np.unique(values)
    of_mots = (present == 0) | (present == 10000) | ((present >= 1000) & (present < 3000))
    return bool(of_mots.all())
