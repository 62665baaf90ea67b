"""A video of which only every tau-th frame exists, for the tracker and the truth alike."""

from dataclasses import dataclass, replace

from mapt_bench.data.flow_fields import chained_flow
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import (
    AnnotatedObject,
    AnnotatedVideo,
    FlowField,
    Frame,
    PanopticMap,
    Video,
    VideoInfo,
    WrappedVideo,
)
from mapt_bench.stress.centres import moved
from mapt_bench.stress.visibility import visible_fractions

__all__ = ["DroppedAnnotatedVideo", "DroppedVideo", "dropped"]


@dataclass(frozen=True)
class DroppedVideo(WrappedVideo):
    """Frames ``phase, phase + tau, phase + 2 tau, ...`` of a video, counted anew from 0.

    Attributes:
        tau: Distance of the kept frames, 1 or more.
        phase: First kept frame, 0 to ``tau - 1``.

    Raises:
        ConfigError: If ``tau`` or ``phase`` is out of range.
    """

    tau: int
    phase: int

    def __post_init__(self) -> None:
        if self.tau < 1 or not 0 <= self.phase < self.tau:
            raise ConfigError(
                f"phase {self.phase} of interval {self.tau}; expected an interval of 1 or more "
                "and a phase below it"
            )

    @property
    def info(self) -> VideoInfo:
        """What is known before the first frame."""
        whole = self.video.info
        return replace(whole, frame_names=whole.frame_names[self.phase :: self.tau])

    def whole_index(self, index: int) -> int:
        """Return where a kept frame lies in the whole video."""
        return self.phase + self.tau * index

    def frame(self, index: int) -> Frame:
        """Return the kept frame at a position, its image unread."""
        whole = self.video.frame(self.whole_index(index))
        return Frame(index, whole.name, (lambda: whole.image) if whole.has_image else None)

    def truth(self, index: int) -> PanopticMap:
        """Return the ground truth of the kept frame at a position."""
        return self.video.truth(self.whole_index(index))

    def visible_fractions(self, index: int) -> dict[int, float] | None:
        """Return what is known of the whole video."""
        return visible_fractions(self.video, self.whole_index(index))

    @property
    def knows_flow(self) -> bool:
        """Whether :meth:`backward_flow` can be read."""
        return isinstance(self.video, AnnotatedVideo)

    def backward_flow(self, index: int) -> FlowField:
        """Return where each pixel of a kept frame was in the kept frame before.

        It is valid for points that were seen in the dropped frames between, too.

        Raises:
            DataError: If the whole video does not know, or the frame is the first.
        """
        if not isinstance(self.video, AnnotatedVideo):
            raise DataError("the true flow of this video is not known", where=self.video.info.name)
        if index < 1:
            raise DataError("there is no frame before the first", where=self.video.info.name)
        last = self.whole_index(index)
        return chained_flow(
            self.video.backward_flow(whole) for whole in range(last, last - self.tau, -1)
        )


@dataclass(frozen=True)
class DroppedAnnotatedVideo(DroppedVideo):
    """The same of a video whose every answer is known."""

    video: AnnotatedVideo

    def objects(self, index: int) -> tuple[AnnotatedObject, ...]:
        """Return the tracked objects that reach into a kept frame, nearest first.

        Speeds are from kept frame to kept frame, of the silhouettes inside the frame.
        """
        last = self.video.objects(self.whole_index(index - 1)) if index else ()
        before = {entry.code: entry for entry in last}
        return tuple(
            replace(
                entry,
                speed=moved(before[entry.code], entry) if entry.code in before else float("nan"),
            )
            for entry in self.video.objects(self.whole_index(index))
        )

    def forward_flow(self, index: int) -> FlowField:
        """Return where each pixel of a kept frame will be in the next kept frame.

        Raises:
            DataError: If the frame is the last.
        """
        if index >= self.info.frame_count - 1:
            raise DataError("there is no frame after the last", where=self.video.info.name)
        first = self.whole_index(index)
        return chained_flow(
            self.video.forward_flow(whole) for whole in range(first, first + self.tau)
        )


def dropped(video: Video, tau: int, phase: int) -> DroppedVideo:
    """Drop frames; a known video stays known."""
    if isinstance(video, AnnotatedVideo):
        return DroppedAnnotatedVideo(video, tau, phase)
    return DroppedVideo(video, tau, phase)
