"""OC-SORT, Deep OC-SORT and BoT-SORT: each part by hand."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.scenes import HEIGHT, WIDTH, Box, DrawnVideo, link, segments_of, steps_of
from hypothesis import given as given_examples
from hypothesis import settings
from hypothesis import strategies as st

from mapt_bench.baselines import build_associator
from mapt_bench.baselines.bot_sort import BotSortAssociator, fused_affinity
from mapt_bench.baselines.box_trackers import SortAssociator
from mapt_bench.baselines.boxes import (
    PIXEL_NOISE,
    AreaFilter,
    Outlines,
    SideFilter,
    mask_iou,
    moved_boxes,
)
from mapt_bench.baselines.camera_motion import CameraMotion, background_motion
from mapt_bench.baselines.histograms import SegmentAppearance
from mapt_bench.baselines.oc_sort import (
    AppearanceRules,
    OcSortAssociator,
    adaptive_weights,
    direction_affinity,
)
from mapt_bench.errors import ConfigError
from mapt_bench.labels import Frame
from mapt_bench.tracking import FrameSegments

NAMES = ("oc-sort", "deep-oc-sort", "bot-sort")
SHIFT = np.array([[1.0, 0, 7], [0, 1, -4]])


def _run(associator, scene):
    video = DrawnVideo(scene)
    associator.start(video.info)
    return [
        associator.associate(video.frame(index), segments_of(boxes))
        for index, boxes in enumerate(scene)
    ]


def _with_embeddings(boxes, embeddings):
    rows = np.array(embeddings, dtype=np.float32)
    return replace(segments_of(boxes), embeddings=rows)


# --- OC-SORT ------------------------------------------------------------------------------------


def test_direction_affinity_by_hand():
    directions = np.array([[1.0, 0], [0, 0]])
    references = np.array([[10.0, 10, 14, 14]] * 2)
    boxes = np.array([[20.0, 10, 24, 14], [0, 10, 4, 14], [10, 30, 14, 34], [20, 20, 24, 24]])
    affinity = direction_affinity(directions, references, boxes, np.array([1, 1, 1, 0.5]))
    np.testing.assert_allclose(affinity[0], [0.5, -0.5, 0, 0.125], atol=1e-3)
    np.testing.assert_allclose(affinity[1], 0, atol=1e-9)


def test_momentum_prefers_what_lies_ahead():
    # The track moves one pixel a frame. The segment behind overlaps better than the one ahead.
    scene = [[Box(1, 20 + t)] for t in range(6)]
    scene.append([Box(2, 26 - 5), Box(3, 26 + 6)])
    along = link(OcSortAssociator(direction_weight=0.2), scene)
    without = link(OcSortAssociator(direction_weight=0.0), scene)
    assert along[6][3] == along[0][1]
    assert without[6][2] == without[0][1]


def test_recovery_compares_with_the_last_observation():
    # Five pixels a frame, then it stops behind something: the prediction runs past it.
    scene = [[Box(1, 5 + 5 * t)] for t in range(6)] + [[]] * 3 + [[Box(1, 30)]]
    assert steps_of(OcSortAssociator(memory=5), scene)[-1] == ("last-box",)
    assert len({each[1] for each in link(OcSortAssociator(memory=5), scene) if each}) == 1
    assert len({each[1] for each in link(SortAssociator(memory=5), scene) if each}) == 2


def test_re_update_follows_a_straight_line_from_the_last_observation():
    # Seen at 10, 13, 16; hidden for two frames; back at 34: six pixels a frame.
    scene = [[Box(1, 10)], [Box(1, 13)], [Box(1, 16)], [], [], [Box(1, 34)]]
    associator = OcSortAssociator(memory=5, threshold=0.01)
    assert len({each[1] for each in link(associator, scene) if each}) == 1
    by_hand = AreaFilter(PIXEL_NOISE)
    at = np.array([[10.0, 10, 22, 22]])
    by_hand.add(at)
    right = np.array([1.0, 0, 1, 0])
    for x in (3, 6, 12, 18, 24):  # the last three lie on the line from 16 to 34
        by_hand.predict()
        by_hand.update(np.array([0]), at + x * right)
    by_hand.update(np.array([0]), at + 24 * right)
    np.testing.assert_allclose(associator._now.means, by_hand.means)
    np.testing.assert_allclose(associator._now.covariances, by_hand.covariances)
    assert associator._now.means[0, 4] == pytest.approx(6, abs=1)


def test_the_area_never_vanishes_while_a_track_is_lost():
    scene = [[Box(1, 20, width=24 - 5 * t, height=24 - 5 * t)] for t in range(4)] + [[]] * 8
    associator = OcSortAssociator(memory=20, threshold=0.05)
    link(associator, scene)
    assert (associator._now.means[:, 2] > 0).all()


def test_weak_segments_are_dropped():
    scene = [[Box(1, 20, score=0.5), Box(2, 60, score=0.6)]]
    assert link(OcSortAssociator(), scene)[0] == {1: -1, 2: 1}


def test_released_gate_undoes_matches_after_the_assignment():
    # Both assignments are possible; the best sum contains a pair under the threshold.
    scene = [[Box(1, 20), Box(2, 34)], [Box(3, 27)]]
    associations = _run(OcSortAssociator(threshold=0.3), scene)
    assert associations[1].steps == ("new",)  # 5 of 19 columns


# --- Deep OC-SORT -------------------------------------------------------------------------------


def test_adaptive_weights_ignore_pairs_of_other_classes():
    cosines = np.array([[0.9, 0.8, 0.1], [0.2, 0.3, 0.4]])
    allowed = np.array([[True, False, True], [True, True, True]])
    weights = adaptive_weights(cosines, allowed, weight=1.0, most_bonus=0.5)
    # Row leads: min(0.9 - 0.1, 0.5), 0.1. Column leads: min(0.7, 0.5), 0 (one row), 0.3.
    np.testing.assert_allclose(weights, 1 + np.array([[0.5, 0.25, 0.4], [0.3, 0.05, 0.2]]))
    one = adaptive_weights(np.array([[0.9]]), np.array([[True]]), weight=1.0, most_bonus=0.5)
    np.testing.assert_allclose(one, 1)


def test_smoothing_trusts_strong_segments_more():
    old, new = np.array([1.0, 0]), np.array([0.0, 1])
    rules = AppearanceRules(smoothing=0.9)
    associator = OcSortAssociator(high_score=0.6, appearance=rules)
    np.testing.assert_allclose(associator._smoothed(old, new, 0.6), old)
    by_score = {score: associator._smoothed(old, new, score) for score in (0.8, 1.0)}
    np.testing.assert_allclose(by_score[0.8], np.array([0.95, 0.05]) / np.hypot(0.95, 0.05))
    np.testing.assert_allclose(by_score[1.0], np.array([0.9, 0.1]) / np.hypot(0.9, 0.1))


def test_appearance_decides_where_overlaps_are_alike():
    # Red overlaps equally with both tracks, so overlaps alone give it to the blue one.
    red, blue = [1.0, 0], [0.0, 1]
    first = _with_embeddings([Box(1, 20), Box(2, 32)], [red, blue])
    second = _with_embeddings([Box(1, 26), Box(2, 14)], [red, blue])
    video = DrawnVideo([[]] * 2)
    for rules, identity in ((AppearanceRules(), 1), (None, 2)):
        associator = OcSortAssociator(threshold=0.1, appearance=rules)
        associator.start(video.info)
        associator.associate(video.frame(0), first)
        assert associator.associate(video.frame(1), second).ids[0] == identity


def test_segments_bring_their_embeddings_or_get_histograms():
    describe = SegmentAppearance()
    boxes = [Box(1, 20)]
    frame = DrawnVideo([boxes]).frame(0)
    learned, is_learned = describe.describe(frame, _with_embeddings(boxes, [[0.6, 0.8]]))
    assert is_learned
    np.testing.assert_allclose(learned, [[0.6, 0.8]], atol=1e-6)
    histograms, is_learned = describe.describe(frame, segments_of(boxes))
    assert not is_learned
    assert np.linalg.norm(histograms) == pytest.approx(1)


# --- BoT-SORT -----------------------------------------------------------------------------------


def test_fused_affinity_by_hand():
    near = np.array([[0.6, 0.6, 0.4, 0.0]])
    cosines = np.array([[0.8, 0.4, 0.8, -1.0]])
    fused = fused_affinity(near, cosines, np.full(4, 0.5), least_cosine=0.5, least_iou=0.5)
    np.testing.assert_allclose(fused, [[0.9, 0.3, 0.2, 0.0]])


def test_two_passes_by_score_and_a_score_for_new_tracks():
    scene = [
        [Box(1, 20, score=0.9), Box(2, 60, score=0.65)],  # 2 is too weak to begin
        [Box(1, 21, score=0.3), Box(2, 60, score=0.05)],  # 1 is weak but known
        [Box(1, 22, score=0.65), Box(2, 60, score=0.7)],
    ]
    assert steps_of(BotSortAssociator(), scene) == [
        ("new", "dropped"),
        ("box-low", "dropped"),
        ("box-high", "new"),
    ]


def test_weak_segments_do_not_revive_lost_tracks():
    scene = [[Box(1, 20, score=0.9)], [], [Box(1, 20, score=0.5)]]
    assert link(BotSortAssociator(), scene)[2] == {1: -1}


def test_the_filter_learns_width_and_height():
    sides = SideFilter()
    sides.add(np.array([[0.0, 0, 20, 10]]))
    for t in range(1, 12):
        sides.predict()
        sides.update(np.array([0]), np.array([[0.0, 0, 20 + 2 * t, 10 - 0.5 * t]]))
    sides.predict()
    left, top, right, bottom = sides.boxes[0]
    assert right - left == pytest.approx(44, abs=1.5)
    assert bottom - top == pytest.approx(4, abs=0.5)


def test_noise_is_relative_to_width_and_height():
    sides = SideFilter()
    sides.add(np.array([[0.0, 0, 20, 10]]))
    deviations = np.sqrt(np.diag(sides.covariances[0]))
    np.testing.assert_allclose(deviations, [2, 1, 2, 1, 1.25, 0.625, 1.25, 0.625])


# --- Camera motion ------------------------------------------------------------------------------


def _texture(height=120, width=200):
    import cv2

    dice = np.random.default_rng(3)
    noise = dice.integers(0, 256, (height, width), dtype=np.uint8)
    return np.repeat(cv2.GaussianBlur(noise, (0, 0), 2.0)[..., None], 3, axis=2) * 3


def _warped(image, camera):
    import cv2

    size = image.shape[1::-1]
    return cv2.warpAffine(image, np.asarray(camera), size, borderMode=cv2.BORDER_REFLECT)


@pytest.mark.parametrize(
    "camera",
    [
        SHIFT,
        np.array([[1.04, 0, -4], [0, 1.04, -2]]),
        np.array([[0.999, -0.03, 2], [0.03, 0.999, 1]]),
    ],
    ids=["shift", "zoom", "rotation"],
)
def test_background_motion_is_found(camera):
    image = _texture()
    found = background_motion(image, _warped(image, camera), np.ones(image.shape[:2], dtype=bool))
    corners = np.array([[20.0, 20, 180, 100], [60, 30, 100, 80]])
    np.testing.assert_allclose(moved_boxes(corners, found), moved_boxes(corners, camera), atol=0.6)


def test_large_frames_are_scaled_down():
    image = _texture(400, 500)
    found = background_motion(image, _warped(image, SHIFT), np.ones((400, 500), dtype=bool))
    np.testing.assert_allclose(found, SHIFT, atol=0.6)


def test_things_are_no_background():
    image = _texture()
    moved = _warped(image, SHIFT)
    background = np.ones(image.shape[:2], dtype=bool)
    background[:, 60:] = False
    moved[:, 80:] = image[:, 80:]  # most of the frame is a thing that stays with the camera
    np.testing.assert_allclose(background_motion(image, moved, background), SHIFT, atol=0.6)


def test_without_corners_the_camera_rests():
    flat = np.full((60, 80, 3), 90, dtype=np.uint8)
    everywhere = np.ones((60, 80), dtype=bool)
    np.testing.assert_array_equal(background_motion(flat, flat, everywhere), np.eye(2, 3))
    image = _texture()
    nowhere = np.zeros(image.shape[:2], dtype=bool)
    np.testing.assert_array_equal(background_motion(image, image, nowhere), np.eye(2, 3))


def test_camera_motion_is_shared_and_starts_anew():
    image = _texture()
    kept, asked = {}, []

    class Cache:
        def once(self, what, frames, make, *, of_segments=False):
            asked.append((what, frames, of_segments))
            return kept.setdefault((what, frames), make())

    frames = [Frame(0, "0", lambda: image), Frame(1, "1", lambda: _warped(image, SHIFT))]
    empty = FrameSegments(
        stuff=np.zeros(image.shape[:2], dtype=np.uint8),
        index_map=np.full(image.shape[:2], -1, dtype=np.int32),
        class_ids=np.zeros(0, dtype=np.int64),
        scores=np.zeros(0),
    )
    camera = CameraMotion(Cache())
    np.testing.assert_array_equal(camera.step(frames[0], empty), np.eye(2, 3))
    np.testing.assert_allclose(camera.step(frames[1], empty), SHIFT, atol=0.6)
    assert asked == [("camera motion", (0, 1), True)]
    camera.start()
    np.testing.assert_array_equal(camera.step(frames[1], empty), np.eye(2, 3))


@pytest.mark.parametrize("kind", [AreaFilter, SideFilter])
def test_filters_move_with_the_camera(kind):
    boxes = kind()
    boxes.add(np.array([[10.0, 10, 30, 20]]))
    boxes.means[0, 4:6] = 3, 1
    before = boxes.covariances.copy()
    boxes.follow_camera(SHIFT)
    np.testing.assert_allclose(boxes.boxes, [[17, 6, 37, 16]])
    np.testing.assert_allclose(boxes.covariances, before)
    boxes.follow_camera(np.array([[2.0, 0, 0], [0, 2, 0]]))
    np.testing.assert_allclose(boxes.boxes, [[34, 12, 74, 32]])
    np.testing.assert_allclose(boxes.means[0, 4:6], [6, 2])
    np.testing.assert_allclose(boxes.covariances[0, 0, 0], 4 * before[0, 0, 0])


class JumpingCamera:
    """A camera that jumps by 30 pixels before frame 4."""

    def start(self):
        pass

    def step(self, frame, segments):
        return np.array([[1.0, 0, 30 * (frame.index == 4)], [0, 1, 0]])


@pytest.mark.parametrize("kind", [OcSortAssociator, BotSortAssociator])
def test_tracks_in_view_and_lost_ones_follow_the_camera(kind):
    scene = [[Box(1, 10 + t)] for t in range(4)] + [[Box(1, 44 + t)] for t in range(3)]
    hidden = [*scene[:3], [], [], *scene[5:]]
    for each in (scene, hidden):
        with_camera = link(kind(camera=JumpingCamera()), each)
        assert len({ids[1] for ids in with_camera if ids}) == 1
        assert len({ids[1] for ids in link(kind(), each) if ids}) == 2


# --- Overlap of masks ---------------------------------------------------------------------------


def test_mask_iou_stretches_masks_and_cuts_them_at_the_frame():
    index_map = np.full((4, 6), -1, dtype=np.int32)
    index_map[:2, :2] = 0
    one = np.ones((1, 1), dtype=bool)
    boxes = np.array([[0.0, 0, 2, 2], [-2, -2, 2, 2], [1, 0, 3, 2], [10, 0, 12, 2]])
    np.testing.assert_allclose(mask_iou([one] * 4, boxes, index_map, 1)[:, 0], [1, 1, 1 / 3, 0])
    half = np.array([[True, False]])
    np.testing.assert_allclose(mask_iou([half], boxes[:1], index_map, 1), [[0.5]])
    nothing = np.zeros((0, 0), dtype=bool)
    np.testing.assert_allclose(mask_iou([nothing], boxes[:1], index_map, 1), [[0]])


def test_masks_part_segments_that_share_a_box():
    index_map = np.tri(12, 12, dtype=np.int32)  # two triangles
    framed = np.full((HEIGHT, WIDTH), -1, dtype=np.int32)
    framed[10:22, 20:32] = index_map
    segments = replace(segments_of([Box(1, 0), Box(2, 40)]), index_map=framed)
    outlines = Outlines(segments, "mask")
    np.testing.assert_allclose(outlines.iou(outlines.boxes, outlines.masks), np.eye(2))
    assert Outlines(segments, "box").iou(outlines.boxes, [])[0, 1] > 0.8


@pytest.mark.parametrize("name", NAMES)
def test_every_overlap_follows_slow_objects(name):
    scene = [[Box(1, 8 + t), Box(2, 70 - t, y=28, color=(30, 30, 200))] for t in range(8)]
    given = link(build_associator(name, overlap="mask", memory=2), scene)
    assert all(each == given[0] for each in given)


# --- Properties and errors ----------------------------------------------------------------------

_places = st.integers(0, WIDTH - 12)
_scenes = st.lists(st.lists(st.tuples(_places, st.integers(0, 36)), max_size=4), max_size=6)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given_examples(drawn=_scenes, overlap=st.sampled_from(["box", "mask"]))
def test_the_order_of_segments_changes_no_link(name, drawn, overlap):
    scene = [[Box(k, x, y=y) for k, (x, y) in enumerate(boxes)] for boxes in drawn]
    associations = _run(build_associator(name, memory=2, overlap=overlap), scene)
    seen = {}
    for frame, (boxes, association) in enumerate(zip(scene, associations, strict=True)):
        ids = association.ids.tolist()
        assert len(set(ids)) == len(ids)
        assert all(identity >= 1 for identity in ids)
        for identity, age in zip(ids, association.ages, strict=True):
            assert age == frame - seen.get(identity, frame)
            assert age <= 3
            seen[identity] = frame
        assert len(ids) == len(boxes)


@settings(max_examples=40, deadline=None)
@given_examples(
    kind=st.sampled_from([AreaFilter, SideFilter]),
    steps=st.lists(st.tuples(st.integers(0, 60), st.integers(4, 30)), min_size=1, max_size=12),
    zoom=st.floats(0.8, 1.25),
)
def test_covariances_stay_symmetric_and_positive(kind, steps, zoom):
    boxes = kind()
    boxes.add(np.array([[10.0, 10, 30, 20]]))
    for place, side in steps:
        boxes.predict()
        boxes.follow_camera(np.array([[zoom, 0.01, 1], [-0.01, zoom, 0]]))
        boxes.update(np.array([0]), np.array([[place, place, place + side, place + 8.0]]))
    covariance = boxes.covariances[0]
    np.testing.assert_allclose(covariance, covariance.T, rtol=1e-6, atol=1e-6)
    assert np.linalg.eigvalsh(covariance).min() > 0
    assert np.isfinite(boxes.boxes).all()


@pytest.mark.parametrize(
    ("name", "setting", "message"),
    [
        ("oc-sort", {"overlap": "masks"}, "overlap is 'masks'; did you mean 'mask'"),
        ("oc-sort", {"direction_frames": 0}, "direction_frames is 0; expected 1 frame or more"),
        ("oc-sort", {"direction_weight": -0.1}, "direction_weight is -0.1; expected 0 or more"),
        ("deep-oc-sort", {"appearance_weight": np.inf}, "appearance_weight is inf"),
        ("deep-oc-sort", {"appearance_smoothing": 1.1}, "appearance_smoothing is 1.1; expected 0"),
        ("bot-sort", {"new_score": 2.0}, "new_score is 2.0; expected 0 to 1"),
        ("bot-sort", {"appearance_iou": -1.0}, "appearance_iou is -1.0; expected 0 to 1"),
        ("bot-sort", {"low_score": 0.8}, "low_score 0.8 is above high_score 0.6"),
        ("oc-sort", {"pair": 2}, "'oc-sort' has no pairing interval"),
    ],
)
def test_settings_out_of_range_are_refused(name, setting, message):
    with pytest.raises(ConfigError, match=message):
        build_associator(name, **setting)


def test_settings_reach_the_trackers():
    scene = [[Box(1, 10, score=0.5)], [Box(1, 17, score=0.5)]]
    strict = link(build_associator("oc-sort", high_score=0.4), scene)
    loose = link(build_associator("oc-sort", high_score=0.4, sort_iou_threshold=0.1), scene)
    assert strict[0][1] != strict[1][1]
    assert loose[0][1] == loose[1][1]
    begun = link(build_associator("bot-sort", high_score=0.4, new_score=0.4), scene)
    assert begun[0][1] == 1
