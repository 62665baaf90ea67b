# ruff: noqa: RUF001 - the dash of undefined cells
from helpers.results import interval, run, summary_row

from mapt_bench.reports._run_tables import run_tables
from mapt_bench.reports.link_tables import full_occlusions_table, gaps_table


def _rate(hits, n):
    share = hits / n if n else None
    band = interval(share - 0.1, share + 0.1) if n else {"n": 6, "reason": "undefined"}
    return {"bin": "3-10", "hits": hits, "n": n, "share": share, "interval": band}


def _entry(variant, found, returns, segments="net", factor="all"):
    return {
        "variant": variant,
        "label": variant,
        "group": "heads",
        "cell": f"{segments}-{variant}",
        "factor": factor,
        "value": factor,
        "n_sequences": 6,
        "bins": [],
        "full_occlusions": {
            **_rate(1, 24),
            "recovered": _rate(*found),
            "returns": _rate(*returns),
        },
    }


def test_what_is_recovered_stands_beside_how_often_that_is_right():
    entries = [
        _entry("copy", (0, 20), (0, 0)),
        _entry("mapt", (12, 20), (8, 10)),
        _entry("mapt", (1, 2), (1, 1), factor="half"),
        _entry("oracle", (18, 20), (18, 18)),
    ]
    table = full_occlusions_table(run(recoveries=entries))
    assert table.texts() == [
        ["copy", "0.00", "[-10.00, 10.00]", "20", "24", "–", "–", "0"],
        ["mapt", "60.00", "[50.00, 70.00]", "20", "24", "80.00", "[70.00, 90.00]", "10"],
        ["oracle", "90.00", "[80.00, 100.00]", "20", "24", "100.00", "[90.00, 110.00]", "18"],
    ]
    assert table.best_cells() == {(1, 1)}  # of precisions but one competes


def test_each_kind_of_segments_has_its_own():
    rows = [
        summary_row("mapt", 0.5, 0.5, "heads", cell=f"{name}-mapt", segments=name, trained=False)
        for name in ("net", "groundtruth")
    ]
    entries = [
        _entry("mapt", (hits, 4), (1, 1), segments=name)
        for name, hits in (("net", 1), ("groundtruth", 3))
    ]
    shares = [
        table.rows[0][1]
        for table in run_tables(run(summary=rows, recoveries=entries))
        if table.title.startswith("Identities recovered after a gap of 3-10 frames")
    ]
    assert shares == [0.25, 0.75]


def test_recovery_by_length_of_the_gap_has_counts_and_intervals():
    def entry(variant, *rates, factor="all"):
        bins = [
            {"bin": name, "recovered": _rate(*rate), "returns": _rate(0, 0)}
            for name, rate in zip(("0", "1", "2", "over 20"), rates, strict=True)
        ]
        return {**_entry(variant, (0, 0), (0, 0), factor=factor), "bins": bins}

    entries = [
        entry("copy", (9, 9), (0, 20), (0, 0), (0, 0)),
        entry("mapt", (9, 9), (15, 20), (3, 4), (0, 0)),
        entry("oracle", (9, 9), (22, 22), (4, 4), (0, 0)),
        entry("mapt", (9, 9), (1, 2), (0, 0), (0, 0), factor="half"),
    ]
    table = gaps_table(run(recoveries=entries))
    assert [column.name for column in table.columns] == [
        *("variant", "gap 1", "gap 1 interval", "gap 2", "gap 2 interval"),
    ]
    assert table.texts() == [
        ["copy", "0.00", "[-10.00, 10.00]", "–", "–"],
        ["mapt", "75.00", "[65.00, 85.00]", "75.00", "[65.00, 85.00]"],
        ["oracle", "100.00", "[90.00, 110.00]", "100.00", "[90.00, 110.00]"],
    ]
    assert table.references == {2}
    assert table.footnotes[1] == "Reappearances: gap 1: 20 to 22; gap 2: 0 to 4."
