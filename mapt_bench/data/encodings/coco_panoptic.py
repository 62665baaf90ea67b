"""COCO panoptic: PNGs of segment ids, and one JSON that describes each segment.

The id of a pixel is ``R + 256 * G + 65536 * B``. Id 0 is void. Categories are the class numbers of
the label space. The identity of an object is its segment id, or the ``track_id`` in the JSON.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.dataset_file import write_dataset_file
from mapt_bench.data.encodings._coco_json import (
    AnnotatedPng,
    find_coco_json,
    png_places,
    read_annotations,
    require_coco_json,
)
from mapt_bench.data.encodings.encoding_registry import Encoding, register_encoding
from mapt_bench.data.encodings.kitti_step import is_rgb
from mapt_bench.data.folder_layout import MAPS_FOLDER, FrameFolder, Listing
from mapt_bench.data.png import decode_png, encode_png, load_png, png_header
from mapt_bench.data.sequences import (
    ClosingWriter,
    Report,
    StoredSequence,
    check_size,
    moment,
    refuse_twin,
    stored_void_ids,
    usual_size,
)
from mapt_bench.errors import DataError, listed
from mapt_bench.files import write_bytes, write_json
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, PanopticMap, check_map_classes

__all__ = ["CocoPanopticEncoding", "CocoPanopticWriter", "CocoSequence"]

NAME = "coco-panoptic"


@dataclass(frozen=True, slots=True)
class CocoSequence:
    """Frames of one folder with the codes of their segments; implements ``StoredSequence``.

    Attributes:
        parts: Path below the folder.
        frame_names: File stems.
        size: Height and width in pixels.
        paths: One PNG per frame.
        segment_codes: Code of each segment id, one dictionary per frame.
        json_file: JSON of the annotations.
        void_code: Code of pixels with id 0.
    """

    parts: tuple[str, ...]
    frame_names: tuple[str, ...]
    size: tuple[int, int]
    paths: tuple[Path, ...]
    segment_codes: tuple[Mapping[int, int], ...]
    json_file: Path
    void_code: int

    @property
    def companions(self) -> tuple[Path, ...]:
        """The JSON, which states the classes and identities of the segments."""
        return (self.json_file,)

    def path(self, index: int) -> Path:
        """Return the PNG of a frame."""
        return self.paths[index]

    def read(self, index: int) -> PanopticMap:
        """Decode the map at a position.

        Raises:
            DataError: If the PNG is unusable, or its segments differ from those of the JSON.
        """
        path = self.paths[index]
        file = load_png(path)
        check_size(path, file.header.size, self.size)
        pixels = decode_png(file)
        segments = pixels[..., 2].astype(np.uint32)
        for channel in (1, 0):
            segments <<= np.uint32(8)
            segments |= pixels[..., channel]
        # Segments are constant over stretches of a row, so stretches are sorted, not pixels.
        flat = segments.ravel()
        starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
        present, inverse = np.unique(flat[starts], return_inverse=True)
        table = {0: self.void_code, **self.segment_codes[index]}
        self._check_segments(present, table, path)
        codes = np.array([table[int(number)] for number in present], dtype=np.uint32)
        lengths = np.diff(starts, append=flat.size)
        return PanopticMap(np.repeat(codes[inverse], lengths).reshape(self.size))

    def _check_segments(
        self, present: NDArray[np.uint32], table: Mapping[int, int], path: Path
    ) -> None:
        in_png = {int(number) for number in present}
        unlisted = sorted(in_png - set(table))
        if unlisted:
            raise DataError(
                f"has {_segments(unlisted)} that {self.json_file.name} does not list for it; "
                "expected the same segments in both; write both files again",
                where=path,
            )
        absent = sorted(set(table) - in_png - {0})
        if absent:
            raise DataError(
                f"lacks {_segments(absent)} that {self.json_file.name} lists for it; "
                "expected the same segments in both; write both files again",
                where=path,
            )


@register_encoding
class CocoPanopticEncoding(Encoding):
    """COCO panoptic: PNGs of segment ids, and one JSON for a folder."""

    name = NAME
    suffixes = frozenset({".png"})
    form = "8-bit RGB PNG"
    refines = "kitti-step"

    def accepts(self, path: Path) -> bool:
        """Whether the file is an 8-bit RGB PNG."""
        return is_rgb(png_header(path))

    def recognises(self, listing: Listing, files: Sequence[Path]) -> bool:
        """Whether the folder has a JSON of panoptic annotations.

        Raises:
            DataError: If there are several, or one is malformed.
        """
        del files
        return find_coco_json(listing) is not None

    def claims(self, listing: Listing) -> Path | None:
        """Return the JSON of panoptic annotations in the folder, or named like it beside it."""
        return find_coco_json(listing, only_own=True)

    def open(
        self, listing: Listing, labels: LabelSpace, report: Report
    ) -> tuple[StoredSequence, ...]:
        """Return one sequence for every folder of annotated PNGs.

        A folder of images of different sizes becomes one sequence of one frame for each image.

        Raises:
            DataError: If there is no JSON of panoptic annotations, or it is malformed.
        """
        json_file = require_coco_json(listing)
        annotations = read_annotations(json_file, labels, report)
        tables = _join(annotations.pngs, json_file, listing, report)
        void_code = labels.ignore_label << ID_BITS
        found: list[StoredSequence] = []
        for folder in listing.folders:
            sizes = _sizes(folder, tables, report)
            if not annotations.is_video and _are_images(folder, sizes):
                groups = [((*folder.parts, path.stem), [path]) for path in sizes]
            else:
                groups = [(folder.parts, usual_size(sizes, report)[1])]
            found += [
                CocoSequence(
                    parts,
                    tuple(folder.frame_name(path) for path in paths),
                    sizes[paths[0]],
                    tuple(paths),
                    tuple(tables[path] for path in paths),
                    json_file,
                    void_code,
                )
                for parts, paths in groups
                if paths
            ]
        return tuple(found)


def _join(
    annotated: Sequence[AnnotatedPng], json_file: Path, listing: Listing, report: Report
) -> dict[Path, dict[int, int]]:
    """Return the segment codes of each PNG that is annotated."""
    pngs = {path.resolve(): path for path in listing.files(".png")}
    root = listing.root.resolve()
    tables: dict[Path, dict[int, int]] = {}
    by_name: dict[str, list[Path]] = {}
    for png in pngs.values():
        by_name.setdefault(png.name, []).append(png)
    for entry in annotated:
        names = entry.names
        places = [place for name in names for place in png_places(name, json_file, listing.root)]
        path = next((pngs[p] for p in map(Path.resolve, places) if p in pngs), None)
        if path is None:
            path = _only_one_named(names, by_name)
        if path is not None:
            tables[path] = entry.codes
        elif not any(place.is_file() for place in places if root not in place.resolve().parents):
            # Otherwise the JSON describes a larger folder, and only a part of it was given.
            report(
                DataError(
                    f"{json_file.name} lists it, but there is no such PNG; add it, or remove "
                    "its annotation",
                    where=json_file.parent / names[0],
                )
            )
    for path in sorted(set(pngs.values()) - tables.keys()):
        report(
            DataError(
                f"{json_file.name} has no annotation for it; add one, or remove the PNG",
                where=path,
            )
        )
    return tables


def _only_one_named(names: Sequence[str], by_name: Mapping[str, list[Path]]) -> Path | None:
    """Return the PNG whose path ends with a name, in whatever folder, if there is only one."""
    for name in names:
        parts = Path(name).parts
        found = [path for path in by_name.get(parts[-1], ()) if path.parts[-len(parts) :] == parts]
        if len(found) == 1:
            return found[0]
    return None


def _sizes(
    folder: FrameFolder, tables: Mapping[Path, dict[int, int]], report: Report
) -> dict[Path, tuple[int, int]]:
    """Return the size of each usable PNG of a folder, from its header."""
    sizes = {}
    moments: dict[str | int, str] = {}
    for path in folder.with_suffix(".png"):
        if path not in tables:
            continue
        try:
            header = png_header(path)
            if not is_rgb(header):
                raise DataError(
                    f"has {header}; {NAME} maps need 3 channels, 8-bit RGB "
                    "(id = R + 256 G + 65536 B); write the file again",
                    where=path,
                )
            refuse_twin(path, folder.frame_name(path), moments)
            sizes[path] = header.size
        except DataError as problem:
            report(problem)
    return sizes


def _are_images(folder: FrameFolder, sizes: Mapping[Path, tuple[int, int]]) -> bool:
    """Whether PNGs are separate images, not frames of a video: by their sizes and names.

    Images have several sizes, and names that do not count on. A video in which one frame has
    another size by mistake has two sizes.
    """
    kinds = len(set(sizes.values()))
    if kinds < 2:
        return False
    keys = [moment(folder.frame_name(path)) for path in sizes]
    numbers = [key for key in keys if isinstance(key, int)]
    counts_on = len(numbers) == len(keys) and max(numbers) - min(numbers) < len(keys)
    return kinds > 2 or not counts_on


def _segments(numbers: list[int]) -> str:
    return f"segment{'' if len(numbers) == 1 else 's'} {listed(numbers)}"


class CocoPanopticWriter(ClosingWriter):
    """Writes ``<folder>/panoptic_maps/<split>/<sequence>/<frame>.png`` and ``panoptic.json``.

    Each track and each stuff class of a sequence has one segment id. The JSON holds track ids as
    ``track_id``, an extension that other programs ignore. Pixels of a thing class with id 0 are
    marked ``iscrowd``. Identities of stuff are not written.

    Args:
        folder: Output folder.
        labels: Label space. Its class numbers are the category ids.
        split: Name of the split, for example ``"val"``.
        objects_only: Whether the maps label objects only. Then segments of void stay apart from
            background, and ``dataset.json`` says so.
    """

    def __init__(
        self, folder: Path, labels: LabelSpace, *, split: str = "val", objects_only: bool = False
    ) -> None:
        self._folder = Path(folder)
        self._labels = labels
        self._split = split
        self._objects_only = objects_only
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
        write_bytes(path, encode_png(pixels))
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
        write_dataset_file(
            self._folder, self._labels, "coco-panoptic", objects_only=self._objects_only
        )

    def _canonical(self, panoptic_map: PanopticMap) -> NDArray[np.uint32]:
        """Return the codes without identities of stuff."""
        is_kept = self._labels.is_thing_table[panoptic_map.classes]
        if self._objects_only:
            panoptic_map = stored_void_ids(panoptic_map, self._labels)
            is_kept |= panoptic_map.classes == self._labels.ignore_label
        bare = panoptic_map.codes >> np.uint32(ID_BITS) << np.uint32(ID_BITS)
        return np.where(is_kept, panoptic_map.codes, bare)

    def _segment_id(self, sequence: str, code: int) -> int:
        if code == self._labels.ignore_label << ID_BITS:
            return 0
        fresh = len(self._segment_ids) + 1
        number = self._segment_ids.setdefault((sequence, code), fresh)
        if number >= ID_LIMIT:
            raise DataError(
                f"has more segments than ids (1 to {ID_LIMIT - 1}); write fewer sequences",
                where=self._folder,
            )
        return number

    def _segment(self, code: int, number: int, area: int) -> dict[str, Any]:
        class_id, track_id = code >> ID_BITS, code & (ID_LIMIT - 1)
        is_crowd = bool(self._labels.is_thing_table[class_id]) and track_id == 0
        segment = {"id": number, "category_id": class_id, "area": area, "iscrowd": int(is_crowd)}
        is_track = track_id > 0 and class_id != self._labels.ignore_label
        return {**segment, "track_id": track_id} if is_track else segment
