"""Progress of long work on stderr."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from mapt_bench.errors import printable

__all__ = ["progress_bar", "training_bar"]

_LINE_EVERY = 30.0


@contextmanager
def progress_bar(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that advances the bar by a number of units.

    The bar is on stderr. If stderr is not a terminal, a line is printed every 30 seconds.

    Args:
        description: Text beside the bar, for example ``"scoring"``.
        total: Number of units, for example frames.
    """
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        with _progress_lines(console, description, total) as advance:
            yield advance
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(printable(description), total=total)
        yield lambda units: bar.advance(task, units)


@contextmanager
def _progress_lines(
    console: Console, description: str, total: int
) -> Iterator[Callable[[int], None]]:
    """Print a line every 30 seconds, also while nothing advances."""
    done, began, ended = 0, time.monotonic(), threading.Event()

    def advance(units: int) -> None:
        nonlocal done
        done += units

    def report() -> None:
        while not ended.wait(_LINE_EVERY):
            minutes, seconds = divmod(int(time.monotonic() - began), 60)
            line = f"{printable(description)}: {done} of {total}, {minutes}:{seconds:02} min"
            console.print(line, soft_wrap=True, markup=False)

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield advance
    finally:
        ended.set()
        reporter.join()


class _TrainingBar:
    """A progress bar with a text. Without a terminal, it prints a line from time to time."""

    def __init__(self, bar: Progress, console: Console, total: int) -> None:
        self._bar, self._console, self._total = bar, console, total
        self._task = bar.add_task("training", total=total)
        self._done = 0
        self._line = time.monotonic()

    def __call__(self, units: int, /) -> None:
        self._done += units
        self._bar.advance(self._task, units)

    def tell(self, text: str, /) -> None:
        if self._console.is_terminal:
            self._bar.update(self._task, description=text)
        elif time.monotonic() - self._line >= _LINE_EVERY or self._done == self._total:
            self._line = time.monotonic()
            self._console.print(f"step {self._done} of {self._total}, {text}", soft_wrap=True)


@contextmanager
def training_bar(description: str, total: int) -> Iterator[_TrainingBar]:
    """Yield a progress bar that also shows the state of a training.

    If stderr is not a terminal, the state is printed as one line every 30 seconds.

    Args:
        description: First text beside the bar.
        total: Number of steps.
    """
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        yield _TrainingBar(bar, console, total)
