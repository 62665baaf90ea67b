"""Score a model inside your own evaluation loop, from torch tensors.

Run: python examples/own_evaluation_loop.py

Replace `batches` by your data loader and your model. Tensors may be on a GPU.
"""

import torch

import mapt_bench as mb

DIVISOR = 1000  # a label is class * 1000 + id
ROAD, CAR = 0, 13  # of the label space kitti-step


def batches(frames=6, size=(48, 96)):
    """Yield the sequence, the ground truth and the prediction of each frame: two (H, W) tensors."""
    for sequence in ("0001", "0002"):
        for frame in range(frames):
            gt = torch.full(size, ROAD * DIVISOR)
            gt[10:30, 5 * frame : 5 * frame + 30] = CAR * DIVISOR + 1
            pred = gt.roll(2, dims=1)  # two pixels to the right
            if sequence == "0002" and frame >= 3:
                pred[pred == CAR * DIVISOR + 1] = CAR * DIVISOR + 2  # an identity switch
            yield sequence, gt, pred


def main():
    scorer = mb.Scorer("kitti-step", divisor=DIVISOR, name="my model")
    with torch.no_grad():
        for sequence, gt, pred in batches():
            scorer.update(gt, pred, sequence=sequence)
    result = scorer.compute()  # you can add more frames afterwards
    for name, scores in {"all": result.scores, **result.per_sequence}.items():
        print(f"{name:5} PAT {100 * scores['PAT']:.2f}  identity switches {scores['IDSW']}")


if __name__ == "__main__":
    main()
