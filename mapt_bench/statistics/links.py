"""What becomes of the objects from one frame to a later one, and what copying makes of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.statistics.objects import (
    FrameObjects,
    mask_overlaps,
    neighbour_distances,
)

__all__ = ["LEAST_OVERLAP", "Links", "copied_links", "find_links"]

LEAST_OVERLAP = 0.3
"""Copying the last masks links an object to a mask of at least this overlap."""


@dataclass(frozen=True, eq=False, slots=True)
class Links:
    """The ``n`` tracks that two frames have in common, one link each.

    Attributes:
        classes: Class number, ``uint8`` of shape ``(n,)``.
        displacement: Pixels between the centres of the two masks.
        over_size: The same over the square root of the earlier mask's area.
        over_neighbour: The same over the distance from the earlier centre to the nearest other
            one of the class in that frame; NaN where there is no other, or none apart.
        overlap: Intersection over union of the two masks, 0..1.
        is_right: Whether copying gives the later mask its own identity.
        is_wrong: Whether copying gives it that of another object. Neither: a new identity.
    """

    classes: NDArray[np.uint8]
    displacement: NDArray[np.float64]
    over_size: NDArray[np.float64]
    over_neighbour: NDArray[np.float64]
    overlap: NDArray[np.float64]
    is_right: NDArray[np.bool_]
    is_wrong: NDArray[np.bool_]


def find_links(earlier: FrameObjects, later: FrameObjects) -> Links:
    """Measure every track that two frames of a sequence have in common.

    Args:
        earlier: Objects of the one frame.
        later: Objects of the other.
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
    """Link later masks to earlier ones as a tracker does that copies the last masks.

    One to one, within a class, so that the sum of overlaps is greatest (Hungarian method); pairs
    below :data:`LEAST_OVERLAP` count for nothing.

    Args:
        overlaps: ``(n, m)``, values 0..1.
        earlier_classes: Shape ``(n,)``.
        later_classes: Shape ``(m,)``.

    Returns:
        For each later mask the position of its earlier one, or -1; ``int64`` of shape ``(m,)``.

    Example:
        >>> car = np.full(2, 13, dtype=np.uint8)
        >>> copied_links(np.array([[0.9, 0.8], [0.8, 0.1]]), car, car).tolist()
        [1, 0]
    """
    from scipy.optimize import linear_sum_assignment  # slow to import, and few checks need it

    same_class = earlier_classes[:, np.newaxis] == later_classes
    worth = np.where(same_class & (overlaps >= LEAST_OVERLAP), overlaps, 0.0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    is_link = worth[rows, columns] > 0
    copied = np.full(later_classes.size, -1, dtype=np.int64)
    copied[columns[is_link]] = rows[is_link]
    return copied
