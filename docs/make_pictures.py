"""Draw the pictures of the documentation from the embedded clip.

python docs/make_pictures.py
"""

from pathlib import Path

from mapt_bench.baselines.catalog import build_associator
from mapt_bench.baselines.segmenters import GroundTruthSegments
from mapt_bench.data.clip import ClipVideo
from mapt_bench.pictures import Exhibit, Prediction, write_png
from mapt_bench.tracking import SegmentTracker

_PICTURES = Path(__file__).parent / "pictures"
_SEQUENCE = "fast"
_FRAMES = (6, 7, 8)
_TRACKERS = (("Copy of the last masks", "copy", 0), ("Motion, then appearance", "both", 10))


def main() -> None:
    """Write ``docs/pictures/tracks.png`` and ``docs/pictures/timeline.png``."""
    video = ClipVideo(_SEQUENCE)
    predictions = [_tracked(video, *tracker) for tracker in _TRACKERS]
    write_png(_PICTURES / "tracks.png", Exhibit(video, predictions, _FRAMES, scale=1.25).strip())
    every = range(video.info.frame_count)
    write_png(_PICTURES / "timeline.png", Exhibit(video, predictions, every).timeline())


def _tracked(video: ClipVideo, title: str, associator: str, memory: int) -> Prediction:
    """Link the true segments from the first frame on."""
    tracker = SegmentTracker(
        GroundTruthSegments(video), build_associator(associator, memory=memory)
    )
    tracker.start(video.info)
    maps = [tracker.step(video.frame(index)) for index in range(video.info.frame_count)]
    return Prediction(title, maps.__getitem__)


if __name__ == "__main__":
    main()
