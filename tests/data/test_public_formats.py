"""Samples of public formats: the same scores as their KITTI-STEP conversion, and bad files."""

from itertools import pairwise

import numpy as np
import pytest

from mapt_bench.data import KittiStepWriter, check_data
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
