"""Result files, read back as rows and as a frame."""

import json
import math

import pytest
from helpers.results import cell, evaluation, evaluations, interval, run, summary_row, sweep

from mapt_bench.errors import DataError
from mapt_bench.results import load_result


@pytest.fixture
def loaded(tmp_path):
    """Write a result and load it."""

    def loaded(data):
        path = tmp_path / "result.json"
        path.write_text(json.dumps(data))
        return load_result(path)

    return loaded


def test_a_frame_has_one_line_a_row_sequence_and_score(loaded):
    frame = loaded(evaluations(evaluation("a"), evaluation("b", shift=0.1))).to_frame()
    assert list(frame.columns) == ["row", "label", "sequence", "score", "value", "low", "high"]
    assert len(frame) == 2 * (21 + 2 * 4)
    pooled = frame[frame["sequence"].isna()].pivot(index="row", columns="score", values="value")
    assert pooled.loc["a", "PAT"] == 0.5
    assert pooled.loc["b", "PAT"] == pytest.approx(0.6)
    assert math.isnan(pooled.loc["a", "PTQ"])
    assert pooled.loc["a", "IDSW"] == 7
    by_sequence = frame[(frame["row"] == "a") & (frame["score"] == "PAT")]
    assert by_sequence["sequence"].fillna("pooled").tolist() == ["pooled", "0001", "0002"]


def test_a_frame_has_the_confidence_intervals_of_pooled_scores(loaded):
    given = {"PAT": interval(0.4, 0.6), "STQ": {"n": 4, "reason": "4 sequences"}}
    frame = loaded(evaluation(intervals=given)).to_frame()
    ends = frame[frame["sequence"].isna()].set_index("score")[["low", "high"]]
    assert ends.loc["PAT"].tolist() == [0.4, 0.6]
    assert ends.loc["STQ"].isna().all()
    assert frame[frame["sequence"].notna()][["low", "high"]].isna().all(axis=None)


def test_a_frame_of_a_run_has_a_column_for_each_condition(loaded):
    frame = loaded(sweep()).to_frame()
    assert {"variant", "group", "interval", "tau"} <= set(frame.columns)
    chosen = frame[(frame["variant"] == "iou") & (frame["score"] == "PAT")]
    pooled = chosen[chosen["sequence"].isna()].set_index("tau")["value"]
    assert pooled.round(3).to_dict() == {1: 0.6, 2: 0.555, 3: 0.51, 5: 0.42}


def test_rows_of_a_stress_test_are_told_apart_by_stressor_and_level(loaded):
    rows = [
        summary_row("copy", 0.5, 0.5, "baselines", stress={"stressor": name, "level": level})
        for name, level in (("occluder", 0), ("occluder", 1), ("wall", 1))
    ]
    result = loaded(run(experiment="stress occlusion", summary=rows))
    assert list(result.rows) == ["copy, occluder 0", "copy, occluder 1", "copy, wall 1"]
    frame = result.to_frame()
    assert set(zip(frame["stressor"], frame["level"], strict=True)) == {
        *(("occluder", 0), ("occluder", 1), ("wall", 1)),
    }


def test_the_classes_of_a_cell_belong_to_its_row(loaded):
    cells = [{**cell(row), "classes": ["road"]} for row in run()["summary"]]
    assert loaded(run(cells=cells)).rows["copy"].protocol["classes"] == ["road"]


def edited(**parts):
    return json.dumps({**evaluation(), **parts})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not JSON"),
        ("\xff\xfe", "is not JSON"),
        ("[1]", "holds a JSON list"),
        ("{}", "has no schema; expected mapt-bench/evaluation/2 or "),
        ('{"schema": "mapt-bench/evaluation/3"}', "newer version of mapt-bench wrote"),
        ('{"schema": "mapt-bench/evalution/2"}', "did you mean 'mapt-bench/evaluation/2'"),
        ('{"schema": "mapt-bench/evaluation/1"}', "may depend on other predictions"),
        ('{"schema": "mapt-bench/evaluations/1"}', "Evaluate the predictions again"),
        ('{"schema": "mapt-bench/evaluation/2", "name": "a"}', "KeyError: 'scores'"),
        ('{"schema": "mapt-bench/run/1", "summary": 3}', "does not have the fields of"),
        (
            '{"schema": "mapt-bench/evaluation/2", "name": "a", "scores": {"PAT": "0.5"}}',
            "PAT is '0.5', not a number",
        ),
        ('{"error": {"message": "no frames"}}', r"error of a failed command \(no frames\)"),
        (edited(protocol="x"), "protocol is 'x', not an object"),
        (edited(provenance=[]), r"provenance is \[\], not an object"),
        (edited(intervals={"PAT": 4}), "intervals, PAT is 4, not an object"),
        (edited(losses={"kinds": 3}), "kinds of losses is 3, not an object"),
        (edited(losses={}), "KeyError: 'kinds'"),
        (edited(losses={"kinds": {"stuff": {"share": 1}}}), "share of kinds of losses, stuff is 1"),
        (edited(scores={"PAT": 10**400}), "more than 64 bits"),
        (edited()[:40], "is not JSON"),
    ],
)
def test_a_file_that_is_no_result(tmp_path, text, words):
    path = tmp_path / "result.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=words) as caught:
        load_result(path)
    assert caught.value.where == str(path)


def test_two_rows_of_one_name_are_refused(tmp_path):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(evaluations(evaluation("a"), evaluation("a"), evaluation("b"))))
    with pytest.raises(DataError, match="several rows named a;"):
        load_result(path)


def test_a_folder_of_a_run_stands_for_its_results(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(run()))
    assert list(load_result(tmp_path).rows) == ["copy", "iou", "both", "oracle"]


def test_a_folder_without_results_and_a_path_that_is_not_there(tmp_path):
    for path, words in (
        (tmp_path, "is a folder without results.json"),
        (tmp_path / "results.json", "cannot be read"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            load_result(path)
        assert caught.value.where == str(path)
