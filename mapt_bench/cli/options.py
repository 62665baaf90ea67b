"""Options and output that several commands share."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from mapt_bench.errors import ConfigError
from mapt_bench.files import check_writable, json_text, write_together
from mapt_bench.reports.formats import TableFormat, render_tables
from mapt_bench.reports.tables import Table

__all__ = [
    "emit_json",
    "emit_results",
    "json_option",
    "path_type",
    "table_options",
    "whole_numbers",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_OUTPUTS = "mapt_bench.outputs"
"""Where a command's context keeps the files named so far, each with its option."""


class _PathType(click.Path):
    def convert(
        self,
        value: Any,  # noqa: ANN401 - as click has it
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401 - as click has it
        if value == "":
            self.fail("the path is empty; name a file or folder", param, ctx)
        return super().convert(value, param, ctx)


path_type = _PathType(path_type=Path)
"""A path that the library itself checks, so that messages and exit codes are ours."""


def whole_numbers(option: str, text: str, expected: str) -> tuple[int, ...]:
    """Read numbers with commas.

    Args:
        option: Which option they were given to.
        text: What was given.
        expected: What should have been, for people.

    Raises:
        ConfigError: If something else was given.

    Example:
        >>> whole_numbers("--levels", "1,3,5", "levels with commas")
        (1, 3, 5)
    """
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError as problem:
        raise ConfigError(f"{option} is {text!r}; expected {expected}") from problem


def json_option(function: _Function) -> _Function:
    """Add ``--json FILE``; ``-`` is stdout."""
    return click.option(
        "--json",
        "json_file",
        metavar="FILE",
        callback=_checked_output,
        help="Write the whole result as JSON to FILE; '-' is stdout (tables are then left out).",
    )(function)


def table_options(function: _Function) -> _Function:
    """Add ``--csv``, ``--latex`` and ``--markdown``, each with a file to write the tables to."""
    for name, word in (("markdown", "Markdown"), ("latex", "LaTeX"), ("csv", "CSV")):
        function = click.option(
            f"--{name}",
            f"{name}_file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            callback=_checked_output,
            help=f"Write the tables as {word}.",
        )(function)
    return function


def _checked_output(
    context: click.Context, option: click.Parameter, file: str | Path | None
) -> str | Path | None:
    """Refuse, before any work, a file that could not be written after it."""
    name = option.opts[0]
    if file is None or (file == "-" and name == "--json"):
        return file
    if str(file) == "-":
        raise ConfigError(f"{name} writes to a file; name one, or use --json - for stdout")
    if file in ("", Path()):
        raise ConfigError(f"{name} is empty; name a file")
    taken = context.meta.setdefault(_OUTPUTS, {})
    first = taken.setdefault(Path(file).resolve(), name)
    if first != name:
        raise ConfigError(f"{first} and {name} name the same file; give each its own", where=file)
    check_writable(Path(file))
    return file


def emit_json(json_file: str | None, data: object) -> bool:
    """Write ``data`` where ``--json`` says.

    Returns:
        True if stdout now holds the JSON, so that no table may follow it.
    """
    return emit_results(json_file, data, (), {})


def emit_results(
    json_file: str | None,
    data: object,
    tables: Sequence[Table],
    table_files: Mapping[TableFormat, Path | None],
) -> bool:
    """Write ``data`` where ``--json`` says and tables to their files: every file, or none.

    Returns:
        True if stdout now holds the JSON, so that no table may follow it.

    Raises:
        ConfigError: If the tables of one file would replace another.
        DataError: If a file cannot be written.
    """
    texts: dict[Path, str] = {}
    for table_format, path in table_files.items():
        if path is not None:
            _add(texts, render_tables(tables, path, table_format))
    if json_file is not None and json_file != "-":
        _add(texts, {Path(json_file): json_text(data)})
    write_together(texts)
    if json_file == "-":
        click.echo(json_text(data), nl=False)
    return json_file == "-"


def _add(texts: dict[Path, str], more: Mapping[Path, str]) -> None:
    for path, text in more.items():
        if path in texts:
            raise ConfigError("two outputs would go to this file; rename one", where=path)
        texts[path] = text
