"""Maps and videos in another label space: a class map is applied while they are read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path

from mapt_bench.data.dataset_file import find_dataset_file
from mapt_bench.data.sequences import StoredSequence
from mapt_bench.labels import (
    ClassMap,
    LabelSpace,
    MappedShare,
    MappingTally,
    PanopticMap,
    VideoInfo,
    WrappedVideo,
    check_map_classes,
    label_space,
)

__all__ = [
    "MappedSequence",
    "MappedVideo",
    "labels_of_predictions",
    "predictions_share",
    "truth_share",
]


@dataclass(frozen=True, eq=False)
class MappedSequence:
    """A sequence of maps in the target label space; implements ``StoredSequence``.

    Attributes:
        sequence: Maps in the source label space.
        class_map: The class map.
        is_truth: Whether the maps are ground truth.
        tally: Counts of the frames that were read.
    """

    sequence: StoredSequence
    class_map: ClassMap
    is_truth: bool
    tally: MappingTally = field(init=False)

    def __post_init__(self) -> None:
        tally = MappingTally(self.class_map, is_truth=self.is_truth)
        object.__setattr__(self, "tally", tally)

    @property
    def parts(self) -> tuple[str, ...]:
        """Path of the sequence below its folder."""
        return self.sequence.parts

    @property
    def frame_names(self) -> tuple[str, ...]:
        """Names of the frames in temporal order."""
        return self.sequence.frame_names

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.sequence.size

    def path(self, index: int) -> Path:
        """Return the file that holds a frame, for messages."""
        return self.sequence.path(index)

    def read(self, index: int) -> PanopticMap:
        """Decode and map a frame.

        Raises:
            DataError: If the file is unusable, or a class is outside the source label space.
        """
        stored = self.sequence.read(index)
        check_map_classes(stored, self.class_map.source, self.path(index))
        self.tally.add(stored)
        return self.class_map.apply(stored, is_truth=self.is_truth)


@dataclass(frozen=True)
class MappedVideo(WrappedVideo):
    """A video with ground truth in the target label space.

    Attributes:
        class_map: The class map.
    """

    class_map: ClassMap

    @property
    def info(self) -> VideoInfo:
        """Description of the video, with the target label space."""
        return replace(self.video.info, labels=self.class_map.target)

    def truth(self, index: int) -> PanopticMap:
        """Return the mapped ground truth at a position."""
        return self.class_map.apply(self.video.truth(index), is_truth=True)


def truth_share(videos: Sequence[MappedVideo]) -> MappedShare:
    """Count what the class map removes from the ground truth. This reads every map.

    Args:
        videos: Videos. Those without ground truth count nothing.
    """
    return reduce(MappedShare.__add__, map(_share, videos), MappedShare())


def _share(video: MappedVideo) -> MappedShare:
    tally = MappingTally(video.class_map, is_truth=True)
    if video.has_truth:
        for index in range(video.info.frame_count):
            tally.add(video.video.truth(index))
    return tally.share()


def predictions_share(sequences: Iterable[MappedSequence]) -> MappedShare:
    """Count what the class map removes from saved predictions. This reads every map."""
    return reduce(MappedShare.__add__, map(_share_of_sequence, sequences), MappedShare())


def _share_of_sequence(mapped: MappedSequence) -> MappedShare:
    tally = MappingTally(mapped.class_map, is_truth=mapped.is_truth)
    for index in range(len(mapped.frame_names)):
        tally.add(mapped.sequence.read(index))
    return tally.share()


def labels_of_predictions(dataset: str | None, folder: Path, truth: LabelSpace) -> LabelSpace:
    """Choose the label space of predictions that are mapped.

    Args:
        dataset: Label space, built-in name or YAML file. ``None`` reads the ``dataset.json`` of
            the folder, and takes that of the ground truth if there is none.
        folder: Folder of the predictions.
        truth: Label space of the ground truth.

    Raises:
        ConfigError: If ``dataset`` is unknown.
        DataError: If the ``dataset.json`` is unreadable.
    """
    if dataset is not None:
        return label_space(dataset)
    stated = find_dataset_file(folder)
    return truth if stated is None else stated.labels
