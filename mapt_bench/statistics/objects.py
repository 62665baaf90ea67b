"""The objects of one frame: where they are, how large, and which pixels they have."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, PanopticMap

__all__ = ["FrameObjects", "find_objects", "mask_overlaps", "neighbour_distances"]


@dataclass(frozen=True, eq=False, slots=True)
class FrameObjects:
    """The ``n`` tracked objects that are seen in a frame; crowd (identity 0) is none of them.

    Attributes:
        codes: ``class << 24 | id``, ``uint32`` of shape ``(n,)``, ascending.
        areas: Pixels, ``int64`` of shape ``(n,)``, each at least 1.
        centres: Mean of the pixels' (x, y), ``float64`` of shape ``(n, 2)``.
        frame_px: Pixels of the whole frame.
        places: Row-major positions of all the objects' pixels, ascending.
        owners: For each of ``places``, the position of its object in ``codes``.
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
        labels: Says which classes are tracked.

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
    """Return the intersection over union of every mask with every other.

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
    """Return how far the centre of the nearest other object of the same class is.

    Returns:
        Pixels, shape ``(n,)``; infinite for an object that is alone in its class.
    """
    offsets = objects.centres[:, np.newaxis] - objects.centres
    distances = np.hypot(offsets[..., 0], offsets[..., 1])
    classes = objects.classes
    distances[classes[:, np.newaxis] != classes] = np.inf
    np.fill_diagonal(distances, np.inf)
    return np.asarray(distances.min(axis=1, initial=np.inf), dtype=np.float64)
