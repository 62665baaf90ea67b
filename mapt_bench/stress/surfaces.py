"""What occluders look like: walls, poles and lorries, drawn in any size."""

import numpy as np
from numpy.typing import NDArray

from mapt_bench.stress.grey_levels import grey_levels

__all__ = ["lorry", "pole", "wall"]

_Image = NDArray[np.uint8]

_LORRY_PAINTS = ((206, 204, 196), (62, 92, 128), (150, 62, 52), (84, 110, 84), (196, 168, 96))


def wall(height: int, width: int, generator: np.random.Generator) -> _Image:
    """Draw a pillar of blocks, lit from one side.

    Args:
        height: Pixels.
        width: Pixels.
        generator: Chance.

    Returns:
        ``uint8`` RGB of shape ``(height, width, 3)``.
    """
    course = max(3, round(height / 20))
    brick = 2 * course
    row, column = np.mgrid[:height, :width]
    course_of = row // course
    across = column + (course_of % 2) * course
    shade = generator.uniform(0.86, 1.06, (height // course + 2, width // brick + 3))
    image = np.array((168, 158, 144)) * shade[course_of, across // brick][..., None]
    joint = (row % course == 0) | (across % brick == 0)
    image[joint] *= 0.82
    image *= _light(width, 0.25)[:, None]
    return _finished(image, generator, 4)


def pole(height: int, width: int, generator: np.random.Generator) -> _Image:
    """Draw a round metal pole; arguments and result are those of :func:`wall`."""
    tone = generator.uniform(0.85, 1.1)
    image = np.ones((height, width, 1)) * np.array((122, 126, 130)) * tone
    image *= _light(width, 0.55)[:, None]
    return _finished(image, generator, 3)


def lorry(height: int, width: int, generator: np.random.Generator) -> _Image:
    """Draw the body of a lorry; arguments and result are those of :func:`wall`."""
    paint = np.array(_LORRY_PAINTS[generator.integers(len(_LORRY_PAINTS))])
    image = np.ones((height, width, 1)) * paint
    image *= np.linspace(1.08, 0.86, height)[:, None, None]
    rib = max(4, round(height / 6))
    image[:, ::rib] *= 0.9
    stripe = slice(round(0.42 * height), round(0.5 * height))
    image[stripe] = 0.4 * image[stripe] + 0.6 * (235 - paint)
    edge = max(1, round(height / 24))
    image[:edge] *= 0.7
    image[:, :edge] *= 0.7
    image[:, -edge:] *= 0.7
    _undercarriage(image, height, width)
    return _finished(image, generator, 3)


def _undercarriage(image: NDArray[np.float64], height: int, width: int) -> None:
    """Darken the lowest sixth, with wheels in it."""
    top = height - max(1, round(height / 6))
    image[top:] = (46, 46, 50)
    radius = height / 9
    row, column = np.ogrid[:height, :width]
    for x in (0.2 * width, 0.8 * width):
        distance = np.hypot(row - (height - 1 - radius), column - x)
        image[distance < radius] = (24, 24, 26)
        image[distance < radius / 2] = (120, 120, 122)


def _light(width: int, strength: float) -> NDArray[np.float64]:
    """Return brightness across something round: lightest at a third."""
    x = (np.arange(width) + 0.5) / width
    return 1 + strength * (0.6 - 3.2 * (x - 0.35) ** 2)


def _finished(image: NDArray[np.float64], generator: np.random.Generator, noise: float) -> _Image:
    rough = image + generator.normal(0, noise, (*image.shape[:2], 1))
    return grey_levels(rough)
