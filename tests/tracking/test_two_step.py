import numpy as np
import pytest
from helpers.scenes import PERSON, Box, DrawnVideo, link, segments_of, steps_of

from mapt_bench.errors import ConfigError
from mapt_bench.tracking import FlowWarp, StandStill, TwoStepAssociator, TwoStepSettings
from mapt_bench.tracking.two_step import fuse


class _Looks:
    """An embedder that is told what each true colour looks like."""

    needs_images = False

    def __init__(self, looks):
        self.looks = looks
        self.boxes = []

    def start(self, info):
        pass

    def embed(self, frame, segments):
        rows = [self.looks[box.track] for box in self.scene[frame.index]]
        return np.array(rows, dtype=np.float32).reshape(len(rows), 2)


def _with_looks(scene, looks):
    embedder = _Looks(looks)
    embedder.scene = scene
    return embedder


class _Uniform:
    """A flow source under which everything moves alike; remembers what it was asked."""

    needs_images = False

    def __init__(self, speed):
        self.speed = speed
        self.asked = []

    def start(self, info):
        self.asked = []

    def flow(self, frame_from, frame_to):
        self.asked.append((frame_from.index, frame_to.index))
        flow = np.zeros((48, 96, 2), dtype=np.float32)
        flow[..., 0] = self.speed * (frame_to.index - frame_from.index)
        return flow


RED, BLUE = (1.0, 0.0), (0.0, 1.0)
EVERYTHING = np.ones((2, 2), dtype=bool)
# Motion says 0-0 and 1-1, appearance says 0-1 and 1-0.
MOTION = np.array([[0.6, 0.5], [0.5, 0.6]])
APPEARANCE = np.array([[0.1, 0.95], [0.95, 0.1]])


def test_the_first_cue_decides():
    by_motion = fuse(MOTION, APPEARANCE, EVERYTHING, TwoStepSettings())
    assert by_motion == {0: (0, "motion"), 1: (1, "motion")}
    settings = TwoStepSettings(order="appearance-first")
    by_looks = fuse(MOTION, APPEARANCE, EVERYTHING, settings)
    assert by_looks == {0: (1, "appearance"), 1: (0, "appearance")}


def test_the_second_cue_gets_what_is_left_over():
    motion = np.array([[0.6, 0.0], [0.0, 0.1]])
    matches = fuse(motion, np.full((2, 2), 0.9), EVERYTHING, TwoStepSettings())
    assert matches == {0: (0, "motion"), 1: (1, "appearance")}


def test_the_second_step_may_ask_both_cues():
    # Motion settles 0-0. Of what is left, 1-1 looks alike but lies nowhere near: rescaled to
    # (0 + 0.9) / 2 = 0.45 with the looks at 0.9. Nearness of 0.1 (0.17) lifts it to 0.53.
    settings = TwoStepSettings(second_step="both-cues")
    far = np.array([[0.6, 0.0], [0.0, 0.0]])
    assert fuse(far, np.full((2, 2), 0.9), EVERYTHING, settings) == {0: (0, "motion")}
    near = np.array([[0.6, 0.0], [0.0, 0.1]])
    found = fuse(near, np.full((2, 2), 0.9), EVERYTHING, settings)
    assert found == {0: (0, "motion"), 1: (1, "joint")}
    # Where appearance goes first, both together get what it leaves over.
    looks = np.array([[0.9, 0.0], [0.0, 0.4]])
    settings = TwoStepSettings(order="appearance-first", second_step="both-cues")
    found = fuse(np.eye(2), looks, EVERYTHING, settings)
    assert found == {0: (0, "appearance"), 1: (1, "joint")}


def test_the_second_step_needs_two_cues_to_ask_both():
    settings = TwoStepSettings(second_step="both-cues")
    assert fuse(MOTION, None, EVERYTHING, settings) == {0: (0, "motion"), 1: (1, "motion")}


def test_simultaneous_weighs_both():
    # Rescaled to 0.5 at the threshold (0.3 and 0.5): motion 0.6 -> 0.71 and 0.5 -> 0.64,
    # appearance 0.1 -> 0.37 and 0.95 -> 0.95: the mean says 0-1 and 1-0.
    settings = TwoStepSettings(order="simultaneous")
    assert fuse(MOTION, APPEARANCE, EVERYTHING, settings) == {0: (1, "joint"), 1: (0, "joint")}
    # With nearly all weight on motion it says the contrary.
    settings = TwoStepSettings(order="simultaneous", motion_weight=0.95)
    assert fuse(MOTION, APPEARANCE, EVERYTHING, settings) == {0: (0, "joint"), 1: (1, "joint")}


def test_simultaneous_has_its_own_threshold():
    settings = TwoStepSettings(order="simultaneous", joint_threshold=0.99)
    assert fuse(MOTION, APPEARANCE, EVERYTHING, settings) == {}


def test_simultaneous_with_one_cue_is_that_cue():
    settings = TwoStepSettings(order="simultaneous")
    assert fuse(MOTION, None, EVERYTHING, settings) == {0: (0, "motion"), 1: (1, "motion")}


def test_classes_never_mix():
    allowed = np.array([[False, False], [False, True]])
    assert fuse(MOTION, APPEARANCE, allowed, TwoStepSettings()) == {1: (1, "motion")}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"order": "motion_first"}, "did you mean 'motion-first'"),
        ({"proximity": "giou"}, "did you mean 'iou'"),
        ({"second_step": "both"}, "did you mean 'both-cues'"),
        ({"motion_threshold": 1.5}, "motion_threshold is 1.5; expected 0 to 1"),
        ({"appearance_threshold": float("nan")}, "appearance_threshold is nan"),
        ({"pair": 0}, "pair is 0; expected 1 or more"),
        ({"memory": -1}, "memory is -1; expected 0 or more"),
        ({"gallery_size": 0}, "gallery_size is 0"),
        ({"lost_margin": -0.1}, "lost_margin is -0.1; expected 0 to 1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        TwoStepSettings(**settings)


def test_both_cues_off_is_refused():
    with pytest.raises(ConfigError, match="propagation, an embedder, or both"):
        TwoStepAssociator(None, None)


def _motion(speed, **settings):
    return TwoStepAssociator(FlowWarp(_Uniform(speed)), None, TwoStepSettings(**settings))


def _still(**settings):
    return TwoStepAssociator(StandStill(), None, TwoStepSettings(**settings))


FAST = [[Box(1, 5 + 14 * t)] for t in range(5)]


def test_motion_follows_what_standing_still_loses():
    assert len({given[1] for given in link(_motion(14), FAST)}) == 1
    assert len({given[1] for given in link(_still(), FAST)}) == 5


def test_propagation_against_the_motion_would_lose_it():
    assert len({given[1] for given in link(_motion(-14), FAST)}) == 5


def _gap(length):
    return [[Box(1, 20)], *[[] for _ in range(length)], [Box(1, 20)]]


@pytest.mark.parametrize(
    ("gap", "memory", "is_found"), [(1, 0, False), (1, 1, True), (3, 3, True), (4, 3, False)]
)
def test_memory_is_counted_in_frames_out_of_sight(gap, memory, is_found):
    given = link(_still(memory=memory), _gap(gap))
    assert (given[0] == given[-1]) is is_found


def test_age_and_step_tell_of_a_track_found_again():
    scene = _gap(2)
    video = DrawnVideo(scene)
    associator = _still(memory=5)
    associator.start(video.info)
    for index, boxes in enumerate(scene):
        last = associator.associate(video.frame(index), segments_of(boxes))
    assert last.steps == ("motion",)
    assert last.ages == (3,)


def test_lost_masks_are_carried_on_in_a_chain():
    # Seen at 0, hidden for two frames while it moves on, seen at 3: only the chain leads there.
    scene = [[Box(1, 5)], [], [], [Box(1, 5 + 3 * 14)]]
    associator = _motion(14, memory=3)
    given = link(associator, scene)
    assert given[0] == given[-1]
    assert associator.propagation.source.asked == [(1, 0), (2, 1), (3, 2)]
    assert link(_still(memory=3), scene)[-1] != given[0]


def test_appearance_has_the_same_memory():
    scene = [[Box(1, 5)], [], [Box(1, 60)]]
    looks = {1: RED}
    off = TwoStepAssociator(None, _with_looks(scene, looks), TwoStepSettings())
    on = TwoStepAssociator(None, _with_looks(scene, looks), TwoStepSettings(memory=1))
    assert link(off, scene)[0] != link(off, scene)[-1]
    assert link(on, scene)[0] == link(on, scene)[-1]


def test_look_alikes_swap_by_appearance_but_not_by_motion():
    scene = [[Box(1, 10), Box(2, 50)], [Box(2, 51), Box(1, 11)]]
    almost = (np.cos(0.1), np.sin(0.1))
    # In the second frame each looks a little more like the other did.
    embedder = _with_looks(scene, {1: RED, 2: RED})
    embedder.embed = lambda frame, segments: np.array(
        [[RED, almost], [RED, almost]][frame.index], dtype=np.float32
    )
    by_looks = TwoStepAssociator(None, embedder, TwoStepSettings())
    given = link(by_looks, scene)
    assert given[0][1] == given[1][2]
    both = TwoStepAssociator(StandStill(), embedder, TwoStepSettings())
    given = link(both, scene)
    assert given[0] == given[1]


def test_appearance_finds_what_jumped():
    scene = [[Box(1, 5), Box(2, 70)], [Box(1, 40), Box(2, 71)]]
    both = TwoStepAssociator(StandStill(), _with_looks(scene, {1: RED, 2: BLUE}))
    given = link(both, scene)
    assert given[0] == given[1]
    assert steps_of(both, scene)[1] == ("appearance", "motion")


def test_a_track_never_changes_class():
    scene = [[Box(1, 20)], [Box(1, 20, class_id=PERSON)]]
    both = TwoStepAssociator(StandStill(), _with_looks(scene, {1: RED}))
    given = link(both, scene)
    assert given[0][1] != given[1][1]


def test_identities_begin_at_one_and_are_never_given_twice():
    scene = [[Box(1, 0), Box(2, 30)], [], [Box(3, 0), Box(4, 30)]]
    given = link(_still(), scene)
    assert sorted([*given[0].values(), *given[2].values()]) == [1, 2, 3, 4]


def test_start_forgets():
    associator = _still(memory=9)
    assert link(associator, _gap(0)) == link(associator, _gap(0))


# --- pairing interval


def test_a_wider_pair_compares_with_the_state_of_that_frame():
    scene = [[Box(1, 5 + 4 * t)] for t in range(6)]
    associator = _motion(4, pair=3)
    given = link(associator, scene)
    assert len({each[1] for each in given}) == 1
    # Early frames are paired with the first, later ones with the frame three before.
    assert associator.propagation.source.asked == [(1, 0), (2, 0), (3, 0), (4, 1), (5, 2)]


def test_a_wider_pair_makes_standing_still_fail_sooner():
    scene = [[Box(1, 5 + 3 * t)] for t in range(8)]  # 12 wide: IoU 0.6, 0.33, 0.14 after 1, 2, 3
    assert len({each[1] for each in link(_still(pair=1), scene)}) == 1
    assert len({each[1] for each in link(_still(pair=2), scene)}) == 1
    assert len({each[1] for each in link(_still(pair=3), scene)}) > 1


def test_a_track_born_after_the_reference_is_carried_from_its_birth():
    scene = [[Box(1, 5)], [Box(1, 9), Box(2, 60)], [Box(1, 13), Box(2, 64)]]
    associator = _motion(4, pair=2)
    given = link(associator, scene)
    assert given[1] == given[2]
    assert sorted(associator.propagation.source.asked) == [(1, 0), (2, 0), (2, 1)]


def test_a_wider_pair_compares_older_looks():
    # The look turns by 30 degrees a frame: cosine 0.87 after one, 0.5 after two, 0 after three.
    turns = [(np.cos(t * np.pi / 6), np.sin(t * np.pi / 6)) for t in range(5)]
    scene = [[Box(1, 5)] for _ in turns]

    def linked(pair):
        embedder = _with_looks(scene, {})
        embedder.embed = lambda frame, segments: np.array([turns[frame.index]], dtype=np.float32)
        settings = TwoStepSettings(pair=pair, appearance_threshold=0.45)
        given = link(TwoStepAssociator(None, embedder, settings), scene)
        return len({each[1] for each in given})

    assert linked(1) == linked(2) == 1
    assert linked(3) > 1


@pytest.mark.parametrize(("gap", "is_found"), [(2, True), (3, False)])
def test_without_memory_candidates_were_seen_within_the_pair(gap, is_found):
    given = link(_still(pair=3), _gap(gap))
    assert (given[0] == given[-1]) is is_found


@pytest.mark.parametrize(("gap", "is_found"), [(4, True), (5, False)])
def test_memory_is_added_to_the_pair(gap, is_found):
    given = link(_still(pair=3, memory=2), _gap(gap))
    assert (given[0] == given[-1]) is is_found


def test_memory_changes_nothing_while_nothing_is_lost():
    scene = [[Box(1, 10 + 3 * t), Box(2, 60 - 3 * t, y=30)] for t in range(6)]
    turns = {1: RED, 2: BLUE}
    runs = [
        link(
            TwoStepAssociator(StandStill(), _with_looks(scene, turns), TwoStepSettings(memory=m)),
            scene,
        )
        for m in (0, 10)
    ]
    assert runs[0] == runs[1]


def test_the_gallery_is_bounded_and_finds_an_older_look_again():
    turns = [RED, BLUE, RED, RED]
    scene = [[Box(1, 5)], [Box(1, 5)], [], [Box(1, 60)]]

    def found(gallery_size):
        embedder = _with_looks(scene, {})
        embedder.embed = lambda frame, segments: np.array(
            [turns[frame.index]] * segments.count, dtype=np.float32
        ).reshape(segments.count, 2)
        settings = TwoStepSettings(memory=5, gallery_size=gallery_size)
        given = link(TwoStepAssociator(StandStill(), embedder, settings), scene)
        return given[0][1] == given[-1][1]

    assert found(2)
    assert not found(1)


@pytest.mark.parametrize(("margin", "is_found"), [(0.69, True), (0.71, False)])
def test_a_lost_track_must_be_nearer_by_the_margin(margin, is_found):
    # The mask lies where it was lost, so its IoU is 1 and the threshold 0.3.
    given = link(_still(memory=5, lost_margin=margin), _gap(2))
    assert (given[0] == given[-1]) is is_found


@pytest.mark.parametrize(("margin", "is_found"), [(0.49, True), (0.51, False)])
def test_a_lost_track_must_look_the_same_by_the_margin(margin, is_found):
    # The cosine is 1 and the threshold 0.5.
    scene = [[Box(1, 5)], [], [Box(1, 60)]]
    settings = TwoStepSettings(memory=1, lost_margin=margin)
    given = link(TwoStepAssociator(None, _with_looks(scene, {1: RED}), settings), scene)
    assert (given[0] == given[-1]) is is_found


def test_the_margin_changes_nothing_for_tracks_in_view():
    given = link(_motion(14, memory=5, lost_margin=1.0), FAST)
    assert len({each[1] for each in given}) == 1


def test_what_was_in_view_goes_before_what_was_lost():
    # What is seen last lies nearer to where track 1 was lost than to where track 2 was just now.
    scene = [[Box(1, 20), Box(2, 34)], [Box(2, 30)], [Box(2, 22)]]
    before = link(_still(memory=5, motion_threshold=0.1), scene)
    after = link(_still(memory=5, motion_threshold=0.1, lost_margin=0.6), scene)
    assert before[2][2] == before[0][1]
    assert after[2][2] == after[0][2]


class _TwoFaced(_Looks):
    """Looks one way next to the frame before, and another alone."""

    def embed(self, frame, segments):
        return self._rows(frame, "together")

    def embed_alone(self, frame, segments):
        return self._rows(frame, "alone")

    def _rows(self, frame, face):
        rows = [self.looks[box.track, face, frame.index] for box in self.scene[frame.index]]
        return np.array(rows, dtype=np.float32).reshape(len(rows), 2)


def _two_faced(scene, looks):
    embedder = _TwoFaced(looks)
    embedder.scene = scene
    return TwoStepAssociator(None, embedder, TwoStepSettings(memory=5))


def test_tracks_in_view_are_known_by_one_face_and_lost_ones_by_the_other():
    scene = [[Box(1, 10)], [Box(1, 10)], [], [Box(1, 40)]]
    looks = {
        (1, "together", 0): RED,
        (1, "together", 1): RED,
        (1, "together", 3): BLUE,  # what it was hidden by
        (1, "alone", 0): BLUE,
        (1, "alone", 1): RED,
        (1, "alone", 3): RED,
    }
    given = link(_two_faced(scene, looks), scene)
    assert given[0] == given[1] == given[3]
    other_way = looks | {(1, "together", 1): BLUE}
    given = link(_two_faced(scene, other_way), scene)
    assert given[0] != given[1]  # its face alone does not help while it is in view


def test_masks_have_the_stride_that_is_asked_for():
    seen = []

    class Watched(StandStill):
        def propagate(self, masks, from_frame, to_frame):
            seen.append(masks.shape)
            return masks.copy()

    scene = [[Box(1, 10)], [Box(1, 10)]]
    link(TwoStepAssociator(Watched(), None), scene)
    link(TwoStepAssociator(Watched(), None, stride=4), scene)
    assert seen == [(1, 48, 96), (1, 12, 24)]
