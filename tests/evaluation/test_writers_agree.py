"""Random scenes through every writer, on both sides, in every combination: the same scores.

Either every score that both encodings can express is the same, or the command refuses.
"""

from itertools import product

import numpy as np
import pytest
from helpers.maps import shared_folder

from mapt_bench.data import map_format, open_maps, writer_names
from mapt_bench.errors import MaptBenchError
from mapt_bench.evaluation import EvaluationSettings, evaluate_folders
from mapt_bench.labels import BACKGROUND_ID, PanopticMap, label_space, pack_codes
from mapt_bench.metrics import SCORE_NAMES

FRAMES, SIZE = 4, (8, 11)

WHOLE = {
    "kitti-step": ("kitti-step", "coco-panoptic", "two-channel", "cityscapes", "vipseg"),
    "cityscapes-vps": ("kitti-step", "coco-panoptic", "two-channel", "cityscapes"),
    "waymo": ("kitti-step", "coco-panoptic", "two-channel", "waymo"),
    "bdd100k-panoptic": ("kitti-step", "coco-panoptic", "two-channel", "cityscapes", "bdd100k"),
    "vipseg": ("kitti-step", "coco-panoptic", "two-channel", "vipseg"),
}
OBJECTS = {
    "kitti-step": (
        "kitti-step", "coco-panoptic", "two-channel", "mots-txt", "youtube-vis", "palette-png",
        "object-masks",
    ),
    "bdd100k-seg-track": ("kitti-step", "bdd100k", "youtube-vis", "palette-png"),
    "ovis": ("kitti-step", "youtube-vis", "object-masks"),
}  # fmt: skip
KEEPING_VOID = {"kitti-step", "coco-panoptic", "two-channel", "mots-txt", "palette-png", "bdd100k"}


def scene(labels, seed, *, objects_only, with_void, with_crowd):
    """Return frames of random rectangles. Numbers of stuff are from 2, which VIPSeg can store."""
    generator = np.random.default_rng(seed)
    stuff = [number for number in labels.stuff_ids if number >= 2]
    things = generator.choice(labels.thing_ids, size=5)
    tracks = 1 + generator.permutation(40)[:5]
    maps = []
    for _ in range(FRAMES):
        void = labels.ignore_label
        classes = np.full(SIZE, void)
        ids = np.full(SIZE, BACKGROUND_ID)
        if not objects_only:
            classes[:] = np.where(np.arange(SIZE[0]) < 4, *generator.choice(stuff, 2))[:, None]
            ids[:] = 0
        for number, track in enumerate(tracks):
            top, left = generator.integers(0, (SIZE[0] - 3, SIZE[1] - 3))
            place = slice(top, top + 3), slice(left, left + 3)
            classes[place] = things[number]
            ids[place] = 0 if with_crowd and number == 0 else track
        if with_void:
            classes[5:, 7:], ids[5:, 7:] = void, 0
        maps.append(PanopticMap(pack_codes(classes, ids)))
    return maps


def write(folder, maps, labels, name, *, objects_only):
    with map_format(name).open(folder, labels, objects_only=objects_only) as writer:
        for number, panoptic in enumerate(maps):
            writer.write("0001", f"{number:06d}", panoptic)
    return folder


def scores(gt, pred, labels):
    found = evaluate_folders(gt, [pred], EvaluationSettings(dataset=labels))[0].scores
    return {name: found[name] for name in SCORE_NAMES}


def sides(labels, seed, *, objects_only, with_void=True, with_crowd=True):
    truth = scene(labels, seed, objects_only=objects_only, with_void=with_void,
                  with_crowd=with_crowd)  # fmt: skip
    other = scene(labels, seed + 9, objects_only=objects_only, with_void=with_void,
                  with_crowd=False)  # fmt: skip
    # The prediction has some frames of the ground truth, so that something matches.
    return truth, [*truth[:2], *other[2:]]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("space", WHOLE)
def test_whole_maps_have_the_same_scores_in_every_encoding(tmp_path, space, seed):
    labels = label_space(space)
    truth, prediction = sides(labels, seed, objects_only=False)
    for name in WHOLE[space]:
        write(tmp_path / "gt" / name, truth, labels, name, objects_only=False)
        write(tmp_path / "pred" / name, prediction, labels, name, objects_only=False)
    first = None
    for gt, pred in product(WHOLE[space], repeat=2):
        found = scores(tmp_path / "gt" / gt, tmp_path / "pred" / pred, labels)
        first = first or found
        assert found == pytest.approx(first, rel=1e-12, nan_ok=True), (gt, pred)
    assert 0 < first["PQ"] < 1


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("with_void", [False, True])
@pytest.mark.parametrize("space", OBJECTS)
def test_objects_have_the_same_scores_in_every_encoding(tmp_path, space, with_void, seed):
    labels = label_space(space)
    names = [name for name in OBJECTS[space] if not with_void or name in KEEPING_VOID]
    truth, prediction = sides(
        labels, seed, objects_only=True, with_void=with_void, with_crowd=False
    )
    for name in names:
        write(tmp_path / "gt" / name, truth, labels, name, objects_only=True)
        write(tmp_path / "pred" / name, prediction, labels, name, objects_only=True)
    first = None
    for gt, pred in product(names, repeat=2):
        found = scores(tmp_path / "gt" / gt, tmp_path / "pred" / pred, labels)
        first = first or found
        assert found == pytest.approx(first, rel=1e-12), (gt, pred)
    assert 0 < first["HOTA"] < 1


@pytest.mark.parametrize("seed", [1, 2])
def test_objects_against_whole_maps_have_the_same_scores_or_none(tmp_path, seed):
    labels = label_space("kitti-step")
    truth, _ = sides(labels, seed, objects_only=False)
    _, prediction = sides(labels, seed, objects_only=True, with_void=False, with_crowd=False)
    gts = [write(tmp_path / "gt" / name, truth, labels, name, objects_only=False)
           for name in WHOLE["kitti-step"]]  # fmt: skip
    preds = [write(tmp_path / "pred" / name, prediction, labels, name, objects_only=True)
             for name in OBJECTS["kitti-step"]]  # fmt: skip
    first = scores(gts[0], preds[0], labels)
    assert first["PQ"] is None
    assert first["HOTA"] is not None
    for gt, pred in product(gts, preds):
        assert scores(gt, pred, labels) == first, (gt.name, pred.name)


@pytest.mark.parametrize("seed", [1, 2])
def test_whole_maps_against_objects_have_the_same_scores(tmp_path, seed):
    labels = label_space("kitti-step")
    truth, _ = sides(labels, seed, objects_only=True, with_void=False, with_crowd=False)
    _, prediction = sides(labels, seed, objects_only=False)
    names = OBJECTS["kitti-step"]
    gts = [write(tmp_path / "gt" / name, truth, labels, name, objects_only=True) for name in names]
    preds = [
        write(tmp_path / "pred" / name, prediction, labels, name, objects_only=False)
        for name in WHOLE["kitti-step"]
    ]
    first = scores(gts[0], preds[0], labels)
    assert first["PQ"] is not None
    for gt, pred in product(gts, preds):
        assert scores(gt, pred, labels) == pytest.approx(first, rel=1e-12), (gt.name, pred.name)


@pytest.mark.parametrize("space", WHOLE)
def test_without_a_stated_encoding_the_scores_are_the_same_or_refused(tmp_path, space):
    labels = label_space(space)
    truth, prediction = sides(labels, 3, objects_only=False)
    for side, maps in (("gt", truth), ("pred", prediction)):
        for name in WHOLE[space]:
            folder = write(tmp_path / side / name, maps, labels, name, objects_only=False)
            (folder / "dataset.json").unlink()
    first, refusals = None, []
    for gt, pred in product(WHOLE[space], repeat=2):
        try:
            found = scores(tmp_path / "gt" / gt, tmp_path / "pred" / pred, labels)
        except MaptBenchError as problem:
            refusals.append(problem.message)
            continue
        first = first or found
        assert found == pytest.approx(first, rel=1e-12), (gt, pred)
    assert first is not None
    assert all("--encoding" in message for message in refusals)


@pytest.mark.parametrize("name", writer_names())
def test_a_written_folder_is_read_back(tmp_path, name):
    space = {"waymo": "waymo", "vipseg": "vipseg", "bdd100k": "bdd100k-panoptic"}.get(
        name, "kitti-step"
    )
    labels = label_space(space)
    entry = map_format(name)
    objects_only = not entry.has_stuff
    maps = scene(labels, 5, objects_only=objects_only, with_void=entry.has_void, with_crowd=False)
    write(tmp_path, maps, labels, name, objects_only=objects_only)
    opened = open_maps(tmp_path)
    (sequence,) = opened.sequences
    assert (opened.encoding, opened.labels) == (name, labels)
    for index, panoptic in enumerate(maps):
        np.testing.assert_array_equal(sequence.read(index).codes, panoptic.codes)
    lost = entry.losses(labels, objects_only=objects_only)
    assert (lost == ()) == entry.has_stuff


@pytest.mark.parametrize("name", ["kitti-step", "coco-panoptic", "two-channel", "cityscapes"])
def test_real_frames_are_read_back(tmp_path, name):
    opened = open_maps(shared_folder("data", "kitti_step_0001"))
    with map_format(name).open(tmp_path, opened.labels) as writer:
        for sequence in opened.sequences:
            for index, frame in enumerate(sequence.frame_names):
                writer.write(sequence.parts[-1], frame, sequence.read(index))
    again = open_maps(tmp_path)
    stuff = opened.labels.stuff_ids
    for sequence, copy in zip(opened.sequences, again.sequences, strict=True):
        assert copy.frame_names == sequence.frame_names
        for index in range(len(sequence.frame_names)):
            found, expected = copy.read(index), sequence.read(index)
            np.testing.assert_array_equal(found.classes, expected.classes)
            is_thing = ~np.isin(expected.classes, [*stuff, opened.labels.ignore_label])
            np.testing.assert_array_equal(found.ids[is_thing], expected.ids[is_thing])
