"""The panoptic map: for every pixel of a frame a class and an identity, in one array."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError

__all__ = ["BACKGROUND_ID", "ID_BITS", "ID_LIMIT", "PanopticMap", "background_code", "pack_codes"]

ID_BITS = 24
"""A code is ``class << ID_BITS | id``: room for COCO's 24-bit ids and for 256 classes."""

ID_LIMIT = 1 << ID_BITS
"""Identities are smaller than this."""

BACKGROUND_ID = ID_LIMIT - 1
"""Void of this identity is background that was seen to be empty of objects.

Data that label objects alone (MOTS) have no class for it, so it is void to every metric of whole
maps; but an object predicted there is a false alarm to the tracking measures, which on other void
it is not.
"""


def pack_codes(classes: NDArray[np.integer], ids: NDArray[np.integer]) -> NDArray[np.uint32]:
    """Join class numbers and identities into codes.

    Args:
        classes: Any shape, values 0..255.
        ids: Same shape, values 0..``ID_LIMIT`` - 1.

    Returns:
        ``uint32`` codes ``class << 24 | id`` of the same shape. Ranges are the caller's to check.

    Example:
        >>> [hex(int(code)) for code in pack_codes(np.array([13, 255]), np.array([7, 0]))]
        ['0xd000007', '0xff000000']
    """
    return (classes.astype(np.uint32) << np.uint32(ID_BITS)) | ids.astype(np.uint32)


def background_code(ignore_label: int) -> int:
    """Return the code of background, see :data:`BACKGROUND_ID`."""
    return ignore_label << ID_BITS | BACKGROUND_ID


@dataclass(frozen=True, eq=False, slots=True)
class PanopticMap:
    """One frame's labels.

    A segment is the set of pixels of equal code. On stuff pixels an identity means nothing; on
    ground-truth thing pixels identity 0 is crowd; in predictions it is an ordinary identity.

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
        """Class of each pixel, ``uint8`` of shape ``(height, width)``; a new array."""
        return (self.codes >> np.uint32(ID_BITS)).astype(np.uint8)

    @property
    def ids(self) -> NDArray[np.uint32]:
        """Identity of each pixel, ``uint32`` of shape ``(height, width)``; a new array."""
        return self.codes & np.uint32(ID_LIMIT - 1)
