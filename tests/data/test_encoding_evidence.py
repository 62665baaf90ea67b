"""What decides the encoding and the sequences of a folder: JSON, values, file names."""

import json
import os

import numpy as np
import pytest
from helpers.maps import CAR, KITTI, PERSON, VOID, draw, same, write_frames

from mapt_bench import files
from mapt_bench.data import open_maps
from mapt_bench.data.dataset_file import write_dataset_file
from mapt_bench.data.png import encode_png
from mapt_bench.errors import DataError
from mapt_bench.labels import (
    BACKGROUND_ID,
    LabelClass,
    LabelSpace,
    PanopticMap,
    check_map_classes,
)

SHEEP = LabelSpace(
    "sheep",
    tuple(
        LabelClass(number, name, is_thing, (number, 0, 0))
        for number, name, is_thing in (
            (0, "ground", False),
            (1, "sheep", True),
            (4, "barn", False),
            (13, "dog", True),
        )
    ),
)


def save(path, pixels, dtype=np.uint8):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(np.asarray(pixels, dtype=dtype)))


def pairs_of(panoptic):
    return list(zip(panoptic.classes.ravel().tolist(), panoptic.ids.ravel().tolist(), strict=True))


# COCO: two segments of a 1x3 picture, road (5) and an object (9); the last pixel is void.
def coco_entry(name, **object_fields):
    segments = [
        {"id": 5, "category_id": 0},
        {"id": 9, "category_id": CAR, "iscrowd": 0, **object_fields},
    ]
    return {"file_name": name, "segments_info": segments}


def save_coco_png(path, width=3):
    ids = np.zeros((1, width, 3))
    ids[0, 0, 0], ids[0, 1, 0] = 5, 9
    save(path, ids)


EXPECTED = [(0, 0), (CAR, 9), (VOID, 0)]


@pytest.mark.parametrize(
    ("folder", "json_file", "given"),
    [
        ("out", "out/any.json", "out"),
        ("out/pred", "out/pred.json", "out/pred"),
        ("out/pred", "out/labels.json", "out/pred"),
        ("out/pred", "out/pred.json", "out/pred/0007"),
        ("out/pred", "out/pred.json", "out"),
        ("data/panoptic_maps", "data/panoptic.json", "data"),
        ("data/panoptic_maps", "data/panoptic.json", "data/panoptic_maps/0007"),
        ("out/pan_pred", "out/pred.json", "out"),
        ("out/pan_pred", "out/pred.json", "out/pan_pred"),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_json_is_found_wherever_it_is(tmp_path, folder, json_file, given, nested):
    for number in (3, 4):
        save_coco_png(tmp_path / folder / f"0007/{number}.png")
    if nested:
        inner = [coco_entry(f"{number}.png") for number in (3, 4)]
        annotations = [{"video_id": "0007", "annotations": inner}]
    else:
        annotations = [coco_entry(f"0007/{number}.png") for number in (3, 4)]
    (tmp_path / json_file).write_text(json.dumps({"annotations": annotations}))
    opened = open_maps(tmp_path / given, KITTI)
    assert opened.encoding == "coco-panoptic"
    (sequence,) = opened.sequences
    assert (sequence.parts[-1], sequence.frame_names) == ("0007", ("3", "4"))
    assert pairs_of(sequence.read(1)) == EXPECTED


def test_a_json_of_other_pngs_is_no_evidence(tmp_path):
    write_frames(tmp_path / "maps" / "0001", [draw("r c1")])
    (tmp_path / "coco.json").write_text(json.dumps({"annotations": [coco_entry("000000.png")]}))
    save_coco_png(tmp_path / "coco" / "000000.png")
    assert open_maps(tmp_path / "maps", KITTI).encoding == "kitti-step"
    assert open_maps(tmp_path / "coco", KITTI).encoding == "coco-panoptic"


@pytest.mark.parametrize(
    "data",
    [
        [coco_entry("0.png")],
        {"0.png": coco_entry("0.png")},
        {"videos": [coco_entry("0.png")], "annotations": {"0": coco_entry("0.png")}},
        {"annotations": [[coco_entry("0.png")]]},
        {"annotations": [{"annotations": [coco_entry("0.png")]}, {"annotations": {"segments": 1}}]},
    ],
)
@pytest.mark.parametrize("place", ["maps/x.json", "maps.json", "other.json"])
def test_segments_in_another_shape_are_refused(tmp_path, data, place):
    save_coco_png(tmp_path / "maps" / "0.png")
    (tmp_path / place).write_text(json.dumps(data))
    with pytest.raises(DataError, match=r"expected \{'annotations'") as caught:
        open_maps(tmp_path / "maps", KITTI)
    assert caught.value.where == str(tmp_path / place)
    assert open_maps(tmp_path / "maps", KITTI, encoding="kitti-step").encoding == "kitti-step"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_json_with_a_byte_order_mark(tmp_path, encoding):
    save_coco_png(tmp_path / "0.png")
    text = json.dumps({"annotations": [coco_entry("0.png")]})
    (tmp_path / "x.json").write_text(text, encoding=encoding)
    assert pairs_of(open_maps(tmp_path, KITTI).sequences[0].read(0)) == EXPECTED


@pytest.mark.parametrize("place", ["maps/x.json", "maps.json"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("kept", [0, 5, 40])
def test_a_cut_json_is_never_ignored(tmp_path, place, encoding, kept):
    # Segment ids are classes in KITTI-STEP, so without its JSON the PNG would be misread.
    save_coco_png(tmp_path / "maps" / "0.png")
    text = json.dumps({"info": {"description": 50 * "x"}, "annotations": [coco_entry("0.png")]})
    (tmp_path / place).write_text(text[:kept], encoding=encoding)
    with pytest.raises(DataError, match="is cut or no JSON") as caught:
        open_maps(tmp_path / "maps", KITTI)
    assert caught.value.where == str(tmp_path / place)
    assert open_maps(tmp_path / "maps", KITTI, encoding="kitti-step").encoding == "kitti-step"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
def test_a_json_of_something_else_is_ignored(tmp_path, encoding):
    write_frames(tmp_path / "maps", [draw("r c1")])
    text = json.dumps({"settings": [1, 2]}) + "\n\n"
    (tmp_path / "maps" / "settings.json").write_text(text, encoding=encoding)
    assert open_maps(tmp_path / "maps", KITTI).encoding == "kitti-step"


def test_names_of_pngs_in_two_folders_are_no_match(tmp_path):
    for folder in ("a", "b"):
        save_coco_png(tmp_path / "out" / folder / "0.png")
    (tmp_path / "out" / "p.json").write_text(json.dumps({"annotations": [coco_entry("0.png")]}))
    with pytest.raises(DataError, match="there is no such PNG"):
        open_maps(tmp_path / "out", KITTI)


def test_a_huge_json_is_refused_unread(tmp_path, monkeypatch):
    save_coco_png(tmp_path / "0.png")
    (tmp_path / "x.json").write_text(json.dumps({"annotations": [coco_entry("0.png")]}))
    monkeypatch.setattr(files, "TEXT_LIMIT", 50)
    with pytest.raises(DataError, match="JSON and YAML are read up to"):
        open_maps(tmp_path, KITTI)


def test_tracks_counted_from_zero_are_objects(tmp_path):
    for number in range(2):
        save_coco_png(tmp_path / f"{number}.png")
    entries = [coco_entry("0.png", track_id=0), coco_entry("1.png", track_id=6)]
    (tmp_path / "x.json").write_text(json.dumps({"annotations": entries}))
    (sequence,) = open_maps(tmp_path, KITTI).sequences
    found = [pairs_of(sequence.read(index))[1] for index in range(2)]
    assert found == [(CAR, 1), (CAR, 7)]


def test_crowd_with_track_zero_is_crowd(tmp_path):
    save_coco_png(tmp_path / "0.png")
    entry = coco_entry("0.png", track_id=0)
    entry["segments_info"][1]["iscrowd"] = 1
    (tmp_path / "x.json").write_text(json.dumps({"annotations": [entry]}))
    assert pairs_of(open_maps(tmp_path, KITTI).sequences[0].read(0))[1] == (CAR, 0)


def test_objects_with_and_without_a_track_are_refused(tmp_path):
    for number in range(2):
        save_coco_png(tmp_path / f"{number}.png")
    entries = [coco_entry("0.png", track_id=9), coco_entry("1.png")]
    (tmp_path / "x.json").write_text(json.dumps({"annotations": entries}))
    with pytest.raises(DataError, match=r"object 9 of 0\.png a track_id, but not object 9 of 1"):
        open_maps(tmp_path, KITTI)


def test_categories_numbered_otherwise_are_refused(tmp_path):
    save_coco_png(tmp_path / "0.png")
    categories = [{"id": 0, "name": "car"}, {"id": CAR, "name": "something else"}]
    data = {"annotations": [coco_entry("0.png")], "categories": categories}
    (tmp_path / "x.json").write_text(json.dumps(data))
    with pytest.raises(DataError, match=r"calls category 0 'car', but class 0 .* is 'road'"):
        open_maps(tmp_path, KITTI)


def test_images_of_different_sizes_are_sequences_of_one_frame(tmp_path):
    names = {"000000000139": 3, "000000000285": 4}
    for name, width in names.items():
        save_coco_png(tmp_path / "val" / f"{name}.png", width)
    entries = [coco_entry(f"{name}.png") for name in names]
    (tmp_path / "val.json").write_text(json.dumps({"annotations": entries}))
    opened = open_maps(tmp_path / "val", KITTI)
    found = [(s.parts[-1], s.frame_names, s.size) for s in opened.sequences]
    assert found == [(name, (name,), (1, width)) for name, width in names.items()]


def test_a_frame_of_another_size_in_a_video_is_refused(tmp_path):
    for number in range(4):
        save_coco_png(tmp_path / f"{number}.png", 3 + (number == 2))
    entries = [coco_entry(f"{number}.png") for number in range(4)]
    (tmp_path / "x.json").write_text(json.dumps({"annotations": entries}))
    with pytest.raises(DataError, match="is 4x1 pixels") as caught:
        open_maps(tmp_path, KITTI)
    assert caught.value.where.endswith("2.png")


# 16-bit PNGs
def detected(folder, values, labels=KITTI):
    save(folder / "000000.png", [values], np.uint16)
    opened = open_maps(folder, labels)
    return opened.encoding, pairs_of(opened.sequences[0].read(0))


def test_vipseg_by_values_that_cityscapes_lacks(tmp_path):
    encoding, pairs = detected(tmp_path, [0, 1, 1100, 1102, 1399, 11])
    assert encoding == "vipseg"
    assert pairs == [(VOID, 0), (1, 0), (PERSON, 1), (PERSON, 3), (CAR, 100), (PERSON, 0)]


def test_vipseg_by_identities_that_only_things_have(tmp_path):
    """Value 1301 is a sidewalk with an identity in Cityscapes, and a car in VIPSeg."""
    assert detected(tmp_path, [2, 1301]) == ("vipseg", [(2, 0), (CAR, 2)])


@pytest.mark.parametrize(
    ("values", "labels", "encoding", "pairs"),
    [
        ([0, 18, 11004, 65535], KITTI, "cityscapes", [(0, 0), (18, 0), (PERSON, 5), (VOID, 0)]),
        ([2, 5], KITTI, "cityscapes", [(2, 0), (5, 0)]),
        ([0, 17003], KITTI, "cityscapes", [(0, 0), (17, 4)]),
        ([0, 1001, 2002], KITTI, "mots-png", [(VOID, BACKGROUND_ID), (CAR, 2), (PERSON, 3)]),
        ([0, 0], KITTI, "mots-png", [(VOID, BACKGROUND_ID)] * 2),
        ([0, 1001, 13001], SHEEP, "cityscapes", [(0, 0), (1, 2), (13, 2)]),
    ],
)
def test_16_bit_values_that_fit_one_encoding_best(tmp_path, values, labels, encoding, pairs):
    assert detected(tmp_path, values, labels) == (encoding, pairs)


@pytest.mark.parametrize(
    ("values", "labels", "names"),
    [
        ([4, 1301], SHEEP, r"cityscapes \(class 1, number 301\) or vipseg \(class 13, number 1\)"),
        ([0, 1101], KITTI, r"mots-png \(MOTS class 1, number 101\) or vipseg \(class 11, number"),
        ([0, 5], KITTI, r"cityscapes \(class 0\) or vipseg \(void\): value 0 fits each"),
    ],
)
def test_16_bit_values_that_fit_two_encodings_are_refused(tmp_path, values, labels, names):
    save(tmp_path / "0.png", [values], np.uint16)
    with pytest.raises(DataError, match=names + r".*--encoding \(--gt-encoding"):
        open_maps(tmp_path, labels)
    for encoding in ("cityscapes", "vipseg"):
        assert open_maps(tmp_path, labels, encoding=encoding).encoding == encoding


def test_16_bit_values_of_all_files_are_read_if_a_sample_has_no_identity(tmp_path):
    for number in range(30):
        save(tmp_path / f"{number}.png", [[0, 5, 1307 if number == 29 else 5]], np.uint16)
    opened = open_maps(tmp_path, KITTI)
    assert opened.encoding == "vipseg"
    assert pairs_of(opened.sequences[0].read(0)) == [(VOID, 0), (5, 0), (5, 0)]


def test_vipseg_refuses_values_beyond_its_classes(tmp_path):
    save(tmp_path / "0.png", [[0, 12500, 65535]], np.uint16)
    (sequence,) = open_maps(tmp_path, KITTI, encoding="vipseg").sequences
    with pytest.raises(DataError, match="2 pixels hold values such as 12500"):
        sequence.read(0)


@pytest.mark.parametrize(
    ("stated", "values", "message"),
    [
        ("cityscapes", [[1301, 8, 0]], "value 1301 of .*0.png and other files fits vipseg"),
        ("mots-png", [[13001, 8, 0]], "value 8 of .* fits cityscapes and not it"),
        ("vipseg", [[13001, 8, 65535]], "value 13001 of .* fits cityscapes and not it"),
    ],
)
def test_a_dataset_file_that_contradicts_values_is_refused(tmp_path, stated, values, message):
    save(tmp_path / "0.png", values, np.uint16)
    write_dataset_file(tmp_path, KITTI, stated)
    with pytest.raises(DataError, match=f"states encoding '{stated}', but {message}") as caught:
        open_maps(tmp_path)
    assert caught.value.where == str(tmp_path / "dataset.json")
    assert open_maps(tmp_path, encoding="cityscapes").encoding == "cityscapes"


@pytest.mark.parametrize(
    ("stated", "values"),
    [
        ("cityscapes", [[13001, 8, 0]]),
        ("cityscapes", [[8001, 1]]),  # stuff with identities, which no encoding explains
        ("vipseg", [[1301, 8, 0]]),
        ("mots-png", [[1001, 2003, 0]]),
        ("waymo", [[1301, 8000]]),
    ],
)
def test_a_dataset_file_that_fits_the_values_decides(tmp_path, stated, values):
    save(tmp_path / "0.png", values, np.uint16)
    write_dataset_file(tmp_path, KITTI, stated)
    assert open_maps(tmp_path).encoding == stated


# File names
def test_a_flat_folder_of_several_videos_is_split(tmp_path):
    maps = {video: [draw(f"r c{video}"), draw(f"c{video} r")] for video in (1, 2)}
    write_frames(tmp_path / "split" / "0001", maps[1])
    write_frames(tmp_path / "split" / "0002", maps[2])
    flat = tmp_path / "flat"
    flat.mkdir()
    for video in maps:
        for frame in (0, 1):
            source = tmp_path / "split" / f"{video:04d}" / f"{frame:06d}.png"
            source.rename(flat / f"{video:04d}_{frame:04d}_bonn_{video:06d}_{frame + 9:06d}_x.png")
    found = {s.parts[-1]: s for s in open_maps(flat, KITTI).sequences}
    assert {name: s.frame_names for name, s in found.items()} == {
        "0001": ("0000", "0001"),
        "0002": ("0000", "0001"),
    }
    assert same(found["0002"].read(1), maps[2][1])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a_000000_1", "a_000000_2", "a_000001_1"], {"a_000000": 2, "a_000001": 1}),
        (["7f-0a-01", "7f-0a-02", "3c-0a-01"], {"7f-0a": 2, "3c-0a": 1}),
        (["0001_0", "0001_1", "0001_2"], {"root": 3}),
        (["000000_10", "000001_10", "000002_10"], {"root": 3}),
        (["bonn_000000_000019_ids", "bonn_000001_000019_ids"], {"root": 2}),
        (["frame_1", "frame_2"], {"root": 2}),
        (["000000", "000001"], {"root": 2}),
        (["a_1", "a_2", "b_1", "title"], {"root": 4}),
    ],
)
def test_names_that_do_or_do_not_name_a_sequence(tmp_path, names, expected):
    for name in names:
        save(tmp_path / "root" / f"{name}.png", [[[0, 0, 0]]])
    found = open_maps(tmp_path / "root", KITTI).sequences
    assert {s.parts[-1]: len(s.frame_names) for s in found} == expected


def test_two_links_to_one_folder_are_two_sequences(tmp_path):
    write_frames(tmp_path / "store", [draw("r c1")])
    root = tmp_path / "root"
    root.mkdir()
    for name in ("0001", "0002"):
        (root / name).symlink_to(tmp_path / "store")
    (root / "back").symlink_to(root)
    assert [s.parts for s in open_maps(root, KITTI).sequences] == [("0001",), ("0002",)]


# What cannot be read says why
@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["000000_class.png", "000000_instance.png"], "several files for one frame"),
        (["a_000001_ids.npy", "a_000001_labels.npy"], "several files for one frame"),
    ],
)
def test_two_files_for_a_frame_are_refused(tmp_path, names, message):
    for name in names:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match=message):
        open_maps(tmp_path, KITTI)


@pytest.mark.parametrize(
    "folders", [("0001_class", "0001_instance"), ("semantic/0001", "ids/0001")]
)
def test_folders_of_classes_and_of_identities_are_refused(tmp_path, folders):
    for number in range(3):
        save(tmp_path / folders[0] / f"{number}.png", [[0, 13]])
        save(tmp_path / folders[1] / f"{number}.png", [[0, 1]], np.uint16)
    with pytest.raises(DataError, match="8-bit grey holds classes or identities, not both; join"):
        open_maps(tmp_path, KITTI)


def test_panomasks_of_vipseg_in_another_label_space_are_named(tmp_path):
    save(tmp_path / "0.png", [[0, 28, 6201, 6202]], np.uint16)
    with pytest.raises(DataError, match=r"of VIPSeg .* value 6202; .*--dataset vipseg"):
        open_maps(tmp_path, KITTI)
    assert open_maps(tmp_path, "vipseg").encoding == "vipseg"


def test_alpha_and_archives_are_named(tmp_path):
    save(tmp_path / "alpha" / "0.png", [[[0, 0, 0, 255]]])
    (tmp_path / "packed").mkdir()
    np.savez(tmp_path / "packed" / "0.npz", masks=np.zeros((1, 2, 2)))
    for folder, message in (
        ("alpha", "without their alpha channel"),
        ("packed", r"has an array 'masks'; expected one array per object.*'object_ids'"),
    ):
        with pytest.raises(DataError, match=message):
            open_maps(tmp_path / folder, KITTI)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (range(256), "colours of a picture"),
        ([7, 26, 33], "label ids of Cityscapes"),
        ([32], "--dataset cityscapes-vps"),
    ],
)
def test_numbers_that_are_no_classes_are_explained_in_one_line(classes, message):
    pixels = PanopticMap(np.array([classes], dtype=np.uint32) << np.uint32(24))
    with pytest.raises(DataError, match=message) as caught:
        check_map_classes(pixels, KITTI, None)
    assert len(caught.value.message) < 300
    assert "which has 0 to 18, and 255 for void" in caught.value.message


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_byte_order_mark_is_refused_by_name(tmp_path, encoding):
    (tmp_path / "0001.txt").write_text("0 1001 1 2 2 04\n", encoding=encoding)
    with pytest.raises(DataError, match="UTF-16 without a byte order mark"):
        open_maps(tmp_path, KITTI)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_mots_text_with_a_byte_order_mark(tmp_path, encoding):
    (tmp_path / "0001.txt").write_text("0 1001 1 2 3 024\n", encoding=encoding)
    opened = open_maps(tmp_path, KITTI)
    assert (opened.encoding, opened.sequences[0].frame_names) == ("mots-txt", ("000000",))


def test_names_that_are_not_utf_8_are_read(tmp_path):
    folder = tmp_path / "maps" / os.fsdecode(b"caf\xe9")
    write_frames(folder, [draw("r c1")])
    assert open_maps(tmp_path / "maps", KITTI).sequences[0].parts == ("caf\udce9",)
