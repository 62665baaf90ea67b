"""Panoptic quality against torchmetrics' PanopticQuality, and where the two part ways."""

from pathlib import Path

import numpy as np
import pytest

from mapt_bench.data import open_maps
from mapt_bench.labels import PanopticMap, label_space
from mapt_bench.metrics import SequenceScorer, reference_blocks

torch = pytest.importorskip("torch", reason="torch is not installed")
detection = pytest.importorskip("torchmetrics.detection", reason="torchmetrics is not installed")

LABELS = label_space("kitti-step")
GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden"
CAR, ROAD = 13, 0


def our_quality(gt, pred):
    scorer = SequenceScorer(LABELS)
    scorer.update(gt, pred)
    return reference_blocks({"0000": scorer.result()}, LABELS)["pq"]["dataset"]["All"]["PQ"]


def their_quality(gt, pred):
    torch.set_num_threads(1)
    metric = detection.PanopticQuality(
        things=set(LABELS.thing_ids),
        stuffs=set(LABELS.class_ids) - set(LABELS.thing_ids),
        allow_unknown_preds_category=True,  # void, for both sides
    )
    metric.update(tensor(pred), tensor(gt))
    return float(metric.compute())


def tensor(panoptic):
    pixels = np.stack([panoptic.classes, panoptic.ids], axis=-1).astype(np.int64)
    return torch.from_numpy(pixels)[None]


def frame_of(case, index=0):
    sides = (open_maps(GOLDEN / case / side, LABELS).sequences[0] for side in ("gt", "pred"))
    return [sequence.read(index) for sequence in sides]


@pytest.mark.parametrize("case", ["stuff_only", "false_positive", "iou_half", "gt_void_only"])
def test_golden_frames(case):
    gt, pred = frame_of(case, 1)
    assert our_quality(gt, pred) == pytest.approx(their_quality(gt, pred), abs=1e-6)  # float32


def strip(*codes):
    return PanopticMap(np.array([codes], dtype=np.uint32))


def test_only_we_know_crowd():
    # Four pixels of crowd and six of road, predicted road all over: road's IoU is 6/10. Crowd is
    # no miss here, and the mean is road's; torchmetrics takes it for a car that was missed.
    crowd = CAR << 24
    gt = strip(*[crowd] * 4, *[ROAD] * 6)
    assert our_quality(gt, strip(*[ROAD] * 10)) == pytest.approx(0.6)
    assert their_quality(gt, strip(*[ROAD] * 10)) == pytest.approx(0.3)
