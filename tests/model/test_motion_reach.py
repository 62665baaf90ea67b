"""The reach of a motion head: the largest displacement that its offsets follow."""

import numpy as np
import pytest
import torch

from mapt_bench.baselines.mapt_trackers import motion_reach
from mapt_bench.baselines.tracker_options import MaptOptions
from mapt_bench.model.cues import Motion
from mapt_bench.model.motion_reach import measure_reach
from mapt_bench.tracking import FrameCues, FrameSegments

STRIDE = 4


class Follower:
    """Finds the exact displacement of the whole image, up to a limit, and then nothing."""

    stride = STRIDE

    def __init__(self, limit, part=1.0):
        self.limit, self.part = limit, part
        self.start = None

    def describe(self, image, segments):
        rows = image.astype(np.float32).mean(2)
        cues = FrameCues("follower", rows[None], np.zeros((0, 0), np.float32))
        return FrameSegments(
            segments.stuff, segments.index_map, segments.class_ids, segments.scores, cues=cues
        )

    def motion(self, earlier, later):
        before, now = earlier.features[0], later.features[0]
        width = before.shape[1]
        best = min(
            range(-160, 161, 8),
            key=lambda shift: np.abs(
                before[:, max(shift, 0) : width + min(shift, 0)]
                - now[:, max(-shift, 0) : width - max(shift, 0)]
            ).mean(),
        )
        cells = best * self.part / STRIDE if abs(best) <= self.limit else 0.0
        grid = before.shape[0] // STRIDE, width // STRIDE
        offsets = torch.zeros(1, 2, 9, 2, *grid)
        # The first dilation is twice as far, the second stays: the gate gives half to each.
        offsets[:, 0, :, 1] = 2 * cells
        return Motion(offsets, torch.full((1, 2, *grid), 0.5))


@pytest.mark.parametrize("limit", [0, 8, 72, 160])
def test_the_reach_is_the_last_displacement_that_is_found(limit):
    reach = measure_reach(Follower(limit))
    assert reach.pixels == limit
    assert reach.tried == tuple(range(8, 161, 8))
    wanted = [shift if shift <= limit else 0 for shift in reach.tried]
    np.testing.assert_allclose(reach.found, wanted, atol=1e-4)


def test_half_of_the_displacement_is_enough_and_less_is_not():
    assert measure_reach(Follower(40, part=0.5)).pixels == 40
    assert measure_reach(Follower(40, part=0.49)).pixels == 0


def test_a_head_that_never_learned_to_match_reaches_nowhere(mapt_files):
    reach = motion_reach(MaptOptions(weights=mapt_files / "mapt-tiny.safetensors"))
    assert 0 <= reach["pixels"] < 16
    assert len(reach["tried"]) == len(reach["found"]) == 20
