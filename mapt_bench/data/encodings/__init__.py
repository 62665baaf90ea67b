"""Encodings of panoptic maps, one module each. To add one, see :mod:`.encoding_registry`.

Importing this package registers the encodings of this project.
"""

from mapt_bench.data.encodings import (
    coco_panoptic,
    instance_png,
    kitti_step,
    mots_text,
    two_channel,
)
from mapt_bench.data.encodings.encoding_registry import (
    Encoding,
    FrameEncoding,
    detect_encoding,
    encoding_by_name,
    encoding_names,
    encoding_suffixes,
    register_encoding,
)

__all__ = [
    "Encoding",
    "FrameEncoding",
    "coco_panoptic",
    "detect_encoding",
    "encoding_by_name",
    "encoding_names",
    "encoding_suffixes",
    "instance_png",
    "kitti_step",
    "mots_text",
    "register_encoding",
    "two_channel",
]
