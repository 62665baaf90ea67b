"""Score a folder of predictions against a folder of ground truth.

Run: python examples/score_two_folders.py [GROUND_TRUTH PREDICTIONS]

Without folders, the script writes two small ones: a synthetic video and a tracker's prediction.
"""

import sys
import tempfile
from pathlib import Path

import mapt_bench as mb


def write_example(folder):
    """Write ground truth and a prediction as KITTI-STEP maps; return both folders."""
    video = mb.open_suite("tiny").videos[0]
    tracker = mb.build_tracker("copy", video, segments="noisy")
    gt, pred = folder / "ground_truth", folder / "prediction"
    labels = video.info.labels
    with mb.KittiStepWriter(gt, labels) as gt_maps, mb.KittiStepWriter(pred, labels) as pred_maps:
        for index, found in enumerate(mb.run_tracker(tracker, video)):
            name = video.info.frame_names[index]
            gt_maps.write(video.info.name, name, video.truth(index))
            pred_maps.write(video.info.name, name, found)
    return gt, pred


def main(words):
    with tempfile.TemporaryDirectory() as folder:
        gt, pred = words or write_example(Path(folder))
        result = mb.evaluate(gt, pred)
    for score in ("PAT", "PQ", "TQ", "STQ", "HOTA"):
        value = result.scores[score]
        print(f"{score:5} {'undefined' if value is None else f'{100 * value:.2f}'}")
    for entry in result.per_class.values():
        if entry["PQ"] is not None:
            print(f"  PQ of {entry['name']:12} {100 * entry['PQ']:.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
