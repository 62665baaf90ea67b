"""How far a motion head reaches: the largest displacement that its offsets follow."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mapt_bench.model.cues import MaptCues
from mapt_bench.model.motion import mean_displacement
from mapt_bench.tracking import FrameCues, FrameSegments

__all__ = ["MotionReach", "measure_reach"]

_HEIGHT, _WIDTH = 192, 624
"""Size of the frames of the synthetic suites, in pixels."""

_STEP, _LARGEST = 8, 160
"""Displacements that are tried: multiples of the step, in pixels."""

_SEED = 0


class MotionReach(NamedTuple):
    """How far the offsets of a motion head follow a moving image.

    Attributes:
        pixels: The largest displacement, in pixels, up to which the head finds at least half of
            every displacement tried. 0 if it finds none.
        tried: Displacements tried, in pixels, ascending.
        found: What the head found of each, in pixels: the median over all places of the later
            frame whose content is in the earlier frame, and the mean of both directions.
    """

    pixels: float
    tried: tuple[float, ...]
    found: tuple[float, ...]


def measure_reach(cues: MaptCues) -> MotionReach:
    """Measure how far the offsets of a motion head reach.

    A random image with the spectrum of natural images (amplitude 1/f; Field 1987, "Relations
    between the statistics of natural images") moves sideways as a whole, by 8 to 160 pixels between
    two frames of 192x624. What the head finds at a place is the mean of its offsets: over the taps
    of each dilation, and over dilations by the gate. Small objects are harder than an image that
    moves as a whole, so this is an upper bound for them.

    Args:
        cues: A MAPT with a motion head, in evaluation mode.

    Raises:
        ConfigError: If it has no motion head.
    """
    wide = _natural_image(_HEIGHT, _WIDTH + 2 * _LARGEST)
    nothing = _no_segments()
    tried = range(_STEP, _LARGEST + 1, _STEP)

    def seen(shift: int) -> FrameCues:
        view = wide[:, _LARGEST + shift : _LARGEST + shift + _WIDTH]
        found = cues.describe(np.ascontiguousarray(view), nothing).cues
        if found is None:
            raise TypeError("a MAPT described a frame without cues")
        return found

    start = seen(0)
    found = tuple(
        float(np.mean([_found(cues, start, seen(sign * shift), sign * shift) for sign in (1, -1)]))
        for shift in tried
    )
    return MotionReach(float(_reach(tried, found)), tuple(map(float, tried)), found)


def _no_segments() -> FrameSegments:
    void = np.full((_HEIGHT, _WIDTH), 255, np.uint8)
    index_map = np.full((_HEIGHT, _WIDTH), -1, np.int32)
    return FrameSegments(void, index_map, np.zeros(0, np.int64), np.zeros(0, np.float64))


def _reach(tried: range, found: tuple[float, ...]) -> int:
    reach = 0
    for shift, each in zip(tried, found, strict=True):
        if each < shift / 2:
            break
        reach = shift
    return reach


def _found(cues: MaptCues, earlier: FrameCues, later: FrameCues, shift: int) -> float:
    """Return the part of a displacement that the head finds, in pixels."""
    motion = cues.motion(earlier, later)
    read = mean_displacement(*motion)[0, 1].cpu().numpy() * cues.stride
    columns = _WIDTH // cues.stride
    source = np.arange(columns) + shift / cues.stride
    known = (source >= 0) & (source <= columns - 1)
    return float(np.median(read[: _HEIGHT // cues.stride, :columns][:, known]) * np.sign(shift))


def _natural_image(height: int, width: int) -> NDArray[np.uint8]:
    """Return random RGB of shape ``(height, width, 3)`` whose amplitudes fall as 1/f."""
    rng = np.random.default_rng(_SEED)
    spectrum = np.fft.rfft2(rng.standard_normal((3, height, width)))
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    frequency = np.hypot(down, across)
    frequency[0, 0] = np.inf  # no mean: it is set below
    planes = np.fft.irfft2(spectrum / frequency, (height, width))
    planes *= 50 / planes.std((1, 2), keepdims=True)
    image: NDArray[np.uint8] = (planes + 128).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
    return image
