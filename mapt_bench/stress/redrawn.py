"""The world drawn anew with other settings."""

from dataclasses import replace

from mapt_bench.errors import ConfigError
from mapt_bench.labels import Video
from mapt_bench.stress.catalog import Stress, stress_entries
from mapt_bench.synthetic.settings import WorldSettings
from mapt_bench.synthetic.video import WorldVideo

__all__ = ["redrawn"]


def redrawn(video: Video, stress: Stress) -> WorldVideo:
    """Draw a world video under a stressor that recorded frames cannot show.

    The seed of the stress changes nothing: that of the world decides. Levels add to what the video
    was drawn with: speeds are multiplied, and a share of the things that do not look alike on
    purpose are made to, so that every level is harder than none.

    Raises:
        ConfigError: If it is no world video (says which stressor of the kind works on any data), or
            the world cannot be drawn so.
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
    try:
        return replace(video, settings=_changed(video.settings, stress))
    except ConfigError as problem:
        raise ConfigError(
            f"level {stress.level} of {stress.name!r} ({stress.label}) cannot be drawn: "
            f"{problem.message}; choose a lower level",
            where=video.info.name,
        ) from problem


def _changed(settings: WorldSettings, stress: Stress) -> WorldSettings:
    match stress.name:
        case "speed":
            return replace(settings, speed=settings.speed * stress.value)
        case "look-alikes":
            return replace(settings, similarity=_raised(settings.similarity, stress.value / 100))
        case _:
            return replace(settings, wash=_raised(settings.wash, stress.value / 100))


def _raised(share: float, by: float) -> float:
    """Return a share with so much of what it leaves added, all 0..1."""
    return 1 - (1 - share) * (1 - by)
