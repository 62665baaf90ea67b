"""Draw the pictures of the documentation from the embedded clip.

python docs/make_pictures.py
"""

import colorsys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from mapt_bench.baselines.catalog import build_associator
from mapt_bench.baselines.segmenters import GroundTruthSegments
from mapt_bench.data.clip import ClipVideo, clip_videos
from mapt_bench.labels import ID_BITS, PanopticMap
from mapt_bench.tracking import SegmentTracker

mpl.use("Agg")

_HERE = Path(__file__).parent
_SEQUENCE = 3
_FRAMES = (6, 7, 8)
_GOLDEN_RATIO = 0.61803398875


def main() -> None:
    """Write ``docs/pictures/tracks.png``."""
    import matplotlib.pyplot as plt

    video = clip_videos()[_SEQUENCE]
    rows = {"Ground truth": [video.truth(index) for index in range(video.info.frame_count)]}
    for label, name in (("Copy of the last masks", "copy"), ("Motion, then appearance", "both")):
        tracker = SegmentTracker(
            GroundTruthSegments(video), build_associator(name, memory=10 if name == "both" else 0)
        )
        tracker.start(video.info)
        rows[label] = [tracker.step(video.frame(index)) for index in range(video.info.frame_count)]
    height, width = video.info.height, video.info.width
    figure, axes = plt.subplots(
        len(rows),
        len(_FRAMES),
        figsize=(4.6 * len(_FRAMES), len(rows) * (4.6 * height / width + 0.28)),
        layout="constrained",
    )
    for row, (label, maps) in enumerate(rows.items()):
        for column, index in enumerate(_FRAMES):
            place = axes[row, column]
            place.imshow(_painted(video, index, maps[index]), interpolation="lanczos")
            place.set_xticks([])
            place.set_yticks([])
            place.spines[:].set_visible(False)
            title = f"{label}, frame {index}" if column == 0 else f"frame {index}"
            place.set_title(title, fontsize=11, loc="left", pad=3)
    target = _HERE / "pictures" / "tracks.png"
    target.parent.mkdir(exist_ok=True)
    figure.savefig(target, dpi=100, metadata={"Software": None})


def _painted(video: ClipVideo, index: int, panoptic: PanopticMap) -> NDArray[np.uint8]:
    """Return the frame with every thing tinted by its identity and outlined."""
    image = video.frame(index).image.astype(np.float64)
    codes = panoptic.codes
    is_thing = video.info.labels.is_thing_table[codes >> ID_BITS] & (panoptic.ids > 0)
    tint = np.zeros_like(image)
    for code in np.unique(codes[is_thing]):
        hue = (int(code) & 0xFFFF) * _GOLDEN_RATIO % 1.0
        tint[codes == code] = 255 * np.array(colorsys.hsv_to_rgb(hue, 0.85, 1.0))
    image[is_thing] = 0.35 * image[is_thing] + 0.65 * tint[is_thing]
    edge = np.zeros_like(is_thing)
    edge[:, 1:] |= codes[:, 1:] != codes[:, :-1]
    edge[1:] |= codes[1:] != codes[:-1]
    image[edge & is_thing] = 255
    return image.astype(np.uint8)


if __name__ == "__main__":
    main()
