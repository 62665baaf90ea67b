"""The light on a scene and the camera's way with it."""

from dataclasses import replace

import numpy as np

from mapt_bench.synthetic.paths import Clock
from mapt_bench.synthetic.scene import Light
from mapt_bench.synthetic.styles import Style

__all__ = ["draw_light"]


def draw_light(rng: np.random.Generator, clock: Clock, style: Style) -> Light:
    """Sample light, lens and sensor, unless the style has them; the exposure drifts."""
    drift = np.sin(2 * np.pi * (clock.seconds / rng.uniform(2.0, 6.0) + rng.uniform()))
    if style.light is not None:
        swing = 1 + rng.uniform(0.0, 0.05) * drift
        return replace(style.light, exposure=style.light.exposure * swing)
    return Light(
        exposure=rng.uniform(0.8, 1.15) * (1 + rng.uniform(0.0, 0.06) * drift),
        sun=rng.uniform(-np.pi, np.pi),
        contrast=rng.uniform(0.1, 0.35),
        haze=rng.uniform(150.0, 600.0),
        noise=rng.uniform(1.5, 5.0),
        shutter=rng.uniform(0.1, 0.5),
        softness=rng.uniform(0.3, 0.7),
    )
