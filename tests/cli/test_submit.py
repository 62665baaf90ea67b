"""``mapt-bench submit``: checks, and bytes of the archive."""

import hashlib
import json
import os
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.maps import KITTI, draw
from PIL import Image

from mapt_bench.cli import main
from mapt_bench.data import map_format, open_maps, submission
from mapt_bench.data.submission import BENCHMARKS, Benchmark, Extent

FRAME = draw("r r c1", "v p7 c1")
FRAMES = ("000000", "000001")
SMALL = Benchmark(
    "kitti-step",
    {"0000": Extent(FRAMES), "0001": Extent(FRAMES, (2, 3))},
    ("STEP-",),
    "https://server.example",
)


@pytest.fixture
def small(monkeypatch):
    """A benchmark of two sequences of two frames."""
    monkeypatch.setitem(submission.BENCHMARKS, "kitti-step", SMALL)


def write(folder, names=("0000", "0001"), frames=FRAMES, encoding="kitti-step", panoptic=FRAME):
    with map_format(encoding).open(folder, KITTI, split="test") as writer:
        for name in names:
            for frame in frames:
                writer.write(name, frame, panoptic)
    return folder


def submit(folder, *words, out="mine.zip"):
    words = ("submit", "kitti-step", folder, "--out", folder.parent / out, *words)
    return CliRunner().invoke(main, list(map(str, words)))


def test_the_test_sets():
    kitti, mot = (BENCHMARKS[name].sequences for name in ("kitti-step", "motchallenge-step"))
    assert len(kitti) == 29
    assert sum(len(one.frames) for one in kitti.values()) == 11095  # frames of KITTI tracking
    assert (kitti["0010"].frames[0], kitti["0010"].frames[-1]) == ("000000", "001175")
    assert {name: (one.frames[0], one.frames[-1], one.size) for name, one in mot.items()} == {
        "0001": ("000001", "000450", (1080, 1920)),
        "0007": ("000001", "000500", (1080, 1920)),
    }
    assert BENCHMARKS["motchallenge-step"].sequence_name("MOTS20-01") == "0001"
    assert BENCHMARKS["motchallenge-step"].sequence_name("MOTS20-x") == "MOTS20-x"


@pytest.mark.usefixtures("small")
def test_complete_predictions_are_packed(tmp_path):
    done = submit(write(tmp_path / "pred"))
    assert done.exit_code == 0
    assert "4 frames of 2 sequences packed into" in done.stdout
    assert "upload it as https://server.example says" in done.stdout
    with zipfile.ZipFile(tmp_path / "mine.zip") as packed:
        assert packed.namelist() == [
            *("0000/000000.png", "0000/000001.png", "0001/000000.png", "0001/000001.png")
        ]
        packed.extractall(tmp_path / "unpacked")
    found = open_maps(tmp_path / "unpacked", KITTI)
    assert found.encoding == "kitti-step"
    assert all(np.array_equal(one.read(1).codes, FRAME.codes) for one in found.sequences)
    with Image.open(tmp_path / "unpacked" / "0000" / "000000.png") as image:
        assert np.asarray(image)[1].tolist() == [[255, 0, 0], [11, 0, 7], [13, 0, 1]]


@pytest.mark.usefixtures("small")
def test_equal_predictions_give_equal_bytes(tmp_path):
    first, again = write(tmp_path / "pred"), write(tmp_path / "again" / "pred")
    other = write(tmp_path / "other" / "pred", names=("0000", "STEP-01"), encoding="two-channel")
    for path in again.rglob("*.png"):
        os.utime(path, (0, 0))
    for folder in (first, again, other):
        assert submit(folder).exit_code == 0
    archives = [one.parent / "mine.zip" for one in (first, again, other)]
    assert len({one.read_bytes() for one in archives}) == 1
    done = submit(first, "--json", "-")
    data = json.loads(done.stdout)
    assert data["sha256"] == hashlib.sha256(archives[0].read_bytes()).hexdigest()
    assert data["bytes"] == archives[0].stat().st_size
    assert (data["written"], data["frames"]) == (True, {"0000": 2, "0001": 2})


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("names", "frames", "message"),
    [
        (("0000",), FRAMES, "lacks 1 sequence of the test set: 0001; predict them too [sequence]"),
        (("0000", "0001", "0002"), FRAMES, "0002: is not in the test set; expected 0000, 0001"),
        (("0000", "0001", "STEP-01"), FRAMES, "is a second sequence 0001; keep one of the two"),
        (("0000", "0001"), FRAMES[:1], "lacks 1 frame: 000001; expected 000000 to 000001"),
        (("0000", "0001"), (*FRAMES, "000002"), "has 1 frame that the test set lacks: 000002"),
        (("0000", "0001"), ("000001", "000002"), "lacks 1 frame: 000000"),
    ],
)
def test_incomplete_predictions(tmp_path, names, frames, message):
    done = submit(write(tmp_path / "pred", names, frames), "--json", str(tmp_path / "x.json"))
    assert done.exit_code == 1
    assert message in done.stdout
    assert "so no archive is written" in done.stderr
    assert not (tmp_path / "mine.zip").exists()
    data = json.loads((tmp_path / "x.json").read_text())
    assert (data["written"], data["sha256"], data["bytes"]) == (False, None, None)


@pytest.mark.usefixtures("small")
def test_an_older_archive_stays_if_there_is_a_problem(tmp_path):
    (tmp_path / "mine.zip").write_bytes(b"old")
    assert submit(write(tmp_path / "pred", ("0000",))).exit_code == 1
    assert (tmp_path / "mine.zip").read_bytes() == b"old"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("panoptic", "encoding", "message"),
    [
        (draw("r r c1 c1", "r r c1 c1"), "kitti-step", "is 4x2 pixels; expected 3x2"),
        (draw("r r c65536", "r r c1"), "two-channel", "id 65536 is too large for kitti-step"),
        (FRAME, "mots-txt", "labels objects only (mots-txt); expected a class for every pixel"),
    ],
)
def test_predictions_that_the_server_cannot_score(tmp_path, panoptic, encoding, message):
    done = submit(write(tmp_path / "pred", encoding=encoding, panoptic=panoptic))
    assert done.exit_code == 1
    assert message in done.stdout


@pytest.mark.usefixtures("small")
def test_every_problem_is_listed(tmp_path):
    folder = write(tmp_path / "pred")
    first, second = sorted((folder / "panoptic_maps" / "test" / "0000").iterdir())
    first.write_bytes(first.read_bytes()[:-20])
    pixels = np.full((2, 3, 3), 77, dtype=np.uint8)
    Image.fromarray(pixels).save(second)
    done = submit(folder)
    assert done.exit_code == 1
    assert f"{first}: " in done.stdout
    assert "77" in done.stdout
    assert "failed: 2 problems" in done.stderr


@pytest.mark.usefixtures("small")
def test_notes_on_what_is_accepted(tmp_path):
    done = submit(write(tmp_path / "pred", panoptic=draw("r r c0", "v p7 c1")))
    assert done.exit_code == 0
    assert "note: 16.67 % of the pixels are void, which the server counts as wrong" in done.stderr
    assert "note: 33.33 % of the pixels of things have identity 0" in done.stderr


def test_images_state_the_frames_and_sizes(tmp_path):
    for name in ("0000", "0001"):
        (tmp_path / "test" / name).mkdir(parents=True)
        for frame in FRAMES:
            image = Image.fromarray(np.zeros((2, 3, 3), dtype=np.uint8))
            image.save(tmp_path / "test" / name / f"{frame}.jpg")
    folder = write(tmp_path / "pred")
    done = submit(folder, "--images", tmp_path / "test")
    assert done.exit_code == 0
    assert "note: the images are not the test set of kitti-step, which has 29 seq" in done.stderr
    small = write(tmp_path / "small", panoptic=draw("r c1"))
    assert "expected 3x2, as the images" in submit(small, "--images", tmp_path / "test").stdout
    (tmp_path / "test" / "train" / "0000").mkdir(parents=True)
    (tmp_path / "test" / "0000" / "000000.jpg").rename(
        tmp_path / "test" / "train" / "0000" / "000000.jpg"
    )
    doubled = submit(folder, "--images", tmp_path / "test")
    assert doubled.exit_code == 3
    assert "holds two sequences named '0000'" in doubled.stderr


def test_wrong_usage(tmp_path):
    folder = write(tmp_path / "pred")
    words = ["submit", "kitti", str(folder), "--out", str(tmp_path / "x.zip")]
    unknown = CliRunner().invoke(main, words)
    assert unknown.exit_code == 2
    assert "did you mean 'kitti-step'" in unknown.stderr
    assert submit(folder, out="no/folder.zip").exit_code == 3
    assert submit(tmp_path / "nothing").exit_code == 3
    replaced = submit(folder, out="pred/panoptic_maps/test/0000/000000.png")
    assert (replaced.exit_code, "is an input of this command" in replaced.stderr) == (2, True)


@pytest.mark.usefixtures("small")
def test_a_class_of_another_label_space_is_named_without_options_that_submit_lacks(tmp_path):
    folder = write(tmp_path / "pred")
    path = next(folder.rglob("000000.png"))
    pixels = np.array(Image.open(path))
    pixels[..., 0] = 77
    Image.fromarray(pixels).save(path)
    done = submit(folder)
    assert done.exit_code == 1
    assert "class 77" in done.stdout
    assert "convert the maps to the classes of kitti-step" in done.stdout
    assert "--dataset" not in done.stdout
