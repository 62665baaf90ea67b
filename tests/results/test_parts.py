import json

import pytest
from helpers.results import evaluation, interval, run, summary_row, sweep

from mapt_bench.compare._comparison import compare_results
from mapt_bench.errors import DataError
from mapt_bench.reports._run_tables import run_tables, summary_table
from mapt_bench.reports.plots import write_plots
from mapt_bench.results import load_result
from mapt_bench.results.result_views import entry_of_row, part_of, run_parts

FOUND = "detections of MAPT"
TRUE = "ground-truth segments without identities"


def row(variant, pat, segments, *, trained=False, **changes):
    """A row of one part; its cell is its own."""
    group = "reference" if variant == "oracle" else "heads"
    place = f"{variant} {segments} {trained}"
    return summary_row(
        variant, pat, pat, group, segments=segments, trained=trained, cell=place, **changes
    )


def both_kinds(**changes):
    """An ablation on own and on true segments, with trained networks."""
    summary = [
        *(row(name, pat, "mapt-tiny") for name, pat in (("copy", 0.3), ("mapt", 0.4))),
        *(row(name, pat, "groundtruth") for name, pat in (("copy", 0.6), ("mapt", 0.8))),
        *(row(name, pat, "own", trained=True) for name, pat in (("whole", 0.4), ("part", 0.2))),
        *(row("whole", pat, "groundtruth", trained=True) for pat in (0.8,)),
    ]
    protocol = {
        "pat": "present",
        "label_space": "kitti-step",
        "segments": f"{FOUND}; {TRUE}",
        "segments_by_name": {"mapt-tiny": FOUND, "groundtruth": TRUE},
    }
    return run(**{"summary": summary, "protocol": protocol, **changes})


def first_alone():
    """The same, had only own segments been linked."""
    protocol = {"segments": FOUND, "segments_by_name": {"mapt-tiny": FOUND}}
    whole = both_kinds()
    return both_kinds(summary=whole["summary"][:2], protocol={**whole["protocol"], **protocol})


def test_a_run_that_does_not_tell_segments_apart_is_one_part():
    for old in (run(), sweep()):
        (part,) = run_parts(old)
        assert part.run is old
        assert part.suffix == ""
        assert (part.segments, part.trained, part.is_first) == ("", False, True)
    assert part_of(run()["summary"][0]) == ("", False)


def test_one_kind_of_segments_is_one_part():
    (part,) = run_parts(first_alone())
    assert (part.segments, part.suffix) == ("mapt-tiny", "")
    assert part.words == FOUND


def test_parts_stand_in_the_order_of_the_run():
    whole = both_kinds()
    parts = run_parts(whole)
    assert [(part.segments, part.trained) for part in parts] == [
        ("mapt-tiny", False),
        ("groundtruth", False),
        ("own", True),
        ("groundtruth", True),
    ]
    assert [part.suffix for part in parts] == [
        "",
        "groundtruth",
        "trained-own",
        "trained-groundtruth",
    ]
    assert [part.words for part in parts] == [
        FOUND,
        "ground-truth segments",
        "each tracker's own detections, networks trained without a component",
        "ground-truth segments, networks trained without a component",
    ]
    assert [entry for part in parts for entry in part.run["summary"]] == whole["summary"]
    assert all(part.run["claims"] is whole["claims"] for part in parts)


def test_links_go_with_the_rows_of_their_part():
    whole = both_kinds()
    rows = whole["summary"]
    rows[4]["cell"] = rows[1]["cell"]  # the whole network stands in two tables: one piece of work
    links = [{"variant": row["variant"], "cell": row["cell"], "n": 1} for row in rows]
    whole["links_by_group"] = links
    found = [part.run["links_by_group"] for part in run_parts(whole)]
    assert found == [links[:2], links[2:4], links[4:6], links[6:]]


def test_every_part_has_its_table_and_the_claims_stand_once():
    tables = run_tables(both_kinds())
    endings = [part.words for part in run_parts(both_kinds())]
    assert [table.title for table in tables] == [
        *(f"Scores in percent, 2 sequences, {ending}" for ending in endings),
        "Not run",
        "Claims of the paper",
    ]
    assert [line[0] for line in tables[1].texts()] == ["copy", "mapt"]
    assert tables[1].texts()[1][1] == "80.00"
    # Best is best on the same segments.
    assert [(1, 1) in table.best_cells() for table in tables[:2]] == [True, True]
    assert "segments:" not in " ".join(tables[0].footnotes)
    one = run_tables(first_alone())
    assert one[0].title == "Scores in percent, 2 sequences"
    assert any(f"segments: {FOUND}" in note for note in one[0].footnotes)


def test_intervals_are_shown_in_the_parts_that_have_them():
    whole = both_kinds()
    whole["summary"][2] = row(
        "copy", 0.6, "groundtruth", intervals={"PAT": interval(0.5, 0.7), "TQ": interval(0.4, 0.6)}
    )
    first, second, *_ = (summary_table(part.run) for part in run_parts(whole))
    assert "[50.00, 70.00]" not in first.texts()[0]
    assert "[50.00, 70.00]" in second.texts()[0]
    assert "[40.00, 60.00]" in second.texts()[0]


def test_every_part_has_its_pictures(tmp_path):
    whole = both_kinds()
    whole["summary"] = whole["summary"][:5]
    whole["summary"][4] = row("whole", None, "own", trained=True)  # nothing to draw
    names = [path.name for path in write_plots(whole, tmp_path)]
    assert names == [
        f"pat_stq{ending}{suffix}" for ending in ("", "_groundtruth") for suffix in (".png", ".svg")
    ]
    drawn = (tmp_path / "pat_stq_groundtruth.svg").read_text()
    assert "<!-- Ground-truth segments -->" in drawn
    (tmp_path / "one").mkdir()
    write_plots(first_alone(), tmp_path / "one")
    assert "<!-- Segments" not in (tmp_path / "one" / "pat_stq.svg").read_text()


@pytest.fixture
def written(tmp_path):
    def write(name, data):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(data))
        return path

    return write


def test_rows_of_parts_have_names_of_their_own(written):
    found = load_result(written("both", both_kinds())).rows
    assert list(found) == [
        *("copy", "mapt", "copy on groundtruth", "mapt on groundtruth"),
        *("whole on trained-own", "part on trained-own", "whole on trained-groundtruth"),
    ]
    assert found["mapt on groundtruth"].scores["PAT"] == 0.8
    assert found["mapt"].protocol["segments"] == FOUND
    assert found["mapt on groundtruth"].protocol["segments"] == TRUE
    assert all("segments_by_name" not in each.protocol for each in found.values())


def test_runs_are_compared_part_by_part(written):
    worse = both_kinds()
    worse["summary"][3] = row("mapt", 0.7, "groundtruth")
    found = compare_results(written("before", both_kinds()), written("after", worse))
    changed = {
        (change.row, change.score): round(change.difference, 6)
        for change in found.changes
        if change.difference
    }
    assert changed == {("mapt on groundtruth", "PAT"): -0.1, ("mapt on groundtruth", "STQ"): -0.1}
    assert found.is_passed is None  # no limit, and nothing is missing


def test_the_first_part_is_compared_with_a_run_of_it_alone(written):
    found = compare_results(written("before", first_alone()), written("after", both_kinds()))
    assert {change.row for change in found.changes} == {"copy", "mapt"}
    assert all(not change.difference for change in found.changes)
    assert found.missing == ()
    assert len(found.added) == 5
    gone = compare_results(written("whole", both_kinds()), written("first", first_alone()))
    assert not gone.is_passed


def test_first_parts_of_other_segments_are_not_compared(written):
    turned = both_kinds()
    turned["summary"] = [*turned["summary"][2:4], *turned["summary"][:2]]
    with pytest.raises(DataError, match=r"differ in segments \(detections of MAPT.*ground-truth"):
        compare_results(written("before", both_kinds()), written("after", turned))


def test_evaluations_have_no_parts(written):
    assert list(load_result(written("evaluation", evaluation())).rows) == ["tracker"]


def test_rows_that_support_no_interval_keep_their_own_sequences():
    """Copying has one key at each pairing interval, but interval 3 skips short sequences."""
    rows = [
        summary_row("copy", pat, 0.5, "baselines", interval={"kind": "pair", "tau": tau})
        for tau, pat in ((1, 0.4), (3, 0.6))
    ]
    cells = [
        {"key": "copy", "variant": "copy", "interval": 1, "per_sequence": {"a": {}, "b": {}}},
        {"key": "copy", "variant": "copy", "interval": 3, "per_sequence": {"a": {}}},
    ]
    rows = [{**row, "cell": "copy"} for row in rows]
    assert [list(entry_of_row(cells, row)["per_sequence"]) for row in rows] == [["a", "b"], ["a"]]
    groups = [{**cell, "cell": "copy", "factor": "half", "value": "hard"} for cell in cells]
    for group in groups:
        del group["key"]
    assert entry_of_row(groups, rows[1]) is groups[1]
    assert entry_of_row(cells, {**rows[0], "cell": "other"}) == {}
