"""Pictures of panoptic videos: painted frames side by side, films, and timelines of tracks."""

from mapt_bench.pictures.exhibit import Exhibit, Prediction
from mapt_bench.pictures.frame_choice import choose_frames
from mapt_bench.pictures.opening import open_predictions, open_video
from mapt_bench.pictures.output import picture_format, write_film, write_png
from mapt_bench.pictures.tracks import TrackTable, match_tracks

__all__ = [
    "Exhibit",
    "Prediction",
    "TrackTable",
    "choose_frames",
    "match_tracks",
    "open_predictions",
    "open_video",
    "picture_format",
    "write_film",
    "write_png",
]
