"""Stressors of motion on any video: only every tau-th frame, and a camera that shakes."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.flow_fields import chained_flow
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import (
    ID_BITS,
    AnnotatedObject,
    AnnotatedVideo,
    FlowField,
    Frame,
    PanopticMap,
    Video,
    VideoInfo,
    WrappedVideo,
)
from mapt_bench.stress.catalog import Stress
from mapt_bench.stress.known_objects import moved, visible_fractions

__all__ = [
    "DroppedAnnotatedVideo",
    "DroppedVideo",
    "ShakenAnnotatedVideo",
    "ShakenVideo",
    "dropped",
    "shaken",
]


@dataclass(frozen=True)
class DroppedVideo(WrappedVideo):
    """Frames ``phase, phase + tau, phase + 2 tau, ...`` of a video, numbered from 0.

    Attributes:
        tau: Distance between kept frames, 1 or more.
        phase: First kept frame, 0 to ``tau - 1``.

    Raises:
        ConfigError: If ``tau`` or ``phase`` is out of range.
    """

    tau: int
    phase: int

    def __post_init__(self) -> None:
        if self.tau < 1 or not 0 <= self.phase < self.tau:
            raise ConfigError(
                f"phase {self.phase} of interval {self.tau}; expected an interval of 1 or more "
                "and a phase below it"
            )

    @property
    def info(self) -> VideoInfo:
        """What is known before the first frame."""
        whole = self.video.info
        return replace(whole, frame_names=whole.frame_names[self.phase :: self.tau])

    def whole_index(self, index: int) -> int:
        """Return the position of a kept frame in the whole video."""
        return self.phase + self.tau * index

    def frame(self, index: int) -> Frame:
        """Return the kept frame at a position. Its image is read on demand."""
        whole = self.video.frame(self.whole_index(index))
        return Frame(index, whole.name, (lambda: whole.image) if whole.has_image else None)

    def truth(self, index: int) -> PanopticMap:
        """Return the ground truth of the kept frame at a position."""
        return self.video.truth(self.whole_index(index))

    def visible_fractions(self, index: int) -> dict[int, float] | None:
        """Return the visible fractions in the whole video."""
        return visible_fractions(self.video, self.whole_index(index))

    @property
    def knows_flow(self) -> bool:
        """Whether :meth:`backward_flow` can be read."""
        return isinstance(self.video, AnnotatedVideo)

    def backward_flow(self, index: int) -> FlowField:
        """Return the position of each pixel of a kept frame in the kept frame before.

        It is valid for points that are also visible in the dropped frames in between.

        Raises:
            DataError: If the whole video has no exact flow, or the frame is the first.
        """
        if not isinstance(self.video, AnnotatedVideo):
            raise DataError(
                "the ground-truth flow of this video is not known", where=self.video.info.name
            )
        if index < 1:
            raise DataError("there is no frame before the first", where=self.video.info.name)
        last = self.whole_index(index)
        return chained_flow(
            self.video.backward_flow(whole) for whole in range(last, last - self.tau, -1)
        )


@dataclass(frozen=True)
class DroppedAnnotatedVideo(DroppedVideo):
    """The same for an annotated synthetic video."""

    video: AnnotatedVideo

    def objects(self, index: int) -> tuple[AnnotatedObject, ...]:
        """Return the tracked objects that reach into a kept frame, nearest first.

        Speeds are from kept frame to kept frame, measured on the silhouettes inside the frame.
        """
        last = self.video.objects(self.whole_index(index - 1)) if index else ()
        before = {entry.code: entry for entry in last}
        return tuple(
            replace(
                entry,
                speed=moved(before[entry.code], entry) if entry.code in before else float("nan"),
            )
            for entry in self.video.objects(self.whole_index(index))
        )

    def forward_flow(self, index: int) -> FlowField:
        """Return the position of each pixel of a kept frame in the next kept frame.

        Raises:
            DataError: If the frame is the last.
        """
        if index >= self.info.frame_count - 1:
            raise DataError("there is no frame after the last", where=self.video.info.name)
        first = self.whole_index(index)
        return chained_flow(
            self.video.forward_flow(whole) for whole in range(first, first + self.tau)
        )


def dropped(video: Video, tau: int, phase: int) -> DroppedVideo:
    """Drop frames. An annotated synthetic video keeps its annotations."""
    if isinstance(video, AnnotatedVideo):
        return DroppedAnnotatedVideo(video, tau, phase)
    return DroppedVideo(video, tau, phase)


_Kind = TypeVar("_Kind", bound=np.generic)


@dataclass(frozen=True)
class ShakenVideo(WrappedVideo):
    """A video whose frames are shifted by whole pixels. The new border is void.

    Attributes:
        stress: Level and seed.
    """

    stress: Stress

    def shift(self, index: int) -> tuple[int, int]:
        """Return the shift of a frame in pixels, (x, y)."""
        reach = max(1.0, self.stress.value / 100 * self.info.height)
        x, y = self.stress.generator(self.info.name, index).uniform(-1, 1, 2) * reach
        return round(x), round(y)

    def frame(self, index: int) -> Frame:
        """Return the frame at a position. Its border pixels are repeated outwards."""
        plain = self.video.frame(index)
        if not plain.has_image:
            return plain
        return Frame(index, plain.name, lambda: _stretched(plain.image, *self.shift(index)))

    def truth(self, index: int) -> PanopticMap:
        """Return the ground truth at a position."""
        void = np.uint32(self.info.labels.ignore_label << ID_BITS)
        return PanopticMap(_shifted(self.video.truth(index).codes, *self.shift(index), void))

    def visible_fractions(self, index: int) -> dict[int, float] | None:
        """Return the visible fractions of the video. Shifting out of the frame does not count."""
        return visible_fractions(self.video, index)


@dataclass(frozen=True)
class ShakenAnnotatedVideo(ShakenVideo):
    """The same for an annotated synthetic video."""

    video: AnnotatedVideo

    def objects(self, index: int) -> tuple[AnnotatedObject, ...]:
        """Return the tracked objects that reach into the shifted frame, nearest first.

        Speeds are measured on the silhouettes inside the frame.
        """
        shift = self.shift(index)
        last = self.shift(index - 1) if index else shift
        before = {entry.code: entry for entry in self.video.objects(index - 1)} if index else {}
        codes = self.truth(index).codes
        found = []
        for entry in self.video.objects(index):
            part = _inside(entry, shift, codes)
            if part is not None:
                speed = float("nan")
                if entry.code in before:
                    difference = shift[0] - last[0], shift[1] - last[1]
                    speed = moved(before[entry.code], entry, difference)
                found.append(replace(part, speed=speed))
        return tuple(found)

    def backward_flow(self, index: int) -> FlowField:
        """Return the position of each pixel in the frame before."""
        return self._shifted_flow(self.video.backward_flow(index), index, index - 1)

    def forward_flow(self, index: int) -> FlowField:
        """Return the position of each pixel in the next frame."""
        return self._shifted_flow(self.video.forward_flow(index), index, index + 1)

    def _shifted_flow(self, field: FlowField, index: int, other: int) -> FlowField:
        (x, y), (other_x, other_y) = self.shift(index), self.shift(other)
        flow = _shifted(field.flow, x, y, np.float32(0))
        flow += np.array((other_x - x, other_y - y), dtype=np.float32)
        valid = _shifted(field.valid, x, y, np.bool_(False))
        height, width = valid.shape
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        to_x, to_y = columns + flow[..., 0], rows + flow[..., 1]
        # In the other frame the new border is void.
        valid &= (to_x >= max(0, other_x)) & (to_x <= width - 1 + min(0, other_x))
        valid &= (to_y >= max(0, other_y)) & (to_y <= height - 1 + min(0, other_y))
        return FlowField(flow, valid)


def shaken(video: Video, stress: Stress) -> ShakenVideo:
    """Shake a video. An annotated synthetic video keeps its annotations."""
    if isinstance(video, AnnotatedVideo):
        return ShakenAnnotatedVideo(video, stress)
    return ShakenVideo(video, stress)


def _places(size: int, shift: int) -> tuple[slice, slice]:
    """Return the target and the source of pixels along an axis."""
    start, stop = min(max(shift, 0), size), max(min(size + shift, size), 0)
    return slice(start, max(start, stop)), slice(start - shift, max(start, stop) - shift)


def _shifted(values: NDArray[_Kind], x: int, y: int, border: _Kind) -> NDArray[_Kind]:
    result = np.full_like(values, border)
    (rows, from_rows), (columns, from_columns) = (
        _places(size, shift) for size, shift in zip(values.shape[:2], (y, x), strict=True)
    )
    result[rows, columns] = values[from_rows, from_columns]
    return result


def _stretched(image: NDArray[np.uint8], x: int, y: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    rows = (np.arange(height) - y).clip(0, height - 1)
    columns = (np.arange(width) - x).clip(0, width - 1)
    return np.ascontiguousarray(image[rows][:, columns])


def _inside(
    entry: AnnotatedObject, shift: tuple[int, int], codes: NDArray[np.uint32]
) -> AnnotatedObject | None:
    """Return the part of an object inside the shifted frame; ``None`` if there is none."""
    height, width = codes.shape
    top, left = entry.top + shift[1], entry.left + shift[0]
    cut_top, cut_left = max(0, -top), max(0, -left)
    amodal = entry.amodal[cut_top : max(0, height - top), cut_left : max(0, width - left)]
    rows, columns = np.flatnonzero(amodal.any(1)), np.flatnonzero(amodal.any(0))
    if not rows.size:
        return None
    return replace(
        entry,
        top=top + cut_top + int(rows[0]),
        left=left + cut_left + int(columns[0]),
        amodal=amodal[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1],
        visible_px=int(np.count_nonzero(codes == entry.code)),
    )
