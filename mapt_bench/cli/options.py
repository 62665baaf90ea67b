"""Options and output that several commands share."""

import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from mapt_bench.cli.completion import (
    complete_class_map,
    complete_encoding,
    complete_label_space,
)
from mapt_bench.cli.inputs import OUTPUTS
from mapt_bench.cli.results_stream import results_stream
from mapt_bench.devices import CPU, FLOAT32, PRECISIONS
from mapt_bench.errors import ConfigError, DataError, FullDiskError, printable
from mapt_bench.files import check_writable, json_text, write_together
from mapt_bench.folders import claimed
from mapt_bench.provenance import NAMED_REVISION
from mapt_bench.reports.experiment_logs import LogTarget
from mapt_bench.reports.table_formats import TableFormat, render_tables
from mapt_bench.reports.tables import Table

__all__ = [
    "TableFile",
    "add_options",
    "checked_output",
    "cluster_options",
    "dataset_option",
    "device_options",
    "emit_json",
    "emit_results",
    "encoding_option",
    "extent_options",
    "gallery_option",
    "headline_options",
    "jobs_option",
    "json_option",
    "log_option",
    "map_option",
    "maps_options",
    "path_type",
    "print_line",
    "resumable",
    "revision_option",
    "split_names",
    "table_options",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


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

map_option = click.option(
    "--map",
    "class_map",
    shell_complete=complete_class_map,
    metavar="NAME|FILE",
    help="Map the classes of ground truth, predictions and detections to one label space: by the "
    "built-in class maps (common), or those of a YAML file. Example: --map common",
)
"""``--map``."""

encoding_option = click.option(
    "--encoding",
    shell_complete=complete_encoding,
    metavar="NAME",
    help="Read the maps of --data in this encoding. Example: --encoding kitti-step",
)
"""``--encoding`` of commands with ``--data``."""


def maps_options(folder: str) -> _Decorator:
    """Return ``--dataset`` and ``--encoding`` of a command that reads one folder of maps.

    Args:
        folder: The folder in words, for the help.
    """
    return add_options(
        click.option(
            "--dataset",
            shell_complete=complete_label_space,
            metavar="NAME",
            show_default=f"from {folder}'s dataset.json, else kitti-step",
            help="Label space: a built-in name or a YAML file.",
        ),
        click.option(
            "--encoding",
            shell_complete=complete_encoding,
            metavar="NAME",
            show_default="detected from the files",
            help="Encoding of the maps.",
        ),
    )


def extent_options(folder: str) -> _Decorator:
    """Return ``--frames`` and ``--size`` of a command that reads maps.

    Args:
        folder: The folder that may not store them, for the help.
    """
    return add_options(
        click.option(
            "--frames",
            multiple=True,
            metavar="[NAME=]N",
            help="Number of frames of each sequence, or of the sequence NAME, where "
            f"{folder} does not store it: MOTS text has no empty frames. Repeatable.",
        ),
        click.option(
            "--size",
            metavar="HxW",
            help=f"Height and width where {folder} does not store them: empty MOTS text.",
        ),
    )


jobs_option = click.option(
    "-j",
    "jobs",
    default=1,
    show_default=True,
    help="Run this number of worker processes. Example: -j 2",
)
"""``-j``."""

cluster_options = add_options(
    click.option(
        "--cluster",
        metavar="tcp://HOST:PORT|local",
        help="Run the work units on the Dask cluster of this scheduler, or on one that is started "
        "on this machine. Needs the extra [cluster]. Example: --cluster tcp://10.0.0.5:8786",
    ),
    click.option(
        "--scheduler-file",
        type=path_type,
        metavar="FILE",
        help="Like --cluster, with the address in FILE, which dask scheduler --scheduler-file "
        "FILE wrote. Example: --scheduler-file scheduler.json",
    ),
)
"""``--cluster`` and ``--scheduler-file``."""

device_options = add_options(
    click.option(
        "--device",
        default=CPU,
        show_default=True,
        metavar="cpu|cuda[:N]|auto",
        help="Detect the segments of MAPT on this device. Trackers link them on the CPU. auto "
        "takes a GPU where there is one. Example: --device cuda",
    ),
    click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        default=FLOAT32,
        show_default=True,
        help="Detect in this precision, if the device has it. Example: --precision bf16",
    ),
    click.option(
        "--batch",
        type=int,
        metavar="N",
        help="Detect N frames at a time. Lower it if memory runs out. Default: 1 on the CPU, 8 on "
        "a GPU. Example: --batch 4",
    ),
)
"""``--device``, ``--precision`` and ``--batch`` of commands that detect segments."""

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


def _parse_targets(
    context: click.Context, option: click.Parameter, texts: tuple[str, ...]
) -> tuple[LogTarget, ...]:
    """Read the targets, and import their packages before any work."""
    del context, option
    targets = tuple(dict.fromkeys(map(LogTarget.parse, texts)))
    for target in targets:
        target.check()
    return targets


log_option = click.option(
    "--log-to",
    multiple=True,
    metavar="TOOL[=PLACE]",
    callback=_parse_targets,
    help="Copy scores, tables and plots to mlflow, tensorboard or wandb. PLACE is a folder, the "
    "address of an MLflow server, or a project of wandb. Needs the extra [logging]. Repeatable. "
    "Example: --log-to mlflow=http://10.0.0.5:5000",
)
"""``--log-to`` of commands that write results."""

gallery_option = click.option(
    "--gallery",
    type=click.IntRange(min=0),
    default=4,
    show_default=True,
    metavar="N",
    help="Show the tracks of the N worst sequences of each run and prediction in the report. 0 for "
    "none. Example: --gallery 8",
)
"""``--gallery`` of commands that write the report."""


def table_options(function: _Function) -> _Function:
    """Add ``--csv``, ``--latex`` and ``--markdown``, each with an output file for the tables."""
    for name, word in (("markdown", "Markdown"), ("latex", "LaTeX"), ("csv", "CSV")):
        function = click.option(
            f"--{name}",
            f"{name}_file",
            type=path_type,
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
    taken = context.meta.setdefault(OUTPUTS, {})
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


def print_line(text: str, *, err: bool = False) -> None:
    """Print one line to stdout or stderr. Control characters of names are shown as escapes."""
    click.echo(printable(text), err=err)


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
        click.echo(json_text(data), file=results_stream(), nl=False)
    return json_file == "-"


def _add(texts: dict[Path, str], more: Mapping[Path, str]) -> None:
    for path, text in more.items():
        if path in texts:
            raise ConfigError("is the file of two outputs; give each its own file", where=path)
        texts[path] = text


@contextmanager
def resumable(folder: Path, *, is_alone: bool = True) -> Iterator[None]:
    """Keep other commands from a run folder, and say how to resume the run if it is stopped.

    Args:
        folder: Run folder.
        is_alone: Whether to keep other commands from it.

    Raises:
        ConfigError: If another command writes to the folder.
        FullDiskError: If the disk is full, with the command that resumes the run.
        KeyboardInterrupt: With the same text after Ctrl-C, and its subclass after SIGTERM.
    """
    try:
        with claimed(folder) if is_alone and _leads() else nullcontext():
            yield
    except KeyboardInterrupt as problem:
        raise type(problem)(_how_to_resume(folder)) from problem
    except FullDiskError as problem:
        message = f"{problem.message}; {_how_to_resume(folder)}"
        raise FullDiskError(message, where=problem.where) from problem


def _leads() -> bool:
    """Say whether this process is the first of those that torchrun starts, or alone."""
    return os.environ.get("RANK", "0") == "0"


def _how_to_resume(folder: Path) -> str:
    context = click.get_current_context()
    words = list(context.obj or [context.info_name])
    is_named = context.get_parameter_source("out") is ParameterSource.COMMANDLINE
    command = shlex.join(["mapt-bench", *words, *([] if is_named else ["--out", str(folder)])])
    return f"finished work is kept in {folder}; to resume: {command}"
