"""Encodings of panoptic maps, one module each. To add one, see :mod:`.encoding_registry`.

Importing this package registers the encodings of this project.
"""

from mapt_bench.data.encodings import (
    bdd100k,
    coco_panoptic,
    instance_png,
    kitti_step,
    mots_text,
    object_masks,
    object_png,
    two_channel,
    youtube_vis,
)
from mapt_bench.data.encodings.encoding_registry import (
    Encoding,
    FrameEncoding,
    Lacks,
    detect_encoding,
    encoding_by_name,
    encoding_names,
    encoding_suffixes,
    register_encoding,
)

__all__ = [
    "Encoding",
    "FrameEncoding",
    "Lacks",
    "bdd100k",
    "coco_panoptic",
    "detect_encoding",
    "encoding_by_name",
    "encoding_names",
    "encoding_suffixes",
    "instance_png",
    "kitti_step",
    "mots_text",
    "object_masks",
    "object_png",
    "register_encoding",
    "two_channel",
    "youtube_vis",
]
