"""Tables of a tuning: the best settings of every tracker, and its score on held-out sequences."""

import math
import textwrap
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mapt_bench.errors import counted
from mapt_bench.reports.difference_tables import ALONE, CORRECTED
from mapt_bench.reports.skipped_notes import skipped_notes
from mapt_bench.reports.tables import Column, Table, format_cell

__all__ = ["tuning_scores", "tuning_tables"]

_WIDTH = 100
_NUMBERS = 5 * 9  # columns of numbers in the table, gaps included


def tuning_tables(result: Mapping[str, Any], width: int | None = None) -> list[Table]:
    """Return the best settings of every tracker, and the cross-validation if there is one.

    Args:
        result: Schema ``mapt-bench/tuning/1``.
        width: Characters of a line, to which settings are shortened. ``None`` keeps them whole.
    """
    found = result["held_out"] or {}
    held_out = [_held_out_table(result)] if found else []
    winner = [_winner_table(found)] if found.get("winner") else []
    return [_best_table(result, width), *held_out, *winner]


def tuning_scores(result: Mapping[str, Any]) -> dict[str, float]:
    """Return the objective of each tracker by name, ``<tracker>/<number>``, as fractions.

    Args:
        result: Schema ``mapt-bench/tuning/1``.
    """
    tuned = {
        f"{each['tracker']}/{name}": each[key]
        for each in result["trackers"]
        for name, key in (("start", "start_value"), ("tuned", "value"))
    }
    found = (result["held_out"] or {}).get("trackers", ())
    held_out = {f"{each['tracker']}/held out": each["held_out"] for each in found}
    return tuned | {name: value for name, value in held_out.items() if value is not None}


def _best_table(result: Mapping[str, Any], width: int | None) -> Table:
    """Return a table with one row a tracker."""
    trackers = result["trackers"]
    names = max(len("Tracker"), *(len(each["tracker"]) for each in trackers))
    room = None if width is None else width - names - _NUMBERS
    rows = tuple(
        (
            each["tracker"],
            len(each["trials"]),
            each["start_value"],
            each["value"],
            each["value"] - each["start_value"],
            each["best"],
            _shortened(each["settings"], room),
        )
        for each in trackers
    )
    columns = (
        Column("Tracker"),
        Column("Trials", "integer"),
        Column("Start", "percent"),
        Column("Tuned", "percent"),
        Column("Gain", "points"),
        Column("Best", "integer"),
        Column("Settings"),
    )
    return Table(_title(result), columns, rows, footnotes=_notes(result), name="tuning")


def _held_out_table(result: Mapping[str, Any]) -> Table:
    """Return what each tracker reaches on sequences that its settings were not chosen on."""
    found = result["held_out"]
    ranked = sorted(found["trackers"], key=_distance)
    measures = ("held_out", "optimism", "behind")
    rows = tuple(
        (
            each["tracker"],
            each["chosen"],
            *(cell for name in measures for cell in (each[name], _interval(each, name))),
        )
        for each in ranked
    )
    columns = (
        Column("Tracker"),
        Column("Chosen", "percent"),
        Column("Held out", "percent"),
        Column("Held out CI"),
        Column("Optimism", "points"),
        Column("Optimism CI"),
        Column("Behind", "points"),
        Column("Behind CI"),
    )
    (first, *_) = ranked
    withheld = first["intervals"]["held_out"].get("reason")
    sizes = "/".join(str(len(fold)) for fold in found["folds"])
    notes = (
        f"{len(found['folds'])} folds of {sizes} sequences. Chosen: settings chosen on all "
        "sequences, scored on them.",
        "Held out: each sequence, settings chosen without it. Optimism: chosen minus held out.",
        f"Behind: distance to {first['tracker']}, which is chosen as the best on these sequences. "
        "Intervals: 95 %.",
        *([f"No intervals: {withheld}."] if withheld else []),
    )
    title = "On sequences that the settings were not chosen on"
    return Table(title, columns, rows, notes, name="held_out")


def _winner_table(found: Mapping[str, Any]) -> Table:
    """Return the lead over each tracker if the winner is chosen outside of each fold, too."""
    winner = found["winner"]
    rows = tuple(
        (
            each["tracker"],
            each["reference_value"],
            each["difference"],
            _span(each["interval"]),
            each["p_value"],
            each["p_adjusted"],
        )
        for each in winner["leads"]
    )
    columns = (
        Column("Tracker"),
        Column("Held out", "percent"),
        Column("Lead", "points"),
        Column("Lead CI"),
        Column(ALONE, "number"),
        Column(CORRECTED, "number"),
    )
    wins = Counter(winner["trackers"])
    told = ", ".join(f"{name} in {counted(count, 'fold')}" for name, count in wins.most_common())
    reached = format_cell(winner["held_out"], "percent")
    notes = (
        f"Winner of each fold, best on the other sequences: {told}. Held-out score: {reached}.",
        "Lead: this score minus that of the tracker, paired over sequences. Intervals: 95 %.",
        f"{CORRECTED}: corrected for {counted(winner['comparisons'], 'comparison')}.",
    )
    title = "Winner and settings chosen on the other folds"
    return Table(title, columns, rows, notes, name="winner")


def _distance(entry: Mapping[str, Any]) -> float:
    """Return the distance to the best tracker; undefined ones come last."""
    return math.inf if entry["behind"] is None else float(entry["behind"])


def _interval(entry: Mapping[str, Any], measure: str) -> str | None:
    """Return an interval in percent or points. The best tracker has none behind itself."""
    found = entry["intervals"][measure]
    return None if measure == "behind" and entry["behind"] == 0 else _span(found)


def _span(interval: Mapping[str, Any]) -> str | None:
    if "low" not in interval:
        return None
    return f"{100 * interval['low']:.1f} to {100 * interval['high']:.1f}"


def _title(result: Mapping[str, Any]) -> str:
    data = result["data"]
    of_split = f", split {data['split']}" if data["split"] else ""
    return f"{result['score']} on {data['name']}{of_split}, segments {', '.join(data['segments'])}"


def _notes(result: Mapping[str, Any]) -> tuple[str, ...]:
    first = (
        f"Start: {result['thresholds']} thresholds. Memory: {result['memory']} frames. Sampler: "
        f"{result['sampler']}, seed {result['seed']}."
    )
    left_out = skipped_notes(result["skipped"], "Not tuned")
    return (first, *(line for note in left_out for line in textwrap.wrap(note, _WIDTH)))


def _shortened(settings: Mapping[str, Any], room: int | None) -> str:
    """Return settings in one line of limited length; the thresholds file has them whole.

    Example:
        >>> _shortened({"iou_threshold": 0.25, "memory": 3}, 22)
        'iou_threshold=0.25 ...'
    """
    words: list[str] = []
    for name, value in settings.items():
        words.append(f"{name}={value}")
        if room is not None and len(" ".join(words)) > room - len(" ..."):
            return " ".join([*words[:-1], "..."])
    return " ".join(words)
