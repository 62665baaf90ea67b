"""Random scenes, each side in any encoding: the scores of KITTI-STEP maps, or a refusal."""

import json
from functools import partial

import numpy as np
import pytest
from helpers.maps import CAR, KITTI, PERSON, VOID
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
)
from hypothesis import given, settings
from hypothesis import strategies as st

from mapt_bench.data import map_format
from mapt_bench.data.png import encode_png
from mapt_bench.errors import MaptBenchError
from mapt_bench.evaluation import EvaluationSettings, evaluate_folders
from mapt_bench.labels import BACKGROUND_ID, PanopticMap, pack_codes
from mapt_bench.metrics import SCORE_NAMES


def written(name, folder, maps, *, objects_only=False, stated=True):
    """Write maps by the writer of an encoding. Without ``dataset.json``, files are the evidence."""
    with map_format(name).open(folder, KITTI, objects_only=objects_only) as writer:
        for number, panoptic in enumerate(maps):
            writer.write("0001", f"{number:06d}", panoptic)
    if not stated:
        (folder / "dataset.json").unlink()


def nested_coco(folder, maps):
    written("coco-panoptic", folder, maps, stated=False)
    data = json.loads((folder / "panoptic.json").read_text())
    videos = [{"video_id": "0001", "annotations": data["annotations"]}]
    (folder / "panoptic.json").write_text(json.dumps({"annotations": videos}))


def save_pngs(folder, maps, values_of):
    (folder / "0001").mkdir(parents=True)
    for number, panoptic in enumerate(maps):
        values = values_of(panoptic.classes.astype(np.int64), panoptic.ids.astype(np.int64))
        path = folder / "0001" / f"{number:06d}.png"
        path.write_bytes(encode_png(values.astype(np.uint16)))


def grey_alpha(folder, maps):
    save_pngs(folder, maps, lambda *both: np.stack(both, axis=-1))


def mots_png(folder, maps):
    def values(classes, ids):
        background = np.where(ids == BACKGROUND_ID, 0, 10000)
        objects = np.where(classes == CAR, 1000, 2000) + ids - 1
        return np.where(classes == VOID, background, objects)

    save_pngs(folder, maps, values)


def sparse_folders(folder, maps):
    """Remove the empty masks of objects. A frame without object has no file then."""
    as_object_folders(folder, maps)
    for number, panoptic in enumerate(maps):
        here = masks_of(panoptic)
        for path in folder.glob(f"0001/*/{number:05d}.png"):
            if int(path.parent.name) not in here:
                path.unlink()


WHOLE = {
    **{
        f"{name}, {'stated' if stated else 'detected'}": partial(written, name, stated=stated)
        for name in ("kitti-step", "coco-panoptic", "two-channel", "cityscapes", "vipseg")
        for stated in (True, False)
    },
    "waymo, stated": partial(written, "waymo"),
    "nested coco": nested_coco,
    "grey-alpha": grey_alpha,
}

OBJECTS = {
    **{
        name: partial(written, name, objects_only=True)
        for name in (
            "kitti-step",
            "coco-panoptic",
            "two-channel",
            "mots-txt",
            "youtube-vis",
            "palette-png",
            "object-masks",
        )
    },
    "mots-txt, detected": partial(written, "mots-txt", objects_only=True, stated=False),
    "mots-png": mots_png,
    "palette": as_palette,
    "archives": as_archives_of_frames,
    "archive": as_archive_of_sequence,
    "stacked": as_stacked_archive,
    "object-folders": as_object_folders,
    "object-folders, 1 bit": partial(as_object_folders, mode="1"),
    "object-folders, palette": partial(as_object_folders, mode="P"),
    "object-folders, sparse": sparse_folders,
    "vis": as_vis,
    "vis, run lengths": partial(as_vis, compressed=False),
}
RESULTS = {**OBJECTS, "vis results": as_vis_results}
KEEPING_VOID = {
    name for name in OBJECTS if name.startswith(("kitti", "coco", "two", "mots", "palette"))
}


@st.composite
def scenes(draw, *, only_objects):
    """Draw frames of rectangles: of things and void over two classes of stuff or background."""
    height, width = draw(st.integers(3, 9)), draw(st.integers(3, 12))
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    count = draw(st.integers(1, 6))
    things = generator.choice((CAR, PERSON), size=count)
    tracks = 1 + generator.permutation(99)[:count]
    with_void = draw(st.booleans())
    with_crowd = not only_objects and draw(st.booleans())
    maps = []
    for _ in range(draw(st.integers(1, 5))):
        classes = np.full((height, width), VOID if only_objects else 2)
        ids = np.full((height, width), BACKGROUND_ID if only_objects else 0)
        if not only_objects:
            classes[: height // 2] = 8
        for number in range(count):
            if generator.random() < 0.25:
                continue  # not in this frame
            top, left = generator.integers(0, (height - 1, width - 1))
            place = slice(top, top + 3), slice(left, left + 4)
            classes[place] = things[number]
            ids[place] = 0 if with_crowd and number == 0 else tracks[number]
        if with_void:
            classes[-1, :2], ids[-1, :2] = VOID, 0
        maps.append(PanopticMap(pack_codes(classes, ids)))
    return maps, with_void


def scores(gt, pred):
    (result,) = evaluate_folders(gt, [pred], EvaluationSettings(dataset=KITTI))
    return {name: result.scores[name] for name in SCORE_NAMES}


def assert_same(found, expected):
    defined = {name: value for name, value in expected.items() if value is not None}
    assert {name for name, value in found.items() if value is not None} == defined.keys()
    assert {name: found[name] for name in defined} == pytest.approx(defined, rel=1e-12)


def shaken(maps, seed):
    """Return a prediction: some frames of the ground truth in another order of identities."""
    generator = np.random.default_rng(seed)
    return [maps[int(generator.integers(len(maps)))] if generator.random() < 0.4 else one
            for one in maps]  # fmt: skip


def plain(folder, maps, *, only_objects):
    if only_objects:
        as_kitti_step(folder, maps)
    else:
        written("kitti-step", folder, maps)


REFUSALS = ("--encoding", "--frames", "--size", "lacks", "no frame", "not a map in any")
"""Parts of the messages for scenes that an encoding alone does not tell."""

CASES = {
    "whole": (False, False),
    "objects": (True, True),
    "objects against whole maps": (False, True),
    "whole maps against objects": (True, False),
}


@pytest.mark.parametrize("case", CASES)
@settings(deadline=None, max_examples=10)
@given(data=st.data())
def test_any_two_encodings_have_the_scores_of_kitti_step(tmp_path_factory, case, data):
    gt_objects, pred_objects = CASES[case]
    truth, has_void = data.draw(scenes(only_objects=gt_objects))
    seed = data.draw(st.integers(0, 10**6))
    prediction = shaken(truth, seed)
    if gt_objects != pred_objects:
        prediction = [other_kind(one, pred_objects) for one in prediction]
    known = {True: OBJECTS, False: WHOLE}
    gts, preds = known[gt_objects], RESULTS if pred_objects else WHOLE
    if has_void and gt_objects:
        gts = {name: gts[name] for name in gts if name in KEEPING_VOID}
    if has_void and gt_objects and pred_objects:
        preds = {name: preds[name] for name in preds if name in KEEPING_VOID}
    gt_name, pred_name = (data.draw(st.sampled_from(sorted(each))) for each in (gts, preds))
    folder = tmp_path_factory.mktemp("scene")
    plain(folder / "gt", truth, only_objects=gt_objects)
    plain(folder / "pred", prediction, only_objects=pred_objects)
    expected = scores(folder / "gt", folder / "pred")
    gts[gt_name](folder / "a" / "gt", truth)
    preds[pred_name](folder / "a" / "pred", prediction)
    try:
        found = scores(folder / "a" / "gt", folder / "a" / "pred")
    except MaptBenchError as problem:
        refusal = problem.message
    else:
        assert_same(found, expected)
        return
    assert any(words in refusal for words in REFUSALS), refusal


def other_kind(panoptic, only_objects):
    """Return the objects of a whole map over background, or objects over stuff."""
    classes, ids = panoptic.classes.astype(np.int64), panoptic.ids.astype(np.int64)
    is_object = KITTI.is_thing_table[classes] & (ids > 0)
    below = (VOID, BACKGROUND_ID) if only_objects else (2, 0)
    return PanopticMap(
        pack_codes(np.where(is_object, classes, below[0]), np.where(is_object, ids, below[1]))
    )
