"""A square full of people."""
import numpy as np
from mapt_bench.data.world.scene import Scene
from mapt_bench.data.world.settings import WorldSettings
def crowd_scene(settings: WorldSettings, rng: np.random.Generator) -> Scene:
    raise NotImplementedError
