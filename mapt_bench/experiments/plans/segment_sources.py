"""Segments that trackers link: the grammar of --segments, their sources, and their archives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mapt_bench.baselines.mapt_trackers import mapt_segmenter
from mapt_bench.baselines.noise import SegmentNoise
from mapt_bench.baselines.segmenters import GROUND_TRUTH, GroundTruthSegments, SavedSegments
from mapt_bench.baselines.tracker_options import MaptOptions
from mapt_bench.code_closure import not_followed
from mapt_bench.data import StoredSequence
from mapt_bench.data.fingerprint import maps_fingerprint
from mapt_bench.errors import ConfigError, DataError, nearest
from mapt_bench.evaluation.tracking_run import match_saved_segments
from mapt_bench.experiments.experiment_config import FOUND_BY_MAPT
from mapt_bench.experiments.plans.network_weights import LOADED, MaptWeights, WeightsReader
from mapt_bench.labels import LabelSpace, Video
from mapt_bench.stress import Stress
from mapt_bench.tracking import Segmenter
from mapt_bench.tracking.archive import SegmentArchive, write_archive
from mapt_bench.weights import shipped_weights

__all__ = [
    "MILD_NOISE",
    "NOISY",
    "OWN_SEGMENTS",
    "SAVED",
    "SegmentSource",
    "archive_path",
    "find_segments",
    "noticed_by_segments",
    "parse_segments",
    "saved_segments",
]

OWN_SEGMENTS = "own"
"""What a table calls segments of which every row has its own."""

NOISY = "noisy"
"""What true segments with faults are called."""

SAVED = "saved"
"""What saved predictions are called."""

MILD_NOISE = SegmentNoise(missed=0.04, merged=0.03, eroded=0.15, spurious=0.3)
"""Faults of the segments that are called noisy, so that scores and memory have something to do."""


@dataclass(frozen=True, slots=True)
class SegmentSource:
    """One kind of segments: true ones, true ones with faults, saved ones, or what MAPT finds.

    Attributes:
        noise: Faults added to ground truth; ``None`` for none.
        saved: Predictions, one sequence a video, instead of ground truth.
        folder: Where the predictions lie, for people.
        fingerprint: Of the predictions.
        mapt: Weights of the MAPT that finds the segments, instead of ground truth.
        is_own: Whether each tracker finds its own segments, so that there is nothing to link.
    """

    noise: SegmentNoise | None = None
    saved: tuple[StoredSequence, ...] | None = None
    folder: str | None = None
    fingerprint: str | None = None
    mapt: MaptWeights | None = None
    is_own: bool = False

    @property
    def name(self) -> str:
        """What cells and tables call it."""
        if self.is_own:
            return OWN_SEGMENTS
        if self.mapt is not None:
            return self.mapt.name
        if self.saved is not None:
            return SAVED
        return GROUND_TRUTH if self.noise is None else NOISY

    @property
    def needs_images(self) -> bool:
        """Whether segments are found in images."""
        return self.mapt is not None

    @property
    def maker(self) -> "Callable[[SegmentSource, Video, int, int, str], Segmenter]":
        """The function that :meth:`segmenter` calls: its code makes the segments of this source."""
        if self.mapt is not None:
            return _found
        return _true if self.saved is None else _saved

    def segmenter(self, video: Video, index: int, seed: int, *, device: str = "cpu") -> Segmenter:
        """Return what finds the segments of a video.

        Args:
            video: The video, under stress or not.
            index: Its position in the data.
            seed: Of segment order and noise.
            device: Where MAPT runs.

        Raises:
            DataError: If the video lacks what segments are made from.
        """
        return self.maker(self, video, index, seed, device)

    def describe(self) -> dict[str, Any]:
        """Return what decides the segments, ready for JSON and for keys; no paths."""
        if self.is_own:
            return {"kind": "found by the tracker"}
        if self.mapt is not None:
            return {"kind": "found by MAPT", "weights": self.mapt.sha256}
        if self.saved is not None:
            return {"kind": "saved predictions", "fingerprint": self.fingerprint}
        if self.noise is None:
            return {"kind": "ground truth", "noise": None}
        names = ("missed", "merged", "eroded", "wrong_class", "spurious")
        doses = {name: getattr(self.noise, name) for name in names}
        pixels = {name: getattr(self.noise, name) for name in ("erosion_px", "merge_gap_px")}
        return {"kind": "ground truth", "noise": {**doses, **pixels}}

    def in_words(self) -> str:
        """Return what tables call it."""
        if self.is_own:
            return "found by each tracker itself"
        if self.mapt is not None:
            return "found by MAPT itself"  # whichever weights: what they changed is compared
        if self.saved is not None:
            return f"saved predictions of {self.folder}"
        if self.noise is None:
            return "ground truth with its ids taken away"
        return (
            "ground truth with its ids taken away and faults added: "
            f"{100 * self.noise.missed:g} % missed, {100 * self.noise.merged:g} % merged, "
            f"{100 * self.noise.eroded:g} % eroded, {self.noise.spurious:g} spurious a frame"
        )


@not_followed
def _found(source: SegmentSource, video: Video, index: int, seed: int, device: str) -> Segmenter:
    weights = None if source.mapt is None else source.mapt.path
    return mapt_segmenter(MaptOptions(weights=weights, device=device))


@not_followed
def _saved(source: SegmentSource, video: Video, index: int, seed: int, device: str) -> Segmenter:
    return SavedSegments((source.saved or ())[index], seed=seed)


@not_followed
def _true(source: SegmentSource, video: Video, index: int, seed: int, device: str) -> Segmenter:
    return GroundTruthSegments(video, seed=seed, noise=source.noise)


def parse_segments(
    text: str,
    *,
    mapt: Callable[[], MaptWeights],
    many: bool = False,
    reader: WeightsReader = LOADED,
) -> tuple[SegmentSource | Path, ...]:
    """Read the value of ``--segments``, the same in all commands.

    Args:
        text: ``mapt`` (what the MAPT of the command finds), ``groundtruth`` (ground-truth segments
            without their identities), ``noisy`` (the same with mild faults), a name of shipped
            weights or a weights file (what that MAPT finds), or a folder of predictions. Where
            several kinds are allowed, separate them by commas.
        mapt: Gives the weights of the command; called only for ``mapt``.
        many: Whether several kinds are allowed.
        reader: Reads the weights that are named.

    Returns:
        One source a kind; a path is a folder of predictions.

    Raises:
        ConfigError: If there is nothing of that name, a kind is named twice, or there are several
            where one is allowed.
        DataError: If a file or folder is not there, or weights cannot be used.
    """
    words = text.split(",")
    if len(words) > 1 and not many:
        raise ConfigError(
            f"--segments {text}: this command takes one kind of segments; run it once for each"
        )
    kinds = tuple(_kind(word, mapt, reader) for word in words)
    if len(set(kinds)) != len(kinds):
        raise ConfigError(f"--segments {text} names a kind twice; keep one")
    return kinds


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
    if word in shipped_weights() or path.is_file() or path.suffix == ".safetensors":
        return SegmentSource(mapt=reader.mapt(word, None))
    if len(path.parts) > 1:
        raise DataError(
            "there is no such folder of predictions or weights file; check the path given to "
            "--segments",
            where=path,
        )
    known = (FOUND_BY_MAPT, GROUND_TRUTH, NOISY, *shipped_weights())
    raise ConfigError(
        f"--segments {word}: there are no such segments, and no folder or file of that name here; "
        f"{nearest(word, known)}"
    )


def saved_segments(folder: Path, videos: Sequence[Video], labels: LabelSpace) -> SegmentSource:
    """Return the segments of saved predictions.

    Args:
        folder: Of the predictions.
        videos: Whose segments are wanted.
        labels: Label space.

    Raises:
        DataError: If a video has no predictions there, or more than one set.
    """
    saved = tuple(match_saved_segments(videos, folder, labels))
    return SegmentSource(saved=saved, folder=folder.name, fingerprint=maps_fingerprint(saved))


def noticed_by_segments(source: SegmentSource, stress: Stress | None) -> Stress | None:
    """Return what segments notice of a stress: nothing if only images change and they need none."""
    if stress is not None and stress.entry.needs_images and not source.needs_images:
        return None
    return stress


def archive_path(
    folder: Path, source: SegmentSource, sequence: int, video: str, stress: Stress | None
) -> Path:
    """Return where the segments of a video under a stress lie."""
    place = folder / "segments" / source.name
    noticed = noticed_by_segments(source, stress)
    if noticed is not None:
        place /= f"{noticed.name}-{noticed.level}"
    return place / f"{sequence:04d}-{video}.npz"


def find_segments(
    path: Path, source: SegmentSource, video: Video, sequence: int, seed: int, *, key: str
) -> None:
    """Make the segments of every frame of a video and write their archive.

    An archive that is there is kept if it can be read and has the same key.

    Args:
        path: Of the archive.
        source: Where they come from.
        video: The video, under stress or not.
        sequence: Its position in the data.
        seed: Of segment order and noise.
        key: Content key of the segments: the code that makes them, their source, the data, the
            stress, the seed.

    Raises:
        DataError: If there are no segments for the video, or they cannot be written.
    """
    if _has_key(path, key):
        return
    segmenter = source.segmenter(video, sequence, seed)
    segmenter.start(video.info)
    found = (segmenter.segment(video.frame(index)) for index in range(video.info.frame_count))
    write_archive(path, video.info, found, key=key)


def _has_key(path: Path, key: str) -> bool:
    if not path.exists():
        return False
    try:
        return SegmentArchive(path).key == key
    except DataError:
        return False
