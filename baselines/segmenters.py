"""Segmenters that need no network: ground truth, saved predictions, and mapped classes."""

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mapt_bench.baselines.noise import SegmentNoise, add_noise
from mapt_bench.data.sequences import moment
from mapt_bench.errors import DataError, check_seed
from mapt_bench.labels import (
    ID_BITS,
    ID_LIMIT,
    ClassMap,
    Frame,
    LabelSpace,
    MappedShare,
    MapSequence,
    PanopticMap,
    Video,
    VideoInfo,
    check_map_classes,
)
from mapt_bench.tracking import BatchSegmenter, FrameSegments, Segmenter

__all__ = [
    "GROUND_TRUTH",
    "GroundTruthSegments",
    "MappedSegmenter",
    "SavedSegments",
    "ScoredSegments",
    "cut_segments",
    "mapped_segments",
    "segments_share",
]

GROUND_TRUTH = "groundtruth"
"""What options call the segments of :class:`GroundTruthSegments`."""


def cut_segments(
    panoptic_map: PanopticMap,
    labels: LabelSpace,
    rng: np.random.Generator,
    *,
    zero_is_crowd: bool,
) -> FrameSegments:
    """Cut a map into segments, throw their identities away and shuffle them.

    Args:
        panoptic_map: Ground truth or a prediction.
        labels: Says which classes are things.
        rng: Decides the order.
        zero_is_crowd: Whether thing pixels of identity 0 are crowd, as in ground truth: they make
            no segment and keep their class without an object. In predictions 0 is an ordinary
            identity.

    Returns:
        One segment for each pair of thing class and identity, all of score 1.
    """
    classes = panoptic_map.classes
    is_object = labels.is_thing_table[classes]
    if zero_is_crowd:
        is_object &= (panoptic_map.codes & np.uint32(ID_LIMIT - 1)) > 0
    codes, members = np.unique(panoptic_map.codes[is_object], return_inverse=True)
    place = rng.permutation(len(codes))
    index_map = np.full(panoptic_map.shape, -1, dtype=np.int32)
    index_map[is_object] = place[members]
    class_ids = np.zeros(len(codes), dtype=np.int64)
    class_ids[place] = codes >> np.uint32(ID_BITS)
    classes[is_object] = labels.ignore_label
    return FrameSegments(classes, index_map, class_ids, np.ones(len(codes)))


class GroundTruthSegments:
    """The ground-truth segments of a video, without identities and in random order.

    Crowd (thing pixels of no annotated object) is no segment: its pixels keep their class and
    identity 0, so that, under the oracle, segments without noise score 1 in every metric.

    Args:
        video: Must have ground truth.
        seed: 0 or more; decides order and noise, frame by frame.
        noise: Faults to add; ``None`` for none.

    Raises:
        ConfigError: If the seed is negative.
        DataError: If the video has no ground truth.
    """

    needs_images = False

    def __init__(self, video: Video, *, seed: int = 0, noise: SegmentNoise | None = None) -> None:
        if not video.has_truth:
            raise DataError(
                "has no ground truth to take segments from; give a folder of predictions with "
                "--segments FOLDER (segments= in Python)",
                where=video.info.name,
            )
        self.video = video
        self.seed = _checked_seed(seed)
        self.noise = noise

    def start(self, info: VideoInfo) -> None:
        """Nothing to prepare."""

    def segment(self, frame: Frame) -> FrameSegments:
        """Return the frame's ground-truth segments in random order."""
        info = self.video.info
        rng = _frame_rng(self.seed, info.name, frame.index)
        truth = self.video.truth(frame.index)
        segments = cut_segments(truth, info.labels, rng, zero_is_crowd=True)
        return segments if self.noise is None else add_noise(segments, self.noise, info.labels, rng)


class SavedSegments:
    """The segments of predictions saved frame by frame; identities in them are thrown away.

    Args:
        sequence: The predictions; its frames must cover those of the video, by name.
        seed: 0 or more; decides the order, frame by frame.

    Raises:
        ConfigError: If the seed is negative.
    """

    needs_images = False

    def __init__(self, sequence: MapSequence, *, seed: int = 0) -> None:
        self.sequence = sequence
        self.seed = _checked_seed(seed)
        self._info: VideoInfo | None = None
        self._index_of = {moment(name): index for index, name in enumerate(sequence.frame_names)}

    def start(self, info: VideoInfo) -> None:
        """Check that there is a prediction for every frame, of the right size.

        Raises:
            DataError: If one is missing or sizes differ.
        """
        place = "/".join(self.sequence.parts)
        missing = [name for name in info.frame_names if moment(name) not in self._index_of]
        if missing:
            raise DataError(
                f"no segments for {len(missing)} of {info.frame_count} frames of video "
                f"{info.name!r}, the first {missing[0]!r}; predict every frame",
                where=place,
            )
        if self.sequence.size != (info.height, info.width):
            raise DataError(
                f"segments have {self.sequence.size} pixels (height, width), video {info.name!r} "
                f"{(info.height, info.width)}; write predictions at the size of the video",
                where=place,
            )
        self._info = info

    def segment(self, frame: Frame) -> FrameSegments:
        """Return the frame's predicted segments in an order that says nothing.

        Raises:
            DataError: If the prediction is unreadable or has a class outside the label space.
        """
        if self._info is None:
            raise RuntimeError("start() must be called before segment()")
        prediction = self.sequence.read(self._index_of[moment(frame.name)])
        place = "/".join((*self.sequence.parts, frame.name))
        check_map_classes(prediction, self._info.labels, place)
        rng = _frame_rng(self.seed, self._info.name, frame.index)
        return cut_segments(prediction, self._info.labels, rng, zero_is_crowd=False)


class MappedSegmenter:
    """The segments of a segmenter of another label space, with mapped classes.

    Args:
        segmenter: Segmenter of the source label space.
        class_map: The class map. Its target is the label space of the video.

    Attributes:
        share: What the class map removed from the frames so far.
    """

    def __init__(self, segmenter: Segmenter, class_map: ClassMap) -> None:
        self._segmenter = segmenter
        self._map = class_map
        self.share = MappedShare()

    @property
    def side(self) -> dict[str, str | int]:
        """What the class map removed so far, as the entry of a side in a result."""
        return self.share.side(self._map.source.name)

    @property
    def needs_images(self) -> bool:
        """Whether :attr:`Frame.image` is read."""
        return self._segmenter.needs_images

    def start(self, info: VideoInfo) -> None:
        """Prepare for a video."""
        self._segmenter.start(replace(info, labels=self._map.source))

    def segment(self, frame: Frame) -> FrameSegments:
        """Return the segments of the frame in the target label space."""
        return self._mapped(self._segmenter.segment(frame))

    def segment_all(self, frames: Sequence[Frame]) -> list[FrameSegments]:
        """Return the segments of several frames, computed together if the segmenter can."""
        if isinstance(self._segmenter, BatchSegmenter):
            found = self._segmenter.segment_all(frames)
        else:
            found = [self._segmenter.segment(frame) for frame in frames]
        return [self._mapped(each) for each in found]

    def _mapped(self, segments: FrameSegments) -> FrameSegments:
        self.share += segments_share(segments, self._map)
        return mapped_segments(segments, self._map)


def mapped_segments(segments: FrameSegments, class_map: ClassMap) -> FrameSegments:
    """Return predicted segments in the target label space.

    Objects of a class that becomes void or stuff are no segments any more. Their pixels get the new
    class. The other objects keep their order, scores, embeddings and cues.

    Args:
        segments: Segments in the source label space.
        class_map: The class map.
    """
    table = class_map.class_table(is_truth=False)
    kept = class_map.keeps_objects[segments.class_ids]
    place = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1).astype(np.int32)
    index_map = place[segments.index_map]
    new_class = np.append(table[segments.class_ids], 0).astype(np.uint8)
    is_dropped = (segments.index_map >= 0) & (index_map < 0)
    stuff = np.where(is_dropped, new_class[segments.index_map], table[segments.stuff])
    cues = segments.cues
    return FrameSegments(
        stuff=stuff,
        index_map=index_map,
        class_ids=table[segments.class_ids[kept]].astype(np.int64),
        scores=segments.scores[kept],
        embeddings=None if segments.embeddings is None else segments.embeddings[kept],
        cues=None if cues is None else replace(cues, descriptors=cues.descriptors[kept]),
    )


def segments_share(segments: FrameSegments, class_map: ClassMap) -> MappedShare:
    """Count what a class map removes from the segments of a frame.

    Args:
        segments: Segments in the source label space.
        class_map: The class map.
    """
    is_void = class_map.class_table(is_truth=False) == class_map.target.ignore_label
    is_lost = is_void[segments.class_ids]
    is_object = segments.index_map >= 0
    of_object = np.append(is_lost, False)[segments.index_map]  # -1 is a pixel without an object
    has_class = is_object | (segments.stuff != class_map.source.ignore_label)
    void = has_class & np.where(is_object, of_object, is_void[segments.stuff])
    return MappedShare(
        pixels=int(np.count_nonzero(has_class)),
        void_pixels=int(np.count_nonzero(void)),
        objects=segments.count,
        void_objects=int(np.count_nonzero(is_lost)),
        merged_objects=int(
            np.count_nonzero(~is_lost & ~class_map.keeps_objects[segments.class_ids])
        ),
    )


def _checked_seed(seed: int) -> int:
    check_seed("seed", seed)
    return seed


def _frame_rng(seed: int, video: str, index: int) -> np.random.Generator:
    """Random numbers that depend on nothing but these three."""
    return np.random.default_rng(
        [seed, zlib.crc32(video.encode("utf-8", "surrogateescape")), index]
    )


class ScoredSegments:
    """The segments of another segmenter that have a least score. The pixels of others become void.

    Args:
        segmenter: Finds the segments.
        least_score: Least score, in ``[0, 1]``.
    """

    def __init__(self, segmenter: Segmenter, least_score: float) -> None:
        self.segmenter = segmenter
        self.least_score = least_score

    @property
    def needs_images(self) -> bool:
        """Whether the segmenter reads images."""
        return self.segmenter.needs_images

    def start(self, info: VideoInfo) -> None:
        """Prepare the segmenter for a video."""
        self.segmenter.start(info)

    def segment(self, frame: Frame) -> FrameSegments:
        """Return the segments of the frame with the least score or more."""
        found = self.segmenter.segment(frame)
        return found.part(found.scores >= self.least_score)
