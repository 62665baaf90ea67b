"""Who is timed: this library, the published codes, and plain decoders."""

import contextlib
import io
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mapt_bench.data import match_sequences, open_maps
from mapt_bench.evaluation.sequence_scoring import SequencePair, score_pair
from mapt_bench.labels import LabelSpace
from mapt_bench.metrics import reference_blocks
from speed.frames import FrameSet
from speed.measure import Contender

__all__ = ["HOTCOCO", "OURS", "contenders", "evaluate", "headline_scores"]

OURS = "mapt-bench, everything"
HOTCOCO = "hotcoco, PQ"
_SLOW_REPEATS = 2
_TORCHMETRICS_FRAMES = 2


def contenders(
    frames: FrameSet, labels: LabelSpace, repeats: int
) -> tuple[list[Contender], list[str]]:
    """Return who can run on the frames, and who cannot with the reason."""
    found = [
        Contender(
            OURS,
            "decodes both PNGs; every block and variant",
            lambda: evaluate(frames.gt, frames.pred, labels),
            frames.frame_count,
            repeats,
        ),
        Contender(
            "mapt-bench, reading only",
            "decodes and checks both PNGs, packs codes",
            lambda: _read(frames, labels),
            frames.frame_count,
            repeats,
        ),
    ]
    missing = []
    for package, make in _PEERS.items():
        if find_spec(package) is None:
            missing.append(f"{package} is not installed")
        else:
            found.append(make(frames, labels, repeats))
    return found, missing


def evaluate(
    gt: Path, pred: Path, labels: LabelSpace, frame_count: int | None = None
) -> dict[str, Any]:
    """Score everything, from folders to blocks.

    Args:
        gt: Ground truth.
        pred: Prediction.
        labels: Label space.
        frame_count: Frames to score of each sequence; all by default.
    """
    truth, prediction = open_maps(gt, labels), open_maps(pred, labels)
    sums = {}
    for true, predicted in match_sequences(truth, prediction):
        count = len(true.frame_names) if frame_count is None else frame_count
        pair = SequencePair("/".join(true.parts), true, predicted, tuple(range(count)))
        sums[pair.name] = score_pair(pair, labels).sums
    return reference_blocks(sums, labels)


def _read(frames: FrameSet, labels: LabelSpace) -> None:
    for folder in (frames.gt, frames.pred):
        for sequence in open_maps(folder, labels).sequences:
            for index in range(len(sequence.frame_names)):
                sequence.read(index)


def headline_scores(frames: FrameSet, labels: LabelSpace) -> dict[str, float]:
    """Return PQ as worked out here and by hotcoco: the same work was done."""
    blocks = evaluate(frames.gt, frames.pred, labels)
    scores = {OURS: blocks["pq"]["dataset"]["All"]["PQ"]}
    if find_spec("hotcoco") is not None:
        scores[HOTCOCO] = _run_hotcoco(frames).results()["All"]["pq"]
    return scores


def _hotcoco(frames: FrameSet, labels: LabelSpace, repeats: int) -> Contender:
    work = "decodes both PNGs; PQ only"
    return Contender(HOTCOCO, work, lambda: _run_hotcoco(frames), frames.frame_count, repeats)


def _run_hotcoco(frames: FrameSet) -> Any:  # noqa: ANN401 - an optional package's class
    from hotcoco.panoptic import PanopticEval

    gt, pred = frames.work / "coco" / "gt", frames.work / "coco" / "pred"
    evaluation = PanopticEval(
        str(gt / "panoptic.json"),
        str(pred / "panoptic.json"),
        gt_folder=str(gt / "panoptic_maps"),
        pred_folder=str(pred / "panoptic_maps"),
    )
    evaluation.evaluate()
    return evaluation


def _trackeval(frames: FrameSet, labels: LabelSpace, repeats: int) -> Contender:
    import trackeval

    sequences = open_maps(frames.gt, labels).sequences
    lengths = {
        sequence.parts[-1]: max(map(int, sequence.frame_names)) + 1 for sequence in sequences
    }
    mots = frames.work / "mots"
    config = {
        "GT_FOLDER": str(mots / "gt"),
        "GT_LOC_FORMAT": "{gt_folder}/{seq}.txt",
        "TRACKERS_FOLDER": str(mots),
        "TRACKERS_TO_EVAL": ["pred"],
        "TRACKER_SUB_FOLDER": "",
        "SEQ_INFO": lengths,
        "PRINT_CONFIG": False,
    }

    def run() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            data = trackeval.datasets.KittiMOTS(config)
            hota = trackeval.metrics.HOTA()
            for sequence in lengths:
                raw = data.get_raw_seq_data("pred", sequence)
                for name in ("car", "pedestrian"):
                    hota.eval_sequence(data.get_preprocessed_seq_data(raw, name))

    work = "reads MOTS text (no PNG); HOTA only"
    return Contender("TrackEval, HOTA", work, run, frames.frame_count, min(_SLOW_REPEATS, repeats))


def _torchmetrics(frames: FrameSet, labels: LabelSpace, repeats: int) -> Contender:
    import torch
    from torchmetrics.detection import PanopticQuality

    torch.set_num_threads(1)
    gt, pred = (open_maps(folder, labels).sequences[0] for folder in (frames.gt, frames.pred))

    def tensor(sequence: Any, index: int) -> torch.Tensor:  # noqa: ANN401
        panoptic = sequence.read(index)
        both = np.stack([panoptic.classes, panoptic.ids], axis=-1).astype(np.int64)
        return torch.from_numpy(both)[None]

    def run() -> None:
        metric = PanopticQuality(
            things=set(labels.thing_ids),
            stuffs=set(labels.class_ids) - set(labels.thing_ids),
            allow_unknown_preds_category=True,
        )
        for index in range(_TORCHMETRICS_FRAMES):
            metric.update(tensor(pred, index), tensor(gt, index))
        metric.compute()

    work = "our decoding of PNGs; PQ only"
    count = min(_SLOW_REPEATS, repeats)
    return Contender("torchmetrics, PQ", work, run, _TORCHMETRICS_FRAMES, count)


def _decoder(name: str, decode: Callable[[bytes], object]) -> Callable[..., Contender]:
    def make(frames: FrameSet, labels: LabelSpace, repeats: int) -> Contender:
        paths = [
            sequence.path(index)
            for folder in (frames.gt, frames.pred)
            for sequence in open_maps(folder, labels).sequences
            for index in range(len(sequence.frame_names))
        ]

        def run() -> None:
            for path in paths:
                decode(path.read_bytes())

        work = "decodes both PNGs to RGB; nothing else"
        return Contender(f"{name}, decoding", work, run, frames.frame_count, repeats)

    return make


def _with_pyspng(data: bytes) -> object:
    import pyspng

    return pyspng.load(data, "RGB")


def _with_opencv(data: bytes) -> object:
    import cv2

    return cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)


def _with_pillow(data: bytes) -> object:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data)))


_PEERS: dict[str, Callable[[FrameSet, LabelSpace, int], Contender]] = {
    "hotcoco": _hotcoco,
    "trackeval": _trackeval,
    "torchmetrics": _torchmetrics,
    "pyspng": _decoder("pyspng", _with_pyspng),
    "cv2": _decoder("OpenCV", _with_opencv),
    "PIL": _decoder("Pillow", _with_pillow),
}
