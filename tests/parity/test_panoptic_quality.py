"""Images of different sizes against stored scores by the method of panopticapi.

``make_panoptic_quality.py`` writes them where panopticapi is installed. The stored ones come from
its matching code at commit 1ad5afa, retyped from the source, with shorter reading of files.
"""

import json
from pathlib import Path

import pytest
from helpers.coco_images import write_side

from mapt_bench.evaluation import EvaluationSettings, evaluate_folders

STORED = json.loads(Path(__file__).with_name("panoptic_quality.json").read_text(encoding="utf-8"))


def evaluate(folder):
    for side in ("gt", "pred"):
        write_side(folder, STORED["images"], side)
    return evaluate_folders(folder / "gt", [folder / "pred"], EvaluationSettings())[0]


def test_images_of_different_sizes(tmp_path):
    assert len({tuple(image["size"]) for image in STORED["images"]}) == len(STORED["images"])
    block = evaluate(tmp_path).blocks["pq"]["dataset"]
    assert block["All"]["PQ"] == pytest.approx(STORED["pq"], abs=1e-12)
    for number, expected in STORED["per_class"].items():
        found = block["per_class"][number]
        for name in ("pq", "sq", "rq"):
            assert found[name.upper()] == pytest.approx(expected[name], abs=1e-12), number
        assert 0 < expected["pq"] < 1


def test_live(tmp_path):
    theirs = pytest.importorskip(
        "panopticapi.evaluation", reason="panopticapi is not installed (github only)"
    )
    block = evaluate(tmp_path).blocks["pq"]["dataset"]
    scores = theirs.pq_compute(str(tmp_path / "gt.json"), str(tmp_path / "pred.json"))
    assert block["All"]["PQ"] == pytest.approx(scores["All"]["pq"], abs=1e-12)
