"""Scoring in memory gives the results of scoring folders."""

import pickle

import numpy as np
import pytest

from mapt_bench.compare import Limit, compare_results
from mapt_bench.data import KittiStepWriter
from mapt_bench.errors import ConfigError, DataError, ProtocolError
from mapt_bench.evaluation.streaming import Scorer, evaluate
from mapt_bench.labels import as_panoptic_map, label_space
from mapt_bench.results import load_result

KITTI = label_space("kitti-step")
SIZE = (12, 20)
LENGTHS = {"0001": 4, "0002": 3}


def frames(count, shift=0):
    """A car and two people who walk right, on a road with void: (classes, ids) of each frame.

    With ``shift`` the boxes lie beside their places, and the people change identities.
    """
    made = []
    for at in range(count):
        classes, ids = np.zeros((2, *SIZE), dtype=np.int64)
        classes[-1] = KITTI.ignore_label
        for number, (kind, top) in enumerate([(13, 0), (11, 4), (11, 8)], start=1):
            box = np.s_[top : top + 3, at + shift : at + shift + 8]
            swapped = shift and at > 1 and kind == 11
            classes[box], ids[box] = kind, 5 - number if swapped else number
        made.append((classes, ids))
    return made


GT = {name: frames(length) for name, length in LENGTHS.items()}
PRED = {name: frames(length, shift=1) for name, length in LENGTHS.items()}


def packed(frame, divisor=1000):
    return frame[0] * divisor + frame[1]


def fed(*names, **arguments):
    scorer = Scorer(KITTI, **arguments)
    for name in names or LENGTHS:
        for gt, pred in zip(GT[name], PRED[name], strict=True):
            scorer.update(gt, pred, sequence=name)
    return scorer


def numbers(result):
    """Everything that a result says but how its data were stored and when."""
    data = result.to_dict()
    return {
        key: data[key] for key in ("scores", "per_sequence", "per_class", "blocks", "undefined")
    }


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = []
    for side, sequences in (("gt", GT), ("pred", PRED)):
        made.append(tmp_path_factory.mktemp(side))
        with KittiStepWriter(made[-1], KITTI) as writer:
            for name, maps in sequences.items():
                for at, frame in enumerate(maps):
                    writer.write(name, f"{at:06d}", as_panoptic_map(frame))
    return made


def test_memory_and_folders_agree(folders):
    on_disk = evaluate(*folders, labels=KITTI, intervals=True)
    in_memory = evaluate(GT, PRED, labels=KITTI, intervals=True)
    assert numbers(in_memory) == numbers(on_disk)
    assert in_memory.intervals == on_disk.intervals
    assert in_memory.protocol["classes"] == on_disk.protocol["classes"]
    assert 0 < in_memory.scores["PAT"] < 1


def test_text_names_folders(folders):
    gt, pred = map(str, folders)
    assert numbers(evaluate(gt, pred)) == numbers(evaluate(*folders, labels="kitti-step"))


def test_folders_take_their_options(folders):
    official = evaluate(*folders, pat_protocol="official").scores["PAT"]
    assert official == evaluate(GT, PRED, labels=KITTI, pat_protocol="official").scores["PAT"]
    assert official != evaluate(*folders).scores["PAT"]


def test_sequences_take_turns():
    scorer = Scorer("kitti-step")
    for at in range(max(LENGTHS.values())):
        for name, length in LENGTHS.items():
            if at < length:
                scorer.update(GT[name][at], PRED[name][at], sequence=name)
    assert scorer.sequences == LENGTHS
    assert numbers(scorer.compute()) == numbers(fed().compute())


def test_started_sequences():
    scorer = Scorer("kitti-step", divisor=1000)
    for name in LENGTHS:
        scorer.start_sequence(name)
        for gt, pred in zip(GT[name], PRED[name], strict=True):
            scorer.update(packed(gt), packed(pred))
    assert numbers(scorer.compute()) == numbers(fed().compute())
    with pytest.raises(DataError, match="'0001' has 4 frames already"):
        scorer.start_sequence("0001")


def test_compute_may_be_asked_again_after_more_frames():
    scorer = fed("0001")
    first = scorer.compute()
    assert numbers(first) == numbers(fed("0001").compute())
    for gt, pred in zip(GT["0002"], PRED["0002"], strict=True):
        scorer.update(gt, pred, sequence="0002")
    assert numbers(scorer.compute()) == numbers(fed().compute()) != numbers(first)


def test_scorers_merge_and_pickle():
    whole, other = fed("0001"), pickle.loads(pickle.dumps(fed("0002")))  # noqa: S301 - our own
    whole.merge(other)
    assert numbers(whole.compute()) == numbers(fed().compute())
    other.update(GT["0002"][0], PRED["0002"][0], sequence="0002")
    assert whole.sequences == LENGTHS
    assert numbers(whole.compute()) == numbers(fed().compute())


def test_what_cannot_be_merged():
    with pytest.raises(DataError, match="both scorers have frames of 0001"):
        fed("0001").merge(fed())
    with pytest.raises(ConfigError, match="'kitti-step' and 'motchallenge-step'"):
        fed().merge(Scorer("motchallenge-step"))


def test_reset():
    scorer = fed()
    scorer.reset()
    assert scorer.sequences == {}
    with pytest.raises(DataError, match="no frame to score"):
        scorer.compute()


def test_a_wrong_frame_is_named_and_not_added():
    scorer = fed("0001")
    good, bad = GT["0001"][0], (np.full(SIZE, 42), np.zeros(SIZE, int))
    for gt, pred, side in ((bad, good, "ground truth"), (good, bad, "prediction")):
        with pytest.raises(DataError, match="class 42") as caught:
            scorer.update(gt, pred, sequence="0001")
        assert caught.value.where == f"sequence 0001, frame 4, {side}"
    with pytest.raises(DataError, match="no divisor") as caught:
        scorer.update(good, good[0])
    assert caught.value.where == "sequence 0, frame 0, prediction"
    small = tuple(part[:-1] for part in good)
    with pytest.raises(ProtocolError, match="12x20 and prediction 11x20"):
        scorer.update(good, small, sequence="0001")
    assert scorer.sequences == {"0001": 4}


def test_one_sequence_from_generators():
    gt, pred = (packed(frame) for frame in GT["0001"]), (packed(f) for f in PRED["0001"])
    result = evaluate(gt, pred, labels="kitti-step", divisor=1000)
    assert result.scores == fed("0001").compute().scores
    assert list(result.per_sequence) == ["0"]


@pytest.mark.parametrize(("gt_count", "pred_count", "short"), [(4, 3, "pred"), (2, 4, "gt")])
def test_sides_of_different_length(gt_count, pred_count, short):
    with pytest.raises(DataError, match=f"{short} has {min(gt_count, pred_count)} frames"):
        evaluate(GT["0001"][:gt_count], PRED["0001"][:pred_count], labels=KITTI)


@pytest.mark.parametrize(
    ("gt", "pred", "options", "message"),
    [
        ("folder", PRED, {}, "one of gt and pred is a folder"),
        ("folder", "other", {"divisor": 1000}, "omit divisor"),
        (GT, PRED, {}, "need a label space"),
        (GT, PRED["0001"], {"labels": KITTI}, "one of gt and pred is a dictionary"),
        (GT, 3, {"labels": KITTI}, "pred an int"),
        (GT, PRED, {"labels": KITTI, "missing": "void"}, "are for folders"),
        (GT, PRED, {"labels": KITTI, "seed": -1}, "seed is -1"),
        (GT, PRED, {"labels": KITTI, "seed": 2**63}, "seed is 9223372036854775808"),
        (GT, PRED, {"labels": KITTI, "pat_protocol": "best"}, "unknown PAT protocol"),
        (GT, PRED, {"labels": "kitti-stpe"}, "did you mean 'kitti-step'"),
        (GT, PRED, {"labels": KITTI, "divisor": 0}, "divisor is 0"),
    ],
)
def test_arguments_that_do_not_go_together(gt, pred, options, message):
    with pytest.raises(ConfigError, match=message):
        evaluate(gt, pred, **options)


def test_sequences_of_one_side_only():
    with pytest.raises(DataError, match="sequences 0002 are on one side only"):
        evaluate(GT, {"0001": PRED["0001"]}, labels=KITTI)


def test_a_written_result_can_be_read_and_compared(tmp_path):
    result = fed().compute(intervals=True)
    file = result.write(tmp_path / "mine.json")
    row = load_result(file).rows["prediction"]
    assert row.scores == result.scores
    other = fed(name="other").compute().write(tmp_path / "other.json")
    comparison = compare_results(file, other, limits=[Limit.parse("PAT<0")])
    assert comparison.is_passed
    assert {change.difference for change in comparison.changes} <= {0.0, None}


def test_other_windows_of_vpq_give_the_result_of_folders(tmp_path):
    for side, scenes in (("gt", GT), ("pred", PRED)):
        with KittiStepWriter(tmp_path / side, KITTI) as writer:
            for name, made in scenes.items():
                for at, frame in enumerate(made):
                    writer.write(name, f"{at:06d}", as_panoptic_map(frame))
    of_folders = evaluate(tmp_path / "gt", tmp_path / "pred", vpq_windows=[2, 3], intervals=True)
    in_memory = evaluate(GT, PRED, labels=KITTI, vpq_windows=[2, 3], intervals=True)
    assert in_memory.scores == of_folders.scores
    assert in_memory.intervals == of_folders.intervals
    assert in_memory.blocks["vpq"] == of_folders.blocks["vpq"]
    assert in_memory.protocol["vpq_windows"] == [2, 3]
    assert in_memory.scores["VPQ"] != evaluate(GT, PRED, labels=KITTI).scores["VPQ"]
    with pytest.raises(ConfigError, match="vpq_windows is '2,1'; expected"):
        Scorer(KITTI, vpq_windows=(2, 1))
    with pytest.raises(
        ConfigError, match=r"VPQ windows \(1, 2, 3, 4\) and \(2,\) cannot be merged"
    ):
        Scorer(KITTI).merge(Scorer(KITTI, vpq_windows=(2,)))
