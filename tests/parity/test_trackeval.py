"""The tracking block against TrackEval itself, run on the same masks as MOTS text."""

import os
from pathlib import Path

import numpy as np
import pytest
from helpers.mots_parity import disturbed, maps_of_mots_text, mots_text, trackeval_measures

from mapt_bench.data import open_maps
from mapt_bench.data.dataset_file import Extents
from mapt_bench.data.rle import encode_rle, runs_of_mask
from mapt_bench.evaluation import EvaluationSettings, evaluate_folders
from mapt_bench.labels import label_space
from mapt_bench.metrics import SequenceScorer, reference_blocks

pytest.importorskip("trackeval", reason="TrackEval is not installed (extra: parity)")
pytest.importorskip("pycocotools")

LABELS = label_space("kitti-step")
ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("MAPT_BENCH_SHARED", ROOT.parent / "shared"))
MOTS = SHARED / "data" / "kitti_mots_gt" / "instances_txt"
GOLDEN = ROOT / "tests" / "golden"
TOLERANCE = 1e-9  # both add the same float64 numbers, in different orders


def our_measures(gt, pred):
    scorer = SequenceScorer(LABELS)
    for true, predicted in zip(gt, pred, strict=True):
        scorer.update(true, predicted)
    return reference_blocks({"0000": scorer.result()}, LABELS)["tracking"]["per_sequence"]["0000"]


def assert_equal(ours, theirs):
    for name, measures in theirs.items():
        for field, value in measures.items():
            assert ours[name][field] == pytest.approx(value, rel=TOLERANCE, abs=TOLERANCE), (
                name,
                field,
            )


@pytest.mark.skipif(not MOTS.is_dir(), reason=f"no KITTI MOTS ground truth at {MOTS}")
@pytest.mark.parametrize(("sequence", "frame_count"), [("0012", 78), ("0016", 209)])
def test_a_real_sequence_against_a_disturbed_copy(tmp_path, sequence, frame_count):
    text = (MOTS / f"{sequence}.txt").read_text()
    gt = maps_of_mots_text(text, frame_count)
    pred = disturbed(gt, seed=3)
    theirs = trackeval_measures(tmp_path, text, mots_text(pred, is_gt=False), frame_count)
    assert theirs["car"]["IDSW"] > 0
    assert theirs["pedestrian"]["FP"] > 0
    assert_equal(our_measures(gt, pred), theirs)


@pytest.mark.skipif(not MOTS.is_dir(), reason=f"no KITTI MOTS ground truth at {MOTS}")
def test_evaluating_mots_text_as_a_user_does(tmp_path):
    text = (MOTS / "0012.txt").read_text()
    predicted = mots_text(disturbed(maps_of_mots_text(text, 78), seed=5), is_gt=False)
    theirs = trackeval_measures(tmp_path, text, predicted, 78)
    for name, content in (("truth", text), ("mine", predicted)):
        (tmp_path / "ours" / name).mkdir(parents=True)
        (tmp_path / "ours" / name / "0012.txt").write_text(content)
    (result,) = evaluate_folders(
        tmp_path / "ours" / "truth", [tmp_path / "ours" / "mine"], EvaluationSettings()
    )
    assert theirs["car"]["FP"] > 20  # most of them on background, which excuses nothing
    assert_equal(result.blocks["tracking"]["per_sequence"]["0012"], theirs)


@pytest.mark.parametrize(
    "case", ["occlusion", "crowd_regions", "void_regions", "class_confusion", "zero_and_stuff_ids"]
)
def test_golden_maps(tmp_path, case):
    gt, pred = maps_of_case(case)
    theirs = trackeval_measures(
        tmp_path, mots_text(gt, is_gt=True), mots_text(pred, is_gt=False), len(gt)
    )
    assert_equal(our_measures(gt, pred), theirs)


@pytest.mark.parametrize("seed", range(3))
def test_disturbed_golden_maps(tmp_path, seed):
    gt, _ = maps_of_case("occlusion")
    pred = disturbed(gt, seed)
    theirs = trackeval_measures(
        tmp_path, mots_text(gt, is_gt=True), mots_text(pred, is_gt=False), len(gt)
    )
    assert 0 < theirs["car"]["HOTA"] < 1
    assert_equal(our_measures(gt, pred), theirs)


@pytest.mark.parametrize("seed", range(2))
def test_empty_masks_count_as_in_trackeval(tmp_path, seed):
    gt, _ = maps_of_case("occlusion")
    height, width = gt[0].shape
    nothing = encode_rle(runs_of_mask(np.zeros((height, width), dtype=bool)), height * width)

    def with_empty(maps, frames, track, *, is_gt):
        lines = [f"{frame} {100_000 + track} 1 {height} {width} {nothing}\n" for frame in frames]
        return mots_text(maps, is_gt=is_gt) + "".join(lines)

    truth = with_empty(gt, [2], 900, is_gt=True)
    predicted = with_empty(disturbed(gt, seed), [0, 1, 3], 901, is_gt=False)
    theirs = trackeval_measures(tmp_path, truth, predicted, len(gt))
    (tmp_path / "without").mkdir()
    without = trackeval_measures(
        tmp_path / "without",
        mots_text(gt, is_gt=True),
        mots_text(disturbed(gt, seed), is_gt=False),
        len(gt),
    )
    for name, content in (("truth", truth), ("mine", predicted)):
        (tmp_path / "ours" / name).mkdir(parents=True)
        (tmp_path / "ours" / name / "0000.txt").write_text(content)
    settings = EvaluationSettings(extents=Extents({"": len(gt)}))
    (result,) = evaluate_folders(
        tmp_path / "ours" / "truth", [tmp_path / "ours" / "mine"], settings
    )
    assert theirs["car"]["FP"] == without["car"]["FP"] + 3
    assert theirs["car"]["FN"] == without["car"]["FN"] + 1
    assert_equal(result.blocks["tracking"]["per_sequence"]["0000"], theirs)


def maps_of_case(case):
    return tuple(
        [sequence.read(index) for index in range(len(sequence.frame_names))]
        for side in ("gt", "pred")
        for sequence in open_maps(GOLDEN / case / side, LABELS).sequences[:1]
    )
