"""A street as a camera on a car sees it."""

import numpy as np

from mapt_bench.errors import ConfigError
from mapt_bench.synthetic.casting import cast_roles
from mapt_bench.synthetic.even import even_count
from mapt_bench.synthetic.lighting import draw_light
from mapt_bench.synthetic.mixture import add_distant, fill, stages
from mapt_bench.synthetic.paths import Clock
from mapt_bench.synthetic.recording import draw_recording
from mapt_bench.synthetic.sampling import style_of
from mapt_bench.synthetic.scene import Scene
from mapt_bench.synthetic.scenery import Scenery
from mapt_bench.synthetic.settings import WorldSettings
from mapt_bench.synthetic.surroundings import sky_look
from mapt_bench.synthetic.traffic import Traffic
from mapt_bench.synthetic.trucks import hide_behind_trucks
from mapt_bench.synthetic.views import View

__all__ = ["street_scene"]

_OBJECTS = (2, 4, 5, 6, 6, 7, 8, 9, 11, 15)  # tracked things of a video, each as often


def street_scene(settings: WorldSettings, rng: np.random.Generator) -> Scene:
    """Draw a street and everything on it."""
    # Dice of their own: light, houses and the way of the camera do not change with the traffic.
    camera_rng, traffic_rng, looks_rng, scenery_rng, light_rng = rng.spawn(5)
    clock, style = Clock.of(settings), style_of(settings)
    recording = draw_recording(camera_rng, settings, clock)
    view = View.of(recording.camera, settings)
    traffic = Traffic(traffic_rng, settings, clock, recording, view)
    wanted = settings.objects
    if wanted is None:
        wanted = round(even_count(settings.seed, _OBJECTS) * stages(traffic))
    if settings.gap:
        hide_behind_trucks(traffic, min(wanted, int(traffic_rng.integers(2, 5))))
    fill(traffic, wanted)
    if settings.objects is not None and traffic.tracked < wanted:
        raise ConfigError(
            f"{wanted} objects do not fit on this street; expected at most {traffic.tracked}, or "
            "another seed",
            where=f"street of seed {settings.seed}",
        )
    add_distant(traffic)
    scenery = Scenery(scenery_rng, style, recording)
    ground = scenery.ground()
    scenery.build()
    is_hiding = recording.layout.cross is not None  # houses hide who comes on the other road
    return Scene(
        camera=recording.camera,
        ground=ground,
        sky=sky_look(light_rng, style),
        surroundings=() if is_hiding else tuple(scenery.houses),
        actors=(
            *cast_roles(looks_rng, traffic.roles, settings),
            *scenery.furniture,
            *(scenery.houses if is_hiding else ()),
        ),
        light=draw_light(light_rng, clock, style),
        bonnet=camera_rng.uniform(0.05, 0.12) if camera_rng.uniform() < 0.2 else 0.0,
    )
