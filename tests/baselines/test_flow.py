import numpy as np
import pytest
from scipy import ndimage

from mapt_bench.baselines.flow_without_network import DisFlow
from mapt_bench.labels import Frame, VideoInfo, label_space
from mapt_bench.tracking import FlowWarp

DOWN, RIGHT = 3, 8
INFO = VideoInfo("drawn", ("0", "1"), 128, 256, label_space("kitti-step"), has_images=True)


def _texture(seed, height, width):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(height, width)), 1.5)
    return np.clip(128 + 160 * noise, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def _frame(index):
    """A textured square of 48 pixels moves over a textured ground that stands still."""
    image = _texture(1, 128, 256)
    top, left = 30 + DOWN * index, 60 + RIGHT * index
    image[top : top + 48, left : left + 48] = _texture(2, 48, 48)
    return Frame(index, str(index), lambda: image)


def _mask(index):
    mask = np.zeros((1, 128, 256), dtype=np.float32)
    mask[0, 30 + DOWN * index : 78 + DOWN * index, 60 + RIGHT * index : 108 + RIGHT * index] = 1
    return mask


def _iou(first, second):
    return (first & second).sum() / (first | second).sum()


@pytest.mark.parametrize("preset", ["fast", "medium"])
def test_flow_has_size_and_sign_of_the_motion(preset):
    source = DisFlow(preset=preset)
    source.start(INFO)
    flow = source.flow(_frame(0), _frame(1))
    assert flow.shape == (128, 256, 2)
    assert flow.dtype == np.float32
    np.testing.assert_allclose(np.median(flow[40:70, 70:100], axis=(0, 1)), [RIGHT, DOWN], atol=1.5)
    np.testing.assert_allclose(np.median(flow[:, 160:], axis=(0, 1)), [0, 0], atol=0.2)


def test_flow_carries_a_mask_onto_the_object_that_moved():
    warp = FlowWarp(DisFlow())
    warp.start(INFO)
    moved = warp.propagate(_mask(0), _frame(0), _frame(1)) > 0.5
    there = _mask(1) > 0
    assert _iou(moved, there) > 0.85
    assert _iou(_mask(0) > 0, there) < 0.7
    # Backwards in time it leads back.
    back = warp.propagate(_mask(1), _frame(1), _frame(0)) > 0.5
    assert _iou(back, _mask(0) > 0) > 0.85


def test_flow_is_computed_and_given_on_the_scaled_grid():
    source = DisFlow(height=64)
    source.start(INFO)
    flow = source.flow(_frame(0), _frame(1))
    assert flow.shape == (64, 128, 2)
    np.testing.assert_allclose(np.median(flow[20:35, 35:50], axis=(0, 1)), [4, 1.5], atol=0.8)


def test_flow_needs_a_start():
    with pytest.raises(RuntimeError, match="start"):
        DisFlow().flow(_frame(0), _frame(1))
