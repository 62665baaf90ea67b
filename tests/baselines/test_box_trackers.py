import numpy as np
import pytest
from helpers.scenes import PERSON, Box, link, steps_of

from mapt_bench.baselines.bounds import UnlinkedAssociator
from mapt_bench.baselines.box_trackers import (
    ByteTrackAssociator,
    IouAssociator,
    SortAssociator,
)
from mapt_bench.baselines.boxes import AreaFilter, box_iou

BOX_TRACKERS = [IouAssociator, SortAssociator, ByteTrackAssociator]
FILTERED = [SortAssociator, ByteTrackAssociator]


def _identities(given, track=1):
    return [each[track] for each in given if track in each]


def test_box_iou_by_hand():
    first = np.array([[0.0, 0, 4, 2], [0, 0, 0, 0]])
    second = np.array([[2.0, 1, 6, 3], [0, 0, 4, 2], [4, 0, 5, 2]])
    np.testing.assert_allclose(box_iou(first, second), [[2 / 14, 1, 0], [0, 0, 0]])


def test_filter_learns_a_constant_speed():
    boxes = AreaFilter()
    at, step = np.array([10.0, 10, 30, 20]), np.array([5, 2, 5, 2])
    boxes.add(at[None])
    for _ in range(8):
        at = at + step
        boxes.predict()
        boxes.update(np.array([0]), at[None])
    boxes.predict()
    np.testing.assert_allclose(boxes.boxes[0], at + step, atol=0.3)
    np.testing.assert_allclose(boxes.means[0, 4:6], [5, 2], atol=0.2)


def test_filter_lets_boxes_grow_and_never_turn_inside_out():
    boxes = AreaFilter()
    side = 20.0
    boxes.add(np.array([[0.0, 0, side, side]]))
    for _ in range(6):
        side -= 3
        boxes.predict()
        boxes.update(np.array([0]), np.array([[0.0, 0, side, side]]))
    assert boxes.means[0, 6] < 0
    for _ in range(20):
        boxes.predict()
        left, top, right, bottom = boxes.boxes[0]
        assert right > left
        assert bottom > top


def test_filter_grows_surer_by_measuring_and_less_sure_by_waiting():
    boxes = AreaFilter()
    boxes.add(np.array([[0.0, 0, 10, 10], [50, 50, 60, 60]]))
    for _ in range(3):
        boxes.predict()
        boxes.update(np.array([0]), np.array([[0.0, 0, 10, 10]]))
    assert boxes.covariances[0, 0, 0] < boxes.covariances[1, 0, 0]
    np.testing.assert_allclose(boxes.covariances, boxes.covariances.transpose(0, 2, 1), atol=1e-9)
    boxes.keep(np.array([False, True]))
    np.testing.assert_allclose(boxes.boxes, [[50, 50, 60, 60]])


@pytest.mark.parametrize("kind", BOX_TRACKERS)
def test_a_slow_object_keeps_its_identity(kind):
    scene = [[Box(1, 10 + 2 * t), Box(2, 70 - 2 * t, y=30)] for t in range(8)]
    given = link(kind(), scene)
    assert all(each == given[0] for each in given)
    assert steps_of(kind(), scene)[0] == ("new", "new")


@pytest.mark.parametrize("kind", BOX_TRACKERS)
def test_classes_never_mix(kind):
    scene = [[Box(1, 20)], [Box(1, 20, class_id=PERSON)], [Box(1, 20)]]
    identities = _identities(link(kind(memory=1), scene))
    assert identities[0] == identities[2] != identities[1]


@pytest.mark.parametrize("kind", BOX_TRACKERS)
@pytest.mark.parametrize(
    ("gap", "memory", "is_found"), [(1, 0, False), (1, 1, True), (3, 3, True), (4, 3, False)]
)
def test_memory_is_counted_in_frames_out_of_sight(kind, gap, memory, is_found):
    scene = [[Box(1, 20)], [Box(1, 20)], *[[] for _ in range(gap)], [Box(1, 20)]]
    identities = _identities(link(kind(memory=memory), scene))
    assert (identities[0] == identities[-1]) is is_found


@pytest.mark.parametrize("kind", FILTERED)
def test_the_filter_moves_a_hidden_box_on(kind):
    # 5 pixels a frame, hidden for three frames: 20 pixels further, no overlap with the last box.
    scene = [[Box(1, 5 + 5 * t)] if t not in (6, 7, 8) else [] for t in range(11)]
    assert len(set(_identities(link(kind(memory=3), scene)))) == 1
    assert len(set(_identities(link(IouAssociator(memory=3, threshold=0.3), scene)))) == 2


@pytest.mark.parametrize("kind", FILTERED)
def test_crossing_boxes_go_on_in_their_directions(kind):
    # They meet and one hides the other for one frame; both have a speed by then.
    scene = []
    for t in range(12):
        right, left = Box(1, 4 + 6 * t), Box(2, 76 - 6 * t, y=12)
        scene.append([right] if t == 6 else [right, left])
    given = link(kind(memory=3), scene)
    assert given[0] == given[-1]


def test_fast_motion_breaks_iou_and_sort_alike_at_first_sight():
    scene = [[Box(1, 5 + 14 * t)] for t in range(5)]  # never overlaps its last box
    for kind in BOX_TRACKERS:
        assert len(set(_identities(link(kind(), scene)))) == 5


def test_iou_takes_the_best_overlap_first():
    # The wide segment shares 8 of 24 columns with the older track, 10 of 22 with the younger.
    scene = [[Box(1, 10), Box(2, 24)], [Box(3, 14, width=20)]]
    given = link(IouAssociator(threshold=0.3), scene)
    assert given[1][3] == given[0][2]


@pytest.mark.parametrize("kind", BOX_TRACKERS)
def test_identities_are_never_given_twice_and_start_forgets(kind):
    scene = [[Box(1, 0), Box(2, 30)], [], [], [], [Box(3, 60), Box(4, 80)]]
    associator = kind(memory=0)
    given = link(associator, scene)
    assert sorted([*given[0].values(), *given[4].values()]) == [1, 2, 3, 4]
    assert link(associator, scene) == given


def test_bytetrack_finds_weak_segments_of_known_tracks_and_drops_the_rest():
    scene = [
        [Box(1, 20, score=0.9), Box(2, 60, score=0.4)],  # 2 is weak and new: dropped
        [Box(1, 21, score=0.3), Box(2, 60, score=0.05)],  # 1 is weak but known: kept
        [Box(1, 22, score=0.9), Box(2, 60, score=0.7)],  # 2 is strong now: begins
    ]
    given = link(ByteTrackAssociator(), scene)
    assert [each[1] for each in given] == [1, 1, 1]
    assert [each[2] for each in given] == [-1, -1, 2]
    assert steps_of(ByteTrackAssociator(), scene) == [
        ("new", "dropped"),
        ("box-low", "dropped"),
        ("box-high", "new"),
    ]


def test_bytetrack_gives_strong_segments_the_first_choice():
    scene = [
        [Box(1, 20, score=0.9)],
        [Box(2, 20, score=0.5), Box(1, 23, score=0.9)],  # the weak one overlaps better
    ]
    given = link(ByteTrackAssociator(), scene)
    assert given[1] == {1: given[0][1], 2: -1}


def test_bytetrack_does_not_revive_lost_tracks_by_weak_segments():
    weak = [[Box(1, 20, score=0.9)], [], [Box(1, 20, score=0.5)]]
    strong = [[Box(1, 20, score=0.9)], [], [Box(1, 20, score=0.7)]]
    assert link(ByteTrackAssociator(), weak)[2] == {1: -1}
    assert link(ByteTrackAssociator(), strong)[2] == {1: 1}


def test_bytetrack_without_scores_drops_nothing():
    scene = [[Box(1, 20), Box(2, 60)], [Box(1, 60), Box(2, 20)]]
    assert all("dropped" not in steps for steps in steps_of(ByteTrackAssociator(), scene))


def test_the_floor_links_nothing():
    given = link(UnlinkedAssociator(), [[Box(1, 20), Box(2, 60)]] * 3)
    identities = [identity for each in given for identity in each.values()]
    assert sorted(identities) == [1, 2, 3, 4, 5, 6]
