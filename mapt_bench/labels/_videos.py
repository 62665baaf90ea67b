"""Protocols of videos: frames, ground truth, annotations of synthetic videos.

A tracker receives :class:`Frame` objects only. The ground truth is part of the :class:`Video`,
which trackers never see. This prevents accidental leaks.
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

__all__ = [
    "AnnotatedObject",
    "AnnotatedVideo",
    "FlowField",
    "Frame",
    "MapSequence",
    "Video",
    "VideoInfo",
    "WrappedAnnotatedVideo",
    "WrappedVideo",
]


@dataclass(frozen=True)
class VideoInfo:
    """Description of a video, known before its first frame.

    Attributes:
        name: Sequence name, for example ``"0001"``.
        frame_names: File stem of each frame, in temporal order.
        height: Height of the frames in pixels.
        width: Width of the frames in pixels.
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
    """One frame of a video as a tracker sees it.

    Args:
        index: Position in the video, from 0.
        name: File stem, for example ``"000005"``.
        load_image: Reads the image, ``uint8`` RGB of shape ``(height, width, 3)``. ``None`` if
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
        """RGB image, ``uint8`` of shape ``(height, width, 3)``, read once at first access.

        Raises:
            DataError: If the video has no images.
        """
        if self._load_image is None:
            raise DataError(
                "this frame has no image, but the tracker needs one; give data with images, or "
                "choose a tracker that uses masks only",
                where=self.name,
            )
        return self._load_image()


@runtime_checkable
class Video(Protocol):
    """A sequence of frames. Images and ground truth are optional. Must pickle."""

    @property
    def info(self) -> VideoInfo:
        """Description of the video."""
        ...

    @property
    def has_truth(self) -> bool:
        """Whether the video has ground truth."""
        ...

    def frame(self, index: int) -> Frame:
        """Return the frame at a position. Its image is read at first access."""
        ...

    def truth(self, index: int) -> PanopticMap:
        """Return the ground truth at a position.

        Raises:
            DataError: If the video has no ground truth.
        """
        ...


@runtime_checkable
class MapSequence(Protocol):
    """Panoptic maps of one sequence, read one at a time. Must pickle, because workers read it."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Path of the sequence below its folder. The last part is the sequence name."""
        ...

    @property
    def frame_names(self) -> tuple[str, ...]:
        """Names of the frames in temporal order. Equal names are the same frame."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels, the same for every frame. Read from file headers."""
        ...

    def read(self, index: int) -> PanopticMap:
        """Decode the map at a position of :attr:`frame_names`.

        Raises:
            DataError: If the file is unusable. The message names the file.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedObject:
    """Annotations of one tracked object in one frame, hidden pixels included.

    Attributes:
        code: Code of the object in the panoptic maps, ``class << 24 | id``.
        top: First row of ``amodal`` in the frame.
        left: First column of ``amodal`` in the frame.
        amodal: Amodal mask: the silhouette inside the frame, without occlusion. ``bool`` of shape
            ``(h, w)``, cropped to the object; ``(0, 0)`` if no part is inside the frame.
        visible_px: Pixels of the object in the panoptic map.
        depth: Distance from the camera along the optical axis, in metres.
        speed: Displacement of the centre since the previous frame, in pixels. The centre is that
            of the whole silhouette's bounding box, parts outside the frame included. NaN in the
            first frame, and if a part is behind the camera in one of the two frames.
        look_alike: Number of a group of objects with the same appearance; 0 means no group.
    """

    code: int
    top: int
    left: int
    amodal: NDArray[np.bool_]
    visible_px: int
    depth: float
    speed: float
    look_alike: int

    @property
    def amodal_px(self) -> int:
        """Pixels of the amodal mask."""
        return int(np.count_nonzero(self.amodal))

    @property
    def visible_fraction(self) -> float:
        """``visible_px / amodal_px``. NaN if no part of the object is inside the frame."""
        whole = self.amodal_px
        return self.visible_px / whole if whole else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class FlowField:
    """Optical flow from one frame to another.

    Attributes:
        flow: ``float32`` of shape ``(height, width, 2)``: x (right) and y (down), in pixels.
        valid: ``bool`` of shape ``(height, width)``: whether the same surface point is visible in
            the other frame, and neither pixel is void.
    """

    flow: NDArray[np.float32]
    valid: NDArray[np.bool_]


@runtime_checkable
class AnnotatedVideo(Video, Protocol):
    """A synthetic video with complete annotations: hidden shapes, optical flow and depth."""

    def objects(self, index: int) -> tuple[AnnotatedObject, ...]:
        """Return the tracked objects in a frame, hidden ones included, nearest first."""
        ...

    def backward_flow(self, index: int) -> FlowField:
        """Return the optical flow from a frame to the previous frame.

        Raises:
            DataError: For the first frame.
        """
        ...

    def forward_flow(self, index: int) -> FlowField:
        """Return the optical flow from a frame to the next frame.

        Raises:
            DataError: For the last frame.
        """
        ...


@dataclass(frozen=True)
class WrappedVideo:
    """Base of videos that change another video. Everything else is passed through.

    The annotations of an :class:`AnnotatedVideo` are not passed through; see
    :class:`WrappedAnnotatedVideo`.

    Attributes:
        video: The wrapped video.
    """

    video: Video

    @property
    def info(self) -> VideoInfo:
        """Description of the video."""
        return self.video.info

    @property
    def has_truth(self) -> bool:
        """Whether the video has ground truth."""
        return self.video.has_truth

    def frame(self, index: int) -> Frame:
        """Return the frame at a position. Its image is read at first access."""
        return self.video.frame(index)

    def truth(self, index: int) -> PanopticMap:
        """Return the ground truth at a position."""
        return self.video.truth(index)


@dataclass(frozen=True)
class WrappedAnnotatedVideo(WrappedVideo):
    """Base of annotated videos that change another annotated video."""

    video: AnnotatedVideo

    def objects(self, index: int) -> tuple[AnnotatedObject, ...]:
        """Return the tracked objects in a frame, hidden ones included, nearest first."""
        return self.video.objects(index)

    def backward_flow(self, index: int) -> FlowField:
        """Return the optical flow from a frame to the previous frame."""
        return self.video.backward_flow(index)

    def forward_flow(self, index: int) -> FlowField:
        """Return the optical flow from a frame to the next frame."""
        return self.video.forward_flow(index)
