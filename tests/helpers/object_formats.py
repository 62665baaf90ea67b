"""Writers of public formats of objects, for tests. They take frames of KITTI-STEP's classes."""

import json

import numpy as np
from helpers.maps import CAR, KITTI, PERSON
from PIL import Image
from pycocotools import mask as coco_mask

from mapt_bench.data import KittiStepWriter


def name_classes(folder, sequences):
    (folder / "object_classes.yaml").write_text(json.dumps({"sequences": sequences}))


def classes_of(maps):
    """Return the class name of each object."""
    codes = {int(code) for one in maps for code in np.unique(one.codes)}
    return {
        str(code & 0xFFFFFF): KITTI.by_id(code >> 24).name for code in codes if code >> 24 != 255
    }


def palette_png(path, indices, colours=256):
    image = Image.fromarray(indices.astype(np.uint8), mode="P")
    image.putpalette([value % 256 for value in range(3 * colours)])
    image.save(path)


def indices_of(panoptic):
    is_ignored = panoptic.codes == 255 << 24
    return np.where(panoptic.classes == 255, np.where(is_ignored, 255, 0), panoptic.ids)


def as_palette(folder, maps):
    (folder / "0001").mkdir(parents=True)
    for number, panoptic in enumerate(maps):
        palette_png(folder / "0001" / f"{number:05d}.png", indices_of(panoptic))
    name_classes(folder, {"0001": classes_of(maps)})
    return folder


def masks_of(panoptic):
    """Return the mask of each object, by identity."""
    codes = [int(code) for code in np.unique(panoptic.codes) if int(code) >> 24 != 255]
    return {code & 0xFFFFFF: panoptic.codes == code for code in codes}


def as_object_folders(folder, maps, mode="L", name="0001", frame="{:05d}.png"):
    """Write a folder for each object. Palettes have the values 0 and 1, grey ones 0 and 255."""
    ids = sorted({identity for one in maps for identity in masks_of(one)})
    (folder / name).mkdir(parents=True)
    for identity in ids:
        place = folder / name / f"{identity:03d}"
        place.mkdir()
        for number, panoptic in enumerate(maps):
            mask = masks_of(panoptic).get(identity, np.zeros(maps[0].shape, dtype=bool))
            if mode == "P":
                palette_png(place / frame.format(number), mask)
            else:
                Image.fromarray(mask.astype(np.uint8) * 255).convert(mode).save(
                    place / frame.format(number)
                )
    name_classes(folder, {name: classes_of(maps)})
    return folder


def as_archives_of_frames(folder, maps):
    (folder / "0001").mkdir(parents=True)
    for number, panoptic in enumerate(maps):
        found = {str(identity): mask[None] for identity, mask in masks_of(panoptic).items()}
        np.savez_compressed(folder / "0001" / f"{number:06d}.npz", **found)
    name_classes(folder, {"0001": classes_of(maps)})
    return folder


def as_archive_of_sequence(folder, maps):
    folder.mkdir(parents=True)
    found = {
        f"{number}/{identity}": mask.astype(np.uint8)
        for number, panoptic in enumerate(maps)
        for identity, mask in masks_of(panoptic).items()
    }
    np.savez(folder / "0001.npz", **found)
    name_classes(folder, {"0001": classes_of(maps)})
    return folder


def as_stacked_archive(folder, maps):
    folder.mkdir(parents=True)
    ids = sorted({identity for one in maps for identity in masks_of(one)})
    none = np.zeros(maps[0].shape, dtype=bool)
    stacked = [[masks_of(one).get(identity, none) for identity in ids] for one in maps]
    masks = np.array(stacked, dtype=bool).reshape(len(maps), len(ids), *none.shape)
    np.savez(folder / "0001.npz", masks=masks, object_ids=np.array(ids))
    name_classes(folder, {"0001": classes_of(maps)})
    return folder


def run_lengths(mask, *, compressed):
    flat = mask.T.ravel()
    if compressed:
        return coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    edges = np.flatnonzero(np.diff(flat.astype(np.int8))) + 1
    bounds = [0, *edges.tolist(), flat.size]
    lengths = np.diff(bounds).tolist()
    return [0, *lengths] if flat[0] else lengths


def as_vis(folder, maps, *, compressed=True):
    folder.mkdir(parents=True, exist_ok=True)
    height, width = maps[0].shape
    codes = sorted({int(c) for one in maps for c in np.unique(one.codes) if int(c) >> 24 != 255})
    annotations = [
        {
            "id": number,
            "video_id": 7,
            "category_id": code >> 24,
            "iscrowd": 0,
            "segmentations": [
                {"size": list(one.shape), "counts": run_lengths(mask, compressed=compressed)}
                if (mask := one.codes == code).any()
                else None
                for one in maps
            ],
        }
        for number, code in enumerate(codes, start=1)
    ]
    names = [f"0001/{number:05d}.jpg" for number in range(len(maps))]
    video = {"id": 7, "height": height, "width": width, "length": len(maps), "file_names": names}
    things = [{"id": CAR, "name": "car"}, {"id": PERSON, "name": "person"}]
    data = {"videos": [video], "categories": things, "annotations": annotations}
    (folder / "instances.json").write_text(json.dumps(data))
    return folder


def as_vis_results(folder, maps):
    as_vis(folder, maps)
    data = json.loads((folder / "instances.json").read_text())
    found = [
        {**{k: one[k] for k in ("video_id", "category_id", "segmentations")}, "score": 0.5}
        for one in data["annotations"]
    ]
    (folder / "instances.json").rename(folder / "results.json")
    (folder / "results.json").write_text(json.dumps(found))
    return folder


def as_kitti_step(folder, maps):
    with KittiStepWriter(folder, KITTI, objects_only=True) as writer:
        for number, panoptic in enumerate(maps):
            writer.write("0001", f"{number:06d}", panoptic)
    return folder
