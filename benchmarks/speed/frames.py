"""The frames that are timed: real maps and a synthetic sequence, in every format."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mapt_bench.data import CocoPanopticWriter, MotsTextWriter, StoredSequence, open_maps
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, PanopticMap

__all__ = ["FrameSet", "prepare", "real_panoptic", "real_things", "shared_folder", "synthetic_set"]

Codes = NDArray[np.uint32]
Frame = tuple[str, str, Codes]  # sequence, frame name, codes
_HEIGHT, _WIDTH = 375, 1242
_PERSON, _CAR = 11, 13
_NEW_ID = 500  # added to the id of a track from its switch on


@dataclass(frozen=True, slots=True)
class FrameSet:
    """Frames on disk, in all forms.

    Attributes:
        name: Of the set.
        about: What it holds.
        frame_count: Frames of all sequences.
        gt: KITTI-STEP maps of the ground truth.
        pred: KITTI-STEP maps of the prediction.
        work: Folder of the other forms: ``coco/{gt,pred}``, ``mots/{gt,pred}``.
    """

    name: str
    about: str
    frame_count: int
    gt: Path
    pred: Path
    work: Path


def shared_folder() -> Path:
    """Return where real data are sought: ``MAPT_BENCH_SHARED``, or ``../shared``."""
    named = os.environ.get("MAPT_BENCH_SHARED")
    return Path(named) if named else Path(__file__).resolve().parents[3] / "shared"


def real_things(gt: Path, work: Path, labels: LabelSpace) -> FrameSet:
    """Real masks of whole sequences against a copy that is shifted, eroded and renamed."""
    sequences = open_maps(gt, labels).sequences
    disturb = Disturber(labels, seed=1)
    count = _save(
        work / "pred",
        ((*key, disturb(key[0], codes)) for *key, codes in _frames(sequences)),
    )
    about = "real masks of cars and persons, void elsewhere, against a disturbed copy"
    return FrameSet("real tracks", about, count, gt, work / "pred", work)


def real_panoptic(gt: Path, pred: Path, times: int, work: Path, labels: LabelSpace) -> FrameSet:
    """Real panoptic maps against what a network made of the images, played ``times`` times."""
    for side, folder in (("gt", gt), ("pred", pred)):
        (sequence,) = open_maps(folder, labels).sequences
        place = work / side / "panoptic_maps" / "0001"
        place.mkdir(parents=True)
        count = len(sequence.frame_names)
        for index in range(times * count):
            (place / f"{index:06d}.png").symlink_to(sequence.path(index % count).resolve())
    about = f"{count} real panoptic maps, {times} times over, against a weak network's output"
    return FrameSet("real panoptic", about, times * count, work / "gt", work / "pred", work)


def synthetic_set(frame_count: int, work: Path) -> FrameSet:
    """A synthetic sequence of full size: stuff everywhere, a dozen tracks, rough borders."""
    for side, seed in (("gt", 11), ("pred", 12)):
        _save(work / side, _draw(frame_count, seed, wrong_ids=side == "pred"))
    about = "synthetic maps, stuff everywhere, 14 tracks, rough borders"
    return FrameSet("synthetic", about, frame_count, work / "gt", work / "pred", work)


def prepare(frames: FrameSet, labels: LabelSpace, progress: Callable[[str], None]) -> None:
    """Write the frames in the forms that peers read."""
    for side, folder in (("gt", frames.gt), ("pred", frames.pred)):
        progress(f"{frames.name}: writing COCO panoptic and MOTS text of the {side}")
        coco = CocoPanopticWriter(frames.work / "coco" / side, labels)
        mots = MotsTextWriter(frames.work / "mots" / side, labels)
        for sequence, name, codes in _frames(open_maps(folder, labels).sequences):
            things = labels.is_thing_table[codes >> np.uint32(ID_BITS)]
            bare = codes & ~np.uint32(ID_LIMIT - 1)
            panoptic = PanopticMap(np.where(things, codes, bare))
            coco.write(sequence, name, panoptic)
            mots.write(sequence, name, panoptic)
        coco.close()
        mots.close()
        # All PNGs come from one encoder, so that nobody decodes files that suit him better.
        for path in (frames.work / "coco" / side).rglob("*.png"):
            Image.open(path).save(path)


def _frames(sequences: Iterable[StoredSequence]) -> Iterable[Frame]:
    for sequence in sequences:
        for index, name in enumerate(sequence.frame_names):
            yield sequence.parts[-1], name, sequence.read(index).codes


def _save(folder: Path, frames: Iterable[Frame]) -> int:
    """Write KITTI-STEP maps as most people's code does: with Pillow, as it stands."""
    count = 0
    for sequence, name, codes in frames:
        place = folder / "panoptic_maps" / "val" / sequence
        place.mkdir(parents=True, exist_ok=True)
        parts = [codes >> np.uint32(ID_BITS), codes >> np.uint32(8), codes]
        pixels = np.stack([part.astype(np.uint8) for part in parts], axis=-1)
        Image.fromarray(pixels).save(place / f"{name}.png")
        count += 1
    return count


class Disturber:
    """Makes a prediction of a ground truth: shifted by some pixels, eroded, some ids changed."""

    def __init__(self, labels: LabelSpace, seed: int) -> None:
        self._labels = labels
        self._random = np.random.default_rng(seed)
        self._renamed: dict[tuple[str, int], int] = {}

    def __call__(self, sequence: str, codes: Codes) -> Codes:
        """Return the disturbed codes of the next frame."""
        down, right = self._random.integers(-3, 4, 2)
        moved = np.roll(codes, (down, right), axis=(0, 1))
        result = np.full_like(codes, self._labels.ignore_label << ID_BITS)
        for code in np.unique(moved):
            mask = (moved == code).astype(np.uint8)
            if code >> ID_BITS in self._labels.thing_ids:
                if self._random.random() < 0.5:
                    mask = cv2.erode(mask, np.ones((3, 3), dtype=np.uint8))
                code = self._name(sequence, int(code))
            result[mask > 0] = code
        return result

    def _name(self, sequence: str, code: int) -> int:
        change = self._renamed.setdefault((sequence, code), 0)
        if not change and self._random.random() < 0.01:
            self._renamed[sequence, code] = change = _NEW_ID
        return code + change


def _draw(frame_count: int, seed: int, *, wrong_ids: bool) -> Iterable[Frame]:
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    scene = np.random.default_rng(10)  # the same on both sides
    stuff = _stuff(scene)
    tracks = [
        (scene.integers(0, _WIDTH), scene.integers(150, 320), scene.uniform(-6, 6), number)
        for number in range(14)
    ]
    for frame in range(frame_count):
        codes = stuff[:, 2 * frame % _WIDTH : 2 * frame % _WIDTH + _WIDTH].copy()
        for x, y, speed, number in tracks:
            is_car = number % 2 == 0
            code = (_CAR if is_car else _PERSON) << ID_BITS | number + 1
            if wrong_ids and frame > 20 * number + 20:
                code += _NEW_ID
            half = (70, 30) if is_car else (16, 45)
            center = (int(x + speed * frame) % _WIDTH, int(y))
            shape = np.zeros(codes.shape, dtype=np.uint8)
            cv2.ellipse(shape, center, half, 0, 0, 360, 1, -1)
            codes[shape > 0] = code
        waves = cv2.resize(random.uniform(-8, 8, (2, 24, 78)).transpose(1, 2, 0), (_WIDTH, _HEIGHT))
        waves += random.uniform(-1.5, 1.5, waves.shape)  # pixel by pixel: rough borders
        down = np.clip(rows + waves[..., 0], 0, _HEIGHT - 1).astype(np.intp)
        right = np.clip(columns + waves[..., 1], 0, _WIDTH - 1).astype(np.intp)
        yield "0000", f"{frame:06d}", codes[down, right]


def _stuff(random: np.random.Generator) -> Codes:
    """Lay out a street of stuff classes, two frames wide and repeating, with a little void."""
    wide = 2 * _WIDTH
    classes = np.zeros((_HEIGHT, wide), dtype=np.uint32)  # road
    classes[:60] = 10  # sky
    classes[60:180] = 2  # building
    classes[180:210] = 1  # sidewalk
    for class_id, count in ((8, 40), (9, 20), (3, 12), (4, 12), (5, 30), (7, 16), (255, 10)):
        for _ in range(count):
            left, top = random.integers(0, _WIDTH), random.integers(20, 330)
            width, height = random.integers(6, 90), random.integers(6, 60)
            for start in (left, left + _WIDTH):
                classes[top : top + height, start : start + width] = class_id
    return classes << np.uint32(ID_BITS)
