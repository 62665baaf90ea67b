"""Make the pictures of the stressors, on a synthetic street.

python tools/make_stress_pictures.py [NAME...]
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import ID_BITS, ID_LIMIT, AnnotatedVideo, Video
from mapt_bench.pictures import write_png
from mapt_bench.pictures._painting import Page, paint
from mapt_bench.pictures.track_colors import identity_color
from mapt_bench.stress import (
    LEVEL_COUNT,
    Stress,
    StressKind,
    stress_entries,
    stress_entry,
    stress_video,
)
from mapt_bench.stress.tracked_things import survey
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.synthetic.world_settings import WorldSettings

_PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
_KINDS = get_args(StressKind)
_SIZE = {"height": 128, "width": 416}
_STREET = WorldVideo(WorldSettings(kind="street", seed=4, frames=30, **_SIZE), "street")
_ROW_OF_CARS = WorldVideo(
    WorldSettings(kind="street", seed=5, frames=30, similarity=0, **_SIZE), "row of cars"
)
_FOLLOWED = WorldVideo(WorldSettings(kind="street", seed=2, frames=30, **_SIZE), "street")
_FRAME, _EARLY_FRAME = 14, 2
_COLUMNS = 2
_CAPTION, _GAP, _NOTE = 24, 8, 22

Image = NDArray[np.uint8]


def main(names: Sequence[str]) -> None:
    """Write ``docs/pictures/stress_<name>.png`` for the given stressors, or for all."""
    every = [entry.name for kind in _KINDS for entry in stress_entries(kind)]
    for name in names or every:
        write_png(_PICTURES / f"stress_{name}.png", _sheet(name))


def _sheet(name: str) -> Image:
    """Lay out the original frame and the five levels, row by row."""
    if name == "passing":
        return _passing_sheet()
    levels = [None, *(Stress(name, level) for level in range(1, LEVEL_COUNT + 1))]
    scene = _ROW_OF_CARS if name == "look-alikes" else _STREET
    videos = [stress_video(scene, stress) for stress in levels]
    draw, index, note = _manner(name, videos)
    height, width = scene.info.height, scene.info.width
    rows = -(-len(videos) // _COLUMNS)
    sheet = Page(_COLUMNS * (width + _GAP) + _GAP, rows * (height + _CAPTION + _GAP) + _NOTE)
    for number, (stress, video) in enumerate(zip(levels, videos, strict=True)):
        row, column = divmod(number, _COLUMNS)
        x = _GAP + column * (width + _GAP)
        y = row * (height + _CAPTION + _GAP)
        title = "original" if stress is None else f"level {stress.level}: {stress.label}"
        sheet.text(x, y + _CAPTION / 2 + 2, title, size=14)
        sheet.paste(x, y + _CAPTION, draw(video, index))
    sheet.text(_GAP, rows * (height + _CAPTION + _GAP) + _NOTE / 2 - 2, note, size=13)
    return sheet.pixels()


def _passing_sheet() -> Image:
    """Lay out one thing over time, one row per level: before, during and after the occlusion."""
    videos = {
        stress: stress_video(_FOLLOWED, stress)
        for stress in (Stress("passing", level) for level in range(1, LEVEL_COUNT + 1))
    }
    tracks = survey(_FOLLOWED).tracks
    spells = [{spell.code: spell for spell in video.occluder.spells} for video in videos.values()]
    common = set.intersection(*(set(found) for found in spells))
    code = max(common, key=lambda each: sum(box.area for box in tracks[each].values()))
    height = _FOLLOWED.info.height
    step = height + _CAPTION + _GAP
    sheet = Page(len(_MOMENTS) * (_STRIP_WIDTH + _GAP) + _GAP, LEVEL_COUNT * step + _NOTE)
    for row, ((stress, video), found) in enumerate(zip(videos.items(), spells, strict=True)):
        spell = found[code]
        for column, (words, moment) in enumerate(_MOMENTS):
            index = moment(spell.start, spell.stop)
            x, y = _GAP + column * (_STRIP_WIDTH + _GAP), row * step
            title = f"frame {index}: {words}"
            if column == 0:
                title = f"level {stress.level}: {stress.label}; frame {index}"
            sheet.text(x, y + _CAPTION / 2 + 2, title, size=12)
            left = round(tracks[code][index].centre[0] - _STRIP_WIDTH / 2)
            left = min(max(left, 0), _FOLLOWED.info.width - _STRIP_WIDTH)
            sheet.paste(x, y + _CAPTION, _painted(video, index)[:, left : left + _STRIP_WIDTH])
    note = "one thing over time, centred; things in colours of the ground truth"
    summary = stress_entry("passing").summary
    note = f"{summary[0].upper()}{summary[1:]}; {note}"
    sheet.text(_GAP, LEVEL_COUNT * step + _NOTE / 2 - 2, note, size=13)
    return sheet.pixels()


_MOMENTS: tuple[tuple[str, Callable[[int, int], int]], ...] = (
    ("half hidden", lambda start, stop: start - 1),
    ("first hidden frame", lambda start, stop: start),
    ("last hidden frame", lambda start, stop: stop - 1),
    ("half hidden", lambda start, stop: stop),
    ("visible again", lambda start, stop: stop + 1),
)
_STRIP_WIDTH = 208


def _manner(name: str, videos: Sequence[Video]) -> tuple[Callable[[Video, int], Image], int, str]:
    """Return how to draw a stressor, on which frame, and the caption."""
    kind, summary = stress_entry(name).kind, stress_entry(name).summary
    summary = summary[0].upper() + summary[1:]
    if kind == "occlusion":
        note = "things in colours of the ground truth"
        return _painted, _busiest(videos), f"{summary}; {note}"
    if name in {"drop", "speed", "shake"}:
        note = "outlines: each thing one frame before"
        return _with_outlines, _FRAME if name == "shake" else _EARLY_FRAME, f"{summary}; {note}"
    if name == "look-alikes":
        note = "outlines: look-alikes, one colour per group"
        return _with_groups, _FRAME, f"{summary}; {note}; original: none"
    if name == "exposure":
        return _two_halves, _FRAME, f"{summary}; left half: one frame, right half: the next frame"
    return _plain, _FRAME, summary


def _busiest(videos: Sequence[Video]) -> int:
    """Return the frame in which most things are less visible than without stress."""
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
            _outline(picture, before == code, identity_color(code))
    return picture


def _with_groups(video: Video, index: int) -> Image:
    """Outline the things of each group of look-alikes."""
    picture = video.frame(index).image.copy()
    if isinstance(video, AnnotatedVideo):
        codes = video.truth(index).codes
        for entry in video.objects(index):
            if entry.look_alike and entry.visible_px:
                _outline(picture, codes == entry.code, identity_color(entry.look_alike))
    return picture


def _outline(picture: Image, mask: NDArray[np.bool_], color: tuple[int, int, int]) -> None:
    how = cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    lines, _ = cv2.findContours(mask.astype(np.uint8), *how)
    cv2.polylines(picture, lines, True, (255, 255, 255), 3, cv2.LINE_AA)
    cv2.polylines(picture, lines, True, color, 1, cv2.LINE_AA)


if __name__ == "__main__":
    main(sys.argv[1:])
