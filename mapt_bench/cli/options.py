"""Options and output that several commands share, and the progress of long work on stderr."""

import re
import shlex
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from mapt_bench.errors import ConfigError, DataError, printable
from mapt_bench.files import check_writable, json_text, write_together
from mapt_bench.provenance import NAMED_REVISION
from mapt_bench.reports.table_formats import TableFormat, render_tables
from mapt_bench.reports.tables import Table

__all__ = [
    "TableFile",
    "add_options",
    "checked_output",
    "complete_encoding",
    "complete_from",
    "complete_label_space",
    "complete_row",
    "complete_segments",
    "complete_suite",
    "complete_thresholds",
    "complete_weights",
    "dataset_option",
    "emit_json",
    "emit_results",
    "encoding_option",
    "headline_options",
    "jobs_option",
    "json_option",
    "path_type",
    "progress_bar",
    "resumable",
    "revision_option",
    "show_config_option",
    "split_names",
    "table_options",
    "training_bar",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_OUTPUTS = "mapt_bench.outputs"
"""Key of a command's context for the output files named so far, each with its option."""


class _PathType(click.Path):
    def convert(
        self,
        value: Any,  # noqa: ANN401 - as click has it
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401 - as click has it
        if value == "":
            self.fail("the path is empty; expected a file or folder", param, ctx)
        return super().convert(value, param, ctx)


path_type = _PathType(path_type=Path)
"""A path without checks by click. The library checks it, with its own messages and exit codes."""


def complete_row(
    context: click.Context, option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete a row: names of trackers, and ``+memory`` if the tracker supports it."""
    from mapt_bench.baselines.registry import (
        associator_names,
        flow_tracker_names,
        mapt_tracker_names,
    )
    from mapt_bench.baselines.rows import tracker_entry
    from mapt_bench.baselines.user_trackers import plugin_names

    names = dict.fromkeys(
        (*associator_names(), *mapt_tracker_names(), *flow_tracker_names(), *plugin_names())
    )
    begun = [name for name in names if incomplete.startswith(name)]
    remembering = [f"{name}+memory" for name in begun if tracker_entry(name).supports_memory]
    return _beginning(incomplete, [*names, *remembering])


def complete_suite(
    context: click.Context, option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a suite of the synthetic world."""
    from mapt_bench.synthetic.suites import suite_names

    return _beginning(incomplete, suite_names())


def complete_segments(
    context: click.Context, option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete segments: their names, names of shipped weights, else files and folders.

    After a comma, the next name is completed.
    """
    from mapt_bench.baselines.segmenters import GROUND_TRUTH
    from mapt_bench.experiments import FOUND_BY_MAPT, NOISY
    from mapt_bench.weights import shipped_weights

    before, comma, word = incomplete.rpartition(",")
    names = [FOUND_BY_MAPT, GROUND_TRUTH, NOISY, *shipped_weights()]
    given = before.split(",")
    kinds = [f"{before}{comma}{name}" for name in names if name not in given]
    return [*_files(word), *_beginning(incomplete, kinds)]


def complete_thresholds(
    context: click.Context, option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the thresholds of an experiment: their names, else a file."""
    from mapt_bench.baselines.thresholds import THRESHOLDS

    return [*_files(incomplete), *_beginning(incomplete, THRESHOLDS)]


def complete_label_space(
    context: click.Context, option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a built-in label space, else a file."""
    from mapt_bench.labels import label_space_names

    return [*_files(incomplete), *_beginning(incomplete, label_space_names())]


def complete_encoding(
    context: click.Context, option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of an encoding of maps."""
    from mapt_bench.data import encoding_names

    return _beginning(incomplete, encoding_names())


def complete_weights(
    context: click.Context, option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of shipped weights, else a file."""
    from mapt_bench.weights import shipped_weights

    return [*_files(incomplete), *_beginning(incomplete, shipped_weights())]


def complete_from(names: Callable[[], Iterable[str]], *, or_file: bool = False) -> _Completion:
    """Return a function that completes one of some names, each once, or else a file.

    Args:
        names: Returns the names. It is called on completion only, so it may import modules.
        or_file: Whether the value may also be a file.
    """

    def complete(
        context: click.Context, option: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        given = context.params.get(option.name or "") if option.multiple or option.nargs < 0 else ()
        left = [name for name in names() if name not in (given or ())]
        return [*(_files(incomplete) if or_file else ()), *_beginning(incomplete, left)]

    return complete


def _beginning(incomplete: str, values: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(value) for value in values if value.startswith(incomplete)]


def _files(incomplete: str) -> list[CompletionItem]:
    """Let the shell complete files if no name fits. It comes first: bash drops items before it."""
    return [CompletionItem(incomplete, type="file")]


def add_options(*options: _Decorator) -> _Decorator:
    """Join options to one decorator, in the order of ``--help``."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return add


dataset_option = click.option(
    "--dataset",
    shell_complete=complete_label_space,
    metavar="NAME",
    help="Use this label space for --data: a built-in name or a YAML file. "
    "Example: --dataset kitti-step",
)
"""``--dataset`` of commands with ``--data``."""

encoding_option = click.option(
    "--encoding",
    shell_complete=complete_encoding,
    metavar="NAME",
    help="Read the maps of --data in this encoding. Example: --encoding kitti-step",
)
"""``--encoding`` of commands with ``--data``."""

jobs_option = click.option(
    "-j",
    "jobs",
    default=1,
    show_default=True,
    help="Run this number of worker processes. Example: -j 2",
)
"""``-j``."""

show_config_option = click.option(
    "--show-config",
    is_flag=True,
    help="Print all options of this run as YAML and stop.",
)
"""``--show-config``."""


headline_options = add_options(
    click.option(
        "--full",
        is_flag=True,
        help="Print all tables, not only the headline table. Example: --full",
    ),
    click.option(
        "--scores",
        metavar="NAMES",
        help="Show these scores in the headline and LaTeX tables, in this order. "
        "Example: --scores PAT,STQ,IDSW",
    ),
    click.option(
        "--rows",
        metavar="NAMES",
        help="Show these rows in the headline and LaTeX tables, in this order. Names are "
        "separated by commas. Example: --rows mapt+memory,sort+memory",
    ),
)
"""``--full``, ``--scores`` and ``--rows`` of commands that end with a headline table."""


def split_names(text: str | None) -> tuple[str, ...]:
    """Return the names of an option that are separated by commas, each once.

    Raises:
        ConfigError: If a name is empty.
    """
    # A comma before a setting belongs to the name of a row.
    names = [] if text is None else [name.strip() for name in re.split(r",(?![a-z_]+=)", text)]
    if "" in names:
        raise ConfigError(f"{text!r} has an empty name; separate names by single commas")
    return tuple(dict.fromkeys(names))


def _name_revision(context: click.Context, option: click.Parameter, revision: str | None) -> None:
    """Name the revision until the command ends."""
    if revision == "":
        raise ConfigError("--revision is empty; name a revision, or omit the option")
    token = NAMED_REVISION.set(revision)
    context.call_on_close(lambda: NAMED_REVISION.reset(token))


def json_option(function: _Function) -> _Function:
    """Add ``--json FILE``; ``-`` is stdout."""
    return click.option(
        "--json",
        "json_file",
        metavar="FILE",
        callback=checked_output,
        help="Write the whole result as JSON to FILE. With '-', print it instead of tables.",
    )(function)


revision_option = click.option(
    "--revision",
    metavar="NAME",
    expose_value=False,
    callback=_name_revision,
    help="Store this revision of your project in the result, for history. Default: $GITHUB_SHA, "
    "or the git HEAD of the current folder. Example: --revision v1.2",
)
"""``--revision`` of commands that write results."""


def table_options(function: _Function) -> _Function:
    """Add ``--csv``, ``--latex`` and ``--markdown``, each with an output file for the tables."""
    for name, word in (("markdown", "Markdown"), ("latex", "LaTeX"), ("csv", "CSV")):
        function = click.option(
            f"--{name}",
            f"{name}_file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            callback=checked_output,
            help=f"Write the tables as {word}.",
        )(function)
    return function


def checked_output(
    context: click.Context, option: click.Parameter, file: str | Path | None
) -> str | Path | None:
    """Check before any work that an output file can be written. Its folder must exist."""
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
    folder = Path(file).parent
    if not folder.is_dir():
        raise DataError(
            f"cannot be written: there is no folder {folder}; create it, or choose another file",
            where=file,
        )
    check_writable(Path(file))
    return file


def emit_json(json_file: str | None, data: object) -> bool:
    """Write ``data`` to the file of ``--json``, or print it for ``-``.

    Returns:
        True if the JSON was printed, so that no table may be printed.
    """
    return emit_results(json_file, data, ())


TableFile = tuple[TableFormat, Path | None, Sequence[Table]]
"""Format, path and tables of an output file. The path is ``None`` if it was not asked for."""


def emit_results(json_file: str | None, data: object, table_files: Iterable[TableFile]) -> bool:
    """Write JSON and tables to their files: all files, or none if one cannot be written.

    Args:
        json_file: File of ``--json``, ``-`` for stdout, or ``None``.
        data: Result.
        table_files: Files of tables of the result.

    Returns:
        True if the JSON was printed, so that no table may be printed.

    Raises:
        ConfigError: If the tables of one file would replace another.
        DataError: If a file cannot be written.
    """
    texts: dict[Path, str] = {}
    for table_format, path, tables in table_files:
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
            raise ConfigError("is the file of two outputs; give each its own file", where=path)
        texts[path] = text


@contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """On Ctrl-C, name the run folder and the command that resumes the run.

    Args:
        folder: Run folder.

    Raises:
        KeyboardInterrupt: With this text.
    """
    try:
        yield
    except KeyboardInterrupt as problem:
        context = click.get_current_context()
        words = list(context.obj or [context.info_name])
        is_named = context.get_parameter_source("out") is ParameterSource.COMMANDLINE
        command = shlex.join(["mapt-bench", *words, *([] if is_named else ["--out", str(folder)])])
        raise KeyboardInterrupt(
            f"finished work is kept in {folder}; to resume: {command}"
        ) from problem


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
