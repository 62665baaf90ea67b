"""Notes on suites of the synthetic world: levels of the hard split, and names of sequences.

``docs/glossary.md`` has the factors and their levels.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from mapt_bench.report.terms import factor_meanings
from mapt_bench.reports.tables import Table

__all__ = ["name_notes", "with_levels"]

_VERSION = 2
"""Version of the suites whose levels the glossary has."""

_BY_LEVEL = "links_by_group"
"""Name of the table with a column for each level."""

_HARD = re.compile(r"-hard-((?:[a-z][01])+)(?:-\d+)?$")


def with_levels(tables: Iterable[Table], run: Mapping[str, Any]) -> list[Table]:
    """Return tables with notes on the levels of the hard split, where columns are levels.

    Args:
        tables: Tables of the run.
        run: A result of schema ``mapt-bench/run/1``.
    """
    notes = _level_notes(run)
    return [
        replace(each, footnotes=(*notes, *each.footnotes)) if each.name == _BY_LEVEL else each
        for each in tables
    ]


def name_notes(run: Mapping[str, Any], tables: Iterable[Table]) -> list[str]:
    """Return how the sequences of a suite are named, if a row of some tables has levels.

    Args:
        run: A result of schema ``mapt-bench/run/1``.
        tables: Tables with a sequence in each row.
    """
    names = (str(row[0]) for table in tables for row in table.rows)
    code = next((found[1] for name in names if (found := _HARD.search(name))), "")
    if not _suite(run).get("name") or not code:
        return []
    letters = ", ".join(f"{name[0]} {name}" for name in _factors())
    return [
        "Names of sequences: suite, kind of scene, split (real: realistic). Hard ones have the "
        f"levels of four factors, as in {code}: {letters}; 0 is low, 1 is high. A number counts "
        "the sequences of one kind.",
        *_level_notes(run),
    ]


def _level_notes(run: Mapping[str, Any]) -> list[str]:
    """Return what the levels are: nothing for other data, and for suites of older versions."""
    if _suite(run).get("version") != _VERSION or not _has_levels(run):
        return []
    levels = "; ".join(f"{name}: {meaning}" for name, meaning in _factors().items())
    return [f"Levels of the hard split. {levels}."]


def _suite(run: Mapping[str, Any]) -> Mapping[str, Any]:
    data = (run.get("provenance") or {}).get("data") or {}
    return data.get("suite") or {}


def _has_levels(run: Mapping[str, Any]) -> bool:
    """Return whether groups of the run are levels of the factors."""
    factors = {str(each.get("factor")).replace("_", " ") for each in run.get("groups") or []}
    return bool(factors & set(factor_meanings()))


def _factors() -> dict[str, str]:
    return {
        name: f"{meaning[0].lower()}{meaning[1:].removesuffix('.')}"
        for name, meaning in factor_meanings().items()
    }
