import json

import numpy as np
import pytest
from helpers.films import film, headline, score
from helpers.folders import GT, LOST, SWITCHED, six_films, write_films
from helpers.maps import KITTI, draw, write_frames

from mapt_bench.data import KittiStepWriter
from mapt_bench.data.folder_layout import map_root
from mapt_bench.errors import ConfigError, DataError, ProtocolError
from mapt_bench.evaluation import (
    EvaluationResult,
    EvaluationSettings,
    evaluate_folders,
    evaluations_document,
)
from mapt_bench.labels import PanopticMap, label_space
from mapt_bench.metrics import SCORE_NAMES, flat_scores, pool


def evaluate(gt, *preds, **settings):
    return evaluate_folders(gt, preds, EvaluationSettings(**settings))


@pytest.fixture
def gt(tmp_path):
    return write_films(tmp_path / "gt", {"0001": GT, "0002": GT})


@pytest.fixture
def pred(tmp_path):
    return write_films(tmp_path / "pred", {"0001": SWITCHED, "0002": LOST})


def test_folders_score_as_the_maps_in_them(gt, pred):
    (result,) = evaluate(gt, pred)
    parts = [score(GT, SWITCHED), score(GT, LOST)]
    assert result.scores == {**flat_scores(pool(parts), KITTI), "DQ": None, "DSTQ": None}
    assert result.per_sequence["0001"] == {"frames": 4, **headline(GT, SWITCHED)}
    assert result.per_sequence["0002"] == {"frames": 4, **headline(GT, LOST)}


def test_protocol_says_how_it_was_scored(gt, pred):
    protocol = evaluate(gt, pred)[0].protocol
    assert protocol == {
        "dataset": "kitti-step",
        "unit": "sequence",
        "pat": "thing_ids_present_classes",
        "metrics": "mapt-bench/metrics/1",
        "classes": [0, 1, 11, 13],
        "class_set": "own",
        "gt_encoding": "kitti-step",
        "pred_encoding": "kitti-step",
        "missing": "error",
        "frames_counted_as_void": 0,
        "class_map": None,
        "vpq_windows": [1, 2, 3, 4],
        "notes": [],
    }


def test_per_class_table(gt, pred):
    per_class = evaluate(gt, pred)[0].per_class
    car = per_class["13"]
    assert (car["name"], car["is_thing"]) == ("car", True)
    assert (car["tp"], car["fp"], car["fn"]) == (7, 0, 1)
    assert car["PQ"] == pytest.approx(7 / 7.5)
    assert car["IoU"] == pytest.approx(12 / 14)
    absent = per_class["2"]
    assert (absent["PQ"], absent["SQ"], absent["RQ"], absent["IoU"]) == (None,) * 4


@pytest.fixture
def poor(tmp_path):
    """A prediction with a building in one sequence, which neither truth nor ``pred`` holds."""
    other = write_films(tmp_path / "other", {"0001": GT, "0002": GT})
    odd = draw("c1 c1 r s p2 r")
    odd.codes[0, 2] = 2 << 24
    write_frames(other / "0001", [odd, *film(GT)[1:]])
    return other


def test_a_score_does_not_depend_on_its_neighbours(gt, pred, poor):
    """Three predictions, the third with a class that nobody else has."""
    second = write_films(pred.parent / "second", {"0001": LOST, "0002": GT})
    together = evaluate(gt, pred, second, poor)
    for folder, found in zip((pred, second, poor), together, strict=True):
        (alone,) = evaluate(gt, folder)
        assert found.scores == alone.scores
        assert found.per_sequence == alone.per_sequence
        assert found.protocol == alone.protocol
    assert [len(found.protocol["classes"]) for found in together] == [4, 4, 5]


def test_confidence_intervals_do_not_depend_on_neighbours(tmp_path):
    gt = write_films(tmp_path / "gt", six_films(GT))
    pred = write_films(tmp_path / "pred", six_films(SWITCHED, LOST, GT))
    poor = write_films(tmp_path / "poor", six_films(GT.replace("s", "v"), SWITCHED))
    odd = draw("c1 c1 r s p2 r")
    odd.codes[0, 2] = 2 << 24
    write_frames(poor / "0000", [odd, *film(GT)[1:]])
    (alone,) = evaluate(gt, pred, intervals=True)
    first, second = evaluate(gt, pred, poor, intervals=True)
    assert first.intervals == alone.intervals
    # The difference is over the classes of both, and says so; its scores are over their own.
    first_common, second_common = evaluate(gt, pred, poor, common_classes=True)
    found = second.differences["scores"]["PQ"]
    assert found["value"] == pytest.approx(second_common.scores["PQ"])
    assert found["reference_value"] == pytest.approx(first_common.scores["PQ"])
    assert found["difference"] == pytest.approx(
        second_common.scores["PQ"] - first_common.scores["PQ"]
    )
    assert first.scores["PQ"] == pytest.approx(first_common.scores["PQ"] * 5 / 4)
    assert "over the 5 classes of either side" in second.differences["note"]
    assert "building" in second.differences["classes"]


def test_a_difference_does_not_depend_on_a_third_prediction(tmp_path):
    gt = write_films(tmp_path / "gt", six_films(GT))
    first = write_films(tmp_path / "first", six_films(SWITCHED, LOST, GT))
    second = write_films(tmp_path / "second", six_films(LOST, GT))
    third = write_films(tmp_path / "third", six_films(GT))
    odd = draw("c1 c1 r s p2 r")
    odd.codes[0, 2] = 2 << 24
    write_frames(third / "0000", [odd, *film(GT)[1:]])
    two = evaluate(gt, first, second, intervals=True)[1].differences
    three = evaluate(gt, first, second, third, intervals=True)[1].differences
    for name, entry in two["scores"].items():
        del entry["p_adjusted"], three["scores"][name]["p_adjusted"]
    assert three["scores"] == two["scores"]
    assert (two["family"]["comparisons"], three["family"]["comparisons"]) == (1, 2)
    assert three["note"] is None


def test_predictions_share_one_set_of_classes_where_that_is_asked_for(gt, pred, poor):
    alone = evaluate(gt, pred)[0]
    assert alone.protocol["classes"] == [0, 1, 11, 13]
    first, second = evaluate(gt, pred, poor, common_classes=True)
    assert first.protocol["classes"] == second.protocol["classes"] == [0, 1, 2, 11, 13]
    assert first.protocol["class_set"] == second.protocol["class_set"] == "common"
    assert first.scores["PQ"] == pytest.approx(alone.scores["PQ"] * 4 / 5)
    assert first.scores["STQ"] == alone.scores["STQ"]
    # by sequence too: only the first one holds the building
    before, after = alone.per_sequence, first.per_sequence
    assert after["0001"]["PQ"] == pytest.approx(before["0001"]["PQ"] * 4 / 5)
    assert after["0002"]["PQ"] == before["0002"]["PQ"]


def test_predictions_are_named_by_the_endings_that_tell_them_apart(gt, tmp_path):
    folders = [write_films(tmp_path / run / "maps", {"0001": GT, "0002": GT}) for run in ("a", "b")]
    assert [one.name for one in evaluate(gt, *folders)] == ["a/maps", "b/maps"]
    assert evaluate(gt, folders[0])[0].name == "maps"


def test_a_prediction_given_twice_is_refused(gt, pred):
    with pytest.raises(ConfigError, match="the same prediction folder is given twice"):
        evaluate(gt, pred, pred)


def test_ground_truth_as_prediction_is_refused(gt):
    with pytest.raises(DataError, match="same folder"):
        evaluate(gt, gt)


def test_equal_names_of_sequences_are_told_apart_by_their_folder(tmp_path):
    films = {"train/0001": GT, "val/0001": GT}
    gt, pred = write_films(tmp_path / "gt", films), write_films(tmp_path / "pred", films)
    assert list(evaluate(gt, pred)[0].per_sequence) == ["train/0001", "val/0001"]


def test_shifted_frames_are_named_on_both_sides(gt, pred):
    first, *_, last = sorted((pred / "0001").iterdir())
    first.rename(last.with_name(f"{int(last.stem) + 1:06d}.png"))
    with pytest.raises(DataError, match=r"has 1 frame .* lacks, and lacks 1 frame .*; name the"):
        evaluate(gt, pred)


def test_missing_frames_are_an_error_or_void(gt, pred):
    (pred / "0001" / "000003.png").unlink()
    with pytest.raises(DataError, match="lacks 1 frame") as info:
        evaluate(gt, pred)
    assert "--missing void" in info.value.message
    (result,) = evaluate(gt, pred, missing="void")
    assert result.protocol["missing"] == "void"
    assert result.protocol["frames_counted_as_void"] == 1
    *seen, _ = film(SWITCHED)
    assert (
        result.per_sequence["0001"]["STQ"]
        == headline(film(GT), [*seen, draw("v v v v v v")])["STQ"]
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_frame_is_named_in_any_process(gt, pred, workers):
    write_frames(pred / "0002", [draw("r r r r r r")], first=2)
    bad = draw("r r r r r r")
    bad.codes[0, 3] = 77 << 24
    write_frames(pred / "0002", [bad], first=2)
    with pytest.raises(DataError, match="class 77") as info:
        evaluate(gt, pred, workers=workers)
    assert "0002/000002" in info.value.where


def test_sizes_must_be_equal(gt, pred):
    write_frames(pred / "0001", [draw("r r r")] * 4)
    with pytest.raises((DataError, ProtocolError), match=r"3x1.*6x1") as info:
        evaluate(gt, pred)
    assert "0001" in info.value.where


def test_a_missing_sequence_is_named(gt, pred, tmp_path):
    less = write_films(tmp_path / "less", {"0001": GT, "0003": GT})
    with pytest.raises(DataError, match="0002"):
        evaluate(gt, less)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": 0}, "-j must be at least 1"),
        ({"pat_protocol": "oficial"}, "did you mean 'official'"),
        ({"dataset": "kiti-step"}, "did you mean 'kitti-step'"),
        ({"encoding": "kiti-step"}, "did you mean 'kitti-step'"),
    ],
)
def test_wrong_settings(gt, pred, settings, message):
    with pytest.raises(ConfigError, match=message):
        evaluate(gt, pred, **settings)


def test_settings_are_checked_before_any_folder_is_read(tmp_path):
    with pytest.raises(ConfigError):
        evaluate(tmp_path / "nowhere", tmp_path / "nowhere", pat_protocol="oficial")


def test_few_sequences_have_no_interval(gt, pred):
    (result,) = evaluate(gt, pred, intervals=True)
    assert result.differences is None  # nothing to compare with
    assert set(result.intervals) == set(SCORE_NAMES)
    reason = "2 sequences; an interval needs at least 5"
    assert result.intervals["PAT"] == {"n": 2, "reason": reason}


def test_results_survive_json(gt, pred, tmp_path):
    other = write_films(tmp_path / "other", {"0001": GT, "0002": GT})
    _, result = evaluate(gt, other, pred, intervals=True)
    assert result.differences["reference"] == "other"
    data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert EvaluationResult.from_dict(data).to_dict() == result.to_dict()


def test_only_the_right_schema_is_read(gt, pred):
    data = evaluate(gt, pred)[0].to_dict()
    with pytest.raises(DataError, match=r"has schema 'other/1'; known: mapt-bench/evaluation/2"):
        EvaluationResult.from_dict({**data, "schema": "other/1"})
    with pytest.raises(DataError, match="may depend on other predictions; evaluate"):
        EvaluationResult.from_dict({**data, "schema": "mapt-bench/evaluation/1"})
    del data["blocks"], data["protocol"]
    with pytest.raises(DataError, match="lacks blocks, protocol"):
        EvaluationResult.from_dict(data)


def test_document_of_one_and_of_several(gt, pred, tmp_path):
    other = write_films(tmp_path / "other", {"0001": GT, "0002": GT})
    results = evaluate(gt, pred, other)
    assert evaluations_document(results[:1])["schema"] == "mapt-bench/evaluation/2"
    several = evaluations_document(results)
    assert several["schema"] == "mapt-bench/evaluations/2"
    assert [one["name"] for one in several["evaluations"]] == ["pred", "other"]
    assert not any("differences" in one for one in several["evaluations"])


CITY = label_space("cityscapes")
PEOPLE = """
target: {name: people, classes: [{id: 3, name: human, thing: true}]}
sources:
  kitti-step:
    classes: {KITTI}
  cityscapes:
    classes: {CITY}
"""


def people(tmp_path, **city):
    """A class map to people alone; riders of Cityscapes are people if ``city`` says so."""

    def section(goals):
        lines = (f"{each.name}: {goals.get(each.name, 'void')}" for each in KITTI.classes)
        return "{" + ", ".join(lines) + "}"

    path = tmp_path / "people.yaml"
    kitti = section({"person": "human"})
    text = PEOPLE.replace("{KITTI}", kitti)
    path.write_text(text.replace("{CITY}", section({"person": "human", **city})))
    return path


def written(folder, labels, frames):
    with KittiStepWriter(folder, labels) as writer:
        for index, panoptic in enumerate(frames):
            writer.write("0001", f"{index:06d}", panoptic)
    return folder


def frames_of(*rows, rider=12):
    """Frames of words: r road, p1 person 1, d1 rider 1."""
    number = {"r": 0, "p": 11, "d": rider}
    return [
        PanopticMap.from_classes_and_ids(
            np.array([[number[word[0]] for word in row.split()]]),
            np.array([[int(word[1:] or 0) for word in row.split()]]),
        )
        for row in rows
    ]


def test_truth_and_predictions_of_different_label_spaces_are_mapped_to_one(tmp_path):
    gt = written(tmp_path / "gt", CITY, frames_of("r p1 p1 d1", "r p1 p1 d1"))
    pred = written(tmp_path / "pred", KITTI, frames_of("p2 p2 p2 r", "p2 p2 p2 r"))
    (result,) = evaluate(gt, pred, class_map=people(tmp_path))
    assert result.protocol["dataset"] == "people"
    # the ground truth keeps person 1 alone: road and rider are void, which excuses the first pixel
    assert result.scores["PQ"] == 1
    assert result.scores["IDSW"] == 0
    assert set(result.per_class) == {"3"}
    (joined,) = evaluate(gt, pred, class_map=people(tmp_path, rider="human"))
    assert joined.scores["PQ"] == pytest.approx(1 / 1.5)  # one of two people is missed
    shares = joined.protocol["mapped"]
    assert shares["ground_truth"] == {
        "from": "cityscapes",
        "pixels": 8,
        "void_pixels": 2,
        "objects": 2,
        "void_objects": 0,
        "merged_objects": 0,
    }
    assert shares["prediction"]["from"] == "kitti-step"
    assert joined.protocol["notes"][-2:] == [
        "ground truth mapped from cityscapes to people: 25.0 % of the pixels and 0.0 % of 2 "
        "objects became void",
        "prediction mapped from kitti-step to people: 25.0 % of the pixels and 0.0 % of 1 object "
        "became void",
    ]


def test_a_map_of_classes_with_workers_and_by_option(tmp_path):
    gt = written(tmp_path / "gt", CITY, frames_of("r p1 p1 d1"))
    pred = write_frames(tmp_path / "pred" / "0001", frames_of("r p2 p2 d1", rider=1))
    found = {"class_map": people(tmp_path), "pred_dataset": "kitti-step"}
    (result,) = evaluate(gt, pred.parent, **found)
    assert result.protocol["mapped"]["prediction"]["from"] == "kitti-step"
    assert result.protocol["class_map"]["name"] == "people"
    for folder in (gt, pred.parent):
        write_frames(map_root(folder) / "0002", frames_of("p1 p1 r r"))
    alone, several = (evaluate(gt, pred.parent, workers=n, **found)[0] for n in (1, 2))
    assert alone.protocol == several.protocol
    assert alone.scores == several.scores


def test_identity_to_the_same_label_space_changes_no_score(gt, pred, tmp_path):
    target = json.dumps(KITTI.to_dict())
    path = tmp_path / "same.yaml"
    path.write_text(f"target: {target}\nsources: {{}}\n")
    (plain,), (mapped,) = evaluate(gt, pred), evaluate(gt, pred, class_map=path)
    assert plain.blocks == mapped.blocks
    assert plain.protocol["class_map"] is None


def test_label_spaces_that_a_class_map_lacks_are_refused(tmp_path, gt, pred):
    with pytest.raises(ConfigError, match="does not map the label space 'motchallenge-step'"):
        evaluate(gt, pred, class_map=people(tmp_path), pred_dataset="motchallenge-step")
    with pytest.raises(ConfigError, match="--pred-dataset is for predictions whose classes are"):
        evaluate(gt, pred, pred_dataset="cityscapes")


def test_a_class_outside_the_source_is_not_silently_void(tmp_path, gt):
    odd = write_frames(tmp_path / "odd" / "0001", frames_of("r r r r r r", rider=1))
    bad = frames_of(*["d r r r r r"] * 4, rider=77)
    write_frames(odd, bad)
    (tmp_path / "gt" / "0002").rename(tmp_path / "gone")
    with pytest.raises(DataError, match=r"class 77 .* is outside the label space 'kitti-step'"):
        evaluate(gt, odd.parent, class_map=people(tmp_path))
