import json

import pytest

from mapt_bench.errors import DataError
from mapt_bench.training.log import TrainingLog, read_log


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
