"""The true flow of drawn videos, for training and validation."""

from typing import Protocol, runtime_checkable

from mapt_bench.errors import DataError
from mapt_bench.labels import AnnotatedVideo, FlowField, Video

__all__ = ["KnowsEveryFlow", "flow_to_earlier", "why_no_flow"]


@runtime_checkable
class KnowsEveryFlow(Protocol):
    """A video that knows the flow between any two of its frames."""

    def flow_between(self, index: int, other: int) -> FlowField:
        """Return where each pixel of a frame is in another one."""
        ...


def why_no_flow(video: Video, taus: tuple[int, ...]) -> str | None:
    """Return why a video has no true flow over these intervals, or ``None`` if it has it."""
    if not isinstance(video, AnnotatedVideo):
        return "its true flow is not known; only drawn videos know theirs"
    if set(taus) != {1} and not isinstance(video, KnowsEveryFlow):
        return "it knows its flow between neighbouring frames only, so clips.taus must be [1]"
    return None


def flow_to_earlier(video: Video, index: int, before: int) -> FlowField:
    """Return where each pixel of a frame was in an earlier one.

    Raises:
        DataError: If that is not known.
    """
    if isinstance(video, KnowsEveryFlow):
        return video.flow_between(index, before)
    if isinstance(video, AnnotatedVideo) and before == index - 1:
        return video.backward_flow(index)
    raise DataError(
        f"the true flow from frame {index} to {before} is not known ("
        f"{why_no_flow(video, (index - before,))})",
        where=video.info.name,
    )
