"""A video that keeps what was read of it, for all the trackers that are run on it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, TypeVar

from mapt_bench.labels import (
    AnnotatedVideo,
    FlowField,
    Frame,
    PanopticMap,
    Video,
    WrappedAnnotatedVideo,
    WrappedVideo,
)

__all__ = ["RememberedAnnotatedVideo", "RememberedVideo", "remembered"]

_BUDGET_BYTES = 256 << 20
_IMAGE_AND_MAP = 3 + 4  # bytes a pixel
_FLOW = 2 * 4 + 1

_Value = TypeVar("_Value")


@dataclass(frozen=True, eq=False)
class RememberedVideo(WrappedVideo):
    """A video that draws or decodes each frame once, as long as there is room.

    Frames that come after the budget is used up are read anew each time: a video is read in order,
    and to forget the oldest would mean to read every frame anew.

    Attributes:
        budget_bytes: Room for images, maps and flows.
    """

    budget_bytes: int = _BUDGET_BYTES
    _frames: dict[int, Frame] = field(default_factory=dict, init=False, repr=False)
    _truths: dict[int, PanopticMap] = field(default_factory=dict, init=False, repr=False)

    _bytes_a_pixel: ClassVar[int] = _IMAGE_AND_MAP

    @cached_property
    def room(self) -> int:
        """Frames that are kept."""
        info = self.video.info
        return self.budget_bytes // max(self._bytes_a_pixel * info.height * info.width, 1)

    def frame(self, index: int) -> Frame:
        """Return the frame at a position; its image, once read, stays with it."""
        return self._kept(self._frames, super().frame, index)

    def truth(self, index: int) -> PanopticMap:
        """Return the ground truth at a position."""
        return self._kept(self._truths, super().truth, index)

    def _kept(self, kept: dict[int, _Value], read: Callable[[int], _Value], index: int) -> _Value:
        if index in kept:
            return kept[index]
        value = read(index)
        if len(kept) < self.room:
            kept[index] = value
        return value


@dataclass(frozen=True, eq=False)
class RememberedAnnotatedVideo(RememberedVideo, WrappedAnnotatedVideo):
    """The same of a video whose every answer is known."""

    _backward: dict[int, FlowField] = field(default_factory=dict, init=False, repr=False)

    _bytes_a_pixel: ClassVar[int] = _IMAGE_AND_MAP + _FLOW

    def backward_flow(self, index: int) -> FlowField:
        """Return where each pixel of a frame was in the frame before."""
        return self._kept(self._backward, super().backward_flow, index)


def remembered(video: Video) -> RememberedVideo:
    """Remember a video; a known one stays known."""
    return (
        RememberedAnnotatedVideo(video)
        if isinstance(video, AnnotatedVideo)
        else RememberedVideo(video)
    )
