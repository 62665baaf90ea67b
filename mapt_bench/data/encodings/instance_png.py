"""16-bit grey PNGs of class and number: Cityscapes, MOTS, Waymo (x 1000), VIPSeg (x 100).

Files of the four look the same. :meth:`CityscapesEncoding.settle` tells them apart by their
values and the label space.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.encodings._instance_values import (
    IMPOSSIBLE,
    NUMBERS,
    PLAUSIBLE,
    VIPSEG_CLASSES,
    WAYMO,
    Table,
    ambiguous,
    cityscapes_codes,
    fit,
    fits_of,
    has_identity,
    mots_table,
    tables_of,
    unknown_mots_class,
    vipseg_table,
    waymo_table,
)
from mapt_bench.data.encodings.encoding_registry import (
    FrameEncoding,
    Lacks,
    grey_advice,
    register_encoding,
    sampled,
)
from mapt_bench.data.folder_layout import Listing
from mapt_bench.data.png import PngHeader, decode_png, load_png, png_header
from mapt_bench.data.sequences import check_size
from mapt_bench.errors import DataError, counted, listed
from mapt_bench.labels import LabelSpace, label_space

__all__ = [
    "CityscapesEncoding",
    "MotsPngEncoding",
    "VipsegEncoding",
    "WaymoEncoding",
]


def _is_grey_16(header: PngHeader) -> bool:
    return header.color_type == 0 and header.bit_depth == 16


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
        if WAYMO in (self.name, labels.name):  # its values fit anything
            return None
        files = [path for path in sampled(listing.files(".png")) if self.accepts(path)]
        if not files:
            return None
        values = self._sample(files)
        fits = fits_of(values, labels)
        best = min(fits.values())
        if best != PLAUSIBLE or fits[self.name] == best:
            return None
        names = [name for name, how in fits.items() if how == best]
        table = tables_of(labels)[self.name]
        odd = next(each[0] for each in np.split(values, values.size) if fit(*table, each, labels))
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

    def table(self, labels: LabelSpace) -> Table:
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
            advice = grey_advice(header) or "convert it, or name its encoding with --encoding"
            raise DataError(
                f"has {header}; {self.name} maps need 1 channel, 16-bit grey ({self.rule}); "
                f"{advice}",
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
        If the sample has no identity, all files are read until one has. Zeros alone are MOTS: maps
        without any object.

        Raises:
            DataError: If two readings are plausible, or no file can be decoded.
        """
        if labels.name == WAYMO:  # its values fit Cityscapes as well, and mean other identities
            return WAYMO
        values = self._sample(files)
        if not has_identity(values):
            values = self._with_identity(listing, values)
        tables, fits = tables_of(labels), fits_of(values, labels)
        best = min(fits.values())
        if best == IMPOSSIBLE:
            _refuse_vipseg(values, files[0])
            return self.name
        names = [name for name, how in fits.items() if how == best]
        codes = [tables[name][0][values] for name in names]
        differs = np.any(codes != codes[0], axis=0)
        if best == PLAUSIBLE and differs.any() and values.any():
            raise ambiguous(names, int(values[differs][-1]), files[0])
        return names[0]

    def _with_identity(self, listing: Listing, values: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """Return values and those of all files, up to the first one that has an identity."""
        for path in listing.files(".png"):
            try:
                own = self.values(path)
            except DataError:  # reported when the file is read
                continue
            values = np.union1d(values, own)
            if has_identity(values):
                break
        return values

    def table(self, labels: LabelSpace) -> Table:
        """Return the code of each value, and which values have no class."""
        return cityscapes_codes(labels)

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


def _refuse_vipseg(values: NDArray[np.uint16], where: Path) -> None:
    """Refuse panomasks of VIPSeg that are read in a label space of other classes."""
    vipseg = label_space("vipseg")
    if has_identity(values) and fits_of(values, vipseg)["vipseg"] == PLAUSIBLE:
        raise DataError(
            f"looks like a panomask of VIPSeg (class * 100 + number), with value {values[-1]}; "
            "name its label space with --dataset vipseg, or map its classes with --map",
            where=where,
        )


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

    def table(self, labels: LabelSpace) -> Table:
        """Return the code of each value, and which values have no class."""
        return vipseg_table(labels)

    def unknown(self, value: int, count: int, labels: LabelSpace, path: Path) -> DataError:
        """Return the error for a value without a class."""
        del labels
        return DataError(
            f"{counted(count, 'pixel')} hold{'s' if count == 1 else ''} values such as {value}; "
            f"expected 0 for void, a class below {VIPSEG_CLASSES}, or class * 100 + number; name "
            "another encoding with --encoding",
            where=path,
        )


@register_encoding
class WaymoEncoding(_InstancePngEncoding):
    """Panoptic camera labels of Waymo (Mei et al. 2022), exported as PNG with their divisor 1000.

    A value is ``class * 1000 + number``. The number is the identity, and 0 is none: stuff, or crowd
    of a thing class. 65535 and the ignore label are void. Files look as those of Cityscapes, which
    counts differently, so the label space ``waymo`` decides.
    """

    name = WAYMO
    refines = "cityscapes"

    def table(self, labels: LabelSpace) -> Table:
        """Return the code of each value. Every value has a class."""
        return waymo_table(labels)


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

    def table(self, labels: LabelSpace) -> Table:
        """Return the code of each value, and which values have no class."""
        return mots_table(labels)

    def unknown(self, value: int, count: int, labels: LabelSpace, path: Path) -> DataError:
        """Return the error for a value without a class."""
        del count
        return unknown_mots_class(value // NUMBERS, labels, path)
