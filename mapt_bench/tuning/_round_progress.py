"""Progress of a run in rounds, whose number of units is known when the first begins."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from mapt_bench.experiments.engine.schedule import Schedule

__all__ = ["RoundBar", "TuningProgress", "no_progress"]

TuningProgress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Shows progress: gets a description and the number of work units, and yields a function that takes
the number of finished units."""


@contextmanager
def no_progress(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show no progress."""
    yield lambda units: None


class RoundBar:
    """One progress bar over all rounds; it opens when the first schedule is known.

    Args:
        stack: Closes the bar.
        progress: Shows it.
        trials: Trials of each tracker.
        rounds: Number of rounds.
    """

    def __init__(
        self, stack: ExitStack, progress: TuningProgress, trials: int, rounds: int
    ) -> None:
        self._stack, self._progress = stack, progress
        self._trials, self._rounds = trials, rounds
        self._round = 0
        self._advance: Callable[[int], None] | None = None

    def of_round(
        self, count: int, *, is_alone: bool = False
    ) -> Callable[[Schedule], AbstractContextManager[Callable[[int], None]]]:
        """Return what shows the progress of one round.

        Args:
            count: Trials of the round.
            is_alone: Whether it has a bar of its own, because the units of later rounds are
                unknown.
        """

        @contextmanager
        def show(schedule: Schedule) -> Iterator[Callable[[int], None]]:
            self._round += 1
            if is_alone:
                with self._progress(f"tune, round {self._round}", schedule.step_count) as advance:
                    yield advance
                return
            if self._advance is None:
                units = len(schedule.units())
                segments = schedule.step_count - units
                total = units // count * self._trials + segments * self._rounds
                self._advance = self._stack.enter_context(self._progress("tune", total))
            yield self._advance

        return show
