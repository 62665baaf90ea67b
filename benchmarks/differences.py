"""Measure where other codes give other numbers than this package, on tiny scenes.

    pip install torchmetrics bdd100k motmetrics     # in a throw-away environment
    python benchmarks/differences.py --checkouts CODE

CODE holds checkouts of codes that no package index has: ``VIPSeg-Dataset`` (with deeplab2's
``segmentation_and_tracking_quality.py`` beside its ``eval_stq_vspw.py``), ``Video-K-Net`` and
``mots_tools``. Each scene is scored by this package and by the other code itself. A code that is
missing gives no number. ``docs/differences.md`` has the scenes and the numbers.
"""

import json
import sys
import tempfile
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from mapt_bench.cli.options import emit_json
from mapt_bench.labels import PanopticMap, label_space
from mapt_bench.metrics import SequenceScorer, SequenceSums, flat_scores
from mapt_bench.metrics.stq import stq_scores

LABELS = label_space("kitti-step")
ROAD, PERSON, CAR, VOID = 0, 11, 13, 255
NUMBERS = {"r": ROAD, "p": PERSON, "c": CAR, "v": VOID}

Frame = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Classes and identities of one frame, shape ``(1, width)``."""


def frames_of(text: str) -> list[Frame]:
    """Read frames separated by ``|``: ``c7`` is car 7, ``p`` a person, ``r`` road, ``v`` void."""
    frames = [part.split() for part in text.split("|")]
    return [
        (
            np.array([[NUMBERS[word[0]] for word in words]]),
            np.array([[int(word[1:] or 0) for word in words]]),
        )
        for words in frames
    ]


@dataclass(frozen=True)
class Case:
    """One difference.

    Attributes:
        name: Other code.
        why: What it does otherwise.
        score: Name of the score.
        gt: Ground truth.
        pred: Prediction.
        ours: Score by this package, from the sums of the scene.
        theirs: Score by the other code, from the frames of both sides and the folder of checkouts.
    """

    name: str
    why: str
    score: str
    gt: str
    pred: str
    ours: Callable[[SequenceSums], float | int | None]
    theirs: Callable[[list[Frame], list[Frame], Path], float | int]


def our_sums(gt: Sequence[Frame], pred: Sequence[Frame]) -> SequenceSums:
    """Score a scene by this package."""
    scorer = SequenceScorer(LABELS)
    for pair in zip(gt, pred, strict=True):
        scorer.update(*(PanopticMap.from_classes_and_ids(*side) for side in pair))
    return scorer.result()


def car_pq(sums: SequenceSums) -> float:
    """PQ of cars over single frames."""
    return float(sums.frames.quality[LABELS.class_ids.index(CAR)])


def association(sums: SequenceSums) -> float | None:
    """AQ."""
    return stq_scores(sums.stq)["AQ"]


def fragments(sums: SequenceSums) -> float | None:
    """Frag."""
    return flat_scores(sums, LABELS)["Frag"]


def torchmetrics_pq(gt: list[Frame], pred: list[Frame], checkouts: Path) -> float:
    """PQ of cars by torchmetrics."""
    import torch
    from torchmetrics.detection import PanopticQuality

    metric = PanopticQuality(
        things={PERSON, CAR},
        stuffs={ROAD},
        allow_unknown_preds_category=True,
        return_per_class=True,
    )
    for pair in zip(pred, gt, strict=True):
        metric.update(*(torch.from_numpy(np.stack(side, axis=-1)[None]) for side in pair))
    return float(metric.compute()[0, [PERSON, CAR, ROAD].index(CAR)])


_BDD_NUMBERS = {ROAD: 7, PERSON: 31, CAR: 35, VOID: 0}


def bdd100k_pq(gt: list[Frame], pred: list[Frame], checkouts: Path) -> float:
    """PQ of cars by bdd100k, from its bitmasks: class, attributes and identity in two bytes."""
    from bdd100k.eval.pan_seg import PQStat, pq_per_image
    from PIL import Image

    total = PQStat()
    with tempfile.TemporaryDirectory() as folder:
        for pair in zip(gt, pred, strict=True):
            paths = []
            for name, (classes, ids) in zip(("gt", "pred"), pair, strict=True):
                number = np.vectorize(_BDD_NUMBERS.get)(classes)
                # Every segment needs an identity of its own there, stuff too.
                whole = np.where(number > 0, number * 10 + ids, 0)
                pixels = np.stack([number, np.zeros_like(number), whole >> 8, whole & 255], axis=-1)
                paths.append(f"{folder}/{name}.png")
                Image.fromarray(pixels.astype(np.uint8)).save(paths[-1])
            total += pq_per_image(*paths)
    car = total[_BDD_NUMBERS[CAR]]
    return car.iou / (car.tp + car.fp / 2 + car.fn / 2)


def motmetrics_fragments(gt: list[Frame], pred: list[Frame], checkouts: Path) -> int:
    """Fragmentations by motmetrics."""
    import motmetrics

    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for pair in zip(gt, pred, strict=True):
        true, found = (objects(side) for side in pair)
        distances = [
            [1 - iou if (iou := overlap(a, b)) > 0.5 else np.nan for b in found.values()]
            for a in true.values()
        ]
        accumulator.update(list(true), list(found), distances)
    metrics = motmetrics.metrics.create()
    summary = metrics.compute(accumulator, metrics=["num_fragmentations"])
    return int(summary["num_fragmentations"].iloc[0])


def mots_tools_fragments(gt: list[Frame], pred: list[Frame], checkouts: Path) -> int:
    """Fragments by mots_tools."""
    import pycocotools.mask

    with importable(checkouts / "mots_tools"):
        from mots_common.io import SegmentedObject
        from mots_eval.MOTS_metrics import compute_MOTS_metrics_per_sequence

        def as_objects(frames: list[Frame]) -> dict[int, list[object]]:
            return {
                at: [
                    SegmentedObject(
                        pycocotools.mask.encode(np.asfortranarray(mask.astype(np.uint8))), 1, number
                    )
                    for number, mask in objects(frame).items()
                ]
                for at, frame in enumerate(frames)
            }

        def iou(a: object, b: object, how: str = "u") -> float:
            is_crowd = how == "a"
            return float(pycocotools.mask.iou([a.mask], [b.mask], [is_crowd])[0][0])

        sides = as_objects(gt), as_objects(pred)
        found = compute_MOTS_metrics_per_sequence("a", *sides, len(gt) - 1, 1, 10, iou)
    return int(found.fragments)


def objects(frame: Frame) -> dict[int, NDArray[np.bool_]]:
    """Return the mask of each car by its identity."""
    classes, ids = frame
    return {int(n): (classes == CAR) & (ids == n) for n in np.unique(ids[classes == CAR])}


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return the IoU of two masks."""
    return float((a & b).sum() / (a | b).sum())


def vipseg_aq(gt: list[Frame], pred: list[Frame], checkouts: Path) -> float:
    """AQ by VIPSeg's evaluation, run on files of its layout."""
    from PIL import Image

    folder = checkouts / "VIPSeg-Dataset" / "ClipPanoFCN"
    with tempfile.TemporaryDirectory() as place, importable(folder):
        import eval_stq_vspw

        sides = {}
        for name, frames, images in (("gt", gt, "gt/a"), ("pred", pred, "pred/pan_pred/a")):
            annotations = []
            (Path(place) / images).mkdir(parents=True)
            for at, (classes, ids) in enumerate(frames):
                codes = np.where(classes == VOID, 0, classes * 256 + ids + 1)
                pixels = np.stack([codes & 255, codes >> 8, codes * 0], axis=-1).astype(np.uint8)
                Image.fromarray(pixels).save(Path(place) / images / f"{at}.png")
                found = dict(zip(codes.ravel().tolist(), classes.ravel().tolist(), strict=True))
                segments = [{"id": c, "category_id": k} for c, k in found.items() if c]
                annotations.append({"segments_info": segments})
            sides[name] = {"annotations": [{"video_id": "a", "annotations": annotations}]}
        categories = [
            {"id": each.class_id, "isthing": int(each.is_thing)} for each in LABELS.classes
        ]
        images = [{"file_name": f"{at}.png"} for at in range(len(gt))]
        sides["gt"] |= {"categories": categories, "videos": [{"video_id": "a", "images": images}]}
        (Path(place) / "gt.json").write_text(json.dumps(sides["gt"]))
        (Path(place) / "pred" / "pred.json").write_text(json.dumps(sides["pred"]))
        words = ["", "--submit_dir", f"{place}/pred", "--truth_dir", f"{place}/gt"]
        printed = StringIO()
        before, sys.argv = sys.argv, [*words, "--pan_gt_json_file", f"{place}/gt.json"]
        try:
            with redirect_stdout(printed):
                eval_stq_vspw.main()
        finally:
            sys.argv = before
    line = next(line for line in printed.getvalue().splitlines() if line.startswith("AQ"))
    return float(line.partition(":")[2])


def video_k_net_aq(gt: list[Frame], pred: list[Frame], checkouts: Path) -> float:
    """AQ by Video-K-Net's evaluation of KITTI-STEP, with its own masking of void."""
    from PIL import Image

    def imread(path: str, flag: str, channel_order: str = "rgb") -> NDArray[np.integer]:
        return np.asarray(Image.open(path))

    # It reads files with mmcv, which is large; this reads the same pixels.
    stand_in = types.SimpleNamespace(imread=imread, ProgressBar=None, scandir=None)
    with tempfile.TemporaryDirectory() as place, importable(checkouts / "Video-K-Net", stand_in):
        from tools.eval_dstq_step import updater
        from tools.utils.STQ import STQuality

        metric = STQuality(19, list(LABELS.thing_ids), 255, 16, 2**16 * 256)
        for (true_classes, true_ids), (classes, ids) in zip(gt, pred, strict=True):
            names = [f"{place}/{name}.png" for name in ("ins", "cls", "gt")]
            Image.fromarray(ids.astype(np.uint16)).save(names[0])
            Image.fromarray(classes.astype(np.uint16)).save(names[1])
            pixels = np.stack([true_classes, true_ids >> 8, true_ids & 255], axis=-1)
            Image.fromarray(pixels.astype(np.uint8)).save(names[2])
            updater(names[0], names[1], None, names[2], None, metric, 0)
        return float(metric.result()["AQ"])


@contextmanager
def importable(folder: Path, mmcv: object | None = None) -> Iterator[None]:
    """Make the modules of a checkout importable, and NumPy's old name of bool known."""
    if not folder.is_dir():
        raise ImportError(f"there is no {folder}")
    sys.path.insert(0, str(folder))
    np.bool = bool  # type: ignore[misc]  # removed from NumPy after these codes were written
    if mmcv is not None:
        sys.modules["mmcv"] = mmcv  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("mmcv", None)


CASES = (
    Case(
        "torchmetrics",
        "void in the prediction excuses ground truth and leaves the union",
        "PQ, car",
        "c1 c1 c1 c1 r r c2",
        "c5 c5 c5 v r r v",
        car_pq,
        torchmetrics_pq,
    ),
    Case(
        "bdd100k",
        "void in the ground truth counts in the union",
        "PQ, car",
        "c1 c1 c1 v v r",
        "c5 c5 c5 c5 c5 r",
        car_pq,
        bdd100k_pq,
    ),
    Case(
        "VIPSeg",
        "the first identity of a video becomes 0, which is crowd",
        "AQ",
        "c1 c1 p2 | c1 c1 p2",
        "c1 c1 p2 | c3 c3 p2",
        association,
        vipseg_aq,
    ),
    Case(
        "Video-K-Net",
        "pixels of void ground truth are removed from predicted tubes",
        "AQ",
        "c1 c1 v v | c1 c1 v v",
        "c1 c1 c1 c1 | c1 c1 c1 c1",
        association,
        video_k_net_aq,
    ),
    *(
        Case(name, why, "Frag", gt, pred, fragments, measure)
        for why, gt, pred in (
            (
                "a car is missed once, beside another car",
                "c1 c9 | c1 c9 | c1 c9 | c1 c9",
                "c5 c9 | r c9 | c5 c9 | c5 c9",
            ),
            (
                "a car is missed once, alone",
                "c1 r | c1 r | c1 r | c1 r",
                "c5 r | r r | c5 r | c5 r",
            ),
            (
                "a car is missed twice, and found for one frame between",
                "c1 c9 | c1 c9 | c1 c9 | c1 c9",
                "c5 c9 | r c9 | c5 c9 | r c9",
            ),
            (
                "the identity changes without a gap",
                "c1 c9 | c1 c9 | c1 c9 | c1 c9",
                "c5 c9 | c5 c9 | c6 c9 | c6 c9",
            ),
            (
                "a car is out of sight once",
                "c1 c9 | r c9 | c1 c9 | c1 c9",
                "c5 c9 | r c9 | c5 c9 | c5 c9",
            ),
        )
        for name, measure in (
            ("motmetrics", motmetrics_fragments),
            ("mots_tools", mots_tools_fragments),
        )
    ),
)


@click.command()
@click.option(
    "--checkouts", default=".", type=click.Path(path_type=Path), help="Folder of the checkouts."
)
@click.option("--json", "json_file", help="Write the numbers to this file; - for stdout.")
def main(checkouts: Path, json_file: str | None) -> None:
    """Print the scores of each scene by this package and by the other code."""
    rows = []
    for case in CASES:
        gt, pred = frames_of(case.gt), frames_of(case.pred)
        theirs, missing = None, ""
        try:
            theirs = case.theirs(gt, pred, checkouts)
        except ImportError as problem:
            missing = f" ({problem})"
        rows.append(
            {
                "code": case.name,
                "score": case.score,
                "why": case.why,
                "ground_truth": case.gt,
                "prediction": case.pred,
                "ours": case.ours(our_sums(gt, pred)),
                "theirs": theirs,
                "missing": missing,
            }
        )
    if json_file is not None and emit_json(json_file, {"rows": rows}):
        return
    for row in rows:
        numbers = [
            "not measured" + row["missing"] if value is None else f"{value:.4g}"
            for value in (row["ours"], row["theirs"])
        ]
        both = f"ours {numbers[0]:8} theirs {numbers[1]:8}"
        print(f"{row['code']:12} {row['score']:8} {both} {row['why']}")
        print(f"{'':12} GT {row['ground_truth']}   PRED {row['prediction']}")


if __name__ == "__main__":
    main()
