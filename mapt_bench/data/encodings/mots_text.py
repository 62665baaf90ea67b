"""MOTS text (KITTI MOTS, MOTS20): one object per line, ``frame id class height width rle``."""

import configparser
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from mapt_bench.data.dataset_file import Extents, write_dataset_file
from mapt_bench.data.encodings._instance_values import (
    MOTS_ID_LIMIT,
    MOTS_IGNORE,
    class_of_mots,
    mots_of_class,
)
from mapt_bench.data.encodings._mots_lines import MotsLine, bad_line, is_mots_text, read_lines
from mapt_bench.data.encodings.encoding_registry import Encoding, Lacks, register_encoding
from mapt_bench.data.folder_layout import (
    GROUND_TRUTH_FOLDER,
    GROUND_TRUTH_TEXT,
    FrameFolder,
    Listing,
)
from mapt_bench.data.rle import OverlapError, encode_rle, paint_runs, parse_rle, runs_of_mask
from mapt_bench.data.sequences import ClosingWriter, OpenEnded, Report, StoredSequence, moment
from mapt_bench.errors import DataError, counted, whole_number
from mapt_bench.files import read_text, write_text
from mapt_bench.frame_limit import check_frame, check_frame_count
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, PanopticMap, background_code

__all__ = ["MotsTextEncoding", "MotsTextSequence", "MotsTextWriter"]


@dataclass(frozen=True, slots=True)
class MotsObject:
    """One object in one frame.

    Attributes:
        line: Number of its line in the file, from 1.
        code: ``class << 24 | id``.
        rle: Compressed run lengths.
    """

    line: int
    code: int
    rle: str


@dataclass(frozen=True, slots=True)
class MotsTextSequence(OpenEnded):
    """One file of MOTS text; implements ``StoredSequence``.

    Without a partner, it has the frames from 0 to the last one with an object. Pixels without an
    object are background, ignore regions are void.

    Attributes:
        parts: Path of the file below the folder, without suffix.
        file: File.
        frame_names: Frame numbers, with six digits unless the partner has other names.
        known_size: Height and width, or ``None`` for an empty file.
        objects: Objects of each frame with objects, by frame number.
        void_class: Class number of ignore regions and background.
        is_complete: Whether the number of frames is known from another source than the objects.
    """

    parts: tuple[str, ...]
    file: Path
    frame_names: tuple[str, ...]
    known_size: tuple[int, int] | None
    objects: dict[int, tuple[MotsObject, ...]]
    void_class: int
    is_complete: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether the file has no object."""
        return not self.objects

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels.

        Raises:
            DataError: If the file is empty, so that the size is unknown.
        """
        if self.known_size is None:
            raise DataError(
                "is empty, so the size of its frames is unknown; expected at least one object; "
                "match it with a sequence of known size, or give --size HxW",
                where=self.file,
            )
        return self.known_size

    def path(self, index: int) -> Path:
        """Return the file, which holds all frames."""
        del index
        return self.file

    def read(self, index: int) -> PanopticMap:
        """Decode the map at a position.

        Raises:
            DataError: If run lengths are malformed or objects overlap. The message names the line.
        """
        height, width = self.size
        found = self.objects.get(int(self.frame_names[index]), ())
        painted = []
        for entry in found:
            try:
                painted.append((entry.code, parse_rle(entry.rle, height * width)))
            except ValueError as problem:
                raise bad_line(
                    self.file,
                    entry.line,
                    f"the run lengths are malformed: {problem}; expected COCO's compressed form "
                    f"for {width}x{height} pixels",
                ) from problem
        background, void = background_code(self.void_class), self.void_class << ID_BITS
        solid = [index for index, (code, _) in enumerate(painted) if code != void]
        empty = tuple(painted[index][0] for index in solid if not painted[index][1][0].size)
        try:
            codes = paint_runs([painted[index] for index in solid], self.size, background)
        except OverlapError as problem:
            lines = [found[solid[index]].line for index in (problem.first, problem.second)]
            raise bad_line(
                self.file,
                lines[1],
                f"its mask overlaps that of line {lines[0]}; expected each pixel of a frame to "
                "belong to one object; remove the overlap from one of them",
            ) from problem
        for code, runs in painted:
            if code == void:  # objects keep their pixels inside an ignore region
                region = paint_runs([(code, runs)], self.size, background)
                codes = np.where(codes == background, region, codes)
        return PanopticMap(codes, empty)

    def with_extent(self, frames: int | None, size: tuple[int, int] | None) -> Self:
        """Return the same objects with a number of frames and a size, where known.

        Frames are numbered from 0. If the last object is in frame ``frames`` and none in frame 0,
        the file counts from 1.

        Raises:
            DataError: If there is an object beyond the last frame, or of another size.
        """
        found = self
        if size is not None and self.known_size not in (None, size):
            raise DataError(
                f"its frames are {self.size[1]}x{self.size[0]} pixels, but the stated size is "
                f"{size[1]}x{size[0]}; correct --size or dataset.json",
                where=self.file,
            )
        if size is not None:
            found = replace(found, known_size=size)
        if frames is None:
            return found
        last = max(self.objects, default=-1)
        first = int(last == frames and 0 not in self.objects)
        if last >= frames + first:
            raise DataError(
                f"has an object in frame {last}, but the sequence has {frames} frames (0 to "
                f"{frames - 1}); correct the number of frames (--frames or dataset.json), or the "
                "file",
                where=self.file,
            )
        names = tuple(f"{number:06d}" for number in range(first, frames + first))
        return replace(found, frame_names=names, is_complete=True)

    def with_frames(
        self,
        frame_names: tuple[str, ...],
        size: tuple[int, int] | None,
        *,
        is_complete: bool = False,
    ) -> Self:
        """Return the same objects with the frames of a partner.

        Frames with objects are kept if the partner lacks them, so that the difference is reported.

        Args:
            frame_names: Frame numbers with any number of digits.
            size: Height and width of the partner, used if the file is empty.
            is_complete: Whether the partner says how many frames there are.

        Raises:
            DataError: If a name is not a number.
        """
        names = {moment(name): name for name in frame_names}
        for key, name in names.items():
            if not isinstance(key, int):
                raise DataError(
                    f"the frames of MOTS text are numbers, but those of its partner are named "
                    f"like {name!r}; name them by number",
                    where=self.file,
                )
        numbers = {int(key) for key in names} | set(self.objects)
        ordered = tuple(names.get(number, f"{number:06d}") for number in sorted(numbers))
        return replace(
            self,
            frame_names=ordered,
            known_size=self.known_size or size,
            is_complete=self.is_complete or is_complete,
        )


@register_encoding
class MotsTextEncoding(Encoding):
    """MOTS text files, one per sequence."""

    name = "mots-txt"
    suffixes = frozenset({".txt"})
    form = "lines of 'frame id class height width rle'"

    def accepts(self, path: Path) -> bool:
        """Whether the first line of a file has the six fields. An empty file is accepted."""
        return is_mots_text(path)

    def lacks(self, listing: Listing, labels: LabelSpace) -> Lacks:
        """Return that stuff is lacking."""
        del listing, labels
        return Lacks(stuff=True)

    def open(
        self, listing: Listing, labels: LabelSpace, report: Report
    ) -> tuple[StoredSequence, ...]:
        """Return one sequence for every text file. Run lengths are decoded frame by frame later."""
        return tuple(
            _with_length(path, _open_file(path, _parts(path, folder, listing), labels, report))
            for folder in listing.folders
            for path in folder.with_suffix(".txt")
        )


def _parts(path: Path, folder: FrameFolder, listing: Listing) -> tuple[str, ...]:
    """Return the name of a sequence: that of the file, or of the folder of ``gt/gt.txt``."""
    if _is_challenge(path):
        inside = folder.parts[:-1] if folder.path != listing.root else ()
        return inside or (path.parent.parent.resolve().name,)
    return (*(folder.parts if folder.path != listing.root else ()), path.stem)


def _is_challenge(path: Path) -> bool:
    """Whether a file is ``<sequence>/gt/gt.txt``, as in MOTChallenge and TrackEval."""
    return path.name == GROUND_TRUTH_TEXT and path.parent.name == GROUND_TRUTH_FOLDER


def _with_length(path: Path, sequence: MotsTextSequence) -> MotsTextSequence:
    """Give ground truth of MOTS Challenge the length and size of its ``seqinfo.ini``."""
    file = path.parent.parent / "seqinfo.ini"
    if not _is_challenge(path) or not file.is_file():
        return sequence
    reader = configparser.ConfigParser()
    try:
        reader.read_string(read_text(file))
        count, height, width = (
            reader.getint("Sequence", key) for key in ("seqLength", "imHeight", "imWidth")
        )
    except (OSError, ValueError, configparser.Error) as problem:
        raise DataError(
            f"cannot be read ({problem}); expected seqLength, imHeight and imWidth below "
            "[Sequence]; copy the file again",
            where=file,
        ) from problem
    check_frame_count(count, file)
    check_frame(height, width, file)
    outside = [frame for frame in sequence.objects if not 1 <= frame <= count]
    if outside or sequence.known_size not in (None, (height, width)):
        raise DataError(
            f"states {counted(count, 'frame')} (1 to {count}) of {width}x{height} pixels, but "
            f"{path.name} has an object in frame {min(outside, default=1)} of "
            f"{sequence.size[1]}x{sequence.size[0]} pixels; correct one of the two",
            where=file,
        )
    names = tuple(f"{number:06d}" for number in range(1, count + 1))
    return replace(sequence, frame_names=names, known_size=(height, width), is_complete=True)


def _open_file(
    path: Path, parts: tuple[str, ...], labels: LabelSpace, report: Report
) -> MotsTextSequence:
    lines = read_lines(path, labels, report)
    classes = class_of_mots(labels)
    joined = all(_is_joined(line) for line in lines)
    # Identity 0 is crowd, which MOTS marks by its class. So an object numbered 0 becomes 1.
    from_zero = any(line.object_id == 0 and line.mots_class != MOTS_IGNORE for line in lines)
    objects: dict[int, list[MotsObject]] = {}
    for line in lines:
        track = 0
        if line.mots_class != MOTS_IGNORE:
            track = line.object_id % MOTS_ID_LIMIT + 1 if joined else line.object_id + from_zero
        code = classes[line.mots_class] << ID_BITS | track
        objects.setdefault(line.frame, []).append(MotsObject(line.number, code, line.rle))
    names = tuple(f"{number:06d}" for number in range(max(objects, default=-1) + 1))
    size = (lines[0].height, lines[0].width) if lines else None
    by_frame = {frame: tuple(entries) for frame, entries in objects.items()}
    return MotsTextSequence(parts, path, names, size, by_frame, labels.ignore_label)


def _is_joined(line: MotsLine) -> bool:
    """Whether an id is ``class * 1000 + number``. Some trackers write plain numbers."""
    return line.object_id // MOTS_ID_LIMIT == line.mots_class or line.mots_class == MOTS_IGNORE


class MotsTextWriter(ClosingWriter):
    """Writes ``<folder>/<sequence>.txt`` as MOTS text. The files are written by :meth:`close`.

    MOTS has cars and pedestrians. Other classes and void are not written, so they are read as
    background. Track id n has the object id ``class * 1000 + n - 1``. Id 0 (crowd)
    becomes an ignore region.

    Args:
        folder: Output folder.
        labels: Label space. Its ``car`` and ``person`` are written.
        objects_only: Whether the maps label objects only. Then void is written as ignore regions.
    """

    def __init__(self, folder: Path, labels: LabelSpace, *, objects_only: bool = False) -> None:
        self._folder = Path(folder)
        self._void = labels.ignore_label << ID_BITS if objects_only else None
        self._labels = labels
        self._classes = mots_of_class(labels)
        self._lines: dict[str, list[str]] = {}
        self._frames: dict[str, int] = {}
        self._sizes: dict[str, tuple[int, int]] = {}

    def write(self, sequence: str, frame_name: str, panoptic_map: PanopticMap) -> None:
        """Take one frame; see :meth:`MapWriter.write`."""
        lines = self._lines.setdefault(sequence, [])
        path = self._folder / f"{sequence}.txt"
        if whole_number(frame_name) is None:
            raise DataError(
                f"frame {frame_name!r} is not a number; MOTS text numbers frames; rename them",
                where=path,
            )
        height, width = panoptic_map.shape
        self._sizes[sequence] = (height, width)
        self._frames[sequence] = max(self._frames.get(sequence, 0), int(frame_name) + 1)
        for code in np.unique(panoptic_map.codes).tolist():
            mots_class = self._classes.get(code >> ID_BITS)
            if code == self._void:
                mots_class = MOTS_IGNORE
            if mots_class is None:
                continue
            mots_class, object_id = self._mots_id(mots_class, code & (ID_LIMIT - 1), path)
            rle = encode_rle(runs_of_mask(panoptic_map.codes == code), height * width)
            lines.append(f"{int(frame_name)} {object_id} {mots_class} {height} {width} {rle}\n")

    def close(self) -> None:
        """Write the files and ``dataset.json``."""
        for sequence, lines in self._lines.items():
            write_text(self._folder / f"{sequence}.txt", "".join(lines))
        extents = Extents(self._frames, self._sizes)
        write_dataset_file(self._folder, self._labels, "mots-txt", extents)

    @staticmethod
    def _mots_id(mots_class: int, track_id: int, path: Path) -> tuple[int, int]:
        if track_id == 0:
            return MOTS_IGNORE, MOTS_IGNORE * MOTS_ID_LIMIT
        if track_id > MOTS_ID_LIMIT:
            raise DataError(
                f"id {track_id} is too large for MOTS text, whose objects are numbered 0 to "
                f"{MOTS_ID_LIMIT - 1} for ids 1 to {MOTS_ID_LIMIT}; renumber the tracks, or "
                "write kitti-step",
                where=path,
            )
        return mots_class, mots_class * MOTS_ID_LIMIT + track_id - 1
