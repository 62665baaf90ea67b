"""Readers, writers and checks of panoptic maps and videos on disk."""

from mapt_bench.data.check import check_data
from mapt_bench.data.dataset_file import resolve_labels
from mapt_bench.data.encodings import encoding_names
from mapt_bench.data.map_folder import MapFolder, open_maps
from mapt_bench.data.matching import match_sequences, matching_notes, pair_frames
from mapt_bench.data.report import DataReport
from mapt_bench.data.sequences import StoredSequence
from mapt_bench.data.videos import open_videos
from mapt_bench.data.writers import (
    CocoPanopticWriter,
    KittiStepWriter,
    MapWriter,
    MotsTextWriter,
)

__all__ = [
    "CocoPanopticWriter",
    "DataReport",
    "KittiStepWriter",
    "MapFolder",
    "MapWriter",
    "MotsTextWriter",
    "StoredSequence",
    "check_data",
    "encoding_names",
    "match_sequences",
    "matching_notes",
    "open_maps",
    "open_videos",
    "pair_frames",
    "resolve_labels",
]
