"""How a benchmark ends when its input is wrong: one line and the exit code of the error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from mapt_bench.errors import MaptBenchError

__all__ = ["shown_errors"]


@contextmanager
def shown_errors() -> Iterator[None]:
    """Show an error that is meant for the user, and exit with its code."""
    try:
        yield
    except MaptBenchError as problem:
        place = f"{problem.where}: " if problem.where else ""
        click.echo(f"Error: {place}{problem.message}", err=True)
        sys.exit(problem.exit_code)
