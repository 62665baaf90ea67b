"""``mapt-bench check`` from outside."""

import json

import pytest
from click.testing import CliRunner
from helpers.maps import draw, write_frames
from PIL import Image

from mapt_bench.cli import main


@pytest.fixture
def folder(tmp_path):
    return write_frames(tmp_path / "data" / "0001", [draw("r c1 v"), draw("r c1 r")]).parent


def run(*words):
    return CliRunner().invoke(main, ["check", *map(str, words)])


def test_fine(folder):
    result = run(folder)
    assert result.exit_code == 0
    for word in ("kitti-step", "0001", "3x1", "car", "33.33 %", "16.67 %", "No problems"):
        assert word in result.stdout


def test_problems(folder):
    broken = folder / "0001" / "000001.png"
    broken.write_bytes(broken.read_bytes()[:-9])
    result = run(folder)
    assert result.exit_code == 1
    assert "1 problem:" in result.stdout
    line = next(line for line in result.stdout.splitlines() if "truncated" in line)
    assert line.startswith(f"{broken}: ")


def test_many_problems_of_a_kind_are_cut(tmp_path):
    folder = write_frames(tmp_path / "data" / "0001", [draw("r c1 v")] * 23)
    for path in sorted(folder.iterdir())[1:]:
        path.write_bytes(path.read_bytes()[:-9])
    result = run(folder.parent)
    assert "22 problems:" in result.stdout
    assert sum("truncated" in line for line in result.stdout.splitlines()) == 20
    assert "2 more problems of the kind map; --json FILE writes all." in result.stdout


def test_images_alone_are_no_label_maps(tmp_path):
    for name in ("images/0001/000000.jpg", "images/0001/000001.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 4)).save(path)
    result = run(tmp_path / "images")
    assert result.exit_code == 0
    assert "No label maps found, only images." in result.stdout


def test_json_alone_on_stdout(folder):
    result = run(folder, "--json", "-")
    assert result.exit_code == 0
    data = json.loads(result.stdout)
    assert data["schema"] == "mapt-bench/check/1"
    assert data["frames"] == 2


def test_json_file_beside_the_tables(folder, tmp_path):
    result = run(folder, "--json", tmp_path / "report.json")
    assert "Sequences" in result.stdout
    assert json.loads((tmp_path / "report.json").read_text())["problems"] == []


def test_wrong_usage(folder):
    result = run(folder, "--dataset", "kitti-stp", "--json", "-")
    assert result.exit_code == 2
    error = json.loads(result.stdout)["error"]
    assert error["kind"] == "config"
    assert "did you mean 'kitti-step'" in error["message"]
    assert run(folder, "--encoding", "jpeg").exit_code == 2
    empty = run("")
    assert empty.exit_code == 2
    assert "the path is empty" in empty.stderr
    assert run().exit_code == 2


def test_unusable(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    result = run(tmp_path / "empty", "--json", "-")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["error"]["kind"] == "data"
    assert run(folder / "0001" / "000000.png").exit_code == 3
    assert run(tmp_path / "none").exit_code == 3


def test_nothing_readable(folder):
    for path in (folder / "0001").iterdir():
        data = bytearray(path.read_bytes())
        data[-15] ^= 0xFF
        path.write_bytes(data)
    result = run(folder)
    assert result.exit_code == 3
    assert "2 problems:" in result.stdout


def test_help_ends_with_examples():
    result = run("--help")
    assert result.exit_code == 0
    assert result.stdout.rstrip().splitlines()[-2].strip().startswith("mapt-bench check")
