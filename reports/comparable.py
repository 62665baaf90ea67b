"""Whether two results may be compared at all, and what of their inputs differs."""

import json
from collections.abc import Sequence
from typing import Any

from mapt_bench.errors import DataError
from mapt_bench.reports.result_files import ResultFile, ResultRow

__all__ = ["check_comparable", "origin_notes"]

_PROTOCOL = ("pat", "dataset", "label_space", "segments", "missing")


def check_comparable(
    pairs: Sequence[tuple[ResultRow, ResultRow]], before: ResultFile, after: ResultFile
) -> None:
    """Refuse results whose scores do not mean the same.

    Args:
        pairs: Matched rows, the earlier one first.
        before: The earlier file.
        after: The later one.

    Raises:
        DataError: If what both sides of a pair state of their protocol differs.
    """
    differing: dict[str, None] = {}
    for old, new in pairs:
        for field in _PROTOCOL:
            if field in old.protocol and field in new.protocol:
                was, now = _text(old.protocol[field]), _text(new.protocol[field])
                if was != now:
                    differing[f"{field} ({was} then, {now} now)"] = None
    if differing:
        raise DataError(
            f"cannot be compared with {before.path}: they differ in {'; '.join(differing)}. "
            "Score both under the same protocol and data set",
            where=after.path,
        )


def origin_notes(before: ResultFile, after: ResultFile) -> list[str]:
    """Tell of inputs that differ though they are of the same kind."""
    notes = []
    for name, was in before.origin.items():
        now = after.origin.get(name, was)
        if now != was:
            what = "seeds" if name == "seed" else f"fingerprints of the {name}"
            notes.append(
                f"the {what} differ ({was[:12]} then, {now[:12]} now); "
                "the change may come from there"
            )
    return notes


def _text(value: Any) -> str:  # noqa: ANN401 - a value of the JSON file
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
