import json
import multiprocessing
import os
import shutil
from contextlib import nullcontext
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
from helpers.scenes import DrawnVideo
from helpers.small_runs import COPY, MOTION, ORACLE, UNLINKED, plan, source, walk

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.experiments import (
    Cell,
    SegmentSource,
    Variant,
    interval_plan,
    run_plan,
)
from mapt_bench.experiments.engine import unit_workers as workers
from mapt_bench.experiments.plans.plan import Skip, Sweep
from mapt_bench.workers import Processes


class Killed(BaseException):
    """Stands for the signal that ends a process."""


def kill_after(monkeypatch, count):
    """End the run when it begins with unit number ``count``; return what was begun."""
    begun = []
    real = workers.run_unit

    def run_unit(variant, *rest, **options):
        if len(begun) == count:
            raise Killed
        begun.append(variant.name)
        return real(variant, *rest, **options)

    monkeypatch.setattr(workers, "run_unit", run_unit)
    return begun


def test_every_variant_runs_on_every_sequence(tmp_path):
    outcome = run_plan(plan(), source(), tmp_path / "run")
    assert outcome.computed == 6
    assert outcome.exit_code == 0
    assert outcome.skipped == ()
    assert [cell.cell.variant.name for cell in outcome.cells] == ["unlinked", "copy", "oracle"]
    assert all(set(cell.units) == {(0, 0), (1, 0)} for cell in outcome.cells)
    assert [unit.sequence for unit in outcome.cells[0].units.values()] == ["a", "b"]
    assert outcome.cells[0].frames(0) == 6
    assert outcome.cells[0].frames(1) == 7


def test_a_finished_run_repeats_nothing(tmp_path):
    first = run_plan(plan(), source(), tmp_path / "run")
    again = run_plan(plan(), source(), tmp_path / "run")
    assert again.computed == 0
    for before, after in zip(first.cells, again.cells, strict=True):
        assert [unit.to_dict() for unit in before.units.values()] == [
            unit.to_dict() for unit in after.units.values()
        ]


def test_a_killed_run_goes_on_where_it_stopped(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        begun = kill_after(patch, 4)
        with pytest.raises(Killed):
            run_plan(plan(), source(), tmp_path / "run")
        assert len(begun) == 4
    with monkeypatch.context() as patch:
        begun = kill_after(patch, 99)
        assert run_plan(plan(), source(), tmp_path / "run").computed == 2
        assert len(begun) == 2


def test_a_torn_result_is_done_again(tmp_path):
    run_plan(plan(), source(), tmp_path / "run")
    torn = sorted((tmp_path / "run" / "cells").glob("*/*.json"))[2]
    torn.write_text(torn.read_text()[:100])
    assert run_plan(plan(), source(), tmp_path / "run").computed == 1


def test_segments_are_found_once_and_kept(tmp_path, monkeypatch):
    run_plan(plan(), source(), tmp_path / "run")
    archives = sorted((tmp_path / "run" / "segments" / "groundtruth").iterdir())
    assert [path.name for path in archives] == ["0000-a.npz", "0001-b.npz"]

    def found_again(*arguments):
        raise AssertionError("segments were found a second time")

    shutil.rmtree(tmp_path / "run" / "cells")
    monkeypatch.setattr(SegmentSource, "segmenter", found_again)
    assert run_plan(plan(), source(), tmp_path / "run").computed == 6


def test_a_damaged_archive_is_made_again(tmp_path):
    run_plan(plan(), source(), tmp_path / "run")
    archive = tmp_path / "run" / "segments" / "groundtruth" / "0000-a.npz"
    good = archive.read_bytes()
    archive.write_bytes(good[: len(good) // 2])
    shutil.rmtree(tmp_path / "run" / "cells")
    assert run_plan(plan(), source(), tmp_path / "run").computed == 6
    assert archive.stat().st_size == len(good)


def test_trackers_that_need_images_are_skipped_without_them(tmp_path):
    blind = source(walk(5, with_images=False))
    outcome = run_plan(plan(COPY, MOTION), blind, tmp_path / "run")
    assert [cell.cell.variant.name for cell in outcome.cells] == ["copy"]
    assert [skip.to_dict() for skip in outcome.skipped] == [
        {"tracker": "motion", "reason": "needs images, and the data have none"}
    ]


def test_nothing_to_run_is_an_error(tmp_path):
    with pytest.raises(DataError, match="nothing can be run: needs images"):
        run_plan(plan(MOTION), source(walk(5, with_images=False)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_short_sequences_are_skipped_with_the_reason(tmp_path):
    sweep = interval_plan(drop=(1, 3), pair=None)
    small = plan(
        COPY,
        cells=tuple(cell for cell in sweep.cells if cell.variant.name == "copy"),
        sweeps=sweep.sweeps,
    )
    outcome = run_plan(small, source(walk(5, name="short"), walk(6, name="long")), tmp_path / "r")
    every, third = outcome.cells
    assert set(every.units) == {(0, 0), (1, 0)}
    assert set(third.units) == {(1, 0), (1, 1), (1, 2)}
    assert [skip.to_dict() for skip in outcome.skipped] == [
        {
            "tracker": "all",
            "reason": "drop 3 needs 6 frames, the sequence has 5",
            "sequence": "short",
        }
    ]


def test_equal_work_is_done_once(tmp_path):
    # The oracle has no pairing interval: its cells at 1 and 2 are the same work.
    cells = (Cell(ORACLE), Cell(ORACLE, pair=2), Cell(COPY), Cell(COPY, pair=2))
    sweeps = (Sweep("pair", (1, 2), ("copy", "oracle")),)
    outcome = run_plan(plan(COPY, ORACLE, cells=cells, sweeps=sweeps), source(), tmp_path / "run")
    assert outcome.computed == 6
    keys = [cell.key for cell in outcome.cells]
    assert keys[0] == keys[1]
    assert keys[2] != keys[3]
    assert all(len(cell.units) == 2 for cell in outcome.cells)


def test_the_rows_of_dis_find_what_the_rows_of_the_heads_find(tmp_path):
    names = ("motion", "flow:dis", "both", "flow:dis+appearance")
    rows = [Variant(name, name, "heads", name, memory=3) for name in names]
    outcome = run_plan(plan(*rows), source(), tmp_path / "run")
    assert outcome.computed == 2 * len(rows)
    for head, flow in zip(outcome.cells[::2], outcome.cells[1::2], strict=True):
        assert head.key != flow.key
        for place, unit in flow.units.items():
            same = head.units[place]
            assert (unit.matches, unit.recovered) == (same.matches, same.recovered)
            assert np.array_equal(unit.sums.to_vector(), same.sums.to_vector())


def test_what_a_plan_leaves_out_is_listed(tmp_path):
    left_out = (Skip("flow:flownet2", "needs weights"),)
    outcome = run_plan(plan(COPY, skipped=left_out), source(), tmp_path / "run")
    assert outcome.skipped == left_out


def test_a_failing_cell_does_not_stop_the_others(tmp_path):
    broken = Variant("broken", "broken", "heads", "iou", memory=0, settings=(("iou_threshold", 7),))
    outcome = run_plan(plan(UNLINKED, broken, COPY), source(), tmp_path / "run")
    assert outcome.computed == 4
    assert outcome.exit_code == 2
    assert [len(cell.failures) for cell in outcome.cells] == [0, 2, 0]
    assert "iou_threshold is 7" in outcome.cells[1].failures[(0, 0)].reason
    # A failure is not kept: the next run tries again.
    assert run_plan(plan(UNLINKED, broken, COPY), source(), tmp_path / "run").computed == 0


@dataclass(frozen=True)
class Crumbling(DrawnVideo):
    """A video whose truth is lost from frame 2 on."""

    def truth(self, index):
        if index >= 2:
            raise DataError("is damaged", where=f"frame {index}")
        return super().truth(index)


def test_unusable_data_name_themselves(tmp_path):
    crumbling = Crumbling(walk(4).scene, name="crumbling")
    with pytest.raises(DataError, match="is damaged"):
        run_plan(plan(), source(crumbling), tmp_path / "run")


def test_a_crash_asks_for_exit_code_70(tmp_path, monkeypatch):
    def crash(*arguments, **options):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(workers, "run_unit", crash)
    outcome = run_plan(plan(COPY), source(), tmp_path / "run")
    assert outcome.exit_code == 70
    assert outcome.cells[0].failures[(0, 0)].reason == "ZeroDivisionError: a fault"


def test_the_error_of_a_run_has_the_class_and_the_text_of_one_failure(tmp_path, monkeypatch):
    def fail(variant, *arguments, **options):
        raise {"copy": DataError("is damaged"), "oracle": ZeroDivisionError("a fault")}[
            variant.name
        ]

    monkeypatch.setattr(workers, "run_unit", fail)
    with pytest.raises(DataError, match="copy failed on sequence a: is damaged"):
        run_plan(plan(COPY), source(), tmp_path / "data").raise_failure(tmp_path / "data")
    with pytest.raises(RuntimeError, match="oracle failed on sequence a: ZeroDivisionError"):
        run_plan(plan(COPY, ORACLE), source(), tmp_path / "both").raise_failure(tmp_path / "both")


@pytest.mark.parametrize(
    ("again", "words"),
    [
        (
            {"plan": plan(UNLINKED, COPY)},
            "rows (it also has oracle; to keep them, repeat --add oracle)",
        ),
        ({"plan": plan(experiment="sweep-interval")}, 'experiment (there "ablate", now "sweep'),
        ({"source": source(fingerprint="other videos")}, 'data (fingerprint: there "'),
        ({"source": source(walk(9), walk(7))}, "data (sequences "),
        ({"seed": 1}, "seed (there 0, now 1)"),
    ],
)
def test_another_run_in_the_folder_is_refused(tmp_path, again, words):
    run_plan(plan(), source(), tmp_path / "run")
    given = {"plan": plan(), "source": source(), "seed": 0, **again}
    with pytest.raises(ConfigError) as refused:
        run_plan(given["plan"], given["source"], tmp_path / "run", seed=given["seed"])
    assert f"differs in {words}" in refused.value.message
    assert refused.value.where == str(tmp_path / "run")


def test_rows_are_added_to_a_run(tmp_path):
    few = run_plan(plan(UNLINKED, COPY), source(), tmp_path / "run")
    many = run_plan(plan(UNLINKED, COPY, ORACLE), source(), tmp_path / "run")
    assert (few.computed, many.computed) == (4, 2)
    assert [cell.cell.variant.name for cell in many.cells] == ["unlinked", "copy", "oracle"]
    alone = run_plan(plan(UNLINKED, COPY, ORACLE), source(), tmp_path / "alone")
    assert [cell.key for cell in many.cells] == [cell.key for cell in alone.cells]
    for folder in ("run", "alone"):
        again = run_plan(plan(UNLINKED, COPY, ORACLE), source(), tmp_path / folder)
        assert again.computed == 0
    changed = replace(COPY, settings=(("motion_threshold", 0.5),))
    with pytest.raises(ConfigError, match=r"differs in rows \(memory, weights"):
        run_plan(plan(UNLINKED, changed, ORACLE, MOTION), source(), tmp_path / "run")


def test_a_folder_of_other_things_is_refused(tmp_path):
    (tmp_path / "holiday.txt").write_text("photos")
    with pytest.raises(ConfigError, match="other files and no run"):
        run_plan(plan(), source(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.txt"]


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "cannot be read"), ("{}", "has no schema"), ("[]", "has no schema")],
)
def test_a_damaged_setup_is_refused(tmp_path, content, words):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(DataError, match=words):
        run_plan(plan(), source(), tmp_path)


def test_named_pipes_in_a_run_folder_are_not_waited_for(tmp_path, at_once):
    run_plan(plan(), source(), tmp_path)
    for path in (min(tmp_path.glob("cells/*/*.json")), tmp_path / "run.json"):
        text = path.read_text()
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(DataError, match="is a named pipe") as caught:
            run_plan(plan(), source(), tmp_path)
        assert caught.value.where == str(path)
        path.unlink()
        path.write_text(text)
    assert run_plan(plan(), source(), tmp_path).computed == 0


def test_two_workers_find_what_one_finds(tmp_path):
    found = []
    for jobs in (1, 2):
        outcome = run_plan(plan(), source(), tmp_path / str(jobs), workers=Processes(jobs))
        assert outcome.computed == 6
        units = [unit.to_dict() for cell in outcome.cells for unit in cell.units.values()]
        for unit in units:
            del unit["seconds"], unit["provenance"]["created"]
        found.append(units)
    assert json.dumps(found[0]) == json.dumps(found[1])


@dataclass(frozen=True)
class Deadly(DrawnVideo):
    """A video whose truth ends the worker process that reads it."""

    def truth(self, index):
        if multiprocessing.parent_process() is not None:
            os._exit(9)
        return super().truth(index)


def test_a_dead_worker_is_told_and_what_was_done_is_kept(tmp_path):
    deadly = source(walk(4, name="a"), Deadly(walk(4).scene, name="deadly"))
    with pytest.raises(DataError, match="worker process ended before its work was done"):
        run_plan(plan(), deadly, tmp_path / "run", workers=Processes(2))
    kept = len(list((tmp_path / "run" / "cells").glob("*/0000-0.json")))
    assert run_plan(plan(), deadly, tmp_path / "run").computed == 6 - kept


def test_one_worker_leaves_the_threads_of_opencv_as_they_were(tmp_path):
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        run_plan(plan(COPY), source(), tmp_path / "run")
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


def test_no_workers_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="-j is 0"):
        run_plan(plan(), source(), tmp_path / "run", workers=Processes(0))


def test_progress_counts_every_unit_and_the_segments_of_each_video_once(tmp_path):
    told = []
    run_plan(plan(), source(), tmp_path / "run", progress=lambda schedule: nullcontext(told.append))
    assert sorted(told) == [0, 1, 1, 1, 1, 2, 2]  # two videos
    told.clear()
    run_plan(plan(), source(), tmp_path / "run", progress=lambda schedule: nullcontext(told.append))
    assert told == [8]
