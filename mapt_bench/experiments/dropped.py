"""A video of which only every tau-th frame exists, for the tracker and the truth alike."""

from dataclasses import dataclass, replace

from numpy import uint8
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError
from mapt_bench.labels import Frame, PanopticMap, Video, VideoInfo

__all__ = ["DroppedVideo"]


@dataclass(frozen=True, slots=True)
class DroppedVideo:
    """Frames ``phase, phase + tau, phase + 2 tau, ...`` of a video, counted anew from 0.

    Attributes:
        video: The whole video.
        tau: Distance of the kept frames, 1 or more.
        phase: First kept frame, 0 to ``tau - 1``.

    Raises:
        ConfigError: If ``tau`` or ``phase`` is out of range.
    """

    video: Video
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

    @property
    def has_truth(self) -> bool:
        """Whether the whole video has truth."""
        return self.video.has_truth

    def whole_index(self, index: int) -> int:
        """Return where a kept frame lies in the whole video."""
        return self.phase + self.tau * index

    def frame(self, index: int) -> Frame:
        """Return the kept frame at a position, its image unread."""
        whole = self.video.frame(self.whole_index(index))
        if not whole.has_image:
            return Frame(index, whole.name)

        def image() -> NDArray[uint8]:
            return whole.image

        return Frame(index, whole.name, image)

    def truth(self, index: int) -> PanopticMap:
        """Return the ground truth of the kept frame at a position."""
        return self.video.truth(self.whole_index(index))
