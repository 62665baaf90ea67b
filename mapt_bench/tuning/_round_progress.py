"""Progress of a run in rounds, whose number of units is known when the first begins."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from mapt_bench.experiments.engine.runner import Advance, NamedProgress, Progress
from mapt_bench.experiments.engine.schedule import Schedule

__all__ = ["RoundBar"]


class RoundBar:
    """One progress bar over all rounds; it opens when the first schedule is known.

    Args:
        stack: Closes the bar.
        progress: Shows it.
        trials: Trials of each tracker.
        rounds: Number of rounds.
    """

    def __init__(self, stack: ExitStack, progress: NamedProgress, trials: int, rounds: int) -> None:
        self._stack, self._progress = stack, progress
        self._trials, self._rounds = trials, rounds
        self._round = 0
        self._advance: Advance | None = None

    def of_round(self, count: int, *, is_alone: bool = False) -> Progress:
        """Return what shows the progress of one round.

        Args:
            count: Trials of the round.
            is_alone: Whether it has a bar of its own, because the units of later rounds are
                unknown.
        """

        @contextmanager
        def show(schedule: Schedule) -> Iterator[Advance]:
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
