"""What a video is to the rest of the toolkit: frames one by one, and the truth kept apart.

A tracker is handed :class:`Frame` objects only. The truth is reached through the
:class:`Video`, which trackers never see, so nothing leaks by accident.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError
from mapt_bench.labels.panoptic_map import PanopticMap
from mapt_bench.labels.space import LabelSpace

__all__ = ["Frame", "MapSequence", "Video", "VideoInfo"]


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before its first frame.

    Attributes:
        name: Sequence name, for example ``"0001"``.
        frame_names: File stem of each frame, in order of time.
        height: Pixels.
        width: Pixels.
        labels: Label space of the maps.
        has_images: Whether :attr:`Frame.image` can be read.
    """

    name: str
    frame_names: tuple[str, ...]
    height: int
    width: int
    labels: LabelSpace
    has_images: bool

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return len(self.frame_names)


class Frame:
    """One moment of a video as a tracker sees it.

    Args:
        index: Position in the video, from 0.
        name: File stem, for example ``"000005"``.
        load_image: Reads the image, ``uint8`` RGB of shape ``(height, width, 3)``; ``None`` where
            the video has no images.
    """

    def __init__(
        self, index: int, name: str, load_image: Callable[[], NDArray[np.uint8]] | None = None
    ) -> None:
        self.index = index
        self.name = name
        self._load_image = load_image

    @property
    def has_image(self) -> bool:
        """Whether :attr:`image` can be read."""
        return self._load_image is not None

    @cached_property
    def image(self) -> NDArray[np.uint8]:
        """RGB image, ``uint8`` of shape ``(height, width, 3)``, read once when first asked for.

        Raises:
            DataError: If the video has no images.
        """
        if self._load_image is None:
            raise DataError(
                "this frame has no image, but the tracker needs one; give data with images, or "
                "choose a tracker that works on masks alone",
                where=self.name,
            )
        return self._load_image()


@runtime_checkable
class Video(Protocol):
    """A sequence of frames, with or without images, with or without truth. Must pickle."""

    @property
    def info(self) -> VideoInfo:
        """What is known before the first frame."""
        ...

    @property
    def has_truth(self) -> bool:
        """Whether :meth:`truth` can be read."""
        ...

    def frame(self, index: int) -> Frame:
        """Return the frame at a position, images unread."""
        ...

    def truth(self, index: int) -> PanopticMap:
        """Return the ground truth at a position.

        Raises:
            DataError: If there is none.
        """
        ...


@runtime_checkable
class MapSequence(Protocol):
    """Panoptic maps of one sequence, read one at a time. Must pickle (workers read it)."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Path of the sequence below its folder, for matching; the last part is its name."""
        ...

    @property
    def frame_names(self) -> tuple[str, ...]:
        """Names of the frames in order of time; equal names are the same moment."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels, the same for every frame, known from headers."""
        ...

    def read(self, index: int) -> PanopticMap:
        """Decode the map at a position of :attr:`frame_names`.

        Raises:
            DataError: If the file is unusable; the message names it.
        """
        ...
