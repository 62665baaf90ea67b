# ruff: noqa: RUF001 - the dash of undefined cells
from helpers.results import interval, run, summary_row

from mapt_bench.reports._run_tables import run_tables
from mapt_bench.reports.link_tables import full_occlusions_table


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
