# ruff: noqa: RUF001 - the dash of undefined cells
from helpers.results import interval, run, summary_row, sweep

from mapt_bench.reports._run_tables import (
    CLAIMED,
    claims_table,
    run_tables,
    skipped_table,
    summary_table,
    sweep_table,
)
from mapt_bench.reports.difference_tables import differences_table
from mapt_bench.reports.table_formats import render_table
from mapt_bench.reports.terminal import fitting_columns


def test_summary_of_an_ablation():
    table = summary_table(run())
    assert render_table(table, "text").splitlines()[:7] == [
        "Scores in percent, 2 sequences",
        "variant    PAT     PQ     TQ    STQ  IDSW  Frag  ms/frame",
        "─────────────────────────────────────────────────────────",
        "copy     40.00  70.00  50.00  50.00    30    12     12.50",
        "iou      61.61  70.00  50.00  70.00    11     6     12.50",
        "both     62.65  70.00  50.00  69.00     8     5     12.50",
        "oracle   80.00  70.00  50.00  90.00     0     4     12.50",
    ]
    assert "References, never marked as best: oracle." in table.footnotes


def test_the_oracle_takes_no_best_mark():
    best = summary_table(run()).best_cells()
    assert (2, 1) in best  # PAT of both
    assert (1, 4) in best  # STQ of iou
    assert not any(row == 3 for row, _ in best)


def test_interval_of_pat_and_undefined_scores():
    rows = [
        summary_row("a", 0.5, 0.5, "heads", intervals={"PAT": interval(0.4, 0.6)}),
        summary_row("b", None, None, "heads", cost=None),
    ]
    table = summary_table(run(summary=rows))
    assert table.texts()[0][1:3] == ["50.00", "[40.00, 60.00]"]
    assert table.texts()[1][1:3] == ["–", "–"]
    assert "– b, PAT, STQ: no tracks." in table.footnotes
    assert any("n = 9" in note for note in table.footnotes)


def test_a_failed_variant_says_why():
    rows = [summary_row("a", 0.5, 0.5, "heads", status="failed", scores={}, switches=None)]
    failed = run(summary=rows)
    failed["cells"][0]["reason"] = "sequence 0001: no images"
    assert "– a failed: sequence 0001: no images." in summary_table(failed).footnotes


def test_paired_differences_with_their_corrected_p():
    entry = {"difference": -0.0125, "interval": interval(-0.02, 0.01), "p_value": 0.01}
    entry |= {"p_method": "exact", "n": 9}
    differences = {"reference": "both", "scores": {"PAT": {**entry, "p_adjusted": 0.04}}}
    rows = [
        summary_row("iou", 0.5, 0.5, "heads", differences=differences),
        summary_row("both", 0.5, 0.5, "heads", differences=None),
    ]
    table = differences_table(run(summary=rows))
    assert table.title == "Differences to both"
    assert "With 9 sequences no p alone is below 0.0039." in table.footnotes
    assert [column.name for column in table.columns][3:] == ["PAT p alone", "PAT p (Holm)"]
    assert table.texts() == [["iou", "-1.25", "[-2.00, 1.00]", "0.01", "0.04"]]
    narrow = table.of_columns(fitting_columns(table, table.texts(), 48))
    assert [column.name for column in narrow.columns][3:] == ["PAT p (Holm)"]
    assert "Differences to both" in [table.title for table in run_tables(run(summary=rows))]


def test_differences_without_intervals_are_left_out():
    entry = {"difference": -0.0125, "interval": {"n": 1, "reason": "1 sequence"}, "p_value": 1.0}
    differences = {"reference": "both", "scores": {"PAT": entry}}
    rows = [summary_row("iou", 0.5, 0.5, "heads", differences=differences)]
    assert len(run_tables(run(summary=rows, skipped=[], claims=[]))) == 1


def test_optional_keys_may_be_missing():
    bare = {"experiment": "ablate", "summary": [{"variant": "a", "scores": {"PAT": 0.5}}]}
    assert [table.title for table in run_tables(bare)] == ["Scores in percent"]
    assert summary_table(bare).texts() == [["a", "50.00"]]


def test_a_sweep_marks_no_best_across_intervals_but_within_each():
    summary = summary_table(sweep())
    assert summary.best_cells() == frozenset()
    assert any("only rows with the same tau" in note for note in summary.footnotes)
    table = sweep_table(sweep(), "PAT")
    assert [column.name for column in table.columns] == [
        "variant", "drop 1", "drop 2", "drop 3", "drop 5",
    ]  # fmt: skip
    assert table.texts()[2] == ["both", "63.00", "60.00", "57.00", "51.00"]
    assert table.best_cells() == {(2, 2), (2, 3), (2, 4)}  # at drop 1, another row ties


def test_skipped_and_claims():
    assert skipped_table(run()).rows == (("motion_flow", "the data has no images"),)
    table = claims_table(run())
    assert [column.name for column in table.columns][1] == CLAIMED
    assert CLAIMED == "claimed (paper, KITTI-STEP val)"
    assert table.texts()[0][:4] == ["PAT, both heads", "62.65", "60.00", "-2.65"]


def test_claims_that_cannot_be_compared_share_one_footnote():
    claims = [
        {"name": f"PAT, {name}", "claimed": claimed, "measured": None, "note": "not measured: toy"}
        for name, claimed in (("motion", 0.6161), ("both heads", 0.6265))
    ]
    table = claims_table(run(claims=claims))
    assert render_table(table, "text").splitlines() == [
        "Claims of the paper",
        "Claimed numbers are from the paper and not measured here.",
        "PAT, motion 61.61; PAT, both heads 62.65: not measured: toy.",
    ]


def test_tables_of_a_run():
    titles = [table.title for table in run_tables(run())]
    assert titles[1:] == ["Not run", "Claims of the paper"]
    assert len(run_tables(run(skipped=[], claims=[]))) == 1
    assert [table.title for table in run_tables(sweep())][1:3] == [
        "PAT over the temporal interval",
        "STQ over the temporal interval",
    ]
