"""BoT-SORT: two passes by score, with camera motion and appearance."""

from itertools import compress

import numpy as np
from numpy.typing import NDArray

from mapt_bench.baselines.box_trackers import Decided, Pass, TrackList
from mapt_bench.baselines.boxes import OVERLAPS, Mask, Outlines, Overlap, SideFilter
from mapt_bench.baselines.camera_motion import CameraMotion
from mapt_bench.baselines.histograms import SegmentAppearance, running_mean
from mapt_bench.baselines.registry import register
from mapt_bench.baselines.tracker_options import AssociatorOptions
from mapt_bench.labels import Frame, VideoInfo
from mapt_bench.tracking import Association, Associator, FrameSegments

__all__ = ["BotSortAssociator", "fused_affinity"]

_SMOOTHING = 0.9

_Floats = NDArray[np.float64]


def fused_affinity(
    near: _Floats,
    cosines: _Floats,
    scores: _Floats,
    *,
    least_cosine: float,
    least_iou: float,
) -> _Floats:
    """Fuse overlap and appearance: the better of the two counts.

    Args:
        near: ``(tracks, segments)`` overlaps in ``[0, 1]``.
        cosines: ``(tracks, segments)`` in ``[-1, 1]``.
        scores: ``(segments,)`` in ``[0, 1]``; overlaps are multiplied by them.
        least_cosine: Least cosine at which appearance counts.
        least_iou: Least overlap at which appearance counts.

    Returns:
        ``(tracks, segments)`` in ``[0, 1]``: the greater of overlap times score and
        ``(1 + cosine) / 2``.

    Example:
        >>> near, alike = np.array([[0.6, 0.4]]), np.array([[0.8, 0.8]])
        >>> fused_affinity(near, alike, np.ones(2), least_cosine=0.5, least_iou=0.5)
        array([[0.9, 0.4]])
    """
    counts = (cosines >= least_cosine) & (near >= least_iou)
    return np.maximum(near * scores, np.where(counts, (1 + cosines) / 2, 0.0))


class BotSortAssociator:
    """BoT-SORT (Aharon et al. 2022): ByteTrack with camera motion, appearance and a new filter.

    First pass: segments of high score against all tracks, by overlap times score or by
    appearance, whichever is better. Second pass: segments of low score against the unmatched
    tracks in view, by overlap. What is left of the first pass starts tracks where its score is
    high enough; the rest is dropped. New tracks are confirmed at once, because every pixel of a
    panoptic map needs a label in its frame.

    Args:
        high_score: Least score of the first pass, in ``[0, 1]``.
        low_score: Least score of the second pass, in ``[0, 1]``.
        new_score: Least score of a new track, in ``[0, 1]``.
        first_iou: Least fused affinity in the first pass, in ``[0, 1]``.
        second_iou: Least overlap in the second pass, in ``[0, 1]``.
        appearance_iou: Least overlap at which appearance counts, in ``[0, 1]``.
        histogram_cosine: Least cosine at which histograms count.
        embedding_cosine: Least cosine at which learned embeddings count.
        overlap: What overlaps are measured on.
        memory: Frames that a lost track is kept for. BoT-SORT uses 30.
        describe: Describes segments; ``None`` links by overlap alone.
        camera: Finds the motion of the camera; ``None`` is a camera at rest.
    """

    def __init__(
        self,
        *,
        high_score: float = 0.6,
        low_score: float = 0.1,
        new_score: float = 0.7,
        first_iou: float = 0.2,
        second_iou: float = 0.5,
        appearance_iou: float = 0.5,
        histogram_cosine: float = 0.9,
        embedding_cosine: float = 0.5,
        overlap: Overlap = "box",
        memory: int = 30,
        describe: SegmentAppearance | None = None,
        camera: CameraMotion | None = None,
    ) -> None:
        self.high_score = high_score
        self.low_score = low_score
        self.new_score = new_score
        self.first_iou = first_iou
        self.second_iou = second_iou
        self.appearance_iou = appearance_iou
        self.histogram_cosine = histogram_cosine
        self.embedding_cosine = embedding_cosine
        self.overlap = overlap
        self.memory = memory
        self._describe = describe
        self._camera = camera
        self._reset()

    def _reset(self) -> None:
        self._tracks = TrackList(self.memory)
        self._filter = SideFilter()
        self._masks: list[Mask] = []
        self._embeddings: list[_Floats] = []

    @property
    def needs_images(self) -> bool:
        """Whether the camera's motion or appearance is read from images."""
        return self._camera is not None or self._describe is not None

    def start(self, info: VideoInfo) -> None:
        """Forget all tracks."""
        self._reset()
        if self._camera is not None:
            self._camera.start()

    def associate(self, frame: Frame, segments: FrameSegments) -> Association:
        """Give the segments of the next frame an identity, or drop them."""
        now = frame.index
        self._forget(now)
        self._filter.predict()
        if self._camera is not None:
            self._filter.follow_camera(self._camera.step(frame, segments))
        outlines = Outlines(segments, self.overlap)
        embeddings, least_cosine = self._appearance(frame, segments)
        near = outlines.iou(self._filter.boxes, self._masks)
        passes = self._passes(now, segments, near, embeddings, least_cosine)
        may_begin = segments.scores >= max(self.high_score, self.new_score)
        decided = self._tracks.decide(now, segments.class_ids, passes, may_begin)
        self._observe(decided, outlines, embeddings, segments.scores)
        return decided.association

    def _forget(self, now: int) -> None:
        kept = self._tracks.forget(now)
        self._filter.keep(kept)
        self._masks = list(compress(self._masks, kept))
        self._embeddings = list(compress(self._embeddings, kept))

    def _appearance(self, frame: Frame, segments: FrameSegments) -> tuple[_Floats, float]:
        """Return embeddings, and the least cosine at which they count."""
        if self._describe is None:
            return np.zeros((segments.count, 1)), np.inf
        embeddings, is_learned = self._describe.describe(frame, segments)
        return embeddings, self.embedding_cosine if is_learned else self.histogram_cosine

    def _passes(
        self,
        now: int,
        segments: FrameSegments,
        near: _Floats,
        embeddings: _Floats,
        least_cosine: float,
    ) -> tuple[Pass, Pass]:
        scores = segments.scores
        high = scores >= self.high_score
        low = ~high & (scores >= self.low_score)
        same = self._tracks.same_class(segments.class_ids)
        in_view = ~self._tracks.is_lost(now)[:, None]
        known = np.array(self._embeddings).reshape(-1, embeddings.shape[1])
        fused = fused_affinity(
            near,
            known @ embeddings.T,
            scores,
            least_cosine=least_cosine,
            least_iou=self.appearance_iou,
        )
        return (
            Pass.gated_after("box-high", fused, same & high, fused >= self.first_iou),
            Pass.gated_after("box-low", near, same & low & in_view, near >= self.second_iou),
        )

    def _observe(
        self, decided: Decided, outlines: Outlines, embeddings: _Floats, scores: _Floats
    ) -> None:
        """Update matched tracks and start new ones."""
        if decided.segments:
            self._filter.update(decided.tracks, outlines.boxes[decided.segments])
        self._filter.add(outlines.boxes[decided.begun])
        for track, segment in zip(decided.tracks.tolist(), decided.segments, strict=True):
            if outlines.masks:
                self._masks[track] = outlines.masks[segment]
            if scores[segment] >= self.high_score:
                self._embeddings[track] = running_mean(
                    self._embeddings[track], embeddings[segment], _SMOOTHING
                )
        self._masks += [outlines.masks[segment] for segment in decided.begun if outlines.masks]
        self._embeddings += [embeddings[segment] for segment in decided.begun]


@register(
    "bot-sort",
    "two passes by score, camera motion and appearance (Aharon et al. 2022)",
    needs_images=True,
    supports_memory=True,
    settings=(
        *("high_score", "low_score", "new_score", "first_pass_iou", "second_pass_iou"),
        *("appearance_iou", "appearance_threshold", "embedding_threshold", "overlap"),
    ),
    search={
        "high_score": (0.5, 0.9),
        "low_score": (0.05, 0.5),
        "new_score": (0.5, 0.9),
        "first_pass_iou": (0.05, 0.5),
        "second_pass_iou": (0.05, 0.7),
        "appearance_iou": (0.05, 0.7),
        "appearance_threshold": (0.75, 0.97),
        "embedding_threshold": (0.2, 0.95),
        "overlap": tuple(OVERLAPS),
    },
)
def _bot_sort(options: AssociatorOptions) -> Associator:
    given = options.settings
    return BotSortAssociator(
        high_score=given.high_score,
        low_score=given.low_score,
        new_score=given.new_score,
        first_iou=given.first_pass_iou,
        second_iou=given.second_pass_iou,
        appearance_iou=given.appearance_iou,
        histogram_cosine=given.appearance_threshold,
        embedding_cosine=given.embedding_threshold,
        overlap=given.overlap,
        memory=options.memory,
        describe=SegmentAppearance(options.share),
        camera=CameraMotion(options.share),
    )
