"""The embedded clip: six short street sequences that the code draws itself, with their truth.

Each sequence holds one difficulty that separates trackers: people and cars that cross, cars
hidden for some frames behind a parked lorry, look-alikes in a convoy, cars that move by their own
length between frames, a panning camera, and a crowd that passes behind posts. Labels are those of
KITTI-STEP; lorries, posts and signs are stuff there. Distant people are crowd (identity 0), and
the bonnet of the recording car is void.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data import _clip_street as street
from mapt_bench.data._clip_drawing import SCALE, Canvas, hash_noise
from mapt_bench.data._clip_street import CAR, HEIGHT, PERSON, Look, code_of
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

_RED = Look((186, 44, 40), (226, 210, 200), 1)
_BLUE = Look((44, 84, 168), (210, 220, 232), 2)
_WHITE = Look((224, 224, 220), (120, 124, 130), 3)
_GREEN = Look((52, 122, 84), (216, 206, 120), 4)
_AMBER = Look((226, 164, 40), (70, 60, 50), 5)
_SILVER = Look((154, 160, 168), (84, 88, 96), 6)
_PLUM = Look((112, 56, 120), (40, 42, 66), 7)
_BLACK = Look((52, 54, 60), (150, 60, 50), 8)
_TEAL = Look((30, 140, 150), (62, 60, 90), 9)
_ROSE = Look((222, 120, 140), (86, 92, 120), 10)


@dataclass(frozen=True, slots=True)
class _Actor:
    """A thing that moves evenly. Lengths in pixels, speeds in pixels a frame of the world."""

    class_id: int
    x: float
    speed: float
    base: float
    height: float
    look: Look
    rise: float = 0.0


@dataclass(frozen=True, slots=True)
class _Scene:
    """One sequence: its things, its posts ``(x, width)``, its lorries, and the camera's pan."""

    actors: tuple[_Actor, ...]
    posts: tuple[tuple[float, float], ...] = ()
    lorries: tuple[tuple[float, float, float], ...] = ()
    pan: float = 0.0
    shake: float = 0.0
    crowd: tuple[float, ...] = ()


def _far(x: float, speed: float, look: Look) -> _Actor:
    return _Actor(CAR, x, speed, 84, 20, look)


def _near(x: float, speed: float, look: Look) -> _Actor:
    return _Actor(CAR, x, speed, 107, 29, look)


def _walker(x: float, speed: float, look: Look) -> _Actor:
    return _Actor(PERSON, x, speed, 70, 25, look)


def _passer(x: float, speed: float, look: Look, base: float = 121) -> _Actor:
    return _Actor(PERSON, x, speed, base, 45, look)


_SCENES: dict[str, _Scene] = {
    "crossing": _Scene(
        actors=(
            _far(396, -9, _RED),
            _far(470, -9, _SILVER),
            _far(250, -9, _TEAL),
            _near(-20, 13, _WHITE),
            _near(-130, 13, _BLUE),
            _walker(60, 3, _GREEN),
            _walker(170, -3, _ROSE),
            _walker(300, -4, _AMBER),
            _passer(110, 7, _PLUM),
            _passer(270, -7, _ROSE, 123),
            replace(_passer(330, 1, _AMBER, 74), rise=2.2, height=30),
        ),
        posts=((205, 7),),
        crowd=(340, 346, 353, 358),
    ),
    "hidden": _Scene(
        actors=(
            _far(330, -15, _AMBER),
            _far(420, -15, _RED),
            _far(510, -15, _WHITE),
            _far(-10, 13, _BLUE),
            _near(340, 4, _GREEN),
            _walker(120, 2, _PLUM),
            _walker(90, -3, _TEAL),
            _passer(64, 5, _RED),
        ),
        posts=((128, 15), (318, 14)),
        lorries=((222, 104, 46),),
    ),
    "convoy": _Scene(
        actors=(
            *(_far(190 + 62 * place, -24, _SILVER) for place in range(9)),
            *(_near(-480 + 92 * place, 27, _WHITE) for place in range(6)),
            _passer(180, 6, _BLUE),
            _passer(252, -6, _BLUE, 123),
            _walker(80, 3, _GREEN),
            _walker(120, -3, _GREEN),
        ),
        posts=((330, 7),),
        lorries=((130, 103, 44),),
    ),
    "fast": _Scene(
        actors=(
            *(
                _near(-20 - 150 * place, 64, look)
                for place, look in enumerate((_RED, _WHITE, _TEAL, _AMBER, _BLUE, _SILVER, _PLUM))
            ),
            *(
                _far(420 + 104 * place, -41, look)
                for place, look in enumerate((_GREEN, _BLACK, _RED, _SILVER, _AMBER, _BLUE, _WHITE))
            ),
            _passer(60, 16, _ROSE),
            _passer(390, -18, _PLUM, 123),
            _walker(220, 2, _BLUE),
        ),
        posts=((250, 7),),
    ),
    "pan": _Scene(
        actors=(
            _near(60, 0, _BLACK),
            _near(150, 0, _RED),
            _near(300, 0, _SILVER),
            _near(420, 0, _SILVER),
            _near(590, 0, _BLUE),
            _far(200, 15, _WHITE),
            _far(300, 21, _AMBER),
            _far(700, -8, _TEAL),
            _walker(140, 4, _ROSE),
            _walker(330, -3, _BLUE),
            _walker(480, -4, _GREEN),
            _passer(240, 10, _GREEN),
            _passer(430, -5, _AMBER, 123),
        ),
        posts=((190, 7), (470, 8)),
        pan=14,
        shake=7,
        crowd=(520, 527, 533),
    ),
    "crowd": _Scene(
        actors=(
            *(
                _walker(20 + 38 * place, 3 - 6 * (place % 2), look)
                for place, look in enumerate(
                    (_RED, _BLUE, _BLUE, _GREEN, _ROSE, _ROSE, _TEAL, _AMBER, _RED, _PLUM)
                )
            ),
            _passer(30, 9, _BLACK),
            _passer(96, 8, _TEAL, 124),
            _passer(220, -8, _BLACK, 122),
            _passer(310, -9, _AMBER),
            _passer(400, -7, _TEAL, 123),
            _far(440, -12, _BLUE),
            _near(-60, 11, _RED),
        ),
        posts=((90, 15), (214, 16), (330, 15)),
        crowd=(250, 256, 261, 268, 275),
    ),
}


def clip_sequence_names() -> tuple[str, ...]:
    """Return the names of the clip's sequences, sorted."""
    return tuple(sorted(_SCENES))


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
        if self.name not in _SCENES:
            raise ConfigError(
                f"the clip has no sequence {self.name!r}; {nearest(self.name, _SCENES)}"
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
    scene, number = _SCENES[name], clip_sequence_names().index(name)
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
    scene: _Scene, dice: NDArray[np.int_], time: int, left: float
) -> list[tuple[float, Callable[[Canvas], None]]]:
    """Return what stands in the scene, each with the row of its foot: the nearest is drawn last."""
    brushes: list[tuple[float, Callable[[Canvas], None]]] = []
    for place, x in enumerate(scene.crowd):
        look = (_BLACK, _ROSE, _BLUE)[place % 3]
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
        brush = partial(street.draw_truck, x=x - left, base=base, height=height, look=_GREEN)
        brushes.append((base, brush))
    return brushes


def _actor_brush(
    actor: _Actor, track_id: int, dice: NDArray[np.int_], time: int, left: float
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
