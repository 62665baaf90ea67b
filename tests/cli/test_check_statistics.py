"""``mapt-bench check --statistics`` from outside."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.maps import draw, write_frames

from mapt_bench.cli import main
from mapt_bench.data.png import encode_png


@pytest.fixture
def folder(tmp_path):
    """A car that moves by one pixel of two: copying it overlaps by a third."""
    frames = [draw("c1 c1 r r p2"), draw("r c1 c1 r p2")]
    return write_frames(tmp_path / "data" / "0001", frames).parent


def run(*words):
    return CliRunner().invoke(main, ["check", *map(str, words)])


def row(text, *words):
    """The cells of the row that begins with some words."""
    (found,) = [line for line in text.splitlines() if line.split()[: len(words)] == list(words)]
    return found.split()[len(words) :]


def test_tables(folder):
    result = run(folder, "--statistics")
    assert result.exit_code == 0
    text = result.stdout
    assert row(text, "car", "mask", "area,", "pixels") == ["2", "2", "2", "2", "2", "2"]
    assert row(text, "car", "1") == ["1", "100.00", "0.00"]
    assert row(text, "all", "1") == ["2", "100.00", "0.00"]
    moved = row(text, "car", "displacement", "/", "size", "1")
    assert moved == ["1", *["0.707"] * 5]  # one pixel over the root of two
    assert row(text, "car", "displacement", "/", "neighbour", "1") == ["0", *["–"] * 5]  # noqa: RUF001
    assert "no track has a gap" in text


def test_one_class_stands_alone(tmp_path):
    write_frames(tmp_path, [draw("c1 r"), draw("c1 r")])
    assert "\nall " not in run(tmp_path, "--statistics").stdout


def test_only_when_asked(folder):
    assert "statistics" not in json.loads(run(folder, "--json", "-").stdout)
    assert "Motion" not in run(folder).stdout


def test_json(folder):
    result = run(folder, "--statistics", "--json", "-")
    data = json.loads(result.stdout)
    assert data["schema"] == "mapt-bench/check/1"
    found = data["statistics"]
    assert (found["frames"], found["taus"]) == (2, [1, 2, 3, 5])
    assert [entry["name"] for entry in found["classes"]] == ["person", "car"]
    car = found["classes"][1]["intervals"]
    assert [entry["links"] for entry in car] == [1, 0, 0, 0]
    assert car[0]["overlap"]["median"] == 1 / 3


def test_problems_keep_their_exit_code_and_the_rest_is_measured(folder):
    broken = folder / "0001" / "000001.png"
    broken.write_bytes(broken.read_bytes()[:-9])
    (folder / "0001" / "000002.png").write_bytes(b"")
    result = run(folder, "--statistics", "--json", "-")
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    assert len(data["problems"]) == 2
    assert (data["statistics"]["frames"], data["statistics"]["unread_frames"]) == (1, 1)


def test_images_alone_have_none(tmp_path):
    images = tmp_path / "images" / "0001"
    images.mkdir(parents=True)
    (images / "0.png").write_bytes(encode_png(np.zeros((6, 9, 3), dtype=np.uint8)))
    result = run(tmp_path, "--statistics", "--json", "-")
    assert result.exit_code == 0
    whole = json.loads(result.stdout)["statistics"]["all"]
    assert whole["objects_a_frame"]["undefined"] == "no frame could be read"
    assert "no frame could be read" in run(tmp_path, "--statistics").stdout
