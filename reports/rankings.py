"""Who is first: rankings in words, with ties and with references that do not compete.

Values tie if they print as the same number.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mapt_bench.errors import counted

__all__ = ["NAMED_AT_MOST", "ORACLE", "Extreme", "extreme", "joined", "percent", "ranking"]

ORACLE = "oracle"

NAMED_AT_MOST = 2
"""Names in a phrase. It counts the others."""


def ranking(ranked: Sequence[tuple[str, float]], noun: str) -> list[str]:
    """Return sentences on who has the highest PAT, and who is next unless there is a tie.

    Args:
        ranked: Names with their PAT, the highest first.
        noun: What has the names, for example ``"row"``.
    """
    value = percent(ranked[0][1])
    tied = [name for name, pat in ranked if percent(pat) == value]
    if len(tied) > 1:
        others = tied[1] if len(tied) == 2 else counted(len(tied) - 1, f"other {noun}")
        return [f"{tied[0]} and {others} have the highest PAT, {value}."]
    found = [f"{tied[0]} has the highest PAT, {value}."]
    if len(ranked) > 1:
        gap = percent(ranked[0][1] - ranked[1][1])
        behind = "less than 0.01" if gap == percent(0) else gap
        found.append(f"The next is {ranked[1][0]}, {behind} behind.")
    return found


def percent(share: float) -> str:
    """Return a fraction in percent."""
    return f"{100 * share:z.2f}"


@dataclass(frozen=True)
class Extreme:
    """The rows with the highest or the lowest value, of those that compete.

    Attributes:
        names: Their names, several if they tie.
        value: Their value in percent.
        count: Number of rows that compete.
        beyond: References, such as copying, whose value is higher or lower.
    """

    names: tuple[str, ...]
    value: str
    count: int
    beyond: tuple[str, ...]

    @property
    def who(self) -> str:
        """Their names in words."""
        return joined(self.names[:NAMED_AT_MOST], len(self.names[NAMED_AT_MOST:]))

    @property
    def among(self) -> str:
        """Words that except the references beyond, empty if there are none."""
        return " among the rows that compete" if self.beyond else ""

    @property
    def first(self) -> str:
        """The first name, and how many tie with it."""
        others = len(self.names) - 1
        return f"{self.names[0]} and {counted(others, 'other')}" if others else self.names[0]

    def in_words(self, word: str, verb: str = "") -> str:
        """Return who loses how much, with a superlative unless all rows are the same."""
        subject = f"{self.who} {verb}" if verb else self.who
        if self.count == 1:
            return f"{subject} {self.value} PAT"
        how = "the same" if len(self.names) == self.count else f"{word}{self.among}"
        return f"{subject} {how}: {self.value} PAT"


def extreme(
    values: Mapping[str, float],
    references: Collection[str],
    choose: Callable[[Iterable[float]], float],
) -> Extreme | None:
    """Return the rows with the highest or the lowest value, ``None`` if no row competes.

    Args:
        values: Value of each row as a fraction.
        references: Rows that do not compete. The oracles among them bound all rows anyway.
        choose: ``max`` or ``min``.
    """
    own = {name: value for name, value in values.items() if name not in references}
    if not own:
        return None
    text = percent(choose(own.values()))
    names = tuple(name for name, value in own.items() if percent(value) == text)
    others = {name: values[name] for name in values if name in references}
    beyond = tuple(
        name
        for name, value in others.items()
        if not name.startswith(ORACLE)
        and percent(value) != text
        and choose((value, own[names[0]])) == value
    )
    return Extreme(names, text, len(own), beyond)


def joined(words: Sequence[str], others: int) -> str:
    """Return names in one phrase, and the number of rows that it does not name."""
    listed = [*words, *([counted(others, "other row")] if others else [])]
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}"
