"""Write the panoptic quality that panopticapi gives for images of different sizes.

    PYTHONPATH=PANOPTICAPI python tests/parity/make_panoptic_quality.py

PANOPTICAPI is a checkout of github.com/cocodataset/panopticapi. The images are random rectangles of
stuff, things, crowd and void. ``panoptic_quality.json`` holds them and the scores.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from panopticapi.evaluation import pq_compute

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from helpers.coco_images import CATEGORIES, write_side

FILE = Path(__file__).with_name("panoptic_quality.json")
IMAGES = 12


def make_image(dice, number):
    """Return rectangles of the ground truth, and those of a prediction that differs from it."""
    height, width = dice.integers([24, 30], [60, 90]).tolist()
    edge = height // 2 + int(dice.integers(-5, 6))
    truth = [(1, 2, 0, 0, 0, edge, width), (2, 0, 0, edge, 0, height - edge, width)]
    for identity in range(300, 300 + int(dice.integers(2, 6))):
        top, left = dice.integers(0, [height - 10, width - 12]).tolist()
        tall, wide = dice.integers(5, [16, 20]).tolist()
        truth.append((identity, [11, 13][identity % 2], 0, top, left, tall, wide))
    crowd = (70000, 11, 1, 0, 0, *dice.integers(5, 12, 2).tolist())
    prediction = [
        (identity + 7, category, 0, max(0, top + down), max(0, left + right), tall, wide)
        for identity, category, _, top, left, tall, wide in truth
        for down, right in [dice.integers(-2, 3, 2).tolist()]
        if dice.random() > 0.15
    ]
    prediction.append((99999, 11, 0, 0, 0, 6, 6))  # on the crowd
    void = (0, 0, 0, height - 7, width - 9, 7, 9)
    return {
        "name": f"{number:012d}",
        "size": [height, width],
        "gt": [*truth, crowd, void],
        "pred": prediction,
    }


def main():
    """Write the file."""
    dice = np.random.default_rng(16)
    images = [make_image(dice, int(number)) for number in dice.permutation(999)[:IMAGES]]
    with tempfile.TemporaryDirectory() as place:
        for side in ("gt", "pred"):
            write_side(Path(place), images, side)
        scores = pq_compute(f"{place}/gt.json", f"{place}/pred.json")
    per_class = {str(one["id"]): scores["per_class"][one["id"]] for one in CATEGORIES}
    stored = {"images": images, "pq": scores["All"]["pq"], "per_class": per_class}
    FILE.write_text(json.dumps(stored, default=float) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
