"""COCO panoptic: PNGs of segment ids, and one JSON that says what each segment is.

A pixel's id is ``R + 256 * G + 65536 * B``; id 0, unlabelled, is void. Categories are the class
numbers of the label space. In a video an object keeps its segment id from frame to frame, or has
a ``track_id`` beside it, as our writer does.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.coco_json import read_segment_codes, require_coco_json
from mapt_bench.data.folder_layout import MAPS_FOLDER, Listing, natural_key
from mapt_bench.data.kitti_step import KittiStepCodec
from mapt_bench.data.png import decode_png, load_png, png_header
from mapt_bench.data.sequences import Report, StoredSequence, check_size, refuse_twin, usual_size
from mapt_bench.errors import DataError, listed
from mapt_bench.labels import ID_BITS, LabelSpace, PanopticMap

__all__ = ["CocoSequence", "open_coco_panoptic"]

NAME = "coco-panoptic"


@dataclass(frozen=True, slots=True)
class CocoSequence:
    """Frames of one folder, with what the JSON says of their segments.

    Attributes:
        parts: Path below the folder.
        frame_names: File stems.
        size: Height and width in pixels.
        paths: One PNG a frame.
        segment_codes: Code of each segment id, a dictionary a frame.
        json_file: The JSON.
        void_code: Code of pixels of id 0.
    """

    parts: tuple[str, ...]
    frame_names: tuple[str, ...]
    size: tuple[int, int]
    paths: tuple[Path, ...]
    segment_codes: tuple[Mapping[int, int], ...]
    json_file: Path
    void_code: int

    def path(self, index: int) -> Path:
        """Return the PNG of a frame."""
        return self.paths[index]

    def read(self, index: int) -> PanopticMap:
        """Decode the map at a position.

        Raises:
            DataError: If the PNG is unusable, or its segments are not those of the JSON.
        """
        path = self.paths[index]
        file = load_png(path)
        check_size(path, file.header.size, self.size)
        pixels = decode_png(file).astype(np.uint32)
        segments = pixels[..., 0] | pixels[..., 1] << 8 | pixels[..., 2] << 16
        present, inverse = np.unique(segments, return_inverse=True)
        table = {0: self.void_code, **self.segment_codes[index]}
        self._check_segments(present, table, path)
        codes = np.array([table[int(number)] for number in present], dtype=np.uint32)
        return PanopticMap(codes[inverse].reshape(self.size))

    def _check_segments(
        self, present: NDArray[np.uint32], table: Mapping[int, int], path: Path
    ) -> None:
        drawn = {int(number) for number in present}
        unlisted = sorted(drawn - set(table))
        if unlisted:
            raise DataError(
                f"has {_segments(unlisted)} that {self.json_file.name} does not list for it; "
                "expected the same segments in both; write the two together",
                where=path,
            )
        undrawn = sorted(set(table) - drawn - {0})
        if undrawn:
            raise DataError(
                f"lacks {_segments(undrawn)} that {self.json_file.name} lists for it; "
                "expected the same segments in both; write the two together",
                where=path,
            )


def open_coco_panoptic(
    listing: Listing, labels: LabelSpace, report: Report
) -> tuple[StoredSequence, ...]:
    """Make a sequence of every folder of PNGs that the JSON speaks of.

    Args:
        listing: What lies in the folder.
        labels: Label space; ``category_id`` are its class numbers.
        report: Told of each PNG or annotation that lacks the other, or is unusable.

    Raises:
        DataError: If there is no JSON of panoptic annotations, or it is broken.
    """
    json_file = require_coco_json(listing)
    annotated = read_segment_codes(json_file, labels, report)
    tables = _join(annotated, json_file, listing, report)
    void_code = labels.ignore_label << ID_BITS
    opened = (
        _sequence(parts, table, json_file, void_code, report) for parts, table in tables.items()
    )
    return tuple(sequence for sequence in opened if sequence is not None)


def _join(
    annotated: Mapping[str, dict[int, int]], json_file: Path, listing: Listing, report: Report
) -> dict[tuple[str, ...], dict[Path, dict[int, int]]]:
    """Return for each sequence the segment codes of each of its PNGs."""
    pngs = {path.resolve(): path for path in listing.files(".png")}
    tables: dict[tuple[str, ...], dict[Path, dict[int, int]]] = defaultdict(dict)
    for name, table in annotated.items():
        path = _find_png(name, json_file, pngs)
        if path is None:
            report(
                DataError(
                    f"{json_file.name} speaks of it, but there is no such PNG; add it, or take "
                    "its annotation out",
                    where=json_file.parent / name,
                )
            )
            continue
        inside = path.parent.relative_to(listing.root).parts
        tables[inside or (listing.root.resolve().name,)][path] = table
    known = {path for table_of in tables.values() for path in table_of}
    for path in sorted(set(pngs.values()) - known):
        report(
            DataError(
                f"{json_file.name} has no annotation for it; add one, or remove the PNG",
                where=path,
            )
        )
    return tables


def _find_png(name: str, json_file: Path, pngs: Mapping[Path, Path]) -> Path | None:
    """Find a PNG beside the JSON, in the folder named like it (COCO), or in panoptic_maps."""
    beside = json_file.parent
    for place in (beside, beside / json_file.stem, beside / MAPS_FOLDER):
        path = pngs.get((place / name).resolve())
        if path is not None:
            return path
    return None


def _sequence(
    parts: tuple[str, ...],
    tables: Mapping[Path, dict[int, int]],
    json_file: Path,
    void_code: int,
    report: Report,
) -> CocoSequence | None:
    sizes = {}
    moments: dict[str | int, Path] = {}
    for path in sorted(tables, key=lambda file: natural_key(file.name)):
        try:
            header = png_header(path)
            if not KittiStepCodec.accepts(header):
                raise DataError(
                    f"has {header}; {NAME} maps need 3 channels, 8-bit RGB "
                    "(id = R + 256 G + 65536 B); write it so",
                    where=path,
                )
            refuse_twin(path, moments)
            sizes[path] = header.size
        except DataError as problem:
            report(problem)
    size, paths = usual_size(sizes, report)
    if not paths:
        return None
    return CocoSequence(
        parts,
        tuple(path.stem for path in paths),
        size,
        tuple(paths),
        tuple(tables[path] for path in paths),
        json_file,
        void_code,
    )


def _segments(numbers: list[int]) -> str:
    return f"segment{'' if len(numbers) == 1 else 's'} {listed(numbers)}"
