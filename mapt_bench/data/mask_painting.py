"""Maps painted from the masks of objects."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError, DataError, counted
from mapt_bench.labels import (
    ID_BITS,
    ID_LIMIT,
    LabelSpace,
    PanopticMap,
    background_code,
    label_space,
)

__all__ = ["as_mask", "map_of_masks", "paint_masks"]


def map_of_masks(
    masks: Mapping[int, object],
    classes: Mapping[int, str] | str,
    labels: LabelSpace | str,
    *,
    scores: Mapping[int, float] | None = None,
) -> PanopticMap:
    """Build the map of a frame from masks of objects, as SAM 2 and SAM 3 return them.

    Other pixels are background that is known to hold no object.

    Args:
        masks: Mask of each object by its id, which is 1 or more. Each has shape
            ``(height, width)``, optionally with an axis of length 1 before. NumPy array or torch
            tensor of booleans, or of 0 and 1. At least one.
        classes: Name of the class of each object, or of all objects.
        labels: Label space, or its built-in name.
        scores: Score of each object. Where masks overlap, the higher score is in front. Without
            scores, an overlap is an error.

    Raises:
        ConfigError: If a class is unknown or stuff.
        DataError: If there is no mask, an object has no class or no score, shapes differ, or
            masks overlap.

    Example:
        >>> import numpy as np
        >>> found = map_of_masks({7: np.array([[True, False]])}, "car", "kitti-step")
        >>> found.classes.tolist(), found.ids[0, 0].tolist()
        ([[13, 255]], 7)
    """
    labels = label_space(labels) if isinstance(labels, str) else labels
    arrays = {one: _as_array(mask) for one, mask in masks.items()}
    if not arrays or not all(0 < one < ID_LIMIT - 1 for one in arrays):
        raise DataError(
            f"found masks of the objects {sorted(arrays)}; expected at least one, with ids from 1 "
            f"to {ID_LIMIT - 2}; add 1 to ids that count from 0"
        )
    flat = next((one for one, array in arrays.items() if array.ndim < 2), None)
    if flat is not None:
        raise DataError(
            f"object {flat} has a mask of shape {arrays[flat].shape}; expected (height, width), or "
            "with an axis of length 1 before"
        )
    unscored = next((one for one in arrays if scores is not None and one not in scores), None)
    if unscored is not None:
        raise DataError(f"object {unscored} has no score; add it to scores, or pass no scores")
    height, width = next(iter(arrays.values())).shape[-2:]
    codes = {one: _class_of(one, classes, labels) << ID_BITS | one for one in arrays}
    painted = paint_masks(
        {codes[one]: as_mask(array, (height, width), None) for one, array in arrays.items()},
        labels.ignore_label,
        (height, width),
        None,
        None if scores is None else {codes[one]: scores[one] for one in arrays},
    )
    return PanopticMap(painted)


def _as_array(mask: Any) -> NDArray[Any]:  # noqa: ANN401 - torch is never imported
    return np.asarray(mask.detach().cpu() if hasattr(mask, "detach") else mask)


def _class_of(identity: int, classes: Mapping[int, str] | str, labels: LabelSpace) -> int:
    name = classes if isinstance(classes, str) else classes.get(identity)
    if name is None:
        raise DataError(f"object {identity} has no class; add it to classes")
    entry = labels.by_name(name)
    if not entry.is_thing:
        raise ConfigError(f"{name!r} is stuff in the label space {labels.name!r}; name a thing")
    return entry.class_id


def paint_masks(
    masks: Mapping[int, NDArray[np.bool_]],
    void_class: int,
    size: tuple[int, int],
    where: object,
    scores: Mapping[int, float] | None = None,
) -> NDArray[np.uint32]:
    """Paint the masks of a frame on background that is known to hold no object.

    Args:
        masks: Mask of shape ``size`` by code, ``class << 24 | id``.
        void_class: Class number of background.
        size: Height and width in pixels.
        where: File and frame, for messages.
        scores: Score by code. Where masks overlap, the higher score is in front.

    Returns:
        ``uint32`` codes of shape ``size``.

    Raises:
        DataError: If masks overlap and there are no scores.
    """
    background = background_code(void_class)
    codes = np.full(size, background, dtype=np.uint32)
    order = sorted(masks, key=lambda one: (scores[one], -one)) if scores else sorted(masks)
    for code in order:
        mask = masks[code]
        shared = codes[mask & (codes != background)] if scores is None else codes[:0, 0]
        if shared.size:
            raise DataError(
                f"the masks of objects {int(shared[0]) & (ID_LIMIT - 1)} and "
                f"{code & (ID_LIMIT - 1)} overlap in {counted(shared.size, 'pixel')}; expected "
                "each pixel to belong to one object; write masks that do not overlap (SAM 2: "
                "non_overlap_masks=True), or add their scores",
                where=where,
            )
        codes[mask] = code
    return codes


def as_mask(array: NDArray[Any], size: tuple[int, int], where: object) -> NDArray[np.bool_]:
    """Return an array as a mask.

    Args:
        array: True and false, 0 and 1, or 0 and 255. It may have leading axes of length 1.
        size: Height and width in pixels.
        where: File and frame, for messages.

    Raises:
        DataError: If the shape or a value does not fit.
    """
    found = array.reshape(array.shape[-2:]) if array.shape[:-2] in {(), (1,), (1, 1)} else array
    if found.shape != size:
        raise DataError(
            f"has a mask of shape {array.shape}; expected {size} as in the other frames, or with "
            "an axis of length 1 before",
            where=where,
        )
    if found.dtype == bool:
        return found
    values = np.unique(found)
    if found.dtype.kind in "iu" and values.size <= 2 and not set(values.tolist()) - {0, 1, 255}:
        return found > 0
    raise DataError(
        f"has a mask of {found.dtype} with values {values[:3].tolist()}; expected true and false, "
        "or 0 and 1; compare logits with their threshold, as in logits > 0",
        where=where,
    )
