import pytest
from helpers.results import interval, run, summary_row

from mapt_bench.reports._run_tables import run_tables
from mapt_bench.reports.difference_tables import differences_tables
from mapt_bench.reports.group_tables import score_group_tables, score_groups, splits_table


def _entry(cell, value, pat, factor="half", size=6, **changes):
    entry = {
        "variant": cell,
        "label": cell,
        "cell": cell,
        "factor": factor,
        "value": value,
        "n_sequences": size,
        "scores": {"PAT": pat, "STQ": pat / 2},
        "intervals": {"PAT": interval(pat - 0.1, pat + 0.1, size)} if factor == "half" else {},
    }
    return {**entry, **changes}


@pytest.fixture
def grouped():
    rows = [
        summary_row("copy", 0.5, 0.4, "baseline", cell="copy"),
        summary_row("both", 0.6, 0.5, "heads", cell="both"),
        summary_row("oracle", 0.9, 0.9, "reference", cell="oracle"),
    ]
    scores = {"copy": (0.7, 0.3), "both": (0.65, 0.55), "oracle": (0.95, 0.85)}
    entries = []
    for cell, (easy, hard) in scores.items():
        entries += [_entry(cell, "real-like", easy), _entry(cell, "hard", hard)]
        entries += [_entry(cell, "street", easy, factor="kind", size=12)]
    return run(summary=rows, scores_by_group=entries)


def test_each_group_has_a_column_and_a_best_value_of_its_own(grouped):
    pat, stq = score_group_tables(grouped)
    assert [column.name for column in pat.columns] == [
        *("variant", "all", "realistic (6)", "realistic interval"),
        *("hard (6)", "hard interval", "street (12)"),
    ]
    assert pat.rows[1] == (
        *("both", 0.6, 0.65, pytest.approx((0.55, 0.75))),
        *(0.55, pytest.approx((0.45, 0.65)), 0.65),
    )
    # Both is best on the hard split; the oracle does not compete. On the realistic split, both lies
    # within the confidence interval of copying. The other columns have no intervals.
    assert pat.best_cells() == {(1, 4)}
    assert "n = 6" in " ".join(pat.footnotes)
    assert [column.name for column in stq.columns][2:] == [
        *("realistic (6)", "hard (6)", "street (12)"),
    ]


def test_a_cell_that_failed_has_no_numbers(grouped):
    grouped["scores_by_group"] = [e for e in grouped["scores_by_group"] if e["cell"] != "copy"]
    pat, _ = score_group_tables(grouped)
    assert pat.rows[0][2:] == (None,) * 5


def test_runs_without_groups_have_no_such_tables():
    assert score_groups(run(summary=[])) == []
    assert score_group_tables(run(summary=[])) == []


def test_sweeps_show_each_half_over_the_interval():
    rows = [
        summary_row("copy", 0.5, 0.4, "reference", cell=f"c{tau}", interval=interval_of(tau))
        for tau in (1, 2)
    ]
    entries = [
        _entry(f"c{tau}", half, score / tau, variant="copy")
        for tau in (1, 2)
        for half, score in (("real-like", 0.8), ("hard", 0.4))
    ]
    tables = {
        table.title: table for table in run_tables(run(summary=rows, scores_by_group=entries))
    }
    assert tables["PAT over the temporal interval, hard (6)"].rows == (("copy", 0.4, 0.2),)
    assert tables["PAT over the temporal interval, realistic (6)"].rows == (("copy", 0.8, 0.4),)
    assert tables["PAT over the temporal interval"].rows == (("copy", 0.5, 0.5),)


def interval_of(tau):
    return {"kind": "drop", "tau": tau}


def test_halves_stand_side_by_side(grouped):
    for entry in grouped["scores_by_group"]:
        entry["scores"] |= {"TQ": entry["scores"]["PAT"] + 0.01}
    table = splits_table(grouped)
    assert [column.name for column in table.columns] == [
        *("variant", "realistic PAT", "realistic TQ", "realistic STQ"),
        *("hard PAT", "hard TQ", "hard STQ"),
    ]
    assert table.rows[1] == ("both", 0.65, 0.66, 0.325, 0.55, 0.56, 0.275)
    assert table.best_cells() == {(1, 4)}  # only PAT has intervals
    assert table.footnotes == ("Sequences: realistic (6), hard (6).",)


def test_halves_and_kinds_crossed_have_no_column(grouped):
    crossed = [
        {**entry, "factor": "half and kind", "value": f"{entry['value']} street"}
        for entry in grouped["scores_by_group"]
    ]
    before = score_group_tables(grouped)
    assert (
        score_group_tables({**grouped, "scores_by_group": [*grouped["scores_by_group"], *crossed]})
        == before
    )


def test_each_half_has_its_differences_and_its_correction(grouped):
    found = {"difference": -0.02, "interval": interval(-0.03, -0.01, 6), "p_value": 0.03}
    found |= {"p_method": "exact", "p_adjusted": 0.06}
    found |= {"n": 6}
    for entry in grouped["scores_by_group"]:
        if (entry["variant"], entry["value"]) == ("copy", "hard"):
            entry["differences"] = {
                "reference": "both",
                "scores": {"TQ": found, "AssA": found},
                "family": {"of": "half hard", "per_score": True, "comparisons": 8},
            }
    (table,) = differences_tables(grouped)  # neither all videos nor the other half have any
    assert table.title == "Differences to both, hard (6)"
    cells = ["-2.00", "[-3.00, -1.00]", "0.03", "0.06"]
    assert table.texts() == [["copy", *cells, *cells]]
    assert [column.name for column in table.columns][1::4] == ["TQ", "AssA"]
    assert (
        "p (Holm): corrected for the 8 comparisons of each score of the hard split."
        in table.footnotes[0]
    )
    assert table.title in [each.title for each in run_tables(grouped)]
