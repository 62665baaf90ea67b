"""Palette PNG with one object per colour: DAVIS, YouTube-VOS, XMem, Cutie, DEVA, SAM 2."""

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mapt_bench.data.encodings.encoding_registry import Encoding, Lacks, register_encoding
from mapt_bench.data.folder_layout import Listing
from mapt_bench.data.object_classes import ObjectClasses, find_object_classes
from mapt_bench.data.png import PngFile, load_png, png_header, undecodable
from mapt_bench.data.sequences import Report, StoredSequence, check_size, open_frame_files
from mapt_bench.errors import DataError
from mapt_bench.labels import ID_BITS, LabelSpace, background_code

__all__ = ["VOID_INDEX", "PalettePngEncoding"]

VOID_INDEX = 255
"""Colour index of pixels that are ignored."""

_BACKGROUND_INDEX = 0


@dataclass(frozen=True, slots=True)
class _Decoder:
    """Decoder of the frames of one sequence; implements ``FrameDecoder``."""

    sequence: str
    classes: ObjectClasses

    name: ClassVar[str] = "palette-png"
    suffixes: ClassVar[frozenset[str]] = frozenset({".png"})

    def size(self, path: Path) -> tuple[int, int]:
        header = png_header(path)
        if not header.is_palette:
            raise DataError(
                f"has {header}; palette-png maps need a palette, whose colour index is the object "
                "id; write the file again, or name another encoding with --encoding",
                where=path,
            )
        return header.size

    def decode(self, path: Path, size: tuple[int, int], labels: LabelSpace) -> NDArray[np.uint32]:
        check_size(path, self.size(path), size)
        indices = _indices(load_png(path))
        codes = np.zeros(256, dtype=np.uint32)
        codes[_BACKGROUND_INDEX] = background_code(labels.ignore_label)
        codes[VOID_INDEX] = labels.ignore_label << ID_BITS
        present = np.flatnonzero(np.bincount(indices.ravel(), minlength=256))
        for index in present.tolist():
            if index not in (_BACKGROUND_INDEX, VOID_INDEX):
                class_id = self.classes.class_of(self.sequence, index, path)
                codes[index] = class_id << ID_BITS | index
        return codes[indices]


@register_encoding
class PalettePngEncoding(Encoding):
    """PNGs with a palette. The colour index is the object id, 0 is background, 255 is void.

    The class of each object comes from ``object_classes.yaml``.
    """

    name = "palette-png"
    suffixes = frozenset({".png"})
    form = "PNG with a palette (object ids)"

    def accepts(self, path: Path) -> bool:
        """Whether the file is a PNG with a palette."""
        return png_header(path).is_palette

    def lacks(self, listing: Listing, labels: LabelSpace) -> Lacks:
        """Return that stuff is lacking, and the classes unless a file states them."""
        return Lacks(stuff=True, classes=not find_object_classes(listing.root, labels).is_known)

    def open(
        self, listing: Listing, labels: LabelSpace, report: Report
    ) -> tuple[StoredSequence, ...]:
        """Return one sequence for every folder with frames."""
        classes = find_object_classes(listing.root, labels)
        return tuple(
            replace(
                sequence,
                decoder=_Decoder(sequence.parts[-1], classes),
                companions=classes.files,
            )
            for sequence in open_frame_files(listing, _Decoder("", classes), labels, report)
        )


def _indices(file: PngFile) -> NDArray[np.uint8]:
    """Decode the colour indices of a PNG with a palette.

    Args:
        file: The file, from :func:`load_png`.

    Returns:
        ``uint8`` of shape ``(height, width)``.

    Raises:
        DataError: If the file has no palette, its pixels are damaged, or an index is beyond the
            palette.
    """
    colours = len(_chunk_body(file, b"PLTE")) // 3
    if not file.header.is_palette or not colours:
        raise DataError(
            f"has {file.header} and {colours} colours; expected a palette; write the file again",
            where=file.path,
        )
    try:
        with Image.open(io.BytesIO(file.data)) as image:
            indices = np.asarray(image)
    except (OSError, SyntaxError, ValueError) as problem:
        raise undecodable(file, problem) from problem
    if indices.shape != file.header.size or indices.dtype != np.uint8:
        raise undecodable(file, f"{indices.dtype} of shape {indices.shape}")
    if int(indices.max()) >= colours:
        raise DataError(
            f"has colour index {int(indices.max())}, but a palette of {colours} colours; write "
            "the file again",
            where=file.path,
        )
    return indices


def _chunk_body(file: PngFile, kind: bytes) -> bytes:
    """Return the body of the first chunk of a kind, empty if there is none."""
    start = 8  # after the signature
    while start < len(file.data):
        length = int.from_bytes(file.data[start : start + 4])
        if file.data[start + 4 : start + 8] == kind:
            return file.data[start + 8 : start + 8 + length]
        start += 12 + length
    return b""
