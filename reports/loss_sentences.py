"""Sentences on the points that mistakes cost, computed from the error decomposition."""

from collections.abc import Mapping
from typing import Any

from mapt_bench.results.result_views import Part, is_reference, row_interval, row_name, row_score

__all__ = ["loss_sentences", "lost_points"]

_MISTAKES = {
    "identity": "wrong identities",
    "missed": "missed objects",
    "spurious": "spurious objects",
    "class": "wrong classes",
    "masks": "inexact masks",
    "stuff": "confused stuff",
}
"""Kinds of mistake in sentences."""

_LINKING = "identity"
"""Kind of the mistakes of linking."""

Row = Mapping[str, Any]


def loss_sentences(part: Part) -> list[str]:
    """Return which kind of mistake costs most PAT: the reference, or without one the best row."""
    rows = [row for row in part.run["summary"] if row.get("losses") and not is_reference(row)]
    if not rows or any(map(row_interval, rows)):
        return []
    references = {(row.get("differences") or {}).get("reference") for row in part.run["summary"]}
    named = [row for row in rows if row["variant"] in references]
    row = max(named or rows, key=lambda each: row_score(each, "PAT") or 0.0)
    why = "the reference of the comparisons" if named else "the row with the highest PAT"
    return lost_points(f"Row {row_name(row)}, {why},", row["losses"])


def lost_points(subject: str, losses: Row) -> list[str]:
    """Return the kind of mistake that costs a row most PAT, and what linking costs it.

    The last sentence says how the share of linking differs from the gain of perfect links, if it
    does. There are no sentences without a loss.

    Args:
        subject: The row or prediction. A bare name such as ``both`` would not read as one.
        losses: Its field ``losses``.
    """
    shares = {kind: loss["share"].get("PAT") or 0.0 for kind, loss in losses["kinds"].items()}
    most = max(shares, key=shares.__getitem__, default="")
    if shares.get(most, 0.0) <= 0:
        return []
    mistakes = _MISTAKES.get(most, most)
    found = [f"{subject} loses most points to {mistakes}: {_points(shares[most])} PAT."]
    linking = shares.get(_LINKING, 0.0)
    if linking <= 0:
        return found
    if most != _LINKING:
        mistakes = _MISTAKES[_LINKING].capitalize()
        found.append(f"{mistakes}, the mistakes of linking, cost it {_points(linking)}.")
    alone = (losses["kinds"][_LINKING].get("gain") or {}).get("PAT")
    if alone is not None and _points(alone) != _points(linking):
        found.append(
            f"These {_points(linking)} are a Shapley share, the mean gain over all orders of "
            "repairs: perfect links alone, with all other mistakes still there, would gain "
            f"{_points(alone)}."
        )
    return found


def _points(share: float) -> str:
    return f"{100 * share:z.2f}"
