"""The objective of a tuning run: one score, or the weighted mean of several."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from mapt_bench.errors import ConfigError, DataError, nearest

__all__ = ["DEFAULT_SCORE", "RECOVERY_SCORES", "Objective", "recovery_scores", "score_choices"]

DEFAULT_SCORE = "PAT=1,recovery_f1=0.5"

RECOVERY_SCORES = ("recovery_f1", "recovery_recall", "recovery_precision")
"""Scores of identities that were hidden for 3 to 10 frames."""

_LESS_IS_BETTER = ("IDSW", "Frag")


def score_choices() -> tuple[str, ...]:
    """Return the names of all scores that can be maximised."""
    from mapt_bench.metrics import SCORE_NAMES  # imported here: --help must start fast

    return (*(name for name in SCORE_NAMES if name not in _LESS_IS_BETTER), *RECOVERY_SCORES)


@dataclass(frozen=True, slots=True)
class Objective:
    """A weighted mean of scores.

    Attributes:
        weights: Name and weight of each score; weights are positive.

    Example:
        >>> objective = Objective.parse("PAT=1,recovery_f1=0.5")
        >>> round(objective.value({"PAT": 0.3, "recovery_f1": 0.6}), 6)
        0.4
        >>> str(Objective.parse("TQ"))
        'TQ'
    """

    weights: tuple[tuple[str, float], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``NAME`` or ``NAME=WEIGHT,NAME=WEIGHT``.

        Raises:
            ConfigError: If a score is unknown or named twice, is a count of errors, or a weight is
                not a positive number.
        """
        found: dict[str, float] = {}
        for word in text.split(","):
            name, equals, weight = (part.strip() for part in word.partition("="))
            _check_name(text, name)
            if name in found:
                raise ConfigError(f"--score {text} names {name} twice; keep one")
            found[name] = _weight(text, weight) if equals else 1.0
        return cls(tuple(found.items()))

    def __str__(self) -> str:
        if len(self.weights) == 1:
            return self.weights[0][0]
        return ",".join(f"{name}={weight:g}" for name, weight in self.weights)

    def value(self, scores: Mapping[str, float | None]) -> float:
        """Return the weighted mean of scores.

        Args:
            scores: Fractions by name; must hold every score of the objective.

        Raises:
            DataError: If a score is undefined.
        """
        total = 0.0
        for name, weight in self.weights:
            score = scores[name]
            if score is None:
                hint = (
                    "no identity is hidden for 3 to 10 frames and found on both sides"
                    if name in RECOVERY_SCORES
                    else "the videos do not have what it measures"
                )
                raise DataError(
                    f"{name} is undefined: {hint}; choose another --score, or tune on other videos"
                )
            total += weight * score
        return total / math.fsum(weight for _, weight in self.weights)


def recovery_scores(recovered: int, reappeared: int, right: int, returned: int) -> dict[str, float]:
    """Return recall, precision and F1 of recovered identities.

    Args:
        recovered: Reappearances found with the identity that they had.
        reappeared: Reappearances of tracks that are found on both sides of the gap.
        right: Identities given again to the right track.
        returned: Identities given again at all.

    Returns:
        A fraction for each of :data:`RECOVERY_SCORES`. Precision is 0 where no identity is given
        again: a tracker without memory recovers nothing. Empty where nothing reappears.

    Example:
        >>> recovery_scores(3, 4, 3, 6)
        {'recovery_f1': 0.6, 'recovery_recall': 0.75, 'recovery_precision': 0.5}
    """
    if not reappeared:
        return {}
    recall, precision = recovered / reappeared, right / returned if returned else 0.0
    both = recall + precision
    values: Sequence[float] = (2 * recall * precision / both if both else 0.0, recall, precision)
    return dict(zip(RECOVERY_SCORES, values, strict=True))


def _check_name(text: str, name: str) -> None:
    if name in _LESS_IS_BETTER:
        raise ConfigError(
            f"--score {text}: {name} counts errors, and a count depends on the number of frames; "
            "maximise a score such as TQ or AssA"
        )
    known = score_choices()
    if name not in known:
        raise ConfigError(
            f"--score {text}: there is no score {name!r}; {nearest(name, known)}; expected NAME or "
            f"NAME=WEIGHT,..., as in {DEFAULT_SCORE}"
        )


def _weight(text: str, word: str) -> float:
    try:
        weight = float(word)
    except ValueError:
        weight = math.nan
    if not 0 < weight < math.inf:
        raise ConfigError(f"--score {text}: the weight is {word!r}; expected a positive number")
    return weight
