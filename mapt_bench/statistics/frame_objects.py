"""Objects of a frame, and links of the same object between two frames."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, PanopticMap

__all__ = [
    "LEAST_OVERLAP",
    "FrameObjects",
    "Links",
    "copied_links",
    "find_links",
    "find_objects",
    "mask_overlaps",
    "neighbour_distances",
]


@dataclass(frozen=True, eq=False, slots=True)
class FrameObjects:
    """The ``n`` visible tracked objects of a frame, without crowd (identity 0).

    Attributes:
        codes: ``class << 24 | id``, ``uint32`` of shape ``(n,)``, ascending.
        areas: Pixels, ``int64`` of shape ``(n,)``, each at least 1.
        centres: Mean of the pixels' (x, y), ``float64`` of shape ``(n, 2)``.
        frame_px: Pixels of the whole frame.
        places: Row-major positions of the pixels of all objects, ascending.
        owners: For each of ``places``, the index of its object in ``codes``.
    """

    codes: NDArray[np.uint32]
    areas: NDArray[np.int64]
    centres: NDArray[np.float64]
    frame_px: int
    places: NDArray[np.int64]
    owners: NDArray[np.int64]

    @property
    def classes(self) -> NDArray[np.uint8]:
        """Class number of each object, ``uint8`` of shape ``(n,)``."""
        return (self.codes >> np.uint32(ID_BITS)).astype(np.uint8)


def find_objects(panoptic: PanopticMap, labels: LabelSpace) -> FrameObjects:
    """Find the objects of a map.

    Args:
        panoptic: The map.
        labels: Label space; its thing classes are tracked.

    Example:
        >>> from mapt_bench.labels import label_space
        >>> car = 13 << 24 | 1
        >>> codes = np.array([[0, car, car], [0, car, car]], dtype=np.uint32)
        >>> found = find_objects(PanopticMap(codes), label_space("kitti-step"))
        >>> found.areas.tolist(), found.centres.tolist()
        ([4], [[1.5, 0.5]])
    """
    pixels = panoptic.codes.ravel()
    is_object = labels.is_thing_table[pixels >> np.uint32(ID_BITS)]
    places = np.flatnonzero(is_object & ((pixels & np.uint32(ID_LIMIT - 1)) > 0))
    codes, owners, areas = np.unique(pixels[places], return_inverse=True, return_counts=True)
    rows, columns = np.divmod(places, panoptic.shape[1])
    sums = [np.bincount(owners, axis, minlength=codes.size) for axis in (columns, rows)]
    centres = np.stack(sums, axis=1) / areas[:, np.newaxis]
    return FrameObjects(codes, areas, centres, pixels.size, places, owners)


def mask_overlaps(earlier: FrameObjects, later: FrameObjects) -> NDArray[np.float64]:
    """Return the intersection over union of all pairs of masks.

    Args:
        earlier: ``n`` objects.
        later: ``m`` objects of a frame of the same size.

    Returns:
        Values in ``[0, 1]`` of shape ``(n, m)``.
    """
    count, later_count = earlier.codes.size, later.codes.size
    _, of_earlier, of_later = np.intersect1d(
        earlier.places, later.places, assume_unique=True, return_indices=True
    )
    pairs = earlier.owners[of_earlier] * later_count + later.owners[of_later]
    shared = np.bincount(pairs, minlength=count * later_count).reshape(count, later_count)
    return shared / (earlier.areas[:, np.newaxis] + later.areas - shared)


def neighbour_distances(objects: FrameObjects) -> NDArray[np.float64]:
    """Return the distance to the centre of the nearest other object of the same class.

    Returns:
        Pixels, shape ``(n,)``; infinite for an object that is alone in its class.
    """
    offsets = objects.centres[:, np.newaxis] - objects.centres
    distances = np.hypot(offsets[..., 0], offsets[..., 1])
    classes = objects.classes
    distances[classes[:, np.newaxis] != classes] = np.inf
    np.fill_diagonal(distances, np.inf)
    return np.asarray(distances.min(axis=1, initial=np.inf), dtype=np.float64)


LEAST_OVERLAP = 0.3
"""Smallest overlap at which copying the last masks links an object."""


@dataclass(frozen=True, eq=False, slots=True)
class Links:
    """Links of the ``n`` tracks that two frames have in common.

    Attributes:
        classes: Class number, ``uint8`` of shape ``(n,)``.
        displacement: Distance between the centres of the two masks in pixels.
        over_size: Displacement divided by the square root of the earlier mask's area.
        over_neighbour: Displacement divided by the distance to the nearest other centre of the
            class in the earlier frame; NaN if there is no other, or at distance 0.
        overlap: Intersection over union of the two masks, 0..1.
        is_right: Whether copying gives the later mask its own identity.
        is_wrong: Whether copying gives it the identity of another object. If neither, it gets a new
            identity.
    """

    classes: NDArray[np.uint8]
    displacement: NDArray[np.float64]
    over_size: NDArray[np.float64]
    over_neighbour: NDArray[np.float64]
    overlap: NDArray[np.float64]
    is_right: NDArray[np.bool_]
    is_wrong: NDArray[np.bool_]


def find_links(earlier: FrameObjects, later: FrameObjects) -> Links:
    """Measure the links between two frames of a sequence.

    Args:
        earlier: Objects of the earlier frame.
        later: Objects of the later frame.
    """
    _, from_, to = np.intersect1d(
        earlier.codes, later.codes, assume_unique=True, return_indices=True
    )
    overlaps = mask_overlaps(earlier, later)
    copied = copied_links(overlaps, earlier.classes, later.classes)[to]
    steps = later.centres[to] - earlier.centres[from_]
    displacement = np.hypot(steps[:, 0], steps[:, 1])
    distances = neighbour_distances(earlier)[from_]
    is_apart = np.isfinite(distances) & (distances > 0)
    over_neighbour = np.full(displacement.shape, np.nan)
    np.divide(displacement, distances, out=over_neighbour, where=is_apart)
    return Links(
        classes=later.classes[to],
        displacement=displacement,
        over_size=displacement / np.sqrt(earlier.areas[from_]),
        over_neighbour=over_neighbour,
        overlap=overlaps[from_, to],
        is_right=copied == from_,
        is_wrong=(copied >= 0) & (copied != from_),
    )


def copied_links(
    overlaps: NDArray[np.float64],
    earlier_classes: NDArray[np.uint8],
    later_classes: NDArray[np.uint8],
) -> NDArray[np.int64]:
    """Link later masks to earlier ones, like a tracker that copies the last masks.

    Links are one to one, within a class, with the largest sum of overlaps (Hungarian method). Pairs
    below :data:`LEAST_OVERLAP` are ignored.

    Args:
        overlaps: ``(n, m)``, values 0..1.
        earlier_classes: Shape ``(n,)``.
        later_classes: Shape ``(m,)``.

    Returns:
        For each later mask the index of its earlier one, or -1; ``int64`` of shape ``(m,)``.

    Example:
        >>> car = np.full(2, 13, dtype=np.uint8)
        >>> copied_links(np.array([[0.9, 0.8], [0.8, 0.1]]), car, car).tolist()
        [1, 0]
    """
    from scipy.optimize import linear_sum_assignment  # slow to import, and rarely needed

    same_class = earlier_classes[:, np.newaxis] == later_classes
    worth = np.where(same_class & (overlaps >= LEAST_OVERLAP), overlaps, 0.0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    is_link = worth[rows, columns] > 0
    copied = np.full(later_classes.size, -1, dtype=np.int64)
    copied[columns[is_link]] = rows[is_link]
    return copied
