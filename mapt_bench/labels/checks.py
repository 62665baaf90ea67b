"""Checks of a map against its label space."""

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError, counted
from mapt_bench.labels.panoptic_map import ID_BITS, PanopticMap
from mapt_bench.labels.space import LabelSpace

__all__ = ["check_classes", "check_map_classes", "class_areas"]


def class_areas(panoptic: PanopticMap) -> NDArray[np.int64]:
    """Count the pixels of each class number.

    Returns:
        ``int64`` of shape ``(256,)``.

    Example:
        >>> codes = np.array([[3 << 24, 3 << 24 | 1]], dtype=np.uint32)
        >>> int(class_areas(PanopticMap(codes))[3])
        2
    """
    areas = np.bincount((panoptic.codes >> np.uint32(ID_BITS)).ravel(), minlength=256)
    return areas.astype(np.int64, copy=False)


def check_classes(
    codes: NDArray[np.uint32],
    labels: LabelSpace,
    where: object | None = None,
    pixel_counts: NDArray[np.integer] | None = None,
) -> None:
    """Refuse codes whose class is neither in the label space nor void.

    Args:
        codes: ``uint32`` codes, any shape; the distinct ones of a map are enough.
        labels: Label space.
        where: File, for the message.
        pixel_counts: How many pixels each of ``codes`` has, same shape, for the message.

    Raises:
        DataError: If there is such a code; the message names every class number.
    """
    classes = (codes >> np.uint32(ID_BITS)).ravel()
    unknown = ~labels.is_known_table[classes]
    if not unknown.any():
        return
    weights = None if pixel_counts is None else pixel_counts.ravel()[unknown]
    raise _unknown_classes(classes[unknown], weights, labels, where)


def check_map_classes(panoptic: PanopticMap, labels: LabelSpace, where: object) -> None:
    """Refuse a map with a pixel whose class is neither in the label space nor void.

    Args:
        panoptic: The map.
        labels: Label space.
        where: File, for the message.

    Raises:
        DataError: As :func:`check_classes`, with the number of pixels.
    """
    areas = class_areas(panoptic)
    present = np.flatnonzero(areas)
    codes = present.astype(np.uint32) << np.uint32(ID_BITS)
    check_classes(codes, labels, where, areas[present])


def _unknown_classes(
    classes: NDArray[np.uint32],
    pixel_counts: NDArray[np.integer] | None,
    labels: LabelSpace,
    where: object | None,
) -> DataError:
    numbers = np.unique(classes)
    named = ", ".join(str(number) for number in numbers)
    noun, verb = ("class", "is") if numbers.size == 1 else ("classes", "are")
    amount = "" if pixel_counts is None else f" ({counted(int(pixel_counts.sum()), 'pixel')})"
    return DataError(
        f"{noun} {named}{amount} {verb} outside the label space {labels.name!r}, which has "
        f"{list(labels.class_ids)} and {labels.ignore_label} for void; choose another with "
        "--dataset, or write void",
        where=where,
    )
