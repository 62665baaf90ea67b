"""``mapt-bench evaluate``: which folders may be scored against which, and what is said of it."""

import json

import pytest
from click.testing import CliRunner
from helpers.folders import GT, SWITCHED, write_films

from mapt_bench.cli import main
from mapt_bench.data import KittiStepWriter
from mapt_bench.labels import label_space


@pytest.fixture
def gt(tmp_path):
    return write_films(tmp_path / "gt" / "panoptic_maps" / "val", {"0001": GT}).parents[1]


def run(*words):
    return CliRunner().invoke(main, ["evaluate", *map(str, words)])


@pytest.mark.parametrize(("name", "is_noted"), [("0001", False), ("0002", True)])
def test_sequences_of_unlike_names_are_noted(tmp_path, gt, name, is_noted):
    pred = write_films(tmp_path / "pred", {name: SWITCHED})
    result = run(gt, pred, "--json", "-")
    assert result.exit_code == 0, result.stderr
    notes = json.loads(result.stdout)["protocol"]["notes"]
    assert len(notes) == is_noted
    for note in notes:
        assert "val/0001 of the ground truth was scored against 0002 of the prediction" in note
        assert f"note: pred: {note}" in result.stderr.splitlines()


def test_the_truth_is_not_scored_against_itself(gt):
    result = run(gt, gt / "panoptic_maps" / "val")
    assert result.exit_code == 3
    assert "are one inside the other" in result.stderr


def test_a_prediction_does_not_choose_the_label_space(tmp_path, gt):
    from helpers.films import film

    cityscapes = label_space("cityscapes")
    with KittiStepWriter(tmp_path / "pred", cityscapes) as writer:
        for index, panoptic in enumerate(film(SWITCHED)):
            writer.write("0001", f"{index:06d}", panoptic)
    result = run(gt, tmp_path / "pred")
    assert result.exit_code == 3
    assert "states label space 'cityscapes'" in result.stderr
    result = run(gt, tmp_path / "pred", "--dataset", "cityscapes", "--json", "-")
    assert json.loads(result.stdout)["protocol"]["dataset"] == "cityscapes"


def test_a_coco_json_with_infinity_is_unusable_data(tmp_path, gt):
    pred = write_films(tmp_path / "pred", {"0001": SWITCHED})
    segments = '[{"id": Infinity, "category_id": 0}]'
    (pred / "panoptic.json").write_text(
        f'{{"annotations": [{{"file_name": "0001/000000.png", "segments_info": {segments}}}]}}'
    )
    for words in (["evaluate", str(gt), str(pred)], ["check", str(pred)]):
        result = CliRunner().invoke(main, words)
        assert result.exit_code in (1, 3), result.output
        assert "has the number Infinity" in result.output + result.stderr
