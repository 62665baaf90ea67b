"""What trackers of one video work out alike, kept for all of them and charged to each."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeVar

__all__ = ["SharedWork", "WorkOfUnit"]

_BUDGET_BYTES = 512 << 20

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class _Made:
    value: Any
    seconds: float


@dataclass(eq=False)
class SharedWork:
    """Everything that was worked out of one video under one stress, while there is room.

    Attributes:
        budget_bytes: How much may be kept; what comes later is made anew each time.
    """

    budget_bytes: int = _BUDGET_BYTES
    _made: dict[Hashable, _Made] = field(default_factory=dict, init=False, repr=False)
    _used: int = field(default=0, init=False, repr=False)

    def find(self, key: Hashable) -> _Made | None:
        """Return what was made under a key."""
        return self._made.get(key)

    def keep(self, key: Hashable, made: _Made) -> None:
        """Keep what was made, if there is room."""
        size = _bytes_of(made.value)
        if self._used + size <= self.budget_bytes:
            self._made[key] = made
            self._used += size


class WorkOfUnit:
    """The share of one tracker: see :class:`~mapt_bench.tracking.sharing.Share`.

    Args:
        work: Of the video.
        segments: Name of the segments that the tracker links.
        whole_index: Gives the position in the whole video of a frame that the tracker sees.

    Attributes:
        saved_seconds: What all that was found ready had taken when it was made: time that the
            tracker would have needed by itself.
    """

    def __init__(
        self, work: SharedWork, segments: str | None, whole_index: Callable[[int], int]
    ) -> None:
        self._work = work
        self._segments = segments
        self._whole_index = whole_index
        self.saved_seconds = 0.0

    def once(
        self,
        what: Hashable,
        frames: tuple[int, ...],
        make: Callable[[], _Value],
        *,
        of_segments: bool = False,
    ) -> _Value:
        """Return a value that was made before, or make it."""
        places = tuple(self._whole_index(frame) for frame in frames)
        key = (what, places, self._segments if of_segments else None)
        found = self._work.find(key)
        if found is not None:
            self.saved_seconds += found.seconds
            value: _Value = found.value
            return value
        before, began = self.saved_seconds, perf_counter()
        value = make()
        # What was found ready on the way had its own time.
        seconds = perf_counter() - began + self.saved_seconds - before
        self._work.keep(key, _Made(value, seconds))
        return value


def _bytes_of(value: Any) -> int:  # noqa: ANN401 - arrays, tensors, and tuples of them
    if isinstance(value, Iterable) and not hasattr(value, "nbytes"):
        return sum(map(_bytes_of, value))
    return int(getattr(value, "nbytes", 0))
