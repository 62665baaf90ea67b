"""A video under stress, by the name of the stressor."""

from collections.abc import Callable

from mapt_bench.code_closure import not_followed
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import Video
from mapt_bench.stress.appearance import WashedThings
from mapt_bench.stress.catalog import Stress
from mapt_bench.stress.dropped import DroppedVideo, dropped
from mapt_bench.stress.filtered import FilteredVideo, filtered
from mapt_bench.stress.motion import MotionBlur
from mapt_bench.stress.occluded import OccludedVideo, occluded
from mapt_bench.stress.passing import frames_needed, passing
from mapt_bench.stress.pasted import pasted
from mapt_bench.stress.redrawn import redrawn
from mapt_bench.stress.sensor import Exposure, Jpeg, Noise
from mapt_bench.stress.shaken import ShakenVideo, shaken
from mapt_bench.stress.standing import bars, poles
from mapt_bench.stress.weather import Fog, Rain

__all__ = ["least_frames", "occluder_label", "stress_video", "stressor"]

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
