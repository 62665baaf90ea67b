"""Lower and upper bounds of association on given segments: ``unlinked`` and ``oracle*``."""

from itertools import count

import numpy as np

from mapt_bench.baselines.registry import register
from mapt_bench.baselines.tracker_options import AssociatorOptions, Truth
from mapt_bench.errors import ConfigError
from mapt_bench.labels import Frame, VideoInfo
from mapt_bench.tracking import Association, Associator, FrameSegments
from mapt_bench.tracking.oracle_steps import true_tracks

__all__ = [
    "OracleAssociator",
    "UnlinkedAssociator",
]


class UnlinkedAssociator:
    """The lower bound: every segment of every frame gets an identity of its own."""

    needs_images = False

    def __init__(self) -> None:
        self._fresh = count(1)

    def start(self, info: VideoInfo) -> None:
        """Count from 1 again."""
        self._fresh = count(1)

    def associate(self, frame: Frame, segments: FrameSegments) -> Association:
        """Give each segment the next number."""
        ids = np.array([next(self._fresh) for _ in range(segments.count)], dtype=np.int64)
        return Association(ids, ("new",) * segments.count, (0,) * segments.count)


class OracleAssociator:
    """The upper bound: each segment gets the identity of the ground-truth track it covers best.

    In every frame, segments and ground-truth tracks are matched one to one by mask IoU, across
    classes, because TQ and AQ compare them that way. The identity depends on the track and on the
    class of the segment: a segment of a wrong class belongs to a separate track, the same one each
    time. Unmatched segments get a new identity in each frame, so they harm no good track.

    A weak overlap keeps the track's identity, which is best for AQ: a segment of area ``a`` that
    shares ``i`` pixels with a track raises its term if ``i / a`` is at least about a third, and
    seldom lowers it by much below that. No segment is dropped, so PQ is that of the segments.

    The oracle is an empirical upper bound: TQ and AQ reward opposite treatment of low-IoU segments.

    Args:
        truth: Function that returns the ground truth of the frame at a position of the video.
        memory: Frames without a segment after which a track gets another identity. ``None`` keeps
            every track. With 0 it links consecutive frames only: the difference from the oracle
            with unlimited memory is what occlusion gaps cost.
    """

    needs_images = False

    def __init__(self, truth: Truth, *, memory: int | None = None) -> None:
        self.truth = truth
        self.memory = memory
        self._info: VideoInfo | None = None
        self._ids: dict[tuple[int, int], int] = {}
        self._seen: dict[int, int] = {}
        self._fresh = count(1)

    def start(self, info: VideoInfo) -> None:
        """Forget all tracks."""
        self._info = info
        self._ids = {}
        self._seen = {}
        self._fresh = count(1)

    def associate(self, frame: Frame, segments: FrameSegments) -> Association:
        """Give every segment of the next frame the identity of a track, or a new one.

        Raises:
            DataError: If ground truth and segments differ in size.
        """
        if self._info is None:
            raise RuntimeError("start() must be called before associate()")
        truth, is_thing = self.truth(frame.index), self._info.labels.is_thing_table
        track_of = true_tracks(truth, segments, is_thing, frame.name)
        ids = np.zeros(segments.count, dtype=np.int64)
        ages = [0] * segments.count
        for segment, class_id in enumerate(segments.class_ids.tolist()):
            if segment in track_of:
                key = (track_of[segment], class_id)
                identity = self._remembered(key, frame.index) or next(self._fresh)
                self._ids[key] = identity
            else:
                identity = next(self._fresh)
            ids[segment] = identity
            ages[segment] = frame.index - self._seen.get(identity, frame.index)
            self._seen[identity] = frame.index
        steps = tuple("oracle" if k in track_of else "new" for k in range(segments.count))
        return Association(ids, steps, tuple(ages))

    def _remembered(self, key: tuple[int, int], now: int) -> int | None:
        identity = self._ids.get(key)
        if identity is None or self.memory is None:
            return identity
        return identity if now - self._seen[identity] <= 1 + self.memory else None


@register("unlinked", "every segment is a track of its own: the lower bound")
def _unlinked(options: AssociatorOptions) -> Associator:
    return UnlinkedAssociator()


@register(
    "oracle", "ground-truth identities for the given segments: the upper bound", needs_truth=True
)
def _oracle(options: AssociatorOptions) -> Associator:
    return OracleAssociator(_truth(options))


@register(
    "oracle:in-view",
    "ground-truth identities between consecutive frames: the upper bound without memory",
    needs_truth=True,
)
def _oracle_in_view(options: AssociatorOptions) -> Associator:
    return OracleAssociator(_truth(options), memory=0)


def _truth(options: AssociatorOptions) -> Truth:
    if options.truth is None:
        raise ConfigError("the oracle needs ground truth; use data that has it")
    return options.truth
