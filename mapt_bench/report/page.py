"""The page: results are read, and their sections are rendered with the template."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mapt_bench import __version__
from mapt_bench.errors import DataError, counted, listed
from mapt_bench.files import write_text
from mapt_bench.report.blocks import Section
from mapt_bench.report.evaluation_sections import evaluation_sections
from mapt_bench.report.frontier import frontier_sections
from mapt_bench.report.gallery import DEFAULT_PICTURES, Replay
from mapt_bench.report.interval_matrix import matrix_sections
from mapt_bench.report.introductions import (
    evaluation_introduction,
    frontier_introduction,
    matrix_introduction,
    network_introduction,
    run_introduction,
)
from mapt_bench.report.sections import network_sections, run_sections
from mapt_bench.report.terms import TermLinks, breakable
from mapt_bench.reports.frontier_tables import FRONTIER
from mapt_bench.reports.interval_matrix import INTERVAL_MATRIX
from mapt_bench.reports.tables import printable
from mapt_bench.results import load_result
from mapt_bench.results.expected_fields import expecting_fields
from mapt_bench.results.result_files import (
    COST,
    EVALUATION,
    EVALUATIONS,
    RUN,
    read_document,
)
from mapt_bench.results.run_folders import INCOMPLETE, RESULTS, result_in

__all__ = ["ReportPart", "read_parts", "render_report", "write_report"]

_SETUP = "run.json"


@dataclass(frozen=True)
class ReportPart:
    """The part of a page about one run, or about evaluations on one data set.

    Attributes:
        title: Heading, one line.
        sections: Sections in order.
        warning: What is missing, for example in an incomplete run. Empty if nothing is.
        introduction: What was compared, on which data, for readers who do not know the project.
    """

    title: str
    sections: tuple[Section, ...]
    warning: str = ""
    introduction: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", printable(self.title))
        object.__setattr__(self, "warning", printable(self.warning))
        object.__setattr__(self, "introduction", printable(self.introduction))


def write_report(
    paths: Sequence[Path],
    out: Path,
    *,
    gallery: int = DEFAULT_PICTURES,
    replays: Mapping[Path, Replay] | None = None,
) -> None:
    """Write one page about runs and evaluations.

    Args:
        paths: Run folders and result files. At least one.
        out: The HTML file.
        gallery: Largest number of sequences with pictures, for each run and each prediction.
        replays: For run folders of ``paths``, functions that track sequences again for pictures
            of frames. Other runs show the pictures that their folders have.

    Raises:
        DataError: If a result cannot be read, or the page cannot be written.
    """
    write_text(out, report_text(paths, gallery=gallery, replays=replays))


def report_text(
    paths: Sequence[Path],
    *,
    gallery: int = DEFAULT_PICTURES,
    replays: Mapping[Path, Replay] | None = None,
) -> str:
    """Return the page that :func:`write_report` writes.

    Raises:
        DataError: If a result cannot be read.
    """
    parts = read_parts(paths, gallery=gallery, replays=replays)
    with expecting_fields(", ".join(map(str, paths)), "a result"):
        return render_report(parts)


def read_parts(
    paths: Sequence[Path],
    *,
    gallery: int = DEFAULT_PICTURES,
    replays: Mapping[Path, Replay] | None = None,
) -> list[ReportPart]:
    """Read results. Each run and each FLOPs report is a part, and evaluations share one.

    A run folder without results is a part that says what there is. Runs show the operations of the
    first FLOPs report. See :func:`write_report` for the arguments.

    Raises:
        DataError: If a path is no run folder and no result file.
    """
    parts: list[ReportPart] = []
    folders: dict[int, str] = {}
    evaluations: list[Mapping[str, Any]] = []
    read = [(path, *_read(path)) for path in paths]
    costs = [document for _, document, _ in read if document.get("schema") == COST]
    for path, document, warning in read:
        schema = document.get("schema")
        with expecting_fields(path, schema):
            if schema in (EVALUATION, EVALUATIONS):
                evaluations += document.get("evaluations", [document])
            elif schema != COST:
                replay = (replays or {}).get(path)
                parts.append(_part(path, document, warning, gallery, replay, costs))
                if schema is not None:
                    folders[len(parts) - 1] = (path if path.is_dir() else path.parent).name
    titles = [part.title for part in parts]
    for at, name in folders.items():
        if titles.count(titles[at]) > 1:  # runs of a plan that differ in their settings
            parts[at] = replace(parts[at], title=f"{titles[at]} ({name})")
    with expecting_fields(", ".join(map(str, paths)), "a result"):
        if evaluations:
            parts.append(evaluations_part(evaluations, gallery=gallery))
        parts += [
            ReportPart(
                "FLOPs report",
                tuple(network_sections(cost)),
                introduction=network_introduction(cost),
            )
            for cost in costs
        ]
    return parts


_SECTIONS = {
    FRONTIER: ("frontier", frontier_sections, frontier_introduction),
    INTERVAL_MATRIX: ("interval matrix", matrix_sections, matrix_introduction),
}
"""For schemas that are no runs with rows: name of the experiment, sections and introduction."""


def _part(
    path: Path,
    document: Mapping[str, Any],
    warning: str,
    gallery: int,
    replay: Replay | None,
    costs: Sequence[Mapping[str, Any]],
) -> ReportPart:
    """Return the part of a run, of another experiment, or of a run without results."""
    schema = document.get("schema")
    if schema is None:
        return ReportPart(f"{path.name}: no results yet", (), warning)
    if schema in _SECTIONS:
        name, sections, introduction = _SECTIONS[schema]
        data = (document.get("data") or {}).get("name")
        title = f"{name}{f' on {data}' if data else ''}"
        return ReportPart(title, tuple(sections(document)), warning, introduction(document))
    if schema == RUN:
        folder = path if path.is_dir() else path.parent
        cost = costs[0] if costs else None
        return _run_part(document, run_sections(document, folder, gallery, replay, cost), warning)
    raise DataError(
        f"has schema {schema!r}; expected a run, an evaluation or a FLOPs report", where=path
    )


def _read(path: Path) -> tuple[Mapping[str, Any], str]:
    """Return the result at a path, empty if a run has none yet, and what is missing."""
    file, warning = _file_of(path)
    if file is None:
        return {}, warning
    document = read_document(file)
    schema = document.get("schema")
    if isinstance(schema, str) and schema in _SECTIONS:  # they have no rows to compare
        return document, warning
    return load_result(file).document, warning


def _run_part(run: Mapping[str, Any], sections: Sequence[Section], warning: str) -> ReportPart:
    data = ((run.get("provenance") or {}).get("data") or {}).get("name")
    title = f"{run.get('experiment', 'run')}{f' on {data}' if data else ''}"
    return ReportPart(title, tuple(sections), _failed_cells(run) or warning, run_introduction(run))


def evaluations_part(
    evaluations: Sequence[Mapping[str, Any]], *, gallery: int = DEFAULT_PICTURES
) -> ReportPart:
    """Return the part of a page about evaluations of schema ``mapt-bench/evaluation/2``."""
    names = listed(str(each["name"]) for each in evaluations)
    return ReportPart(
        f"evaluate: {names}",
        tuple(evaluation_sections(evaluations, gallery)),
        introduction=evaluation_introduction(evaluations),
    )


_RESUME = "Run the same command again to resume it."


def _file_of(path: Path) -> tuple[Path | None, str]:
    """Return the result file of a path, and what is missing if a run has none."""
    if not path.is_dir():
        return path, ""
    # A complete result replaces the incomplete one, which is therefore newer than any other.
    if (path / INCOMPLETE).exists():
        return path / INCOMPLETE, f"This run is incomplete. {_RESUME}"
    if (path / _SETUP).exists() and not (path / RESULTS).exists():
        done = len([each for each in (path / "cells").rglob("*.json") if each.is_file()])
        units = counted(done, "work unit")
        verb = "is" if done == 1 else "are"
        return None, f"This run is incomplete: {units} {verb} done, no scores yet. {_RESUME}"
    return result_in(path), ""


def _failed_cells(run: Mapping[str, Any]) -> str:
    cells = run.get("cells") or []
    failed = [str(cell.get("variant")) for cell in cells if cell.get("status") == "failed"]
    if not failed:
        return ""
    return (
        f"This run is incomplete: {len(failed)} of {counted(len(cells), 'cell')} failed "
        f"({listed(dict.fromkeys(failed))}). The summary has the reasons. {_RESUME}"
    )


def render_report(parts: Sequence[ReportPart]) -> str:
    """Return the HTML of a page."""
    styles, script = _asset("report.css"), _asset("report.js")
    titles = "; ".join(part.title for part in parts)
    return (
        _environment()
        .get_template("report.html")
        .render(
            title=f"mapt-bench report: {titles}",
            parts=parts,
            terms=TermLinks(),
            styles=Markup(styles),  # noqa: S704 - a file of this package
            script=Markup(script),  # noqa: S704 - a file of this package
            policy=(
                "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
                f"style-src '{_digest(styles)}'; script-src '{_digest(script)}'"
            ),
            version=__version__,
        )
    )


def _digest(text: str) -> str:
    """Return the hash by which a content policy allows an inline element."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _asset(name: str) -> str:
    return (files("mapt_bench.report") / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("mapt_bench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["anchor"] = _anchor
    environment.filters["breakable"] = breakable
    return environment


def _anchor(text: str) -> str:
    """Return a text as part of an anchor: letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
