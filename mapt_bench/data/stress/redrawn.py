"""The world drawn anew with other settings."""

from dataclasses import replace

from mapt_bench.data.stress.catalog import Stress, stress_entries
from mapt_bench.data.world.video import WorldVideo
from mapt_bench.errors import ConfigError
from mapt_bench.labels import Video

__all__ = ["redrawn"]


def redrawn(video: Video, stress: Stress) -> WorldVideo:
    """Draw a world video under a stressor that recorded frames cannot show.

    The seed of the stress changes nothing: that of the world decides.

    Raises:
        ConfigError: If it is no world video; says which stressor of the kind works on any data.
    """
    if not isinstance(video, WorldVideo):
        entry = stress.entry
        others = [other.name for other in stress_entries(entry.kind) if not other.world_only]
        raise ConfigError(
            f"{stress.name!r} needs the drawn world, and this is other data; of kind "
            f"{entry.kind!r}, {' and '.join(map(repr, others))} "
            f"{'works' if len(others) == 1 else 'work'} on any data",
            where=video.info.name,
        )
    settings = video.settings
    match stress.name:
        case "speed":
            changed = replace(settings, speed=settings.speed * stress.value)
        case "look-alikes":
            changed = replace(settings, similarity=stress.value / 100)
        case _:
            changed = replace(settings, wash=stress.value / 100)
    return replace(video, settings=changed)
