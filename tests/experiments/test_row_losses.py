"""Losses of the rows of a run: which rows have them, and that they agree with the scores."""

from dataclasses import replace

import pytest
from helpers.small_runs import COPY, MOTION, ORACLE, UNLINKED, plan, source, walk

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.experiments import (
    AblationConfig,
    Cell,
    check_config,
    run_experiment,
    run_plan,
    run_result,
)
from mapt_bench.experiments.plans.plan import Sweep
from mapt_bench.metrics import count_overlap
from mapt_bench.metrics.link_events import pack_rows, unpack_rows
from mapt_bench.metrics.overlap import ENTRY, SequenceOverlap, join_frames
from mapt_bench.reports import run_tables
from mapt_bench.workers import Processes


def with_losses(result):
    return {row["variant"]: row["losses"] for row in result["summary"] if "losses" in row}


def test_the_best_row_and_the_oracle_have_losses_and_others_on_request(tmp_path):
    rows = plan(UNLINKED, COPY, MOTION, ORACLE, reference=None)
    run = tmp_path / "run"
    outcome = run_plan(rows, source(), run)
    found = with_losses(run_result(outcome))
    scores = {row["variant"]: row["scores"] for row in run_result(outcome)["summary"]}
    best = max((COPY.name, MOTION.name), key=lambda name: scores[name]["PAT"])
    assert found.keys() == {best, ORACLE.name}

    more = run_experiment(rows, source(), run, losses=[UNLINKED.name])  # nothing runs again
    found = with_losses(more)
    assert found.keys() == {UNLINKED.name, best, ORACLE.name}
    for name, losses in found.items():
        for score in ("PAT", "TQ", "STQ", "PQ"):
            assert losses["score"][score] == pytest.approx(scores[name][score]), (name, score)
    unlinked = found[UNLINKED.name]
    # The segments are perfect, so all is identity.
    for score, value in unlinked["score"].items():
        assert unlinked["kinds"]["identity"]["share"][score] == pytest.approx(1 - value)

    tables = {table.name: table for table in run_tables(more)}
    assert {row[0] for row in tables["losses_by_kind"].texts()} == found.keys()
    assert "losses" in tables


def test_worker_processes_count_the_same_losses(tmp_path):
    videos = [walk(3, name=f"walk-{at}") for at in range(9)]  # more than one worker adds up at once
    outcome = run_plan(plan(COPY, UNLINKED, ORACLE), source(*videos), tmp_path / "run")
    told = []
    alone = run_result(outcome, losses=[UNLINKED.name], advance=told.append)
    with Processes(2) as processes:
        together = run_result(outcome, losses=[UNLINKED.name], processes=processes)
    assert with_losses(together) == with_losses(alone)
    assert len(with_losses(alone)) == 3
    assert sum(told) == 3 * len(outcome.cells)


def test_the_reference_has_losses(tmp_path):
    rows = plan(COPY, UNLINKED, ORACLE, reference=UNLINKED.name)
    result = run_result(run_plan(rows, source(walk(4)), tmp_path / "run"))
    assert with_losses(result).keys() == {COPY.name, UNLINKED.name, ORACLE.name}


def test_rows_that_the_user_adds_have_losses(tmp_path):
    added = replace(UNLINKED, name="mine", group="added")
    rows = plan(COPY, added, UNLINKED, ORACLE)
    result = run_result(run_plan(rows, source(walk(4)), tmp_path / "run"))
    assert with_losses(result).keys() == {COPY.name, "mine", ORACLE.name}


def test_rows_with_dropped_frames_have_none(tmp_path):
    cells = (Cell(COPY), Cell(COPY, drop=2))
    sweeps = (Sweep("drop", (1, 2), (COPY.name,)),)
    result = run_result(
        run_plan(
            plan(COPY, cells=cells, sweeps=sweeps, reference=None),
            source(walk(6)),
            tmp_path / "run",
        )
    )
    assert [(row["interval"]["tau"], "losses" in row) for row in result["summary"]] == [
        (1, True),
        (2, False),
    ]


def test_a_unit_keeps_its_overlap_tables(tmp_path):
    drawn = source(walk(4))
    (cell,) = run_plan(plan(ORACLE), drawn, tmp_path / "run").cells
    (unit,) = cell.units.values()
    video = drawn.videos[0]
    frames = [count_overlap(video.truth(at), video.truth(at), drawn.labels) for at in range(4)]
    expected = join_frames(frames, drawn.labels)
    found = unit.overlap(drawn.labels)
    assert found.pixels.tolist() == expected.pixels.tolist()
    assert found.gt.codes.tolist() == expected.gt.codes.tolist()
    again = SequenceOverlap.of_rows(unpack_rows(pack_rows(expected.rows()), ENTRY), 4, drawn.labels)
    assert (again.rows() == expected.rows()).all()


def test_damaged_tables_are_named(tmp_path):
    drawn = source(walk(3))
    (cell,) = run_plan(plan(COPY), drawn, tmp_path / "run").cells
    (unit,) = cell.units.values()
    object.__setattr__(unit, "tables", "AAAA")
    with pytest.raises(DataError, match="overlap tables of sequence"):
        unit.overlap(drawn.labels)


def test_losses_of_an_unknown_row_are_refused_before_anything_runs():
    with pytest.raises(ConfigError, match=r"--losses is 'oracel'.*oracle"):
        check_config(AblationConfig(suite="tiny", losses=("oracel",)))
