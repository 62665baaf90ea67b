"""From settings to a scene."""

import numpy as np

from mapt_bench.data.world.crowd import crowd_scene
from mapt_bench.data.world.scene import Scene
from mapt_bench.data.world.settings import WorldSettings
from mapt_bench.data.world.street import street_scene

__all__ = ["build_scene"]

_KIND_NUMBERS = {"street": 1, "crowd": 2}


def build_scene(settings: WorldSettings) -> Scene:
    """Draw the scene of a world video; equal settings give equal scenes, on any machine.

    Args:
        settings: What the video is drawn from.

    Raises:
        ConfigError: If more is asked for than fits.
    """
    sequence = np.random.SeedSequence([_KIND_NUMBERS[settings.kind], settings.seed])
    rng = np.random.default_rng(sequence)
    make = street_scene if settings.kind == "street" else crowd_scene
    return make(settings, rng)
