"""A check of a data set lists everything and stops at nothing."""

import json

import numpy as np
import pytest
from helpers.maps import CAR, KITTI, PERSON, draw, random_maps, write_frames, write_sequences
from PIL import Image

from mapt_bench.data import check_data
from mapt_bench.data.png import encode_png
from mapt_bench.errors import DataError
from mapt_bench.labels import label_space


def test_facts_by_hand(tmp_path):
    write_frames(tmp_path / "0001", [draw("r r c1 c1"), draw("r v c1 c2")])
    write_frames(tmp_path / "0002", [draw("r c1 p0 p3")])
    report = check_data(tmp_path, KITTI)
    assert (report.encoding, report.labels, report.image_count) == ("kitti-step", KITTI, 0)
    assert report.problems == ()
    assert report.frame_count == report.readable_count == 3
    first, second = report.sequences
    assert (first.name, first.frame_count, first.height, first.width) == ("0001", 2, 1, 4)
    assert (first.track_count, second.track_count) == (2, 2)
    classes = {entry.class_id: entry for entry in report.classes}
    assert sorted(classes) == [0, PERSON, CAR]
    assert classes[0].pixel_share == 4 / 12
    assert classes[0].track_count is None
    assert classes[CAR].pixel_share == 5 / 12
    assert classes[CAR].track_count == 3  # car 1 of the one and of the other sequence, and car 2
    assert classes[PERSON].track_count == 1
    assert (report.void_share, report.crowd_share) == (1 / 12, 1 / 12)


def test_every_problem_is_listed(tmp_path):
    folder = write_frames(tmp_path / "0001", random_maps(8))
    (folder / "000001.png").write_bytes(b"")
    (folder / "000002.png").write_bytes(encode_png(np.zeros((6, 9), dtype=np.uint8)))
    (folder / "000003.png").write_bytes(encode_png(np.zeros((5, 9, 3), dtype=np.uint8)))
    (folder / "000004.png").write_bytes((folder / "000000.png").read_bytes()[:-20])
    odd = np.full((6, 9, 3), (77, 0, 0), dtype=np.uint8)
    (folder / "000005.png").write_bytes(encode_png(odd))
    Image.fromarray(odd).save(folder / "000009.jpg")
    report = check_data(tmp_path, KITTI)
    found = {(problem.path.rpartition("/")[2], problem.kind) for problem in report.problems}
    assert found == {
        ("000001.png", "file"),
        ("000002.png", "file"),
        ("000003.png", "file"),
        ("000004.png", "map"),
        ("000005.png", "class"),
        ("000009.jpg", "file"),
    }
    assert report.readable_count == 4
    assert report.frame_count == 5


def test_a_class_outside_is_named_with_its_pixels(tmp_path):
    write_frames(tmp_path, [draw("r c1 c1")])
    (problem,) = check_data(tmp_path, label_space("motchallenge-step")).problems
    assert "class 13 (2 pixels)" in problem.message


def test_gaps_are_counted_and_are_no_problem(tmp_path):
    folder = write_frames(tmp_path, random_maps(5))
    (folder / "000002.png").unlink()
    report = check_data(tmp_path, KITTI)
    assert report.sequences[0].gap_count == 1
    assert report.problems == ()


def test_malformed_lines_are_all_listed(tmp_path):
    (tmp_path / "0001.txt").write_text("0 1 1 2 3 024\nnonsense\n1 1 1 2 3 9\n2 1 1 2 3\n")
    report = check_data(tmp_path, KITTI, "mots-txt")
    assert [problem.path.rpartition(":")[2] for problem in report.problems] == ["2", "4", "3"]
    assert [problem.kind for problem in report.problems] == ["file", "file", "map"]


def test_images_are_checked_and_paired(tmp_path):
    write_sequences(tmp_path / "panoptic_maps", ["0001"], count=2)
    images = tmp_path / "images" / "0001"
    images.mkdir(parents=True)
    pixels = np.zeros((6, 9, 3), dtype=np.uint8)
    (images / "000000.png").write_bytes(encode_png(pixels))
    (images / "000001.png").write_bytes(encode_png(pixels)[:-20])
    Image.fromarray(pixels).save(images / "000002.jpg")
    report = check_data(tmp_path, KITTI)
    assert report.image_count == 3
    assert [problem.kind for problem in report.problems] == ["image", "pairing"]
    assert "images but no maps" in report.problems[1].message


@pytest.mark.parametrize("with_maps", [False, True])
def test_images_of_one_moment_are_listed_once(tmp_path, with_maps):
    if with_maps:
        write_sequences(tmp_path / "panoptic_maps", ["0001"], count=2)
    images = tmp_path / "images" / "0001"
    images.mkdir(parents=True)
    for name in ("000000", "000001", "1"):
        (images / f"{name}.png").write_bytes(encode_png(np.zeros((6, 9, 3), dtype=np.uint8)))
    (problem,) = check_data(tmp_path, KITTI).problems
    assert problem.kind == "image"
    assert problem.path == str(images / "1.png")
    assert "is the same frame as 000001.png" in problem.message


def test_images_only(tmp_path):
    folder = tmp_path / "images" / "0001"
    folder.mkdir(parents=True)
    (folder / "0.png").write_bytes(encode_png(np.zeros((6, 9, 3), dtype=np.uint8)))
    report = check_data(tmp_path, KITTI)
    assert (report.encoding, report.image_count, report.readable_count) == (None, 1, 1)
    assert report.void_share is None


def test_progress_counts_every_frame(tmp_path):
    from contextlib import nullcontext

    write_sequences(tmp_path, ["0001", "0002"], count=3)
    seen: list[int] = []
    totals: list[int] = []
    check_data(tmp_path, KITTI, progress=lambda n: (totals.append(n), nullcontext(seen.append))[1])
    assert totals == [6]
    assert sum(seen) == 6


def test_plain_data_is_json(tmp_path):
    write_frames(tmp_path, [draw("r c1 v")])
    data = check_data(tmp_path, KITTI).to_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["schema"] == "mapt-bench/check/1"
    assert data["classes"][1] == {
        "id": 13,
        "name": "car",
        "thing": True,
        "pixel_share": 1 / 3,
        "tracks": 1,
    }


def test_nothing_readable_says_the_first_reason(tmp_path):
    folder = write_frames(tmp_path / "0001", random_maps(2))
    for path in folder.iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"no frame that can be read.*000000\.png: .*empty file"):
        check_data(tmp_path, KITTI, "kitti-step")


def test_nothing_at_all(tmp_path):
    with pytest.raises(DataError, match="holds no frame"):
        check_data(tmp_path, KITTI)
