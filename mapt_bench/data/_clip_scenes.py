"""The six scenes of the embedded clip: who is in them, where, how fast, and behind what."""

from dataclasses import dataclass, replace

from mapt_bench.data._clip_street import CAR, PERSON, Look

__all__ = ["BLACK", "BLUE", "GREEN", "ROSE", "SCENES", "Actor", "Scene"]

RED = Look((186, 44, 40), (226, 210, 200), 1)
BLUE = Look((44, 84, 168), (210, 220, 232), 2)
WHITE = Look((224, 224, 220), (120, 124, 130), 3)
GREEN = Look((52, 122, 84), (216, 206, 120), 4)
AMBER = Look((226, 164, 40), (70, 60, 50), 5)
SILVER = Look((154, 160, 168), (84, 88, 96), 6)
PLUM = Look((112, 56, 120), (40, 42, 66), 7)
BLACK = Look((52, 54, 60), (150, 60, 50), 8)
TEAL = Look((30, 140, 150), (62, 60, 90), 9)
ROSE = Look((222, 120, 140), (86, 92, 120), 10)


@dataclass(frozen=True, slots=True)
class Actor:
    """A thing that moves evenly. Lengths in pixels, speeds in pixels a frame of the world."""

    class_id: int
    x: float
    speed: float
    base: float
    height: float
    look: Look
    rise: float = 0.0


@dataclass(frozen=True, slots=True)
class Scene:
    """One sequence: its things, its posts ``(x, width)``, its lorries, and the camera's pan."""

    actors: tuple[Actor, ...]
    posts: tuple[tuple[float, float], ...] = ()
    lorries: tuple[tuple[float, float, float], ...] = ()
    pan: float = 0.0
    shake: float = 0.0
    crowd: tuple[float, ...] = ()


def _far(x: float, speed: float, look: Look) -> Actor:
    return Actor(CAR, x, speed, 84, 20, look)


def _near(x: float, speed: float, look: Look) -> Actor:
    return Actor(CAR, x, speed, 107, 29, look)


def _walker(x: float, speed: float, look: Look) -> Actor:
    return Actor(PERSON, x, speed, 70, 25, look)


def _passer(x: float, speed: float, look: Look, base: float = 121) -> Actor:
    return Actor(PERSON, x, speed, base, 45, look)


SCENES: dict[str, Scene] = {
    "crossing": Scene(
        actors=(
            _far(396, -9, RED),
            _far(470, -9, SILVER),
            _far(250, -9, TEAL),
            _near(-20, 13, WHITE),
            _near(-130, 13, BLUE),
            _walker(60, 3, GREEN),
            _walker(170, -3, ROSE),
            _walker(300, -4, AMBER),
            _passer(110, 7, PLUM),
            _passer(270, -7, ROSE, 123),
            replace(_passer(330, 1, AMBER, 74), rise=2.2, height=30),
        ),
        posts=((205, 7),),
        crowd=(340, 346, 353, 358),
    ),
    "hidden": Scene(
        actors=(
            _far(330, -15, AMBER),
            _far(420, -15, RED),
            _far(510, -15, WHITE),
            _far(-10, 13, BLUE),
            _near(340, 4, GREEN),
            _walker(120, 2, PLUM),
            _walker(90, -3, TEAL),
            _passer(64, 5, RED),
        ),
        posts=((128, 15), (318, 14)),
        lorries=((222, 104, 46),),
    ),
    "convoy": Scene(
        actors=(
            *(_far(190 + 62 * place, -24, SILVER) for place in range(9)),
            *(_near(-480 + 92 * place, 27, WHITE) for place in range(6)),
            _passer(180, 6, BLUE),
            _passer(252, -6, BLUE, 123),
            _walker(80, 3, GREEN),
            _walker(120, -3, GREEN),
        ),
        posts=((330, 7),),
        lorries=((130, 103, 44),),
    ),
    "fast": Scene(
        actors=(
            *(
                _near(-20 - 150 * place, 64, look)
                for place, look in enumerate((RED, WHITE, TEAL, AMBER, BLUE, SILVER, PLUM))
            ),
            *(
                _far(420 + 104 * place, -41, look)
                for place, look in enumerate((GREEN, BLACK, RED, SILVER, AMBER, BLUE, WHITE))
            ),
            _passer(60, 16, ROSE),
            _passer(390, -18, PLUM, 123),
            _walker(220, 2, BLUE),
        ),
        posts=((250, 7),),
    ),
    "pan": Scene(
        actors=(
            _near(60, 0, BLACK),
            _near(150, 0, RED),
            _near(300, 0, SILVER),
            _near(420, 0, SILVER),
            _near(590, 0, BLUE),
            _far(200, 15, WHITE),
            _far(300, 21, AMBER),
            _far(700, -8, TEAL),
            _walker(140, 4, ROSE),
            _walker(330, -3, BLUE),
            _walker(480, -4, GREEN),
            _passer(240, 10, GREEN),
            _passer(430, -5, AMBER, 123),
        ),
        posts=((190, 7), (470, 8)),
        pan=14,
        shake=7,
        crowd=(520, 527, 533),
    ),
    "crowd": Scene(
        actors=(
            *(
                _walker(20 + 38 * place, 3 - 6 * (place % 2), look)
                for place, look in enumerate(
                    (RED, BLUE, BLUE, GREEN, ROSE, ROSE, TEAL, AMBER, RED, PLUM)
                )
            ),
            _passer(30, 9, BLACK),
            _passer(96, 8, TEAL, 124),
            _passer(220, -8, BLACK, 122),
            _passer(310, -9, AMBER),
            _passer(400, -7, TEAL, 123),
            _far(440, -12, BLUE),
            _near(-60, 11, RED),
        ),
        posts=((90, 15), (214, 16), (330, 15)),
        crowd=(250, 256, 261, 268, 275),
    ),
}
