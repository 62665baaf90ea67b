"""From a panoptic map to what is to be found in a frame."""

import numpy as np
import torch
from numpy.typing import NDArray

from mapt_bench.labels import BACKGROUND_ID, ID_LIMIT, LabelSpace, PanopticMap
from mapt_bench.model.targets import FrameTargets

__all__ = ["frame_targets"]


def frame_targets(
    panoptic: PanopticMap, labels: LabelSpace, *, min_thing_px: int = 1
) -> FrameTargets:
    """Read targets from a map.

    ``track_ids`` are whole codes, ``class << 24 | id``: in KITTI-STEP a car and a person may share
    an id. ``crowd`` holds things of identity 0, things of fewer than ``min_thing_px`` pixels, and
    void that may hide objects; void that was seen to be empty of them
    (:data:`~mapt_bench.labels.BACKGROUND_ID`) is not crowd: an object found there is wrong.

    Args:
        panoptic: The map.
        labels: Its label space.
        min_thing_px: See above.

    Example:
        >>> from mapt_bench.labels import label_space
        >>> car = 13 << 24 | 7
        >>> codes = np.array([[0, car, car], [0, 0, car]], dtype=np.uint32)
        >>> targets = frame_targets(PanopticMap(codes), label_space("kitti-step"))
        >>> targets.boxes.tolist(), targets.labels.tolist(), targets.track_ids.tolist() == [car]
        ([[1.0, 0.0, 3.0, 2.0]], [2], True)
    """
    codes, classes, ids = panoptic.codes, panoptic.classes, panoptic.ids
    is_thing = labels.is_thing_table[classes]
    found, areas = np.unique(codes[is_thing & (ids > 0)], return_counts=True)
    kept = found[areas >= min_thing_px]
    masks = codes[np.newaxis] == kept[:, np.newaxis, np.newaxis]
    is_tracked = masks.any(axis=0)
    is_hidden_ground = (classes == labels.ignore_label) & (ids != BACKGROUND_ID)
    positions = np.searchsorted(labels.thing_ids, kept // ID_LIMIT) + 1
    return FrameTargets(
        semantic=torch.from_numpy(classes.astype(np.int64)),
        boxes=torch.from_numpy(_boxes(masks)),
        labels=torch.from_numpy(positions.astype(np.int64)),
        masks=torch.from_numpy(masks),
        track_ids=torch.from_numpy(kept.astype(np.int64)),
        crowd=torch.from_numpy((is_thing & ~is_tracked) | is_hidden_ground),
    )


def _boxes(masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return left, top, right, bottom of masks that each have a pixel."""
    sides = []
    for axis in (1, 2):  # columns are what is left when rows are joined
        line: NDArray[np.bool_] = np.logical_or.reduce(masks, axis=axis)
        first = line.argmax(axis=1)
        last = line.shape[1] - line[:, ::-1].argmax(axis=1)
        sides.append((first, last))
    (left, right), (top, bottom) = sides
    return np.stack([left, top, right, bottom], axis=1).astype(np.float32)
