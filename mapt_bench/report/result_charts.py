"""Charts of the report: which scores, differences and losses of a result to show.

A chart has the rows of the headline table, at most six lines, and never the lower bound, which
would flatten all others.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from mapt_bench.errors import counted
from mapt_bench.report.charts import Curve, Point, Span, curves, scatter, spans, stacked_bars
from mapt_bench.report.svg import Chart
from mapt_bench.reports.cost_tables import variant_gmacs, variant_peak_mib
from mapt_bench.reports.paired_verdicts import is_established
from mapt_bench.reports.score_tables import interval_cell
from mapt_bench.reports.sentences import SWEEP_WORDS
from mapt_bench.results.result_views import (
    LOWER_BOUND,
    Part,
    is_reference,
    row_interval,
    row_milliseconds,
    row_name,
    row_score,
)

__all__ = [
    "condition_charts",
    "cost_charts",
    "difference_chart",
    "loss_charts",
    "network_charts",
    "recovery_charts",
    "score_chart",
    "step_charts",
]

Run = Mapping[str, Any]
Row = Mapping[str, Any]


def score_chart(part: Part, names: set[str]) -> list[Chart]:
    """Return PAT over STQ of some rows. The lower bound would flatten all others."""
    points = []
    for row in part.run["summary"]:
        pat, stq = row_score(row, "PAT"), row_score(row, "STQ")
        if row_name(row) in names - {LOWER_BOUND} and pat is not None and stq is not None:
            points.append(Point(row_name(row), 100 * stq, 100 * pat, is_reference(row)))
    caption = "PAT over STQ: up and to the right is better."
    return [scatter(points, "STQ (%)", "PAT (%)", caption)] if len(points) > 1 else []


def cost_charts(part: Part, names: set[str], cost: Row | None) -> list[Chart]:
    """Return PAT over time, operations and memory of some rows.

    Args:
        part: Part of a run.
        names: Names of the rows.
        cost: A FLOPs report of schema ``mapt-bench/cost/1``. ``None`` for time alone.
    """
    axes: list[tuple[str, str, Callable[[Row], float | None]]] = [
        ("ms/frame", "time of the association of a frame", row_milliseconds)
    ]
    if cost is not None:
        axes.append(("GMACs", "operations of the association of a frame", partial(_gmacs, cost)))
        axes.append(("MiB", "peak memory of the network", partial(_peak_mib, cost)))
    charts = []
    for unit, words, of_row in axes:
        points = []
        for row in part.run["summary"]:
            pat, value = row_score(row, "PAT"), of_row(row)
            is_shown = row_name(row) in names - {LOWER_BOUND}
            if is_shown and pat is not None and value is not None:
                points.append(Point(row_name(row), value, 100 * pat, is_reference(row)))
        if len({point.x for point in points}) > 1:
            caption = f"PAT over {words}: up and to the left is better."
            charts.append(scatter(points, f"{words} ({unit})", "PAT (%)", caption, by_decades=True))
    return charts


def _gmacs(cost: Row, row: Row) -> float | None:
    return variant_gmacs(cost, row_name(row))


def _peak_mib(cost: Row, row: Row) -> float | None:
    return variant_peak_mib(cost, row_name(row))


def network_charts(cost: Row) -> list[Chart]:
    """Return the charts of a FLOPs report: operations by part, and over latency if measured."""
    first = cost["rows"][0]
    rows = [
        row
        for row in cost["rows"]
        if row["gmacs"] is not None
        and (row["input"], row["mode"]) == (first["input"], first["mode"])
    ]
    parts: dict[str, dict[str, float]] = {}
    for row in rows:
        if not row["is_whole"]:
            parts.setdefault(str(row["model"]), {})[str(row["part"])] = row["gmacs"]
    for row in rows:
        if row["part"] == "whole" and row["model"] not in parts:
            parts[str(row["model"])] = {"whole": row["gmacs"]}
    size = "x".join(map(str, first["input"]))
    caption = f"Operations of one forward pass at {size} by part, mode {first['mode']}."
    charts = [stacked_bars(parts, "GMACs", caption)] if parts else []
    points = [
        Point(str(row["model"]), row["measurement"]["median_ms"], row["gmacs"])
        for row in rows
        if row["is_whole"] and row["measurement"]
    ]
    if len(points) > 1:
        caption = f"Operations over latency at {size}, mode {first['mode']}."
        charts.append(scatter(points, "latency (ms)", "GMACs", caption, by_decades=True))
    return charts


def difference_chart(part: Part, names: set[str]) -> list[Chart]:
    """Return the paired differences of some rows to the reference, with confidence intervals.

    References are omitted: the difference to the oracle would flatten all others.
    """
    rows: list[Span] = []
    subject = ""
    for row in part.run["summary"]:
        entry = ((row.get("differences") or {}).get("scores") or {}).get("PAT") or {}
        ends = entry.get("interval") or {}
        if row_name(row) not in names or is_reference(row) or ends.get("low") is None:
            continue
        subject = str(row["differences"]["reference"])
        low, high = 100 * ends["low"], 100 * ends["high"]
        value = 100 * entry["difference"]
        rows.append(Span(row_name(row), value, (low, high), not is_established(entry)))
    if not rows:
        return []
    rows.sort(key=lambda span: -span.value)
    caption = (
        f"Paired difference: PAT of the row minus PAT of {subject}, with its confidence interval. "
        f"Right of 0, the row is better than {subject}. The correction is for all comparisons of "
        "this score, so a grey interval may exclude 0."
    )
    label = f"PAT of the row minus PAT of {subject} (points)"
    key = ("established after correction", "not established after correction")
    return [spans(rows, label, caption, key=key, with_zero=True)]


_LINES = 6
"""Largest number of lines of a chart, references included."""


def _chart_rows(names: Iterable[str], references: set[str]) -> list[str]:
    """Return the rows of a chart: those of the headline table, most of them not references."""
    order = [name for name in names if name != LOWER_BOUND]
    own = [name for name in order if name not in references]
    kept = {*own[: _LINES - 1], *[name for name in order if name in references][:1]}
    return [name for name in order if name in kept]


def recovery_charts(part: Part, names: Iterable[str]) -> list[Chart]:
    """Return the share of identities that some rows recover after long occlusion gaps."""
    entries = {
        str(each["variant"]): each
        for each in part.run.get("recoveries") or []
        if each.get("factor") == "all" and each.get("full_occlusions")
    }
    rows = []
    for name in names:
        rate = (entries.get(name) or {}).get("full_occlusions", {}).get("recovered") or {}
        if rate.get("share") is not None and name != LOWER_BOUND:
            of_reference = entries[name].get("group") == "reference"
            rows.append(Span(name, 100 * float(rate["share"]), _ends(rate), of_reference))
    if not rows:
        return []
    gaps = next(iter(entries.values()))["full_occlusions"]
    caption = (
        f"Identities recovered after an occlusion gap of {gaps['bin']} frames, in percent of "
        f"{counted(int(gaps['recovered']['n']), 'reappearance')}. To the right is better."
    )
    if any(each.ends is not None for each in rows):
        caption += " Lines are confidence intervals."
    rows.sort(key=lambda each: (each.is_grey, -each.value))
    key = ("a tracker", "a reference, which does not compete")
    return [spans(rows, "recovered identities (%)", caption, key=key, with_zero=False)]


def _ends(rate: Row) -> tuple[float, float] | None:
    found = rate.get("interval") or {}
    if found.get("low") is None:
        return None
    return 100 * float(found["low"]), 100 * float(found["high"])


def condition_charts(part: Part) -> list[Chart]:
    """Return PAT over temporal intervals, or over the levels of each stressor."""
    charts = []
    for condition, x, caption in _conditions(part.run):
        rows = {
            (row_name(row), at): row
            for row in part.run["summary"]
            if (at := condition(row)) is not None
        }
        positions = sorted({at for _, at in rows})
        if len(positions) < 2:
            continue
        references = {name for (name, _), row in rows.items() if is_reference(row)}
        names = _chart_rows(_winners_first(rows, positions, references), references)
        lines = [_line_of(name, rows, positions, name in references) for name in names]
        if any(value is not None for each in lines for value in each.values):
            hidden = len({name for name, _ in rows}) - len(names)
            more = " Upright lines are confidence intervals." if any(map(_has_ends, lines)) else ""
            more += f" {counted(hidden, 'more row')} in the table." if hidden else ""
            texts = [str(position) for position in positions]
            charts.append(curves(lines, texts, x, "PAT (%)", f"{caption}{more}"))
    return charts


def _has_ends(curve: Curve) -> bool:
    return any(ends is not None for ends in curve.intervals)


def _winners_first(
    rows: Mapping[tuple[str, int], Row], positions: Sequence[int], references: set[str]
) -> list[str]:
    """Return the names of rows, those that are best at a position first."""
    names = list(dict.fromkeys(name for name, _ in rows))
    own = [name for name in names if name not in references]
    best = [
        max(own, key=lambda name: (row_score(rows.get((name, at), {}), "PAT") or 0.0, name))
        for at in (reversed(positions) if own else ())
    ]
    return list(dict.fromkeys([*best, *names]))


def _conditions(run: Run) -> Iterable[tuple[Callable[[Row], int | None], str, str]]:
    """Yield a function from a row to its position, a label and a caption for each chart."""
    kinds = dict.fromkeys(found[0] for row in run["summary"] if (found := row_interval(row)))
    for kind in kinds:
        words = SWEEP_WORDS.get(kind, kind)
        caption = f"PAT by {words}. Compare rows at one position."
        yield partial(_tau, kind), f"{words} (frames)", caption
    for stressor in run.get("stressors") or []:
        name = str(stressor["name"])
        caption = f"PAT under {name}: {stressor.get('summary', '')}".rstrip(": .") + "."
        yield partial(_level, name), f"level of {name} (0: unchanged)", caption


def _tau(kind: str, row: Row) -> int | None:
    found = row_interval(row)
    return found[1] if found and found[0] == kind else None


def _level(stressor: str, row: Row) -> int | None:
    stress = row.get("stress") or {}
    return int(stress["level"]) if stress.get("stressor") == stressor else None


def _line_of(
    name: str, rows: Mapping[tuple[str, int], Row], positions: Sequence[int], of_reference: bool
) -> Curve:
    found = [rows.get((name, at)) for at in positions]
    values = [None if row is None else row_score(row, "PAT") for row in found]
    ends = [None if row is None else interval_cell(row, "PAT") for row in found]
    return Curve(
        name,
        [None if value is None else 100 * value for value in values],
        [(100 * at[0], 100 * at[1]) if isinstance(at, tuple) else None for at in ends],
        of_reference,
    )


def loss_charts(found: Mapping[str, Row]) -> list[Chart]:
    """Return the points lost to each kind of mistake, one bar per row, for PAT and STQ."""
    charts = []
    for score in ("PAT", "STQ"):
        shares = {
            name: {
                kind: 100 * (entry["share"].get(score) or 0.0)
                for kind, entry in losses["kinds"].items()
            }
            for name, losses in found.items()
        }
        caption = f"Points of {score} lost to each kind of mistake. The parts add up to the loss."
        charts.append(stacked_bars(shares, f"points of {score} lost", caption))
    return charts


def step_charts(steps: Sequence[Row]) -> list[Chart]:
    """Return the wrong links in each range by the step that causes them.

    Each fusion and each property of objects has a chart. If there are kinds of videos, its bars
    are those of the kinds.

    Args:
        steps: The field ``steps`` of a run, for one source of segments.
    """
    has_kinds = any(entry["kind"] != _EVERY_KIND for entry in steps)
    bars: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for entry in steps:
        if has_kinds == (entry["kind"] == _EVERY_KIND):
            continue
        place = f"{entry['kind']}, " if has_kinds else ""
        for each in entry["mistakes"]:
            if each["slice"] != _EVERY_KIND:
                rows = bars.setdefault((str(entry["variant"]), str(each["slice"])), {})
                name = f"{place}{each['range']} ({each['links']:,})"
                rows[name] = _wrong_of_100(each)
    return [
        stacked_bars(
            rows,
            f"wrong links of {variant}, of 100",
            f"Wrong links of {variant} by {factor} of the object, and by the step that causes "
            "them. The number of links is in brackets. Left: wrong with ground truth in all "
            "steps.",
        )
        for (variant, factor), rows in bars.items()
        if any(any(each.values()) for each in rows.values())
    ]


_EVERY_KIND = "all"


def _wrong_of_100(mistakes: Row) -> dict[str, float]:
    links = max(int(mistakes["links"]), 1)
    found = {
        f"{name} step": 100 * step["wrong"] / links for name, step in mistakes["steps"].items()
    }
    return {**found, "left": 100 * mistakes["left"] / links}
