"""Tables of several runs: every row of every run has its line."""

from mapt_bench.reports.transfer_tables import drops, transfer_tables


def run(**scores):
    """Return a run on ground-truth segments with the PAT of each row."""
    return {"summary": [row(name, score) for name, score in scores.items()]}


def row(name, score, **more):
    return {"variant": name, "group": "baseline", "scores": {"PAT": score, "STQ": score}, **more}


def lines(tables):
    return [{each[0]: each[1:] for each in table.rows} for table in tables]


def test_a_row_that_a_run_lacks_has_no_score_there():
    results = {"one": run(iou=0.5, sort=0.6), "two": run(iou=0.4, mapt=0.7)}
    (table,) = transfer_tables(results, ["PAT"], with_drops=False)
    assert lines([table]) == [{"iou": (0.5, 0.4), "sort": (0.6, None), "mapt": (None, 0.7)}]
    assert "lacks" in " ".join(table.footnotes)
    (found,) = lines(transfer_tables(results, ["PAT"]))
    assert found["mapt"] == (None, 0.7, None)
    assert [each["variant"] for each in drops(results)] == ["iou"]


def test_rows_are_matched_by_their_names_in_the_plan():
    results = {"5": run(**{"a+memory=5": 0.5, "a+memory": 0.3}), "10": run(**{"a+memory": 0.6})}
    planned = {
        "5": {"a+memory": "a+memory=5", "a+memory=10": "a+memory"},
        "10": {"a+memory": "a+memory", "a+memory=10": "a+memory"},
    }
    found = transfer_tables(results, ["PAT"], with_drops=False, planned=planned)
    assert lines(found) == [{"a+memory": (0.5, 0.6), "a+memory=10": (0.3, 0.6)}]
    chosen = transfer_tables(results, ["PAT"], ["a+memory"], with_drops=False, planned=planned)
    assert lines(chosen) == [{"a+memory": (0.5, 0.6)}]


def test_names_that_are_the_same_in_all_runs_stay():
    results = {"x": run(**{"a+memory=5": 0.5}), "y": run(**{"a+memory=5": 0.4})}
    planned = {key: {"a+memory": "a+memory=5"} for key in results}
    assert lines(transfer_tables(results, ["PAT"], planned=planned))[0].keys() == {"a+memory=5"}


def test_segments_of_one_run_have_a_table():
    def of(*segments):
        return {"summary": [row("iou", 0.5, segments=name) for name in segments]}

    results = {"one": of("groundtruth", "noisy"), "two": of("noisy", "mapt", "groundtruth")}
    found = lines(transfer_tables(results, ["PAT"], with_drops=False))
    assert found == [{"iou": (0.5, 0.5)}, {"iou": (0.5, 0.5)}, {"iou": (None, 0.5)}]


def test_the_table_says_how_many_rows_it_omits():
    results = {"one": run(a=0.1, b=0.3), "two": run(a=0.2, c=0.9)}
    (table,) = transfer_tables(results, ["PAT"], limit=2, with_drops=False)
    assert [each[0] for each in table.rows] == ["c", "b"]
    assert "1 more row in tables/runs.csv." in table.footnotes
