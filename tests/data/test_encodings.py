"""Every encoding: what a file means, and how it is found out."""

import json
import pickle

import numpy as np
import pytest
from helpers.maps import (
    CAR,
    KITTI,
    PERSON,
    VOID,
    background_as_void,
    draw,
    same,
    shared_folder,
    write_frames,
)

from mapt_bench.data import encoding_names, match_sequences, open_maps, pair_frames
from mapt_bench.data.png import encode_png
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import BACKGROUND_ID, label_space


def only_map(folder, **options):
    """Read the single frame of a folder."""
    opened = open_maps(folder, KITTI, **options)
    (sequence,) = opened.sequences
    return opened.encoding, sequence.read(0)


def pairs_of(panoptic):
    """Return (class, id) of each pixel, row by row."""
    pairs = zip(panoptic.classes.ravel().tolist(), panoptic.ids.ravel().tolist(), strict=True)
    return list(pairs)


def save_png(folder, rows, name="000000.png", dtype=np.uint8):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(encode_png(np.array(rows, dtype=dtype)))
    return folder


def test_kitti_step_joins_green_and_blue(tmp_path):
    save_png(tmp_path, [[[13, 2, 1], [0, 0, 0], [255, 0, 0], [11, 255, 255]]])
    encoding, panoptic = only_map(tmp_path)
    assert encoding == "kitti-step"
    assert pairs_of(panoptic) == [(CAR, 513), (0, 0), (VOID, 0), (PERSON, 65535)]


@pytest.mark.parametrize("dtype", ["u1", "i2", "<i8", ">u4", "f4"])
def test_two_channel_arrays_of_any_number(tmp_path, dtype):
    np.save(tmp_path / "000000.npy", np.array([[[13, 7], [255, 0]]], dtype=dtype))
    encoding, panoptic = only_map(tmp_path)
    assert encoding == "two-channel"
    assert pairs_of(panoptic) == [(CAR, 7), (VOID, 0)]


@pytest.mark.parametrize(("dtype", "track"), [(np.uint8, 200), (np.uint16, 60000)])
def test_two_channel_png(tmp_path, dtype, track):
    save_png(tmp_path, [[[13, track], [0, 0]]], dtype=dtype)
    encoding, panoptic = only_map(tmp_path)
    assert encoding == "two-channel"
    assert pairs_of(panoptic) == [(CAR, track), (0, 0)]


def test_cityscapes_counts_objects_from_one(tmp_path):
    save_png(tmp_path, [[8, 13, 13000, 13999, 65535, 255]], dtype=np.uint16)
    encoding, panoptic = only_map(tmp_path)
    assert encoding == "cityscapes"
    expected = [(8, 0), (CAR, 0), (CAR, 1), (CAR, 1000), (VOID, 0), (VOID, 0)]
    assert pairs_of(panoptic) == expected


def test_cityscapes_refuses_values_between(tmp_path):
    save_png(tmp_path, [[8, 300, 301, 12600]], dtype=np.uint16)
    with pytest.raises(DataError, match="2 pixels hold values such as 300"):
        only_map(tmp_path)


def test_mots_png(tmp_path):
    save_png(tmp_path, [[0, 1000, 2016, 10000]], dtype=np.uint16)
    encoding, panoptic = only_map(tmp_path)
    assert encoding == "mots-png"
    assert pairs_of(panoptic) == [
        (VOID, BACKGROUND_ID),
        (CAR, 1),
        (PERSON, 17),
        (VOID, 0),
    ]


def test_mots_png_refuses_other_classes(tmp_path):
    save_png(tmp_path, [[0, 5001]], dtype=np.uint16)
    with pytest.raises(DataError, match="class 5 is unknown in MOTS"):
        only_map(tmp_path, encoding="mots-png")


def test_mots_needs_the_class_in_the_label_space(tmp_path):
    save_png(tmp_path, [[0, 1000]], dtype=np.uint16)
    (sequence,) = open_maps(tmp_path, label_space("motchallenge-step")).sequences
    with pytest.raises(DataError, match="'car', which the label space 'motchallenge-step' lacks"):
        sequence.read(0)


def test_a_frame_without_stuff_among_others_is_still_cityscapes(tmp_path):
    save_png(tmp_path, [[1000]], "000000.png", np.uint16)
    save_png(tmp_path, [[1000]], "000001.png", np.uint16)
    save_png(tmp_path, [[8]], "000002.png", np.uint16)
    assert open_maps(tmp_path, KITTI).encoding == "cityscapes"


# Text: columns of a 2x3 picture are positions 0-1, 2-3, 4-5.
LEFT, RIGHT = "024", "42"  # runs 0|2|4 and 4|2


def write_text(folder, *lines, name="0003.txt"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return folder


def test_mots_text_with_joined_ids(tmp_path):
    write_text(
        tmp_path,
        f"0 1004 1 2 3 {LEFT}",
        f"0 10000 10 2 3 {RIGHT}",
        f"2 2000 2 2 3 {RIGHT}",
    )
    opened = open_maps(tmp_path, KITTI)
    (sequence,) = opened.sequences
    assert opened.encoding == "mots-txt"
    assert sequence.parts == ("0003",)
    assert sequence.frame_names == ("000000", "000001", "000002")
    assert same(sequence.read(0), draw("c5 b v", "c5 b v"))
    assert same(sequence.read(1), draw("b b b", "b b b"))
    assert same(sequence.read(2), draw("b b p1", "b b p1"))


def test_mots_text_with_plain_ids(tmp_path):
    write_text(tmp_path, f"0 1 1 2 3 {LEFT}", f"0 2 2 2 3 {RIGHT}")
    assert same(only_map(tmp_path)[1], draw("c1 b p2", "c1 b p2"))


def test_a_mots_object_numbered_zero_is_no_crowd(tmp_path):
    lines = f"0 0 1 2 3 {LEFT}", f"0 7 1 2 3 {RIGHT}", f"1 0 10 2 3 {RIGHT}"
    (sequence,) = open_maps(write_text(tmp_path, *lines), KITTI).sequences
    assert same(sequence.read(0), draw("c1 b c8", "c1 b c8"))
    assert same(sequence.read(1), draw("b b v", "b b v"))


def test_an_ignore_region_numbered_zero_moves_no_object(tmp_path):
    lines = f"0 5 1 2 3 {LEFT}", f"0 0 10 2 3 {RIGHT}"
    (sequence,) = open_maps(write_text(tmp_path, *lines), KITTI).sequences
    assert same(sequence.read(0), draw("c5 b v", "c5 b v"))


def test_an_object_is_seen_through_an_ignore_region(tmp_path):
    write_text(tmp_path, f"0 10000 10 2 3 {LEFT}", f"0 1000 1 2 3 {LEFT}")
    assert same(only_map(tmp_path)[1], draw("c1 b b", "c1 b b"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 1000 1 2 3", "expected 'frame id class height width rle'"),
        (f"1 1000 1 2 3 {LEFT} more", "expected 'frame id class height width rle'"),
        (f"one 1000 1 2 3 {LEFT}", "five whole numbers"),
        (f"-1 1000 1 2 3 {LEFT}", "five whole numbers"),
        (f"1 1000 1 0 3 {LEFT}", "3x0 pixels"),
        (f"1 1000 1 99999 99999 {LEFT}", "99999x99999 pixels"),
        (f"1 1000 1 3 3 {LEFT}", "3x3 pixels, that of line 1 is 3x2"),
        (f"0 1000 1 2 3 {LEFT}", "already in frame 0, on line 1"),
        (f"1 7000 7 2 3 {LEFT}", "class 7 is unknown in MOTS"),
        (f"10000000 1000 1 2 3 {LEFT}", "frame 10000000"),
        (f"1 99999999 1 2 3 {LEFT}", "id 99999999"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, message):
    write_text(tmp_path, f"0 1000 1 2 3 {LEFT}", line)
    with pytest.raises(DataError, match=message) as caught:
        open_maps(tmp_path, KITTI)
    assert caught.value.where.endswith("0003.txt:2")


def test_a_stray_frame_number_is_refused_before_anything_is_scored(tmp_path):
    lines = [f"{frame} 1000 1 2 3 {LEFT}" for frame in (0, 10_000, 900_000, 900_001)]
    write_text(tmp_path, *lines)
    with pytest.raises(DataError, match=r"frame 900000 comes after frame 10000.*2 lines") as caught:
        open_maps(tmp_path, KITTI)
    assert caught.value.where.endswith("0003.txt:3")
    problems = []
    (sequence,) = open_maps(tmp_path, KITTI, report=problems.append).sequences
    assert len(problems) == 1
    assert len(sequence.frame_names) == 10_001


def test_a_first_frame_far_from_zero_is_refused(tmp_path):
    write_text(tmp_path, f"10000 1000 1 2 3 {LEFT}")
    with pytest.raises(DataError, match="frame 10000 comes after no other frame"):
        open_maps(tmp_path, KITTI)


def test_text_of_other_bytes_is_refused(tmp_path):
    (tmp_path / "0003.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"not a map in any encoding of \.txt files"):
        open_maps(tmp_path, KITTI)
    with pytest.raises(DataError, match="cannot be read as text"):
        open_maps(tmp_path, KITTI, encoding="mots-txt")


def test_malformed_run_lengths_name_the_line(tmp_path):
    write_text(tmp_path, f"0 1000 1 2 3 {LEFT}", "1 1000 1 2 3 0241")
    (sequence,) = open_maps(tmp_path, KITTI).sequences
    with pytest.raises(DataError, match="line 2: the run lengths are malformed") as caught:
        sequence.read(1)
    assert caught.value.where.endswith("0003.txt:2")


def test_overlapping_masks_name_both_lines(tmp_path):
    write_text(
        tmp_path,
        f"0 10000 10 2 3 {RIGHT}",
        f"0 1000 1 2 3 {LEFT}",
        f"0 1001 1 2 3 {LEFT}",
    )
    with pytest.raises(DataError, match="line 3: its mask overlaps that of line 2"):
        only_map(tmp_path)


def test_text_takes_the_frames_of_its_partner(tmp_path):
    gt = write_frames(tmp_path / "gt" / "0003", [draw("r c1 v", "r c1 v")] * 3).parent
    pred = write_text(tmp_path / "pred", f"1 1000 1 2 3 {LEFT}")
    ((left, right),) = match_sequences(open_maps(gt, KITTI), open_maps(pred, KITTI))
    assert pair_frames(left, right) == [0, 1, 2]
    assert same(right.read(2), draw("b b b", "b b b"))


def test_text_without_a_line_takes_also_the_size(tmp_path):
    gt = write_frames(tmp_path / "gt", [draw("r c1 v", "r c1 v")])
    pred = open_maps(write_text(tmp_path / "pred"), KITTI, encoding="mots-txt")
    with pytest.raises(DataError, match="size of its frames is unknown"):
        _ = pred.sequences[0].size
    ((left, right),) = match_sequences(open_maps(gt, KITTI), pred)
    assert pair_frames(left, right) == [0]
    assert right.read(0).shape == (2, 3)


def test_text_beyond_the_partner_is_an_error(tmp_path):
    gt = write_frames(tmp_path / "gt", [draw("r c1 v", "r c1 v")])
    pred = write_text(tmp_path / "pred", f"4 1000 1 2 3 {LEFT}")
    pair = match_sequences(open_maps(gt, KITTI), open_maps(pred, KITTI))[0]
    with pytest.raises(DataError, match=r"1 frame \(000004\) that the ground truth lacks"):
        pair_frames(*pair)


def test_text_keeps_every_frame_against_text(tmp_path):
    gt = write_text(tmp_path / "gt", f"0 1000 1 2 3 {LEFT}", f"4 1000 1 2 3 {LEFT}")
    pred = write_text(tmp_path / "pred", f"2 1 1 2 3 {LEFT}")
    ((left, right),) = match_sequences(open_maps(gt, KITTI), open_maps(pred, KITTI))
    assert pair_frames(left, right) == [0, 1, 2, 3, 4]


def test_text_needs_numbered_frames(tmp_path):
    gt = tmp_path / "gt"
    write_frames(gt, [draw("r c1 v", "r c1 v")])
    (gt / "000000.png").rename(gt / "first.png")
    pred = write_text(tmp_path / "pred", f"0 1000 1 2 3 {LEFT}")
    with pytest.raises(DataError, match="named like 'first'"):
        match_sequences(open_maps(gt, KITTI), open_maps(pred, KITTI))


def write_coco(folder, **changes):
    """One 1x4 frame: segment 1 road, 70000 car, 3 crowd of persons, one pixel unlabelled."""
    ids = np.array([[1, 70000, 3, 0]])
    pixels = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=-1)
    save_png(folder / "0001", pixels)
    segments = [
        {"id": 1, "category_id": 0},
        {"id": 70000, "category_id": 13, "iscrowd": 0},
        {"id": 3, "category_id": 11, "iscrowd": 1},
    ]
    annotation = {"file_name": "0001/000000.png", "segments_info": segments, **changes}
    (folder / "labels.json").write_text(json.dumps({"annotations": [annotation]}))
    return folder


def test_coco_panoptic(tmp_path):
    encoding, panoptic = only_map(write_coco(tmp_path))
    assert encoding == "coco-panoptic"
    assert pairs_of(panoptic) == [(0, 0), (CAR, 70000), (PERSON, 0), (VOID, 0)]


def test_coco_finds_the_folder_named_like_its_json(tmp_path):
    write_coco(tmp_path / "labels")
    (tmp_path / "labels" / "labels.json").rename(tmp_path / "labels.json")
    assert only_map(tmp_path)[0] == "coco-panoptic"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"file_name": "0001/000009.png"}, "there is no such PNG"),
        ({"segments_info": [{"id": 1, "category_id": 0}]}, "segments 3, 70000 that labels.json"),
        (
            {"segments_info": [{"id": n, "category_id": 0} for n in (1, 3, 4, 70000)]},
            "lacks segment 4 that labels.json lists",
        ),
        ({"segments_info": [{"id": 1, "category_id": 77}]}, "category 77, which is outside"),
        ({"segments_info": [{"id": 0, "category_id": 0}]}, "lists segment 0"),
        ({"segments_info": [{"id": 1, "category_id": 0}] * 2}, "lists segment 1"),
        ({"segments_info": [{"id": 1}]}, r"0 is malformed \(a segment has no category_id\)"),
        ({"segments_info": [{"category_id": 1}]}, r"malformed \(a segment has no id\)"),
        ({"segments_info": [{"id": 1.7, "category_id": 0}]}, "id of a segment is 1.7, no whole"),
        ({"segments_info": [{"id": float("inf"), "category_id": 0}]}, "has the number Infinity"),
        ({"segments_info": [{"id": float("nan"), "category_id": 0}]}, "has the number NaN"),
        ({"segments_info": [{"id": "1", "category_id": 0}]}, "id of a segment is '1', no whole"),
        ({"segments_info": [{"id": 1, "category_id": None}]}, "category_id of a segment is None"),
        ({"segments_info": [{"id": 1, "category_id": 0, "track_id": 0.5}]}, "track_id of a seg"),
        ({"segments_info": [7]}, r"malformed \(a segment is 7, no object\)"),
        ({"segments_info": None}, r"malformed \(segments_info is None, no list\)"),
        ({"file_name": None}, r"malformed \(file_name is None, no text\)"),
    ],
)
def test_coco_json_must_match_its_pngs(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        only_map(write_coco(tmp_path, **changes))


def test_coco_pngs_must_match_their_json(tmp_path):
    write_coco(tmp_path)
    save_png(tmp_path / "0001", [[[1, 0, 0]] * 4], "000001.png")
    with pytest.raises(DataError, match=r"labels\.json has no annotation for it") as caught:
        open_maps(tmp_path, KITTI)
    assert caught.value.where.endswith("000001.png")


def test_coco_with_two_jsons_is_refused(tmp_path):
    write_coco(tmp_path)
    (tmp_path / "more.json").write_bytes((tmp_path / "labels.json").read_bytes())
    with pytest.raises(DataError, match=r"holds several JSON files .*labels\.json.*more\.json"):
        open_maps(tmp_path, KITTI)


def test_coco_names_each_png_once(tmp_path):
    write_coco(tmp_path)
    data = json.loads((tmp_path / "labels.json").read_text())
    (tmp_path / "labels.json").write_text(json.dumps({"annotations": data["annotations"] * 2}))
    with pytest.raises(DataError, match=r"has two annotations for 0001/000000\.png"):
        open_maps(tmp_path, KITTI)


def test_coco_frames_of_one_moment_are_refused(tmp_path):
    write_coco(tmp_path)
    (tmp_path / "0001" / "0.png").write_bytes((tmp_path / "0001" / "000000.png").read_bytes())
    data = json.loads((tmp_path / "labels.json").read_text())
    twin = {**data["annotations"][0], "file_name": "0001/0.png"}
    (tmp_path / "labels.json").write_text(json.dumps({"annotations": [*data["annotations"], twin]}))
    with pytest.raises(DataError, match=r"is the same frame as 0\.png"):
        open_maps(tmp_path, KITTI)


def test_coco_pngs_are_rgb(tmp_path):
    write_coco(tmp_path)
    save_png(tmp_path / "0001", [[1, 2, 3, 0]])
    with pytest.raises(DataError, match="8-bit grey; coco-panoptic maps need 3 channels"):
        open_maps(tmp_path, KITTI, encoding="coco-panoptic")


def test_other_jsons_are_passed_over(tmp_path):
    write_frames(tmp_path, [draw("r")])
    (tmp_path / "results.json").write_text('{"scores": []}')
    assert open_maps(tmp_path, KITTI).encoding == "kitti-step"


def test_a_json_without_its_end_beside_the_maps_is_refused(tmp_path):
    write_frames(tmp_path, [draw("r")])
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(DataError, match="is cut or no JSON"):
        open_maps(tmp_path, KITTI)


def test_a_whole_number_may_be_written_as_a_fraction(tmp_path):
    segments = [{"id": float(n), "category_id": 0} for n in (1, 3, 70000)]
    assert pairs_of(only_map(write_coco(tmp_path, segments_info=segments))[1]) == [(0, 0)] * 3 + [
        (VOID, 0)
    ]


@pytest.mark.parametrize("annotations", ["7", '[{"file_name": "0001/000000.png"}, 7]'])
def test_coco_annotations_of_another_kind(tmp_path, annotations):
    write_coco(tmp_path)
    (tmp_path / "labels.json").write_text(f'{{"annotations": {annotations}}}')
    with pytest.raises(DataError, match="holds no JSON of panoptic annotations"):
        open_maps(tmp_path, KITTI, encoding="coco-panoptic")


def test_a_coco_annotation_that_is_no_object(tmp_path):
    write_coco(tmp_path)
    data = json.loads((tmp_path / "labels.json").read_text())
    data["annotations"] += [7, {"file_name": "x.png"}, {"segments_info": []}]
    (tmp_path / "labels.json").write_text(json.dumps(data))
    problems = []
    open_maps(tmp_path, KITTI, report=problems.append)
    assert [problem.message.partition(";")[0] for problem in problems] == [
        "annotation 1 is malformed (it is 7, no object)",
        "annotation 2 is malformed (it has no segments_info)",
        "annotation 3 is malformed (it has no file_name)",
    ]


@pytest.mark.parametrize("encoding", [None, "coco-panoptic"])
def test_a_cut_off_coco_json_is_called_broken(tmp_path, encoding):
    write_coco(tmp_path)
    text = (tmp_path / "labels.json").read_text()
    (tmp_path / "labels.json").write_text(text[:-20])
    with pytest.raises(DataError, match="is malformed JSON") as caught:
        open_maps(tmp_path, KITTI, encoding=encoding)
    assert caught.value.where == str(tmp_path / "labels.json")


def test_a_coco_json_cut_off_at_once_is_called_broken(tmp_path):
    write_coco(tmp_path)
    (tmp_path / "labels.json").write_text('{"ima')
    with pytest.raises(DataError, match="is cut or no JSON"):
        open_maps(tmp_path, KITTI, encoding="coco-panoptic")


def test_coco_without_json_is_named(tmp_path):
    save_png(tmp_path, [[[1, 0, 0]]])
    with pytest.raises(DataError, match="holds no JSON of panoptic annotations"):
        open_maps(tmp_path, KITTI, encoding="coco-panoptic")


def test_unknown_encoding_suggests_the_nearest(tmp_path):
    write_frames(tmp_path, [draw("r")])
    with pytest.raises(ConfigError, match="did you mean 'kitti-step'"):
        open_maps(tmp_path, KITTI, encoding="kitti_step")


def test_names_are_sorted_and_complete():
    assert encoding_names() == (
        "bdd100k",
        "cityscapes",
        "coco-panoptic",
        "kitti-step",
        "mots-png",
        "mots-txt",
        "object-folders",
        "object-masks",
        "palette-png",
        "two-channel",
        "vipseg",
        "waymo",
        "youtube-vis",
    )


def test_text_equals_the_converted_maps_on_real_tracks():
    text = open_maps(shared_folder("data", "kitti_mots_gt", "instances_txt"), KITTI)
    maps = open_maps(shared_folder("data", "kitti_mots_gt", "things_only_step"), KITTI)
    assert text.encoding == "mots-txt"
    for left, right in match_sequences(text, maps):
        right = pickle.loads(pickle.dumps(right))  # noqa: S301 - our own bytes
        left = pickle.loads(pickle.dumps(left))  # noqa: S301
        for index, other in enumerate(pair_frames(left, right)):
            if index % 10 == 0:
                assert same(background_as_void(left.read(index)), right.read(other))


def test_a_real_tracker_writes_plain_ids():
    opened = open_maps(shared_folder("data", "kitti_mots_tracker_output", "car"), KITTI)
    (sequence,) = opened.sequences
    assert len(sequence.frame_names) == 257
    ids = {number for index in range(0, 257, 8) for number in np.unique(sequence.read(index).ids)}
    assert ids <= {*range(11), BACKGROUND_ID}
