"""Two channels, class and identity: ``.npy`` of shape (height, width, 2), or grey-alpha PNG."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.encodings.encoding_registry import FrameEncoding, register_encoding
from mapt_bench.data.png import PngHeader, decode_png, load_png, png_header
from mapt_bench.data.sequences import IGNORED_ID, check_size
from mapt_bench.errors import DataError, counted
from mapt_bench.files import NPY_DAMAGE
from mapt_bench.frame_limit import check_frame
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, pack_codes, without_void_ids
from mapt_bench.numpy_files import npy_header
from mapt_bench.special_files import refuse_special

__all__ = ["TwoChannelEncoding"]

# Headers are Python literals, and numpy does not catch the errors of the tokenizer.
_BROKEN = (OSError, *NPY_DAMAGE)
_EXPECTED = "two-channel maps hold class and id"


@register_encoding
class TwoChannelEncoding(FrameEncoding):
    """Arrays of shape ``(height, width, 2)``: class 0..255, id 0..2**24 - 1.

    An ``.npy`` has any integer dtype, or floats with whole values. A PNG has 8 or 16 bits; grey
    is the class, alpha the id.
    """

    name = "two-channel"
    suffixes = frozenset({".png", ".npy"})
    form = "grey and alpha PNG"

    def accepts(self, path: Path) -> bool:
        """Whether the file is a PNG of grey and alpha, or an ``.npy``."""
        return path.suffix.lower() == ".npy" or _is_grey_alpha(png_header(path))

    def size(self, path: Path) -> tuple[int, int]:
        """Return height and width from the header alone."""
        if path.suffix.lower() == ".npy":
            return _npy_size(path)
        header = png_header(path)
        self._check(header, path)
        return header.size

    def decode(self, path: Path, size: tuple[int, int], labels: LabelSpace) -> NDArray[np.uint32]:
        """Return the codes, ``uint32`` of shape ``size``."""
        check_size(path, self.size(path), size)
        if path.suffix.lower() == ".npy":
            pixels = _whole_numbers(_load_npy(path), path)
        else:
            file = load_png(path)
            self._check(file.header, path)
            pixels = decode_png(file)
        for channel, name, limit in ((0, "class", 256), (1, "id", ID_LIMIT)):
            _check_range(pixels[..., channel], name, limit, path)
        codes = pack_codes(pixels[..., 0], pixels[..., 1])
        ignored = np.uint32(labels.ignore_label << ID_BITS | IGNORED_ID)
        return np.where(codes == ignored, ignored, without_void_ids(codes, labels))

    @staticmethod
    def _check(header: PngHeader, path: Path) -> None:
        if not _is_grey_alpha(header):
            raise DataError(
                f"has {header}; {_EXPECTED} as grey and alpha; convert it, or name its encoding "
                "with --encoding",
                where=path,
            )


def _is_grey_alpha(header: PngHeader) -> bool:
    return header.color_type == 4


def _npy_size(path: Path) -> tuple[int, int]:
    try:
        refuse_special(path)
        with path.open("rb") as handle:
            header = npy_header(handle)
    except _BROKEN as problem:
        raise _unreadable(path, problem) from problem
    shape, dtype = header.shape, header.dtype
    if len(shape) != 3 or shape[2] != 2 or not shape[0] * shape[1] or dtype.kind not in "iuf":
        raise DataError(
            f"holds {dtype} of shape {shape}; {_EXPECTED} as whole numbers of shape "
            "(height, width, 2); write the file again",
            where=path,
        )
    check_frame(shape[0], shape[1], path, bytes_per_pixel=2 * dtype.itemsize + 16)
    return shape[0], shape[1]


def _load_npy(path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except _BROKEN as problem:
        raise _unreadable(path, problem) from problem
    return array


def _whole_numbers(array: NDArray[Any], path: Path) -> NDArray[np.integer]:
    if array.dtype.kind != "f":
        return array
    odd = ~np.isfinite(array)
    kind = "NaN or infinite"
    if not odd.any():
        odd = array != np.floor(array)
        kind = "not whole"
    if odd.any():
        amount = int(odd.sum())
        row, column, channel = (int(position) for position in np.argwhere(odd)[0])
        raise DataError(
            f"{counted(amount, 'value')} {'is' if amount == 1 else 'are'} {kind}, the first "
            f"at row {row}, column {column}, channel {channel}; {_EXPECTED} as whole numbers; "
            "write void as the ignore label",
            where=path,
        )
    _check_range(array, "channel", ID_LIMIT, path)
    return array.astype(np.int64)


def _check_range(values: NDArray[Any], name: str, limit: int, path: Path) -> None:
    low, high = values.min(), values.max()
    if low < 0 or high >= limit:
        raise DataError(
            f"{name} values are {low} to {high}; expected 0 to {limit - 1}; write void as the "
            "ignore label with id 0",
            where=path,
        )


def _unreadable(path: Path, reason: object) -> DataError:
    return DataError(
        f"cannot be read as .npy ({reason}); {_EXPECTED}; write or copy the file again",
        where=path,
    )
