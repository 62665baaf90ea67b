"""Make the pictures of the documentation from the synthetic world.

python tools/make_pictures.py
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mapt_bench.baselines import build_associator
from mapt_bench.baselines.segmenters import GroundTruthSegments
from mapt_bench.labels import Video
from mapt_bench.pictures import Prediction, VideoComparison, write_png
from mapt_bench.pictures._painting import Page, paint
from mapt_bench.pictures.track_colors import identity_color
from mapt_bench.synthetic.flying import flying_clip
from mapt_bench.synthetic.suites import open_suite, train_sequence
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.synthetic.world_settings import Kind, WorldSettings
from mapt_bench.tracking import SegmentTracker

_PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
_SIZE = {"height": 192, "width": 624}
_TRACKED = WorldSettings(kind="street", seed=32, frames=24, speed=1.5, similarity=0.5, **_SIZE)
_TRACKED_FRAMES = (8, 9, 10)
_TRACKERS = (("Copy of the last masks", "copy", 0), ("Motion, then appearance", "both", 10))
_SCENES: dict[Kind, tuple[int, ...]] = {"street": (25, 32), "crowd": (6, 23)}
_SCENE_FRAMES = (4, 8)
_FLYING_CLIPS, _FLYING_FRAME, _FLYING_GAP = 10, 5, 3
_TITLE, _GAP = 24, 8
_SHEET_TRAINING = range(64, 80)  # of the stream: streets and crowds alternate
_SHEET_TILE = (416, 128)

Image = NDArray[np.uint8]


def main() -> None:
    """Write every picture."""
    video = WorldVideo(_TRACKED, "street")
    predictions = [_tracked(video, *tracker) for tracker in _TRACKERS]
    strip = VideoComparison(video, predictions, _TRACKED_FRAMES, scale=0.85).strip()
    write_png(_PICTURES / "tracks.png", strip)
    every = range(video.info.frame_count)
    write_png(_PICTURES / "timeline.png", VideoComparison(video, predictions, every).timeline())
    for kind, seeds in _SCENES.items():
        scenes = [WorldSettings(kind=kind, seed=seed, **_SIZE) for seed in seeds]
        rows = [_scene(WorldVideo(settings, kind)) for settings in scenes]
        write_png(_PICTURES / f"world_{kind}.png", np.concatenate(rows, axis=0))
    _write_sheet(_PICTURES / "world_sheet.jpg")
    rows = [_flying(index) for index in range(_FLYING_CLIPS)]
    sheet = np.concatenate(rows, axis=0)
    cv2.imwrite(
        str(_PICTURES / "flying_clips.jpg"), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80]
    )


def _write_sheet(path: Path) -> None:
    """Write a frame of 16 training sequences and of 8 sequences with domain shift."""
    training = [train_sequence(index).video for index in _SHEET_TRAINING]
    shifted = [entry.video for entry in open_suite("shift").entries[:: 64 // 8]]
    columns = []
    for videos in (training[::2], training[1::2], shifted):
        frames = [video.frame(video.settings.frames // 2).image for video in videos]
        small = [cv2.resize(frame, _SHEET_TILE, interpolation=cv2.INTER_AREA) for frame in frames]
        columns.append(np.concatenate(small, axis=0))
    sheet = np.concatenate(columns, axis=1)
    cv2.imwrite(str(path), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


def _flying(index: int) -> Image:
    """Return two frames of a flying clip, its identities and its flow. Colour is the direction."""
    clip = flying_clip(index, held_out=index >= _FLYING_CLIPS - 2)
    after = _FLYING_FRAME + _FLYING_GAP
    ids = clip.truth(after).ids
    tints = np.array([(0, 0, 0), *(identity_color(number) for number in range(1, 64))], np.uint8)
    field = clip.flow_between(after, _FLYING_FRAME)
    speed, angle = cv2.cartToPolar(field.flow[..., 0], field.flow[..., 1], angleInDegrees=True)
    tones = (angle / 2, np.clip(speed * 8, 0, 255), np.where(field.valid, 255, 0))
    hue = np.stack([tone.astype(np.uint8) for tone in tones], axis=-1)
    parts = (
        clip.frame(_FLYING_FRAME).image,
        clip.frame(after).image,
        tints[np.where(ids < len(tints), ids, 0)],
        np.asarray(cv2.cvtColor(hue, cv2.COLOR_HSV2RGB), dtype=np.uint8),
    )
    half = (clip.info.width // 2, clip.info.height // 2)
    shown = [cv2.resize(part, half, interpolation=cv2.INTER_AREA) for part in parts]
    return np.concatenate(shown, axis=1).astype(np.uint8)


def _tracked(video: Video, title: str, associator: str, memory: int) -> Prediction:
    """Link the ground-truth segments, starting at the first frame."""
    tracker = SegmentTracker(
        GroundTruthSegments(video), build_associator(associator, memory=memory)
    )
    tracker.start(video.info)
    maps = [tracker.step(video.frame(index)) for index in range(video.info.frame_count)]
    return Prediction(title, maps.__getitem__)


def _scene(video: WorldVideo) -> Image:
    """Return two images, and below them their ground truth."""
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
