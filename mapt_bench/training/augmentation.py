"""Augmentation of clips: one window for all frames, and nearly the same light for each of them."""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2 import functional

from mapt_bench.training.recipe import AugmentSettings

__all__ = ["Light", "Window", "draw_lights", "draw_window"]

_GREY = 0.45
"""About the mean of ImageNet: what lies beyond a frame is neither dark nor bright to a network."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is cut out of a scaled frame.

    Attributes:
        flip: Whether the frame is flipped first, left to right.
        scaled: Height and width to which it is then scaled, in pixels.
        top: First row of the window in the scaled frame; may be negative.
        left: First column.
        size: Height and width of the window; what lies outside the frame is grey and void.
    """

    flip: bool
    scaled: tuple[int, int]
    top: int
    left: int
    size: tuple[int, int]

    def of_image(self, image: Tensor) -> Tensor:
        """Return the window of an image, ``float32`` of shape ``(3, height, width)``."""
        if self.flip:
            image = image.flip(-1)
        if image.shape[-2:] != self.scaled:
            image = functional.resize(image, list(self.scaled), antialias=True)
        rows, columns = (
            _inside(self.top, self.size[0], self.scaled[0]),
            _inside(self.left, self.size[1], self.scaled[1]),
        )
        if rows == slice(0, self.size[0]) and columns == slice(0, self.size[1]):
            return image[:, self.top :, self.left :][:, rows, columns]
        window = torch.full((3, *self.size), _GREY)
        window[:, rows, columns] = image[:, _moved(rows, self.top), _moved(columns, self.left)]
        return window

    def of_codes(self, codes: NDArray[np.uint32], void: int) -> NDArray[np.uint32]:
        """Return the window of a map's codes, shape ``(height, width)``; nearest pixels."""
        rows, columns = self._sources(codes.shape)
        window = codes[rows[:, np.newaxis], columns]
        window[rows < 0] = void
        window[:, columns < 0] = void
        return window

    def of_flow(self, flow: NDArray[np.floating[Any]]) -> tuple[Tensor, Tensor]:
        """Return the window of a flow between two frames that are both seen through it.

        Vectors are those of the nearest pixels, flipped and scaled. What leads out of the window,
        or beyond the frame in it, is not valid.

        Args:
            flow: Pixels to the right and downwards, shape ``(height, width, 2)``; NaN where it is
                not valid.

        Returns:
            ``float32`` of shape ``(2, height, width)``, 0 where it is not valid; and where it is,
            ``bool`` of shape ``(height, width)``.
        """
        rows, columns = self._sources(flow.shape[:2])
        window = flow[rows[:, np.newaxis], columns].astype(np.float32)
        window[rows < 0] = np.nan
        window[:, columns < 0] = np.nan
        window[..., 0] *= self.scaled[1] / flow.shape[1] * (-1 if self.flip else 1)
        window[..., 1] *= self.scaled[0] / flow.shape[0]
        valid = _leads_inside(window[..., 0], np.flatnonzero(columns >= 0))
        valid &= _leads_inside(window[..., 1].T, np.flatnonzero(rows >= 0)).T
        window[~valid] = 0
        planes = np.ascontiguousarray(window.transpose(2, 0, 1))
        return torch.from_numpy(planes), torch.from_numpy(valid)

    def _sources(self, frame: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return for rows and columns of the window those of a frame, -1 outside."""
        rows = _sources(self.top, self.size[0], self.scaled[0], frame[0])
        columns = _sources(self.left, self.size[1], self.scaled[1], frame[1])
        if self.flip:
            columns = np.where(columns < 0, columns, frame[1] - 1 - columns)
        return rows, columns


def draw_window(
    settings: AugmentSettings, size: tuple[int, int], dice: np.random.Generator
) -> Window:
    """Draw a window of a frame.

    Args:
        settings: What may be drawn.
        size: Height and width of the frame, in pixels.
        dice: What is drawn with; the same number of draws whatever the settings.
    """
    flip = bool(dice.random() < settings.flip)
    low, high = settings.scale
    scale = math.exp(dice.uniform(math.log(low), math.log(high)))
    height, width = (max(1, round(side * scale)) for side in size)
    cut = settings.crop or size
    top = _offset(height - cut[0], settings.shift_px, dice.random())
    left = _offset(width - cut[1], settings.shift_px, dice.random())
    return Window(flip, (height, width), top, left, cut)


def _offset(room: int, shift: int, share: float) -> int:
    """Return where the window begins: anywhere on the frame, or the frame anywhere in it."""
    low, high = min(0, room) - shift, max(0, room) + shift
    return low + int(share * (high - low + 1))


def _inside(start: int, length: int, frame: int) -> slice:
    """Return the part of a window that lies on the frame."""
    first = min(max(0, -start), length)
    return slice(first, max(first, min(length, frame - start)))


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def _sources(start: int, length: int, scaled: int, frame: int) -> NDArray[np.int64]:
    """Return for each row of a window the row of the frame, -1 outside; centres on centres."""
    places = np.arange(start, start + length)
    sources = np.floor((places + 0.5) * frame / scaled).astype(np.int64)
    return np.where((places >= 0) & (places < scaled), np.minimum(sources, frame - 1), -1)


def _leads_inside(flow: NDArray[np.float32], seen: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where flow along the last axis ends at a column of the frame; NaN never does."""
    if not seen.size:
        return np.zeros(flow.shape, dtype=np.bool_)
    ends = flow + np.arange(flow.shape[1], dtype=np.float32)
    inside: NDArray[np.bool_] = (ends >= seen[0]) & (ends <= seen[-1])
    return inside


@dataclass(frozen=True, slots=True)
class Light:
    """How one frame is lit.

    Attributes:
        brightness: Factor, 1 changes nothing.
        contrast: Factor.
        saturation: Factor.
        hue: Turn, -0.5..0.5; 0 changes nothing.
    """

    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0

    def of_image(self, image: Tensor) -> Tensor:
        """Return the image in this light, ``float32`` in ``[0, 1]``, same shape."""
        for factor, neutral, adjust in (
            (self.brightness, 1.0, functional.adjust_brightness),
            (self.contrast, 1.0, functional.adjust_contrast),
            (self.saturation, 1.0, functional.adjust_saturation),
            (self.hue, 0.0, _turned),
        ):
            if factor != neutral:
                image = adjust(image, factor)
        return image


def _turned(image: Tensor, hue: float) -> Tensor:
    """Turn the hue, as torchvision's ``adjust_hue`` does, in a third of its time."""
    pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    colours: NDArray[np.float32] = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV))
    degrees = colours[..., 0]
    degrees += 360 * hue
    degrees[degrees < 0] += 360
    degrees[degrees >= 360] -= 360
    turned = np.ascontiguousarray(cv2.cvtColor(colours, cv2.COLOR_HSV2RGB).transpose(2, 0, 1))
    return torch.from_numpy(turned).clamp_(0, 1)


def draw_lights(
    settings: AugmentSettings, frames: int, dice: np.random.Generator
) -> tuple[Light, ...]:
    """Draw the light of each frame of a clip.

    Args:
        settings: Ranges, and the share of them by which frames differ.
        frames: Frames of the clip.
        dice: What is drawn with; the same number of draws whatever the settings.
    """
    ranges = np.array([settings.brightness, settings.contrast, settings.saturation, settings.hue])
    of_clip = dice.uniform(-1, 1, 4)
    of_frames = dice.uniform(-1, 1, (frames, 4)) * settings.frame_jitter
    turns = np.clip(of_clip + of_frames, -1, 1) * ranges
    return tuple(
        Light(float(1 + turn[0]), float(1 + turn[1]), float(1 + turn[2]), float(turn[3]))
        for turn in turns
    )
