"""Cut-outs of things, scaled so that they cover a share of something."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import Frame, Video
from mapt_bench.stress.survey import Box

__all__ = ["Cutout", "Placing", "cut_out", "place"]

_BISECTIONS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A thing without its surroundings.

    Attributes:
        mask: Its silhouette without holes, ``bool`` of shape ``(h, w)``.
        frame: Where its image comes from, read when it is first painted.
        top: Row of its first row there.
        left: Column of its first column there.
        is_mirrored: Whether left has become right.
    """

    mask: NDArray[np.bool_]
    frame: Frame
    top: int
    left: int
    is_mirrored: bool

    def scaled(self, scale: float) -> NDArray[np.bool_]:
        """Return the silhouette at another size, at least a pixel each way."""
        height, width = (max(1, round(side * scale)) for side in self.mask.shape)
        plain = self.mask.astype(np.uint8)
        return cv2.resize(plain, (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)

    def painted(self, height: int, width: int) -> NDArray[np.uint8]:
        """Return its image at another size, ``uint8`` RGB of shape ``(height, width, 3)``.

        Raises:
            DataError: If the video has no images.
        """
        rows, columns = self.mask.shape
        image = self.frame.image[self.top : self.top + rows, self.left : self.left + columns]
        if self.is_mirrored:
            image = image[:, ::-1]
        how = cv2.INTER_AREA if height < rows else cv2.INTER_LINEAR
        resized = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=how)
        return np.asarray(resized, dtype=np.uint8)

    def depth_inside(self) -> tuple[float, tuple[int, int]]:
        """Return the radius of the largest circle inside, and its centre as (row, column)."""
        padded = np.pad(self.mask, 1).astype(np.uint8)
        distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        row, column = np.unravel_index(int(distance.argmax()), distance.shape)
        return float(distance.max()), (int(row), int(column))


def cut_out(video: Video, code: int, index: int, box: Box, *, mirror: bool) -> Cutout:
    """Cut a thing out of a frame: its largest piece, holes filled.

    Args:
        video: With truth.
        code: The thing.
        index: The frame.
        box: Where it is there.
        mirror: Whether left becomes right.
    """
    place_of = np.s_[box.top : box.bottom, box.left : box.right]
    pixels = (video.truth(index).codes[place_of] == code).astype(np.uint8)
    outlines, _ = cv2.findContours(pixels, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(outlines, key=cv2.contourArea)
    left, top, width, height = cv2.boundingRect(largest)
    filled = np.zeros_like(pixels)
    cv2.drawContours(filled, [largest], -1, 1, thickness=-1)
    mask = filled[top : top + height, left : left + width].astype(bool)
    return Cutout(
        mask=np.ascontiguousarray(mask[:, ::-1]) if mirror else mask,
        frame=video.frame(index),
        top=box.top + top,
        left=box.left + left,
        is_mirrored=mirror,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Placing:
    """Where a cut-out lies over a thing.

    Attributes:
        top: Row of its first row, from that of the thing's box.
        left: Column of its first column, likewise.
        mask: Its silhouette at its size.
        share: Which share of the thing it covers, 0..1.
    """

    top: int
    left: int
    mask: NDArray[np.bool_]
    share: float


def place(cutout: Cutout, thing: NDArray[np.bool_], share: float) -> Placing:
    """Lay a cut-out over the middle of a thing, as large as it must be to cover a share of it.

    Args:
        cutout: What is laid over.
        thing: The silhouette of the thing in its box.
        share: What it is to cover, 0..1.
    """
    radius, inmost = cutout.depth_inside()
    # At this size the largest circle inside the cut-out contains the whole box.
    low, high = 0.0, (float(np.hypot(*thing.shape)) / 2 + 2) / max(radius - 0.5, 0.5)
    best = _laid(cutout, thing, high, inmost)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        tried = _laid(cutout, thing, middle, inmost)
        if abs(tried.share - share) <= abs(best.share - share):
            best = tried
        low, high = (low, middle) if tried.share >= share else (middle, high)
    return best


def _laid(
    cutout: Cutout, thing: NDArray[np.bool_], scale: float, inmost: tuple[int, int]
) -> Placing:
    mask = cutout.scaled(scale)
    top, left = (
        round((side - 1) / 2 - (place + 0.5) * scale + 0.5)
        for side, place in zip(thing.shape, inmost, strict=True)
    )
    return Placing(top, left, mask, _share(thing, mask, top, left))


def _share(thing: NDArray[np.bool_], mask: NDArray[np.bool_], top: int, left: int) -> float:
    first_row, first_column = max(0, top), max(0, left)
    last_row = min(thing.shape[0], top + mask.shape[0])
    last_column = min(thing.shape[1], left + mask.shape[1])
    if first_row >= last_row or first_column >= last_column:
        return 0.0
    part = thing[first_row:last_row, first_column:last_column]
    over = mask[first_row - top : last_row - top, first_column - left : last_column - left]
    return int(np.count_nonzero(part & over)) / int(np.count_nonzero(thing))
