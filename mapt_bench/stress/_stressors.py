"""Put a video under stress, by the name of the stressor."""

from collections.abc import Callable
from dataclasses import replace

from mapt_bench.code_closure import not_followed
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import Video
from mapt_bench.stress._painted_occluders import bars, frames_needed, passing, poles
from mapt_bench.stress._pasted_cutouts import pasted
from mapt_bench.stress.catalog import Stress, stress_entries
from mapt_bench.stress.frame_motion import DroppedVideo, ShakenVideo, dropped, shaken
from mapt_bench.stress.image_corruptions import (
    Exposure,
    FilteredVideo,
    Fog,
    Jpeg,
    MotionBlur,
    Noise,
    Rain,
    WashedThings,
    filtered,
)
from mapt_bench.stress.occlusion import OccludedVideo, occluded
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.synthetic.world_settings import WorldSettings

__all__ = ["least_frames", "occluder_label", "redrawn", "stress_video", "stressor"]


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


_LEAST_KEPT = 2  # frames, so that there is something to link

_FOLLOW_THINGS = frozenset({"bars", "passing", "pasted", "washed"})


@not_followed
def stress_video(video: Video, stress: Stress | None) -> Video:
    """Put a video under stress.

    Frames are changed one by one when they are asked for. Occlusion reads the whole truth once
    before. What comes out depends on the video, the stressor, the level and the seed alone.

    Args:
        video: Any video. A :class:`~mapt_bench.labels.AnnotatedVideo` stays one.
        stress: What to do; ``None`` leaves the video as it is.

    Raises:
        ConfigError: If the video is no world and the stressor needs one, or is too short.
        DataError: If the stressor needs images or truth that the video lacks.
    """
    if stress is None:
        return video
    info = video.info
    if stress.entry.needs_images and not info.has_images:
        raise DataError(
            f"{stress.name!r} changes images, and this video has none; give data with images, or "
            "choose a stressor of kind 'occlusion', which treats masks too",
            where=info.name,
        )
    if stress.name in _FOLLOW_THINGS and not video.has_truth:
        raise DataError(
            f"{stress.name!r} follows the labelled things, and this video has no ground truth; "
            "give data with panoptic_maps",
            where=info.name,
        )
    return stressor(stress)(video, stress)


@not_followed
def stressor(stress: Stress) -> Callable[[Video, Stress], Video]:
    """Return the function that puts a video under a stress."""
    return _STRESSORS[stress.name]


def least_frames(stress: Stress) -> int:
    """Return how many frames a video must have for a stress; a shorter one is refused.

    Example:
        >>> least_frames(Stress("passing", 2)), least_frames(Stress("bars", 2))
        (6, 1)
    """
    if stress.name == "passing":
        return frames_needed(stress)
    return _frames_of_drop(stress) if stress.name == "drop" else 1


def occluder_label(video: Video) -> str | None:
    """Return what the truth says where a stressor hid something.

    Args:
        video: A video from :func:`stress_video`.

    Returns:
        ``"void"``, which STQ punishes and PAT does not; the name of a class of the label space;
        names joined by ``", "`` where pasted things are of several classes; ``None`` if no stressor
        puts anything in front or beside, or none found room.
    """
    match video:
        case OccludedVideo():
            return video.occluder.label if _hides_anything(video) else None
        case ShakenVideo():
            return "void"
        case FilteredVideo() | DroppedVideo():
            return occluder_label(video.video)
        case _:
            return None


def _hides_anything(video: OccludedVideo) -> bool:
    return any(video.occluder.patches(index) for index in range(video.info.frame_count))


def _bars(video: Video, stress: Stress) -> Video:
    return occluded(video, bars(video, stress))


def _poles(video: Video, stress: Stress) -> Video:
    return occluded(video, poles(video, stress))


def _passing(video: Video, stress: Stress) -> Video:
    return occluded(video, passing(video, stress))


def _pasted(video: Video, stress: Stress) -> Video:
    return occluded(video, pasted(video, stress))


def _blur(video: Video, stress: Stress) -> Video:
    return filtered(video, MotionBlur(video, stress.value / 100))


def _washed(video: Video, stress: Stress) -> Video:
    return filtered(video, WashedThings(video, stress.value / 100))


def _noise(video: Video, stress: Stress) -> Video:
    return filtered(video, Noise(stress, video.info.name))


def _exposure(video: Video, stress: Stress) -> Video:
    return filtered(video, Exposure(stress, video.info.name))


def _fog(video: Video, stress: Stress) -> Video:
    return filtered(video, Fog(video, stress.value))


def _rain(video: Video, stress: Stress) -> Video:
    return filtered(video, Rain(stress, video.info.name))


def _jpeg(video: Video, stress: Stress) -> Video:
    return filtered(video, Jpeg(int(stress.value)))


def _dropped(video: Video, stress: Stress) -> Video:
    """Keep every tau-th frame, from ``seed % tau`` on."""
    tau, info = int(stress.value), video.info
    phase, least = stress.seed % tau, _frames_of_drop(stress)
    if info.frame_count < least:
        raise ConfigError(
            f"level {stress.level} of 'drop' keeps one frame in {tau}, from position {phase} on, "
            f"of {info.frame_count}; expected at least {least} frames; choose a lower level or "
            "longer videos",
            where=info.name,
        )
    return dropped(video, tau, phase)


def _frames_of_drop(stress: Stress) -> int:
    tau = int(stress.value)
    return stress.seed % tau + tau * (_LEAST_KEPT - 1) + 1


# Functions with names of their own, so that a key names the code of one stressor alone.
_STRESSORS: dict[str, Callable[[Video, Stress], Video]] = {
    "bars": _bars,
    "poles": _poles,
    "passing": _passing,
    "pasted": _pasted,
    "drop": _dropped,
    "speed": redrawn,
    "shake": shaken,
    "blur": _blur,
    "look-alikes": redrawn,
    "washed-palette": redrawn,
    "washed": _washed,
    "noise": _noise,
    "exposure": _exposure,
    "fog": _fog,
    "rain": _rain,
    "jpeg": _jpeg,
}
