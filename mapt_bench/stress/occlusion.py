"""A video behind an occluder: images, ground truth and annotations are hidden alike."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import (
    ID_BITS,
    AnnotatedObject,
    AnnotatedVideo,
    FlowField,
    Frame,
    LabelSpace,
    PanopticMap,
    Video,
    WrappedVideo,
)
from mapt_bench.statistics.frame_objects import find_objects
from mapt_bench.stress.known_objects import moved, visible_fractions

__all__ = [
    "VOID",
    "OccludedAnnotatedVideo",
    "OccludedVideo",
    "Occluder",
    "Patch",
    "covered",
    "occluded",
    "occluder_class",
]


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """Pixels that hide the frame behind them. A patch may reach beyond the frame.

    Attributes:
        top: Row of its first row in the frame.
        left: Column of its first column in the frame.
        mask: ``bool`` of shape ``(h, w)``, true for pixels that hide.
        code: Code of its pixels in the ground truth.
        paint: Returns its image, ``uint8`` RGB of shape ``(h, w, 3)``.
        look_alike: Group of look-alikes of a thing, 0 for none; see
            :class:`~mapt_bench.labels.AnnotatedObject`.
    """

    top: int
    left: int
    mask: NDArray[np.bool_]
    code: int
    paint: Callable[[], NDArray[np.uint8]]
    look_alike: int = 0

    def clipped(
        self, height: int, width: int
    ) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
        """Return the visible rows and columns in the frame and in the patch, if any."""
        spans = []
        for start, size, limit in (
            (self.top, self.mask.shape[0], height),
            (self.left, self.mask.shape[1], width),
        ):
            first, last = max(start, 0), min(start + size, limit)
            if first >= last:
                return None
            spans.append((slice(first, last), slice(first - start, last - start)))
        (rows, own_rows), (columns, own_columns) = spans
        return (rows, columns), (own_rows, own_columns)


class Occluder(Protocol):
    """The occluders of a video, for every frame. Must pickle."""

    @property
    def label(self) -> str:
        """Class of its pixels in the ground truth, or ``"void"``."""
        ...

    @property
    def is_tracked(self) -> bool:
        """Whether its patches are tracked things of the ground truth."""
        ...

    def patches(self, index: int) -> Sequence[Patch]:
        """Return the patches in front of a frame, the nearest last."""
        ...


def covered(patches: Sequence[Patch], height: int, width: int) -> NDArray[np.bool_]:
    """Return the hidden pixels of a frame, ``bool`` of shape ``(height, width)``."""
    hidden = np.zeros((height, width), dtype=bool)
    for patch in patches:
        place = patch.clipped(height, width)
        if place is not None:
            hidden[place[0]] |= patch.mask[place[1]]
    return hidden


VOID = "void"
"""Label of an occluder without a class."""


def occluder_class(video: Video, names: Iterable[str]) -> tuple[str, int]:
    """Return the name and the code of an occluder's pixels.

    In an annotated synthetic video it is the first of some names that is a stuff class of the label
    space. An occluder in front of recorded frames has no class in their ground truth and becomes
    void.
    """
    labels = video.info.labels
    stuff = {entry.name: entry.class_id for entry in labels.classes if not entry.is_thing}
    for name in names if isinstance(video, AnnotatedVideo) else ():
        if name in stuff:
            return name, stuff[name] << ID_BITS
    return VOID, labels.ignore_label << ID_BITS


@dataclass(frozen=True)
class OccludedVideo(WrappedVideo):
    """A video behind an occluder.

    Attributes:
        occluder: The occluder in front.
    """

    occluder: Occluder

    def frame(self, index: int) -> Frame:
        """Return the frame at a position. Its image is painted when it is read."""
        plain = self.video.frame(index)
        if not plain.has_image:
            return plain

        def image() -> NDArray[np.uint8]:
            drawn = plain.image.copy()
            for patch in self.occluder.patches(index):
                place = patch.clipped(*drawn.shape[:2])
                if place is not None:
                    mask = patch.mask[place[1]]
                    drawn[place[0]][mask] = patch.paint()[place[1]][mask]
            return drawn

        return Frame(index, plain.name, image)

    def truth(self, index: int) -> PanopticMap:
        """Return the ground truth at a position. Hidden pixels belong to the occluder."""
        codes = self.video.truth(index).codes.copy()
        for patch in self.occluder.patches(index):
            place = patch.clipped(*codes.shape)
            if place is not None:
                codes[place[0]][patch.mask[place[1]]] = patch.code
        return PanopticMap(codes)

    def visible_fractions(self, index: int) -> dict[int, float] | None:
        """Return the visible fraction of each thing."""
        whole = self.video.truth(index)
        hidden = covered(self.occluder.patches(index), *whole.shape)
        before = visible_fractions(self.video, index) or {}
        areas = _areas(whole, self.info.labels)
        left = _areas(PanopticMap(np.where(hidden, np.uint32(0), whole.codes)), self.info.labels)
        return {
            **dict.fromkeys(before, 0.0),
            **{code: before.get(code, 1.0) * left[code] / area for code, area in areas.items()},
        }


@dataclass(frozen=True)
class OccludedAnnotatedVideo(OccludedVideo):
    """An annotated synthetic video behind an occluder, which is annotated too."""

    video: AnnotatedVideo

    def objects(self, index: int) -> tuple[AnnotatedObject, ...]:
        """Return the tracked objects, nearest first, tracked occluders included."""
        seen = _areas(self.truth(index), self.info.labels)
        behind = tuple(
            replace(entry, visible_px=seen[entry.code]) for entry in self.video.objects(index)
        )
        if not self.occluder.is_tracked:
            return behind
        depth = min((entry.depth for entry in behind), default=2.0) / 2
        before = self._in_front(index - 1) if index else {}
        in_front = (
            replace(
                entry,
                visible_px=seen[code],
                depth=depth,
                speed=moved(before[code], entry) if code in before else float("nan"),
            )
            for code, entry in self._in_front(index).items()
        )
        return (*in_front, *behind)

    def backward_flow(self, index: int) -> FlowField:
        """Return the position of each pixel in the frame before; not valid where hidden."""
        return self._uncovered(self.video.backward_flow(index), index, index - 1)

    def forward_flow(self, index: int) -> FlowField:
        """Return the position of each pixel in the next frame; not valid where hidden."""
        return self._uncovered(self.video.forward_flow(index), index, index + 1)

    def _in_front(self, index: int) -> dict[int, AnnotatedObject]:
        """Return the tracked patches that reach into a frame, nearest first."""
        found = {}
        nan = float("nan")
        for patch in reversed(self.occluder.patches(index)):
            place = patch.clipped(self.info.height, self.info.width)
            if place is not None:
                (rows, columns), own = place
                found[patch.code] = AnnotatedObject(
                    code=patch.code,
                    top=rows.start,
                    left=columns.start,
                    amodal=patch.mask[own],
                    visible_px=0,
                    depth=nan,
                    speed=nan,
                    look_alike=patch.look_alike,
                )
        return found

    def _uncovered(self, field: FlowField, index: int, other: int) -> FlowField:
        height, width = field.valid.shape
        here, there = (covered(self.occluder.patches(at), height, width) for at in (index, other))
        valid = field.valid & ~here
        rows, columns = np.nonzero(valid)
        across, down = field.flow[rows, columns].T
        y = np.rint(rows + down).astype(np.int64).clip(0, height - 1)
        x = np.rint(columns + across).astype(np.int64).clip(0, width - 1)
        valid[rows, columns] = ~there[y, x]
        return FlowField(field.flow, valid)


def occluded(video: Video, occluder: Occluder) -> OccludedVideo:
    """Put an occluder in front of a video. An annotated synthetic video keeps its annotations."""
    if isinstance(video, AnnotatedVideo):
        return OccludedAnnotatedVideo(video, occluder)
    return OccludedVideo(video, occluder)


def _areas(panoptic: PanopticMap, labels: LabelSpace) -> Counter[int]:
    """Return the pixels of each tracked thing, by code."""
    found = find_objects(panoptic, labels)
    return Counter(dict(zip(found.codes.tolist(), found.areas.tolist(), strict=True)))
