import numpy as np
import pytest
from helpers.linkers import written_model
from helpers.scenes import Box, DrawnVideo, link, segments_of

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.tracking import StandStill, TwoStepAssociator, TwoStepSettings
from mapt_bench.tracking.joint_linker import JointLinker, LinkerSettings
from mapt_bench.tracking.oracle_steps import ORACLE_STEPS, OracleSteps, parse_oracle_steps


class Alike:
    """An embedder to which everything looks alike."""

    needs_images = False

    def start(self, info):
        pass

    def embed(self, frame, segments):
        return np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (segments.count, 1))


def fusion(scene, steps="", embedder=None, **settings):
    oracle = OracleSteps(parse_oracle_steps(steps), DrawnVideo(scene).truth)
    return TwoStepAssociator(
        StandStill(), embedder, TwoStepSettings(**settings), oracle=oracle if steps else None
    )


def joint(scene, steps="", view=None, **settings):
    model = written_model(view=view or {"bias": -50}, lost={"bias": -50})
    oracle = OracleSteps(parse_oracle_steps(steps), DrawnVideo(scene).truth)
    return JointLinker(
        model, StandStill(), None, LinkerSettings(**settings), oracle=oracle if steps else None
    )


# Two cars that swap places.
SWAP = [[Box(1, x=10), Box(2, x=50)], [Box(1, x=50), Box(2, x=10)]]
# A car that is hidden for two frames, and returns elsewhere.
RETURN = [[Box(1, x=10)], [], [], [Box(1, x=70)], [Box(1, x=70)]]


@pytest.mark.parametrize("build", [fusion, joint])
def test_the_first_step_is_replaced(build):
    first, last = link(build(SWAP), SWAP)
    assert last == {1: first[2], 2: first[1]}
    first, last = link(build(SWAP, "motion"), SWAP)
    assert last == first


@pytest.mark.parametrize("build", [fusion, joint])
def test_a_later_step_repairs_no_mistake_of_an_earlier_one(build):
    first, last = link(build(SWAP, "appearance+memory", memory=5), SWAP)
    assert last == {1: first[2], 2: first[1]}


def test_the_second_step_is_replaced():
    scene = [[Box(1, x=10), Box(2, x=30)], [Box(2, x=60), Box(1, x=80)]]  # nothing overlaps
    first, last = link(fusion(scene, embedder=Alike()), scene)
    assert last != first
    first, last = link(fusion(scene, "appearance", embedder=Alike()), scene)
    assert last == first
    first, last = link(joint(scene), scene)
    assert not set(last.values()) & set(first.values())
    first, last = link(joint(scene, "appearance"), scene)
    assert last == first


@pytest.mark.parametrize("build", [fusion, joint])
@pytest.mark.parametrize(("memory", "is_back"), [(5, True), (1, False)])
def test_memory_is_replaced_within_its_length(build, memory, is_back):
    *_, last = link(build(RETURN, memory=memory), RETURN)
    first = link(build(RETURN, "memory", memory=memory), RETURN)
    assert last[1] != first[0][1]
    assert (first[-1][1] == first[0][1]) == is_back
    in_view = link(build(RETURN, "motion+appearance", memory=memory), RETURN)
    assert in_view[-1][1] != in_view[0][1]


@pytest.mark.parametrize("build", [fusion, joint])
def test_nothing_is_linked_to_what_is_no_object_or_another_one(build):
    scene = [[Box(1, x=10)], [Box(2, x=10)]]  # another car takes the place
    assert link(build(scene), scene)[1][2] == 1
    assert link(build(scene, "motion"), scene)[1][2] != 1
    clutter = build([[], []], "motion")  # there is no object where the segments lie
    video = DrawnVideo([[], []])
    clutter.start(video.info)
    found = [clutter.associate(video.frame(t), segments_of([Box(1, x=10)])) for t in range(2)]
    assert [each.steps for each in found] == [("new",), ("new",)]


def test_an_object_belongs_to_the_track_that_was_last_on_it():
    # The linker begins a second track for car 1. The lost first one must not take the car back.
    scene = [[Box(1, x=10)], [], [Box(1, x=60)], [Box(1, x=60)]]
    linked = link(fusion(scene, "memory", memory=0), scene)
    assert linked[2][1] != linked[0][1]
    loose = fusion(scene, "memory", memory=9)
    assert [each.get(1) for each in link(loose, scene)] == [1, None, 1, 1]
    oracle = OracleSteps(["memory"], DrawnVideo(scene).truth)
    oracle.start(DrawnVideo(scene).info)
    oracle.look(DrawnVideo(scene).frame(0), segments_of(scene[0]))
    tracks = [type("", (), {"track_id": number})() for number in (1, 2)]
    oracle.observe(1, 0)
    assert oracle.true_pairs(tracks, [0]).tolist() == [[True], [False]]
    oracle.observe(2, 0)
    assert oracle.true_pairs(tracks, [0]).tolist() == [[False], [True]]
    oracle.merge(1, 2)
    assert oracle.true_pairs(tracks, [0]).tolist() == [[True], [False]]


def test_names_of_steps():
    assert parse_oracle_steps("") == ()
    assert parse_oracle_steps("+".join(reversed(ORACLE_STEPS))) == ORACLE_STEPS
    with pytest.raises(ConfigError, match="oracle is 'motoin'; did you mean 'motion'"):
        parse_oracle_steps("motoin")
    with pytest.raises(ConfigError, match="names motion twice"):
        parse_oracle_steps("motion+motion")


def test_ground_truth_of_another_size_is_refused():
    oracle = OracleSteps(["motion"], DrawnVideo(SWAP).truth)
    oracle.start(DrawnVideo(SWAP).info)
    found = segments_of(SWAP[0])
    small = type(found)(
        found.stuff[:8, :8], found.index_map[:8, :8] * 0 - 1, found.class_ids, found.scores
    )
    with pytest.raises(DataError, match="segments are 8x8 and ground truth is 48x96"):
        oracle.look(DrawnVideo(SWAP).frame(0), small)
