"""The log of a training (``log.jsonl``, one JSON object a line), its speed and the time left."""

import json
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mapt_bench.errors import DataError
from mapt_bench.faults import unwritable
from mapt_bench.files import parse_json, read_text, write_text
from mapt_bench.training.recipe import Stage
from mapt_bench.training.trainer import StepReport

__all__ = ["Pace", "TrainingLog", "mean_report", "read_log"]


class TrainingLog:
    """Appends rows to a file; what is there of later steps than the first is cut off.

    Args:
        path: The file.
        step: That the training resumes from. Rows of later steps are removed, because these steps
            are repeated.

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
            raise unwritable(self._path, problem) from problem


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a log; a last line that was cut off by a kill is left out.

    Returns:
        Rows with ``kind`` (``"train"``, ``"validation"`` or ``"init"``) and ``step``.

    Raises:
        DataError: If the file cannot be read or another line is damaged.
    """
    try:
        lines = read_text(path).split("\n")
    except (OSError, UnicodeDecodeError) as problem:
        raise DataError(f"cannot be read ({problem})", where=path) from problem
    rows = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            row = parse_json(line)
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


_WINDOW_SECONDS = 300.0


class Pace:
    """Frames an hour and time left, by the steps of the last minutes.

    Args:
        stages: Of the whole training.
        step: Steps made before.

    Attributes:
        total: Weighted sum of the losses, as last logged; ``None`` before.
    """

    def __init__(self, stages: Sequence[Stage], step: int) -> None:
        self.total: float | None = None
        self._stages = stages
        self._made = step
        self._before = 0.0
        self._lap = (time.monotonic(), step)
        self._ends: deque[tuple[float, int]] = deque([self._lap])

    def step(self) -> None:
        """Note that one more step has been made."""
        now = time.monotonic()
        self._made += 1
        self._ends.append((now, self._made))
        while len(self._ends) > 2 and self._ends[0][0] < now - _WINDOW_SECONDS:
            self._ends.popleft()

    def pause(self) -> None:
        """Leave out what was done since the last step, as a validation."""
        self._before = self._seconds()
        self._lap = (time.monotonic(), self._made)
        self._ends = deque([self._lap])

    def lap(self) -> float:
        """Return the seconds of a step since this was last asked."""
        now = time.monotonic()
        seconds = (now - self._lap[0]) / max(1, self._made - self._lap[1])
        self._lap = (now, self._made)
        return seconds

    def frames_per_hour(self, stage: Stage) -> float:
        """Return frames an hour over the last minutes; 0 before the first step."""
        seconds = self._seconds()
        return 3600 * frames_of(stage) / seconds if seconds > 0 else 0.0

    def told(self, stage: Stage, step: int) -> str:
        """Return stage, loss, frames an hour and time left, for people."""
        per_frame = self._seconds() / frames_of(stage)
        left = sum(
            (each.end - max(step, each.first)) * frames_of(each) * per_frame
            for each in self._stages
            if step < each.end
        )
        loss = "" if self.total is None else f"loss {self.total:.3f}, "
        speed = f"{self.frames_per_hour(stage):,.0f} frames an hour"
        return f"{stage.name}: {loss}{speed}, {_duration(left)} left"

    def _seconds(self) -> float:
        (start, first), (end, last) = self._ends[0], self._ends[-1]
        # Right after a pause there is no step to measure yet: the speed is that before it.
        return (end - start) / (last - first) if last > first else self._before


def frames_of(stage: Stage) -> int:
    """Return the frames of one step of a stage, over all processes."""
    return stage.recipe.batch_size * stage.recipe.clips.length


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
