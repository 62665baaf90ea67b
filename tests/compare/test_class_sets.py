"""Two results averaged over different classes are brought to the same ones, exactly."""

import numpy as np
import pytest

from mapt_bench.compare._comparison import compare_results
from mapt_bench.data import KittiStepWriter
from mapt_bench.evaluation import EvaluationSettings, evaluate_folders
from mapt_bench.files import write_json
from mapt_bench.labels import PanopticMap, label_space

_KITTI_STEP = label_space("kitti-step")
_ROAD, _CAR, _TRAIN = 0, 13, 16


@pytest.fixture
def folders(tmp_path):
    """Ground truth, a prediction with one slip, and the same with a class nobody else has."""
    classes = np.full((6, 8), _ROAD)
    classes[2:5, 2:6] = _CAR
    ids = np.where(classes == _CAR, 7, 0)
    slipped = classes.copy()
    slipped[2, 2] = _ROAD
    novel = slipped.copy()
    novel[0, :2] = _TRAIN
    for name, predicted in (("gt", classes), ("before", slipped), ("now", novel)):
        with KittiStepWriter(tmp_path / name, _KITTI_STEP, split="val") as writer:
            for frame in range(4):
                panoptic = PanopticMap.from_classes_and_ids(
                    predicted, np.where(predicted == _CAR, ids, 0)
                )
                writer.write("0000", f"{frame:06d}", panoptic)
    return tmp_path


def test_comparing_two_files_equals_evaluating_both_in_one_command(folders):
    preds = [folders / "before", folders / "now"]
    alone = [evaluate_folders(folders / "gt", [pred], EvaluationSettings())[0] for pred in preds]
    for result in alone:
        write_json(folders / f"{result.name}.json", result.to_dict())
    files = folders / "before.json", folders / "now.json"
    found = compare_results(*files, common_classes=True)
    own = {change.score: change for change in compare_results(*files).changes}

    settings = EvaluationSettings(common_classes=True)
    before, now = evaluate_folders(folders / "gt", preds, settings)
    changes = {change.score: change for change in found.changes}
    for score in ("PAT", "PQ", "TQ", "LSTQ", "PTQ", "STQ"):
        assert changes[score].baseline == pytest.approx(before.scores[score], abs=1e-12)
        assert changes[score].current == pytest.approx(now.scores[score], abs=1e-12)
        # Without the option each side keeps its own value; the difference is the same.
        assert own[score].difference == changes[score].difference
    for side, result in zip(("baseline", "current"), alone, strict=True):
        assert getattr(own["PQ"], side) == result.scores["PQ"]
    assert own["PQ"].baseline > changes["PQ"].baseline
    assert changes["PQ"].baseline < 0.7  # 2 of the 3 classes of both together
    assert len(found.notes) == 2  # names and classes
    assert "only now: train" in found.notes[1]
    assert "all 3 of them" in found.notes[1]


def test_scores_of_sequences_that_cannot_be_converted_are_not_counted(folders):
    for name in ("before", "now"):
        (result,) = evaluate_folders(folders / "gt", [folders / name], EvaluationSettings())
        data = result.to_dict()
        only = data["per_sequence"]["0000"]
        data["per_sequence"] = {f"{at:04d}": only for at in range(6)}
        write_json(folders / f"{name}.json", data)
    found = compare_results(folders / "before.json", folders / "now.json")
    changes = {change.score: change for change in found.changes}
    assert changes["PQ"].better is None
    assert (changes["SQ"].better, changes["SQ"].worse) == (0, 6)
