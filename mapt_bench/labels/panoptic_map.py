"""The panoptic map: one array with a class and an identity for every pixel of a frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError, counted
from mapt_bench.labels.space import LabelSpace

__all__ = [
    "BACKGROUND_ID",
    "ID_BITS",
    "ID_LIMIT",
    "PanopticMap",
    "background_code",
    "check_classes",
    "check_map_classes",
    "class_areas",
    "pack_codes",
]

ID_BITS = 24
"""A code is ``class << ID_BITS | id``. It holds COCO's 24-bit ids and 256 classes."""

ID_LIMIT = 1 << ID_BITS
"""Identities are smaller than this."""

BACKGROUND_ID = ID_LIMIT - 1
"""Identity of void pixels that are known to contain no object.

Data sets that label objects only (MOTS) have no class for background. Metrics of whole maps treat
these pixels as void. Tracking metrics count an object predicted there as a false positive, but not
an object predicted on other void pixels.
"""


def pack_codes(classes: NDArray[np.integer], ids: NDArray[np.integer]) -> NDArray[np.uint32]:
    """Join class numbers and identities into codes. Ranges are not checked.

    Args:
        classes: Any shape, values 0..255.
        ids: Same shape, values 0..``ID_LIMIT`` - 1.

    Returns:
        ``uint32`` codes ``class << 24 | id`` of the same shape.

    Example:
        >>> [hex(int(code)) for code in pack_codes(np.array([13, 255]), np.array([7, 0]))]
        ['0xd000007', '0xff000000']
    """
    return (classes.astype(np.uint32) << np.uint32(ID_BITS)) | ids.astype(np.uint32)


def background_code(ignore_label: int) -> int:
    """Return the code of background pixels, see :data:`BACKGROUND_ID`."""
    return ignore_label << ID_BITS | BACKGROUND_ID


@dataclass(frozen=True, eq=False, slots=True)
class PanopticMap:
    """Labels of one frame.

    A segment is the set of pixels with one code. Identities of stuff pixels have no meaning.
    Identity 0 on thing pixels means crowd in ground truth, and is an ordinary identity in
    predictions.

    Attributes:
        codes: ``uint32`` array of shape ``(height, width)``, ``class << 24 | id``.

    Raises:
        DataError: If ``codes`` is not a non-empty two-dimensional ``uint32`` array.
    """

    codes: NDArray[np.uint32]

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or self.codes.dtype != np.uint32 or not self.codes.size:
            raise DataError(
                "a panoptic map is a non-empty uint32 array of shape (height, width), found "
                f"{self.codes.dtype} of shape {self.codes.shape}"
            )

    @classmethod
    def from_classes_and_ids(
        cls, classes: NDArray[np.integer], ids: NDArray[np.integer]
    ) -> "PanopticMap":
        """Build a map from two arrays of shape ``(height, width)``.

        Raises:
            DataError: If shapes differ or a value does not fit (class 0..255, id below 2**24).
        """
        if classes.shape != ids.shape:
            raise DataError(f"classes {classes.shape} and ids {ids.shape} differ in shape")
        for name, values, limit in (("class", classes, 256), ("id", ids, ID_LIMIT)):
            if values.size and (values.min() < 0 or values.max() >= limit):
                raise DataError(
                    f"{name} values reach from {values.min()} to {values.max()}; "
                    f"expected 0 to {limit - 1}"
                )
        return cls(pack_codes(classes, ids))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.codes.shape
        return height, width

    @property
    def classes(self) -> NDArray[np.uint8]:
        """Class of each pixel, a new ``uint8`` array of shape ``(height, width)``."""
        return (self.codes >> np.uint32(ID_BITS)).astype(np.uint8)

    @property
    def ids(self) -> NDArray[np.uint32]:
        """Identity of each pixel, a new ``uint32`` array of shape ``(height, width)``."""
        return self.codes & np.uint32(ID_LIMIT - 1)


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
    """Check that the class of every code is void or in the label space.

    Args:
        codes: ``uint32`` codes, any shape. The distinct codes of a map are enough.
        labels: Label space.
        where: File, for the message.
        pixel_counts: Number of pixels of each of ``codes``, same shape, for the message.

    Raises:
        DataError: If a class is unknown. The message names every unknown class number.
    """
    classes = (codes >> np.uint32(ID_BITS)).ravel()
    unknown = ~labels.is_known_table[classes]
    if not unknown.any():
        return
    weights = None if pixel_counts is None else pixel_counts.ravel()[unknown]
    raise _unknown_classes(classes[unknown], weights, labels, where)


def check_map_classes(panoptic: PanopticMap, labels: LabelSpace, where: object) -> None:
    """Check that the class of every pixel is void or in the label space.

    Args:
        panoptic: The map.
        labels: Label space.
        where: File, for the message.

    Raises:
        DataError: If a class is unknown. The message has the number of pixels.
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
        f"{list(labels.class_ids)} and {labels.ignore_label} for void; choose another label space "
        "with --dataset, or label these pixels as void",
        where=where,
    )
