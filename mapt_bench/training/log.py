"""The log of a training: one JSON object a line, ``log.jsonl``."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mapt_bench.errors import DataError
from mapt_bench.files import write_text
from mapt_bench.training.trainer import StepReport

__all__ = ["TrainingLog", "mean_report", "read_log"]


class TrainingLog:
    """Appends rows to a file; what is there of later steps than the first is cut off.

    Args:
        path: The file.
        step: That the training goes on from; rows of later steps came from a part of the training
            that was lost and is done again.

    Raises:
        DataError: If the file cannot be read or written.
    """

    def __init__(self, path: Path, step: int) -> None:
        self._path = path
        kept = [row for row in read_log(path) if row["step"] <= step] if path.exists() else []
        write_text(path, "".join(json.dumps(row) + "\n" for row in kept))

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row.

        Raises:
            DataError: If the file cannot be written.
        """
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as problem:
            raise DataError(
                f"cannot be written ({problem.strerror})", where=self._path
            ) from problem


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a log; a last line that was cut off by a kill is left out.

    Returns:
        Rows with ``kind`` (``"train"`` or ``"validation"``) and ``step``.

    Raises:
        DataError: If the file cannot be read or another line is damaged.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as problem:
        raise DataError(f"cannot be read ({problem})", where=path) from problem
    rows = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            row = json.loads(line)
            row["step"], row["kind"]
        except (ValueError, KeyError, TypeError) as problem:
            raise DataError(f"line {number} is no row of a log", where=path) from problem
        rows.append(row)
    return rows


def mean_report(
    reports: Sequence[StepReport], *, step: int, epoch: float, seconds: float
) -> dict[str, Any]:
    """Return the row of several steps.

    Args:
        reports: Of these steps.
        step: Steps made.
        epoch: Epochs made.
        seconds: That a step took, on average, loading included.

    Returns:
        ``kind``, ``step``, ``epoch``, ``total`` and ``values`` (means over the steps), ``lr``
        (of the last), ``gradient_norm`` (mean) and ``seconds``; ``loss_gradient_norms`` where they
        were measured.
    """
    count = len(reports)
    row: dict[str, Any] = {
        "kind": "train",
        "step": step,
        "epoch": round(epoch, 4),
        "total": sum(report.total for report in reports) / count,
        "values": {
            name: sum(report.values[name] for report in reports) / count
            for name in reports[0].values
        },
        "lr": reports[-1].lr,
        "gradient_norm": sum(report.gradient_norm for report in reports) / count,
        "seconds": round(seconds, 4),
    }
    if reports[-1].loss_gradient_norms:
        row["loss_gradient_norms"] = reports[-1].loss_gradient_norms
    return row
