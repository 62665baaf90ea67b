"""Notes on implausible results, selected sequences, and predictions of another size."""

import json

import numpy as np
import pytest
from helpers.maps import KITTI, draw, same, write_frames, write_sequences

from mapt_bench.data import open_maps
from mapt_bench.data.png import encode_png
from mapt_bench.data.sequences import resized
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.evaluation import EvaluationSettings, evaluate_folders
from mapt_bench.labels import PanopticMap


def evaluate(tmp_path, gt, pred, **settings):
    write_frames(tmp_path / "gt" / "0001", gt)
    write_frames(tmp_path / "pred" / "0001", pred)
    settings = EvaluationSettings(**settings)
    return evaluate_folders(tmp_path / "gt", [tmp_path / "pred"], settings)[0]


def notes_of(*args, **settings):
    return evaluate(*args, **settings).protocol["notes"]


def test_a_plausible_result_has_no_note(tmp_path):
    assert notes_of(tmp_path, [draw("r c1 p2")], [draw("r c4 r")]) == []


def test_no_match_in_any_class(tmp_path):
    (note,) = notes_of(tmp_path, [draw("r c1")], [draw("c1 r")])
    assert note.startswith("PQ is 0 in every class")


@pytest.mark.parametrize(
    ("gt", "pred", "side"),
    [("r c0 p0", "r c1 p1", "ground truth"), ("r c1 p1", "r c0 p0", "prediction")],
)
def test_things_without_identity(tmp_path, gt, pred, side):
    (note,) = notes_of(tmp_path, [draw(gt)], [draw(pred)])
    assert note.startswith(f"no thing of the {side} has an identity")


def test_identities_on_stuff_of_the_ground_truth(tmp_path):
    """The bus is a thing in Cityscapes, and stuff in KITTI-STEP."""
    bus = PanopticMap(np.array([[15 << 24 | 3, 13 << 24 | 1]], dtype=np.uint32))
    (note,) = notes_of(tmp_path, [bus], [bus])
    assert "identities on bus, which the label space 'kitti-step' calls stuff" in note
    again = EvaluationSettings(dataset="cityscapes")
    (result,) = evaluate_folders(tmp_path / "gt", [tmp_path / "pred"], again)
    assert result.protocol["notes"] == []


def test_two_encodings_are_named(tmp_path):
    write_frames(tmp_path / "gt" / "0001", [draw("r c1")])
    (tmp_path / "pred" / "0001").mkdir(parents=True)
    np.save(tmp_path / "pred" / "0001" / "0.npy", np.array([[[0, 0], [13, 5]]]))
    (result,) = evaluate_folders(tmp_path / "gt", [tmp_path / "pred"], EvaluationSettings())
    expected = "the ground truth is read as kitti-step, the prediction as two-channel"
    assert result.protocol["notes"] == [expected]
    assert result.scores["PAT"] == 1


def sequences(folder, *names):
    return write_sequences(folder, {name: [draw("r c1"), draw("c1 r")] for name in names})


def test_chosen_sequences_are_scored(tmp_path):
    gt = sequences(tmp_path / "gt", "0001", "0002", "0003")
    pred = sequences(tmp_path / "pred", "0002", "0003")
    settings = EvaluationSettings(sequences=("0003", "0002"))
    (result,) = evaluate_folders(gt, [pred], settings)
    assert list(result.per_sequence) == ["0002", "0003"]
    assert result.protocol["sequences"] == ["0003", "0002"]
    with pytest.raises(ConfigError, match="--sequence '0009' is not in the ground truth"):
        evaluate_folders(gt, [pred], EvaluationSettings(sequences=("0009",)))
    with pytest.raises(DataError, match="no prediction for the sequence 0001"):
        evaluate_folders(gt, [pred], EvaluationSettings(sequences=("0001",)))


def test_a_smaller_prediction_is_scored_at_the_nearest_pixel(tmp_path):
    gt, pred = [draw("r r c1 c1", "r r c1 c1")], [draw("r c7")]
    with pytest.raises(DataError, match="--resize nearest"):
        evaluate(tmp_path, gt, pred)
    (result,) = evaluate_folders(
        tmp_path / "gt", [tmp_path / "pred"], EvaluationSettings(resize="nearest")
    )
    assert (result.scores["PQ"], result.protocol["resize"]) == (1, "nearest")


def test_the_nearest_pixel_is_that_of_the_centre(tmp_path):
    write_frames(tmp_path, [draw("r r c1 c2 c3 s")])
    (sequence,) = open_maps(tmp_path, KITTI).sequences
    assert same(resized(sequence, (2, 2)).read(0), draw("r c3", "r c3"))
    assert resized(sequence, sequence.size) is sequence


def test_images_of_different_sizes_have_the_pq_of_panopticapi(tmp_path):
    """Two images, a car in each. One is predicted with an IoU of 3/4, one not at all.

    Cars: TP 1, FN 1, IoU 3/4, PQ (3/4) / 1.5 = 1/2. Road: 5/6 and 2/4 (no match, FP and FN).
    """
    images = {
        "000000000139": ("r r r r r c1 c1 c1 c1", "r r r r r r c1 c1 c1"),
        "000000000285": ("r r c1 c1", "r r r r"),
    }
    for side in (0, 1):
        annotations = []
        for name, rows in images.items():
            words = rows[side].split()
            ids = np.array([[1 if word == "r" else 2 for word in words]])
            path = tmp_path / str(side) / "val" / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_png(np.stack([ids, ids * 0, ids * 0], -1).astype(np.uint8)))
            segments = [{"id": 1, "category_id": 0}, {"id": 2, "category_id": 13}]
            present = [entry for entry in segments if entry["id"] in ids]
            annotations.append({"file_name": f"{name}.png", "segments_info": present})
        (tmp_path / str(side) / "val.json").write_text(json.dumps({"annotations": annotations}))
    folders = tmp_path / "0" / "val", [tmp_path / "1" / "val"]
    (result,) = evaluate_folders(*folders, EvaluationSettings())
    road = (5 / 6) / (1 + 1 / 2 + 1 / 2)
    assert result.per_class["0"]["PQ"] == pytest.approx(road)
    assert result.per_class["13"]["PQ"] == pytest.approx(1 / 2)
    assert result.scores["PQ"] == pytest.approx((road + 1 / 2) / 2)
