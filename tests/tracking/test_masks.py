import numpy as np
import pytest

from mapt_bench.tracking.affinity import PROXIMITIES, mask_proximity
from mapt_bench.tracking.masks import MAX_MASK_CELLS, mask_stride, segment_boxes, soft_masks


@pytest.mark.parametrize(
    ("height", "width", "stride"), [(128, 416, 1), (256, 256, 1), (257, 256, 2), (375, 1242, 4)]
)
def test_stride_is_the_smallest_power_of_two_that_fits(height, width, stride):
    assert mask_stride(height, width) == stride
    cells = -(-height // stride) * -(-width // stride)
    assert cells <= MAX_MASK_CELLS


def test_soft_masks_average_areas_also_at_ragged_edges():
    # 3 x 5 pixels at stride 2: the last column of cells is one pixel wide, the last row one high.
    index_map = np.array([[0, 0, 1, -1, 1], [0, -1, 1, 1, 1], [0, 0, -1, -1, 1]], dtype=np.int32)
    masks = soft_masks(index_map, 2, 2)
    assert masks.dtype == np.float32
    np.testing.assert_allclose(masks[0], [[0.75, 0, 0], [1, 0, 0]])
    np.testing.assert_allclose(masks[1], [[0, 0.75, 1], [0, 0, 1]])


def test_boxes_end_behind_the_last_pixel_and_absent_segments_have_none():
    index_map = np.full((4, 6), -1, dtype=np.int32)
    index_map[1:3, 2:5] = 1
    np.testing.assert_array_equal(segment_boxes(index_map, 2), [[0, 0, 0, 0], [2, 1, 5, 3]])


def _mask(rows, columns):
    mask = np.zeros((6, 12), dtype=np.float32)
    mask[rows, columns] = 1
    return mask


def test_proximity_by_hand():
    # 8 cells against 4 cells, 2 shared: IoU 2 / 10, over the smaller 2 / 4.
    earlier = _mask(slice(0, 2), slice(0, 4))[None]
    present = _mask(slice(1, 3), slice(2, 4))[None]
    assert mask_proximity(earlier, present, kind="iou")[0, 0] == pytest.approx(0.2)
    assert mask_proximity(earlier, present, kind="overlap-smaller")[0, 0] == pytest.approx(0.5)
    # Centroids (0.5, 1.5) and (1.5, 2.5); sizes sqrt(8) and sqrt(4): their mean is (2.83 + 2) / 2.
    expected = 1 - np.sqrt(2) / (np.sqrt(8) + 2)
    assert mask_proximity(earlier, present, kind="centroid")[0, 0] == pytest.approx(expected)


def test_only_centroids_see_masks_that_do_not_touch():
    earlier, present = _mask(slice(0, 3), slice(0, 3))[None], _mask(slice(0, 3), slice(4, 7))[None]
    assert mask_proximity(earlier, present, kind="iou")[0, 0] == 0
    assert mask_proximity(earlier, present, kind="centroid")[0, 0] > 0.3


@pytest.mark.parametrize("kind", PROXIMITIES)
def test_empty_masks_are_near_nothing(kind):
    nothing = np.zeros((1, 6, 12), dtype=np.float32)
    something = _mask(slice(0, 3), slice(0, 3))[None]
    assert mask_proximity(nothing, something, kind=kind)[0, 0] == 0
    assert mask_proximity(something, nothing, kind=kind)[0, 0] == 0
    assert mask_proximity(nothing[:0], something, kind=kind).shape == (0, 1)


@pytest.mark.parametrize("kind", PROXIMITIES)
def test_a_mask_is_nearest_to_itself(kind):
    soft = np.random.default_rng(0).random((3, 6, 12), dtype=np.float32)
    np.testing.assert_allclose(np.diag(mask_proximity(soft, soft, kind=kind)), 1, rtol=1e-6)
