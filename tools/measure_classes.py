"""Measure the frequency of each class in the training stream, and print loss weights.

The weight of a class is the inverse square root of its share of the pixels, limited by a cap, and
scaled to a mean of 1 over pixels. So rare classes count more, and the size of the loss stays.
"""

import argparse
import json

import numpy as np
from numpy.typing import NDArray

from mapt_bench.synthetic.suites import train_sequence


def class_weights(pixels: NDArray[np.int64], *, cap: float) -> NDArray[np.float64]:
    """Return a weight for each class.

    Args:
        pixels: Pixels of each class; a class with 0 pixels gets the largest weight.
        cap: Largest weight, relative to a class that fills every pixel.
    """
    share = pixels / pixels.sum()
    raw = np.minimum(1 / np.sqrt(np.maximum(share, 1e-12)), cap)
    scaled: NDArray[np.float64] = raw / (share * raw).sum()
    return scaled


def main() -> None:
    """Measure the classes and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=128, help="number of sequences")
    parser.add_argument("--every", type=int, default=5, help="use every N-th frame")
    parser.add_argument("--cap", type=float, default=10.0, help="largest inverse square root")
    options = parser.parse_args()
    counts = np.zeros(256, dtype=np.int64)
    for index in range(options.sequences):
        video = train_sequence(index).video
        for frame in range(0, video.info.frame_count, options.every):
            counts += np.bincount(video.truth(frame).classes.ravel(), minlength=256)
    labels = video.info.labels
    pixels = counts[list(labels.class_ids)]
    weights = class_weights(pixels, cap=options.cap)
    by_id = {each.class_id: each.name for each in labels.classes}
    described = {
        by_id[class_id]: {"share": round(float(share), 6), "weight": round(weight, 3)}
        for class_id, share, weight in zip(
            labels.class_ids, pixels / pixels.sum(), weights.tolist(), strict=True
        )
    }
    print(
        json.dumps({"classes": described, "weights": [round(each, 2) for each in weights.tolist()]})
    )


if __name__ == "__main__":
    main()
