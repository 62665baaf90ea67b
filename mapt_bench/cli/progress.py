"""Progress of long work: a bar on stderr, and nothing where stderr is no terminal."""

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

__all__ = ["progress_bar", "training_bar"]

_LINE_EVERY = 30.0


@contextmanager
def progress_bar(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that moves the bar on by a number of units.

    Args:
        description: What is being done, for example ``"scoring"``.
        total: Units in all, for example frames.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(description, total=total)
        yield lambda units: bar.advance(task, units)


class _TrainingBar:
    """Moves a bar on and changes what stands beside it; or prints a line now and then."""

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
    """Yield what moves a bar on and tells how the training fares.

    Where stderr is no terminal, what is told is a line every 30 seconds.

    Args:
        description: What is being done at first.
        total: Steps in all.
    """
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        yield _TrainingBar(bar, console, total)
