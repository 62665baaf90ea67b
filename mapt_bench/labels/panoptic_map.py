"""The panoptic map: one array with a class and an identity for every pixel of a frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError, DataError, counted, listed
from mapt_bench.labels.space import LabelSpace

__all__ = [
    "BACKGROUND_ID",
    "ID_BITS",
    "ID_LIMIT",
    "PanopticMap",
    "as_panoptic_map",
    "background_code",
    "check_classes",
    "check_map_classes",
    "class_areas",
    "pack_codes",
    "with_one_void",
    "without_void_ids",
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
        empty: Codes of objects that the frame lists with an empty mask. Tracking measures count
            them as masks without a partner. Measures of whole maps do not see them.

    Raises:
        DataError: If ``codes`` is not a non-empty two-dimensional ``uint32`` array.
    """

    codes: NDArray[np.uint32]
    empty: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or self.codes.dtype != np.uint32 or not self.codes.size:
            raise DataError(
                "a panoptic map is a non-empty uint32 array of shape (height, width), found "
                f"{self.codes.dtype} of shape {self.codes.shape}"
            )

    @classmethod
    def from_classes_and_ids(cls, classes: object, ids: object) -> "PanopticMap":
        """Build a map from an array of classes and an array of identities.

        Args:
            classes: Integers of shape ``(height, width)``, 0..255. NumPy array, torch tensor or
                nested lists.
            ids: Integers of the same shape, 0..``2**24 - 1``.

        Raises:
            DataError: If shapes differ, an array does not hold integers, or a value does not fit.

        Example:
            >>> PanopticMap.from_classes_and_ids([[0, 13]], [[0, 7]]).ids.tolist()
            [[0, 7]]
        """
        classes, ids = _integers(classes, "classes"), _integers(ids, "ids")
        if classes.shape != ids.shape:
            raise DataError(
                f"classes {classes.shape} and ids {ids.shape} differ in shape; expected two arrays "
                "of shape (height, width)"
            )
        _check_range("class", classes, 256)
        _check_range("id", ids, ID_LIMIT)
        return cls(pack_codes(classes, ids))

    @classmethod
    def from_packed(cls, packed: object, divisor: int) -> "PanopticMap":
        """Build a map from an array of ``class * divisor + id``.

        Args:
            packed: Integers of shape ``(height, width)``, 0 or more. NumPy array, torch tensor or
                nested lists.
            divisor: Number that separates class and identity, for example 1000.

        Raises:
            ConfigError: If ``divisor`` is below 1.
            DataError: If the array has another shape, does not hold integers, or a value does not
                fit: classes reach to 255 and identities to ``2**24 - 1``.

        Example:
            >>> PanopticMap.from_packed([[0, 13007]], divisor=1000).classes.tolist()
            [[0, 13]]
        """
        if divisor < 1:
            raise ConfigError(f"divisor is {divisor}; expected 1 or more, as in class * 1000 + id")
        values = _integers(packed, "packed labels")
        if values.size and values.min() < 0:
            raise DataError(
                f"packed labels go down to {values.min()}; expected class * {divisor} + id, 0 or "
                f"more; write void as its class number times {divisor}"
            )
        classes, ids = np.divmod(values.astype(np.int64, copy=False), divisor)
        if classes.size and classes.max() > 255:
            raise DataError(
                f"packed labels reach to {values.max()}, which is class {classes.max()} with "
                f"divisor {divisor}; expected classes 0 to 255; check the divisor"
            )
        return cls.from_classes_and_ids(classes, ids)

    @classmethod
    def from_rgb(cls, image: object) -> "PanopticMap":
        """Build a map from an RGB image in KITTI-STEP's coding: R class, ``G * 256 + B`` identity.

        Args:
            image: Integers of shape ``(height, width, 3)``, 0..255. NumPy array or torch tensor.

        Raises:
            DataError: If the array has another shape, does not hold integers, or a value does not
                fit.

        Example:
            >>> PanopticMap.from_rgb([[[13, 1, 2]]]).ids.tolist()
            [[258]]
        """
        pixels = _integers(image, "the image")
        if pixels.ndim != 3 or pixels.shape[2] != 3:
            advice = "; move the channels to the end" if pixels.shape[:1] == (3,) else ""
            raise DataError(
                f"the image has shape {pixels.shape}; expected (height, width, 3){advice}"
            )
        _check_range("colour", pixels, 256)
        wide = pixels.astype(np.uint32, copy=False)
        return cls(pack_codes(wide[..., 0], wide[..., 1] << np.uint32(8) | wide[..., 2]))

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


def as_panoptic_map(
    frame: object, *, divisor: int | None = None, labels: LabelSpace | None = None
) -> PanopticMap:
    """Build a panoptic map from the arrays of one frame, in any of four forms.

    Args:
        frame: One of

            - a :class:`PanopticMap`, which is returned unchanged;
            - a tuple ``(classes, ids)`` of two integer arrays of shape ``(height, width)``;
            - an integer array ``(height, width)`` of ``class * divisor + id``; give ``divisor``;
            - an RGB image ``(height, width, 3)`` in KITTI-STEP's coding: R is the class,
              ``G * 256 + B`` the identity.

            Arrays are NumPy arrays, torch tensors on any device, or nested lists.
        divisor: Number that separates class and identity in a packed array, for example 1000.
        labels: Label space. If given, every class must be void or in it.

    Raises:
        ConfigError: If ``divisor`` is below 1.
        DataError: If shape, type or a value does not fit, or a class is unknown.

    Example:
        >>> import numpy as np
        >>> as_panoptic_map(np.array([[0, 13007]]), divisor=1000).ids.tolist()
        [[0, 7]]
    """
    found = _from_form(frame, divisor)
    if labels is not None:
        found = with_one_void(found, labels)
        check_map_classes(found, labels, None)
        if not isinstance(frame, PanopticMap):
            found = PanopticMap(without_void_ids(found.codes, labels))
    return found


def with_one_void(panoptic: PanopticMap, labels: LabelSpace) -> PanopticMap:
    """Return a map in which the other void numbers of the label space are its ignore label."""
    if not labels.void_labels:
        return panoptic
    is_other = np.isin(panoptic.codes >> np.uint32(ID_BITS), labels.void_labels)
    void = np.uint32(labels.ignore_label << ID_BITS)
    return PanopticMap(np.where(is_other, void, panoptic.codes), panoptic.empty)


def without_void_ids(codes: NDArray[np.uint32], labels: LabelSpace) -> NDArray[np.uint32]:
    """Return codes in which void has identity 0. In files and arrays its identity means nothing.

    The code :func:`background_code` has a meaning of its own, which no file can state.

    Args:
        codes: ``uint32`` codes of any shape.
        labels: Label space.
    """
    is_void = codes >> np.uint32(ID_BITS) == labels.ignore_label
    return np.where(is_void, np.uint32(labels.ignore_label << ID_BITS), codes)


def _from_form(frame: object, divisor: int | None) -> PanopticMap:
    if isinstance(frame, PanopticMap):
        return frame
    if isinstance(frame, tuple):
        if len(frame) != 2:
            raise DataError(
                f"a frame is a tuple of {len(frame)}; expected (classes, ids), two arrays of shape "
                "(height, width)"
            )
        return PanopticMap.from_classes_and_ids(*frame)
    array = _integers(frame, "a frame")
    if array.ndim == 2 and divisor is not None:
        return PanopticMap.from_packed(array, divisor)
    if array.ndim == 2:
        raise DataError(
            f"a frame is one array of shape {array.shape}, and no divisor is given; give a tuple "
            "(classes, ids), or divisor=1000 if the array holds class * 1000 + id"
        )
    if array.ndim == 3 and array.shape[2] == 3:
        return PanopticMap.from_rgb(array)
    raise DataError(
        f"a frame is an array of shape {array.shape}; expected (height, width) with a divisor, "
        "(height, width, 3) in KITTI-STEP's coding, or a tuple (classes, ids); pass one frame at a "
        "time, without a batch dimension"
    )


def _integers(values: object, what: str) -> NDArray[np.integer]:
    """Return labels as an integer array; tensors are known by their methods, so torch stays out."""
    if callable(getattr(values, "detach", None)):
        values = _from_tensor(values, what)
    try:
        array = np.asarray(values)
    except ValueError as problem:  # nested lists of different lengths
        raise DataError(f"{what} cannot be read as an array ({problem})") from problem
    if not np.issubdtype(array.dtype, np.integer):
        raise DataError(
            f"{what} of type {array.dtype}; expected integers; convert them, as in "
            "array.astype(np.int64)"
        )
    return array


def _from_tensor(tensor: Any, what: str) -> object:  # noqa: ANN401 - torch is never imported
    try:
        return tensor.detach().cpu().numpy()
    except (TypeError, RuntimeError) as problem:  # types and layouts that NumPy has not
        raise DataError(
            f"{what} of type {tensor.dtype} cannot be read as a NumPy array ({problem}); expected "
            "a dense tensor of integers, as tensor.long() gives"
        ) from problem


def _check_range(name: str, values: NDArray[np.integer], limit: int) -> None:
    if values.size and (values.min() < 0 or values.max() >= limit):
        raise DataError(
            f"{name} values reach from {values.min()} to {values.max()}; expected 0 to {limit - 1}"
        )


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
    *,
    is_fixed: bool = False,
) -> None:
    """Check that the class of every code is void or in the label space.

    Args:
        codes: ``uint32`` codes, any shape. The distinct codes of a map are enough.
        labels: Label space.
        where: File, for the message.
        pixel_counts: Number of pixels of each of ``codes``, same shape, for the message.
        is_fixed: Whether the user cannot choose another label space, for the message.

    Raises:
        DataError: If a class is unknown. The message names every unknown class number.
    """
    classes = (codes >> np.uint32(ID_BITS)).ravel()
    unknown = ~labels.is_known_table[classes]
    if not unknown.any():
        return
    weights = None if pixel_counts is None else pixel_counts.ravel()[unknown]
    raise _unknown_classes(classes[unknown], weights, labels, where, is_fixed=is_fixed)


def check_map_classes(
    panoptic: PanopticMap, labels: LabelSpace, where: object | None, *, is_fixed: bool = False
) -> None:
    """Check that the class of every pixel is void or in the label space.

    Args:
        panoptic: The map.
        labels: Label space.
        where: File, for the message. ``None`` if there is none.
        is_fixed: Whether the user cannot choose another label space, for the message.

    Raises:
        DataError: If a class is unknown. The message has the number of pixels.
    """
    if labels.is_known_table.take(panoptic.codes >> np.uint32(ID_BITS)).all():
        return
    areas = class_areas(panoptic)
    present = np.flatnonzero(areas)
    codes = present.astype(np.uint32) << np.uint32(ID_BITS)
    check_classes(codes, labels, where, areas[present], is_fixed=is_fixed)


_COLOURS = 40  # no map lacks as many classes of its label space; a photograph does
_VPS_VOID = 32  # class of void in Cityscapes-VPS
_LABEL_IDS = 33  # the last label id of Cityscapes, whose train ids end at 18


def _advice(numbers: NDArray[np.uint32], labels: LabelSpace, *, is_fixed: bool) -> str:
    if numbers.size > _COLOURS:
        return "these look like colours of a picture, not class numbers; give the label maps"
    if is_fixed:
        return f"convert the maps to the classes of {labels.name}, or label these pixels as void"
    of_cityscapes = labels.name in {"kitti-step", "cityscapes"}
    if of_cityscapes and numbers.tolist() == [_VPS_VOID]:
        return (
            f"{_VPS_VOID} is void in Cityscapes-VPS; name the label space, as in --dataset "
            "cityscapes-vps"
        )
    if of_cityscapes and numbers.max() <= _LABEL_IDS:
        return (
            "these look like label ids of Cityscapes (road 7, car 26); expected its train ids "
            "(road 0, car 13); convert the maps, or choose another label space (--dataset)"
        )
    return (
        "choose another label space (--dataset; labels in Python), label these pixels as void, or "
        "write the class in the first channel, as red in RGB (OpenCV writes BGR)"
    )


def _ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers as a text, with runs as their first and last number."""
    starts = [n for n in numbers if n - 1 not in numbers]
    ends = [n for n in numbers if n + 1 not in numbers]
    return ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in zip(starts, ends, strict=True))


def _unknown_classes(
    classes: NDArray[np.uint32],
    pixel_counts: NDArray[np.integer] | None,
    labels: LabelSpace,
    where: object | None,
    *,
    is_fixed: bool,
) -> DataError:
    numbers = np.unique(classes)
    named = listed(numbers)
    noun, verb = ("class", "is") if numbers.size == 1 else ("classes", "are")
    amount = "" if pixel_counts is None else f" ({counted(int(pixel_counts.sum()), 'pixel')})"
    return DataError(
        f"{noun} {named}{amount} {verb} outside the label space {labels.name!r}, which has "
        f"{_ranges(labels.class_ids)}, and {labels.ignore_label} for void; "
        f"{_advice(numbers, labels, is_fixed=is_fixed)}",
        where=where,
    )
