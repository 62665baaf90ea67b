import numpy as np
import pytest
from helpers.linkers import written_model
from helpers.scenes import Box, DrawnVideo, link, segments_of, steps_of
from hypothesis import given, settings
from hypothesis import strategies as st

from mapt_bench.errors import ConfigError
from mapt_bench.tracking import StandStill
from mapt_bench.tracking.courses import Course, Sighting
from mapt_bench.tracking.joint_linker import JointLinker, LinkerSettings

NEAR = {"bias": 20, "predicted_distance": -60}  # one object within a third of its size
ANYWHERE = {"bias": 20}


class Shift:
    """Everything moves by the same pixels a frame."""

    needs_images = False

    def __init__(self, dx):
        self.dx = dx

    def start(self, info):
        pass

    def propagate(self, masks, from_frame, to_frame):
        dx = self.dx * (to_frame.index - from_frame.index)
        moved = np.zeros_like(masks)
        if dx < 0:
            moved[..., :dx] = masks[..., -dx:]
        else:
            moved[..., dx:] = masks[..., : masks.shape[-1] - dx]
        return moved


class ScoreLooks:
    """Segments look like their score: equal scores look alike."""

    needs_images = False

    def start(self, info):
        pass

    def embed(self, frame, segments):
        angle = segments.scores * np.pi / 2
        return np.stack((np.cos(angle), np.sin(angle)), axis=1).astype(np.float32)


def linker(view=None, lost=None, propagation=None, **given):
    model = written_model(view=view or NEAR, lost=lost or NEAR)
    return JointLinker(model, propagation or StandStill(), None, LinkerSettings(**given))


def by_looks(**given):
    """A linker that links what looks alike."""
    alike = {"bias": -95, "cosine_best": 100}
    model = written_model("appearance", view=alike, lost=alike)
    return JointLinker(model, None, ScoreLooks(), LinkerSettings(**given))


def gone(*positions):
    """One car at the positions; None where it is hidden."""
    return [[] if x is None else [Box(1, x=x)] for x in positions]


def test_clear_overlap_decides_alone_and_the_rest_is_left_to_the_networks():
    assert steps_of(linker(), gone(10, 12, 17)) == [("new",), ("motion",), ("joint",)]
    nothing = linker(view={"bias": -50})
    assert steps_of(nothing, gone(10, 12, 17)) == [("new",), ("motion",), ("new",)]
    strict = linker(clear_overlap=0.9)
    assert steps_of(strict, gone(10, 12, 17)) == [("new",), ("joint",), ("joint",)]


def test_overlap_that_is_not_clear_does_not_win_over_the_networks():
    # Car 1 drives to where car 2 stood: a third of that mask lies over it, its own not at all.
    scene = [*[[Box(1, x=10 + 12 * t), Box(2, x=52)] for t in range(3)], [Box(1, x=46)]]
    loose = {"bias": 20, "predicted_distance": -20}
    *_, before, last = link(linker(view=loose), scene)
    assert last[1] == before[1]
    *_, before, last = link(linker(view=loose, clear_overlap=0.2), scene)
    assert last[1] == before[2]


def test_only_one_class_is_linked():
    scene = [[Box(1, x=10)], [Box(1, x=10, class_id=11)]]
    assert steps_of(linker(view=ANYWHERE), scene) == [("new",), ("new",)]


def test_tracks_in_view_are_linked_before_lost_ones():
    # Car 2 is lost where the segment of the last frame lies; car 1, in view, may be it as well.
    scene = [[Box(1, x=10), Box(2, x=40)], [Box(1, x=10)], [Box(3, x=40)]]
    loose = linker(view=ANYWHERE, lost=NEAR, memory=5)
    first, _, last = link(loose, scene)
    assert last[3] == first[1]
    strict = linker(view=NEAR, lost=NEAR, memory=5)
    first, _, last = link(strict, scene)
    assert last[3] == first[2]


@pytest.mark.parametrize(("memory", "hidden", "comes_back"), [(0, 1, False), (3, 3, True)])
def test_memory_ends(memory, hidden, comes_back):
    kept = linker(memory=memory)
    linked = link(kept, gone(30, *[None] * hidden, 30))
    assert (linked[-1][1] == linked[0][1]) == comes_back
    linked = link(kept, gone(30, *[None] * (hidden + 1), 30))
    assert linked[-1][1] != linked[0][1]


def test_a_recovered_track_says_how_long_it_was_hidden():
    video = DrawnVideo(gone(30, None, None, 30))
    kept = linker(memory=5)
    kept.start(video.info)
    found = [
        kept.associate(video.frame(t), segments_of(boxes)) for t, boxes in enumerate(video.scene)
    ]
    assert (found[3].steps, found[3].ages) == (("recovered",), (3,))


def test_a_lost_track_keeps_its_velocity():
    linked = link(linker(memory=5), gone(10, 14, 18, 22, None, None, 34))
    assert linked[-1][1] == linked[0][1]
    linked = link(linker(memory=5), gone(10, 14, 18, 22, None, None, 22))
    assert linked[-1][1] != linked[0][1]


def test_a_lost_track_moves_with_the_background():
    # It is seen once, so nothing but the camera says where it goes.
    scene = gone(80, None, None, 62)
    moving = linker(propagation=Shift(-6), memory=5)
    linked = link(moving, scene)
    assert linked[-1][1] == linked[0][1]
    still = linker(memory=5)
    linked = link(still, scene)
    assert linked[-1][1] != linked[0][1]


def test_uncertainty_grows_while_a_track_is_lost():
    unsure = {"bias": 20, "predicted_deviation": -22}  # counts in standard deviations
    linked = link(linker(lost=unsure, memory=9), gone(30, None, 38))
    assert linked[-1][1] != linked[0][1]
    linked = link(linker(lost=unsure, memory=9), gone(30, *[None] * 8, 38))
    assert linked[-1][1] == linked[0][1]


SLIVER = [
    [Box(1, x=30)],
    [Box(1, x=30)],
    [],
    [],
    [Box(1, x=30, width=3)],
    [Box(1, x=30, width=5)],
    [Box(1, x=30, width=12)],
    [Box(1, x=30, width=12)],
]


def decisions(kept, scene):
    """Return all associations in order, and copies of them made when they were returned."""
    video = DrawnVideo(scene)
    kept.start(video.info)
    found = [
        kept.associate(video.frame(t), segments_of(boxes)) for t, boxes in enumerate(video.scene)
    ]
    found = [each for each in found if each is not None]
    copies = [(each.ids.copy(), each.steps, each.ages) for each in found]
    return [*found, *kept.finish()], copies


def late(delay, **given):
    loose = {"bias": 20, "predicted_distance": -5}
    choices = {"memory": 9, "patience": 3, **given}
    lost = {**loose, "area_to_whole": 30}  # half of the area is too little
    return linker(view=loose, lost=lost, delay=delay, **choices)


def test_a_sliver_is_tentative_until_enough_of_it_is_seen():
    found, _ = decisions(late(0), SLIVER)
    ids = [each.ids.tolist() for each in found]
    assert ids == [[1], [1], [], [], [2], [2], [1], [1]]
    assert found[6].steps == ("late",)
    assert found[6].ages == (5,)
    assert found[7].ages == (1,)


def test_with_delay_the_sliver_gets_its_identity_before_it_is_returned():
    found, _ = decisions(late(2), SLIVER)
    assert [each.ids.tolist() for each in found] == [[1], [1], [], [], [1], [1], [1], [1]]
    assert [each.steps for each in found[4:7]] == [("late",)] * 3
    assert [each.ages for each in found[4:8]] == [(3,), (1,), (1,), (1,)]
    found, _ = decisions(late(1), SLIVER)
    assert [each.ids.tolist() for each in found][4:] == [[2], [1], [1], [1]]


def test_patience_ends():
    found, _ = decisions(late(0, patience=1), SLIVER)
    assert [each.ids.tolist() for each in found][4:] == [[2], [2], [2], [2]]


def test_without_patience_delay_changes_nothing():
    expected, _ = decisions(late(0, patience=0), SLIVER)
    for delay in (1, 4, 20):
        found, _ = decisions(late(delay, patience=0), SLIVER)
        assert [each.ids.tolist() for each in found] == [each.ids.tolist() for each in expected]


boxes = st.builds(
    Box,
    st.integers(1, 4),
    x=st.integers(0, 80),
    width=st.integers(2, 14),
    y=st.sampled_from((4, 20, 34)),
    class_id=st.sampled_from((11, 13)),
)
scenes = st.lists(st.lists(boxes, max_size=4, unique_by=lambda box: box.track), max_size=8)


@settings(max_examples=40, deadline=None)
@given(scenes, st.integers(0, 4), st.integers(1, 3))
def test_nothing_that_was_returned_changes_and_every_frame_is_decided_once(scene, delay, pair):
    kept = late(delay, pair=pair, view_probability=0.1, lost_probability=0.1)
    if not scene:
        return
    found, copies = decisions(kept, scene)
    assert len(found) == len(scene)
    assert len(copies) == max(0, len(scene) - delay)
    for each, (ids, steps, ages) in zip(found, copies, strict=False):
        assert np.array_equal(each.ids, ids)
        assert (each.steps, each.ages) == (steps, ages)
    classes = {}
    for each, present in zip(found, scene, strict=True):
        assert len(set(each.ids.tolist())) == len(present) == len(each.steps) == len(each.ages)
        for number, box in zip(each.ids.tolist(), present, strict=True):
            assert number > 0
            assert classes.setdefault(number, box.class_id) == box.class_id


def test_appearance_alone_knows_nothing_of_places():
    scene = [[Box(1, x=5, score=0.2), Box(2, x=60, score=0.9)], [], [Box(1, x=70, score=0.2)]]
    kept = by_looks(memory=5)
    linked = link(kept, scene)
    assert linked[2][1] == linked[0][1]
    assert steps_of(by_looks(), gone(10, 10)) == [("new",), ("joint",)]


def test_a_gallery_keeps_the_largest_views():
    # The car is seen whole first, then five times as a sliver that looks different.
    scene = [
        [Box(1, x=30, width=12, score=0.2)],
        *[[Box(1, x=30, width=3, score=0.6)]] * 6,
        [],
        [Box(1, x=30, width=12, score=0.2)],
    ]
    alike = {"bias": -95, "cosine_best": 100}
    model = written_model("appearance", view={"bias": 20}, lost=alike)
    kept = JointLinker(model, None, ScoreLooks(), LinkerSettings(memory=5, gallery_size=2))
    linked = link(kept, scene)
    assert linked[-1][1] == linked[0][1]


def test_cues_that_are_missing_are_an_error():
    with pytest.raises(ConfigError, match="wrong propagation"):
        JointLinker(written_model("motion"), None, None)
    with pytest.raises(ConfigError, match="wrong embedder"):
        JointLinker(written_model("motion"), StandStill(), ScoreLooks())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clear_overlap", 1.1),
        ("lost_probability", -0.1),
        ("view_probability", 2.0),
        ("patience", -1),
        ("delay", -1),
        ("gallery_size", 0),
        ("memory", -1),
        ("pair", 0),
    ],
)
def test_settings_out_of_range_are_an_error(name, value):
    with pytest.raises(ConfigError, match=f"{name} is {value}; expected"):
        LinkerSettings(**{name: value})


def test_a_course_of_empty_masks_stays_where_it_is_expected():
    course = Course()
    course.observe(Sighting(0, area=0, height=0, score=1.0), np.array([4.0, 2, 8, 6]), None, 0)
    expected = course.places[0]
    box = np.array([14.0, 12, 18, 16])
    course.observe(Sighting(1, area=0, height=0, score=1.0), box, expected, 1)
    np.testing.assert_array_equal(course.places[1].velocity, expected.velocity)
