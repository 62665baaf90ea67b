"""Scores over several results, their order, changes, and pictures."""

import json

import pytest
from click.testing import CliRunner
from helpers.commands import examples_of
from helpers.costs import cost, cost_row
from helpers.results import evaluation, run, summary_row

from mapt_bench.cli import main
from mapt_bench.compare import score_history
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.reports.history_page import history_page, history_tables

HOSTILE = "<script>alert(1)</script>$x_$\x1b[31m"


@pytest.fixture
def write(tmp_path):
    def write(name, data, revision, created="2026-01-01"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        provenance = {"revision": revision, "created": created}
        path.write_text(json.dumps({**data, "provenance": provenance}))
        return path

    return write


@pytest.fixture
def three(write):
    return [
        write("a.json", evaluation("x"), "v9", "2026-01-03"),
        write("b.json", evaluation("y", shift=0.1), "v10", "2026-01-01"),
        write("c.json", evaluation("z", shift=0.1), "v2", "2026-01-02"),
    ]


@pytest.mark.parametrize(
    ("order", "revisions"),
    [
        ("date", ["v10", "v2", "v9"]),
        ("revision", ["v2", "v9", "v10"]),
        ("given", ["v9", "v10", "v2"]),
    ],
)
def test_order(three, order, revisions):
    found = score_history(three, order=order)
    assert [point["revision"] for point in found.points] == revisions
    assert found.rows == ("prediction",)


def test_changes_name_the_revision(three):
    found = score_history(three, scores=["PAT", "IDSW"])
    (change,) = found.changes
    assert (change["revision"], change["score"], change["is_worse"]) == ("v9", "PAT", True)
    assert change["difference"] == pytest.approx(-0.1)
    titles = [table.title for table in history_tables(found.to_dict())]
    assert titles == [
        *("History of PAT", "History of IDSW", "Revisions at which a score changed"),
    ]


def test_rows_of_runs_in_a_folder(write, tmp_path):
    better = run()
    better["summary"][1]["scores"] = {**better["summary"][1]["scores"], "PAT": 0.9}
    write("runs/1/results.json", run(), "r1", "2026-01-01")
    write("runs/2/results.json", better, "r2", "2026-01-02")
    write("runs/2/cells/k/unit.json", {}, "r2")
    write("runs/2/run.json", {"schema": "mapt-bench/run-setup/1"}, "r2")
    (tmp_path / "runs/other.json").write_text("{}")
    found = score_history([tmp_path / "runs"], rows=["i*"])
    assert found.rows == ("iou",)
    assert [(each["row"], each["score"]) for each in found.changes] == [("iou", "PAT")]
    assert len(found.notes) == 1
    assert "other.json: skipped, has no schema" in found.notes[0]


def test_results_of_runs_without_revision_have_the_name_of_their_folder(write, tmp_path):
    for name in ("monday", "tuesday"):
        write(f"runs/{name}/results.json", run(), None)
    table = history_tables(score_history([tmp_path / "runs"]).to_dict())[0]
    assert [line[0] for line in table.rows] == ["monday", "tuesday"]


def test_single_rows_of_runs_and_flops_reports_match_by_name_only(write):
    rows = summary_row("sort", 0.5, 0.5, "baselines"), summary_row("mapt", 0.6, 0.5, "heads")
    files = [write(f"{row['variant']}.json", run(summary=[row]), "r") for row in rows]
    found = score_history(files, order="given")
    assert (found.rows, found.changes) == (("sort", "mapt"), ())
    better = write("better.json", run(summary=[summary_row("sort", 0.7, 0.5, "baselines")]), "r")
    (change,) = score_history([files[0], better], order="given").changes
    assert (change["row"], change["score"], change["from"]) == ("sort", "PAT", 0.5)
    costs = [write(f"{name}.json", cost(cost_row(name)), "r") for name in ("raft", "flownet2")]
    found = score_history(costs, scores=["gmacs"])
    assert found.rows == ("flownet2, whole, 384x1280, conv", "raft, whole, 384x1280, conv")


def test_results_that_cannot_be_compared_cause_no_change(write):
    other = evaluation(shift=0.1)
    other["protocol"] = {**other["protocol"], "pat": "official"}
    found = score_history([write("a.json", evaluation(), "1"), write("b.json", other, "2")])
    assert found.changes == ()
    assert "they differ in pat" in found.notes[0]


def test_unknown_names_and_empty_folders(three, tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'PAT'"):
        score_history(three, scores=["PATT"])
    with pytest.raises(ConfigError, match="did you mean 'prediction'"):
        score_history(three, rows=["predicton"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no result"):
        score_history([tmp_path / "empty"])


def test_order_by_revision_needs_revisions(write):
    files = [write("a.json", evaluation(), None), write("b.json", evaluation(), "1")]
    with pytest.raises(DataError, match="has no revision"):
        score_history(files, order="revision")


def test_the_page_shows_hostile_names_as_text(write, tmp_path):
    rows = [{**row, "variant": HOSTILE} for row in run()["summary"][:1]]
    files = [write(f"{n}.json", run(summary=rows), HOSTILE, f"2026-01-0{n}") for n in (1, 2)]
    page = history_page(score_history(files).to_dict(), b"")
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\x1b" not in page
    outcome = invoke(*files, "--html", tmp_path / "h.html", "--png", tmp_path / "h.png")
    assert outcome.exit_code == 0, outcome.output
    assert (tmp_path / "h.png").read_bytes().startswith(b"\x89PNG")
    assert "data:image/png;base64," in (tmp_path / "h.html").read_text()


def invoke(*words):
    return CliRunner().invoke(main, ["history", *map(str, words)])


def test_columns_that_do_not_fit_are_counted(write):
    names = [f"a tracker with a long name {at}" for at in range(9)]
    rows = [summary_row(name, 0.5, 0.5, "heads") for name in names]
    file = write("wide.json", run(summary=rows), "v1")
    result = invoke(str(file), "--scores", "PAT")
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 100
    assert names[0] in result.stdout
    assert "note: 7 rows more, too wide for this table: choose rows with --row" in result.stdout


def test_the_examples_of_the_help_run(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("runs/1/results.json", run(), "r1")
    write("v1.json", evaluation(), "v1")
    write("v2.json", evaluation(shift=-0.1), "v2", "2026-01-02")
    examples = examples_of("history")
    assert len(examples) == 2
    for words in examples:
        outcome = invoke(*words)
        assert outcome.exit_code == 0, outcome.output
    assert "worse" in outcome.stdout
    assert json.loads(invoke("v1.json", "--json", "-").stdout)["schema"] == "mapt-bench/history/1"
