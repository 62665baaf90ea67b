import hashlib
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from helpers.scenes import Box, DrawnVideo
from helpers.stress import CAR_1, CAR_2, EVERYWHERE, RECORDED, known, plain

from mapt_bench.stress import Stress, stress_video, visible_fractions


def pair(name, level, index=3, video=RECORDED, seed=0):
    """An image without and with stress, as numbers."""
    stressed = stress_video(video, Stress(name, level, seed))
    return tuple(side.frame(index).image.astype(float) for side in (video, stressed))


@pytest.mark.parametrize("name", ["noise", "exposure", "fog", "rain", "jpeg", "blur", "washed"])
def test_the_truth_stays(name):
    stressed = stress_video(RECORDED, Stress(name, 5))
    assert np.array_equal(stressed.truth(3).codes, RECORDED.truth(3).codes)
    assert visible_fractions(stressed, 3) is None
    video = known()
    stressed = stress_video(video, Stress(name, 5))
    assert visible_fractions(stressed, 1) == visible_fractions(video, 1)
    assert np.array_equal(stressed.backward_flow(1).flow, video.backward_flow(1).flow)


@pytest.mark.parametrize("level", [1, 2])
def test_noise_has_its_deviation(level):
    # On the ground of a drawn scene, whose grey levels of 90 to 120 are far from both limits.
    before, after = pair("noise", level, video=DrawnVideo([[]] * 4))
    difference = after - before
    assert difference.std() == pytest.approx(Stress("noise", level).value, rel=0.05)
    assert abs(difference.mean()) < 0.5


def test_noise_is_another_in_every_frame():
    video = DrawnVideo([[]] * 4)
    first, second = (pair("noise", 2, index, video)[1] for index in (0, 1))
    assert not np.array_equal(first, second)


def test_exposure_swings_by_its_stops():
    video = DrawnVideo([[]] * 6)
    stress = Stress("exposure", 2)  # one stop: a factor of 2 ** (1 / 2.2) = 1.37 at most
    stressed = stress_video(video, stress)
    factors = [
        float((stressed.frame(index).image / video.frame(index).image).mean()) for index in range(6)
    ]
    swings = [2.2 * np.log2(factor) for factor in factors]
    assert all(0.45 <= abs(swing) <= 1.05 for swing in swings)
    assert all(left * right < 0 for left, right in pairwise(swings))


def test_fog_leaves_the_contrast_of_its_distance():
    # Known distances: 60 metres at a visibility of 60 leave 5 % of the difference to the fog.
    scene = [[Box(1, 10, 20, color=(255, 0, 0)), Box(2, 60, 20, color=(0, 0, 255))]] * 2
    video = known()
    near, far = 6.0, 60.0
    entries = {CAR_1: far, CAR_2: near}

    class Deep(type(video)):
        def objects(self, index):
            return tuple(
                replace(entry, depth=entries[entry.code]) for entry in super().objects(index)
            )

    before, after = pair("fog", 3, 0, Deep(scene))
    fog = np.array((206, 210, 214))
    codes = Deep(scene).truth(0).codes
    for code, left in ((CAR_1, 0.05), (CAR_2, 0.05 ** (near / 60))):
        expected = (before - fog)[codes == code] * left + fog
        assert after[codes == code] == pytest.approx(expected, abs=0.6)


def test_fog_thickens_upwards_to_the_horizon():
    before, after = pair("fog", 2, video=DrawnVideo([[]] * 4))
    fog = np.array((206, 210, 214))
    left = ((after - fog) / (before - fog)).mean(axis=2)[:, 48]
    assert (np.diff(left[24:]) > -0.02).all()
    assert left[-1] > 0.7 > left[24]


def test_rain_only_draws_streaks():
    before, after = pair("rain", 3)
    wet = (before != after).any(axis=2)
    assert 0.01 < wet.mean() < 0.3
    light = (after - before).mean(axis=2)
    assert light[wet].mean() > 0
    stronger = (before != pair("rain", 5)[1]).any(axis=2)
    assert stronger.mean() > wet.mean()


def test_jpeg_loses_more_at_lower_quality():
    losses = [np.abs(np.subtract(*pair("jpeg", level))).mean() for level in range(1, 6)]
    assert losses == sorted(losses)
    assert losses[0] > 0


def test_washed_things_end_as_one_grey():
    scene = [[Box(1, 10, color=(200, 30, 30)), Box(2, 60, color=(30, 200, 30))]] * 3
    video = DrawnVideo(scene)
    before, after = pair("washed", 5, 0, video)
    codes = video.truth(0).codes
    things = (codes == CAR_1) | (codes == CAR_2)
    grey = round(before[things].mean())
    assert np.unique(after[things]).tolist() == [grey]
    assert np.array_equal(before[~things], after[~things])


def test_washed_things_fade_by_their_share():
    scene = [[Box(1, 10, color=(200, 30, 30)), Box(2, 60, color=(30, 200, 30))]] * 3
    video = DrawnVideo(scene)
    codes = video.truth(0).codes

    def spread(level):
        after = pair("washed", level, 0, video)[1]
        return np.ptp(after[codes == CAR_1].mean(axis=0))

    # Colour fades twice: towards the thing's own grey, then towards that of all things.
    whole = np.ptp(pair("washed", 1, 0, video)[0][codes == CAR_1].mean(axis=0))
    for level, share in ((1, 0.2), (3, 0.6)):
        assert spread(level) == pytest.approx(whole * (1 - share) ** 2, abs=3)


def test_a_frame_without_things_has_nothing_to_wash():
    before, after = pair("washed", 5, 0, DrawnVideo([[]] * 3))
    assert np.array_equal(before, after)


PRINT = """
import hashlib, sys
from helpers.stress import EVERYWHERE, plain
from mapt_bench.stress import Stress, stress_video
for name in EVERYWHERE:
    video = stress_video(plain(12), Stress(name, 2, 5))
    frames = range(video.info.frame_count)
    parts = [video.frame(i).image.tobytes() + video.truth(i).codes.tobytes() for i in frames]
    print(name, hashlib.sha256(b"".join(parts)).hexdigest())
"""


def test_every_process_draws_the_same():
    here = []
    for name in EVERYWHERE:
        video = stress_video(plain(12), Stress(name, 2, 5))
        parts = [
            video.frame(index).image.tobytes() + video.truth(index).codes.tobytes()
            for index in reversed(range(video.info.frame_count))
        ]
        here.append(f"{name} {hashlib.sha256(b''.join(reversed(parts))).hexdigest()}")
    code = f"import sys; sys.path[:0] = {sys.path!r}\n{PRINT}"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.split("\n")[:-1] == here


@pytest.mark.parametrize("name", EVERYWHERE)
def test_seeds_differ_where_there_is_chance(name):
    without_chance = {"blur", "washed", "fog", "jpeg"}
    video = plain(12)

    def drawn(seed):
        stressed = stress_video(video, Stress(name, 2, seed))
        return b"".join(stressed.frame(index).image.tobytes() for index in range(4))

    assert (drawn(1) == drawn(2)) == (name in without_chance)
