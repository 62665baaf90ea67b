"""Draw the pictures of the stressors, on a street of the drawn world.

python docs/make_stress_pictures.py [NAME...]
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.stress import (
    LEVEL_COUNT,
    Stress,
    StressKind,
    stress_entries,
    stress_entry,
    stress_video,
)
from mapt_bench.data.world.settings import WorldSettings
from mapt_bench.data.world.video import WorldVideo
from mapt_bench.labels import ID_BITS, ID_LIMIT, Video
from mapt_bench.pictures import write_png
from mapt_bench.pictures.colors import identity_color
from mapt_bench.pictures.lettering import Sheet
from mapt_bench.pictures.painting import paint

_PICTURES = Path(__file__).parent / "pictures"
_KINDS = get_args(StressKind)
_STREET = WorldVideo(WorldSettings(kind="street", seed=8, frames=30), "street")
_FRAME, _EARLY_FRAME = 14, 2
_COLUMNS = 2
_CAPTION, _GAP, _NOTE = 24, 8, 22

Image = NDArray[np.uint8]


def main(names: Sequence[str]) -> None:
    """Write ``docs/pictures/stress_<name>.png`` for the stressors named, or for all."""
    every = [entry.name for kind in _KINDS for entry in stress_entries(kind)]
    for name in names or every:
        write_png(_PICTURES / f"stress_{name}.png", _sheet(name))


def _sheet(name: str) -> Image:
    """Lay out the untouched frame and the five levels, row by row."""
    levels = [None, *(Stress(name, level) for level in range(1, LEVEL_COUNT + 1))]
    videos = [stress_video(_STREET, stress) for stress in levels]
    draw, index, note = _manner(name, videos)
    height, width = _STREET.info.height, _STREET.info.width
    rows = -(-len(videos) // _COLUMNS)
    sheet = Sheet(_COLUMNS * (width + _GAP) + _GAP, rows * (height + _CAPTION + _GAP) + _NOTE)
    for number, (stress, video) in enumerate(zip(levels, videos, strict=True)):
        row, column = divmod(number, _COLUMNS)
        x = _GAP + column * (width + _GAP)
        y = row * (height + _CAPTION + _GAP)
        title = "untouched" if stress is None else f"level {stress.level}: {stress.label}"
        sheet.text(x, y + _CAPTION / 2 + 2, title, size=14)
        sheet.paste(x, y + _CAPTION, draw(video, index))
    sheet.text(_GAP, rows * (height + _CAPTION + _GAP) + _NOTE / 2 - 2, note, size=13)
    return sheet.pixels()


def _manner(name: str, videos: Sequence[Video]) -> tuple[Callable[[Video, int], Image], int, str]:
    """Return how a stressor is shown, on which frame, and in what words."""
    kind, summary = stress_entry(name).kind, stress_entry(name).summary
    summary = summary[0].upper() + summary[1:]
    if kind == "occlusion":
        note = "things coloured by the truth"
        return _painted, _busiest(videos), f"{summary}; {note}"
    if name in {"drop", "speed", "shake"}:
        note = "outlined: where each thing was one frame before"
        return _with_outlines, _FRAME if name == "shake" else _EARLY_FRAME, f"{summary}; {note}"
    if name == "exposure":
        return _two_halves, _FRAME, f"{summary}; left half: a frame, right half: the next one"
    return _plain, _FRAME, summary


def _busiest(videos: Sequence[Video]) -> int:
    """Return the frame in which the most things are less visible than without stress."""
    plain, *stressed = videos

    def hidden(index: int) -> int:
        before = _areas(plain, index)
        return sum(
            _areas(video, index).get(code, 0) < 0.9 * area
            for video in stressed
            for code, area in before.items()
        )

    return max(range(plain.info.frame_count), key=hidden)


def _areas(video: Video, index: int) -> dict[int, int]:
    codes, counts = np.unique(video.truth(index).codes, return_counts=True)
    areas = zip(codes.tolist(), counts.tolist(), strict=True)
    return {code: area for code, area in areas if _is_tracked(video, code)}


def _is_tracked(video: Video, code: int) -> bool:
    return bool(video.info.labels.is_thing_table[code >> ID_BITS] and code & (ID_LIMIT - 1))


def _plain(video: Video, index: int) -> Image:
    return video.frame(index).image


def _two_halves(video: Video, index: int) -> Image:
    middle = video.info.width // 2
    halves = [video.frame(index).image[:, :middle], video.frame(index + 1).image[:, middle:]]
    return np.hstack(halves)


def _painted(video: Video, index: int) -> Image:
    return paint(
        video.truth(index).codes,
        video.info.labels,
        identity_color,
        image=video.frame(index).image,
        zero_is_crowd=True,
    )


def _with_outlines(video: Video, index: int) -> Image:
    """Paint a frame, and outline the things of the frame before."""
    picture = _painted(video, index)
    before = video.truth(index - 1).codes
    for code in np.unique(before).tolist():
        if _is_tracked(video, code):
            mask = (before == code).astype(np.uint8)
            lines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.polylines(picture, lines, True, (255, 255, 255), 3, cv2.LINE_AA)
            cv2.polylines(picture, lines, True, identity_color(code), 1, cv2.LINE_AA)
    return picture


if __name__ == "__main__":
    main(sys.argv[1:])
