import numpy as np
import pytest
from helpers.scenes import Box, DrawnVideo

from mapt_bench.tracking import FlowWarp, StandStill

SHIFT = 5


class _KnownFlow:
    """The world moves SHIFT pixels to the right and 2 down with every frame."""

    needs_images = False

    def __init__(self, height, width):
        self.size = (height, width)
        self.asked = []

    def start(self, info):
        self.asked = []

    def flow(self, frame_from, frame_to):
        self.asked.append((frame_from.index, frame_to.index))
        frames = frame_to.index - frame_from.index
        scale_y, scale_x = self.size[0] / 48, self.size[1] / 96
        flow = np.zeros((*self.size, 2), dtype=np.float32)
        flow[..., 0] = SHIFT * frames * scale_x
        flow[..., 1] = 2 * frames * scale_y
        return flow


@pytest.fixture
def video():
    return DrawnVideo([[Box(1, 20 + SHIFT * t, 10 + 2 * t)] for t in range(4)])


def _masks():
    masks = np.zeros((2, 48, 96), dtype=np.float32)
    masks[0, 10:22, 20:32] = 1
    masks[1, 30:40, 60:70] = 0.5
    return masks


def test_masks_move_forward_with_a_flow_that_is_asked_for_backwards(video):
    source = _KnownFlow(48, 96)
    moved = FlowWarp(source).propagate(_masks(), video.frame(0), video.frame(2))
    assert source.asked == [(2, 0)]
    expected = np.zeros_like(moved)
    expected[0, 14:26, 30:42] = 1
    expected[1, 34:44, 70:80] = 0.5
    np.testing.assert_allclose(moved, expected)


def test_flow_on_a_coarser_grid_is_stretched_in_length_too(video):
    moved = FlowWarp(_KnownFlow(24, 48)).propagate(_masks(), video.frame(0), video.frame(1))
    assert moved[0, 12:24, 25:37].min() == 1
    assert moved[0].sum() == 144


def test_what_leaves_the_frame_is_gone(video):
    masks = np.zeros((1, 48, 96), dtype=np.float32)
    masks[0, :, 90:] = 1
    moved = FlowWarp(_KnownFlow(48, 96)).propagate(masks, video.frame(0), video.frame(1))
    assert moved[0, :, :95].sum() == 0


def test_no_masks_ask_for_no_flow(video):
    source = _KnownFlow(48, 96)
    nothing = np.zeros((0, 48, 96), dtype=np.float32)
    assert FlowWarp(source).propagate(nothing, video.frame(0), video.frame(1)).shape == (0, 48, 96)
    assert source.asked == []


def test_standing_still_copies(video):
    masks = _masks()
    copied = StandStill().propagate(masks, video.frame(0), video.frame(3))
    np.testing.assert_array_equal(copied, masks)
    assert copied is not masks
