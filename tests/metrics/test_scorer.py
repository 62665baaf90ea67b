import numpy as np
import pytest
from helpers.films import film, score
from helpers.maps import KITTI, draw

from mapt_bench.errors import ConfigError, DataError, ProtocolError
from mapt_bench.labels import LabelClass, LabelSpace, PanopticMap, label_space
from mapt_bench.metrics import (
    SequenceScorer,
    flat_scores,
    pool,
    reference_blocks,
)
from mapt_bench.metrics.scorer import IdentityMarks, checked_windows

GT, PRED = "c1 c1 r | c1 c1 r | c1 p1 r", "c5 c5 r | c5 r r | c6 p1 r"


def test_result_may_be_read_again_after_more_frames():
    scorer = SequenceScorer(KITTI)
    pairs = list(zip(film(GT), film(PRED), strict=True))
    for gt, pred in pairs[:2]:
        scorer.update(gt, pred)
    first = scorer.result().to_vector()
    assert scorer.result().to_vector().tolist() == first.tolist()
    scorer.update(*pairs[2])
    assert scorer.result().to_vector().tolist() == score(GT, PRED).to_vector().tolist()


def test_a_refused_frame_adds_nothing():
    scorer = SequenceScorer(KITTI)
    scorer.update(draw("c1 r"), draw("c1 r"))
    before = scorer.result().to_vector()
    with pytest.raises(ProtocolError):
        scorer.update(draw("c1 r"), draw("c1 r r"))
    with pytest.raises(DataError):
        scorer.update(draw("c1 r"), PanopticMap(np.full((1, 2), 77 << 24, dtype=np.uint32)))
    assert scorer.result().to_vector().tolist() == before.tolist()


def test_frames_may_differ_in_size():
    scorer = SequenceScorer(KITTI)
    scorer.update(draw("c1 r"), draw("c1 r"))
    scorer.update(draw("c1 r", "r r"), draw("c1 r", "r r"))
    assert flat_scores(scorer.result(), KITTI)["PAT"] == 1


def test_pooling_nothing_is_an_error():
    with pytest.raises(ProtocolError, match="no sequence to pool"):
        pool([])


def test_tracks_never_cross_sequences():
    # id 5 in one sequence and id 6 in the next are no switch
    scores = flat_scores(pool([score("c1 r", "c5 r"), score("c1 r", "c6 r")]), KITTI)
    assert (scores["TQ"], scores["AQ"], scores["IDSW"]) == (1, 1, 0)


def test_every_reference_block_is_there():
    blocks = reference_blocks({"a": score(GT, PRED), "b": score(GT, GT)}, KITTI)
    assert list(blocks) == ["stq", "pq", "vpq", "panoptic_tracking", "tracking", "mopt"]
    assert list(blocks["panoptic_tracking"]) == [
        "official",
        "official_float32",
        "present_classes",
        "thing_ids",
        "thing_ids_present_classes",
        "bare_ids",
        "min_points_30",
    ]
    for name in ("stq", "pq", "mopt"):
        assert list(blocks[name]["per_sequence"]) == ["a", "b"]
    with_sequences = [
        name for name, block in blocks["panoptic_tracking"].items() if "per_sequence" in block
    ]
    assert with_sequences == ["official", "thing_ids_present_classes"]
    assert list(blocks["vpq"]["dataset"]) == [
        "window_1",
        "window_2",
        "window_3",
        "window_4",
        "mean_over_windows",
    ]


def test_tracking_block_averages_and_pools_classes():
    # the car is found, the person missed
    tracking = reference_blocks({"a": score("c1 p1 r", "c5 r r")}, KITTI)["tracking"]
    assert list(tracking["per_class"]) == ["pedestrian", "car"]
    assert tracking["class_averaged"]["HOTA"] == pytest.approx(1 / 2)
    assert tracking["class_averaged"]["TP"] == 1
    assert tracking["class_averaged"]["FN"] == 1
    assert tracking["detection_averaged"]["DetA"] == pytest.approx(1 / 2)
    assert tracking["detection_averaged"]["AssA"] == pytest.approx(1)


def test_only_the_label_spaces_of_the_reference_have_its_names():
    """A person of another label space keeps its name, also beside a pedestrian."""
    things = ("person", "pedestrian")
    own = LabelSpace("own", tuple(LabelClass(n, t, True, (0, 0, 0)) for n, t in enumerate(things)))
    both = PanopticMap(np.array([[1, 1 << 24 | 1]], dtype=np.uint32))
    first = PanopticMap(np.array([[1, 255 << 24]], dtype=np.uint32))
    blocks = reference_blocks({"a": score([both], [first], own)}, own)["tracking"]
    found = {name: entry["TP"] for name, entry in blocks["per_class"].items()}
    assert found == {"person": 1, "pedestrian": 0}
    cityscapes = label_space("cityscapes")
    empty = reference_blocks({"a": score([], [], cityscapes)}, cityscapes)["tracking"]
    assert "person" in empty["per_class"]


def test_one_thing_class_has_nothing_to_average():
    labels = label_space("motchallenge-step")
    person = PanopticMap(np.array([[4 << 24 | 1, 0]], dtype=np.uint32))
    tracking = reference_blocks({"a": score([person], [person], labels)}, labels)["tracking"]
    assert list(tracking) == ["per_class", "per_sequence"]


def test_a_sequence_without_true_masks_has_motsa_0():
    # TrackEval: 0 for the sequence, whatever was predicted; over the data set it counts.
    tracking = reference_blocks({"a": score("r r", "c5 r")}, KITTI)["tracking"]
    assert tracking["per_sequence"]["a"]["car"]["MOTSA"] == 0
    assert tracking["per_class"]["car"]["MOTSA"] == -1


@pytest.mark.parametrize("windows", [(), (0,), (0, 1), (2, 1), (2, 2), (-1, 3)])
def test_windows_ascend_from_1(windows):
    with pytest.raises(ConfigError, match="expected window sizes in frames from 1, ascending"):
        checked_windows(windows, "--vpq-windows")


def test_windows_may_begin_above_1():
    assert checked_windows([2, 4], "--vpq-windows") == (2, 4)


def test_marks_say_what_occurs_on_each_side():
    def marks(gt, pred):
        scorer = SequenceScorer(KITTI)
        scorer.update(draw(gt), draw(pred))
        return scorer.marks()

    empty, crowd, both = marks("r r", "r r"), marks("c0 r", "c0 r"), marks("c1 r", "c1 r")
    assert (empty.gt_things, empty.gt_ids, empty.pred_things, empty.pred_ids) == (False,) * 4
    assert (crowd.gt_things, crowd.gt_ids, crowd.pred_things, crowd.pred_ids) == (
        True, False, True, False,
    )  # fmt: skip
    assert (both.gt_things, both.gt_ids, both.pred_things, both.pred_ids) == (True,) * 4
    for one, other in ((empty, both), (both, empty)):
        joined = one | other
        assert (joined.gt_things, joined.gt_ids, joined.pred_things, joined.pred_ids) == (True,) * 4
    assert marks("c1 r", "r r") == IdentityMarks(gt_things=True, gt_ids=True)


def test_a_sequence_without_frames_has_no_marks():
    """Class 0 is a thing here, so that no code stands for nothing."""
    labels = LabelSpace("zero", (LabelClass(0, "car", is_thing=True, color=(0, 0, 0)),))
    assert SequenceScorer(labels).marks() == IdentityMarks()
