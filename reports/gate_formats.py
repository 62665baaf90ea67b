"""A comparison in the formats of CI: JUnit, GitHub annotations, GitLab code quality, Markdown.

Names of rows and sequences come from files and may hold anything. Each format shows them as text.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from mapt_bench.reports.difference_tables import is_changed
from mapt_bench.reports.table_formats import escape_markdown
from mapt_bench.reports.tables import UNDEFINED, Kind, format_cell, printable
from mapt_bench.results.result_views import score_kind

__all__ = [
    "VERDICTS",
    "github_annotations",
    "github_error",
    "gitlab_report",
    "junit_report",
    "markdown_comment",
    "markdown_error",
]

Comparison = Mapping[str, Any]
"""A comparison as plain data, schema ``mapt-bench/comparison/3``."""

VERDICTS = {True: "passed", False: "failed", None: "no limit given"}

_MOST_ROWS = 20
"""Changed scores in the Markdown comment. The comment has at most 60 lines."""

_MOST_ANNOTATIONS = 10
"""Annotations of each level that GitHub shows of a step."""

_MOST_LINES = 10
"""Lines of each list in the Markdown comment."""


def junit_report(comparison: Comparison) -> str:
    """Return a JUnit XML report: one test case per limit, and one for missing and new parts.

    Accepted regressions are skipped tests, exceeded limits of times and memory pass with a text.
    """
    cases = [_limit_case(limit, comparison) for limit in comparison["limits"]]
    parts = ElementTree.Element(
        "testcase", classname="mapt-bench.compare", name="no part is missing, new or undefined"
    )
    lines = [line for line in comparison["failures"] if line not in _messages(comparison, "broken")]
    if lines:
        _add_text(parts, "failure", f"{len(lines)} missing, new or undefined", lines)
    cases.append(parts)
    failures, skipped = (
        str(sum(case.find(tag) is not None for case in cases)) for tag in ("failure", "skipped")
    )
    suite = ElementTree.Element(
        "testsuite",
        name="mapt-bench compare",
        tests=str(len(cases)),
        errors="0",
        failures=failures,
        skipped=skipped,
    )
    suite.extend(cases)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        + ElementTree.tostring(root, encoding="unicode")
        + "\n"
    )


def _limit_case(limit: Mapping[str, Any], comparison: Comparison) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase", classname="mapt-bench.compare", name=printable(limit["limit"])
    )
    name = limit["limit"]
    if limit["status"] == "failed":
        lines = _messages(comparison, "broken", name)
        _add_text(case, "failure", printable(lines[0]), lines)
    elif limit["status"] == "accepted":
        lines = [
            entry["message"]
            for entry in comparison["accepted"]
            if any(f"limit {name}" in line for line in entry["limits"])
        ]
        _add_text(case, "skipped", printable(lines[0] if lines else "accepted"), lines)
    elif limit["status"] == "warning":
        _add_text(case, "system-out", None, _messages(comparison, "warnings", name))
    return case


def _messages(comparison: Comparison, kind: str, limit: str | None = None) -> list[str]:
    return [
        entry["message"] for entry in comparison[kind] if limit is None or entry["limit"] == limit
    ]


def _add_text(
    case: ElementTree.Element, tag: str, message: str | None, lines: Sequence[str]
) -> None:
    element = ElementTree.SubElement(case, tag, {} if message is None else {"message": message})
    element.text = "\n".join(map(printable, lines))


def github_annotations(comparison: Comparison) -> list[str]:
    """Return the workflow commands of GitHub: one line per failure, warning and acceptance.

    GitHub shows ten of each level. The last one says how many others there are.
    """
    file = comparison["current"]
    accepted = [f"accepted regression: {line}" for line in _messages_of_accepted(comparison)]
    warnings = [*_messages(comparison, "warnings"), *accepted]
    return [
        _annotation(level, file, line)
        for level, found in (("error", comparison["failures"]), ("warning", warnings))
        for line in _first(found, _MOST_ANNOTATIONS)
    ]


def github_error(file: str, message: str) -> str:
    """Return the workflow command of GitHub for two results that were not compared.

    Args:
        file: File of the current result.
        message: Why they were not compared.
    """
    return _annotation("error", file, message)


def _first(lines: Sequence[str], most: int) -> list[str]:
    """Return some lines. If there are others, the last line is their number."""
    if len(lines) <= most:
        return list(lines)
    return [*lines[: most - 1], f"and {len(lines) - most + 1} more"]


def _messages_of_accepted(comparison: Comparison) -> list[str]:
    return [entry["message"] for entry in comparison["accepted"]]


def _annotation(level: str, file: str, message: str) -> str:
    title = "mapt-bench compare"
    return f"::{level} file={_property(file)},title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def gitlab_report(comparison: Comparison) -> str:
    """Return a code-quality report of GitLab as JSON."""
    found = [("major", line) for line in comparison["failures"]]
    found += [("minor", line) for line in _messages(comparison, "warnings")]
    found += [("info", f"accepted: {line}") for line in _messages_of_accepted(comparison)]
    entries = [
        {
            "description": printable(line),
            "check_name": "mapt-bench-compare",
            "fingerprint": hashlib.sha256(line.encode("utf-8", "replace")).hexdigest(),
            "severity": severity,
            "location": {"path": printable(comparison["current"]), "lines": {"begin": 1}},
        }
        for severity, line in found
    ]
    return json.dumps(entries, indent=2) + "\n"


def markdown_comment(comparison: Comparison) -> str:
    """Return a comment of at most 60 lines: the verdict, then what changed, details folded."""
    verdict = VERDICTS[comparison["passed"]]
    changed = [change for change in comparison["changes"] if is_changed(change)]
    lines = [f"### mapt-bench compare: {verdict}", ""]
    lines += _listed("Failures", comparison["failures"])
    lines += _listed("Warnings", _messages(comparison, "warnings"))
    lines += _listed("Accepted regressions", _messages_of_accepted(comparison))
    if changed:
        lines += _changes_table(changed, comparison)
    else:
        lines += ["No score changed.", ""]
    checked = [f"{limit['limit']}: {limit['status']}" for limit in comparison["limits"]]
    details = [f"baseline: {comparison['baseline']}", f"current: {comparison['current']}"]
    details += [f"limit {line}" for line in checked[: _MOST_LINES - 2]]
    details += [f"note: {note}" for note in comparison["notes"][:2]]
    lines += ["<details><summary>Details</summary>", ""]
    return "\n".join([*lines, *(f"- {_markdown(line)}" for line in details), "", "</details>", ""])


def markdown_error(message: str) -> str:
    """Return a comment on two results that were not compared: the reason."""
    return f"### mapt-bench compare: not compared\n\n{_markdown(message)}\n"


def _listed(heading: str, found: Sequence[str]) -> list[str]:
    if not found:
        return []
    return [f"**{heading}**", "", *(f"- {_markdown(line)}" for line in _first(found, 6)), ""]


def _changes_table(changed: Sequence[Mapping[str, Any]], comparison: Comparison) -> list[str]:
    failing = {(entry["row"], entry["score"]) for entry in comparison["broken"]}
    ordered = sorted(changed, key=lambda change: (change["row"], change["score"]) not in failing)
    shown = ordered[:_MOST_ROWS]
    lines = ["| row | score | baseline | current | change |", "| --- | --- | ---: | ---: | ---: |"]
    for change in shown:
        cells = [change["row"], change["score"], *_values(change)]
        lines.append(f"| {' | '.join(map(_markdown, cells))} |")
    more = len(changed) - len(shown)
    return [*lines, "", *([f"And {more} more changed scores.", ""] if more else [])]


def _values(change: Mapping[str, Any]) -> list[str]:
    is_share = score_kind(change["score"]).unit == "percent"
    kind: Kind = "percent" if is_share else "count"
    both = [format_cell(change[side], kind) for side in ("baseline", "current")]
    difference = change["difference"]
    if difference is None:
        return [*both, UNDEFINED]
    return [*both, format_cell(difference, "points") if is_share else f"{difference:+g}"]


def _markdown(text: object) -> str:
    # The zero-width space keeps a name such as @team from notifying people.
    return escape_markdown(printable(str(text))).replace("@", "@\u200b")
