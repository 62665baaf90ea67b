"""Pictures of panoptic videos: frames side by side, animations, and timelines of tracks."""

from mapt_bench.metrics.track_table import TrackTable, match_tracks, tracks_of
from mapt_bench.pictures._files import (
    choose_frames,
    open_predictions,
    open_video,
    picture_format,
    write_animation,
    write_png,
)
from mapt_bench.pictures._video_comparison import Prediction, VideoComparison
from mapt_bench.pictures.track_colors import Palette

__all__ = [
    "Palette",
    "Prediction",
    "TrackTable",
    "VideoComparison",
    "choose_frames",
    "match_tracks",
    "open_predictions",
    "open_video",
    "picture_format",
    "tracks_of",
    "write_animation",
    "write_png",
]
