"""DSTQ: worked by hand, and where it is undefined."""

import numpy as np
import pytest

from mapt_bench.errors import ProtocolError
from mapt_bench.metrics.depth import count_depth, depth_block, depth_scores


def depth(*values):
    return np.array([values], dtype=np.uint16)


def test_a_scene_by_hand():
    # factors: 1, 1.25 (exactly), 1.1 (exactly), 1.26, no prediction, no ground truth
    sums = count_depth(depth(256, 400, 110, 100, 50, 0), depth(256, 500, 100, 126, 0, 70))
    assert (sums.pixels, sums.inliers.tolist()) == (5, [3, 2])
    scores = depth_scores(sums, {"STQ": 0.5})
    quality = (3 / 5 * 2 / 5) ** 0.5
    assert scores["DQ"] == pytest.approx(quality)
    assert scores["DSTQ"] == pytest.approx((0.5 * 0.5 * quality) ** (1 / 3))
    block = depth_block(sums, {"STQ": 0.5})
    assert block["DQ@1.25"] == 3 / 5
    assert block["DQ@1.1"] == 2 / 5
    assert block["DSTQ@1.1"] == pytest.approx((0.25 * 2 / 5) ** (1 / 3))


def test_too_near_is_as_wrong_as_too_far():
    far, near = count_depth(depth(100), depth(126)), count_depth(depth(126), depth(100))
    assert far.inliers.tolist() == near.inliers.tolist() == [0, 0]


def test_thresholds_are_exact_for_large_depths():
    assert count_depth(depth(59577), depth(65534)).inliers.tolist() == [1, 1]  # 1.09999
    assert count_depth(depth(59577), depth(65535)).inliers.tolist() == [1, 0]  # 1.1000050


def test_pixels_are_pooled():
    first, second = count_depth(depth(8, 8), depth(8, 80)), count_depth(depth(8), depth(8))
    assert depth_scores(first + second, {"STQ": 1.0})["DQ"] == pytest.approx(2 / 3)


def test_undefined_where_there_is_no_depth():
    nothing = count_depth(depth(0), depth(7))
    assert depth_scores(None, {"STQ": 1.0}) == {"DQ": None, "DSTQ": None}
    assert depth_scores(nothing, {"STQ": 1.0}) == {"DQ": None, "DSTQ": None}
    assert depth_block(nothing, {"STQ": 1.0})["DSTQ@1.1"] is None
    known = count_depth(depth(7), depth(7))
    assert depth_scores(known, {"STQ": None}) == {"DQ": 1.0, "DSTQ": None}
    assert depth_scores(count_depth(depth(7), depth(0)), {"STQ": 1.0})["DSTQ"] == 0


def test_sizes_must_agree():
    with pytest.raises(ProtocolError, match="expected equal sizes"):
        count_depth(depth(1), depth(1, 2))
