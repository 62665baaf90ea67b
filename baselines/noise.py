"""Faults of a segmenter, added to perfect segments in known doses."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import check_range
from mapt_bench.labels import LabelSpace
from mapt_bench.tracking import FrameSegments
from mapt_bench.tracking.masks import segment_boxes

__all__ = ["SegmentNoise", "add_noise"]

_SOUND_SCORES = (0.7, 1.0)
_FAULTY_SCORES = (0.4, 0.8)
_SPURIOUS_SCORES = (0.05, 0.5)


@dataclass(frozen=True, kw_only=True)
class SegmentNoise:
    """How much goes wrong, frame by frame and independently of other frames.

    Sound segments score 0.7 to 1, faulty ones 0.4 to 0.8, spurious ones 0.05 to 0.5, so that a
    score says something, but not everything. Pixels that a fault uncovers become void.

    Attributes:
        missed: Probability that a segment is not found.
        merged: Probability that a segment is joined to the nearest one of its class, if that lies
            within ``merge_gap_px``.
        eroded: Probability that a segment loses a rim of ``erosion_px``; what would vanish stays.
        wrong_class: Probability that a segment is called another thing class, where the label
            space has one.
        spurious: Mean number of ellipses a frame where there is no object.
        erosion_px: Width of the rim in pixels.
        merge_gap_px: Largest gap between the boxes of segments that may be joined, in pixels.

    Raises:
        ConfigError: If a value lies outside its range.
    """

    missed: float = 0.0
    merged: float = 0.0
    eroded: float = 0.0
    wrong_class: float = 0.0
    spurious: float = 0.0
    erosion_px: int = 2
    merge_gap_px: int = 16

    def __post_init__(self) -> None:
        for name in ("missed", "merged", "eroded", "wrong_class"):
            check_range(name, getattr(self, name), 0, 1)
        check_range("spurious", self.spurious, 0, 100)
        check_range("erosion_px", self.erosion_px, 1)
        check_range("merge_gap_px", self.merge_gap_px, 0)


def add_noise(
    segments: FrameSegments, noise: SegmentNoise, labels: LabelSpace, rng: np.random.Generator
) -> FrameSegments:
    """Return segments with faults and fitting scores, in a new random order.

    Args:
        segments: Sound segments without embeddings.
        noise: How much goes wrong.
        labels: Gives thing classes and void.
        rng: Decides what goes wrong.
    """
    index_map = segments.index_map.copy()
    stuff = segments.stuff.copy()
    classes = segments.class_ids.copy()
    count = segments.count
    faulty = np.zeros(count, dtype=bool)

    for k in np.flatnonzero(rng.random(count) < noise.missed):
        index_map[index_map == k] = -1
    _merge(index_map, classes, faulty, noise, rng)
    for k in np.flatnonzero(rng.random(count) < noise.eroded):
        faulty[k] |= _erode(index_map, int(k), noise.erosion_px)
    for k in np.flatnonzero(rng.random(count) < noise.wrong_class):
        others = [thing for thing in labels.thing_ids if thing != classes[k]]
        if others:
            classes[k] = rng.choice(others)
            faulty[k] = True
    scores = np.where(
        faulty, rng.uniform(*_FAULTY_SCORES, count), rng.uniform(*_SOUND_SCORES, count)
    )
    for _ in range(rng.poisson(noise.spurious) if labels.thing_ids else 0):
        if _add_ellipse(index_map, stuff, len(classes), labels, rng):
            classes = np.append(classes, rng.choice(labels.thing_ids))
            scores = np.append(scores, rng.uniform(*_SPURIOUS_SCORES))
    return _renumbered(
        replace(segments, stuff=stuff, index_map=index_map, class_ids=classes, scores=scores), rng
    )


def _merge(
    index_map: NDArray[np.int32],
    classes: NDArray[np.int64],
    faulty: NDArray[np.bool_],
    noise: SegmentNoise,
    rng: np.random.Generator,
) -> None:
    count = len(classes)
    for k in np.flatnonzero(rng.random(count) < noise.merged):
        boxes = segment_boxes(index_map, count)
        is_there = boxes[:, 2] > boxes[:, 0]
        if not is_there[k]:
            continue
        apart = np.maximum(boxes[:, :2] - boxes[k, 2:], boxes[k, :2] - boxes[:, 2:])
        gap = np.hypot(*np.clip(apart, 0, None).T)
        gap[(classes != classes[k]) | ~is_there] = np.inf
        gap[k] = np.inf
        nearest = int(np.argmin(gap))
        if gap[nearest] <= noise.merge_gap_px:
            index_map[index_map == k] = nearest
            faulty[nearest] = True


def _erode(index_map: NDArray[np.int32], segment: int, width_px: int) -> bool:
    """Take a rim off a segment unless nothing would be left; return whether it was taken."""
    from scipy import ndimage  # slow to import

    mask = index_map == segment
    core = ndimage.binary_erosion(mask, iterations=width_px)
    if not core.any():
        return False
    index_map[mask & ~core] = -1
    return True


def _add_ellipse(
    index_map: NDArray[np.int32],
    stuff: NDArray[np.uint8],
    segment: int,
    labels: LabelSpace,
    rng: np.random.Generator,
) -> bool:
    """Draw a segment over pixels without one; return whether any were left to draw on."""
    height, width = index_map.shape
    center_y, center_x = rng.uniform(0, height), rng.uniform(0, width)
    radius_y, radius_x = rng.uniform(0.03, 0.12) * height, rng.uniform(0.02, 0.06) * width
    y, x = np.ogrid[:height, :width]
    inside = ((y - center_y) / radius_y) ** 2 + ((x - center_x) / radius_x) ** 2 <= 1
    free = inside & (index_map < 0)
    index_map[free] = segment
    stuff[free] = labels.ignore_label
    return bool(free.any())


def _renumbered(segments: FrameSegments, rng: np.random.Generator) -> FrameSegments:
    """Leave out segments without pixels and shuffle the rest."""
    sizes = np.bincount(segments.index_map.ravel() + 1, minlength=segments.count + 1)[1:]
    kept = rng.permutation(np.flatnonzero(sizes))
    place = np.full(segments.count + 1, -1, dtype=np.int32)
    place[kept] = np.arange(len(kept))
    return replace(
        segments,
        index_map=place[segments.index_map],
        class_ids=segments.class_ids[kept],
        scores=segments.scores[kept],
    )
