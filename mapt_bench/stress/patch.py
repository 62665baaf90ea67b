"""A piece of something that stands before a frame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Occluder", "Patch", "covered"]


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """Pixels that hide what is behind them. It may reach beyond the frame.

    Attributes:
        top: Row of its first row in the frame.
        left: Column of its first column in the frame.
        mask: ``bool`` of shape ``(h, w)``: where it hides.
        code: What the truth says there.
        paint: Draws it: ``uint8`` RGB of shape ``(h, w, 3)``.
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
        """Return its rows and columns in a frame and those of its own; ``None`` if outside."""
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
    """What stands before the frames of a video. Must pickle."""

    @property
    def label(self) -> str:
        """Class of its pixels in the truth, or ``"void"``."""
        ...

    @property
    def is_tracked(self) -> bool:
        """Whether its patches are tracked things of the truth."""
        ...

    def patches(self, index: int) -> Sequence[Patch]:
        """Return what stands before a frame, the nearest last."""
        ...


def covered(patches: Sequence[Patch], height: int, width: int) -> NDArray[np.bool_]:
    """Return where a frame is hidden, ``bool`` of shape ``(height, width)``."""
    hidden = np.zeros((height, width), dtype=bool)
    for patch in patches:
        place = patch.clipped(height, width)
        if place is not None:
            hidden[place[0]] |= patch.mask[place[1]]
    return hidden
