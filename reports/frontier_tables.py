"""Tables and sentences of a frontier of PAT against STQ."""

from collections.abc import Mapping, Sequence
from typing import Any

from mapt_bench.reports.paired_verdicts import is_established
from mapt_bench.reports.skipped_notes import skipped_notes
from mapt_bench.reports.tables import Cell, Column, Table

__all__ = [
    "FRONTIER",
    "frontier_line",
    "frontier_points",
    "frontier_scores",
    "frontier_sentences",
    "frontier_tables",
    "frontier_window",
]

FRONTIER = "mapt-bench/frontier/1"

Result = Mapping[str, Any]
Row = Mapping[str, Any]

_SCORES = ("PAT", "STQ", "PQ", "TQ", "SQ", "AQ", "AssA", "IDSW")


def frontier_tables(result: Result) -> list[Table]:
    """Return the tables of a frontier: trackers, the settings of their frontiers, all settings.

    Args:
        result: Schema ``mapt-bench/frontier/1``.
    """
    return [_trackers_table(result), _settings_table(result), _trials_table(result)]


def _trackers_table(result: Result) -> Table:
    columns = (
        Column("tracker"),
        Column("near both", priority=9),
        Column("best PAT", "percent", higher_is_better=True, priority=8),
        Column("its STQ", "percent", priority=4),
        Column("best STQ", "percent", higher_is_better=True, priority=8),
        Column("its PAT", "percent", priority=4),
        Column("short of both", "percent", higher_is_better=False, priority=7),
        Column("area", "decimal", higher_is_better=True, priority=6),
        Column("points", "integer", priority=2),
    )
    rows = tuple(
        (
            str(each["tracker"]),
            "yes" if each["is_near_both"] else "no",
            _score(each, "best_pat", "PAT"),
            _score(each, "best_pat", "STQ"),
            _score(each, "best_stq", "STQ"),
            _score(each, "best_stq", "PAT"),
            each["shortfall"],
            1e4 * each["hypervolume"],
            len(each["frontier"]),
        )
        for each in sorted(result["trackers"], key=lambda each: -float(each["hypervolume"]))
    )
    at = result["reference_point"]
    notes = (
        "Area (hypervolume): points of PAT times points of STQ that the frontier dominates above "
        f"PAT {100 * at['PAT']:.2f} and STQ {100 * at['STQ']:.2f}, the lowest of all settings.",
        "Short of both: how far the setting nearest to both is from the best PAT and the best STQ, "
        "in points: the larger of the two. "
        f"Near both: at most {100 * result['near']:.1f} points. Points: settings on the frontier.",
        *skipped_notes(result["skipped"], "Not run"),
    )
    title = (
        f"Frontiers of PAT against STQ on {result['data']['name']}, {result['trials']} settings of "
        "each tracker"
    )
    return Table(title, columns, rows, notes, name="frontier")


def _score(entry: Row, end: str, score: str) -> Cell:
    found: Cell = entry["trials"][entry[end]]["scores"][score]
    return found


def _settings_table(result: Result) -> Table:
    columns = (
        Column("tracker"),
        Column("PAT", "percent", priority=5),
        Column("STQ", "percent", priority=5),
        Column("end", priority=4),
        Column("settings", priority=3),
    )
    rows = tuple(
        (
            str(each["tracker"]),
            each["trials"][number]["scores"]["PAT"],
            each["trials"][number]["scores"]["STQ"],
            _ends_of(each, number),
            _words(each["trials"][number]["settings"]),
        )
        for each in result["trackers"]
        for number in each["frontier"]
    )
    return Table("Settings on the frontiers", columns, rows, name="frontier_settings")


def _ends_of(entry: Row, number: int) -> str:
    names = {"best_pat": "best PAT", "best_stq": "best STQ", "nearest": "nearest to both"}
    return ", ".join(words for name, words in names.items() if entry[name] == number)


def _words(settings: Row) -> str:
    return " ".join(f"{name}={value}" for name, value in settings.items()) or "published thresholds"


def _trials_table(result: Result) -> Table:
    columns = (
        Column("tracker"),
        Column("setting", "integer"),
        *(Column(name, "count" if name == "IDSW" else "percent") for name in _SCORES),
        Column("on frontier"),
        Column("settings"),
    )
    rows = tuple(
        (
            str(each["tracker"]),
            trial["number"],
            *(trial["scores"][name] for name in _SCORES),
            "yes" if trial["number"] in each["frontier"] else "no",
            _words(trial["settings"]),
        )
        for each in result["trackers"]
        for trial in each["trials"]
    )
    return Table("All settings", columns, rows, name="frontier_trials")


def frontier_sentences(result: Result) -> list[str]:
    """Return what a frontier shows: whether a setting has both maxima, and whether ends differ.

    Args:
        result: Schema ``mapt-bench/frontier/1``.
    """
    near = 100 * result["near"]
    names = [str(each["tracker"]) for each in result["trackers"] if each["is_near_both"]]
    joint = result["joint"]
    place = joint["nearest"]
    short = [f"{gap:.2f} points below the best {score}" for score, gap in _gaps(result).items()]
    verdict = "Both are" if joint["is_near_both"] else "At least one is not"
    return [
        f"{len(names)} of {len(result['trackers'])} trackers have a setting within {near:.1f} "
        f"points of both their maxima{': ' if names else ''}{', '.join(names)}.",
        f"Of all settings of all trackers, setting {place['number']} of {place['tracker']} comes "
        f"nearest to both maxima. It is {' and '.join(short)}. {verdict} within {near:.1f} points.",
        *_established(result["trackers"]),
    ]


def _gaps(result: Result) -> dict[str, float]:
    """Return how far the nearest setting is below the best PAT and the best STQ, in points."""
    trackers = {each["tracker"]: each for each in result["trackers"]}

    def at(name: str, score: str) -> float:
        place = result["joint"][name]
        trials = trackers[place["tracker"]]["trials"]
        return 100 * float(trials[place["number"]]["scores"][score])

    ends = (("best_pat", "PAT"), ("best_stq", "STQ"))
    return {score: at(end, score) - at("nearest", score) for end, score in ends}


def frontier_scores(result: Result) -> dict[str, float]:
    """Return the numbers of each tracker by name, ``<tracker>/<number>``: shares as fractions.

    Args:
        result: Schema ``mapt-bench/frontier/1``.
    """
    return {
        f"{each['tracker']}/{name}": float(value)
        for each in result["trackers"]
        for name, value in (
            ("best PAT", each["trials"][each["best_pat"]]["scores"]["PAT"]),
            ("best STQ", each["trials"][each["best_stq"]]["scores"]["STQ"]),
            ("short of both", each["shortfall"]),
            ("area", each["hypervolume"]),
        )
    }


def _established(trackers: Sequence[Row]) -> list[str]:
    """Return the trackers whose ends differ in both scores, after correction."""
    compared = [each for each in trackers if each.get("difference")]
    if not compared:
        return []
    traded = [
        str(each["tracker"])
        for each in compared
        if all(map(is_established, each["difference"]["scores"].values()))
    ]
    if traded:
        return [f"The difference of the ends is established in both scores: {', '.join(traded)}."]
    entries = [score for each in compared for score in each["difference"]["scores"].values()]
    ends = [entry.get("interval") or {} for entry in entries]
    reasons = sorted({str(each["reason"]) for each in ends if "reason" in each})
    if reasons and not any(each.get("low") is not None for each in ends):
        return [f"Whether the two ends of a frontier differ is not tested: {'; '.join(reasons)}."]
    return ["No tracker has ends whose difference is established in both scores."]


def frontier_points(entry: Row) -> list[tuple[float, float, bool]]:
    """Return STQ and PAT in percent of each setting, and whether it is on the frontier.

    Args:
        entry: A tracker of the result.
    """
    return [
        (
            100 * trial["scores"]["STQ"],
            100 * trial["scores"]["PAT"],
            trial["number"] in entry["frontier"],
        )
        for trial in entry["trials"]
    ]


def frontier_line(entry: Row) -> list[tuple[float, float]]:
    """Return STQ and PAT in percent of the settings on the frontier, by ascending STQ.

    Args:
        entry: A tracker of the result.
    """
    return sorted((stq, pat) for stq, pat, is_on in frontier_points(entry) if is_on)


_LEAST_REACH = 1.0
"""Least distance from the frontiers to the edge of the plot, in points."""

_Ends = tuple[float, float]


def frontier_window(trackers: Sequence[Row]) -> tuple[tuple[_Ends, _Ends], int]:
    """Return the part of the plane to show: the surroundings of the frontiers.

    Args:
        trackers: Trackers of the result.

    Returns:
        The ends of STQ and of PAT in percent, and the number of settings outside.
    """
    points = [point for entry in trackers for point in frontier_points(entry)]
    limits = []
    for at in range(2):
        values = [point[at] for point in points if point[2]]
        reach = max(max(values) - min(values), _LEAST_REACH)
        limits.append((min(values) - reach, max(values) + 0.3 * reach))
    hidden = sum(point[0] < limits[0][0] or point[1] < limits[1][0] for point in points)
    return (limits[0], limits[1]), hidden
