"""Sentences on a result, grouped by the segments that they concern."""

from dataclasses import dataclass, replace

from mapt_bench.reports.tables import printable

__all__ = ["LEAD", "Finding"]

LEAD = "This difference"
"""Start of the sentence on whether the lead of the best row is established."""


@dataclass(frozen=True)
class Finding:
    """Sentences on the rows that link the same segments.

    Attributes:
        segments: Description of the segments. Empty if they are not named.
        sentences: Sentences of one fact each, the most important first.
    """

    segments: str
    sentences: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "segments", printable(self.segments))
        object.__setattr__(self, "sentences", tuple(map(printable, self.sentences)))

    @property
    def place(self) -> str:
        """The segments as a heading, empty if they are not named."""
        return f"On {self.segments}" if self.segments else ""

    def first(self, most: int) -> "Finding":
        """Return the finding with its first sentences only."""
        return replace(self, sentences=self.sentences[:most])

    def around_lead(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the sentences up to that on the lead of the best row, and those after it."""
        end = next(
            (at for at, text in enumerate(self.sentences, 1) if text.startswith(LEAD)),
            len(self.sentences),
        )
        return self.sentences[:end], self.sentences[end:]

    @property
    def text(self) -> str:
        """All sentences as one paragraph."""
        return f"{f'{self.place}: ' if self.segments else ''}{' '.join(self.sentences)}"
