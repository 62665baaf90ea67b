"""Brightness, contrast, saturation and hue: nearly the same for every frame of a clip."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2 import functional

from mapt_bench.training.recipe import AugmentSettings

__all__ = ["Light", "draw_lights"]


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
