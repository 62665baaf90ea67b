"""The same scene in every encoding, on both sides, in every combination: the same scores."""

import json
from itertools import product

import numpy as np
import pytest
from helpers.maps import CAR, KITTI, PERSON, VOID

from mapt_bench.data import CocoPanopticWriter, KittiStepWriter, MotsTextWriter
from mapt_bench.data.png import encode_png
from mapt_bench.evaluation import EvaluationSettings, evaluate_folders
from mapt_bench.labels import BACKGROUND_ID, PanopticMap, pack_codes
from mapt_bench.metrics import SCORE_NAMES

FRAMES, SIZE = 5, (8, 12)


def scene(seed, *, with_crowd, only_objects=False):
    """Random rectangles of things and void over two classes of stuff, or things over background.

    There is no class 0, which VIPSeg cannot store, and no void in MOTS, whose writer omits it.
    """
    generator = np.random.default_rng(seed)
    maps = []
    tracks = generator.integers(1, 40, size=6)
    for _ in range(FRAMES):
        classes = np.full(SIZE, VOID if only_objects else 2)
        ids = np.full(SIZE, BACKGROUND_ID if only_objects else 0)
        if not only_objects:
            classes[: SIZE[0] // 2] = 8
        for number, track in enumerate(tracks):
            top, left = generator.integers(0, SIZE[0] - 3), generator.integers(0, SIZE[1] - 3)
            place = slice(top, top + 3), slice(left, left + 3)
            kind = (CAR, PERSON, CAR, VOID, PERSON, CAR)[number]
            if only_objects and kind == VOID:
                continue
            classes[place] = kind
            ids[place] = 0 if kind == VOID or (with_crowd and number == 1) else track
        maps.append(PanopticMap(pack_codes(classes, ids)))
    return maps


def save_each(folder, maps, save):
    for number, panoptic in enumerate(maps):
        path = folder / "0001" / f"{number:06d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path, panoptic.classes.astype(np.int64), panoptic.ids.astype(np.int64))


def png(path, pixels, dtype):
    path.with_suffix(".png").write_bytes(encode_png(pixels.astype(dtype)))


def joined(factor, void):
    def save(path, classes, ids):
        values = np.where(ids > 0, classes * factor + ids - 1, classes)
        png(path, np.where(classes == VOID, void, values), np.uint16)

    return lambda folder, maps: save_each(folder, maps, save)


def two_channel(folder, maps):
    save_each(folder, maps, lambda path, *both: np.save(f"{path}.npy", np.stack(both, axis=-1)))


def grey_alpha(folder, maps):
    save_each(folder, maps, lambda path, *both: png(path, np.stack(both, axis=-1), np.uint16))


def written(writer):
    def write(folder, maps):
        with writer(folder, KITTI) as open_writer:
            for number, panoptic in enumerate(maps):
                open_writer.write("0001", f"{number:06d}", panoptic)
        (folder / "dataset.json").unlink()  # nothing but the evidence is left

    return write


def nested(folder, maps):
    written(CocoPanopticWriter)(folder, maps)
    data = json.loads((folder / "panoptic.json").read_text())
    videos = [{"video_id": "0001", "annotations": data["annotations"]}]
    (folder / "panoptic.json").write_text(json.dumps({"annotations": videos}))


WHOLE = {
    "kitti-step": written(KittiStepWriter),
    "two-channel": two_channel,
    "grey-alpha": grey_alpha,
    "cityscapes": joined(1000, 65535),
    "vipseg": joined(100, 0),
    "coco": written(CocoPanopticWriter),
    "nested coco": nested,
}


def mots_png(folder, maps):
    def save(path, classes, ids):
        values = np.where(classes == CAR, 1000, 2000) + ids - 1
        values[classes == VOID] = 0
        png(path, values, np.uint16)

    save_each(folder, maps, save)


OBJECTS = {"mots-txt": written(MotsTextWriter), "mots-png": mots_png}


def scores(gt, pred):
    (result,) = evaluate_folders(gt, [pred], EvaluationSettings())
    return {name: result.scores[name] for name in SCORE_NAMES}


@pytest.mark.parametrize(("encodings", "only_objects"), [(WHOLE, False), (OBJECTS, True)])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_combination_of_encodings_has_the_same_scores(
    tmp_path, encodings, only_objects, seed
):
    sides = {
        "gt": scene(seed, with_crowd=not only_objects, only_objects=only_objects),
        "pred": scene(seed + 50, with_crowd=False, only_objects=only_objects),
    }
    # The prediction has the first frames of the ground truth, so that something matches.
    sides["pred"][:3] = sides["gt"][:3]
    for side, maps in sides.items():
        for name, write in encodings.items():
            write(tmp_path / side / name, maps)
    found = {
        pair: scores(tmp_path / "gt" / pair[0], tmp_path / "pred" / pair[1])
        for pair in product(encodings, repeat=2)
    }
    first = next(iter(found.values()))
    assert 0 < first["PQ"] < 1
    assert 0 < first["HOTA"] < 1
    for pair, one in found.items():
        assert one == pytest.approx(first, rel=1e-12), pair
