"""Segments that trackers link: the grammar of --segments, their sources, and their archives."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mapt_bench.baselines.mapt_trackers import mapt_segmenter
from mapt_bench.baselines.noise import SegmentNoise
from mapt_bench.baselines.segmenters import (
    GROUND_TRUTH,
    GroundTruthSegments,
    MappedSegmenter,
    SavedSegments,
)
from mapt_bench.baselines.tracker_options import MaptOptions
from mapt_bench.code_closure import not_followed
from mapt_bench.data import StoredSequence
from mapt_bench.data.fingerprint import maps_fingerprint
from mapt_bench.data.mapped import MappedSequence, labels_of_predictions
from mapt_bench.devices import DeviceSettings, memory_fault
from mapt_bench.errors import ConfigError, DataError, nearest
from mapt_bench.evaluation.tracking_run import match_saved_segments
from mapt_bench.experiments.experiment_config import FOUND_BY_MAPT
from mapt_bench.experiments.plans.network_weights import LOADED, MaptWeights, WeightsReader
from mapt_bench.labels import ClassMaps, LabelSpace, Video
from mapt_bench.stress import Stress
from mapt_bench.tracking import BatchSegmenter, FrameSegments, Segmenter
from mapt_bench.tracking.archive import SegmentArchive, write_archive
from mapt_bench.tracking.sharing import NOTHING_SHARED, Share
from mapt_bench.weights import shipped_mapt_weights, shipped_weights

__all__ = [
    "MILD_NOISE",
    "NOISY",
    "OWN_SEGMENTS",
    "SAVED",
    "SegmentSource",
    "archive_path",
    "find_segments",
    "has_key",
    "mapped_source",
    "noticed_by_segments",
    "parse_segments",
    "saved_segments",
]

OWN_SEGMENTS = "own"
"""Name of the segments in tables whose rows link their own detections."""

NOISY = "noisy"
"""Name of ground-truth segments with faults."""

SAVED = "saved"
"""Name of saved predictions."""

MILD_NOISE = SegmentNoise(missed=0.04, merged=0.03, eroded=0.15, spurious=0.3)
"""Faults of noisy segments. They are mild, so that most tracks still have their segments."""


@dataclass(frozen=True, slots=True)
class SegmentSource:
    """Source of segments: ground truth, ground truth with faults, saved predictions, or MAPT.

    Attributes:
        noise: Faults added to ground-truth segments. ``None`` for none.
        saved: Saved predictions, one sequence per video, instead of ground truth.
        folder: Folder of the predictions, for messages.
        fingerprint: Fingerprint of the predictions.
        mapt: Weights of the MAPT that detects the segments, instead of ground truth.
        on: Device, precision and batch of that MAPT.
        is_own: Whether each tracker has its own detections, so that there is nothing to link.
        maps: Class maps from the label spaces of predictions and networks to that of the videos.
    """

    noise: SegmentNoise | None = None
    saved: tuple[StoredSequence, ...] | None = None
    folder: str | None = None
    fingerprint: str | None = None
    mapt: MaptWeights | None = None
    on: DeviceSettings = field(default_factory=DeviceSettings, compare=False)
    is_own: bool = False
    maps: ClassMaps | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """Name in cells and tables."""
        if self.is_own:
            return OWN_SEGMENTS
        if self.mapt is not None:
            return self.mapt.name
        if self.saved is not None:
            return SAVED
        return GROUND_TRUTH if self.noise is None else NOISY

    @property
    def needs_images(self) -> bool:
        """Whether the segments are detected in images."""
        return self.mapt is not None

    @property
    def needs_gpu(self) -> bool:
        """Whether the segments are detected on a GPU."""
        return self.mapt is not None and self.on.is_gpu

    @property
    def maker(self) -> "Callable[[SegmentSource, Video, int, int, Share], Segmenter]":
        """The function that builds the segmenter. Its code decides the segments of this source."""
        if self.mapt is not None:
            return _found
        return _true if self.saved is None else _saved

    def segmenter(
        self,
        video: Video,
        index: int,
        seed: int,
        *,
        share: Share = NOTHING_SHARED,
    ) -> Segmenter:
        """Return the segmenter of a video.

        Args:
            video: The video, with or without stress.
            index: Position of the video in the data.
            seed: Seed of the order and the faults of segments.
            share: Cache of what MAPT sees in frames.

        Raises:
            DataError: If the video lacks images or ground truth that the segments need.
        """
        return self.maker(self, video, index, seed, share)

    def describe(self) -> dict[str, Any]:
        """Return everything that decides the segments, without paths, for JSON and for keys."""
        if self.is_own:
            return {"kind": "found by the tracker"}
        if self.mapt is not None:
            weights = {"kind": "found by MAPT", "weights": self.mapt.sha256}
            return {**weights, **self.on.identity()}
        if self.saved is not None:
            return {"kind": "saved predictions", "fingerprint": self.fingerprint}
        if self.noise is None:
            return {"kind": "ground truth", "noise": None}
        names = ("missed", "merged", "eroded", "wrong_class", "spurious")
        doses = {name: getattr(self.noise, name) for name in names}
        pixels = {name: getattr(self.noise, name) for name in ("erosion_px", "merge_gap_px")}
        return {"kind": "ground truth", "noise": {**doses, **pixels}}

    def in_words(self) -> str:
        """Return the description for tables."""
        if self.is_own:
            return "each tracker's own detections"
        if self.mapt is not None:
            return "detections of MAPT"  # without the weights, so that two weights can be compared
        if self.saved is not None:
            return f"saved predictions of {self.folder}"
        if self.noise is None:
            return "ground-truth segments without identities"
        return (
            "ground-truth segments without identities, with faults: "
            f"{100 * self.noise.missed:g} % missed, {100 * self.noise.merged:g} % merged, "
            f"{100 * self.noise.eroded:g} % eroded, {self.noise.spurious:g} spurious per frame"
        )


@not_followed
def _found(source: SegmentSource, video: Video, index: int, seed: int, share: Share) -> Segmenter:
    weights = None if source.mapt is None else source.mapt.path
    options = MaptOptions(weights=weights, device=source.on.device, precision=source.on.precision)
    segmenter = mapt_segmenter(options, share)
    if source.maps is None or segmenter.labels == video.info.labels:
        return segmenter
    return MappedSegmenter(segmenter, source.maps.of(segmenter.labels))


@not_followed
def _saved(source: SegmentSource, video: Video, index: int, seed: int, share: Share) -> Segmenter:
    return SavedSegments((source.saved or ())[index], seed=seed)


@not_followed
def _true(source: SegmentSource, video: Video, index: int, seed: int, share: Share) -> Segmenter:
    return GroundTruthSegments(video, seed=seed, noise=source.noise)


def parse_segments(
    text: str,
    *,
    mapt: Callable[[], MaptWeights],
    many: bool = False,
    reader: WeightsReader = LOADED,
) -> tuple[SegmentSource | Path, ...]:
    """Read the value of ``--segments``, which has the same grammar in all commands.

    Args:
        text: ``mapt`` (detections by the command's MAPT), ``groundtruth`` (ground-truth segments
            without identities), ``noisy`` (the same with mild faults), a name of shipped weights
            or a weights file (detections by that MAPT), or a folder of predictions. Several
            values are separated by commas.
        mapt: Returns the weights of the command. Called only for ``mapt``.
        many: Whether several values are allowed.
        reader: Reads the weights that are named.

    Returns:
        One source for each value. A path is a folder of predictions.

    Raises:
        ConfigError: If a value is unknown or occurs twice, or there are several values and
            ``many`` is false.
        DataError: If a file or folder is missing, or weights cannot be used.
    """
    words = text.split(",")
    if len(words) > 1 and not many:
        raise ConfigError(
            f"--segments {text}: this command takes one value; run it once for each value"
        )
    kinds = tuple(_kind(word, mapt, reader) for word in words)
    if len(set(kinds)) != len(kinds):
        raise ConfigError(f"--segments {text} has the same value twice; keep one")
    return kinds


_WEIGHTS = {".safetensors", ".pth", ".pt"}


def _kind(
    word: str, mapt: Callable[[], MaptWeights], reader: WeightsReader
) -> SegmentSource | Path:
    if word == GROUND_TRUTH:
        return SegmentSource()
    if word == NOISY:
        return SegmentSource(noise=MILD_NOISE)
    if word == FOUND_BY_MAPT:
        return SegmentSource(mapt=mapt())
    path = Path(word).expanduser()
    if word and path.is_dir():
        return path
    if word in shipped_weights() or path.is_file() or path.suffix in _WEIGHTS:
        return SegmentSource(mapt=reader.mapt(word, None))
    if len(path.parts) > 1:
        raise DataError(
            "no folder of predictions and no weights file is there; check the path given to "
            "--segments",
            where=path,
        )
    known = (FOUND_BY_MAPT, GROUND_TRUTH, NOISY, *shipped_mapt_weights())
    raise ConfigError(
        f"--segments {word}: unknown segments, and no folder or file has that name here; "
        f"{nearest(word, known)}"
    )


def saved_segments(
    folder: Path, videos: Sequence[Video], labels: LabelSpace, maps: ClassMaps | None = None
) -> SegmentSource:
    """Return the segments of saved predictions.

    Args:
        folder: Folder of the predictions.
        videos: Videos of the predictions.
        labels: Label space of the data, and of predictions that state none.
        maps: Class maps from the label space of the predictions to that of the videos.

    Raises:
        ConfigError: If the class maps lack the label space of the predictions.
        DataError: If a video has no predictions in the folder, or more than one set.
    """
    own = labels if maps is None else labels_of_predictions(None, folder, labels)
    saved = tuple(match_saved_segments(videos, folder, own))
    if maps is not None:
        class_map = maps.of(own)
        saved = tuple(MappedSequence(each, class_map, is_truth=False) for each in saved)
    return SegmentSource(
        saved=saved, folder=folder.name, fingerprint=maps_fingerprint(saved), maps=maps
    )


def mapped_source(source: SegmentSource, maps: ClassMaps | None) -> SegmentSource:
    """Return a source whose network may have another label space than the videos.

    Args:
        source: Source of segments.
        maps: Class maps. ``None`` changes nothing.

    Raises:
        ConfigError: If the class maps lack the label space of the network.
    """
    if maps is None:
        return source
    if source.mapt is not None:
        maps.check_name(source.mapt.label_space)
    return replace(source, maps=maps)


def noticed_by_segments(source: SegmentSource, stress: Stress | None) -> Stress | None:
    """Return the stress that affects the segments. ``None`` if only unused images change."""
    if stress is not None and stress.entry.needs_images and not source.needs_images:
        return None
    return stress


def archive_path(
    folder: Path, source: SegmentSource, sequence: int, video: str, stress: Stress | None
) -> Path:
    """Return the path of the segment archive of a video under a stress."""
    place = folder / "segments" / source.name
    noticed = noticed_by_segments(source, stress)
    if noticed is not None:
        place /= f"{noticed.name}-{noticed.level}"
    return place / f"{sequence:04d}-{video}.npz"


def find_segments(
    path: Path,
    source: SegmentSource,
    video: Video,
    sequence: int,
    seed: int,
    *,
    key: str,
    share: Share = NOTHING_SHARED,
) -> None:
    """Compute the segments of every frame of a video and write their archive.

    An existing archive is kept if it can be read and has the same key.

    Args:
        path: Path of the archive.
        source: Source of the segments.
        video: The video, with or without stress.
        sequence: Position of the video in the data.
        seed: Seed of the order and the faults of segments.
        key: Content key of the segments: their code, source, data, stress and seed.
        share: Cache of what MAPT sees in frames.

    Raises:
        ConfigError: If the device is not there, or lacks the precision.
        DataError: If the video has no segments, they cannot be written, or memory runs out.
    """
    if has_key(path, key):
        return
    if not source.on.is_plain:  # or cues of other segments would depend on the device
        share = NOTHING_SHARED
    made_on = None if source.mapt is None else source.on.describe()
    with _memory_named(source.on):
        segmenter = source.segmenter(video, sequence, seed, share=share)
        segmenter.start(video.info)
        found = _found_in(video, segmenter, source.on.batch)
        mapped = (lambda: segmenter.side) if isinstance(segmenter, MappedSegmenter) else None
        write_archive(path, video.info, found, key=key, made_on=made_on, mapped=mapped)


def _found_in(video: Video, segmenter: Segmenter, batch: int) -> Iterator[FrameSegments]:
    for first in range(0, video.info.frame_count, batch):
        last = min(first + batch, video.info.frame_count)
        frames = [video.frame(index) for index in range(first, last)]
        if len(frames) > 1 and isinstance(segmenter, BatchSegmenter):
            yield from segmenter.segment_all(frames)
        else:
            yield from map(segmenter.segment, frames)


@contextmanager
def _memory_named(on: DeviceSettings) -> Iterator[None]:
    """Say which option to lower where the memory of a device runs out."""
    try:
        yield
    except Exception as problem:  # torch is not imported for its kind of error
        fault = memory_fault(problem, on)
        if fault is None:
            raise
        raise fault from problem


def has_key(path: Path, key: str) -> bool:
    """Return whether an archive can be read and has a content key."""
    if not path.exists():
        return False
    try:
        return SegmentArchive(path).key == key
    except DataError:
        return False
