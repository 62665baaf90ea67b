"""The command that writes all pages of results from finished runs."""

import importlib
import json

import pytest
from helpers.modules import ROOT
from helpers.reach_runs import BOTH, reaching_run, write_run
from helpers.shipped_weights import empty_weights_folder

from mapt_bench.errors import DataError
from mapt_bench.files import write_json
from mapt_bench.weights import CARD_SCHEMA, shipped

DATA = {
    "name": "bench",
    "suite": {"name": "bench", "version": 2},
    "fingerprint": "ab-cd",
    "sequences": {"a": 10, "b": 12},
}


@pytest.fixture
def pages(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("make_results")


@pytest.fixture
def card(monkeypatch, tmp_path):
    folder = tmp_path / "weights"
    empty_weights_folder(monkeypatch, folder)
    (folder / "net.safetensors").write_bytes(b"")
    scores = {"val": {"scores": {"all": {"PAT": 0.5}}}}
    about = {"schema": CARD_SCHEMA, "name": "net", "sha256": "hash1", "scores": scores}
    write_json(folder / "net.json", about)
    return folder / "net.json"


def bench_run():
    run = reaching_run()
    run["provenance"] |= {"data": DATA, "mapt_bench": "1.0", "git_commit": "abc"}
    return run


def test_scores_of_a_run_go_to_the_card_of_its_weights(pages, card):
    run = bench_run()
    assert pages.score_cards(run) == ["net"]
    entry = shipped("net").card["scores"]["bench"]
    assert entry["data"] == {
        "name": "bench",
        "version": 2,
        "fingerprint": "ab-cd",
        "sequences": 2,
        "frames": 22,
    }
    assert entry["tracker"] == BOTH
    assert entry["scores"]["all"]["PAT"] == 0.60
    assert {"all", "hard", "real-like"} <= entry["scores"].keys()
    assert shipped("net").card["scores"]["val"] == {"scores": {"all": {"PAT": 0.5}}}


def test_other_weights_keep_their_card(pages, card):
    before = card.read_bytes()
    run = bench_run()
    run["provenance"]["weights"] = {"net": "another hash"}
    assert pages.score_cards(run) == []
    assert card.read_bytes() == before


def test_the_table_of_the_readme_has_ten_lines_at_most(pages):
    run = {**bench_run(), "recoveries": [], "scores_by_group": []}
    lines = pages.headline_tables(run, pages._README_ROWS)[0].splitlines()
    rows = [line for line in lines if line.startswith("| ")][2:]
    assert 5 <= len(rows) <= 10
    assert rows[0].startswith(f"| {BOTH} | ")
    assert rows[-1].startswith("| oracle | ")


def test_only_the_text_between_the_comments_is_replaced(pages, tmp_path):
    begin, end = pages._QUICK_BEGIN, pages._END
    page = f"# Title\n\n{begin}\n\nold\n\n{end}\n\nRest\n"
    assert pages.with_table(page, "| new |", tmp_path, begin) == (
        f"# Title\n\n{begin}\n\n| new |\n\n{end}\n\nRest\n"
    )
    with pytest.raises(DataError, match="put both around its table"):
        pages.with_table("# Title\n", "| new |", tmp_path, begin)


def test_typed_figures_that_no_table_has_are_found(pages):
    page = (
        f"Typed 9.99.\n\n{pages._BENCH_BEGIN}\n\n| mapt | 58.04 [56.44, 59.68] |\n\n{pages._END}\n"
        "\n## The targets\n\n| seed0 | +1.62 |\n"
    )
    typed = "Of 58.0 and 1.62, `5.5` [page](x-7.7.md) and torch 2.14.1. But 1.63, 58.1 and 9.99."
    assert pages.figures_in_no_table(typed, page) == ["1.63", "58.1", "9.99"]


def test_a_run_that_has_not_ended_is_refused(pages, tmp_path):
    with pytest.raises(DataError, match="run the experiment until it ends"):
        pages.read_run(tmp_path)
    folder = write_run(tmp_path / "done", bench_run())
    assert pages.read_run(folder) == json.loads(json.dumps(bench_run()))
