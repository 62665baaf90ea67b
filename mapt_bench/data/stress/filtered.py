"""A video whose images are changed, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.stress.visibility import visible_fractions
from mapt_bench.labels import (
    FlowField,
    Frame,
    KnownObject,
    KnownVideo,
    PanopticMap,
    Video,
    VideoInfo,
)

__all__ = ["FilteredKnownVideo", "FilteredVideo", "ImageFilter", "filtered"]

ImageFilter = Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]
"""Turns an RGB image and the frame's position into the stressed image. Must pickle."""


@dataclass(frozen=True)
class FilteredVideo:
    """A video seen through a filter; the truth is that of the video.

    Attributes:
        video: What is filtered.
        image_filter: Changes the images.
    """

    video: Video
    image_filter: ImageFilter

    @property
    def info(self) -> VideoInfo:
        """What is known before the first frame."""
        return self.video.info

    @property
    def has_truth(self) -> bool:
        """Whether the video has truth."""
        return self.video.has_truth

    def frame(self, index: int) -> Frame:
        """Return the frame at a position, its image undrawn."""
        plain = self.video.frame(index)
        return Frame(index, plain.name, lambda: self.image_filter(plain.image, index))

    def truth(self, index: int) -> PanopticMap:
        """Return the ground truth at a position."""
        return self.video.truth(index)

    def visible_fractions(self, index: int) -> dict[int, float] | None:
        """Return what is known of the video."""
        return visible_fractions(self.video, index)


@dataclass(frozen=True)
class FilteredKnownVideo(FilteredVideo):
    """The same of a video whose every answer is known."""

    video: KnownVideo

    def objects(self, index: int) -> tuple[KnownObject, ...]:
        """Return the tracked objects that reach into a frame."""
        return self.video.objects(index)

    def backward_flow(self, index: int) -> FlowField:
        """Return where each pixel of a frame was in the frame before."""
        return self.video.backward_flow(index)

    def forward_flow(self, index: int) -> FlowField:
        """Return where each pixel of a frame will be in the next frame."""
        return self.video.forward_flow(index)


def filtered(video: Video, image_filter: ImageFilter) -> FilteredVideo:
    """Filter a video; a known one stays known."""
    if isinstance(video, KnownVideo):
        return FilteredKnownVideo(video, image_filter)
    return FilteredVideo(video, image_filter)
