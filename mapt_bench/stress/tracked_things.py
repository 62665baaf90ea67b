"""Where the tracked things of a video are, and in which frames a stressor can hide each of them."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import LabelSpace, PanopticMap, Video
from mapt_bench.statistics.frame_objects import find_objects

__all__ = ["Box", "Spell", "Survey", "Track", "boxes_of", "choose_spells", "survey"]


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned rectangle in pixels: rows ``top`` to ``bottom - 1``, columns likewise.

    Attributes:
        top: First row.
        left: First column.
        bottom: Row after the last.
        right: Column after the last.
        area: Pixels of the thing inside the rectangle.
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
        """Return the rectangle enlarged on each side, in pixels."""
        return Box(
            int(np.floor(self.top - down)),
            int(np.floor(self.left - across)),
            int(np.ceil(self.bottom + down)),
            int(np.ceil(self.right + across)),
            self.area,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """The tracked things of a video, without crowd (identity 0).

    Attributes:
        tracks: For each code ``class << 24 | id``, its box in each frame in which it is visible.
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
    """Read the ground truth of every frame once. The last few videos are cached.

    Raises:
        DataError: If there is no ground truth.
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


Track = Mapping[int, Box]
"""The box of a thing in each frame in which it is visible."""

Prints = Mapping[int, Box]
"""The rectangle of each frame that an occluder can hide."""


@dataclass(frozen=True, slots=True)
class Spell:
    """Frames in which a thing is hidden.

    Attributes:
        code: The thing.
        start: First frame.
        length: Number of frames.
    """

    code: int
    start: int
    length: int

    @property
    def stop(self) -> int:
        """Frame after the last."""
        return self.start + self.length


def choose_spells(
    found: Survey,
    length_of: Callable[[Track], int],
    footprint: Callable[[Spell, Track], Prints],
    generator: np.random.Generator,
    *,
    touched: float,
) -> tuple[Spell, ...]:
    """Choose as many things as possible, each for one spell.

    Without the occluder, a thing is visible in every frame of its spell, in the frame before and in
    the frame after. An occluder of one chosen thing hides no other, or only a little of it.

    Args:
        found: The things of the video.
        length_of: Returns the number of frames for which a thing is hidden.
        footprint: Returns the rectangles that an occluder may hide.
        generator: Chooses the order of things and the middle of each spell first, so that they do
            not depend on the lengths.
        touched: Share of a thing's box, 0..1, that the occluder of another thing may cover.
    """
    codes = sorted(found.tracks)
    order = generator.permutation(len(codes))
    middles = generator.random(len(codes))
    chosen: list[tuple[Spell, Track, Prints]] = []
    for place in order.tolist():
        code = codes[place]
        track = found.tracks[code]
        for spell in _spells(code, track, length_of(track), middles[place]):
            prints = footprint(spell, track)
            if not any(
                _hides(prints, other_track, touched) or _hides(other_prints, track, touched)
                for _, other_track, other_prints in chosen
            ):
                chosen.append((spell, track, prints))
                break
    return tuple(spell for spell, _, _ in chosen)


def _spells(code: int, track: Track, length: int, middle: float) -> Iterator[Spell]:
    """Yield the possible spells of a thing, nearest to the wanted middle first."""
    frames = np.array(sorted(track))
    # frames[k + 1] to frames[k + length] is a spell if no frame lacks from one before to one after.
    is_whole = frames[length + 1 :] - frames[: max(0, frames.size - length - 1)] == length + 1
    starts = frames[: is_whole.size][is_whole] + 1
    wanted = frames[0] + middle * (frames[-1] - frames[0])
    for start in starts[np.argsort(np.abs(starts + (length - 1) / 2 - wanted), kind="stable")]:
        yield Spell(code, int(start), length)


def _hides(prints: Prints, track: Track, touched: float) -> bool:
    """Whether rectangles cover too much of a thing in some frame."""
    return any(
        box.shared_px(track[frame]) > touched * track[frame].width * track[frame].height
        for frame, box in prints.items()
        if frame in track
    )
