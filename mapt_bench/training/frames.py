"""Images, ground truth and ground-truth flow of videos, read or generated once and then cached."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError
from mapt_bench.labels import AnnotatedVideo, FlowField, PanopticMap, Video

__all__ = ["FrameStore", "KnowsEveryFlow", "flow_to_earlier", "why_no_flow"]

_Pixels = TypeVar("_Pixels", NDArray[np.uint8], NDArray[np.uint32], NDArray[np.float16])
_Key = tuple[str, int, int, int]


class FrameStore:
    """Images and maps of videos; those least lately asked for are dropped first.

    Args:
        videos: With images and ground truth.
        room_bytes: How much may be kept.
    """

    def __init__(self, videos: Sequence[Video], room_bytes: int) -> None:
        self._videos = videos
        self._room = room_bytes
        self._used = 0
        self._kept: OrderedDict[
            _Key, NDArray[np.uint8] | NDArray[np.uint32] | NDArray[np.float16]
        ] = OrderedDict()

    def image(self, video: int, frame: int) -> NDArray[np.uint8]:
        """Return an image, ``uint8`` RGB of shape ``(height, width, 3)``; not to be changed.

        Raises:
            DataError: If it cannot be read or is no such array.
        """
        key = ("image", video, frame, frame)
        if key not in self._kept:
            image = self._videos[video].frame(frame).image
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise DataError(
                    f"the image is {image.dtype} of shape {image.shape}; expected uint8 RGB of "
                    "shape (height, width, 3)",
                    where=self.name(video, frame),
                )
            return self._keep(key, image)
        self._kept.move_to_end(key)
        return self._kept[key]  # type: ignore[return-value]  # by its key an image

    def truth(self, video: int, frame: int) -> PanopticMap:
        """Return a true map; not to be changed.

        Raises:
            DataError: If it cannot be read.
        """
        key = ("truth", video, frame, frame)
        if key not in self._kept:
            return PanopticMap(self._keep(key, self._videos[video].truth(frame).codes))
        self._kept.move_to_end(key)
        return PanopticMap(self._kept[key])  # type: ignore[arg-type]  # by its key codes

    def flow(self, video: int, frame: int, before: int) -> NDArray[np.float16]:
        """Return where each pixel of a frame was in an earlier one; not to be changed.

        Kept in half precision, whose error of at most 1/2048 is a twentieth of a pixel for the
        longest flows there are.

        Returns:
            Pixels to the right and downwards, shape ``(height, width, 2)``; NaN where not valid.

        Raises:
            DataError: If it cannot be read, or only the flow between neighbours is known.
        """
        key = ("flow", video, frame, before)
        if key not in self._kept:
            known = flow_to_earlier(self._videos[video], frame, before)
            flow = known.flow.astype(np.float16)
            flow[~known.valid] = np.nan
            return self._keep(key, flow)
        self._kept.move_to_end(key)
        return self._kept[key]  # type: ignore[return-value]  # by its key flow

    def name(self, video: int, frame: int) -> str:
        """Return what a frame is called in messages."""
        info = self._videos[video].info
        return f"{info.name}/{info.frame_names[frame]}"

    def _keep(self, key: _Key, pixels: _Pixels) -> _Pixels:
        self._kept[key] = pixels
        self._used += pixels.nbytes
        while self._used > self._room and self._kept:
            _, dropped = self._kept.popitem(last=False)
            self._used -= dropped.nbytes
        return pixels


@runtime_checkable
class KnowsEveryFlow(Protocol):
    """A video that knows the flow between any two of its frames."""

    def flow_between(self, index: int, other: int) -> FlowField:
        """Return where each pixel of a frame is in another one."""
        ...


def why_no_flow(video: Video, taus: tuple[int, ...]) -> str | None:
    """Return why a video has no ground-truth flow over these intervals, ``None`` if it has."""
    if not isinstance(video, AnnotatedVideo):
        return "it has no ground-truth flow; only synthetic videos have it"
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
        f"the ground-truth flow from frame {index} to {before} is not known ("
        f"{why_no_flow(video, (index - before,))})",
        where=video.info.name,
    )
