"""``mapt-bench show`` from outside."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.folders import GT, LOST, SWITCHED, write_films
from helpers.maps import shared_folder
from PIL import Image

from mapt_bench.cli import main

TWO = {"0001": GT, "0002": GT}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_films(tmp_path / "gt", TWO)
    write_films(tmp_path / "pred", {"0001": SWITCHED, "0002": LOST})
    return tmp_path


def run(*words):
    return CliRunner().invoke(main, ["show", *map(str, words)])


def test_default_is_a_strip_of_the_first_sequence(place):
    result = run("gt", "--pred", "pred")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "sequence 0001, 4 frames: 0001.png",
        "gt has 1 more sequence: 0002; to show another: --sequence 0002",
    ]
    with Image.open(place / "0001.png") as picture:
        assert picture.format == "PNG"


def test_the_default_picture_never_replaces_a_frame(place, monkeypatch):
    write_films(place / "x", {"000001": GT})
    (frame,) = (place / "x").rglob("000001.png")
    before = frame.read_bytes()
    monkeypatch.chdir(frame.parent)
    done = run(".", "--sequence", "000001")
    assert done.exit_code == 2
    assert "is an input of this command" in done.stderr
    assert frame.read_bytes() == before


@pytest.mark.parametrize(("suffix", "form"), [("gif", "GIF"), ("png", "PNG")])
def test_formats_and_a_sequence(place, suffix, form):
    (place / "deep").mkdir()
    result = run("gt", "--pred", "pred", "--sequence", "0002", "--out", f"deep/a.{suffix}")
    assert result.exit_code == 0, result.stderr
    with Image.open(place / "deep" / f"a.{suffix}") as picture:
        assert picture.format == form


def test_mp4(place):
    assert run("gt", "--out", "a.mp4").exit_code == 0
    assert b"ftyp" in (place / "a.mp4").read_bytes()[:16]


def test_timeline_alone_and_beside_the_frames(place):
    assert run("gt", "--pred", "pred", "--timeline", "t.png").exit_code == 0
    assert not (place / "0001.png").exists()
    both = run("gt", "--pred", "pred", "--timeline", "t.png", "--out", "a.png")
    assert [line.split(": ")[1] for line in both.stdout.splitlines()[:2]] == ["a.png", "t.png"]


def test_a_strip_shows_four_frames_and_its_timeline_all(place):
    write_films(place / "long", {"0001": " | ".join(["c1 r"] * 9)})
    result = run("long", "--out", "a.png", "--timeline", "t.png")
    assert result.stdout.splitlines() == [
        "sequence 0001, 4 frames: a.png",
        "sequence 0001, 9 frames: t.png",
    ]
    assert "9 frames" in run("long", "--out", "a.gif").stdout


def test_json_tells_the_tracks():
    result = run("gt", "--pred", "pred", "--timeline", "t.png", "--json", "-")
    data = json.loads(result.stdout)
    assert data["schema"] == "mapt-bench/show/1"
    (written,) = data["written"]
    assert written["file"] == "t.png"
    (prediction,) = written["predictions"]
    assert prediction["title"] == "pred"
    tracks = {(track["class"], track["id"]): track for track in prediction["tracks"]}
    assert tracks["car", 1]["identities"] == [1, 1, 7, 7]
    assert tracks["car", 1]["switches"] == ["000002"]
    assert tracks["person", 2]["switches"] == []


def test_same_bytes_twice(place):
    for name in ("a", "b"):
        run("gt", "--pred", "pred", "--out", f"{name}.png", "--timeline", f"{name}_t.png")
    for pair in (("a.png", "b.png"), ("a_t.png", "b_t.png")):
        assert len({(place / name).read_bytes() for name in pair}) == 1


def test_several_predictions_are_several_rows(place):
    write_films(place / "other", TWO)
    run("gt", "--pred", "pred", "--out", "one.png")
    assert run("gt", "--pred", "pred", "--pred", "other", "--out", "two.png").exit_code == 0
    with Image.open("one.png") as one, Image.open("two.png") as two:
        assert two.height > one.height
        assert two.width == one.width


def test_a_prediction_of_one_sequence_and_some_frames(place):
    write_films(place / "single", {"anything": SWITCHED})
    (place / "single" / "anything" / "000003.png").unlink()
    assert run("gt", "--pred", "single").exit_code == 0
    result = run("gt", "--pred", "single", "--timeline", "t.png", "--json", "-")
    track = json.loads(result.stdout)["written"][0]["predictions"][0]["tracks"][0]
    assert track["identities"][3] is None


def test_frames_and_scale(place):
    run("gt", "--frames", "1:3", "--scale", "40", "--out", "a.png")
    result = run("gt", "--frames", "1:3", "--scale", "16", "--out", "a.png", "--json", "-")
    assert json.loads(result.stdout)["written"][0]["frames"] == ["000001", "000002"]
    with Image.open("a.png") as picture:
        assert picture.width == 2 * (6 * 16 + 6) + 6


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("gt", "--sequence", "00O1"), 2, "no sequence '00O1'; did you mean '0001'?"),
        (("gt", "--frames", "0:9"), 2, "reaches frame 8, but the sequence has 4 frames"),
        (("gt", "--frames", "x"), 2, "--frames is 'x'; expected positions"),
        (("gt", "--out", "a.jpg"), 2, "a.jpg: has the suffix '.jpg'"),
        (("gt", "--timeline", "a.gif"), 2, "expected .png for a timeline"),
        (("gt", "--out", "a.png", "--timeline", "a.png"), 2, "name the same file"),
        (("gt", "--out", "new/a.png"), 3, "cannot be written: there is no folder new; create it"),
        (("gt", "--scale", "0"), 2, "0"),
        (("gt", "--max-frames", "0"), 2, "0"),
        (("gt", "--out", "gt/0001/000000.png/a.png"), 3, "cannot be written"),
        (("gt", "--pred", "nowhere"), 3, "nowhere"),
        (("nowhere",), 3, "nowhere"),
    ],
)
def test_refused(place, words, code, message):
    result = run(*words)
    assert result.exit_code == code, result.stderr
    assert message in result.stderr
    assert result.stdout == ""
    assert not (place / "0001.png").exists()


def test_a_prediction_without_the_sequence(place):
    write_films(place / "others", {"0008": GT, "0009": GT})
    result = run("gt", "--pred", "others")
    assert result.exit_code == 3
    assert "others: has no sequence '0001'" in result.stderr


def test_a_prediction_of_another_size(place):
    write_films(place / "small", {"0001": "c1 r | c1 r", "0002": "c1 r"})
    result = run("gt", "--pred", "small")
    assert result.exit_code == 3
    assert "small: the maps are 2x1 pixels, those of the data 6x1" in result.stderr


def test_two_sequences_of_one_name(place):
    for split in ("train", "val"):
        write_films(place / "all" / split, {"0001": GT})
    result = run("all", "--sequence", "0001")
    assert result.exit_code == 2
    assert "has 2 sequences named '0001' (train/0001, val/0001)" in result.stderr
    assert run("all", "--sequence", "val/0001").exit_code == 0


def test_real_frames(place):
    data = shared_folder("data", "kitti_step_0001")
    prediction = data / "predictions_espnet"
    result = run(data, "--pred", prediction, "--max-frames", 2, "--out", "real.png")
    assert result.exit_code == 0, result.stderr
    with Image.open("real.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape[1] > 1000
