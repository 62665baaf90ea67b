"""Archives for benchmark servers: check that predictions are complete, and pack them.

Test sets: KITTI-STEP has the test sequences of KITTI tracking. MOTChallenge-STEP has two sequences,
see https://motchallenge.net/data/STEP-ICCV21. The coding is that of the published ground truth.
"""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mapt_bench.data.encodings.kitti_step import check_kitti_step_ids, encode_kitti_step
from mapt_bench.data.folder_validation import Problem
from mapt_bench.data.map_folders import MapFolder, open_maps
from mapt_bench.data.sequences import StoredSequence, moment
from mapt_bench.data.videos import open_videos
from mapt_bench.errors import ConfigError, DataError, counted, listed, nearest
from mapt_bench.files import file_sha256, replace_when_complete
from mapt_bench.labels import check_map_classes, label_space

__all__ = ["BENCHMARKS", "Benchmark", "Submission", "benchmark", "pack_submission"]

SCHEMA = "mapt-bench/submission/1"


@dataclass(frozen=True)
class Extent:
    """Frames of a sequence.

    Attributes:
        frames: Names of the frames.
        size: Height and width in pixels. ``None`` if it is not known.
    """

    frames: tuple[str, ...]
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Benchmark:
    """A benchmark server.

    Attributes:
        name: Name, which is that of its label space.
        sequences: Test sequences, by name.
        prefixes: Beginnings of other names of the sequences, before the two digits of a number.
        page: Page with the instructions.
    """

    name: str
    sequences: Mapping[str, Extent]
    prefixes: tuple[str, ...]
    page: str

    def sequence_name(self, name: str) -> str:
        """Return the name of a sequence in the archive.

        Example:
            >>> BENCHMARKS["motchallenge-step"].sequence_name("STEP-ICCV21-07")
            '0007'
        """
        for prefix in self.prefixes:
            number = name.removeprefix(prefix)
            if number != name and number.isdecimal():
                return number.zfill(4)
        return name


def _numbered(first: int, count: int, size: tuple[int, int] | None = None) -> Extent:
    return Extent(tuple(f"{number:06d}" for number in range(first, first + count)), size)


_KITTI_TEST = (
    *(465, 147, 243, 257, 421, 809, 114, 215, 165, 349, 1176, 774, 694, 152, 850),
    *(701, 510, 305, 180, 404, 173, 203, 436, 430, 316, 176, 170, 85, 175),
)
_FULL_HD = (1080, 1920)

BENCHMARKS = {
    each.name: each
    for each in (
        Benchmark(
            "kitti-step",
            {f"{at:04d}": _numbered(0, count) for at, count in enumerate(_KITTI_TEST)},
            (),
            "https://www.cvlibs.net/datasets/kitti/eval_step.php",
        ),
        Benchmark(
            "motchallenge-step",
            {"0001": _numbered(1, 450, _FULL_HD), "0007": _numbered(1, 500, _FULL_HD)},
            ("STEP-ICCV21-", "MOTS20-"),
            "https://motchallenge.net/instructions",
        ),
    )
}
"""Benchmarks by name."""


def benchmark(name: str) -> Benchmark:
    """Return a benchmark.

    Raises:
        ConfigError: If no benchmark has the name.
    """
    if name not in BENCHMARKS:
        raise ConfigError(f"unknown benchmark {name!r}; {nearest(name, BENCHMARKS)}")
    return BENCHMARKS[name]


@dataclass(frozen=True)
class Submission:
    """Result of packing predictions.

    Attributes:
        benchmark: Name of the benchmark.
        predictions: Folder of the predictions.
        archive: The archive.
        encoding: Encoding of the predictions.
        frames: Number of frames by name of the sequence.
        problems: Why the server would refuse the predictions. If there is one, nothing is written.
        notes: What is accepted but may be a mistake, one line each.
        bytes: Size of the archive in bytes. ``None`` if it is not written.
        sha256: Hash of the archive. ``None`` if it is not written.
    """

    benchmark: str
    predictions: Path
    archive: Path
    encoding: str
    frames: Mapping[str, int]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    bytes: int | None = None
    sha256: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, schema ``mapt-bench/submission/1``."""
        return {
            "schema": SCHEMA,
            "benchmark": self.benchmark,
            "predictions": str(self.predictions),
            "archive": str(self.archive),
            "written": self.sha256 is not None,
            "encoding": self.encoding,
            "frames": dict(self.frames),
            "problems": [problem.to_dict() for problem in self.problems],
            "notes": list(self.notes),
            "bytes": self.bytes,
            "sha256": self.sha256,
        }


@dataclass
class _Findings:
    """Problems and counts of the predictions so far."""

    problems: list[Problem] = field(default_factory=list)
    pixels: int = 0
    void_pixels: int = 0
    thing_pixels: int = 0
    unnumbered_pixels: int = 0

    def add(self, kind: str, path: object, message: str) -> None:
        self.problems.append(Problem(kind, str(path), message))

    def notes(self) -> Iterator[str]:
        if self.void_pixels:
            share = 100 * self.void_pixels / self.pixels
            yield f"{share:.2f} % of the pixels are void, which the server counts as wrong"
        if self.unnumbered_pixels:
            share = 100 * self.unnumbered_pixels / self.thing_pixels
            yield (
                f"{share:.2f} % of the pixels of things have identity 0: all of them are one "
                "object of each class"
            )


def pack_submission(
    name: str,
    predictions: Path,
    archive: Path,
    *,
    encoding: str | None = None,
    images: Path | None = None,
    advance: Callable[[int], None] = lambda frames: None,
    started: Callable[[int], None] = lambda frames: None,
) -> Submission:
    """Check predictions for a benchmark server, and pack them if there is no problem.

    The archive holds ``<sequence>/<frame>.png``, in the coding of KITTI-STEP. It has no times, so
    equal predictions give equal bytes.

    Args:
        name: Name of the benchmark, for example ``"kitti-step"``.
        predictions: Folder of the predictions, in any encoding.
        archive: File to write.
        encoding: Encoding of the predictions. ``None`` detects it.
        images: Folder of the test images, which then state sequences, frames and sizes.
        advance: Called with 1 twice for each frame: when it is checked, and when it is packed.
        started: Called with twice the number of frames before the first one.

    Raises:
        ConfigError: If there is no such benchmark or encoding.
        DataError: If no map can be read, or the archive cannot be written.
    """
    chosen, labels = benchmark(name), label_space(name)
    found = _Findings()
    maps = open_maps(
        predictions,
        labels,
        encoding=encoding,
        report=lambda problem: found.add("file", problem.where, problem.message),
    )
    expected = chosen.sequences if images is None else _of_images(chosen, images)
    sequences = _sequences(chosen, maps, expected, found)
    started(2 * sum(len(one.frame_names) for one in sequences.values()))
    for sequence in sequences.values():
        for index in range(len(sequence.frame_names)):
            _check_frame(sequence, index, maps, found)
            advance(1)
    result = Submission(
        name,
        predictions,
        archive,
        maps.encoding,
        {one: len(sequence.frame_names) for one, sequence in sorted(sequences.items())},
        tuple(found.problems),
        (*maps.notes, *_notes_on_images(chosen, expected), *found.notes()),
    )
    if result.problems:
        return result
    with replace_when_complete(archive) as beside:
        _pack(beside, archive, sequences, expected, advance)
        return replace(result, bytes=beside.stat().st_size, sha256=file_sha256(beside))


def _of_images(chosen: Benchmark, images: Path) -> dict[str, Extent]:
    """Return the frames and sizes of the sequences of a folder of images."""
    found: dict[str, Extent] = {}
    for video in open_videos(images, label_space(chosen.name)):
        info = video.info
        name = chosen.sequence_name(info.name)
        if name in found:
            raise DataError(
                f"holds two sequences named {name!r}; expected the images of the test set alone; "
                "give the folder of that split",
                where=images,
            )
        found[name] = Extent(info.frame_names, (info.height, info.width))
    return found


def _notes_on_images(chosen: Benchmark, expected: Mapping[str, Extent]) -> Iterator[str]:
    frames = {name: len(one.frames) for name, one in expected.items()}
    if frames != {name: len(one.frames) for name, one in chosen.sequences.items()}:
        yield (
            f"the images are not the test set of {chosen.name}, which has "
            f"{counted(len(chosen.sequences), 'sequence')} of "
            f"{sum(len(one.frames) for one in chosen.sequences.values())} frames; the server "
            "accepts nothing else"
        )


def _sequences(
    chosen: Benchmark, maps: MapFolder, expected: Mapping[str, Extent], found: _Findings
) -> dict[str, StoredSequence]:
    """Return the predicted sequences by their name in the archive, and note what does not fit."""
    if maps.lacks.stuff:
        found.add(
            "coding",
            maps.folder,
            f"labels objects only ({maps.encoding}); expected a class for every pixel",
        )
    sequences: dict[str, StoredSequence] = {}
    for sequence in maps.sequences:
        where = "/".join((str(maps.folder), *sequence.parts))
        name = chosen.sequence_name(sequence.parts[-1])
        if name in sequences:
            found.add("sequence", where, f"is a second sequence {name}; keep one of the two")
        elif name not in expected:
            found.add(
                "sequence",
                where,
                f"is not in the test set; expected {listed(expected)}; remove it, or rename it",
            )
        else:
            sequences[name] = sequence
            _check_extent(sequence, expected[name], where, found)
    missing = sorted(expected.keys() - sequences.keys())
    if missing:
        found.add(
            "sequence",
            maps.folder,
            f"lacks {counted(len(missing), 'sequence')} of the test set: {listed(missing)}; "
            "predict them too",
        )
    return sequences


def _check_extent(sequence: StoredSequence, expected: Extent, where: str, found: _Findings) -> None:
    names = {moment(name): name for name in sequence.frame_names}
    wanted = {moment(name): name for name in expected.frames}
    lacking = [name for key, name in wanted.items() if key not in names]
    if lacking:
        found.add(
            "frame",
            where,
            f"lacks {counted(len(lacking), 'frame')}: {listed(lacking)}; expected "
            f"{expected.frames[0]} to {expected.frames[-1]}; predict every frame",
        )
    excess = [name for key, name in names.items() if key not in wanted]
    if excess:
        found.add(
            "frame",
            where,
            f"has {counted(len(excess), 'frame')} that the test set lacks: {listed(excess)}; "
            f"expected {expected.frames[0]} to {expected.frames[-1]}; remove or rename them",
        )
    if expected.size is not None and expected.size != sequence.size:
        height, width = expected.size
        found.add(
            "size",
            where,
            f"is {sequence.size[1]}x{sequence.size[0]} pixels; expected {width}x{height}, as the "
            "images; predict at the size of the images",
        )


def _check_frame(sequence: StoredSequence, index: int, maps: MapFolder, found: _Findings) -> None:
    try:
        panoptic = sequence.read(index)
        check_map_classes(panoptic, maps.labels, sequence.path(index), is_fixed=True)
        check_kitti_step_ids(panoptic, sequence.path(index))
    except DataError as problem:
        found.add("map", problem.where or sequence.path(index), problem.message)
        return
    is_thing = maps.labels.is_thing_table[panoptic.classes]
    found.pixels += panoptic.codes.size
    found.void_pixels += int((panoptic.classes == maps.labels.ignore_label).sum())
    found.thing_pixels += int(is_thing.sum())
    found.unnumbered_pixels += int((is_thing & (panoptic.ids == 0)).sum())


def _pack(
    beside: Path,
    archive: Path,
    sequences: Mapping[str, StoredSequence],
    expected: Mapping[str, Extent],
    advance: Callable[[int], None],
) -> None:
    try:
        with zipfile.ZipFile(beside, "w") as packed:
            for name, sequence in sorted(sequences.items()):
                wanted = {moment(one): one for one in expected[name].frames}
                for index, frame in enumerate(sequence.frame_names):
                    member = f"{name}/{wanted[moment(frame)]}.png"
                    packed.writestr(_entry(member), encode_kitti_step(sequence.read(index), member))
                    advance(1)
    except OSError as problem:
        raise DataError(
            f"cannot be written ({problem.strerror or problem}); choose another path",
            where=archive,
        ) from problem


def _entry(member: str) -> zipfile.ZipInfo:
    """Return an entry without time and system, so that equal predictions give equal bytes."""
    entry = zipfile.ZipInfo(member)  # stored, because a PNG is compressed already
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    return entry
