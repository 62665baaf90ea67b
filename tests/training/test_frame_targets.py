import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mapt_bench.labels import BACKGROUND_ID, PanopticMap, label_space, pack_codes
from mapt_bench.training.clips import frame_targets

KITTI = label_space("kitti-step")
ROAD, PERSON, CAR, VOID = 0, 11, 13, 255


def drawn(classes, ids):
    return PanopticMap(pack_codes(np.array(classes), np.array(ids)))


def test_a_frame_by_hand():
    panoptic = drawn(
        [[ROAD, CAR, CAR, PERSON], [ROAD, ROAD, CAR, CAR], [VOID, VOID, PERSON, ROAD]],
        [[0, 5, 5, 5], [0, 0, 5, 0], [0, BACKGROUND_ID, 2, 0]],
    )
    targets = frame_targets(panoptic, KITTI)
    # Codes ascend: person 2, person 5, car 5; person is the first thing class, car the second.
    assert targets.labels.tolist() == [1, 1, 2]
    assert targets.track_ids.tolist() == [PERSON << 24 | 2, PERSON << 24 | 5, CAR << 24 | 5]
    assert targets.boxes.tolist() == [[2, 2, 3, 3], [3, 0, 4, 1], [1, 0, 3, 2]]
    assert targets.masks[2].int().tolist() == [[0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    # The car without identity, and void; not the void that was seen to be empty.
    assert targets.crowd.int().tolist() == [[0, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]]
    assert targets.semantic.tolist() == panoptic.classes.tolist()
    assert targets.semantic.dtype == targets.labels.dtype == targets.track_ids.dtype == torch.int64
    assert targets.boxes.dtype == torch.float32
    assert targets.masks.dtype == targets.crowd.dtype == torch.bool


def test_a_frame_without_things_is_valid():
    targets = frame_targets(drawn([[ROAD, VOID]], [[0, 0]]), KITTI)
    assert targets.boxes.shape == (0, 4)
    assert targets.masks.shape == (0, 1, 2)
    assert targets.labels.shape == targets.track_ids.shape == (0,)


def test_slivers_become_crowd():
    panoptic = drawn([[CAR, CAR, CAR, CAR]], [[1, 2, 2, 2]])
    targets = frame_targets(panoptic, KITTI, min_thing_px=2)
    assert targets.track_ids.tolist() == [CAR << 24 | 2]
    assert targets.crowd.tolist() == [[True, False, False, False]]


@given(arrays(np.int64, (5, 7), elements=st.integers(0, 11)))
def test_every_thing_pixel_is_in_one_mask_or_in_the_crowd(draws):
    classes = np.array([ROAD, PERSON, CAR, VOID])[draws % 4]
    targets = frame_targets(PanopticMap(pack_codes(classes, draws // 4)), KITTI)
    owners = targets.masks.sum(0) + targets.crowd
    is_known_or_thing = np.isin(classes, [PERSON, CAR, VOID])
    assert np.array_equal(owners.numpy(), is_known_or_thing.astype(np.int64))
    for (left, top, right, bottom), mask in zip(targets.boxes.int(), targets.masks, strict=True):
        rows, columns = torch.where(mask)
        assert (left, right) == (columns.min(), columns.max() + 1)
        assert (top, bottom) == (rows.min(), rows.max() + 1)
