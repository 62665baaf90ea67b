"""A user's tracker as a row of experiments."""

import json
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest
from click.testing import CliRunner
from helpers.shipped_weights import empty_weights_folder
from helpers.small_runs import COPY, plan, source, walk, write_videos
from PIL import Image

from mapt_bench.baselines import user_trackers as plugins
from mapt_bench.baselines.rows import parse_row
from mapt_bench.cli import main
from mapt_bench.experiments import added_variant, run_plan

LINKER = """
import numpy as np
from mapt_bench.tracking import Association
from row_helper import STEP

class Mine:
    needs_images = False
    def start(self, info):
        self.count = 0
    def associate(self, frame, segments):
        ids = self.count + np.arange(1, segments.count + 1)
        self.count += segments.count * STEP
        return Association(ids)

class Late(Mine):
    def associate(self, frame, segments):
        if frame.index == 3:
            raise ValueError("out of ideas")
        return super().associate(frame, segments)
"""

WHOLE = """
import numpy as np
from mapt_bench.labels import PanopticMap

class Red:
    '''Calls red pixels one car.'''
    def start(self, info):
        self.frames = 0
    def step(self, frame):
        red = frame.image[..., 0].astype(int) - frame.image[..., 1] > 60
        frame.image[:] = 0  # its own copy
        return PanopticMap(np.where(red, 13 << 24 | 1, 0).astype(np.uint32))

class Small(Red):
    def step(self, frame):
        return PanopticMap(np.zeros((2, 2), dtype=np.uint32))
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Two videos with images, and trackers of the user in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    empty_weights_folder(monkeypatch, tmp_path / "no weights")
    videos = [walk(count, speed=1, name=name) for name, count in (("a", 8), ("b", 6))]
    write_videos(tmp_path / "DATA", *videos)
    for video in videos:
        images = tmp_path / "DATA" / "images" / "val" / video.name
        images.mkdir(parents=True)
        for index in range(video.info.frame_count):
            Image.fromarray(video.image(index)).save(images / f"{index:06d}.png")
    (tmp_path / "row_helper.py").write_text("STEP = 1\n")
    (tmp_path / "row_linker.py").write_text(LINKER)
    (tmp_path / "row_whole.py").write_text(WHOLE)
    yield tmp_path
    forget()


def forget():
    for name in ("row_helper", "row_linker", "row_whole"):
        sys.modules.pop(name, None)


def run(*words, command=("ablate",)):
    forget()
    given = (*command, "--data", "DATA", "--weights", "none", "--json", "-", *words)
    result = CliRunner().invoke(main, given)
    return result, json.loads(result.stdout)


def cell_files(folder):
    return {path: path.stat().st_mtime_ns for path in sorted(folder.glob("cells/*/*.json"))}


def test_an_associator_stands_in_the_table_of_the_segments_that_it_links(here):
    result, data = run("--add", "row_linker:Mine", "--out", "r")
    assert result.exit_code == 0, result.stderr
    rows = {row["variant"]: row for row in data["summary"]}
    mine = rows["row_linker:Mine"]
    assert (mine["segments"], mine["group"], mine["thresholds"]) == ("groundtruth", "added", "own")
    # It never links anything.
    assert mine["scores"]["PAT"] == rows["unlinked"]["scores"]["PAT"]
    assert mine["scores"]["SQ"] == rows["copy"]["scores"]["SQ"]
    assert mine["cost"]["frames_timed"] == 14
    assert "row_linker:Mine" in (here / "r" / "tables" / "tables.md").read_text().replace("\\", "")


def test_an_edit_of_the_users_code_repeats_its_rows_and_no_others(here):
    words = ("--add", "row_linker:Mine", "--out", "r")
    run(*words)
    before = cell_files(here / "r")
    (here / "row_helper.py").write_text("STEP = 0  # every frame starts at 1\n")
    result, data = run(*words)
    assert result.exit_code == 0, result.stderr
    after = cell_files(here / "r")
    assert {path: after[path] for path in before} == before
    assert len(after) == len(before) + 2  # one file a video
    rows = {row["variant"]: row for row in data["summary"]}
    assert rows["row_linker:Mine"]["scores"]["PAT"] > rows["unlinked"]["scores"]["PAT"]
    (here / "row_linker.py").write_text('"""A docstring alone."""\n' + LINKER)
    run(*words)
    assert cell_files(here / "r") == after


def test_workers_find_the_users_module(here):
    result, alone = run("--add", "row_linker:Mine", "--add", "row_whole:Red", "--out", "one")
    assert result.exit_code == 0, result.stderr
    result, two = run("--add", "row_linker:Mine", "--add", "row_whole:Red", "--out", "2", "-j", "2")
    assert result.exit_code == 0, result.stderr
    assert [row["scores"] for row in alone["summary"]] == [row["scores"] for row in two["summary"]]


def test_a_whole_tracker_has_a_table_of_its_own_and_changes_no_other_row(here):
    _, without = run("--out", "without")
    result, data = run("--add", "row_whole:Red", "--segments", "groundtruth,noisy", "--out", "r")
    assert result.exit_code == 0, result.stderr
    (mine,) = [row for row in data["summary"] if row["variant"] == "row_whole:Red"]
    assert (mine["segments"], mine["differences"]) == ("own", None)
    assert mine["scores"]["PQ"] > 0
    assert mine["matches"] == {"recovered": 0}
    tables = (here / "r" / "tables" / "tables.md").read_text().replace("\\", "")
    assert "each tracker's own detections" in tables
    others = {r["variant"]: r["scores"] for r in data["summary"] if r["segments"] == "groundtruth"}
    assert others == {row["variant"]: row["scores"] for row in without["summary"]}


def test_a_whole_tracker_is_stressed_and_dropped_like_others(here):
    words = ("--add", "row_whole:Red", "--out")
    result, sweep = run(
        *words, "sweep", "--drop", "1,2", "--pair", "1", command=("sweep-interval",)
    )
    assert result.exit_code == 0, result.stderr
    places = [
        (row["interval"]["kind"], row["interval"]["tau"], row["segments"])
        for row in sweep["summary"]
        if row["variant"] == "row_whole:Red"
    ]
    assert places == [("drop", 1, "own"), ("drop", 2, "own")]  # it has no pairing interval
    result, stress = run(
        *words, "stress", "--stressor", "noise", "--levels", "5", command=("stress", "image")
    )
    assert result.exit_code == 0, result.stderr
    levels = {
        row["stress"]["level"]: row["scores"]["PQ"]
        for row in stress["summary"]
        if row["variant"] == "row_whole:Red"
    }
    assert levels[0] > levels[5]  # it sees the noise
    text = (here / "stress" / "tables" / "tables.md").read_text()
    assert "each tracker's own detections" in text


@pytest.mark.parametrize(
    ("row", "code", "kind", "message"),
    [
        ("row_linker:Late", 3, "tracker", "a/000003: tracker row_linker:Late failed: ValueError"),
        ("row_linker:Late", 3, "tracker", "out of ideas (row_linker.py:18 in associate)"),
        ("row_whole:Small", 3, "data", "the tracker's map has (2, 2) pixels"),
    ],
)
def test_a_tracker_that_fails_is_blamed_and_the_others_are_done(here, row, code, kind, message):
    result, data = run("--add", row, "--out", "r")
    assert result.exit_code == code
    assert data["error"]["kind"] == kind
    assert message in data["error"]["message"]
    incomplete = json.loads((here / "r" / "results.incomplete.json").read_text())
    failed = {cell["variant"] for cell in incomplete["cells"] if cell["status"] == "failed"}
    assert failed == {row}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("row_linker:Mime", "has no 'Mime'; did you mean 'Mine'"),
        ("row_linker:Mine+memory", "takes no argument 'memory'"),
        ("row_linkr:Mine", "there is no module 'row_linkr'"),
        ("mapt", "row 'mapt' needs weights of MAPT; write mapt,weights=NAME|FILE"),
        ("flow:raft-small", "give --flow-weights flow:raft-small=FILE"),
        ("bot", "did you mean 'both'"),
        ("json:loads", "'json:loads' is a function that cannot be called without arguments"),
    ],
)
def test_a_row_that_cannot_be_added_is_told_before_anything_runs(here, row, message):
    result, data = run("--add", row, "--out", "r")
    assert result.exit_code == 2
    assert message in data["error"]["message"]
    assert not (here / "r").exists()


def test_a_row_that_is_there_already_is_not_run_twice(here):
    result, data = run(
        "--add", "both+memory=10", "--add", "sort,sort_iou_threshold=0.1", "--out", "r"
    )
    assert result.exit_code == 0, result.stderr
    names = [row["variant"] for row in data["summary"]]
    assert len(set(names)) == len(names)
    assert "sort,sort_iou_threshold=0.1" in names


def test_saved_settings_that_name_a_file_count_with_its_content(here):
    (here / "row_linker.py").write_text(
        LINKER + "\nclass Reads(Mine):\n    def __init__(self, table): self.table = table\n"
    )
    (here / "table.txt").write_text("1")
    words = ("--add", "row_linker:Reads,table=table.txt", "--out", "r")
    result, _ = run(*words)
    assert result.exit_code == 0, result.stderr
    before = cell_files(here / "r")
    (here / "table.txt").write_text("2")
    run(*words)
    assert len(cell_files(here / "r")) == len(before) + 2


def test_segments_that_are_not_there_are_told_before_anything_runs(here):
    for text, message in (
        ("groundtruht", "unknown segments, and no folder"),
        ("groundtruth,groundtruth", "has the same value twice"),
        ("mapt", "needs weights of MAPT, and there are none; give"),
    ):
        result, data = run("--segments", text, "--out", "r")
        assert result.exit_code == 2
        assert message in data["error"]["message"]
    result, data = run("--segments", "not/there", "--out", "r")
    assert result.exit_code == 3
    assert "no folder of predictions and no weights file" in data["error"]["message"]
    result, data = run("--segments", "x.safetensors", "--out", "r")
    assert result.exit_code == 3
    assert "no such weights file" in data["error"]["message"]
    result, data = run("--segments", "groundtruth,noisy", "--out", "r", command=("sweep-interval",))
    assert result.exit_code == 2
    assert "takes one value" in data["error"]["message"]
    assert not (here / "r").exists()


def test_code_that_was_edited_after_the_run_began_gives_no_result(here):
    variant = added_variant(parse_row("row_linker:Mine"))
    other = replace(variant, code=replace(variant.code, fingerprint="of another source"))
    outcome = run_plan(plan(COPY, other), source(walk(3)), here / "run")
    assert outcome.exit_code == 2
    (failed,) = [cell for cell in outcome.cells if cell.failures]
    (failure,) = failed.failures.values()
    assert "was edited after this run began" in failure.reason


def test_an_installed_tracker_is_a_row(here, monkeypatch):
    points = [EntryPoint("offered", "row_linker:Mine", plugins.ENTRY_POINT_GROUP)]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points)
    monkeypatch.syspath_prepend(here)
    result, data = run("--add", "offered", "--out", "r")
    assert result.exit_code == 0, result.stderr
    rows = {row["variant"]: row for row in data["summary"]}
    assert rows["offered"]["code"]["source"]
    assert rows["offered"]["scores"]["PAT"] == rows["unlinked"]["scores"]["PAT"]
