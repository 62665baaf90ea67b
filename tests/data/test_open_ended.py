"""MOTS text: lengths and sizes that the format does not store, and objects with empty masks."""

import json

import numpy as np
import pytest
from helpers.maps import CAR, KITTI, draw, same, write_frames

from mapt_bench.data import MotsTextWriter, match_sequences, open_maps, pair_frames
from mapt_bench.data.dataset_file import Extents
from mapt_bench.data.rle import encode_rle, runs_of_mask
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.evaluation import EvaluationSettings, evaluate_folders
from mapt_bench.labels import PanopticMap

HEIGHT, WIDTH = 4, 6


def line(frame, track, column=0, width=2, mots_class=1):
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[:, column : column + width] = True
    rle = encode_rle(runs_of_mask(mask), mask.size)
    return f"{frame} {track} {mots_class} {HEIGHT} {WIDTH} {rle}\n"


def write(folder, *lines):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "0004.txt").write_text("".join(lines))
    return folder


def matched(gt, pred, **options):
    ((left, right),) = match_sequences(open_maps(gt, KITTI, **options), open_maps(pred, KITTI))
    pair_frames(left, right)
    return left, right


def frames_of(*numbers, track=5):
    return [line(number, track) for number in numbers]


@pytest.mark.parametrize("numbers", [range(5), range(1, 4)])
def test_a_longer_prediction_needs_the_number_of_frames(tmp_path, numbers):
    gt, pred = (
        write(tmp_path / "gt", *frames_of(0, 1, 2)),
        write(tmp_path / "pred", *frames_of(*numbers)),
    )
    with pytest.raises(DataError, match=f"up to frame {max(numbers)}.*up to frame 2.*--frames"):
        matched(gt, pred)
    left, _ = matched(gt, pred, extents=Extents({"0004": 7}))
    assert len(left.frame_names) == 7
    with pytest.raises(DataError, match="that the ground truth lacks"):
        matched(gt, pred, extents=Extents({"": 3}))


def test_a_shorter_prediction_needs_nothing(tmp_path):
    gt, pred = write(tmp_path / "gt", *frames_of(0, 4)), write(tmp_path / "pred", *frames_of(1))
    assert len(matched(gt, pred)[0].frame_names) == 5


def test_images_give_the_length(tmp_path):
    gt = tmp_path / "data"
    write(gt / "panoptic_maps" / "val", *frames_of(0, 1))
    images = [draw(*["r " * WIDTH] * HEIGHT)] * 3
    write_frames(gt / "images" / "val" / "0004", images)
    pred = write(tmp_path / "pred", *frames_of(0, 2))
    for given in (gt, gt / "panoptic_maps", gt / "panoptic_maps" / "val"):
        assert len(matched(given, pred)[0].frame_names) == 3
    with pytest.raises(DataError, match="that the ground truth lacks"):
        matched(gt, write(tmp_path / "late", *frames_of(3)))


def test_the_data_set_file_gives_length_and_size(tmp_path):
    empty = draw(*["b " * WIDTH] * HEIGHT)
    with MotsTextWriter(tmp_path / "gt", KITTI) as writer:
        for number in range(3):
            writer.write("0004", f"{number:06d}", empty)
    stated = json.loads((tmp_path / "gt" / "dataset.json").read_text())["sequences"]
    assert stated == {"0004": {"frames": 3, "size": [HEIGHT, WIDTH]}}
    (sequence,) = open_maps(tmp_path / "gt").sequences
    assert (len(sequence.frame_names), sequence.size) == (3, (HEIGHT, WIDTH))
    with pytest.raises(DataError, match="that the ground truth lacks"):
        matched(tmp_path / "gt", write(tmp_path / "pred", *frames_of(3)))


def test_an_empty_ground_truth_takes_all_from_its_partner(tmp_path):
    gt, pred = write(tmp_path / "gt"), write(tmp_path / "pred", *frames_of(0, 1))
    left, _ = matched(gt, pred)
    assert (left.size, len(left.frame_names)) == ((HEIGHT, WIDTH), 2)
    assert same(left.read(0), draw(*["b " * WIDTH] * HEIGHT))


def test_empty_files_on_both_sides_need_a_size(tmp_path):
    gt, pred = write(tmp_path / "gt"), write(tmp_path / "pred")
    with pytest.raises(DataError, match="give --size HxW"):
        matched(gt, pred)
    extents = Extents.from_options(["3"], f"{HEIGHT}x{WIDTH}")
    assert len(matched(gt, pred, extents=extents)[0].frame_names) == 3


def test_a_number_of_frames_counts_from_the_first(tmp_path):
    (sequence,) = open_maps(
        write(tmp_path, *frames_of(1, 3)), KITTI, extents=Extents({"": 3})
    ).sequences
    assert sequence.frame_names == ("000001", "000002", "000003")


@pytest.mark.parametrize(
    ("extents", "message"),
    [
        (Extents({"0004": 2}), "object in frame 2, but the sequence has 2 frames"),
        (Extents(sizes={"": (9, 9)}), "6x4 pixels, but the stated size is 9x9"),
    ],
)
def test_what_contradicts_the_file_is_refused(tmp_path, extents, message):
    with pytest.raises(DataError, match=message):
        open_maps(write(tmp_path, *frames_of(0, 2)), KITTI, extents=extents)


@pytest.mark.parametrize(
    ("frames", "size"), [(["x"], None), (["0001="], None), (["0"], None), ([], "4"), ([], "0x3")]
)
def test_options_of_another_form(frames, size):
    with pytest.raises(ConfigError, match="expected"):
        Extents.from_options(frames, size)


def scores(tmp_path, gt, pred):
    result = evaluate_folders(
        write(tmp_path / "gt", *gt), [write(tmp_path / "pred", *pred)], EvaluationSettings()
    )[0]
    return result.blocks["tracking"]["per_class"]["car"]


def test_a_predicted_empty_mask_is_a_false_positive(tmp_path):
    found = scores(tmp_path, frames_of(0, 1, 2, 3), [*frames_of(0, 1, 2, 3), line(2, 8, width=0)])
    assert (found["TP"], found["FP"], found["FN"], found["IDFP"]) == (4, 1, 0, 1)
    assert found["MOTSA"] == pytest.approx(0.75)
    assert found["DetPr"] == pytest.approx(4 / 5)


def test_a_true_empty_mask_is_a_miss(tmp_path):
    found = scores(tmp_path, [*frames_of(0, 1, 2), line(3, 5, width=0)], frames_of(0, 1, 2))
    assert (found["TP"], found["FP"], found["FN"], found["IDFN"]) == (3, 0, 1, 1)
    assert found["AssA"] == pytest.approx(3 / 4)


def test_an_empty_mask_lengthens_its_track(tmp_path):
    """Both tracks have 3 masks, and 2 of them match. AssA is 2 / (3 + 3 - 2)."""
    found = scores(tmp_path, frames_of(0, 1, 2), [*frames_of(0, 1), line(2, 5, width=0)])
    assert (found["TP"], found["FP"], found["FN"]) == (2, 1, 1)
    assert found["AssA"] == pytest.approx(2 / (3 + 3 - 2))


def test_an_empty_mask_of_one_class_is_no_mask_of_another(tmp_path):
    found = scores(tmp_path, frames_of(0, 1), [*frames_of(0, 1), line(1, 2, width=0, mots_class=2)])
    assert found["FP"] == 0


def test_void_with_the_largest_id_is_ordinary_void(tmp_path):
    array = np.array([[[255, (1 << 24) - 1], [CAR, (1 << 24) - 1]]], dtype=np.int64)
    np.save(tmp_path / "0.npy", array)
    (sequence,) = open_maps(tmp_path, KITTI).sequences
    codes = [255 << 24, CAR << 24 | (1 << 24) - 1]
    assert same(sequence.read(0), PanopticMap(np.array([codes], dtype=np.uint32)))
