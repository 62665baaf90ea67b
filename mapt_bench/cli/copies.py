"""Copies of results in the tools that ``--log-to`` names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mapt_bench.cli.options import print_line
from mapt_bench.reports.experiment_logs import LogRecord, LogTarget, log_result
from mapt_bench.reports.tables import Table

__all__ = ["check_tools", "copy_record", "copy_run"]


def check_tools(targets: Sequence[LogTarget]) -> None:
    """Check before any work that the tools take copies.

    Raises:
        DataError: If one does not.
    """
    for target in targets:
        target.check_access()


def copy_record(targets: Sequence[LogTarget], record: LogRecord) -> None:
    """Copy a result to each tool, and print where the copies are.

    Raises:
        DataError: If a tool fails.
    """
    for target in targets:
        print_line(f"logged {record.name} to {log_result(target, record)}", err=True)


def copy_run(
    targets: Sequence[LogTarget],
    folder: Path,
    document: Mapping[str, Any],
    tables: Sequence[Table],
    scores: Mapping[str, float] | None = None,
    settings: Sequence[str] = (),
) -> None:
    """Copy the result of a run, its tables and the plots in its folder to each tool.

    Args:
        targets: The tools.
        folder: The run folder. Its name is that of the run in the tools.
        document: The result, as in JSON.
        tables: Its tables.
        scores: Its scores by name. ``None`` for those of the rows of the result.
        settings: Names of its settings, if it has no protocol.

    Raises:
        DataError: If a tool fails.
    """
    pictures = sorted(path for path in folder.glob("*.png") if path.is_file())
    if settings:
        document = {**document, "protocol": {name: document[name] for name in settings}}
    record = LogRecord(folder.name, document, tables, pictures, folder / "tensorboard", scores)
    copy_record(targets, record)
