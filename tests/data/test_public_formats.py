"""Samples of public formats: the same scores as their KITTI-STEP conversion, and bad files."""

import json
from itertools import pairwise

import numpy as np
import pytest
from helpers.object_formats import (
    as_archive_of_sequence,
    as_archives_of_frames,
    as_kitti_step,
    as_object_folders,
    as_palette,
    as_stacked_archive,
    as_vis,
    as_vis_results,
    masks_of,
    run_lengths,
)

from mapt_bench.data import KittiStepWriter, check_data, open_maps
from mapt_bench.data.png import encode_png
from mapt_bench.errors import DataError
from mapt_bench.evaluation import EvaluationSettings, evaluate_folders
from mapt_bench.labels import BACKGROUND_ID, PanopticMap, label_space, pack_codes

FRAMES, SIZE = 5, (9, 14)


def scene(labels, seed, *, stuff=(), things=(), with_void=True, crowd=(), id_limit=60):
    """Return frames of random rectangles over rows of stuff.

    Args:
        labels: Label space.
        seed: Seed.
        stuff: Class numbers of the rows. None for background without objects.
        things: Class number of each object.
        with_void: Whether a rectangle of void lies on top.
        crowd: Positions of objects without identity.
        id_limit: Identities are 1 to this.
    """
    generator = np.random.default_rng(seed)
    tracks = 1 + generator.permutation(id_limit)[: len(things)]
    corners = generator.integers(0, (SIZE[0] - 3, SIZE[1] - 4), size=(len(things) + 1, 2))
    maps = []
    for _ in range(FRAMES):
        classes = np.full(SIZE, labels.ignore_label)
        ids = np.full(SIZE, 0 if stuff else BACKGROUND_ID)
        for row, class_id in enumerate(stuff):
            classes[row * SIZE[0] // len(stuff) :] = class_id
        corners += generator.integers(-1, 2, size=corners.shape)
        corners = np.clip(corners, 0, (SIZE[0] - 3, SIZE[1] - 4))
        for number, (top, left) in enumerate(corners):
            place = slice(top, top + 3), slice(left, left + 4)
            if number < len(things):
                classes[place] = things[number]
                ids[place] = 0 if number in crowd else tracks[number]
            elif with_void:
                classes[place], ids[place] = labels.ignore_label, 0
        maps.append(PanopticMap(pack_codes(classes, ids)))
    return maps


def moved(maps):
    """Return a prediction: the maps of the frames before, so that some segments match."""
    return [maps[0], *(one for one, _ in pairwise(maps))]


def save_frames(folder, maps, save, name="{:06d}.png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number, panoptic in enumerate(maps):
        classes, ids = panoptic.classes.astype(np.int64), panoptic.ids.astype(np.int64)
        (folder / name.format(number)).write_bytes(encode_png(save(classes, ids)))
    return folder


def kitti_step(folder, maps, labels, sequence="0001"):
    with KittiStepWriter(folder, labels) as writer:
        for number, panoptic in enumerate(maps):
            writer.write(sequence, f"{number:06d}", panoptic)
    return folder


def results(gt, pred, **settings):
    return evaluate_folders(gt, [pred], EvaluationSettings(**settings))[0]


def scores(gt, pred, **settings):
    return results(gt, pred, **settings).scores


# Cityscapes-VPS and Cityscapes-DVPS

VPS = label_space("cityscapes-vps")
DVPS = label_space("cityscapes-dvps")
ROAD, BUILDING, PERSON, CAR, BUS = 0, 2, 11, 13, 15


def vps_scene(seed, labels=VPS):
    things = (CAR, PERSON, BUS, CAR)
    return scene(labels, seed, stuff=(BUILDING, ROAD), things=things, id_limit=200)


def vps_truth(classes, ids):
    values = classes * 1000 + np.where(ids > 0, ids - 1, 0)
    return np.where(classes == 255, 32000, values).astype(np.uint16)


def dvps_prediction(classes, ids):
    number = np.where(ids > 0, ids - 1, 0)
    return np.stack([np.where(classes == 255, 19, classes), number, 0 * ids], -1).astype(np.uint8)


@pytest.mark.parametrize(("labels", "save_prediction"), [(VPS, vps_truth), (DVPS, dvps_prediction)])
def test_cityscapes_video_has_the_scores_of_its_conversion(tmp_path, labels, save_prediction):
    truth = {name: vps_scene(int(name) + 1, labels) for name in ("000000", "000001")}
    for name, maps in truth.items():
        gt_name = f"{name}_{{:06d}}_munster_000168_000004_gtFine_instanceTrainIds.png"
        save_frames(tmp_path / "gt", maps, vps_truth, gt_name)
        save_frames(tmp_path / "pred", moved(maps), save_prediction, f"{name}_{{:06d}}.png")
        kitti_step(tmp_path / "same_gt", maps, labels, name)
        kitti_step(tmp_path / "same_pred", moved(maps), labels, name)
    found = scores(tmp_path / "gt", tmp_path / "pred", dataset=labels)
    expected = scores(tmp_path / "same_gt", tmp_path / "same_pred")
    assert found == expected
    assert 0 < found["PQ"] < 1


def test_images_and_depths_beside_the_labels_of_dvps_are_no_labels(tmp_path):
    save_frames(tmp_path, vps_scene(1), vps_truth, "{:06d}_000000_x_gtFine_instanceTrainIds.png")
    for ending in ("leftImg8bit", "depth_718.8335469313738"):
        shade = np.zeros(SIZE, dtype=np.uint16)
        (tmp_path / f"000000_000000_x_{ending}.png").write_bytes(encode_png(shade))
    report = check_data(tmp_path, VPS)
    assert (report.encoding, report.frame_count, report.problems) == ("cityscapes", FRAMES, ())
    assert report.void_share > 0


def test_the_void_of_cityscapes_vps_is_explained(tmp_path):
    gt = save_frames(tmp_path / "gt", vps_scene(1), vps_truth)
    pred = kitti_step(tmp_path / "pred", vps_scene(2), label_space("cityscapes"))
    with pytest.raises(DataError, match=r"32 is void in Cityscapes-VPS.*--dataset cityscapes-vps"):
        scores(gt, pred, dataset="cityscapes")


# Label spaces


@pytest.mark.parametrize(
    ("name", "classes", "things", "of_number"),
    [
        ("vipseg", 124, 58, {61: "person", 1: "wall", 124: "train", 49: "car"}),
        ("bdd100k-panoptic", 40, 10, {31: "person", 1: "dynamic", 40: "truck"}),
        ("bdd100k-seg-track", 8, 8, {1: "pedestrian", 8: "bicycle"}),
        ("waymo", 28, 8, {1: "ego_vehicle", 9: "pedestrian", 20: "road", 28: "static"}),
        ("youtube-vis-2019", 40, 40, {1: "person", 40: "tennis_racket"}),
        ("youtube-vis-2021", 40, 40, {1: "airplane", 40: "zebra"}),
        ("ovis", 25, 25, {1: "Person", 25: "Vehical"}),
    ],
)
def test_label_spaces_of_data_sets(name, classes, things, of_number):
    labels = label_space(name)
    assert (len(labels.classes), len(labels.thing_ids), labels.ignore_label) == (classes, things, 0)
    assert {number: labels.by_id(number).name for number in of_number} == of_number


# Objects only: palette PNG, archives of masks, YouTube-VIS

KITTI = label_space("kitti-step")
WHOLE = frozenset({"PAT", "PQ", "PTQ", "sPTQ", "STQ", "SQ", "VPQ", "LSTQ", "DSTQ"})
DEPTH = frozenset({"DQ", "DSTQ"})  # the samples have no depth


def objects(seed, labels=KITTI, things=(CAR, PERSON, CAR, PERSON), **more):
    return scene(labels, seed, things=things, **more)


FORMATS = {
    "palette": as_palette,
    "archives": as_archives_of_frames,
    "archive": as_archive_of_sequence,
    "stacked": as_stacked_archive,
    "object-folders": as_object_folders,
    "object-folders-1-bit": lambda folder, maps: as_object_folders(folder, maps, "1"),
    "object-folders-palette": lambda folder, maps: as_object_folders(folder, maps, "P"),
    "vis": as_vis,
    "vis-uncompressed": lambda folder, maps: as_vis(folder, maps, compressed=False),
}


@pytest.mark.parametrize("name", FORMATS)
def test_objects_only_have_the_scores_of_their_conversion(tmp_path, name):
    # Only palettes store void beside background.
    truth = objects(3, with_void=name == "palette")
    prediction = moved(truth)
    gt, pred = FORMATS[name](tmp_path / "gt", truth), FORMATS[name](tmp_path / "pred", prediction)
    same_gt, same_pred = (
        as_kitti_step(tmp_path / "same" / side, maps)
        for side, maps in (("gt", truth), ("pred", prediction))
    )
    found = scores(gt, pred)
    assert found == scores(same_gt, same_pred)
    assert found == scores(gt, same_pred)
    assert found == scores(same_gt, pred)
    assert 0 < found["HOTA"] < 1
    assert check_data(gt, KITTI).problems == ()


def test_folders_of_sam_2_need_a_hint_or_the_option(tmp_path):
    # Sequences named 001, 002 with one object each look the same.
    truth = objects(3, with_void=False, id_limit=9)
    gt, pred = (
        as_object_folders(tmp_path / side, maps, "P")
        for side, maps in (("gt", truth), ("pred", moved(truth)))
    )
    expected = scores(gt, pred)
    for folder in (gt, pred):
        (folder / "object_classes.yaml").write_text("default: car")
    with pytest.raises(DataError, match=r"palette-png .* and as object-folders .*--encoding"):
        scores(gt, pred)
    named = {"gt_encoding": "object-folders", "encoding": "object-folders"}
    assert scores(gt, pred, **named)["AQ"] == expected["AQ"]
    assert open_maps(gt, KITTI, encoding="palette-png").sequences[0].parts == ("0001", "001")
    (gt / "object_classes.yaml").write_text("sequences: {'002': {1: car}, '001': {1: car}}")
    assert open_maps(gt, KITTI).encoding == "palette-png"


def test_an_object_without_file_is_not_in_the_frame(tmp_path):
    truth = objects(3, with_void=False)
    folder = as_object_folders(tmp_path, truth)
    first = sorted((folder / "0001").iterdir())[0]
    (first / "00002.png").unlink()
    opened = open_maps(folder, KITTI).sequences[0]
    assert len(opened.frame_names) == FRAMES
    assert int(first.name) in opened.read(1).ids
    assert int(first.name) not in opened.read(2).ids


def test_objects_from_0_in_folders_are_objects(tmp_path):
    folder = as_object_folders(tmp_path, objects(3, with_void=False, id_limit=4))
    (folder / "0001" / "001").rename(folder / "0001" / "000")
    (folder / "object_classes.yaml").write_text("default: car")
    found = open_maps(folder, KITTI).sequences[0].read(0)
    is_object = found.classes != KITTI.ignore_label
    assert set(np.unique(found.ids[is_object])) <= {1, 3, 4, 5}
    assert 1 in found.ids


def test_objects_without_class_ignore_the_file_of_classes(tmp_path):
    gt, pred = (as_palette(tmp_path / side, objects(2, with_void=False)) for side in ("gt", "pred"))
    (gt / "object_classes.yaml").write_text("default: person")
    (pred / "object_classes.yaml").unlink()
    settings = EvaluationSettings(dataset="objects")
    assert evaluate_folders(gt, [pred], settings)[0].scores["HOTA"] == 1


@pytest.mark.parametrize("write", [as_vis, as_stacked_archive])
def test_videos_without_any_object_are_read(tmp_path, write):
    background = PanopticMap(
        pack_codes(np.full((4, 5), KITTI.ignore_label), np.full((4, 5), BACKGROUND_ID))
    )
    (sequence,) = open_maps(write(tmp_path / "maps", [background] * 3), KITTI).sequences
    assert len(sequence.frame_names) == 3
    np.testing.assert_array_equal(sequence.read(2).codes, background.codes)


def test_results_of_youtube_vis_take_names_from_the_ground_truth(tmp_path):
    truth = objects(3, with_void=False)
    gt = as_vis(tmp_path / "gt", truth)
    found = scores(gt, as_vis_results(tmp_path / "results", moved(truth)))
    assert found == scores(gt, as_vis(tmp_path / "pred", moved(truth)))


def test_a_video_without_results_has_no_object(tmp_path):
    gt = as_vis(tmp_path / "gt", objects(3, with_void=False))
    data = json.loads((gt / "instances.json").read_text())
    other = {**data["videos"][0], "id": 8}
    other["file_names"] = [name.replace("0001/", "0002/") for name in other["file_names"]]
    both = [*data["annotations"], {**data["annotations"][0], "id": 99, "video_id": 8}]
    data = {**data, "videos": [*data["videos"], other], "annotations": both}
    (gt / "instances.json").write_text(json.dumps(data))
    pred = as_vis_results(tmp_path / "pred", objects(3, with_void=False))
    found = results(gt, pred)
    assert found.per_sequence["0001"]["HOTA"] == 1
    assert found.per_sequence["0002"]["HOTA"] == 0


def test_results_by_number_need_the_label_space_of_the_data(tmp_path):
    gt = as_vis(tmp_path / "gt", objects(3, with_void=False))
    data = json.loads((gt / "instances.json").read_text())
    data["categories"] = [{"id": PERSON, "name": "car"}, {"id": CAR, "name": "person"}]
    (gt / "instances.json").write_text(json.dumps(data))
    with pytest.raises(DataError, match="states categories by number, but"):
        scores(gt, as_vis_results(tmp_path / "pred", objects(3, with_void=False)))


def test_the_higher_score_is_in_front(tmp_path):
    pred = as_vis_results(tmp_path, objects(3, with_void=False))
    entry = json.loads((pred / "results.json").read_text())[0]
    mask = np.zeros(SIZE, dtype=bool)
    mask[:2, :2] = True
    whole = {"size": list(SIZE), "counts": run_lengths(mask, compressed=True)}
    entries = [
        {**entry, "segmentations": [whole], "score": score, "category_id": class_id}
        for score, class_id in ((0.2, PERSON), (0.9, CAR))
    ]
    (pred / "results.json").write_text(json.dumps(entries))
    opened = open_maps(pred, KITTI)
    assert set(np.unique(opened.sequences[0].read(0).classes)) == {CAR, 255}
    assert "all results are scored, also those with low scores (from 0.2)" in opened.notes[0]


def test_polygons_are_filled(tmp_path):
    folder = as_vis(tmp_path, objects(3, with_void=False))
    data = json.loads((folder / "instances.json").read_text())
    square = [[2, 1, 6, 1, 6, 4, 2, 4]]
    data["annotations"] = [{**data["annotations"][0], "segmentations": [square] * FRAMES}]
    (folder / "instances.json").write_text(json.dumps(data))
    panoptic = open_maps(folder, KITTI).sequences[0].read(0)
    rows, columns = np.nonzero(panoptic.classes != 255)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 3, 2, 5)


def test_objects_against_a_whole_ground_truth_have_the_scores_of_objects(tmp_path):
    whole = scene(KITTI, 4, stuff=(BUILDING, ROAD), things=(CAR, PERSON, CAR))
    objects_of = [
        PanopticMap(np.where(KITTI.is_thing_table[one.classes], one.codes, 0xFFFFFFFF))
        for one in moved(whole)
    ]
    gt = kitti_step(tmp_path / "gt", whole, KITTI)
    found = results(gt, as_palette(tmp_path / "pred", objects_of), intervals=True)
    full = scores(gt, kitti_step(tmp_path / "full", moved(whole), KITTI))
    assert {name for name, value in found.scores.items() if value is None} == WHOLE | DEPTH
    assert "labels objects only (palette-png)" in found.undefined["PQ"]
    for name in set(full) - WHOLE:
        assert found.scores[name] == full[name], name
    assert found.per_class[str(ROAD)]["PQ"] is None
    assert found.per_class[str(CAR)]["PQ"] is not None
    assert not WHOLE & set(found.intervals)


def test_objects_without_class_have_the_association_score_only(tmp_path):
    truth = objects(5)
    gt = as_kitti_step(tmp_path / "gt", truth)
    pred = as_palette(tmp_path / "pred", moved(truth))
    expected = scores(gt, pred)["AQ"]
    (pred / "object_classes.yaml").unlink()
    found = results(gt, pred)
    assert {name for name, value in found.scores.items() if value is not None} == {"AQ"}
    assert found.scores["AQ"] == expected
    assert "have no class" in found.undefined["HOTA"]
    with pytest.raises(DataError, match="states no class of its objects"):
        scores(pred, gt)


def test_objects_without_class_on_both_sides(tmp_path):
    truth = objects(5)
    gt, pred = as_palette(tmp_path / "gt", truth), as_palette(tmp_path / "pred", moved(truth))
    for folder in (gt, pred):
        (folder / "object_classes.yaml").unlink()
    found = scores(gt, pred, dataset="objects")
    assert found["HOTA"] is not None
    assert check_data(gt, label_space("objects")).problems == ()


# BDD100K, Waymo and VIPSeg

BDD = label_space("bdd100k-panoptic")
SEG_TRACK = label_space("bdd100k-seg-track")
WAYMO = label_space("waymo")


def bitmask(labels):
    def save(classes, ids):
        is_void = classes == labels.ignore_label
        is_background = is_void & (ids == BACKGROUND_ID)
        is_crowd = labels.is_thing_table[classes] & (ids == 0)
        attributes = np.where(is_void & ~is_background, 1, np.where(is_crowd, 2 + 4, 8))
        ids = np.where(labels.is_thing_table[classes], np.where(is_crowd, 999, ids), 0)
        attributes = np.where(is_background, 0, attributes)
        channels = [np.where(is_void, 0, classes), attributes, ids >> 8, ids & 255]
        return np.stack(channels, axis=-1).astype(np.uint8)

    return save


@pytest.mark.parametrize(
    ("labels", "stuff", "things"), [(BDD, (7, 10), (31, 35, 35, 33)), (SEG_TRACK, (), (1, 3, 3, 8))]
)
def test_bdd100k_has_the_scores_of_its_conversion(tmp_path, labels, stuff, things):
    truth = scene(labels, 6, stuff=stuff, things=things, crowd=(2,), id_limit=900)
    gt = save_frames(tmp_path / "gt" / "0001", truth, bitmask(labels)).parent
    pred = save_frames(tmp_path / "pred" / "0001", moved(truth), bitmask(labels)).parent
    same = []
    for side, maps in (("a", truth), ("b", moved(truth))):
        with KittiStepWriter(tmp_path / side, labels, objects_only=not stuff) as writer:
            for number, panoptic in enumerate(maps):
                writer.write("0001", f"{number:06d}", panoptic)
        same.append(tmp_path / side)
    found = scores(gt, pred, dataset=labels)
    assert found == scores(*same)
    assert 0 < found["HOTA"] < 1
    report = check_data(gt, labels)
    assert (report.encoding, report.problems) == ("bdd100k", ())
    assert report.crowd_share > 0


def test_bitmasks_without_identity_are_refused(tmp_path):
    pixels = np.zeros((*SIZE, 4), dtype=np.uint8)
    pixels[:2, :2] = (3, 0, 0, 0)
    (tmp_path / "0.png").write_bytes(encode_png(pixels))
    with pytest.raises(DataError, match="4 pixels of classes 3 have identity 0"):
        open_maps(tmp_path, SEG_TRACK).sequences[0].read(0)
    pixels[..., 1] = 200
    (tmp_path / "0.png").write_bytes(encode_png(pixels))
    with pytest.raises(DataError, match="has attributes up to 200"):
        open_maps(tmp_path, SEG_TRACK).sequences[0].read(0)


def test_waymo_has_the_scores_of_its_conversion(tmp_path):
    truth = scene(WAYMO, 7, stuff=(19, 20), things=(2, 9, 9, 2), crowd=(1,), id_limit=900)

    def save(classes, ids):
        return (classes * 1000 + ids).astype(np.uint16)

    gt = save_frames(tmp_path / "gt", truth, save)
    pred = save_frames(tmp_path / "pred", moved(truth), save)
    same = [
        kitti_step(tmp_path / side, maps, WAYMO)
        for side, maps in (("a", truth), ("b", moved(truth)))
    ]
    found = scores(gt, pred, dataset="waymo")
    assert found == scores(*same)
    assert 0 < found["PQ"] < 1
    assert check_data(gt, WAYMO).encoding == "waymo"


def test_masks_and_json_of_vipseg_count_classes_differently(tmp_path):
    masks = np.array([[0, 1, 6100, 6101]], dtype=np.uint16)
    (tmp_path / "0.png").write_bytes(encode_png(masks))
    found = {
        name: open_maps(tmp_path, name, encoding="vipseg").sequences[0].read(0)
        for name in ("vipseg", "vipseg-coco")
    }
    assert found["vipseg"].classes.tolist() == [[0, 1, 61, 61]]
    assert found["vipseg-coco"].classes.tolist() == [[255, 0, 60, 60]]
    assert found["vipseg"].ids.tolist() == found["vipseg-coco"].ids.tolist() == [[0, 0, 1, 2]]
    for space, number in (("vipseg", 61), ("vipseg-coco", 60)):
        assert label_space(space).by_id(number).name == "person"


def test_json_of_vipseg_without_categories_needs_its_own_label_space(tmp_path):
    (tmp_path / "0.png").write_bytes(encode_png(np.array([[[1, 0, 0]]], dtype=np.uint8)))
    entry = {"file_name": "0.png", "segments_info": [{"id": 1, "category_id": 60}]}
    (tmp_path / "pred.json").write_text(json.dumps({"annotations": [entry]}))
    with pytest.raises(DataError, match="--dataset vipseg-coco"):
        open_maps(tmp_path, "vipseg")
    assert open_maps(tmp_path, "vipseg-coco").sequences[0].read(0).classes.tolist() == [[60]]


# MOTS Challenge as TrackEval expects it, MOTChallenge-STEP

STEP = label_space("motchallenge-step")


def mots_lines(maps, first):
    return "".join(
        f"{number} {2000 + identity - 1} 2 {SIZE[0]} {SIZE[1]} "
        f"{run_lengths(mask, compressed=True)}\n"
        for number, one in enumerate(maps, start=first)
        for identity, mask in masks_of(one).items()
    )


def challenge(folder, maps, **info):
    info = {"seqLength": len(maps) + 2, "imHeight": SIZE[0], "imWidth": SIZE[1], **info}
    sequence = folder / "MOTS20-02"
    for name in ("gt", "det"):
        (sequence / name).mkdir(parents=True)
    (sequence / "gt" / "gt.txt").write_text(mots_lines(maps, first=1))
    (sequence / "det" / "det.txt").write_text("1,-1,7,8,9,10,0.5,-1,-1,-1\n")
    lines = [f"{key}={value}" for key, value in info.items()]
    (sequence / "seqinfo.ini").write_text("\n".join(["[Sequence]", "name=MOTS20-02", *lines]))
    return folder


def test_the_layout_of_mots_challenge_has_the_scores_of_its_conversion(tmp_path):
    person = STEP.by_name("person").class_id
    truth = scene(STEP, 8, things=(person,) * 4, with_void=False)
    gt = challenge(tmp_path / "gt", truth)
    (tmp_path / "mine" / "data").mkdir(parents=True)
    (tmp_path / "mine" / "data" / "MOTS20-02.txt").write_text(mots_lines(moved(truth), first=1))
    found = scores(gt, tmp_path / "mine", dataset=STEP)
    nothing = PanopticMap(np.full(SIZE, 255 << 24 | BACKGROUND_ID, dtype=np.uint32))
    same = []
    for side, maps in (("a", truth), ("b", moved(truth))):
        with KittiStepWriter(tmp_path / side, STEP, objects_only=True) as writer:
            for number, panoptic in enumerate([*maps, nothing, nothing], start=1):
                writer.write("MOTS20-02", f"{number:06d}", panoptic)
        same.append(tmp_path / side)
    assert found == scores(*same)
    assert 0 < found["HOTA"] < 1
    report = check_data(gt, STEP)
    assert (report.frame_count, report.problems) == (FRAMES + 2, ())


@pytest.mark.parametrize("info", [{"seqLength": 3}, {"imHeight": 99}, {"imWidth": "x"}])
def test_a_seqinfo_that_contradicts_the_text_is_refused(tmp_path, info):
    person = STEP.by_name("person").class_id
    truth = scene(STEP, 8, things=(person,) * 4, with_void=False)
    with pytest.raises(DataError, match=r"seqLength|object in frame") as caught:
        open_maps(challenge(tmp_path, truth, **info), STEP)
    assert caught.value.where.endswith("seqinfo.ini")


def test_motchallenge_step_is_read_as_kitti_step(tmp_path):
    person = STEP.by_name("person").class_id
    truth = scene(STEP, 9, stuff=(0, 1), things=(person,) * 4)
    for side, maps in (("gt", truth), ("pred", moved(truth))):
        for number, panoptic in enumerate(maps, start=1):
            path = tmp_path / side / "train" / "0002" / f"{number:06d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            ids = panoptic.ids
            channels = [panoptic.classes, ids >> 8, ids & 255]
            path.write_bytes(encode_png(np.stack(channels, axis=-1).astype(np.uint8)))
    found = results(tmp_path / "gt", tmp_path / "pred", dataset=STEP)
    assert list(found.per_sequence) == ["0002"]
    assert found.scores == scores(
        kitti_step(tmp_path / "a", truth, STEP), kitti_step(tmp_path / "b", moved(truth), STEP)
    )
