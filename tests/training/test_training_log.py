import json
import time

import pytest

from mapt_bench.errors import DataError
from mapt_bench.training.log import Pace, TrainingLog, read_log
from mapt_bench.training.recipe import Recipe


def test_rows_of_a_lost_part_are_cut_off(tmp_path):
    path = tmp_path / "log.jsonl"
    log = TrainingLog(path, 0)
    for step in (1, 2, 3):
        log.add({"kind": "train", "step": step})
    with path.open("a") as file:
        file.write('{"kind": "tra')  # killed in the middle of a line
    assert [row["step"] for row in read_log(path)] == [1, 2, 3]
    log = TrainingLog(path, 2)
    log.add({"kind": "train", "step": 3, "again": True})
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"kind": "train", "step": 1},
        {"kind": "train", "step": 2},
        {"kind": "train", "step": 3, "again": True},
    ]


@pytest.mark.parametrize("line", ["nonsense", "[1]", '{"step": 1}'])
def test_damaged_lines_are_told(tmp_path, line):
    path = tmp_path / "log.jsonl"
    path.write_text(f'{{"kind": "train", "step": 1}}\n{line}\n')
    with pytest.raises(DataError, match="line 2 is no row of a log"):
        read_log(path)


def test_a_log_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_log(tmp_path / "log.jsonl")


def test_the_speed_right_after_a_pause_is_that_before_it(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    recipe = Recipe.from_dict({"model": "mapt-tiny", "steps": 10, "batch_size": 1})
    (stage,) = recipe.all_stages
    frames = recipe.clips.length
    pace = Pace(recipe.all_stages, 0)
    assert pace.frames_per_hour(stage) == 0
    now[0] = 2.0
    pace.step()
    assert pace.frames_per_hour(stage) == 1800 * frames
    now[0] = 9.0  # a validation of 7 seconds
    pace.pause()
    assert pace.frames_per_hour(stage) == 1800 * frames
    now[0] = 13.0
    pace.step()
    assert pace.frames_per_hour(stage) == 900 * frames
