"""Options and output that several commands share."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from mapt_bench.files import write_json

__all__ = ["emit_json", "json_option", "path_type"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

path_type = click.Path(path_type=Path)
"""A path that the library itself checks, so that messages and exit codes are ours."""


def json_option(function: _Function) -> _Function:
    """Add ``--json FILE``; ``-`` is stdout."""
    return click.option(
        "--json",
        "json_file",
        metavar="FILE",
        help="Write the whole result as JSON to FILE; '-' is stdout (tables are then left out).",
    )(function)


def emit_json(json_file: str | None, data: object) -> bool:
    """Write ``data`` where ``--json`` says.

    Returns:
        True if stdout now holds the JSON, so that no table may follow it.
    """
    if json_file is None:
        return False
    if json_file == "-":
        click.echo(json.dumps(data, indent=2, allow_nan=False))
        return True
    write_json(Path(json_file), data)
    return False
