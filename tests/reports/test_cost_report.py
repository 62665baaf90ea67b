import json

import pytest
from helpers.costs import cost, cost_row
from helpers.results import run, summary_row

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.reports._cost_plots import plot_cost_by_size, score_points, write_cost_plots
from mapt_bench.reports.cost_tables import (
    claims_table,
    cost_tables,
    measured_table,
    operations_table,
    rows_table,
    variant_gmacs,
)
from mapt_bench.reports.table_formats import render_table

SIZE = (384, 1280)


def test_parts_stand_under_their_network_with_their_share():
    table = operations_table(cost(), SIZE)
    assert table.title == "Operations of one forward pass at 384x1280, 10 instances, in GMACs"
    assert [column.name for column in table.columns] == [
        *("network", "share", "M params", "conv", "fvcore")
    ]
    assert table.rows == (
        ("flownet2", None, 1.5, 2.0, 2.0),
        ("· flownetc", 0.25, 1.5, 0.5, 0.5),
        ("· rest", 0.75, 1.5, 1.5, 1.5),
        ("motion-head", None, 1.5, 0.01, 0.01),
    )


def test_shares_are_bars_on_a_terminal():
    shares = [row[1] for row in operations_table(cost(), SIZE, bars=True).rows]
    assert shares == ["", "████ 25.0 %", "████████████ 75.0 %", ""]


def test_each_mode_has_both_counts():
    rows = [cost_row("net", mode=mode, gmacs=g) for mode, g in (("conv", 1.0), ("ptflops", 3.0))]
    table = operations_table(cost(*rows), SIZE)
    assert [column.name for column in table.columns][3:7] == [
        *("conv", "fvcore", "ptflops", "fvcore")
    ]
    assert table.rows[0][3:7] == (1.0, 1.0, 3.0, 3.0)


def test_an_incomplete_row_has_no_total_and_says_why():
    ledger = cost(cost_row("net", gmacs=None, uncounted=["aten::cumsum"]))
    table = operations_table(ledger, SIZE)
    assert table.rows[0][3:5] == ("incomplete", None)
    assert "net is incomplete, no formula for: aten::cumsum" in table.footnotes


def test_reasons_and_errors_stand_below():
    ledger = cost(
        cost_row("a", gmacs_fvcore=None, explanation="fvcore cannot trace this network"),
        cost_row("b", problem="b, whole: the counts differ by 3.00 %"),
    )
    notes = operations_table(ledger, SIZE).footnotes
    assert "a: fvcore cannot trace this network" in notes
    assert "error: b, whole: the counts differ by 3.00 %" in notes


def test_what_holds_everywhere_is_said_once():
    other = cost_row("net", input=[64, 64], fvcore_at=[[64, 64]])
    tables = cost_tables(cost(cost_row("net"), other))
    text = [render_table(table, "text") for table in tables]
    assert sum("conv omits by definition: relu" in each for each in text) == 1
    assert sum("no network, so no operations" in each for each in text) == 1
    assert "fvcore ran on the CPU at 64x64, 64x128" in text[0]
    assert "fvcore ran" not in text[1]  # it ran at the very size
    assert len(tables) == 3


def test_claims_say_what_is_fitted_where():
    table = claims_table(cost())
    (row,) = table.rows
    assert row[:4] == ("operations of the motion head", 3.5, 3.497, "fitted")
    assert table.texts()[0][4:] == ["-0.09", "1024x1920", "conv", "10"]


def test_measurements_are_a_table_of_their_own():
    found = {
        "median_ms": 3.0,
        "low_ms": 2.0,
        "high_ms": 4.0,
        "spread": "quartiles",
        "warm_up": 1,
        "repeats": 5,
        "device": "cpu",
        "threads": 1,
        "peak_mib": 900.0,
        "start_mib": 700.0,
    }
    rows = [cost_row("net", mode=mode, measurement=found) for mode in ("conv", "ptflops")]
    ledger = cost(*rows)
    table = measured_table(ledger)
    assert table.rows == (("net", "384x1280", "cpu", 3.0, 2.0, 4.0, 900.0, 700.0),)
    assert "cpu, 1 thread(s); 5 passes after 1 of warm-up" in table.footnotes[0]
    assert [each.title for each in cost_tables(ledger)][1] == table.title


def test_csv_holds_the_rows_as_they_are():
    row = cost_row("net", excluded=["aten::relu", "aten::add"], uncounted=[])
    lines = render_table(rows_table(cost(row)), "csv").splitlines()
    assert lines[0] == (
        "model,part,input,instances,mode,gmacs,gmacs_fvcore,params,excluded,uncounted,"
        "latency_ms,peak_mib"
    )
    assert lines[1] == "net,whole,384x1280,10,conv,2.0,2.0,1500000,aten::relu; aten::add,,,"


@pytest.mark.parametrize(
    ("variant", "gmacs"),
    [
        ("flow:flownet2", 2.0),
        ("flow:flownet2+mem10", 2.0),
        ("motion-head:linear-s4", 0.02),
        ("copy", 0.0),
        ("flow:dis+mem10, drop 2", 0.0),
        ("both:appearance-first+mem10", 0.0),
        ("somebodys", None),
    ],
)
def test_variants_find_the_network_they_run(variant, gmacs):
    rows = (*cost()["rows"], cost_row("motion-head:linear-s4", gmacs=0.02))
    assert variant_gmacs(cost(*rows), variant) == gmacs


@pytest.mark.parametrize(
    ("variant", "gmacs"),
    [
        ("mapt:motion+memory", 0.25),
        ("mapt:appearance", 0.375),
        ("mapt:simultaneous+memory", 0.375),
        ("flow:flownet2+mapt+memory", 2.375),
        ("copy+memory", 0.0),
    ],
)
def test_trackers_of_mapt_cost_what_their_heads_do(variant, gmacs):
    mapt = [
        cost_row("mapt-tiny", gmacs=9.0),
        cost_row("mapt-tiny", part="motion", is_whole=False, gmacs=0.25),
        cost_row("mapt-tiny", part="appearance", is_whole=False, gmacs=0.125),
    ]
    assert variant_gmacs(cost(*cost()["rows"], *mapt), variant) == gmacs
    two = [{**row, "model": "mapt-small"} for row in mapt]
    if "mapt" in variant:
        assert variant_gmacs(cost(*cost()["rows"], *mapt, *two), variant) is None
        assert variant_gmacs(cost(), variant) is None


@pytest.fixture
def scores(tmp_path):
    (tmp_path / "run").mkdir()
    path = tmp_path / "run" / "results.json"
    path.write_text(json.dumps(run()))
    return path


def test_pictures_are_drawn_alike_twice(tmp_path, scores):
    names = {row["variant"] for row in run()["summary"]}
    ledger = {**cost(), "without_network": sorted(names)}
    first = write_cost_plots(ledger, tmp_path / "a", scores=scores)
    second = write_cost_plots(ledger, tmp_path / "b", scores=scores.parent)
    assert [path.name for path in first] == [
        *("cost_by_size.png", "cost_and_score.png", "cost_by_size.svg", "cost_and_score.svg")
    ]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    points = score_points(ledger, scores)
    assert {each.gmacs for each in points} == {0.0}
    assert all(0 < each.pat <= 100 for each in points)


def test_points_are_of_the_first_segments_and_have_their_times(tmp_path):
    rows = [
        summary_row(name, 0.5, 0.5, "baselines", cell=f"{kind}-{name}", segments=kind)
        for kind in ("net", "groundtruth")
        for name in ("unlinked", "copy", "iou")
    ]
    for row in rows:
        row["trained"] = False
        row["cost"] = {"seconds_per_frame": None if row["variant"] == "iou" else 0.25}
    path = tmp_path / "results.json"
    path.write_text(json.dumps(run(summary=rows)))
    points = score_points({**cost(), "without_network": ["unlinked", "copy", "iou"]}, path)
    assert points == [("copy", 0.0, 250.0, 50.0), ("iou", 0.0, None, 50.0)]


def test_a_run_without_known_variants_is_refused(scores):
    with pytest.raises(DataError, match="no variant with a PAT and a known cost"):
        score_points({**cost(), "without_network": []}, scores)


def test_other_kinds_of_picture_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be '\.jpg'"):
        plot_cost_by_size(cost(), tmp_path / "cost.jpg")
