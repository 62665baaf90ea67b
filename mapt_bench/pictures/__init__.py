"""Pictures of panoptic videos: frames side by side, animations, and timelines of tracks."""

from mapt_bench.pictures._files import (
    choose_frames,
    open_predictions,
    open_video,
    picture_format,
    write_animation,
    write_png,
)
from mapt_bench.pictures._painting import track_timeline
from mapt_bench.pictures._video_comparison import Prediction, VideoComparison
from mapt_bench.pictures.track_colors import TrackTable, match_tracks, tracks_of

__all__ = [
    "Prediction",
    "TrackTable",
    "VideoComparison",
    "choose_frames",
    "match_tracks",
    "open_predictions",
    "open_video",
    "picture_format",
    "track_timeline",
    "tracks_of",
    "write_animation",
    "write_png",
]
