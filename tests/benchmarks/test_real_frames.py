import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def real_frames(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("real_frames")


def test_without_data_it_skips_and_says_why(real_frames, tmp_path):
    result = CliRunner().invoke(real_frames.main, ["--data", str(tmp_path / "none")])
    assert result.exit_code == 0
    assert "skipped: there are no real frames at" in result.output


def test_held_out_clips_give_a_row_for_each_gap_size_and_displacement(real_frames, tmp_path):
    path = tmp_path / "found.json"
    done = CliRunner().invoke(real_frames.main, ["--proxy", "1", "--json", str(path)])
    assert done.exit_code == 0, done.output
    rows = {row["masks"]: row for row in json.loads(path.read_text())["rows"]}
    assert len(rows) == 1 + 3 + 3 + 6
    counts = [rows[f"{gap} frames on"]["count"] for gap in (1, 2, 3)]
    assert rows["all"]["count"] == sum(counts) > 0
    scores = rows["all"]["iou"]
    assert set(scores) == {"copying", "motion head", "its displacement", "DIS"}
    assert all(0 < score < 1 for score in scores.values())
    assert scores["copying"] < min(scores["motion head"], scores["its displacement"])


def test_overlap_and_way_of_a_mask(real_frames):
    mask = np.zeros((16, 16), bool)
    mask[2:5, 2:6] = True
    assert real_frames._iou(mask, mask) == 1
    assert real_frames._iou(mask, np.roll(mask, 2, axis=1)) == pytest.approx(6 / 18)
    assert real_frames._way(mask, np.roll(mask, (3, 4), axis=(0, 1))) == 5
