"""PNGs of objects: one colour per object, or one folder per object.

DAVIS, YouTube-VOS, XMem, Cutie, DEVA and SAM 2 write colours; SAM 2 with ``--per_obj_png_file`` and
SA-V write folders. The class of each object comes from ``object_classes.yaml``.
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mapt_bench.data.encodings.encoding_registry import ObjectEncoding, register_encoding
from mapt_bench.data.folder_layout import FrameFolder, Listing, natural_key
from mapt_bench.data.mask_painting import paint_masks
from mapt_bench.data.object_classes import ObjectClasses, find_object_classes
from mapt_bench.data.png import PngFile, PngHeader, load_png, png_header, undecodable
from mapt_bench.data.sequences import (
    Report,
    StoredSequence,
    check_size,
    moment,
    open_frame_files,
    refuse_twin,
    usual_size,
)
from mapt_bench.errors import DataError, listed
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, PanopticMap, background_code

__all__ = ["VOID_INDEX", "ObjectFoldersEncoding", "ObjectFoldersSequence", "PalettePngEncoding"]

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
class PalettePngEncoding(ObjectEncoding):
    """PNGs with a palette. The colour index is the object id, 0 is background, 255 is void.

    The class of each object comes from ``object_classes.yaml``.
    """

    name = "palette-png"
    suffixes = frozenset({".png"})
    form = "PNG with a palette (object ids)"

    def accepts(self, path: Path) -> bool:
        """Whether the file is a PNG with a palette."""
        return png_header(path).is_palette

    def settle(self, listing: Listing, files: Sequence[Path], labels: LabelSpace) -> str:
        """Tell maps of objects from masks in folders named by objects.

        Both can hold folders named by three digits, as SAM 2 names objects, whose files have the
        colour indices 0 and 1 only. Then ``object_classes.yaml`` decides: its sequences are these
        folders, or the folders above them.

        Raises:
            DataError: If ``object_classes.yaml`` does not decide.
        """
        if not all(_SAM_2_OBJECT.fullmatch(file.parent.name) for file in files):
            return self.name
        if any(np.setdiff1d(_indices(load_png(file)), (0, 1)).size for file in files):
            return self.name
        known = find_object_classes(listing.root, labels).sequences
        is_folder = any(folder.parts[-1] in known for folder in listing.folders)
        is_above = any(folder.path.parent.name in known for folder in listing.folders)
        if is_folder == is_above:
            raise DataError(
                f"can be read as {self.name} (one folder for each sequence, here with the object 1 "
                f"only) and as {ObjectFoldersEncoding.name} (one folder for each object, as SAM 2 "
                "writes with --per_obj_png_file); expected the files of one encoding; name it with "
                "--encoding (--gt-encoding for the ground truth)",
                where=listing.root,
            )
        return self.name if is_folder else ObjectFoldersEncoding.name

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


_SAM_2_OBJECT = re.compile("[0-9]{3}")


@dataclass(frozen=True, slots=True)
class ObjectFoldersSequence:
    """Masks of objects in one folder per object; implements ``StoredSequence``.

    Attributes:
        parts: Path of the sequence below the root.
        frame_names: Names of the frames in which at least one object has a file.
        size: Height and width in pixels.
        frames: File of each object that has one, by its number, for each frame.
        classes: Class of each object.
        void_class: Class number of background.
        first_id: Identity of object 0: 1 if there is one, because identity 0 is crowd.
    """

    parts: tuple[str, ...]
    frame_names: tuple[str, ...]
    size: tuple[int, int]
    frames: tuple[dict[int, Path], ...]
    classes: ObjectClasses
    void_class: int
    first_id: int

    @property
    def companions(self) -> tuple[Path, ...]:
        """The file that states the classes of the objects."""
        return self.classes.files

    def path(self, index: int) -> Path:
        """Return the first file of a frame."""
        return next(iter(self.frames[index].values()))

    def read(self, index: int) -> PanopticMap:
        """Read the masks of a frame.

        Raises:
            DataError: If a file is damaged or no mask, masks overlap, or a class is unknown.
        """
        masks = {}
        for number, path in self.frames[index].items():
            class_id = self.classes.class_of(self.parts[-1], number, path)
            masks[class_id << ID_BITS | number + self.first_id] = _mask(path, self.size)
        where = f"{self.path(index).parent.parent}, frame {self.frame_names[index]}"
        return PanopticMap(paint_masks(masks, self.void_class, self.size, where))


@register_encoding
class ObjectFoldersEncoding(ObjectEncoding):
    """PNGs of masks, ``<sequence>/<object>/<frame>.png``. Folders of objects have numbers as names.

    A mask has the values 0 and 1, or 0 and 255. An object without a file is not in the frame.
    """

    name = "object-folders"
    suffixes = frozenset({".png"})
    form = "PNG mask of one object in a folder named by its number"

    def accepts(self, path: Path) -> bool:
        """Whether the file is a grey PNG of a mask, in a folder named by a number.

        Files with a palette are settled by ``palette-png``.
        """
        if not path.parent.name.isdecimal() or not _is_grey(png_header(path)):
            return False
        return _is_mask(np.unique(_grey(load_png(path))))

    def open(
        self, listing: Listing, labels: LabelSpace, report: Report
    ) -> tuple[StoredSequence, ...]:
        """Return one sequence for every folder above folders of objects."""
        classes = find_object_classes(listing.root, labels)
        above: dict[Path, list[FrameFolder]] = {}
        for folder in listing.folders:
            if folder.with_suffix(".png"):
                above.setdefault(folder.path.parent, []).append(folder)
        opened = (_open_sequence(found, classes, labels, report) for found in above.values())
        return tuple(sequence for sequence in opened if sequence is not None)


def _open_sequence(
    folders: Sequence[FrameFolder], classes: ObjectClasses, labels: LabelSpace, report: Report
) -> ObjectFoldersSequence | None:
    sizes: dict[Path, tuple[int, int]] = {}
    files: dict[Path, tuple[str, int]] = {}
    for number, path in _object_files(folders, report):
        try:
            sizes[path] = _mask_header(path).size
            files[path] = path.stem, number
        except DataError as problem:
            report(problem)
    size, kept = usual_size(sizes, report)
    if not kept:
        return None
    names: dict[str | int, str] = {}
    frames: dict[str | int, dict[int, Path]] = {}
    for path in kept:
        name, number = files[path]
        names.setdefault(moment(name), name)
        frames.setdefault(moment(name), {})[number] = path
    order = sorted(frames, key=lambda key: natural_key(names[key]))
    sequence = folders[0].path.parent.resolve()
    return ObjectFoldersSequence(
        folders[0].parts[:-1] or (sequence.name,),
        tuple(names[key] for key in order),
        size,
        tuple(frames[key] for key in order),
        classes,
        labels.ignore_label,
        int(any(number == 0 for _, number in files.values())),
    )


def _object_files(folders: Sequence[FrameFolder], report: Report) -> Iterator[tuple[int, Path]]:
    """Yield the number of the object of each file, and the file."""
    seen: dict[int, Path] = {}
    for folder in folders:
        try:
            number = _number(folder, seen)
        except DataError as problem:
            report(problem)
            continue
        moments: dict[str | int, str] = {}
        for path in folder.with_suffix(".png"):
            try:
                refuse_twin(path, path.stem, moments)
            except DataError as problem:
                report(problem)
            else:
                yield number, path


def _number(folder: FrameFolder, seen: dict[int, Path]) -> int:
    name = folder.path.name
    if not name.isdecimal() or int(name) >= ID_LIMIT - 1:
        raise DataError(
            "holds PNGs; expected folders named by the number of an object, as in "
            f"<sequence>/003/00000.png, below {ID_LIMIT - 1}; rename the folder, or name another "
            "encoding with --encoding",
            where=folder.path,
        )
    other = seen.setdefault(int(name), folder.path)
    if other != folder.path:
        raise DataError(
            f"is the same object as {other.name} (numbers count by their value); keep one of the "
            "two folders",
            where=folder.path,
        )
    return int(name)


def _is_grey(header: PngHeader) -> bool:
    return header.color_type == 0 and header.bit_depth <= 8


def _mask_header(path: Path) -> PngHeader:
    header = png_header(path)
    if not (header.is_palette or _is_grey(header)):
        raise DataError(
            f"has {header}; object-folders masks are grey of 1 to 8 bits, or have a palette; write "
            "the mask again, or name another encoding with --encoding",
            where=path,
        )
    return header


def _mask(path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask in a file, of shape ``size``."""
    header = _mask_header(path)
    check_size(path, header.size, size)
    values = _indices(load_png(path)) if header.is_palette else _grey(load_png(path))
    found = np.unique(values)
    if not _is_mask(found):
        raise DataError(
            f"has the values {listed(found.tolist())}; expected the mask of one object, with 0 and "
            "1, or 0 and 255; name palette-png with --encoding if each file holds all objects",
            where=path,
        )
    return values > 0


def _is_mask(values: NDArray[np.uint8]) -> bool:
    return values.size <= 2 and not set(values.tolist()) - {0, 1, 255}


def _grey(file: PngFile) -> NDArray[np.uint8]:
    """Decode a grey PNG of up to 8 bits. Values are not scaled to 8 bits if it has 1."""
    return _with_pillow(file).astype(np.uint8, copy=False)


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
    indices = _with_pillow(file)
    if indices.shape != file.header.size or indices.dtype != np.uint8:
        raise undecodable(file, f"{indices.dtype} of shape {indices.shape}")
    if int(indices.max()) >= colours:
        raise DataError(
            f"has colour index {int(indices.max())}, but a palette of {colours} colours; write "
            "the file again",
            where=file.path,
        )
    return indices


def _with_pillow(file: PngFile) -> NDArray[Any]:
    try:
        with Image.open(io.BytesIO(file.data)) as image:
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError) as problem:
        raise undecodable(file, problem) from problem


def _chunk_body(file: PngFile, kind: bytes) -> bytes:
    """Return the body of the first chunk of a kind, empty if there is none."""
    start = 8  # after the signature
    while start < len(file.data):
        length = int.from_bytes(file.data[start : start + 4])
        if file.data[start + 4 : start + 8] == kind:
            return file.data[start + 8 : start + 8 + length]
        start += 12 + length
    return b""
