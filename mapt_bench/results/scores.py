"""What every score is: a share or a count, and whether more of it is better."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["HEADLINE", "SCORES", "ScoreKind", "score_kind"]


@dataclass(frozen=True)
class ScoreKind:
    """How to read a score.

    Attributes:
        unit: ``"percent"`` for fractions in results, shown in percent and compared in percentage
            points; ``"count"`` and ``"seconds"`` are shown and compared as they are.
        higher_is_better: ``False`` for errors and costs; ``None`` where nobody can say.
    """

    unit: Literal["percent", "count", "seconds"]
    higher_is_better: bool | None

    @property
    def difference_unit(self) -> str:
        """Return what a difference of this score is measured in."""
        return {"percent": "points", "count": "counts", "seconds": "seconds"}[self.unit]


_SHARE = ScoreKind("percent", True)
_ERRORS = ScoreKind("count", False)

HEADLINE = (
    *("PAT", "PQ", "TQ", "STQ", "AQ", "SQ", "PTQ", "sPTQ", "VPQ", "LSTQ"),
    *("HOTA", "DetA", "AssA", "IDF1", "MOTSA", "sMOTSA", "MOTSP", "IDSW", "Frag"),
)
"""The flat scores of an evaluation result, in the order of its tables."""

SCORES = {
    **dict.fromkeys(HEADLINE, _SHARE),
    "IDSW": _ERRORS,
    "Frag": _ERRORS,
    "RQ": _SHARE,
    "IoU": _SHARE,
    "seconds_per_frame": ScoreKind("seconds", False),
}


def score_kind(name: str) -> ScoreKind:
    """Return how to read a score; one that is not known counts as a share without direction.

    Example:
        >>> score_kind("IDSW").difference_unit
        'counts'
    """
    return SCORES.get(name, ScoreKind("percent", None))
