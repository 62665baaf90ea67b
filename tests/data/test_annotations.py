"""Side-cars of synthetic videos: impossible numbers are refused, by the line and what is wrong."""

import json

import numpy as np
import pytest

from mapt_bench.data import check_data
from mapt_bench.data.annotations import (
    AnnotationsHeader,
    annotations_text,
    check_annotations,
    read_annotations,
)
from mapt_bench.data.png import encode_png
from mapt_bench.errors import DataError
from mapt_bench.labels import AnnotatedObject, VideoInfo, label_space

KITTI = label_space("kitti-step")
CAR = KITTI.by_name("car").class_id
SIZE = (6, 8)


def side_car(folder, change=None, header_change=None):
    """Write a side-car of one frame with a car, after a change of the JSON of its lines."""
    info = VideoInfo("0001", ("000000",), *SIZE, KITTI, has_images=False)
    entry = AnnotatedObject(
        code=CAR << 24 | 3,
        top=1,
        left=2,
        amodal=np.ones((2, 3), dtype=bool),
        visible_px=4,
        depth=9.5,
        speed=float("nan"),
        look_alike=0,
    )
    header = AnnotationsHeader("0001", 1, *SIZE, KITTI.name, {}, 1, "a", "b")
    first, second = map(json.loads, annotations_text(header, info, [[entry]]).splitlines())
    first.update(header_change or {})
    second["objects"][0].update(change or {})
    path = folder / "known" / "val" / "0001.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in (first, second)))
    return path


def test_a_side_car_is_read_back(tmp_path):
    header, ((found,),) = read_annotations(side_car(tmp_path))
    assert header.size == SIZE
    assert (found.top, found.left, found.amodal.shape, found.amodal_px) == (1, 2, (2, 3), 6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"box": [2, 1, 7, 2]}, "the box .* is not inside a frame of 8x6"),
        ({"box": [-1, 1, 3, 2]}, "the box .* is not inside"),
        ({"box": [2.5, 1, 3, 2]}, "the box .* is not inside"),
        ({"box": [10**15, 1, 3, 2]}, "the box .* is not inside"),
        ({"box": [2, 1, 3]}, "not enough values"),
        ({"box": None}, "NoneType"),
        ({"box": [0, 0, 3, 2]}, "do not agree"),
        ({"amodal_px": 7}, "do not agree"),
        ({"code": -1}, "the code -1"),
        ({"code": 10**15}, "the code 1000"),
        ({"code": "3"}, "the code '3'"),
        ({"code": True}, "the code True"),
        ({"code": CAR << 24}, "class 13 and id 0"),
        ({"class": 11}, "states class 11 and id 3"),
        ({"id": 5}, "states class 13 and id 5"),
        ({"visible_px": 7}, "7 visible pixels of an object of 6"),
        ({"visible_px": -1}, "-1 visible pixels"),
        ({"depth": float("inf")}, "has the number Infinity"),
        ({"speed": float("nan")}, "has the number NaN"),
        ({"depth": "far"}, "'far' is not a finite number"),
        ({"look_alike": -2}, "look_alike is -2"),
        ({"amodal": {}}, "no 'size'"),
        ({"amodal": {"size": [10**6, 10**6], "counts": "0"}}, "a mask of size"),
        ({"amodal": {"size": list(SIZE), "counts": "zzz"}}, "line 2 is damaged"),
        ({"amodal": {"size": list(SIZE), "counts": 5}}, "line 2 is damaged"),
    ],
)
def test_an_impossible_object_is_refused(tmp_path, change, message):
    path = side_car(tmp_path, change)
    with pytest.raises(DataError, match=message):
        read_annotations(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": "1"}, "has frames '1'; expected int"),
        ({"frames": -1}, "has frames -1"),
        ({"frames": 10**9}, "1e\\+09 frames; expected 1 to 1000000"),
        ({"frames": 10**30}, "more than 64 bits"),
        ({"height": 10**6, "width": 10**6}, "1000000x1000000 pixels; expected at most"),
        ({"height": 0}, "8x0 pixels; expected 1 or more"),
        ({"width": True}, "has width True"),
        ({"settings": []}, "has settings"),
        ({"maps_sha256": None}, "has maps_sha256 None"),
    ],
)
def test_an_impossible_header_is_refused(tmp_path, change, message):
    path = side_car(tmp_path, header_change=change)
    with pytest.raises(DataError, match=message):
        read_annotations(path)


def test_check_reports_side_cars(tmp_path):
    (tmp_path / "panoptic_maps" / "val" / "0001").mkdir(parents=True)
    pixels = np.zeros((*SIZE, 3), dtype=np.uint8)
    (tmp_path / "panoptic_maps" / "val" / "0001" / "000000.png").write_bytes(encode_png(pixels))
    side_car(tmp_path, {"box": [2, 1, 70, 2]})
    (problem,) = check_data(tmp_path, KITTI).problems
    assert problem.kind == "side-car"
    assert "the box [2, 1, 70, 2] is not inside a frame of 8x6" in problem.message


def test_check_knows_the_things_of_the_label_space(tmp_path):
    code = KITTI.by_name("road").class_id << 24 | 3
    side_car(tmp_path, {"code": code, "class": code >> 24})
    (problem,) = check_annotations(tmp_path, {("val", "0001"): 1}, KITTI)
    assert "has objects of class 0, no thing of the label space" in problem.message
