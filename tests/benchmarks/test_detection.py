import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mapt_bench.labels import PanopticMap, label_space
from mapt_bench.metrics import count_overlap

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
ROAD, PERSON, CAR = 0, 11, 13


@pytest.fixture
def detection(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("detection")


def scene(*things):
    """A road of 10x20 with things ``(class, identity, rows, columns)``."""
    classes = np.full((10, 20), ROAD)
    ids = np.zeros((10, 20), int)
    for class_id, identity, rows, columns in things:
        classes[rows, columns], ids[rows, columns] = class_id, identity
    return PanopticMap.from_classes_and_ids(classes, ids)


def test_a_thing_is_found_by_a_segment_of_its_class_that_covers_it(detection):
    truth = scene(
        (CAR, 1, slice(0, 4), slice(0, 5)),  # 20 px
        (CAR, 2, slice(0, 4), slice(6, 11)),
        (PERSON, 3, slice(5, 9), slice(0, 5)),
        (PERSON, 4, slice(5, 9), slice(6, 11)),
        (CAR, 0, slice(5, 9), slice(12, 17)),  # crowd is left out
    )
    found = scene(
        (CAR, 7, slice(0, 4), slice(0, 4)),  # 16 of 20: IoU 0.8
        (CAR, 8, slice(0, 2), slice(6, 11)),  # half: IoU 0.5 is not above 0.5
        (CAR, 9, slice(5, 9), slice(0, 5)),  # the wrong class
        (PERSON, 0, slice(5, 9), slice(6, 11)),  # of no particular object
    )
    labels = label_space("kitti-step")
    overlap = count_overlap(truth, found, labels)
    class_ids, pixels, hit = detection.things_found(overlap, labels.is_thing_table)
    assert class_ids.tolist() == [PERSON, PERSON, CAR, CAR]
    assert pixels.tolist() == [20] * 4
    assert hit.tolist() == [False, False, True, False]


def test_it_reports_recall_by_size_and_draws_three_frames(detection, tmp_path):
    path = tmp_path / "found.json"
    done = CliRunner().invoke(
        detection.main,
        ["--suite", "tiny", "--sequences", "1", "--pictures", str(tmp_path), "--json", str(path)],
    )
    assert done.exit_code == 0, done.output
    report = json.loads(path.read_text())
    assert [row["least_px"] for row in report["recall_by_size"]] == list(detection.SIZES)
    things = sum(row["things"] for row in report["recall_by_size"])
    assert things == sum(row["things"] for row in report["recall_by_class"].values()) > 0
    assert 0 < report["PQ"] < 1
    assert {each.name for each in tmp_path.glob("*.png")} == {"bad.png", "typical.png", "good.png"}


def test_an_unknown_suite_is_an_error(detection):
    done = CliRunner().invoke(detection.main, ["--suite", "vall"])
    assert done.exit_code == 2
    assert "val" in done.output
