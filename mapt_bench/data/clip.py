"""The embedded clip: six short street sequences that the code draws itself, with their truth.

Each sequence holds one difficulty that separates trackers: people and cars that cross, cars
hidden for some frames behind a parked lorry, look-alikes in a convoy, cars that move by their own
length between frames, a panning camera, and a crowd that passes behind posts. Labels are those of
KITTI-STEP; lorries, posts and signs are stuff there. Distant people are crowd (identity 0), and
the bonnet of the recording car is void.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data import _clip_street as street
from mapt_bench.data._clip_drawing import SCALE, Canvas, hash_noise
from mapt_bench.data._clip_scenes import BLACK, BLUE, GREEN, ROSE, SCENES, Actor, Scene
from mapt_bench.data._clip_street import CAR, HEIGHT, PERSON, code_of
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.labels import Frame, PanopticMap, VideoInfo, label_space, pack_codes

__all__ = ["CLIP_NAME", "CLIP_VERSION", "ClipVideo", "clip_sequence_names", "clip_videos"]

CLIP_NAME = "clip"
"""What the clip is called in results."""

CLIP_VERSION = 1
"""Raised whenever the same seed would draw other labels or images."""

_WIDTH = 416
_FRAMES = 20
_CODE_IDS = (1 << 16) - 1


def clip_sequence_names() -> tuple[str, ...]:
    """Return the names of the clip's sequences, sorted."""
    return tuple(sorted(SCENES))


def clip_videos(seed: int = 0) -> tuple["ClipVideo", ...]:
    """Return every sequence of the clip, with images and truth.

    Args:
        seed: Decides backdrops, small changes of place and speed, light and noise.

    Example:
        >>> [video.info.name for video in clip_videos()]
        ['convoy', 'crossing', 'crowd', 'fast', 'hidden', 'pan']
    """
    return tuple(ClipVideo(name, seed) for name in clip_sequence_names())


@dataclass(frozen=True, slots=True)
class ClipVideo:
    """One sequence of the clip, 20 frames of 128 x 416 pixels, drawn when it is first read.

    Attributes:
        name: One of :func:`clip_sequence_names`.
        seed: See :func:`clip_videos`.

    Raises:
        ConfigError: If there is no sequence of that name.
    """

    name: str
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name not in SCENES:
            raise ConfigError(
                f"the clip has no sequence {self.name!r}; {nearest(self.name, SCENES)}"
            )

    @property
    def info(self) -> VideoInfo:
        """What is known before the first frame."""
        return VideoInfo(
            name=self.name,
            frame_names=tuple(f"{index:06d}" for index in range(_FRAMES)),
            height=HEIGHT,
            width=_WIDTH,
            labels=label_space("kitti-step"),
            has_images=True,
        )

    @property
    def has_truth(self) -> bool:
        """Always true."""
        return True

    def frame(self, index: int) -> Frame:
        """Return the frame at a position, its image undrawn."""
        return Frame(index, f"{index:06d}", partial(_image, self.name, self.seed, index))

    def truth(self, index: int) -> PanopticMap:
        """Return the ground truth at a position."""
        codes = _drawn(self.name, self.seed)[index][1]
        return PanopticMap(pack_codes(codes >> 16, codes & _CODE_IDS))


def _image(name: str, seed: int, index: int) -> NDArray[np.uint8]:
    return _drawn(name, seed)[index][0]


@lru_cache(maxsize=2)  # trackers run one after the other over the same sequence
def _drawn(name: str, seed: int) -> tuple[tuple[NDArray[np.uint8], NDArray[np.int32]], ...]:
    scene, number = SCENES[name], clip_sequence_names().index(name)
    dice = hash_noise(64, 8, 1000 * seed + number).astype(int)
    reach = _WIDTH + int(abs(scene.pan) * _FRAMES) + 4 * int(scene.shake) + 8
    backdrop = street.draw_street(reach, 31 * seed + 7 * number)
    frames = []
    for time in range(_FRAMES):
        shake = scene.shake * (2 + dice[time, 0] / 128)
        left = round(SCALE * (scene.pan * time + shake))
        canvas = backdrop.window(left, _WIDTH)
        for _, brush in sorted(_brushes(scene, dice, time, left / SCALE), key=lambda item: item[0]):
            brush(canvas)
        canvas.polygon(_bonnet(), (44, 46, 52), code_of(street.VOID))
        frames.append(_exposed(canvas, int(dice[time, 1]), 7919 * seed + 101 * number + time))
    return tuple(frames)


def _brushes(
    scene: Scene, dice: NDArray[np.int_], time: int, left: float
) -> list[tuple[float, Callable[[Canvas], None]]]:
    """Return what stands in the scene, each with the row of its foot: the nearest is drawn last."""
    brushes: list[tuple[float, Callable[[Canvas], None]]] = []
    for place, x in enumerate(scene.crowd):
        look = (BLACK, ROSE, BLUE)[place % 3]
        code, row = code_of(PERSON), 63.5 + place % 2
        brush = partial(
            street.draw_person, x=x - left, base=row, height=13, code=code, look=look, stride=1
        )
        brushes.append((row, brush))
    for number, actor in enumerate(scene.actors):
        brushes.extend(_actor_brush(actor, number + 1, dice[number + _FRAMES], time, left))
    for x, width in scene.posts:
        brushes.append((116, partial(street.draw_pole, x=x - left, base=116, width=width)))
    for x, base, height in scene.lorries:
        brush = partial(street.draw_truck, x=x - left, base=base, height=height, look=GREEN)
        brushes.append((base, brush))
    return brushes


def _actor_brush(
    actor: Actor, track_id: int, dice: NDArray[np.int_], time: int, left: float
) -> Iterator[tuple[float, Callable[[Canvas], None]]]:
    x = actor.x + dice[1] / 32 + actor.speed * (1 + dice[0] / 4096) * time - left
    if not -1.5 * actor.height < x < _WIDTH + 1.5 * actor.height:
        return
    base = actor.base + actor.rise * time
    brush = partial(
        street.draw_car if actor.class_id == CAR else street.draw_person,
        x=x,
        base=base,
        height=actor.height,
        code=code_of(actor.class_id, track_id),
        look=actor.look,
    )
    facing = 1 if actor.speed >= 0 else -1
    if actor.class_id == CAR:
        yield base, partial(brush, facing=facing)
        return
    swing = (0, 2, 4, 2, 0, -2, -4, -2)[(time + dice[2]) % 8]
    yield base, partial(brush, stride=facing * swing)


def _bonnet() -> list[tuple[float, float]]:
    outline = ((110, 128), (130, 125), (170, 123), (246, 123), (286, 125), (306, 128))
    return [(x * SCALE, y * SCALE) for x, y in outline]


def _exposed(
    canvas: Canvas, light: int, noise_seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Reduce to a frame under light that flickers by 6 % and a sensor's noise of 4 levels."""
    image, codes = canvas.reduce()
    lit = image.astype(np.int32) * (2048 + light) // 2048
    noise = hash_noise(HEIGHT, _WIDTH, noise_seed).astype(np.int32) // 32
    return np.clip(lit + noise[..., None], 0, 255).astype(np.uint8), codes
