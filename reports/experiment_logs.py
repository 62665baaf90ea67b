"""Copies of results in the tools of labs: MLflow, TensorBoard and Weights & Biases.

The packages come with the extra ``[logging]``. Each is imported when it is first used.
"""

import errno
import importlib
import itertools
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mapt_bench.errors import ConfigError, DataError, nearest
from mapt_bench.reports.table_formats import render_folder, render_table
from mapt_bench.reports.tables import Table, joined_tables
from mapt_bench.results import result_rows

__all__ = ["LOG_TOOLS", "LogRecord", "LogTarget", "log_result"]

LOG_TOOLS = ("mlflow", "tensorboard", "wandb")
"""Names of the tools."""

_PROJECT = "mapt-bench"
_LONGEST = 250
"""Most characters of a setting. MLflow refuses longer ones."""


@dataclass(frozen=True)
class LogTarget:
    """A tool, and where it keeps the copy.

    Attributes:
        tool: One of :data:`LOG_TOOLS`.
        place: A folder of TensorBoard or MLflow, the address of an MLflow server, or a project of
            Weights & Biases. Empty for the default of the tool.
    """

    tool: str
    place: str = ""

    @classmethod
    def parse(cls, text: str) -> "LogTarget":
        """Read ``TOOL`` or ``TOOL=PLACE``.

        Raises:
            ConfigError: If the tool is unknown, or the place is empty or ``-``.

        Example:
            >>> LogTarget.parse("tensorboard=logs")
            LogTarget(tool='tensorboard', place='logs')
        """
        tool, sign, place = text.partition("=")
        if tool not in LOG_TOOLS:
            raise ConfigError(f"--log-to {text}: unknown tool; {nearest(tool, LOG_TOOLS)}")
        if sign and not place.strip():
            raise ConfigError(f"--log-to {text}: the place is empty; name one, or omit the '='")
        if place == "-":
            raise ConfigError(
                f"--log-to {text}: a tool cannot write to stdout; name a place, or omit '=-'"
            )
        return cls(tool, place)

    def check(self) -> None:
        """Import the packages of the tool, before any long work.

        Raises:
            ModuleNotFoundError: If one is not installed.
        """
        if self.tool == "mlflow":
            for variable, value in _MLFLOW_DEFAULTS.items():
                os.environ.setdefault(variable, value)
        for name in _PACKAGES[self.tool]:
            _imported(name)

    def check_access(self) -> None:
        """Check before any long work that the tool takes copies: server, login, or folder.

        Raises:
            ModuleNotFoundError: If a package of the tool is not installed.
            DataError: If the server does not answer, there is no login, or the folder cannot be
                written.
        """
        self.check()
        with _failures_reported(self, "nothing was run"):
            _ACCESS[self.tool](self.place)


_MLFLOW_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "8",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Settings of MLflow, where the user has none. Its own would wait for a server for many minutes,
and print to the outputs of a command."""

_PACKAGES = {
    "mlflow": ("mlflow.tracking",),
    "tensorboard": ("tensorboard.summary.writer.event_file_writer",),
    "wandb": ("wandb",),
}


def _imported(name: str) -> Any:  # noqa: ANN401 - a module of an optional package
    return importlib.import_module(name)


@dataclass(frozen=True)
class LogRecord:
    """What a tool gets of one result.

    Attributes:
        name: Name of the run in the tool.
        document: The result, as in JSON.
        tables: Its tables.
        pictures: PNG files of its plots.
        folder: Folder of TensorBoard if the target names none.
        given_scores: The scores to copy, by name. ``None`` for those of the rows of the result.
    """

    name: str
    document: Mapping[str, Any]
    tables: Sequence[Table]
    pictures: Sequence[Path] = ()
    folder: Path = Path("runs/tensorboard")
    given_scores: Mapping[str, float] | None = None

    @property
    def scores(self) -> dict[str, float]:
        """The defined scores of all rows: ``<row>/<score>``, or ``<score>`` of a single row."""
        if self.given_scores is not None:
            return dict(self.given_scores)
        rows = result_rows(self.document)
        return {
            score if len(rows) == 1 else f"{row.name}/{score}": float(value)
            for row in rows
            for score, value in row.scores.items()
            if value is not None
        }

    @property
    def settings(self) -> dict[str, str]:
        """What the result says about how it came about: short settings and versions as text."""
        found = dict(_flat("", self.document.get("protocol") or {}))
        found |= dict(_flat("", self.document.get("provenance") or {}))
        found |= {
            name: str(self.document[name])
            for name in ("schema", "experiment")
            if name in self.document
        }
        return {name: text for name, text in found.items() if len(text) <= _LONGEST}


def _flat(name: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield the texts and numbers of nested mappings, with joined names."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), each)
    elif isinstance(value, str | int | float):
        yield name, str(value)


def log_result(target: LogTarget, record: LogRecord) -> str:
    """Copy scores, tables and pictures of a result to a tool.

    Args:
        target: The tool and its place.
        record: What to copy.

    Returns:
        Where the copy is, in words.

    Raises:
        ModuleNotFoundError: If the package of the tool is not installed.
        DataError: If the tool fails: a server that does not answer, or a folder that cannot be
            written.
    """
    target.check()
    with _failures_reported(target, "the result itself is complete where it was written"):
        with_copy = _LOGGERS[target.tool](target, record)
        for name, value in record.scores.items():
            with_copy.score(name, value)
        with_copy.tables(record.tables)
        for path in record.pictures:
            with_copy.picture(path)
        with_copy.close()
    return with_copy.place


@contextmanager
def _failures_reported(target: LogTarget, state: str) -> Iterator[None]:
    """Raise an exception of a tool as a data error that names the state of the result."""
    try:
        yield
    except Exception as problem:  # the tools raise anything
        raise DataError(
            f"{target.tool} failed ({_reason(problem)}); {state}; {_REMEDIES[target.tool]}, or "
            "omit --log-to",
            where=target.place or None,
        ) from problem


_REMEDIES = {
    "mlflow": "check the address, that the server runs, and the login; for a slow server set "
    "MLFLOW_HTTP_REQUEST_TIMEOUT (seconds) and MLFLOW_HTTP_REQUEST_MAX_RETRIES",
    "tensorboard": "name another folder, or check its rights and the free space",
    "wandb": "log in with: wandb login; or set WANDB_MODE=offline",
}


def _reason(problem: BaseException) -> str:
    """Return the reason of a failure: that of the connection or file system, if it lies there."""
    inner: BaseException | None = problem
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        if isinstance(inner, TimeoutError):
            return "no answer in time"
        inner = inner.__cause__ or inner.__context__
    return (str(problem).strip() or type(problem).__name__).splitlines()[0]


class _Logger(Protocol):
    """One run of a tool."""

    place: str

    def score(self, name: str, value: float) -> None: ...

    def tables(self, tables: Sequence[Table]) -> None: ...

    def picture(self, path: Path) -> None: ...

    def close(self) -> None: ...


class _TensorBoard:
    """Event files, written with TensorBoard's own messages. They need neither torch nor TensorFlow.

    A fraction is a scalar at step 0. Tables are texts in Markdown.
    """

    def __init__(self, target: LogTarget, record: LogRecord) -> None:
        folder = _new_folder(Path(target.place or record.folder), record.name)
        self._proto = {
            name: _imported(f"tensorboard.compat.proto.{name}_pb2")
            for name in ("event", "summary", "tensor", "types")
        }
        writer = _imported("tensorboard.summary.writer.event_file_writer")
        self._file = writer.EventFileWriter(str(folder))
        self.place = f"TensorBoard: {folder}"
        lines = [f"| {name} | {text} |" for name, text in record.settings.items()]
        self._text("settings", "\n".join(["| setting | value |", "|---|---|", *lines]))

    def score(self, name: str, value: float) -> None:
        self._add(tag=name, simple_value=value)

    def tables(self, tables: Sequence[Table]) -> None:
        for table in tables:
            self._text(f"tables/{table.title}", render_table(table, "markdown"))

    def picture(self, path: Path) -> None:
        data = path.read_bytes()
        width, height = (int.from_bytes(data[at : at + 4]) for at in (16, 20))  # of a PNG
        image = self._proto["summary"].Summary.Image(
            width=width, height=height, colorspace=3, encoded_image_string=data
        )
        self._add(tag=f"plots/{path.stem}", image=image)

    def close(self) -> None:
        self._file.close()

    def _text(self, tag: str, text: str) -> None:
        summary, types = self._proto["summary"], self._proto["types"]
        plugin = summary.SummaryMetadata.PluginData(plugin_name="text")
        tensor = self._proto["tensor"].TensorProto(
            dtype=types.DT_STRING, string_val=[text.encode()]
        )
        self._add(tag=tag, metadata=summary.SummaryMetadata(plugin_data=plugin), tensor=tensor)

    def _add(self, **value: object) -> None:
        summary = self._proto["summary"].Summary
        event = self._proto["event"].Event(
            wall_time=time.time(), step=0, summary=summary(value=[summary.Value(**value)])
        )
        self._file.add_event(event)


def _check_tensorboard(place: str) -> None:
    """Create the folder. The default one is in a folder that the command checks."""
    if place:
        Path(place).mkdir(parents=True, exist_ok=True)
        if not os.access(place, os.W_OK):
            raise PermissionError(errno.EACCES, "Permission denied")


class _MLflow:
    """A run of the experiment ``mapt-bench``. Tables and plots are artifacts."""

    def __init__(self, target: LogTarget, record: LogRecord) -> None:
        address, artifacts = _mlflow_store(target.place)
        self._client = _mlflow_client(address)
        known = self._client.get_experiment_by_name(_PROJECT)
        number = (
            self._client.create_experiment(_PROJECT, artifact_location=artifacts)
            if known is None
            else known.experiment_id
        )
        self._run = self._client.create_run(number, run_name=record.name).info.run_id
        self._names: dict[str, str] = {}
        self.place = f"MLflow: run {self._run} of {target.place or 'the default store'}"
        for name, text in record.settings.items():
            self._client.log_param(self._run, self._name(name), text)

    def score(self, name: str, value: float) -> None:
        self._client.log_metric(self._run, self._name(name), value)

    def tables(self, tables: Sequence[Table]) -> None:
        for path, text in render_folder(tables, Path("tables")).items():
            self._client.log_text(self._run, text, path.as_posix())

    def picture(self, path: Path) -> None:
        self._client.log_artifact(self._run, str(path), "plots")

    def close(self) -> None:
        self._client.set_terminated(self._run)

    def _name(self, name: str) -> str:
        """Return a name of letters that MLflow accepts, which no other name has."""
        accepted = re.sub(r"[^\w./: -]", "_", name)
        while self._names.setdefault(accepted, name) != name:
            accepted += "_"
        return accepted


def _mlflow_store(place: str) -> tuple[str | None, str | None]:
    """Return the address of a store, and where it keeps artifacts. A folder holds a database."""
    if not place or "://" in place or place == "databricks":
        return place or None, None
    folder = Path(place).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri()


def _mlflow_client(address: str | None) -> Any:  # noqa: ANN401 - of an optional package
    return _imported("mlflow.tracking").MlflowClient(tracking_uri=address)


def _check_mlflow(place: str) -> None:
    """Ask the store for the experiment, which the first copy creates."""
    _mlflow_client(_mlflow_store(place)[0]).get_experiment_by_name(_PROJECT)


class _Wandb:
    """A run of Weights & Biases. Its environment variables choose account and mode."""

    def __init__(self, target: LogTarget, record: LogRecord) -> None:
        self._wandb = _imported("wandb")
        # It prints to stdout by default, where our JSON may be.
        settings = self._wandb.Settings(silent=True)
        self._run = self._wandb.init(
            project=target.place or os.environ.get("WANDB_PROJECT", _PROJECT),
            name=record.name,
            config=record.settings,
            settings=settings,
        )
        self.place = f"Weights & Biases: run {self._run.id}"
        self._content: dict[str, object] = {}

    def score(self, name: str, value: float) -> None:
        self._content[name] = value

    def tables(self, tables: Sequence[Table]) -> None:
        for table in joined_tables(tables):
            columns = [column.name for column in table.columns]
            rows = [[_plain(cell) for cell in row] for row in table.rows]
            self._content[f"tables/{table.name}"] = self._wandb.Table(columns=columns, data=rows)

    def picture(self, path: Path) -> None:
        self._content[f"plots/{path.stem}"] = self._wandb.Image(str(path))

    def close(self) -> None:
        self._run.log(self._content)  # together, so that the run has one step
        self._run.finish()


def _plain(cell: object) -> object:
    """Return a cell as text or a number, because columns need one type."""
    return " to ".join(map(str, cell)) if isinstance(cell, tuple) else cell


def _check_wandb(place: str) -> None:
    """Log in, unless nothing is sent. On a terminal without a login, wandb asks for the key."""
    del place  # the first copy creates a project
    wandb = _imported("wandb")
    if wandb.setup().settings.mode not in _WANDB_MODES_WITHOUT_LOGIN:
        wandb.login()


_WANDB_MODES_WITHOUT_LOGIN = ("offline", "dryrun", "disabled")

_ACCESS: Mapping[str, Callable[[str], None]] = {
    "mlflow": _check_mlflow,
    "tensorboard": _check_tensorboard,
    "wandb": _check_wandb,
}

_LOGGERS: Mapping[str, Callable[[LogTarget, LogRecord], _Logger]] = {
    "mlflow": _MLflow,
    "tensorboard": _TensorBoard,
    "wandb": _Wandb,
}


def _new_folder(base: Path, name: str) -> Path:
    """Return a new folder, so that the scores of two runs are not mixed."""
    plain = re.sub(r"[^\w.+=,-]", "_", name).strip(".") or "run"
    numbers = itertools.count(2)
    folder = base / plain
    while folder.exists():
        folder = base / f"{plain}-{next(numbers)}"
    return folder
