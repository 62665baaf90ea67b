"""Bad files of encodings of objects: palettes, archives of masks, JSON of videos."""

import io
import json
import os
import struct
import zlib

import numpy as np
import pytest
from helpers.maps import CAR, KITTI, PERSON, VOID
from PIL import Image

from mapt_bench import files
from mapt_bench.data import KittiStepWriter, check_data, map_of_masks, open_maps
from mapt_bench.data.fingerprint import maps_fingerprint
from mapt_bench.data.png import encode_png, load_png
from mapt_bench.errors import ConfigError, DataError, MaptBenchError
from mapt_bench.faults import machine_fault
from mapt_bench.labels import BACKGROUND_ID, LabelClass, LabelSpace, PanopticMap, pack_codes

SIZE = 4, 5
CLASSES = '{"default": "car"}'


def read_all(folder):
    for sequence in open_maps(folder, KITTI).sequences:
        for index in range(len(sequence.frame_names)):
            sequence.read(index)


def refused(folder, message):
    """Return the first error of a folder."""
    with pytest.raises(DataError, match=message) as caught:
        read_all(folder)
    return caught.value


# Palettes


def palette_png(indices, colours=8):
    image = Image.fromarray(np.asarray(indices, dtype=np.uint8), mode="P")
    image.putpalette(list(range(3 * colours)))
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()


@pytest.fixture
def palettes(tmp_path):
    (tmp_path / "0001").mkdir()
    for number in range(2):
        (tmp_path / "0001" / f"{number}.png").write_bytes(palette_png(np.full(SIZE, 3)))
    (tmp_path / "object_classes.yaml").write_text(CLASSES)
    return tmp_path


def without_chunk(data, kind):
    at = data.index(kind) - 4
    length = int.from_bytes(data[at : at + 4])
    return data[:at] + data[at + 12 + length :]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (palette_png(np.full(SIZE, 3))[:-20], "truncated PNG"),
        (palette_png(np.full((4, 6), 3)), "6x4 pixels, but the other frames"),
        (without_chunk(palette_png(np.full(SIZE, 3)), b"PLTE"), "0 colours; expected a palette"),
        (palette_png(np.full(SIZE, 14)), "colour index 14, but a palette of 8 colours"),
        (encode_png(np.full(SIZE, 3, dtype=np.uint8)), "8-bit grey; palette-png maps need a pal"),
        (encode_png(np.full(SIZE, 3, dtype=np.uint16)), "16-bit grey; palette-png maps need"),
    ],
)
def test_a_bad_palette_png(palettes, data, message):
    (palettes / "0001" / "1.png").write_bytes(data)
    assert refused(palettes, message).where.endswith("1.png")


def test_two_palettes_of_one_frame(palettes):
    (palettes / "0001" / "000001.png").write_bytes(palette_png(np.full(SIZE, 3)))
    refused(palettes, "is the same frame as 000001.png")


# Folders of objects


def mask_png(values, dtype=np.uint8):
    return encode_png(np.asarray(values, dtype=dtype))


ONE = np.eye(*SIZE, dtype=np.uint8)


@pytest.fixture
def object_folders(tmp_path):
    for number in (1, 2):
        (tmp_path / "bear" / f"{number:03d}").mkdir(parents=True)
        for frame in range(3):
            mask = np.roll(ONE, number, axis=1) * 255
            path = tmp_path / "bear" / f"{number:03d}" / f"{frame:05d}.png"
            path.write_bytes(mask_png(mask))
    (tmp_path / "object_classes.yaml").write_text(CLASSES)
    return tmp_path


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (mask_png(ONE)[:-20], "truncated PNG"),
        (mask_png(np.ones((4, 6))), "6x4 pixels, but the other frames"),
        (mask_png(ONE * 2), "has the values 0, 2; expected the mask of one object"),
        (mask_png(ONE + np.roll(ONE, 1) * 3), "has the values 0, 1, 3; expected the mask"),
        (mask_png(ONE, np.uint16), "16-bit grey; object-folders masks are grey of 1 to 8"),
        (mask_png(np.stack([ONE] * 3, axis=-1)), "8-bit RGB; object-folders masks are grey"),
        (palette_png(ONE * 3), "has the values 0, 3; expected the mask of one object"),
        (mask_png(np.ones(SIZE)), "the masks of objects 1 and 2 overlap in 4 pixels"),
    ],
)
def test_a_bad_mask_of_an_object(object_folders, data, message):
    (object_folders / "bear" / "001" / "00001.png").write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_all(object_folders)


def test_folders_that_are_no_objects(object_folders):
    (object_folders / "bear" / "002").rename(object_folders / "bear" / "01")
    refused(object_folders, "is the same object as 001")
    (object_folders / "bear" / "01").rename(object_folders / "bear" / "cub")
    refused(object_folders, "holds PNGs; expected folders named by the number of an object")


def test_two_masks_of_an_object_in_one_frame(object_folders):
    (object_folders / "bear" / "001" / "1.png").write_bytes(mask_png(ONE))
    refused(object_folders, "is the same frame as 00001.png")


def test_grey_maps_of_all_objects_are_no_folders_of_objects(object_folders):
    for number, path in enumerate(sorted(object_folders.rglob("*.png"))):
        path.write_bytes(mask_png(ONE * (7 + number)))
    refused(object_folders, "8-bit grey; expected one of")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sequences: {'0001': {4: car}}", "has object 3, whose class .* does not state"),
        ("default: cra", "did you mean 'car'"),
        ("default: road", "'road' is stuff"),
        ("default: 99", "has no class 99"),
        ("defaults: car", r"found \['defaults'\]"),
        ("objects: {x: car}", "'x' is not an id"),
        ("objects: [car]", "is not a mapping of ids"),
        ("sequences: car", "'sequences' is car"),
        ("default: car\ndefault: car", "occurs twice"),
        ("", "found None"),
        ("objects: {3: ", "is not valid YAML"),
    ],
)
def test_a_bad_file_of_classes(palettes, text, message):
    (palettes / "object_classes.yaml").write_text(text)
    refused(palettes, message)


def test_classes_by_number_and_precedence(palettes):
    text = f"default: person\nobjects: {{3: {PERSON}}}\nsequences: {{'0001': {{3: {CAR}}}}}"
    (palettes / "object_classes.yaml").write_text(text)
    assert np.unique(open_maps(palettes, KITTI).sequences[0].read(0).classes) == [CAR]


def test_a_label_space_without_things(palettes):
    ground = LabelSpace("ground", (LabelClass(0, "ground", is_thing=False, color=(0, 0, 0)),))
    with pytest.raises(ConfigError, match="has no class with identities"):
        open_maps(palettes, ground)


# Archives of masks


def mask(*rows):
    found = np.zeros(SIZE, dtype=bool)
    found[list(rows)] = True
    return found


@pytest.fixture
def archives(tmp_path):
    (tmp_path / "0001").mkdir()
    for number in range(2):
        np.savez(tmp_path / "0001" / f"{number}.npz", **{"1": mask(0), "2": mask(1)})
    (tmp_path / "object_classes.yaml").write_text(CLASSES)
    return tmp_path


IDS = np.array([1, 2])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"1": mask(0), "2": mask(0, 1)}, "objects 1 and 2 overlap in 5 pixels"),
        ({"1": np.ones((4, 6), dtype=bool)}, r"6x4 pixels, but the other frames"),
        ({"1": mask(0), "2": np.ones((2, 4, 5), dtype=bool)}, r"mask of shape \(2, 4, 5\)"),
        ({"1": mask(0).astype(float)}, "mask of float64 with values .*compare logits"),
        ({"1": np.full(SIZE, 7)}, "mask of int64 with values"),
        ({"1": np.array([{}], dtype=object)}, "holds Python objects, which can run code"),
        ({"1": np.array(3)}, r"has shape \(\)"),
        ({"car": mask(0)}, "has an array 'car'; expected one array per object"),
        ({"1": mask(0), "01": mask(1)}, "has two masks of object 1; keep one"),
        ({"masks": np.stack([mask(0)])}, "has an array 'masks'"),
        ({"masks": np.stack([mask(0)]), "object_ids": IDS}, "'object_ids' has 2 values for 1 mask"),
        ({"masks": np.stack([mask(0)] * 3), "object_ids": IDS}, r"\(3, 4, 5\) for 2 objects"),
        (
            {"masks": np.stack([mask(0)]), "object_ids": IDS[:1], "scores": np.ones(9)},
            "'scores' has 9 values for 1 mask",
        ),
        (
            {"masks": np.stack([mask(0), mask(1)]), "object_ids": np.array([1, 1])},
            "lists an object id twice",
        ),
        (
            {"masks": np.stack([mask(0), mask(1)]), "object_ids": IDS, "scores": np.array([0.5])},
            r"'scores' has shape \(1,\)",
        ),
        ({"masks": np.stack([mask(0)]), "object_ids": np.array([0.5])}, "holds float64"),
        ({str(1 << 24): mask(0)}, "has object ids outside 0 to"),
        ({"9" * 5000: mask(0)}, "has an array '999"),
        ({"\u0663": mask(0)}, "has an array '\u0663'"),
        ({"masks": np.stack([mask(0)]), "object_ids": np.array([-1])}, "has object ids outside 0"),
        (
            {
                "masks": np.stack([mask(0), mask(1)]),
                "object_ids": IDS,
                "scores": np.array(["a", "b"]),
            },
            "no finite values",
        ),
    ],
)
def test_a_bad_archive(archives, arrays, message):
    np.savez(archives / "0001" / "1.npz", **arrays)
    refused(archives, message)


def test_a_truncated_archive(archives):
    path = archives / "0001" / "1.npz"
    path.write_bytes(path.read_bytes()[:-40])
    assert refused(archives, r"cannot be read as \.npz").where == str(path)


def test_an_archive_whose_array_is_damaged(archives):
    path = archives / "0001" / "1.npz"
    data = bytearray(path.read_bytes())
    data[180:184] = b"\xff\xff\xff\xff"  # within the pixels of the first mask, which has a checksum
    path.write_bytes(data)
    assert refused(archives, r"cannot be read as \.npz").where == str(path)


def test_scores_tell_which_mask_is_in_front(archives):
    found = {"masks": np.stack([mask(0, 1), mask(1)]), "object_ids": IDS}
    np.savez(archives / "0001" / "0.npz", **found, scores=np.array([0.2, 0.9]))
    first = open_maps(archives, KITTI).sequences[0].read(0)
    assert first.ids[:2, 0].tolist() == [1, 2]
    np.savez(archives / "0001" / "0.npz", **found, scores=np.array([0.9, 0.2]))
    assert open_maps(archives, KITTI).sequences[0].read(0).ids[:2, 0].tolist() == [1, 1]


def test_an_object_numbered_0_is_an_object(archives):
    np.savez(archives / "0001" / "1.npz", **{"0": mask(0), "1": mask(1)})
    sequence = open_maps(archives, KITTI).sequences[0]
    assert sequence.read(1).ids[:2, 0].tolist() == [1, 2]
    assert sequence.read(0).ids[:2, 0].tolist() == [2, 3]


@pytest.mark.parametrize("ids", [[], np.array([], dtype=np.int64)])
def test_a_stack_without_masks_has_no_object(archives, ids):
    np.savez(archives / "0001" / "1.npz", masks=np.zeros((0, 4, 5)), object_ids=ids)
    sequence = open_maps(archives, KITTI).sequences[0]
    assert (sequence.read(1).classes == VOID).all()


def test_frames_of_an_archive_are_numbered(tmp_path):
    stacked = np.stack([np.stack([mask(0), mask(1)])] * 3)
    np.savez(tmp_path / "bear.npz", masks=stacked, object_ids=IDS, frames=np.array([7, 8, 9]))
    (tmp_path / "object_classes.yaml").write_text(CLASSES)
    (sequence,) = open_maps(tmp_path, KITTI).sequences
    assert (sequence.parts, sequence.frame_names) == (("bear",), ("000007", "000008", "000009"))
    np.savez(tmp_path / "bear.npz", masks=stacked, object_ids=IDS, frames=np.array([7, 8]))
    refused(tmp_path, "'frames' does not number 3 frames")
    for frames in (["a", "b", "c"], [0.5, 1, 2], [np.nan, 1, 2], [-1, 0, 1], [1j, 2, 3]):
        np.savez(tmp_path / "bear.npz", masks=stacked, object_ids=IDS, frames=np.array(frames))
        refused(tmp_path, "'frames' does not number 3 frames")


def test_a_huge_array_is_refused_unread(archives, monkeypatch):
    monkeypatch.setattr("mapt_bench.numpy_files.working_memory", lambda: 10)
    refused(archives, "was not read; write one file for each frame")


# JSON of videos

SQUARE = [[0, 0, 3, 0, 3, 3]]
RUNS = {"size": list(SIZE), "counts": [4, 4, 12]}


def videos(folder, segmentations=(RUNS, None), **changes):
    video = {"id": 1, "height": 4, "width": 5, "file_names": ["a/0.jpg", "a/1.jpg"]}
    entry = {"id": 1, "video_id": 1, "category_id": CAR, "segmentations": list(segmentations)}
    data = {
        "videos": [{**video, **changes.pop("video", {})}],
        "categories": [{"id": CAR, "name": "car"}],
        "annotations": [{**entry, **changes.pop("entry", {})}],
        **changes,
    }
    folder.mkdir(exist_ok=True)
    (folder / "instances.json").write_text(json.dumps(data))
    return folder


def test_a_good_json(tmp_path):
    opened = open_maps(videos(tmp_path, (RUNS, SQUARE)), KITTI)
    assert opened.sequences[0].read(0).classes[:, 1].tolist() == [CAR] * 4
    assert (opened.sequences[0].read(1).classes == CAR).sum() > 0
    assert check_data(tmp_path, KITTI).problems == ()


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [5, 4], "counts": [20]}, r"its size is \[5, 4\]"),
        ({"counts": [20]}, "its size is None"),
        ({"size": [4, 5], "counts": [4, 4]}, "the runs cover 8 pixels of 20"),
        ({"size": [4, 5], "counts": [4, -4, 20]}, "counts are neither text nor a list"),
        ({"size": [4, 5], "counts": "x"}, "malformed mask"),
        ({"size": [4, 5]}, "counts are neither"),
        ([[0, 0, 3, 0]], "fewer than three points"),
        ([[0, 0, 3, 0, 3, 3, 1]], "half a point"),
        ([[0, 0, 3, 0, 3, "x"]], "a coordinate is not a number"),
        (7, "it is a int"),
        ({"size": [4, 5], "counts": [1 << 63, 4, 16]}, "counts are neither text nor a list"),
        ([[0, 0, 1e9, 0, 3, 1e9]], "a coordinate is far outside the frame"),
    ],
)
def test_a_bad_mask(tmp_path, segmentation, message):
    refused(videos(tmp_path, (segmentation, None)), message)


ENTRY = {"id": 1, "video_id": 1, "category_id": CAR, "segmentations": [RUNS, None]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"segmentations": [RUNS]}, "has 1 mask for video 1, which has 2 frames"),
        ({"entry": {"video_id": 2}}, "for video 2, which has none"),
        ({"entry": {"category_id": 7}}, "category 7 is unknown"),
        ({"entry": {"category_id": [7]}}, r"category \[7\] is unknown"),
        ({"entry": {"id": {}}}, "has id {}; expected a number"),
        ({"categories": [{"id": [], "name": "car"}]}, "category .* is malformed"),
        ({"categories": [{"id": 1, "name": []}]}, "category .* is malformed"),
        ({"categories": 7}, "category 7 is malformed"),
        ({"entry": {"segmentations": 7}}, "segmentations are not a list"),
        ({"entry": {"score": "high"}}, "score is 'high'"),
        ({"entry": {"track_id": "7"}}, "track_id is '7'"),
        ({"annotations": [ENTRY, ENTRY]}, "annotation 1 has id 1, as one before"),
        (
            {"annotations": [{**ENTRY, "track_id": 7}, {**ENTRY, "id": 2, "track_id": 7}]},
            "annotations 0 and 1 have track_id 7",
        ),
        ({"annotations": [{**ENTRY, "id": 2}, ENTRY]}, "overlap in 4 pixels"),
        ({"annotations": [{"video_id": 1, "segmentations": []}]}, "it has no category_id"),
        ({"annotations": [[], {"segmentations": 0}]}, "annotation 0 is malformed"),
        (
            {"categories": [{"id": 1, "name": "caar"}]},
            "'caar', which is not a thing .*mean",
        ),
        ({"categories": [{"id": 1}]}, "category .* is malformed"),
        ({"video": {"height": 0}}, "has height 0 and width 5"),
        ({"video": {"length": 3}}, "length 3"),
        ({"video": {"file_names": ["a/0.jpg", "b/0.jpg"]}}, "1 of them different"),
        ({"videos": []}, "in an unknown shape"),
        ({"videos": [{}]}, "a video is malformed"),
    ],
)
def test_a_bad_json_of_videos(tmp_path, changes, message):
    refused(videos(tmp_path, **changes), message)


@pytest.mark.parametrize("name", ["../../planted", "/planted", "..", ".", ""])
def test_names_of_videos_lead_downwards(tmp_path, name):
    of_id = videos(
        tmp_path / "a", video={"id": name, "file_names": ["0", "1"]}, entry={"video_id": name}
    )
    of_files = videos(tmp_path / "b", video={"file_names": [f"{name}/0", f"{name}/1"]})
    for folder in (of_id, of_files):
        (sequence,) = open_maps(folder, KITTI).sequences
        assert sequence.parts
        assert not {"..", "/", "", "."} & {*sequence.parts}


def test_a_link_that_leads_to_itself_is_named():
    loop = RuntimeError("Symlink loop from '/a/b.png'")
    assert machine_fault(loop).where == "/a/b.png"
    assert machine_fault(RuntimeError("another")) is None


def test_a_truncated_json(tmp_path):
    path = videos(tmp_path) / "instances.json"
    path.write_text(path.read_text()[:-5])
    refused(tmp_path, "is malformed JSON")


def test_two_json_files(tmp_path):
    text = (videos(tmp_path) / "instances.json").read_text()
    (tmp_path / "other.json").write_text(text)
    refused(tmp_path, "holds 2 JSON files")


def test_a_huge_json_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "TEXT_LIMIT", 10)
    refused(videos(tmp_path), "has 0 MiB; JSON and YAML are read up to 0 MiB")


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ([[RUNS, None], [RUNS]], "have 1, 2 masks"),
        ([[{"size": 7, "counts": [20]}]], "height 0 and width 0"),
        ([[SQUARE]], "states its size"),
    ],
)
def test_bad_results(tmp_path, masks, message):
    found = [{"video_id": 1, "category_id": CAR, "score": 0.5, "segmentations": m} for m in masks]
    (tmp_path / "results.json").write_text(json.dumps(found))
    refused(tmp_path, message)


# What states the encoding, and how an image is turned


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_turned_png_is_refused(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode_png(np.zeros((*SIZE, 3), dtype=np.uint8))
    body = exif.tobytes().removeprefix(b"Exif\x00\x00")
    path = tmp_path / "0.png"
    path.write_bytes(data[:33] + chunk(b"eXIf", body) + data[33:])
    if orientation == 1:
        assert load_png(path).header.size == SIZE
    else:
        refused(tmp_path, f"orientation {orientation}")


def test_a_dataset_file_that_contradicts_a_json_is_refused(tmp_path):
    codes = pack_codes(np.zeros(SIZE, dtype=int), np.zeros(SIZE, dtype=int))
    with KittiStepWriter(tmp_path, KITTI) as writer:
        writer.write("0001", "000000", PanopticMap(codes))
    entry = {"file_name": "0001/000000.png", "segments_info": []}
    (tmp_path / "panoptic.json").write_text(json.dumps({"annotations": [entry]}))
    message = rf"states encoding 'kitti-step', but {tmp_path}/panoptic.json says 'coco-panoptic'"
    with pytest.raises(DataError, match=message) as caught:
        open_maps(tmp_path)
    assert caught.value.where == str(tmp_path / "dataset.json")
    assert open_maps(tmp_path, encoding="kitti-step").encoding == "kitti-step"


def test_a_json_of_a_folder_above_does_not_contradict_a_dataset_file(tmp_path):
    codes = pack_codes(np.zeros(SIZE, dtype=int), np.zeros(SIZE, dtype=int))
    with KittiStepWriter(tmp_path / "mine", KITTI) as writer:
        writer.write("0001", "000000", PanopticMap(codes))
    entry = {"file_name": "mine/panoptic_maps/val/0001/000000.png", "segments_info": []}
    (tmp_path / "other.json").write_text(json.dumps({"annotations": [entry]}))
    assert open_maps(tmp_path / "mine").encoding == "kitti-step"


def test_a_malformed_mark_of_objects_only(tmp_path):
    codes = pack_codes(np.zeros(SIZE, dtype=int), np.zeros(SIZE, dtype=int))
    with KittiStepWriter(tmp_path, KITTI, objects_only=True) as writer:
        writer.write("0001", "000000", PanopticMap(codes))
    path = tmp_path / "dataset.json"
    path.write_text(path.read_text().replace('"objects_only": true', '"objects_only": "yes"'))
    with pytest.raises(DataError, match="'objects_only' is 'yes'"):
        open_maps(tmp_path)


def test_check_notes_identities_on_stuff_and_unknown_classes(tmp_path, palettes):
    (palettes / "object_classes.yaml").unlink()
    (note,) = check_data(palettes, KITTI).notes
    assert "objects have no class" in note
    pixels = np.zeros((*SIZE, 3), dtype=np.uint8)
    pixels[0, 0] = (0, 0, 7)
    (tmp_path / "stuff").mkdir()
    (tmp_path / "stuff" / "0.png").write_bytes(encode_png(pixels))
    report = check_data(tmp_path / "stuff", KITTI)
    assert report.problems == ()
    assert "identities on road, which the label space 'kitti-step' calls stuff" in report.notes[0]
    assert report.to_dict()["notes"] == list(report.notes)


# Masks in Python


def test_a_map_of_masks():
    found = map_of_masks(
        {7: mask(0)[None], 9: mask(1).astype(np.uint8)}, {7: "car", 9: "person"}, KITTI
    )
    assert found.classes[:3, 0].tolist() == [CAR, PERSON, 255]
    assert found.ids[:3, 0].tolist() == [7, 9, BACKGROUND_ID]
    front = map_of_masks({1: mask(0, 1), 2: mask(1)}, "car", KITTI, scores={1: 0.2, 2: 0.9})
    assert front.ids[:2, 0].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("masks", "classes", "message"),
    [
        ({}, "car", "expected at least one"),
        ({0: mask(0)}, "car", "ids from 1"),
        ({1: mask(0)}, {2: "car"}, "object 1 has no class"),
        ({1: mask(0)}, "road", "'road' is stuff"),
        ({1: mask(0)}, "cra", "did you mean 'car'"),
        ({1: mask(0), 2: np.ones((2, 2), dtype=bool)}, "car", r"mask of shape \(2, 2\)"),
        ({1: mask(0), 2: mask(0)}, "car", "overlap in 5 pixels"),
    ],
)
def test_masks_that_make_no_map(masks, classes, message):
    with pytest.raises(MaptBenchError, match=message):
        map_of_masks(masks, classes, "kitti-step")


def test_each_mask_has_two_axes_and_a_score():
    with pytest.raises(DataError, match=r"object 2 has a mask of shape \(4,\)"):
        map_of_masks({1: mask(0), 2: np.ones(4, dtype=bool)}, "car", KITTI)
    with pytest.raises(DataError, match="object 2 has no score; add it"):
        map_of_masks({1: mask(0), 2: mask(1)}, "car", KITTI, scores={1: 0.5})


# Fingerprints


@pytest.mark.parametrize("kind", ["palettes", "archives"])
def test_classes_are_part_of_the_fingerprint(request, kind):
    folder = request.getfixturevalue(kind)
    first = maps_fingerprint(open_maps(folder, KITTI).sequences)
    assert maps_fingerprint(open_maps(folder, KITTI).sequences) == first
    (folder / "object_classes.yaml").write_text('{"default": "person"}')
    os.utime(folder / "object_classes.yaml", (1, 1))
    assert maps_fingerprint(open_maps(folder, KITTI).sequences) != first


def test_the_json_of_segments_is_part_of_the_fingerprint(tmp_path):
    path = tmp_path / "0.png"
    path.write_bytes(encode_png(np.array([[[1, 0, 0]]], dtype=np.uint8)))
    found = set()
    for number in (CAR, PERSON):
        entry = {"file_name": "0.png", "segments_info": [{"id": 1, "category_id": number}]}
        (tmp_path / "x.json").write_text(json.dumps({"annotations": [entry]}))
        os.utime(tmp_path / "x.json", (number, number))
        found.add(maps_fingerprint(open_maps(tmp_path, KITTI).sequences))
    assert len(found) == 2
