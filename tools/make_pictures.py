"""Draw the pictures of the documentation from the drawn world.

python tools/make_pictures.py
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mapt_bench.baselines import build_associator
from mapt_bench.baselines.segmenters import GroundTruthSegments
from mapt_bench.labels import Video
from mapt_bench.pictures import Prediction, VideoComparison, write_png
from mapt_bench.pictures.painting import Page, paint
from mapt_bench.pictures.track_colors import identity_color
from mapt_bench.synthetic.settings import Kind, WorldSettings
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.tracking import SegmentTracker

_PICTURES = Path(__file__).parent / "pictures"
_TRACKED = WorldSettings(kind="street", seed=32, frames=24, speed=1.5, similarity=0.5)
_TRACKED_FRAMES = (8, 9, 10)
_TRACKERS = (("Copy of the last masks", "copy", 0), ("Motion, then appearance", "both", 10))
_SCENES: dict[Kind, tuple[int, ...]] = {"street": (25, 32), "crowd": (6, 23)}
_SCENE_FRAMES = (4, 8)
_TITLE, _GAP = 24, 8

Image = NDArray[np.uint8]


def main() -> None:
    """Write every picture."""
    video = WorldVideo(_TRACKED, "street")
    predictions = [_tracked(video, *tracker) for tracker in _TRACKERS]
    strip = VideoComparison(video, predictions, _TRACKED_FRAMES, scale=1.25).strip()
    write_png(_PICTURES / "tracks.png", strip)
    every = range(video.info.frame_count)
    write_png(_PICTURES / "timeline.png", VideoComparison(video, predictions, every).timeline())
    for kind, seeds in _SCENES.items():
        rows = [_scene(WorldVideo(WorldSettings(kind=kind, seed=seed), kind)) for seed in seeds]
        write_png(_PICTURES / f"world_{kind}.png", np.concatenate(rows, axis=0))


def _tracked(video: Video, title: str, associator: str, memory: int) -> Prediction:
    """Link the true segments from the first frame on."""
    tracker = SegmentTracker(
        GroundTruthSegments(video), build_associator(associator, memory=memory)
    )
    tracker.start(video.info)
    maps = [tracker.step(video.frame(index)) for index in range(video.info.frame_count)]
    return Prediction(title, maps.__getitem__)


def _scene(video: WorldVideo) -> Image:
    """Two frames as the camera sees them, and below them their truth."""
    height, width = video.info.height, video.info.width
    sheet = Page(len(_SCENE_FRAMES) * (width + _GAP) - _GAP, _TITLE + 2 * (height + _GAP))
    sheet.text(0, _TITLE / 2, f"{video.settings.kind}, seed {video.settings.seed}", size=14)
    for column, index in enumerate(_SCENE_FRAMES):
        image = video.frame(index).image
        codes, labels = video.truth(index).codes, video.info.labels
        truth = paint(codes, labels, identity_color, image=image, zero_is_crowd=True)
        for row, picture in enumerate((image, truth)):
            sheet.paste(column * (width + _GAP), _TITLE + row * (height + _GAP), picture)
    return sheet.pixels()


if __name__ == "__main__":
    main()
