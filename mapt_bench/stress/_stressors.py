"""Put a video under stress, by the name of the stressor."""

from collections.abc import Callable
from dataclasses import replace

from mapt_bench.code_closure import not_followed
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import Video
from mapt_bench.stress._image_corruptions import (
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
from mapt_bench.stress._painted_occluders import bars, frames_needed, passing, poles
from mapt_bench.stress._pasted_cutouts import pasted
from mapt_bench.stress.catalog import Stress, stress_entries
from mapt_bench.stress.frame_motion import DroppedVideo, ShakenVideo, dropped, shaken
from mapt_bench.stress.occlusion import OccludedVideo, occluded
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.synthetic.world_settings import WorldSettings

__all__ = ["generated_again", "least_frames", "occluder_label", "stress_video", "stressor"]


def generated_again(video: Video, stress: Stress) -> WorldVideo:
    """Generate a synthetic video again under a stressor that recorded frames cannot show.

    The seed of the stress has no effect; the seed of the synthetic video decides. A level adds to
    the settings of the video: it multiplies speeds, and it turns a share of the remaining things
    into look-alikes. So every level is harder than the original.

    Raises:
        ConfigError: If the video is not synthetic (the message lists stressors of the kind that
            work on any data), or the settings are impossible.
    """
    if not isinstance(video, WorldVideo):
        entry = stress.entry
        others = [other.name for other in stress_entries(entry.kind) if not other.world_only]
        raise ConfigError(
            f"{stress.name!r} needs synthetic video, and this is other data; of kind "
            f"{entry.kind!r}, {' and '.join(map(repr, others))} "
            f"{'works' if len(others) == 1 else 'work'} on any data",
            where=video.info.name,
        )
    try:
        return replace(video, settings=_changed(video.settings, stress))
    except ConfigError as problem:
        raise ConfigError(
            f"level {stress.level} of {stress.name!r} ({stress.label}) is impossible: "
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
    """Raise a share by a share of the rest, all 0..1."""
    return 1 - (1 - share) * (1 - by)


_LEAST_KEPT = 2  # frames, so that there is something to link

_FOLLOW_THINGS = frozenset({"bars", "passing", "pasted", "washed"})


@not_followed
def stress_video(video: Video, stress: Stress | None) -> Video:
    """Put a video under stress.

    Frames are changed one by one when they are read. Occlusion first reads the ground truth of all
    frames once. The result depends only on the video, the stressor, the level and the seed.

    Args:
        video: Any video. A :class:`~mapt_bench.labels.AnnotatedVideo` stays one.
        stress: The stressor and its level; ``None`` returns the video itself.

    Raises:
        ConfigError: If the stressor needs synthetic video and this is other data, or the video is
            too short.
        DataError: If the stressor needs images or ground truth that the video lacks.
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
    """Return the function that applies a stressor to a video."""
    return _STRESSORS[stress.name]


def least_frames(stress: Stress) -> int:
    """Return the number of frames that a video needs for a stress; shorter ones are refused.

    Example:
        >>> least_frames(Stress("passing", 2)), least_frames(Stress("bars", 2))
        (6, 1)
    """
    if stress.name == "passing":
        return frames_needed(stress)
    return _frames_of_drop(stress) if stress.name == "drop" else 1


def occluder_label(video: Video) -> str | None:
    """Return the ground-truth label of the pixels where a stressor hid something.

    Args:
        video: A video from :func:`stress_video`.

    Returns:
        ``"void"``, which STQ penalises and PAT does not; the name of a class of the label space;
        names joined by ``", "`` if pasted things have several classes; ``None`` if nothing was put
        in front of the video or beside it.
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
    """Keep every tau-th frame, starting at ``seed % tau``."""
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
    "speed": generated_again,
    "shake": shaken,
    "blur": _blur,
    "look-alikes": generated_again,
    "washed-palette": generated_again,
    "washed": _washed,
    "noise": _noise,
    "exposure": _exposure,
    "fog": _fog,
    "rain": _rain,
    "jpeg": _jpeg,
}
