"""The history of scores: results in order, and the revisions at which a score changed."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from mapt_bench.compare._changes import pair_rows
from mapt_bench.compare._comparable import check_comparable
from mapt_bench.compare._limits import name_fits
from mapt_bench.errors import ConfigError, DataError, nearest, whole_number
from mapt_bench.results.expected_fields import expecting_fields
from mapt_bench.results.result_files import BY_NAME, ResultFile, load_result
from mapt_bench.results.result_views import ROUNDING, score_kind
from mapt_bench.results.run_folders import RESULTS
from mapt_bench.special_files import refuse_root

__all__ = ["HISTORY_SCHEMA", "Order", "ScoreHistory", "score_history"]

HISTORY_SCHEMA = "mapt-bench/history/1"

Order = Literal["date", "revision", "given"]

_ONLY_ROW = "prediction"
"""Name of the row if every result is an evaluation of one prediction, with any names."""


@dataclass(frozen=True)
class ScoreHistory:
    """Scores of several results, in order.

    Attributes:
        points: One entry per result: ``path``, ``revision``, ``created``, and ``scores``, the
            values by row and score.
        changes: One entry per changed score: ``revision``, ``path``, ``row``, ``score``, ``from``,
            ``to``, ``difference``, and ``is_worse``, null for a score without direction.
        notes: Results that cannot be compared with the one before, and files that are no results.
        rows: Chosen rows.
        scores: Chosen scores.
    """

    points: tuple[Mapping[str, Any], ...]
    changes: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]
    rows: tuple[str, ...]
    scores: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the history of schema ``mapt-bench/history/1``."""
        return {
            "schema": HISTORY_SCHEMA,
            "rows": list(self.rows),
            "scores": list(self.scores),
            "points": list(self.points),
            "changes": list(self.changes),
            "notes": list(self.notes),
        }


def score_history(
    places: Sequence[Path],
    *,
    scores: Sequence[str] = (),
    rows: Sequence[str] = (),
    order: Order = "date",
) -> ScoreHistory:
    """Read results and follow their scores.

    Args:
        places: Result files, run folders, or folders with these at any depth.
        scores: Scores to follow, by default PAT and STQ.
        rows: Names or patterns of rows, by default all.
        order: ``"date"`` of the results, ``"revision"`` in natural order (v9 before v10), or as
            ``"given"``.

    Raises:
        ConfigError: If a score or row is in no result. The message names the nearest.
        DataError: If a named file is not a result, or a folder has none.
    """
    files, notes = _results(places)
    with expecting_fields(", ".join(map(str, places)), "a result"):
        return _history(files, notes, scores, rows, order)


def _history(
    files: list[ResultFile],
    notes: list[str],
    scores: Sequence[str],
    rows: Sequence[str],
    order: Order,
) -> ScoreHistory:
    files = _ordered(files, order)
    named = [{_name(row.name, files): row for row in file.rows.values()} for file in files]
    known_scores = {score for found in named for row in found.values() for score in row.scores}
    known_rows = list(dict.fromkeys(name for found in named for name in found))
    chosen = tuple(scores) or tuple(s for s in ("PAT", "STQ") if s in known_scores)
    for score in chosen:
        if score not in known_scores:
            raise ConfigError(f"no result has the score {score}; {nearest(score, known_scores)}")
    kept = _chosen_rows(rows, known_rows)
    points = tuple(
        {
            "path": str(file.path),
            "revision": file.revision,
            "created": file.created,
            "scores": {
                name: {score: found[name].scores.get(score) for score in chosen}
                for name in kept
                if name in found
            },
        }
        for file, found in zip(files, named, strict=True)
    )
    changes: list[dict[str, Any]] = []
    for (before, after), (old, new) in zip(pairwise(files), pairwise(points), strict=True):
        reason = _not_comparable(before, after)
        if reason is None:
            changes += _changes(old, new)
        else:
            notes.append(f"{after.path}: not compared with {before.path}: {reason}")
    return ScoreHistory(points, tuple(changes), tuple(notes), kept, chosen)


def _results(places: Sequence[Path]) -> tuple[list[ResultFile], list[str]]:
    found: dict[Path, ResultFile] = {}
    notes = []
    for place in places:
        if not place.is_dir() or (place / RESULTS).exists():
            file = load_result(place)
            found.setdefault(file.path.resolve(), file)
            continue
        refuse_root(place)
        before = len(found)
        for path in _json_files(place):
            try:
                found.setdefault(path.resolve(), load_result(path))
            except DataError as problem:
                notes.append(f"{path}: skipped, {problem.message.split(';')[0]}")
        if len(found) == before:
            raise DataError("has no result; name result files or run folders", where=place)
    return list(found.values()), notes


def _json_files(folder: Path) -> Iterator[Path]:
    """Yield the JSON files of a folder, at any depth. Of a run, that is its result only."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        if RESULTS in names:
            folders.clear()
            names = [RESULTS]
        yield from (Path(parent, name) for name in sorted(names) if name.endswith(".json"))


def _ordered(files: Sequence[ResultFile], order: Order) -> list[ResultFile]:
    if order == "given":
        return list(files)
    if order == "date":
        return sorted(files, key=lambda file: (file.created or "", str(file.path)))
    for file in files:
        if file.revision is None:
            raise DataError(
                "has no revision, so it has no place in the order; use --order date",
                where=file.path,
            )
    return sorted(files, key=lambda file: _natural(file.revision or ""))


def _natural(text: str) -> list[tuple[int, str]]:
    numbers = ((whole_number(part), part) for part in re.split("([0-9]+)", text))
    return [(-1, part) if number is None else (number, "") for number, part in numbers]


def _name(row: str, files: Sequence[ResultFile]) -> str:
    # Rows of runs and FLOPs reports are matched by name only, as pair_rows does.
    is_only = all(len(file.rows) == 1 and file.schema not in BY_NAME for file in files)
    return _ONLY_ROW if is_only else row


def _chosen_rows(patterns: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    for pattern in patterns:
        if not any(name_fits(name, pattern) for name in known):
            raise ConfigError(f"no result has the row {pattern!r}; {nearest(pattern, known)}")
    return tuple(
        name
        for name in known
        if not patterns or any(name_fits(name, pattern) for pattern in patterns)
    )


def _not_comparable(before: ResultFile, after: ResultFile) -> str | None:
    try:
        pairs, _ = pair_rows(before, after)
        check_comparable([(pair.old, pair.new) for pair in pairs], before, after)
    except DataError as problem:
        return problem.message
    return None


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for row, values in new["scores"].items():
        for score, now in values.items():
            was = old["scores"].get(row, {}).get(score)
            if was is None or now is None or abs(now - was) <= ROUNDING:
                continue
            higher_is_better = score_kind(score).higher_is_better
            yield {
                "revision": new["revision"],
                "path": new["path"],
                "row": row,
                "score": score,
                "from": was,
                "to": now,
                "difference": now - was,
                "is_worse": None if higher_is_better is None else (now < was) is higher_is_better,
            }
