from dataclasses import dataclass

import numpy as np
import pytest
from helpers.scenes import CAR, KITTI, PERSON, ROAD, VOID, Box, DrawnVideo
from hypothesis import given, settings
from hypothesis import strategies as st

from mapt_bench.baselines.noise import SegmentNoise, add_noise
from mapt_bench.baselines.segmenters import GroundTruthSegments, SavedSegments
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import PanopticMap

SCENE = [
    [Box(3, 5), Box(9, 40), Box(4, 70, class_id=PERSON), Box(0, 20, y=30)],
    [Box(3, 6), Box(9, 41), Box(4, 71, class_id=PERSON), Box(0, 20, y=30)],
]


@dataclass(frozen=True)
class _Maps:
    video: DrawnVideo
    names: tuple[str, ...] | None = None
    parts: tuple[str, ...] = ("saved", "drawn")
    size: tuple[int, int] = (48, 96)

    @property
    def frame_names(self):
        return self.video.info.frame_names if self.names is None else self.names

    def read(self, index):
        return self.video.truth(index)


def _segments(segmenter, video, index=0):
    segmenter.start(video.info)
    return segmenter.segment(video.frame(index))


def _masks(segments):
    return {
        (int(segments.class_ids[k]), (segments.index_map == k).tobytes())
        for k in range(segments.count)
    }


def test_truth_loses_its_identities_and_nothing_else():
    video = DrawnVideo(SCENE)
    segments = _segments(GroundTruthSegments(video), video)
    codes = video.truth(0).codes
    wanted = {
        (code >> 24, (codes == code).tobytes())
        for code in (CAR << 24 | 3, CAR << 24 | 9, PERSON << 24 | 4)
    }
    assert _masks(segments) == wanted
    np.testing.assert_array_equal(segments.scores, 1)
    assert segments.embeddings is None
    # Crowd keeps its class without an object; where things lie there is no stuff.
    assert (segments.stuff[30:42, 20:32] == CAR).all()
    assert (segments.stuff[segments.index_map >= 0] == VOID).all()
    assert segments.stuff[0, 0] == ROAD


def test_void_stays_void():
    video = DrawnVideo([[Box(0, 10, class_id=VOID)]])
    segments = _segments(GroundTruthSegments(video), video)
    assert segments.count == 0
    assert (segments.stuff[10:22, 10:22] == VOID).all()


def test_the_order_says_nothing_about_identities():
    scene = [[Box(track, 2 + 10 * track, width=8) for track in range(1, 9)]] * 30
    video = DrawnVideo(scene)
    segmenter = GroundTruthSegments(video)
    segmenter.start(video.info)
    places = np.array([segmenter.segment(video.frame(t)).index_map[15, 13] for t in range(30)])
    assert len(set(places.tolist())) > 3


def test_seed_and_frame_decide_the_order_and_nothing_else():
    video = DrawnVideo(SCENE)
    first, again = GroundTruthSegments(video, seed=5), GroundTruthSegments(video, seed=5)
    _segments(first, video, 0)
    for index in (1, 0):  # also when frames are asked for in another order
        left, right = first.segment(video.frame(index)), _segments(again, video, index)
        np.testing.assert_array_equal(left.index_map, right.index_map)
    maps = [
        _segments(GroundTruthSegments(video, seed=seed), video).index_map.tobytes()
        for seed in range(10)
    ]
    assert len(set(maps)) > 1


def test_a_video_without_truth_has_no_true_segments():
    with pytest.raises(DataError, match="no ground truth to take segments from"):
        GroundTruthSegments(DrawnVideo(SCENE, with_truth=False))


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seeds_that_no_file_holds_are_refused(seed):
    with pytest.raises(ConfigError, match=f"seed is {seed}"):
        GroundTruthSegments(DrawnVideo(SCENE), seed=seed)


def test_saved_identity_zero_is_an_ordinary_segment():
    video = DrawnVideo(SCENE)
    segments = _segments(SavedSegments(_Maps(video)), video)
    assert segments.count == 4
    assert (segments.stuff[30:42, 20:32] == VOID).all()


def test_saved_frames_are_found_by_name():
    video = DrawnVideo(SCENE)
    turned = _Maps(DrawnVideo(SCENE[::-1]), names=("1", "0"))
    segments = _segments(SavedSegments(turned), video, 0)
    assert segments.index_map[12, 5] >= 0  # track 3 begins at column 5 in frame 0, 6 in frame 1


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (_Maps(DrawnVideo(SCENE), names=("000000", "000007")), "1 of 2 frames .* '000001'"),
        (_Maps(DrawnVideo(SCENE), size=(48, 90)), r"\(48, 90\) pixels"),
    ],
)
def test_saved_predictions_must_cover_the_video(maps, message):
    video = DrawnVideo(SCENE)
    with pytest.raises(DataError, match=message) as caught:
        SavedSegments(maps).start(video.info)
    assert caught.value.where == "saved/drawn"


def test_saved_classes_must_be_known():
    video = DrawnVideo([[Box(1, 5, class_id=77)]])
    with pytest.raises(DataError, match="77") as caught:
        _segments(SavedSegments(_Maps(video)), video)
    assert "000000" in str(caught.value.where)


def test_a_segmenter_must_be_started():
    video = DrawnVideo(SCENE)
    with pytest.raises(RuntimeError, match="start"):
        SavedSegments(_Maps(video)).segment(video.frame(0))


# --- noise


def _noisy(scene=SCENE, seed=0, **doses):
    video = DrawnVideo(scene)
    segmenter = GroundTruthSegments(video, seed=seed, noise=SegmentNoise(**doses))
    return _segments(segmenter, video)


def _clean():
    video = DrawnVideo(SCENE)
    return _segments(GroundTruthSegments(video), video)


def test_no_noise_changes_masks_not_at_all():
    segments = _noisy()
    assert _masks(segments) == _masks(_clean())
    assert ((segments.scores >= 0.7) & (segments.scores <= 1)).all()


def test_missed_segments_leave_void():
    segments = _noisy(missed=1.0)
    assert segments.count == 0
    assert (segments.stuff[10:22, 5:17] == VOID).all()


def test_eroded_segments_lose_their_rim():
    segments = _noisy(eroded=1.0, erosion_px=2)
    areas = np.bincount(segments.index_map[segments.index_map >= 0])
    assert areas.tolist() == [64, 64, 64]  # 12 x 12 becomes 8 x 8
    assert (segments.scores <= 0.8).all()


def test_what_would_vanish_is_not_eroded():
    segments = _noisy([[Box(1, 5, width=3, height=3)]], eroded=1.0, erosion_px=2)
    assert np.count_nonzero(segments.index_map >= 0) == 9


def test_wrong_classes_are_other_thing_classes():
    segments = _noisy(wrong_class=1.0)
    assert sorted(segments.class_ids.tolist()) == [PERSON, PERSON, CAR]


def test_merging_joins_neighbours_of_a_class_within_the_gap():
    near = [[Box(1, 5), Box(2, 20), Box(3, 40, class_id=PERSON)]]
    assert sorted(_noisy(near, merged=1.0).class_ids.tolist()) == [PERSON, CAR]
    assert _noisy(near, merged=1.0, merge_gap_px=2).count == 3
    assert np.count_nonzero(_noisy(near, merged=1.0).index_map >= 0) == 3 * 144


def test_spurious_segments_lie_beside_true_ones_and_score_low():
    segments = _noisy(spurious=20.0)
    assert segments.count > 5
    kept = {mask for _, mask in _masks(segments)}
    assert {mask for _, mask in _masks(_clean())} <= kept
    assert np.count_nonzero(segments.scores <= 0.5) == segments.count - 3
    assert (segments.stuff[segments.index_map >= 0] == VOID).all()


def test_noise_falls_alike_for_equal_seeds():
    doses = {"missed": 0.3, "merged": 0.3, "eroded": 0.5, "wrong_class": 0.3, "spurious": 2.0}
    first, second = _noisy(seed=3, **doses), _noisy(seed=3, **doses)
    np.testing.assert_array_equal(first.index_map, second.index_map)
    np.testing.assert_array_equal(first.scores, second.scores)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 5),
)
def test_noisy_segments_are_sound(seed, missed, merged, eroded, wrong_class, spurious):
    noise = SegmentNoise(
        missed=missed, merged=merged, eroded=eroded, wrong_class=wrong_class, spurious=spurious
    )
    segments = add_noise(_clean(), noise, KITTI, np.random.default_rng(seed))
    sizes = np.bincount(segments.index_map.ravel() + 1, minlength=segments.count + 1)[1:]
    assert (sizes > 0).all()
    assert set(segments.class_ids.tolist()) <= set(KITTI.thing_ids)
    assert ((segments.scores > 0) & (segments.scores <= 1)).all()
    composed = segments.compose(np.arange(1, segments.count + 1), KITTI)
    assert isinstance(composed, PanopticMap)


@pytest.mark.parametrize(
    ("doses", "message"),
    [
        ({"missed": 1.5}, "missed is 1.5"),
        ({"wrong_class": -0.1}, "wrong_class is -0.1"),
        ({"eroded": float("nan")}, "eroded is nan"),
        ({"spurious": -1}, "spurious is -1"),
        ({"erosion_px": 0}, "erosion_px is 0"),
        ({"merge_gap_px": -1}, "merge_gap_px is -1"),
    ],
)
def test_doses_out_of_range_are_refused(doses, message):
    with pytest.raises(ConfigError, match=message):
        SegmentNoise(**doses)
