# ruff: noqa: RUF001 - the dash of undefined cells
import pytest
from helpers.results import evaluation, interval

from mapt_bench.reports.score_tables import (
    evaluation_tables,
    overall_table,
    per_class_table,
    per_sequence_table,
)
from mapt_bench.reports.table_formats import render_table
from mapt_bench.results.result_views import HEADLINE


def test_overall_has_every_headline_score_and_marks_the_best():
    table = overall_table([evaluation("weak"), evaluation("strong", shift=0.05)])
    assert [column.name for column in table.columns] == ["prediction", *HEADLINE]
    assert table.texts()[1][:5] == ["strong", "55.00", "65.00", "65.00", "65.00"]
    at = {column.name: index for index, column in enumerate(table.columns)}
    best = table.best_cells()
    assert (1, at["PAT"]) in best
    assert (0, at["PAT"]) not in best
    assert not {(0, at["IDSW"]), (1, at["IDSW"])} & best  # 7 and 7: none is better
    assert table.title == "Scores in percent on kitti-step, 2 sequences"


def test_undefined_scores_are_explained():
    notes = overall_table([evaluation("a"), evaluation("b")]).footnotes
    assert "– a: PTQ: no true positives" in notes
    assert "– b: PTQ: no true positives" in notes
    assert "– PTQ: no true positives" in overall_table([evaluation("a")]).footnotes
    assert "PAT protocol: present (thing_ids_present_classes)." in notes


def test_intervals_stand_beside_their_score_with_method_and_n():
    known = evaluation("a", intervals={"PAT": interval(0.4, 0.6), "PQ": {"reason": "too few"}})
    table = overall_table([known, evaluation("b")])
    assert [column.name for column in table.columns][1:4] == ["PAT", "PAT interval", "PQ"]
    assert [row[2] for row in table.texts()] == ["[40.00, 60.00]", "–"]
    assert "Intervals: 95 %, BCa bootstrap, 2000 resamples, n = 9." in table.footnotes
    assert "No confidence interval of PQ: too few." in table.footnotes


def test_intervals_of_counts_are_counts():
    known = evaluation("a", intervals={"IDSW": interval(0, 64), "Frag": interval(1.5, 3)})
    table = overall_table([known])
    at = [column.name for column in table.columns].index("IDSW")
    assert table.texts()[0][at:] == ["7", "[0, 64]", "3", "[1.5, 3]"]
    assert "7 [0, 64] & 3 [1.5, 3]" in render_table(table, "latex")
    assert render_table(table, "csv").splitlines()[1].endswith("7,0.0,64.0,3,1.5,3.0")


def test_scores_without_intervals_share_one_reason():
    reasons = {"PAT": {"reason": "2 sequences"}, "STQ": {"reason": "2 sequences"}}
    table = overall_table([evaluation("a", intervals=reasons)])
    assert "No confidence intervals: 2 sequences." in table.footnotes
    assert len(table.columns) == 1 + len(HEADLINE)


def test_per_class():
    table = per_class_table(evaluation("a"))
    assert render_table(table, "csv") == (
        "class,kind,PQ (%),SQ (%),RQ (%),IoU (%),tp,fp,fn\n"
        "road,stuff,75.0,75.0,75.0,75.0,3,1,0\n"
        "person,thing,25.0,25.0,25.0,25.0,1,2,3\n"
        "car,thing,,,,,0,0,0\n"
    )
    assert "SQ here is that of PQ" in table.footnotes[0]
    assert table.footnotes[1:] == ("–: the class occurs on neither side",)
    assert table.best_cells() == frozenset()


@pytest.mark.parametrize(
    ("lacking", "note"),
    [
        (["stuff"], "or it is stuff, and the prediction labels objects only"),
        (["classes"], "or the objects of the prediction have no class"),
    ],
)
def test_classes_that_a_prediction_cannot_have(lacking, note):
    protocol = {**evaluation("a")["protocol"], "prediction_lacks": lacking}
    table = per_class_table({**evaluation("a"), "protocol": protocol})
    assert table.footnotes[1:] == (f"–: the class occurs on neither side, {note}",)


def test_per_sequence():
    table = per_sequence_table(evaluation("a"))
    assert [column.name for column in table.columns] == [
        "sequence", "frames", "PAT", "STQ", "PTQ", "IDSW",
    ]  # fmt: skip
    assert table.texts()[1] == ["0002", "12", "50.00", "60.00", "–", "7"]
    assert table.footnotes == ("–: undefined in this sequence",)


def test_all_tables_of_two_predictions():
    both = [evaluation("a"), evaluation("b")]
    titles = [table.title for table in evaluation_tables(both)]
    assert titles[1:] == ["Classes of a", "Sequences of a", "Classes of b", "Sequences of b"]
    assert len(evaluation_tables(both, details=False)) == 1
