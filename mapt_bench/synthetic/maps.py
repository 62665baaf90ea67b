"""World videos as sequences of maps, for whatever measures labelled data."""

from dataclasses import dataclass

from mapt_bench.labels import PanopticMap
from mapt_bench.synthetic.video import WorldVideo

__all__ = ["WorldMaps"]


@dataclass(frozen=True, slots=True)
class WorldMaps:
    """The ground truth of a world video; a :class:`~mapt_bench.labels.MapSequence`.

    Attributes:
        video: Whose.
    """

    video: WorldVideo

    @property
    def parts(self) -> tuple[str, ...]:
        """The name of the video."""
        return (self.video.name,)

    @property
    def frame_names(self) -> tuple[str, ...]:
        """Names of the frames in order of time."""
        return self.video.info.frame_names

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.video.info.height, self.video.info.width

    def read(self, index: int) -> PanopticMap:
        """Draw the map at a position of :attr:`frame_names`."""
        return self.video.truth(index)
