"""Readers, writers and checks of panoptic maps and videos on disk."""

from mapt_bench.data.dataset_file import resolve_labels
from mapt_bench.data.encodings import Encoding, FrameEncoding, encoding_names, register_encoding
from mapt_bench.data.encodings.coco_panoptic import CocoPanopticWriter
from mapt_bench.data.encodings.kitti_step import KittiStepWriter
from mapt_bench.data.encodings.mots_text import MotsTextWriter
from mapt_bench.data.folder_validation import DataReport, check_data
from mapt_bench.data.map_folders import (
    MapFolder,
    match_sequences,
    matching_notes,
    open_maps,
)
from mapt_bench.data.mask_painting import map_of_masks
from mapt_bench.data.matching import pair_frames
from mapt_bench.data.sequences import MapWriter, StoredSequence
from mapt_bench.data.videos import open_videos
from mapt_bench.data.writers import MapFormat, map_format, writer_names

__all__ = [
    "CocoPanopticWriter",
    "DataReport",
    "Encoding",
    "FrameEncoding",
    "KittiStepWriter",
    "MapFolder",
    "MapFormat",
    "MapWriter",
    "MotsTextWriter",
    "StoredSequence",
    "check_data",
    "encoding_names",
    "map_format",
    "map_of_masks",
    "match_sequences",
    "matching_notes",
    "open_maps",
    "open_videos",
    "pair_frames",
    "register_encoding",
    "resolve_labels",
    "writer_names",
]
