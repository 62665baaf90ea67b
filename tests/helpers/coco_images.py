"""COCO panoptic folders of images of different sizes, painted from rectangles."""

import json

import numpy as np

from mapt_bench.data.png import encode_png

CATEGORIES = (
    {"id": 0, "name": "road", "isthing": 0},
    {"id": 2, "name": "building", "isthing": 0},
    {"id": 11, "name": "person", "isthing": 1},
    {"id": 13, "name": "car", "isthing": 1},
)


def write_side(folder, images, side):
    """Write ``<side>/<name>.png`` and ``<side>.json``.

    Args:
        folder: Folder that holds both sides.
        images: For each image its ``name``, ``size`` (height, width), and for each side rectangles
            ``(id, category, crowd, top, left, height, width)``, painted in this order on void.
        side: ``gt`` or ``pred``.
    """
    (folder / side).mkdir(parents=True)
    annotations = []
    for image in images:
        ids = np.zeros(image["size"], dtype=np.uint32)
        info = {}
        for identity, category, crowd, top, left, height, width in image[side]:
            ids[top : top + height, left : left + width] = identity
            info[identity] = {"id": identity, "category_id": category, "iscrowd": crowd}
        rgb = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=-1).astype(np.uint8)
        (folder / side / f"{image['name']}.png").write_bytes(encode_png(rgb))
        segments = [
            {**info[one], "area": int((ids == one).sum())} for one in np.unique(ids).tolist() if one
        ]
        annotations.append(
            {
                "image_id": int(image["name"]),
                "file_name": f"{image['name']}.png",
                "segments_info": segments,
            }
        )
    data = {"categories": CATEGORIES, "annotations": annotations}
    (folder / f"{side}.json").write_text(json.dumps(data))
