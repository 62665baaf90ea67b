"""A video seen through something: whatever a wrapper does not change is that of the video in it."""

from dataclasses import dataclass

from mapt_bench.labels.known import AnnotatedObject, AnnotatedVideo, FlowField
from mapt_bench.labels.panoptic_map import PanopticMap
from mapt_bench.labels.video import Frame, Video, VideoInfo

__all__ = ["WrappedAnnotatedVideo", "WrappedVideo"]


@dataclass(frozen=True)
class WrappedVideo:
    """Hands everything on; by itself it hides what more a :class:`AnnotatedVideo` knows.

    Attributes:
        video: What is wrapped.
    """

    video: Video

    @property
    def info(self) -> VideoInfo:
        """What is known before the first frame."""
        return self.video.info

    @property
    def has_truth(self) -> bool:
        """Whether the video has truth."""
        return self.video.has_truth

    def frame(self, index: int) -> Frame:
        """Return the frame at a position, its image unread."""
        return self.video.frame(index)

    def truth(self, index: int) -> PanopticMap:
        """Return the ground truth at a position."""
        return self.video.truth(index)


@dataclass(frozen=True)
class WrappedAnnotatedVideo(WrappedVideo):
    """The same of a video whose every answer is known, which it stays."""

    video: AnnotatedVideo

    def objects(self, index: int) -> tuple[AnnotatedObject, ...]:
        """Return the tracked objects that reach into a frame, nearest first; hidden ones too."""
        return self.video.objects(index)

    def backward_flow(self, index: int) -> FlowField:
        """Return where each pixel of a frame was in the frame before."""
        return self.video.backward_flow(index)

    def forward_flow(self, index: int) -> FlowField:
        """Return where each pixel of a frame will be in the next frame."""
        return self.video.forward_flow(index)
