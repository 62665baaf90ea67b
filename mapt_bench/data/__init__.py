"""Readers, writers and checks of panoptic maps and videos on disk."""

from mapt_bench.data.encodings import encoding_names
from mapt_bench.data.folder_layout import resolve_labels
from mapt_bench.data.map_folders import (
    MapFolder,
    match_sequences,
    matching_notes,
    open_maps,
    pair_frames,
)
from mapt_bench.data.sequences import StoredSequence
from mapt_bench.data.validation import DataReport, check_data
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
