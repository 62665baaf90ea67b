"""A video that keeps what was read of it, for all the trackers that are run on it."""

from collections.abc import Callable
from typing import ClassVar, TypeVar

from mapt_bench.labels import (
    FlowField,
    Frame,
    KnownObject,
    KnownVideo,
    PanopticMap,
    Video,
    VideoInfo,
)

__all__ = ["RememberedKnownVideo", "RememberedVideo", "remembered"]

_BUDGET_BYTES = 256 << 20
_IMAGE_AND_MAP = 3 + 4  # bytes a pixel
_FLOW = 2 * 4 + 1

_Value = TypeVar("_Value")


class RememberedVideo:
    """A video that draws or decodes each frame once, as long as there is room.

    Frames that come after the budget is used up are read anew each time: a video is read in order,
    and to forget the oldest would mean to read every frame anew.

    Args:
        video: What is remembered.
        budget_bytes: Room for images, maps and flows.

    Attributes:
        video: What is remembered.
        room: Frames that are kept.
    """

    _bytes_a_pixel: ClassVar[int] = _IMAGE_AND_MAP

    def __init__(self, video: Video, *, budget_bytes: int = _BUDGET_BYTES) -> None:
        self.video = video
        info = video.info
        self.room = budget_bytes // max(self._bytes_a_pixel * info.height * info.width, 1)
        self._frames: dict[int, Frame] = {}
        self._truths: dict[int, PanopticMap] = {}

    @property
    def info(self) -> VideoInfo:
        """What is known before the first frame."""
        return self.video.info

    @property
    def has_truth(self) -> bool:
        """Whether the video has truth."""
        return self.video.has_truth

    def frame(self, index: int) -> Frame:
        """Return the frame at a position; its image, once read, stays with it."""
        return self._kept(self._frames, self.video.frame, index)

    def truth(self, index: int) -> PanopticMap:
        """Return the ground truth at a position."""
        return self._kept(self._truths, self.video.truth, index)

    def _kept(self, kept: dict[int, _Value], read: Callable[[int], _Value], index: int) -> _Value:
        if index in kept:
            return kept[index]
        value = read(index)
        if len(kept) < self.room:
            kept[index] = value
        return value


class RememberedKnownVideo(RememberedVideo):
    """The same of a video whose every answer is known."""

    video: KnownVideo
    _bytes_a_pixel: ClassVar[int] = _IMAGE_AND_MAP + _FLOW

    def __init__(self, video: KnownVideo, *, budget_bytes: int = _BUDGET_BYTES) -> None:
        super().__init__(video, budget_bytes=budget_bytes)
        self._backward: dict[int, FlowField] = {}

    def objects(self, index: int) -> tuple[KnownObject, ...]:
        """Return the tracked objects that reach into a frame."""
        return self.video.objects(index)

    def backward_flow(self, index: int) -> FlowField:
        """Return where each pixel of a frame was in the frame before."""
        return self._kept(self._backward, self.video.backward_flow, index)

    def forward_flow(self, index: int) -> FlowField:
        """Return where each pixel of a frame will be in the next frame."""
        return self.video.forward_flow(index)


def remembered(video: Video) -> RememberedVideo:
    """Remember a video; a known one stays known."""
    return RememberedKnownVideo(video) if isinstance(video, KnownVideo) else RememberedVideo(video)
