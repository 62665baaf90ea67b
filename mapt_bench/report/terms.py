"""Terms of the page: links from their first use to their definitions at the end of the page.

``docs/glossary.md`` has the definitions. ``templates/glossary.md`` is a link to it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from markupsafe import Markup, escape

from mapt_bench.reports.tables import printable

__all__ = ["Term", "TermLinks", "breakable", "factor_meanings", "reference_notes", "row_term"]


@dataclass(frozen=True)
class Term:
    """An entry of the glossary.

    Attributes:
        name: The term, or several that share an entry.
        aliases: The words by which the page uses it.
        meaning: Definition.
        heading: Heading of the table that has it.
    """

    name: str
    aliases: tuple[str, ...]
    meaning: str
    heading: str

    @property
    def is_row(self) -> bool:
        """Whether it is the name of a row."""
        return self.heading == _ROWS

    @property
    def anchor(self) -> str:
        """Anchor of the definition."""
        return f"term-{re.sub(r'[^a-z0-9]+', '-', self.name.lower()).strip('-')}"


_ROWS = "Rows"
"""Heading of the names of rows in the glossary."""

_FACTORS = "Factors of the hard split"
"""Heading of the factors in the glossary. The page has notes on them in place of links."""

_EVERYDAY = frozenset(
    (
        *("experiment", "run", "variant", "row", "cell", "work unit", "resume", "segment"),
        *("track", "tracker", "thing", "stuff", "suite", "encoding", "label space", "claimed"),
        *("crowd", "ground truth", "association", "linking", "stressor"),
        *("both", "copy", "motion", "appearance", "sort", "iou"),
    )
)
"""Words that are terms only in a column of rows, or that a reader of the page knows."""

_ENTRY = re.compile(r"^\| (?P<name>[^|]+) \| (?P<meaning>[^|]+) \|$")


@cache
def _glossary() -> tuple[Term, ...]:
    """Return the entries of the glossary, none where the link to it is not a link."""
    text = (files("mapt_bench.report") / "templates" / "glossary.md").read_text(encoding="utf-8")
    found, heading = [], ""
    for line in text.splitlines():
        heading = line.removeprefix("## ") if line.startswith("## ") else heading
        entry = _ENTRY.match(line)
        if entry and entry["name"] not in ("term", "---"):
            name = entry["name"].replace("`", "")
            words = re.split(r", | / | \(|\)", name)
            aliases = tuple(word for word in words if word)
            found.append(Term(name, aliases, entry["meaning"], heading))
    return tuple(found)


def row_term(name: str) -> Term | None:
    """Return the entry of a row, whatever its memory and settings. ``None`` if there is none."""
    base = name.partition("+memory")[0].partition(",")[0]
    family = re.sub(r"^flow:[^+]+", "flow:NAME", base)
    rows = {alias: term for term in _glossary() if term.is_row for alias in term.aliases}
    return rows.get(base) or rows.get(family)


def factor_meanings() -> dict[str, str]:
    """Return what each factor of the hard split of a suite is, with its levels, by name."""
    return {term.name: term.meaning for term in _glossary() if term.heading == _FACTORS}


def reference_notes(names: Iterable[str]) -> list[str]:
    """Return sentences on what the reference rows of a table are, and why they stand apart.

    Args:
        names: Names of the rows.
    """
    terms = {name: row_term(name) for name in names}
    told = [
        f"{name}: {term.meaning[0].lower()}{term.meaning[1:]}"
        for name, term in terms.items()
        if term is not None
    ]
    if not told:
        return []
    return [f"Rows in italics are references. They do not compete. {' '.join(told)}"]


class TermLinks:
    """Links the first use of each term of a page. Later uses are plain text."""

    def __init__(self) -> None:
        self._used: dict[Term, None] = {}
        self._of_word = {
            alias: term
            for term in _glossary()
            for alias in term.aliases
            if alias not in _EVERYDAY and term.heading != _FACTORS
        }
        words = sorted(map(re.escape, self._of_word), key=len, reverse=True)
        one = "|".join(words) or "(?!)"
        self._pattern = re.compile(rf"(?<![\w:/.+-])(?:{one})(?![\w:/-]|\.\w)", re.IGNORECASE)

    def text(self, text: str) -> Markup:
        """Return a text with links from the terms that the page uses for the first time."""
        parts, end = [], 0
        for found in self._pattern.finditer(text):
            term = self._term(found[0])
            if term is not None and term not in self._used:
                parts += [escape(text[end : found.start()]), self._link(found[0], term)]
                end = found.end()
        return Markup().join([*parts, escape(text[end:])])

    def _term(self, word: str) -> Term | None:
        """Return the term of a word. Only words of small letters may start a sentence."""
        return self._of_word.get(word) or self._of_word.get(word[:1].lower() + word[1:])

    def row(self, name: str) -> Markup:
        """Return the name of a row. It breaks after its parts, and its first use is a link."""
        base, plus, memory = name.partition("+memory")
        term = row_term(name)
        shown = breakable(base)
        if term is not None and term not in self._used:
            shown = self._link(base, term)
        return shown + Markup("<wbr>") * bool(plus) + self.text(f"{plus}{memory}")

    def _link(self, word: str, term: Term) -> Markup:
        self._used[term] = None
        return Markup('<a href="#{}">{}</a>').format(term.anchor, breakable(word))

    def used(self) -> list[tuple[str, str, Markup]]:
        """Return anchor, name and definition of each term that the page uses, in order."""
        return [
            (term.anchor, term.name, _with_code(term.meaning))
            for term in _glossary()
            if term in self._used
        ]


def breakable(text: str) -> Markup:
    """Return a name that narrow columns break after its parts, as in ``mapt:motion+memory``."""
    return Markup("<wbr>").join(re.split(r"(?<=[+:/_,=])", printable(text)))


def _with_code(text: str) -> Markup:
    """Return a text of the glossary with its code."""
    parts = text.split("`")
    return Markup().join(
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part)
        for at, part in enumerate(parts)
    )
