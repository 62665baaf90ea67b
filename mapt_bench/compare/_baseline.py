"""Baselines: a result reduced to the scores of rows and sequences, small enough for git."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mapt_bench import __version__
from mapt_bench.compare._comparable import PROTOCOL
from mapt_bench.errors import DataError
from mapt_bench.results.result_files import ABSENT, BASELINE, ResultRow, load_result

__all__ = ["baseline_text", "check_replaceable"]

_DECIMALS = 12
"""Decimals of a score: changes are compared with 9 decimals of a percentage point."""


def baseline_text(path: Path | str) -> str:
    """Return a result as the text of a baseline, schema ``mapt-bench/baseline/1``.

    Each row and each sequence has one line, so that git shows what changed.

    Args:
        path: A result file, a run folder, or a baseline.

    Raises:
        DataError: If it is not a result.
    """
    result = load_result(path)
    scores = list(dict.fromkeys(name for row in result.rows.values() for name in row.scores))
    for row in result.rows.values():
        for entry in row.sequences.values():
            scores += [name for name in entry if name not in scores]
    head = {
        "schema": BASELINE,
        "of": result.schema,
        "mapt_bench": __version__,
        "provenance": {"revision": result.revision, "created": result.created},
        "origin": dict(result.origin),
        "scores": scores,
    }
    lines = [f" {json.dumps(key)}: {_compact(value)}," for key, value in head.items()]
    rows = ",\n".join(_row_text(row, scores) for row in result.rows.values())
    return "\n".join(["{", *lines, ' "rows": [', rows, " ]", "}", ""])


def _row_text(row: ResultRow, scores: Sequence[str]) -> str:
    protocol = {name: row.protocol[name] for name in (*PROTOCOL, "classes") if name in row.protocol}
    fields = {
        "name": row.name,
        "protocol": protocol or dict(row.protocol),
        "ground_truth": dict(row.ground_truth),
        "predictions": dict(row.predictions),
        "values": _values(row.scores, scores),
    }
    lines = [f"   {json.dumps(key)}: {_compact(value)}," for key, value in fields.items()]
    sequences = [
        f"    {json.dumps(name)}: {_compact(_values(entry, scores))}"
        for name, entry in row.sequences.items()
    ]
    block = "{\n" + ",\n".join(sequences) + "\n   }" if sequences else "{}"
    return "\n".join(["  {", *lines, f'   "sequences": {block}', "  }"])


def _values(entry: Mapping[str, float | None], scores: Sequence[str]) -> list[Any]:
    return [_rounded(entry[name]) if name in entry else ABSENT for name in scores]


def _rounded(value: float | None) -> float | None:
    if value is None:
        return None
    return int(value) if value == int(value) else round(value, _DECIMALS)


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def check_replaceable(path: Path) -> None:
    """Refuse to replace a file that is not a result.

    Raises:
        DataError: If the path is a folder, or a file that is not a result.
    """
    if path.is_dir():
        raise DataError(
            "is a folder; --update-baseline writes a file: name one, such as baseline.json",
            where=path,
        )
    if path.exists():
        load_result(path)
