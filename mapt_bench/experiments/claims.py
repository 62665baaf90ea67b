"""What the paper claims, beside what a run measured; the two are never of the same thing."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["paper_claims"]

_HEADS = (
    ("motion head alone", 0.6161, "mapt:motion"),
    ("appearance head alone", 0.5984, "mapt:appearance"),
    ("both heads", 0.6265, "mapt"),
)
_UNMEASURED = (
    "not measured: the claim is MAPT's trained model on KITTI-STEP val; this run has no row of it"
)
_ELSEWHERE = (
    "claimed of the published model on KITTI-STEP val; measured here on segments {segments!r} with "
    "the weights of this run, other data and another size of model: no comparison"
)

_Row = Mapping[str, Any]


def paper_claims(experiment: str, rows: Sequence[_Row] = ()) -> list[dict[str, Any]]:
    """Return the paper's numbers that belong to an experiment, as fractions.

    Args:
        experiment: Name of the experiment; only ``"ablate"`` has claims to stand beside.
        rows: Its summary. Measured values are those of the first kind of segments, with memory.

    Returns:
        Each with ``name``, ``score``, ``claimed``, ``measured``, ``difference`` and ``note``. The
        difference is null: no run here is of the data and the model that the claim is about, and
        the note says so. Without rows of MAPT ``measured`` is null too.

    Note:
        Hurtado, Marvi, Mohan and Valada 2025 (arXiv:2503.09191), ablation of the heads.
    """
    return list(_claims(rows)) if experiment == "ablate" else []


def _claims(rows: Sequence[_Row]) -> Iterator[dict[str, Any]]:
    found = {variant: _pat(rows, variant) for _, _, variant in _HEADS}
    note = _note(rows)
    for name, claimed, variant in _HEADS:
        yield _claim(f"PAT, {name}", claimed, found[variant], note)
    for name, claimed, variant in _HEADS[:2]:
        measured = None
        if (both := found["mapt"]) is not None and (alone := found[variant]) is not None:
            measured = both - alone
        gain = round(_HEADS[2][1] - claimed, 4)
        yield _claim(f"PAT, both heads less {name}", gain, measured, note)


def _claim(name: str, claimed: float, measured: float | None, note: str) -> dict[str, Any]:
    return {
        "name": name,
        "score": "PAT",
        "claimed": claimed,
        "measured": measured,
        "difference": None,
        "note": _UNMEASURED if measured is None else note,
    }


def _of_first_table(rows: Sequence[_Row]) -> list[_Row]:
    first = rows[0].get("segments") if rows else None
    return [row for row in rows if row.get("segments") == first and not row.get("trained")]


def _pat(rows: Sequence[_Row], variant: str) -> float | None:
    named = re.compile(rf"{re.escape(variant)}\+memory(=\d+)?")
    for row in _of_first_table(rows):
        if named.fullmatch(row["variant"]):
            pat: float | None = row["scores"].get("PAT")
            return pat
    return None


def _note(rows: Sequence[_Row]) -> str:
    return _ELSEWHERE.format(segments=rows[0].get("segments") if rows else None)
