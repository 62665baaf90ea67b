"""Tables of the error decomposition: which kinds of mistake cost how many points."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mapt_bench.reports.tables import Cell, Column, Table

__all__ = [
    "LOSS_SCORES",
    "losses_of_rows",
    "losses_table",
    "losses_tables",
    "short_losses_table",
    "short_losses_tables",
]

LOSS_SCORES = ("PAT", "PQ", "TQ", "STQ", "AQ", "SQ")
"""Scores that are decomposed, in the order of tables."""

_PRIORITY = {"PAT": 9, "STQ": 8, "PQ": 4, "TQ": 5, "AQ": 3, "SQ": 2}

Losses = Mapping[str, Any]
"""The field ``losses`` of a result: see ``docs/losses.md``."""


def short_losses_tables(evaluations: Sequence[Mapping[str, Any]]) -> list[Table]:
    """Return the short table of each evaluation that has losses."""
    return [
        short_losses_table(str(each["name"]), each["losses"])
        for each in evaluations
        if each.get("losses")
    ]


def losses_tables(evaluations: Sequence[Mapping[str, Any]]) -> list[Table]:
    """Return the table with all causes of each evaluation that has losses."""
    return [
        losses_table(str(each["name"]), each["losses"])
        for each in evaluations
        if each.get("losses")
    ]


def losses_of_rows(rows: Sequence[Mapping[str, Any]]) -> list[Table]:
    """Return the points of PAT by kind of mistake, one row per variant, and all causes of each.

    Args:
        rows: Summary rows of a run. Those without losses are omitted.
    """
    # Rows of a sweep with the same work have the same losses.
    known = list(
        {
            (row["variant"], row.get("cell"), row.get("segments")): row
            for row in rows
            if row.get("losses")
        }.values()
    )
    if not known:
        return []
    kinds = list(known[0]["losses"]["kinds"])
    columns = (
        Column("variant"),
        Column("all", "percent"),
        *(Column(kind, "percent") for kind in kinds),
    )
    cells = tuple(
        (
            str(row["variant"]),
            _lacking(row["losses"], "PAT"),
            *(row["losses"]["kinds"][kind]["share"]["PAT"] for kind in kinds),
        )
        for row in known
    )
    notes = ("Shapley shares: those of the kinds add up to all.",)
    title = "Points of PAT lost by kind of mistake"
    return [
        Table(title, columns, cells, notes, name="losses_by_kind"),
        *(losses_table(str(row["variant"]), row["losses"], of="variant") for row in known),
    ]


def short_losses_table(name: str, losses: Losses) -> Table:
    """Return one row per kind of mistake: its share of each score, and its largest cause.

    Args:
        name: Name of the prediction or the variant.
        losses: Field ``losses`` of a result.
    """
    columns = (
        Column("kind"),
        *(Column(score, "percent", priority=_PRIORITY[score]) for score in LOSS_SCORES),
        Column("PAT alone", "points", priority=7),
        Column("largest cause", priority=1),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            kind,
            *(loss["share"][score] for score in LOSS_SCORES),
            loss["gain"]["PAT"],
            _largest_cause(loss),
        )
        for kind, loss in losses["kinds"].items()
    ]
    lacking = [_lacking(losses, score) for score in LOSS_SCORES]
    rows.append(("all", *lacking, lacking[0], ""))
    return Table(
        f"Where the points were lost: {name}",
        columns,
        tuple(rows),
        (
            "Points that each kind of mistake costs (Shapley shares: they add up to the last row). "
            "PAT alone: gain if only this kind is repaired.",
        ),
        name="short_losses",
        keys=(("prediction", name),),
    )


def losses_table(name: str, losses: Losses, *, of: str = "prediction") -> Table:
    """Return one row per kind of mistake and one per cause: counts, shares and gains.

    Args:
        name: Name of the prediction or the variant.
        losses: Field ``losses`` of a result.
        of: Heading of the name in files.
    """
    columns = (
        Column("kind"),
        Column("cause"),
        Column("entries", "integer"),
        Column("pixels", "integer"),
        *(Column(score, "percent") for score in LOSS_SCORES),
        *(Column(f"{score} alone", "points") for score in LOSS_SCORES),
    )
    rows = tuple(
        (
            kind,
            cause,
            loss["entries"],
            loss["pixels"],
            *(loss["share"][score] for score in LOSS_SCORES),
            *(loss["gain"][score] for score in LOSS_SCORES),
        )
        for kind, cause, loss in _rows(losses)
    )
    return Table(
        f"Losses by kind and cause: {name}",
        columns,
        rows,
        ("Shapley shares of kinds, Owen shares of causes; alone: gain if only this is repaired.",),
        name="losses",
        keys=((of, name),),
    )


def _rows(losses: Losses) -> Iterator[tuple[str, str, Losses]]:
    """Yield each kind with the cause ``all``, then its causes."""
    for kind, loss in losses["kinds"].items():
        yield kind, "all", loss
        for cause, part in loss.get("causes", {}).items():
            yield kind, _words(cause), part


def _largest_cause(loss: Losses) -> str:
    """Return the cause with the largest share of PAT, or of STQ where PAT is undefined."""
    causes = loss.get("causes", {})
    score = "PAT" if loss["share"]["PAT"] is not None else "STQ"
    shares = {cause: part["share"][score] or 0 for cause, part in causes.items()}
    largest = max(shares, key=lambda cause: shares[cause], default="")
    if not largest or shares[largest] <= 0:
        return ""
    return f"{_words(largest)} {100 * shares[largest]:.2f}"


def _words(cause: str) -> str:
    return cause.replace("_", " ")


def _lacking(losses: Losses, score: str) -> float | None:
    perfect, found = losses["perfect"][score], losses["score"][score]
    return None if perfect is None or found is None else perfect - found
