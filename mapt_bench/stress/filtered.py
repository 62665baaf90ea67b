"""A video whose images are changed, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import AnnotatedVideo, Frame, Video, WrappedAnnotatedVideo, WrappedVideo
from mapt_bench.stress.visibility import visible_fractions

__all__ = ["FilteredAnnotatedVideo", "FilteredVideo", "ImageFilter", "filtered"]

ImageFilter = Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]
"""Turns an RGB image and the frame's position into the stressed image. Must pickle."""


@dataclass(frozen=True)
class FilteredVideo(WrappedVideo):
    """A video seen through a filter; the truth is that of the video.

    Attributes:
        image_filter: Changes the images.
    """

    image_filter: ImageFilter

    def frame(self, index: int) -> Frame:
        """Return the frame at a position, its image undrawn."""
        plain = self.video.frame(index)
        return Frame(index, plain.name, lambda: self.image_filter(plain.image, index))

    def visible_fractions(self, index: int) -> dict[int, float] | None:
        """Return what is known of the video."""
        return visible_fractions(self.video, index)


@dataclass(frozen=True)
class FilteredAnnotatedVideo(FilteredVideo, WrappedAnnotatedVideo):
    """The same of a video whose every answer is known."""


def filtered(video: Video, image_filter: ImageFilter) -> FilteredVideo:
    """Filter a video; a known one stays known."""
    if isinstance(video, AnnotatedVideo):
        return FilteredAnnotatedVideo(video, image_filter)
    return FilteredVideo(video, image_filter)
