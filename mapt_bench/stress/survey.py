"""Where the tracked things of a video are: one pass over its truth."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import LabelSpace, PanopticMap, Video
from mapt_bench.statistics.objects import find_objects

__all__ = ["Box", "Survey", "boxes_of", "survey"]


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle in pixels: rows ``top`` to ``bottom - 1``, columns alike.

    Attributes:
        top: First row.
        left: First column.
        bottom: Row after the last.
        right: Column after the last.
        area: Pixels of the thing inside, at most those of the rectangle.
    """

    top: int
    left: int
    bottom: int
    right: int
    area: int = 0

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def centre(self) -> tuple[float, float]:
        """Middle as (x, y)."""
        return (self.left + self.right - 1) / 2, (self.top + self.bottom - 1) / 2

    def shared_px(self, other: "Box") -> int:
        """Return how many pixels two rectangles share."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0) * max(height, 0)

    def grown(self, across: float, down: float) -> "Box":
        """Return the rectangle with so many pixels more on each side."""
        return Box(
            int(np.floor(self.top - down)),
            int(np.floor(self.left - across)),
            int(np.ceil(self.bottom + down)),
            int(np.ceil(self.right + across)),
            self.area,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """The tracked things of a video; crowd (identity 0) is none of them.

    Attributes:
        tracks: For each code ``class << 24 | id`` its box in each frame in which it is seen.
        columns: Pixels of things in each column, over all frames: ``int64`` of shape ``(width,)``.
    """

    tracks: Mapping[int, Mapping[int, Box]]
    columns: NDArray[np.int64]


def boxes_of(panoptic: PanopticMap, labels: LabelSpace) -> dict[int, Box]:
    """Return the box of each tracked thing of a map, by code.

    Example:
        >>> from mapt_bench.labels import label_space
        >>> car = 13 << 24 | 1
        >>> panoptic = PanopticMap(np.array([[0, car, car], [0, car, 0]], dtype=np.uint32))
        >>> list(boxes_of(panoptic, label_space("kitti-step")).values())
        [Box(top=0, left=1, bottom=2, right=3, area=3)]
    """
    return _boxes(panoptic, labels)[0]


def _boxes(panoptic: PanopticMap, labels: LabelSpace) -> tuple[dict[int, Box], NDArray[np.intp]]:
    found = find_objects(panoptic, labels)
    rows, columns = np.divmod(found.places, panoptic.shape[1])
    count = found.codes.size
    low = np.full((count, 2), np.iinfo(np.int64).max)
    high = np.full((count, 2), -1)
    for axis, places in enumerate((rows, columns)):
        np.minimum.at(low[:, axis], found.owners, places)
        np.maximum.at(high[:, axis], found.owners, places)
    corners = np.concatenate([low, high + 1, found.areas[:, None]], axis=1).tolist()
    boxes = {int(code): Box(*sides) for code, sides in zip(found.codes, corners, strict=True)}
    return boxes, np.bincount(columns, minlength=panoptic.shape[1])


def survey(video: Video) -> Survey:
    """Read the truth of every frame once; the last few videos are remembered.

    Raises:
        DataError: If there is no truth.
    """
    try:
        hash(video)
    except TypeError:  # a video need not be hashable
        return _survey(video)
    return _remembered(cast("Hashable", video))


def _survey(video: Video) -> Survey:
    info = video.info
    tracks: dict[int, dict[int, Box]] = {}
    columns = np.zeros(info.width, dtype=np.int64)
    for index in range(info.frame_count):
        boxes, histogram = _boxes(video.truth(index), info.labels)
        columns += histogram
        for code, box in boxes.items():
            tracks.setdefault(code, {})[index] = box
    return Survey(tracks, columns)


@lru_cache(maxsize=8)
def _remembered(video: Hashable) -> Survey:
    return _survey(cast("Video", video))
