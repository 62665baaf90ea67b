"""MAPT as a tracker: a segmenter, and an associator that links segments from any source."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mapt_bench.devices import FLOAT32
from mapt_bench.errors import DataError
from mapt_bench.labels import Frame, LabelSpace, VideoInfo
from mapt_bench.model.adaptive_pair import AdaptivePair
from mapt_bench.model.cues import MaptCues, Motion, Seen
from mapt_bench.model.network import MaptNetwork
from mapt_bench.tracking import (
    Association,
    FlowWarp,
    FrameCues,
    FrameSegments,
    Propagation,
    TwoStepAssociator,
    TwoStepSettings,
)
from mapt_bench.tracking.joint_linker import JointLinker, LinkerSettings
from mapt_bench.tracking.link_model import LinkModel
from mapt_bench.tracking.oracle_steps import OracleSteps
from mapt_bench.tracking.sharing import NOTHING_SHARED, Share

__all__ = ["Carrier", "Heads", "MaptAssociator", "MaptLinker", "MaptSegmenter", "described"]

Heads = Literal["motion", "appearance", "both"]
"""By which of its heads MAPT links frames."""

Carrier = Literal["kernels", "displacement"]
"""How the motion head carries masks: by its learned kernels, as in the paper, on its own cells; or
by the mean displacement that it reads, like an optical flow, on finer cells."""

_Embeddings = NDArray[np.float32]
"""Appearance embeddings of segments: ``(segments, size)``."""


def seen_by(network: MaptNetwork) -> Hashable:
    """Return the key of what a network sees in a frame, for a cache."""
    return "seen", network.cue_source


def described(
    network: MaptNetwork, frame: Frame, segments: FrameSegments, share: Share = NOTHING_SHARED
) -> FrameSegments:
    """Return segments of any source with the cues of a network.

    Args:
        network: Weights. Segments that have its cues already are returned as they are.
        frame: The frame, with its image.
        segments: Of the frame.
        share: Cache of what the network sees in frames.

    Raises:
        DataError: If image and segments differ in size.
    """
    if segments.cues is not None and segments.cues.source == network.cue_source:
        return segments
    cues = MaptCues(network)
    seen = share.once(seen_by(network), (frame.index,), lambda: cues.see(frame.image))
    return cues.describe(frame.image, segments, seen)


class MaptSegmenter:
    """MAPT's own detections, with cues and embeddings: one backbone pass a frame.

    Args:
        network: Weights.
        share: Cache of what the network sees in frames: other segments of a frame can be described
            without looking again.
        precision: In which the network detects.
    """

    needs_images = True

    def __init__(
        self,
        network: MaptNetwork,
        share: Share = NOTHING_SHARED,
        *,
        precision: str = FLOAT32,
    ) -> None:
        self.cues = MaptCues(network)
        self._share = share
        self._precision = precision

    @property
    def labels(self) -> LabelSpace:
        """Label space of the network."""
        return self.cues.network.config.labels

    def start(self, info: VideoInfo) -> None:
        """Check that the network has the label space of the video.

        Raises:
            DataError: If the label spaces differ.
        """
        network, known = self.cues.network, self.labels
        if known != info.labels:
            raise DataError(
                f"{network.title} has the label space {known.name!r}, the video "
                f"{info.labels.name!r}; use data with the label space of the model, or weights "
                "trained with that of the video, or map both to one with --map, or give MAPT "
                "segments to link (--segments)",
                where=info.name,
            )

    def segment(self, frame: Frame) -> FrameSegments:
        """Return what is found in the frame."""
        return self.segment_all([frame])[0]

    def segment_all(self, frames: Sequence[Frame]) -> list[FrameSegments]:
        """Return what is found in each of several frames, which the network sees together."""
        what, indices = seen_by(self.cues.network), iter(frames)

        def keep(seen: Seen) -> Seen:
            return self._share.once(what, (next(indices).index,), lambda: seen)

        images = [frame.image for frame in frames]
        return self.cues.find_all(images, keep, precision=self._precision)


class MaptAssociator:
    """Links segments by where the motion head carries masks, and by learned embeddings.

    Segments that come with cues of the very same weights, from
    :class:`MaptSegmenter` or an archive of what it found, are linked without looking at the image
    again. All others are looked at first.

    Args:
        network: Weights.
        heads: Which of them decide.
        settings: Order, thresholds, pairing interval, memory.
        propagation: What carries masks in place of the motion head, for example a flow.
        carrier: How the motion head carries masks.
        share: Where motions and embeddings that another tracker worked out are found.
        adaptive: How the pairing interval of each frame is chosen; ``None`` is that of the
            settings. It needs the motion head.
        oracle: Ground truth in the place of some steps. ``None`` for a fusion without it.

    Raises:
        ConfigError: If the network lacks a head that is to decide.
    """

    needs_images = True

    def __init__(
        self,
        network: MaptNetwork,
        *,
        heads: Heads = "both",
        settings: TwoStepSettings | None = None,
        propagation: Propagation | None = None,
        carrier: Carrier = "kernels",
        share: Share = NOTHING_SHARED,
        adaptive: AdaptivePair | None = None,
        oracle: OracleSteps | None = None,
    ) -> None:
        settings = TwoStepSettings() if settings is None else settings
        if adaptive is not None:
            settings = replace(settings, longest_pair=adaptive.longest)
        self._memory = memory = _Memory(MaptCues(network), settings.pair, share, adaptive)
        stride, embedder = None, None
        if heads == "appearance":
            propagation = None
        elif propagation is None and carrier == "displacement":
            propagation = FlowWarp(_Displacement(memory))
        elif propagation is None:
            propagation, stride = _MotionPropagation(memory), memory.cues.stride
        if heads != "motion":
            embedder = _LearnedEmbedder(memory, follows_motion=heads == "both")
        self._two_step = TwoStepAssociator(
            propagation, embedder, settings, stride=stride, oracle=oracle
        )

    def start(self, info: VideoInfo) -> None:
        """Forget everything and prepare for a video."""
        self._memory.clear()
        self._two_step.start(info)

    def associate(self, frame: Frame, segments: FrameSegments) -> Association:
        """Give every segment of the next frame an identity."""
        segments = self._memory.described(frame, segments)
        return self._two_step.associate(frame, segments, pair=self._memory.pair)


class MaptLinker:
    """Links segments by the joint linker, over the motion head and learned embeddings.

    Args:
        network: Weights.
        model: Fitted networks of the linker; its cues decide which heads are used.
        settings: Thresholds, pairing interval, memory, delay.
        share: Cache of motions and embeddings that another tracker computed.
        linker: Class of the linker.
        adaptive: As for :class:`MaptAssociator`.
        oracle: Ground truth in the place of some steps. ``None`` for a linker without it.

    Raises:
        ConfigError: If the network lacks a head that is to decide.
    """

    needs_images = True

    def __init__(
        self,
        network: MaptNetwork,
        model: LinkModel,
        *,
        settings: LinkerSettings | None = None,
        share: Share = NOTHING_SHARED,
        linker: type[JointLinker] = JointLinker,
        adaptive: AdaptivePair | None = None,
        oracle: OracleSteps | None = None,
    ) -> None:
        settings = LinkerSettings() if settings is None else settings
        if adaptive is not None:
            settings = replace(settings, longest_pair=adaptive.longest)
        self._memory = memory = _Memory(MaptCues(network), settings.pair, share, adaptive)
        propagation, embedder = None, None
        if model.cues != "appearance":
            propagation = _MotionPropagation(memory)
        if model.cues != "motion":
            embedder = _LearnedEmbedder(memory, follows_motion=model.cues == "both")
        self.linker = linker(
            model, propagation, embedder, settings, stride=memory.cues.stride, oracle=oracle
        )

    @property
    def delay(self) -> int:
        """Frames by which decisions are returned late."""
        return self.linker.delay

    def start(self, info: VideoInfo) -> None:
        """Forget everything and prepare for a video."""
        self._memory.clear()
        self.linker.start(info)

    def associate(self, frame: Frame, segments: FrameSegments) -> Association | None:
        """Link the segments of the next frame: see :meth:`JointLinker.associate`."""
        segments = self._memory.described(frame, segments)
        return self.linker.associate(frame, segments, pair=self._memory.pair)

    def finish(self) -> list[Association]:
        """Return the decisions on the frames that were not returned yet."""
        return self.linker.finish()


class _Memory:
    """The cues of the last frames, and the motions between them: each is found once.

    Attributes:
        pair: Pairing interval of the last frame that was described.
    """

    def __init__(
        self, cues: MaptCues, pair: int, share: Share, adaptive: AdaptivePair | None
    ) -> None:
        self.cues = cues
        self.pair = self._shortest = pair
        self._longest = pair if adaptive is None else max(pair, adaptive.longest)
        self._adaptive = adaptive
        if adaptive is not None:
            _ = cues.motion_head  # or there is no displacement to choose by
        self._share = share
        self._frames: dict[int, FrameCues] = {}
        self._motions: dict[tuple[int, int], Motion] = {}

    def clear(self) -> None:
        self._frames, self._motions = {}, {}

    def described(self, frame: Frame, segments: FrameSegments) -> FrameSegments:
        """Return segments with cues of this network, and keep the cues."""
        segments = described(self.cues.network, frame, segments)
        index, known = frame.index, segments.cues
        if known is None:
            raise DataError(f"the segments of frame {index} have no cues; describe them first")
        self._frames[index] = known
        oldest = index - self._longest
        self._frames = {at: kept for at, kept in self._frames.items() if at >= oldest}
        self._motions = {}
        if self._adaptive is not None:
            self.pair = self._chosen(self._adaptive, index, segments)
        return segments

    def _chosen(self, adaptive: AdaptivePair, index: int, segments: FrameSegments) -> int:
        """Return the pairing interval of a frame, by the motion since the frame before."""
        if index - 1 not in self._frames:
            return self._shortest
        displacements = self.cues.displacements(segments, self.motion(index - 1, index))
        return adaptive.choose(displacements, shortest=self._shortest, frames=index)

    def earlier(self, index: int) -> int | None:
        """Return the frame that a frame is paired with, if it was seen."""
        earlier = index - self.pair
        return earlier if earlier in self._frames else None

    def motion(self, earlier: int, later: int) -> Motion:
        between = earlier, later
        if between not in self._motions:
            frames = self._frames[earlier], self._frames[later]
            self._motions[between] = self._share.once(
                ("motion", self.cues.network.identity), between, lambda: self.cues.motion(*frames)
            )
        return self._motions[between]

    def carry(self, masks: NDArray[np.float32], earlier: int, later: int) -> NDArray[np.float32]:
        """Carry soft masks from one frame to another, each mask once for all linkers."""
        motion = self.motion(earlier, later)
        carried: list[NDArray[np.float32]] = self._share.each(
            ("carried", self.cues.network.identity),
            (earlier, later),
            [blake2b(mask.tobytes()).digest() for mask in masks],
            lambda missing: list(self.cues.carry_each(masks[list(missing)], motion)),
        )
        return np.stack(carried)

    def embed(self, index: int, segments: FrameSegments, earlier: int | None) -> _Embeddings:
        """Return embeddings next to an earlier frame, or by themselves."""
        before, motion = None, None
        frames: tuple[int, ...] = (index,)
        if earlier is not None:
            before, motion = self._frames[earlier], self.motion(earlier, index)
            frames = (earlier, index)
        return self._share.once(
            ("appearance", self.cues.network.identity),
            frames,
            lambda: self.cues.embed(segments, before, motion),
            of_segments=True,
        )


class _MotionPropagation:
    """Carries masks by the motion head."""

    needs_images = True

    def __init__(self, memory: _Memory) -> None:
        _ = memory.cues.motion_head  # or there is nothing to carry them by
        self._memory = memory

    def start(self, info: VideoInfo) -> None:
        """Nothing to prepare."""

    def propagate(
        self, masks: NDArray[np.float32], from_frame: Frame, to_frame: Frame
    ) -> NDArray[np.float32]:
        """Carry soft masks, ``(n, h, w)`` at the stride of the head, from one frame to another."""
        if not len(masks):
            return masks.copy()
        return self._memory.carry(masks, from_frame.index, to_frame.index)


class _Displacement:
    """The mean displacement that the motion head reads, as optical flow."""

    needs_images = True

    def __init__(self, memory: _Memory) -> None:
        _ = memory.cues.motion_head  # or there is no displacement
        self._memory = memory
        self._size = (0, 0)

    def start(self, info: VideoInfo) -> None:
        """Take the size of the frames."""
        self._size = (info.height, info.width)

    def flow(self, frame_from: Frame, frame_to: Frame) -> NDArray[np.float32]:
        """Return the flow from a frame to an earlier one, in cells of the motion head."""
        motion = self._memory.motion(frame_to.index, frame_from.index)
        return self._memory.cues.flow(motion, self._size)


class _LearnedEmbedder:
    """Embeddings of the appearance head.

    Args:
        memory: Of the associator.
        follows_motion: Whether tracks in view are compared by embeddings with propagated features;
            without the motion head there are none.
    """

    needs_images = True

    def __init__(self, memory: _Memory, *, follows_motion: bool) -> None:
        is_static = memory.cues.appearance_head.is_static
        self._memory = memory
        self._follows_motion = follows_motion and not is_static

    def start(self, info: VideoInfo) -> None:
        """Nothing to prepare."""

    def embed(self, frame: Frame, segments: FrameSegments) -> NDArray[np.float32]:
        """Return how segments look next to the frame that they are paired with."""
        earlier = self._memory.earlier(frame.index) if self._follows_motion else None
        return self._memory.embed(frame.index, segments, earlier)

    def embed_alone(self, frame: Frame, segments: FrameSegments) -> NDArray[np.float32]:
        """Return how segments look by themselves."""
        return self._memory.embed(frame.index, segments, None)
