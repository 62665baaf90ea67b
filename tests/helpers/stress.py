"""What the tests of stressors share: videos to put under stress, and how they differ after it."""

import numpy as np
from helpers.annotated_scenes import AnnotatedScene
from helpers.scenes import Box, DrawnVideo

from mapt_bench.labels import ID_BITS, ID_LIMIT, WrappedVideo
from mapt_bench.stress import StressKind, stress_entries
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.synthetic.world_settings import WorldSettings

EVERY = [entry for kind in StressKind.__args__ for entry in stress_entries(kind)]
EVERYWHERE = [entry.name for entry in EVERY if not entry.world_only]
VOID_CODE = 255 << ID_BITS
FRAMES = 14
RECORDED = WrappedVideo(
    WorldVideo(
        WorldSettings(kind="crowd", seed=10, frames=FRAMES, height=128, width=416), "recorded"
    )
)
"""A lifelike video of which, as of a recorded one, only images and maps are known."""

CAR_1, CAR_2 = (13 << ID_BITS | track for track in (1, 2))


def boxes(frames, *starts, speed=2, y=10, size=(12, 12), gap_y=14):
    """A scene of cars 1, 2, ... that all move to the right, one row below the other."""
    height, width = size
    return [
        [
            Box(number + 1, start + speed * t, y + gap_y * number, width, height)
            for number, start in enumerate(starts)
        ]
        for t in range(frames)
    ]


def plain(frames=8, *starts, **changes):
    """Two cars in a video of which only the maps are known."""
    return DrawnVideo(boxes(frames, *(starts or (10, 30))), **changes)


def known(frames=8, *starts, **changes):
    """Two cars in a video of which everything is known."""
    return AnnotatedScene(boxes(frames, *(starts or (10, 30))), **changes)


def count(video, index, code):
    """Pixels of a code in the truth of a frame."""
    return int(np.count_nonzero(video.truth(index).codes == code))


def tracked(video, index):
    """Codes of the tracked things of a frame."""
    codes = np.unique(video.truth(index).codes)
    is_thing = video.info.labels.is_thing_table[codes >> ID_BITS]
    return [int(code) for code in codes[is_thing & (codes % ID_LIMIT > 0)]]


def changed(video, stressed, index):
    """Where image and where truth differ from those of the video without stress."""
    images = (video.frame(index).image != stressed.frame(index).image).any(axis=2)
    return images, video.truth(index).codes != stressed.truth(index).codes
