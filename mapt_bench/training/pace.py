"""How fast a training goes, and how long it still takes."""

import time
from collections import deque
from collections.abc import Sequence

from mapt_bench.training.recipe import Stage

__all__ = ["Pace"]

_WINDOW_SECONDS = 300.0


class Pace:
    """Frames an hour and time left, by the steps of the last minutes.

    Args:
        stages: Of the whole training.
        step: Steps made before.

    Attributes:
        total: Weighted sum of the losses, as last logged; ``None`` before.
    """

    def __init__(self, stages: Sequence[Stage], step: int) -> None:
        self.total: float | None = None
        self._stages = stages
        self._made = step
        self._lap = (time.monotonic(), step)
        self._ends: deque[tuple[float, int]] = deque([self._lap])

    def step(self) -> None:
        """Note that one more step has been made."""
        now = time.monotonic()
        self._made += 1
        self._ends.append((now, self._made))
        while len(self._ends) > 2 and self._ends[0][0] < now - _WINDOW_SECONDS:
            self._ends.popleft()

    def pause(self) -> None:
        """Leave out what was done since the last step, as a validation."""
        self._lap = (time.monotonic(), self._made)
        self._ends = deque([self._lap])

    def lap(self) -> float:
        """Return the seconds of a step since this was last asked."""
        now = time.monotonic()
        seconds = (now - self._lap[0]) / max(1, self._made - self._lap[1])
        self._lap = (now, self._made)
        return seconds

    def frames_per_hour(self, stage: Stage) -> float:
        """Return frames an hour over the last minutes."""
        return 3600 * frames_of(stage) / max(self._seconds(), 1e-9)

    def told(self, stage: Stage, step: int) -> str:
        """Return stage, loss, frames an hour and time left, for people."""
        per_frame = self._seconds() / frames_of(stage)
        left = sum(
            (each.end - max(step, each.first)) * frames_of(each) * per_frame
            for each in self._stages
            if step < each.end
        )
        loss = "" if self.total is None else f"loss {self.total:.3f}, "
        speed = f"{self.frames_per_hour(stage):,.0f} frames an hour"
        return f"{stage.name}: {loss}{speed}, {_duration(left)} left"

    def _seconds(self) -> float:
        (start, first), (end, last) = self._ends[0], self._ends[-1]
        return (end - start) / max(1, last - first)


def frames_of(stage: Stage) -> int:
    """Return the frames of one step of a stage, over all processes."""
    return stage.recipe.batch_size * stage.recipe.clips.length


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
