"""Valid configurations: label spaces, class maps, limits, plans, recipes. Written as JSON.

JSON is a part of YAML, so that the breaks of JSON serve for both.
"""

import json
from functools import cache
from pathlib import Path

import yaml

import mapt_bench
from mapt_bench.labels import label_space

_ROOT = Path(mapt_bench.__file__).parent


def _text(value: object) -> bytes:
    return json.dumps(value).encode()


@cache
def _yaml(path: Path) -> object:
    return yaml.safe_load(path.read_text())


def label_space_file() -> bytes:
    space = label_space("kitti-step")
    classes = [
        {"id": one.class_id, "name": one.name, "thing": one.is_thing, "color": list(one.color)}
        for one in space.classes
    ]
    return _text({"name": "mine", "ignore_label": 255, "void_labels": [254], "classes": classes})


def class_map_file() -> bytes:
    return _text(_yaml(_ROOT / "labels" / "class_maps" / "common.yaml"))


def gate_file() -> bytes:
    return _text(
        {
            "limits": [
                {"score": "PAT", "max_drop": 0.5},
                {"score": "IDSW", "max_rise": 5, "row": "*", "sequence": "0001"},
                {"score": "STQ", "max_drop": 10, "noise_aware": True},
            ],
            "accepted": [{"score": "PQ", "reason": "known", "expires": "2999-01-31"}],
        }
    )


def plan_file() -> bytes:
    return _text(
        {
            "variables": {"row": "iou", "memory": 5},
            "experiment": "ablate",
            "data": {"folder": "world"},
            "weights": "none",
            "segments": ["groundtruth"],
            "trackers": ["${row}", {"tracker": "sort", "memory": "${memory}"}],
            "reference": "iou",
            "seeds": [0],
            "report": {"scores": ["PAT", "IDSW"], "gallery": 0},
        }
    )


def recipe_file() -> bytes:
    recipe = _yaml(_ROOT / "training" / "recipes" / "mapt-tiny.yaml")
    assert isinstance(recipe, dict)
    return _text({**recipe, "steps": 1, "validate_every": 0, "cache_mb": 10})
