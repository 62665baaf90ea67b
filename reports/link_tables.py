"""Tables of links: association accuracy by visibility, gap and group; recovery; break points."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mapt_bench.reports.group_tables import SPLITS
from mapt_bench.reports.tables import UNDEFINED, Cell, Column, Table
from mapt_bench.results.result_views import is_reference, row_name

__all__ = [
    "break_table",
    "full_occlusions_table",
    "gaps_table",
    "group_table",
    "pooled",
    "precision_entries",
    "recovery_tables",
    "visibility_table",
]

_EVERY_STRESSOR = "all"
_EVERY_VIDEO = "all"

_CROSSED = "cell"
"""The factor that crosses all other factors, as in a factorial design."""

_NO_GAP = "0"
"""The range of links between consecutive frames."""

_FIRST_FACTORS = ("half", "kind")
_VALUES = ("real-like", "hard", "street", "crowd", "low", "high")

_Group = tuple[str, str]

Run = Mapping[str, Any]
Entry = Mapping[str, Any]
Rate = Mapping[str, Any]


def pooled(run: Run, part: str) -> list[Entry]:
    """Return the entries of a part that pool all stressors, or those of the only stressor.

    Args:
        run: A stress test.
        part: ``"visibility"`` or ``"recoveries"``.
    """
    together = [entry for entry in run[part] if entry["stressor"] == _EVERY_STRESSOR]
    return together or list(run[part])


def precision_entries(run: Run) -> list[Entry]:
    """Return the pooled entries of trackers that recover an identity at least once."""
    return [
        entry
        for entry in pooled(run, "recoveries")
        if any(rate["returns"]["n"] for rate in entry["bins"])
    ]


def visibility_table(run: Run) -> Table:
    """Return the association accuracy in each range of visible fractions."""
    return _rates_table(
        "Association accuracy by visible fraction",
        pooled(run, "visibility"),
        lambda rate: rate,
        "Association accuracy: share of correct links. Visible fraction: the lowest of an object "
        "from one sighting to the next. Links without a known fraction are omitted.",
        name="visibility",
    )


def recovery_tables(run: Run) -> list[Table]:
    """Return association accuracy by occlusion gap and, if any track recovers, precision."""
    kept = _rates_table(
        "Association accuracy by occlusion gap in frames",
        pooled(run, "recoveries"),
        lambda rate: rate,
        "From 1 on: share of identities recovered after an occlusion gap of this number of frames.",
        name="recovery",
    )
    returning = precision_entries(run)
    if not returning:
        return [kept]
    right = _rates_table(
        "Recovery precision by absence in frames",
        returning,
        lambda rate: rate["returns"],
        "Share of recovered identities on the same object as before, by frames of absence. "
        "Trackers that never recover an identity have no row.",
        name="recovery_precision",
        own_counts=True,
    )
    return [kept, right]


def full_occlusions_table(run: Run) -> Table:
    """Return the recovery of each variant after long occlusion gaps, and its precision."""
    entries = [
        entry
        for entry in run["recoveries"]
        if entry["factor"] == _EVERY_VIDEO and entry["full_occlusions"] is not None
    ]
    columns = (
        Column("variant"),
        Column("recovered", "percent", higher_is_better=True),
        Column("recovered interval", "range"),
        Column("reappearances", "integer"),
        Column("gaps", "integer"),
        Column("precision", "percent", higher_is_better=True),
        Column("precision interval", "range"),
        Column("returns", "integer"),
    )
    rows: list[tuple[Cell, ...]] = []
    for entry in entries:
        gaps = entry["full_occlusions"]
        found, right = (
            (rate["share"], _range(rate["interval"]), rate["n"])
            for rate in (gaps["recovered"], gaps["returns"])
        )
        rows.append((row_name(entry), *found, gaps["n"], *right))
    notes = (
        "Recovered: share of the objects with a segment both before and after an occlusion gap of "
        "this length (reappearances) whose first identity after the gap is their last before it. "
        "Precision: share of the recovered identities that are on the same object as before.",
        "results.json has each split and each range of gaps.",
    )
    return Table(
        "Identities recovered after a gap of 3-10 frames",
        columns,
        tuple(rows),
        notes,
        frozenset(at for at, entry in enumerate(entries) if is_reference(entry)),
        name="recovery",
    )


def gaps_table(run: Run) -> Table:
    """Return the share of identities that each variant recovers, by length of the occlusion gap.

    One column per range of gaps in frames, with its confidence interval. A range without a
    reappearance in any row has no column.
    """
    entries = [each for each in run["recoveries"] if each["factor"] == _EVERY_VIDEO]
    rates = [
        {rate["bin"]: rate["recovered"] for rate in entry["bins"] if rate["bin"] != _NO_GAP}
        for entry in entries
    ]
    bins = [
        name
        for name in dict.fromkeys(name for found in rates for name in found)
        if any((found.get(name) or {}).get("n") for found in rates)
    ]
    columns = [Column("variant")]
    for name in bins:
        columns.append(Column(f"gap {name}", "percent", higher_is_better=True))
        columns.append(Column(f"gap {name} interval", "range"))
    rows: list[tuple[Cell, ...]] = []
    for entry, found in zip(entries, rates, strict=True):
        line: list[Cell] = [row_name(entry)]
        for name in bins:
            rate = found.get(name) or {}
            line += [rate.get("share"), _range(rate.get("interval") or {})]
        rows.append(tuple(line))
    counts = "; ".join(
        f"gap {name}: {_most_and_least(found.get(name, {}).get('n', 0) for found in rates)}"
        for name in bins
    )
    return Table(
        "Identities recovered, by length of the occlusion gap",
        tuple(columns),
        tuple(rows),
        (
            "Gap: frames in which nothing of the object is visible. Share of the objects with a "
            "segment on both sides of the gap (reappearances) whose identity is the same after it.",
            f"Reappearances: {counts}.",
        ),
        frozenset(at for at, entry in enumerate(entries) if is_reference(entry)),
        name="recovery_by_gap",
    )


def _most_and_least(counts: Iterable[int]) -> str:
    """Return a count that rows share, or the range of their counts."""
    known = sorted(counts)
    return str(known[0]) if known[0] == known[-1] else f"{known[0]} to {known[-1]}"


def _range(interval: Mapping[str, Any]) -> Cell:
    low, high = interval.get("low"), interval.get("high")
    return None if low is None or high is None else (low, high)


def _rates_table(
    title: str,
    entries: Sequence[Entry],
    rate_of: Callable[[Rate], Rate],
    note: str,
    *,
    name: str,
    own_counts: bool = False,
) -> Table:
    """Return one row per variant and one column per range with events.

    Args:
        title: Title of the table.
        entries: One entry per variant.
        rate_of: Returns the rate of a range of an entry.
        note: Footnote that defines the events.
        name: Name of the table's file.
        own_counts: Whether each row has its own counts, which follow the shares.
    """
    bins = [rate["bin"] for rate in entries[0]["bins"]]
    used = [
        at for at in range(len(bins)) if any(rate_of(each["bins"][at])["n"] for each in entries)
    ]
    columns = [Column("variant")]
    for at in used:
        columns.append(Column(bins[at], "percent", higher_is_better=True))
        columns += [Column("n", "integer")] if own_counts else []
    cells = []
    for entry in entries:
        line: list[Cell] = [row_name(entry)]
        for at in used:
            rate = rate_of(entry["bins"][at])
            line += [rate["share"], rate["n"]] if own_counts else [rate["share"]]
        cells.append(tuple(line))
    notes = [note]
    if not own_counts:
        counts = (f"{bins[at]}: {rate_of(entries[0]['bins'][at])['n']}" for at in used)
        notes.append(f"Links: {'; '.join(counts)}. results.json has confidence intervals.")
    references = frozenset(at for at, entry in enumerate(entries) if is_reference(entry))
    return Table(title, tuple(columns), tuple(cells), tuple(notes), references, name)


def break_table(run: Run) -> Table:
    """Return the displacement at which each tracker loses half of its associations."""
    columns = (
        Column("stressor"),
        Column("variant"),
        Column("over size", "decimal", higher_is_better=True),
        Column("interval"),
        Column("pixels", "decimal"),
        Column("interval"),
        *([Column("reach", "integer")] if run.get("motion_reach") else []),
        Column("measured to", "decimal"),
        Column("links", "integer"),
    )
    entries: Sequence[Entry] = run["break_points"]
    cells: list[tuple[Cell, ...]] = []
    reasons: dict[str, list[str]] = {}
    for entry in entries:
        size, pixels = entry["over_size"], entry["pixels"]
        if size["value"] is None:
            reasons.setdefault(str(size["reason"]), []).append(
                f"{row_name(entry)} ({entry['stressor']})"
            )
        cells.append(
            (
                entry["stressor"],
                row_name(entry),
                size["value"],
                _ends(size["interval"]),
                pixels["value"],
                _ends(pixels["interval"]),
                *([entry.get("reach_px")] if run.get("motion_reach") else []),
                size["measured_to"],
                size["n"],
            )
        )
    notes = [
        "Displacement of an object's centre from one frame to the next, over the square root of "
        "its area, beyond which fewer than half of the links are correct (isotonic fit over all "
        "levels). Measured to: largest displacement with enough links.",
    ]
    if run.get("motion_reach"):
        notes.append(
            "Reach: an image moves as a whole, and this is the largest displacement in pixels "
            "up to which the offsets of the row's motion head find at least half of it."
        )
    notes += [f"{UNDEFINED} {', '.join(names)}: {reason}." for reason, names in reasons.items()]
    rising = [
        f"{row_name(entry)} ({entry['stressor']})"
        for entry in entries
        if entry["over_size"].get("rises_again")
    ]
    if rising:
        notes.append(
            f"Rises again: {', '.join(rising)} link at least half correctly at some larger "
            "displacements, so their break point is not a limit. The plots show the whole curve."
        )
    references = frozenset(range(len(entries)))  # rows of different stressors are not comparable
    return Table(
        "Break points", columns, tuple(cells), tuple(notes), references, name="break_points"
    )


def _ends(interval: Mapping[str, Any]) -> str:
    if interval.get("low") is None:
        return UNDEFINED
    return f"[{interval['low']:.2f}, {interval['high']:.2f}]"


def group_table(run: Run) -> Table:
    """Return the association accuracy in each group of videos, one column per level of a factor."""
    entries: Sequence[Entry] = run["links_by_group"]
    counted: dict[_Group, int] = {}
    shares: dict[str, dict[_Group, Cell]] = {}
    for entry in entries:
        group = entry["factor"], entry["value"]
        if entry["factor"] == _CROSSED:
            continue
        counted.setdefault(group, entry["n"])
        shares.setdefault(row_name(entry), {})[group] = entry["share"]
    same = _same_sequences(run, _in_order(counted))
    groups = {group: counted[group] for group in same}
    columns = [Column("variant")]
    columns += [Column(_heading(group), "percent", higher_is_better=True) for group in groups]
    rows = tuple((name, *(found.get(each) for each in groups)) for name, found in shares.items())
    references = frozenset(
        at for at, variant in enumerate(shares) if is_reference({"variant": variant})
    )
    counts = "; ".join(f"{_heading(group)}: {n}" for group, n in groups.items())
    notes = [
        "Association accuracy here: share of correct links among all links of the ground truth. A "
        "missed object is a wrong link, so the oracle is below 100 on detections.",
        f"Links: {counts}. results.json has confidence intervals and cells of the factorial.",
    ]
    notes += [
        f"No column, because the sequences are those of {_heading(group)}: "
        f"{', '.join(map(_heading, others))}."
        for group, others in same.items()
        if others
    ]
    return Table(
        "Association accuracy by group of videos",
        tuple(columns),
        rows,
        tuple(notes),
        references,
        name="links_by_group",
    )


def _heading(group: _Group) -> str:
    factor, value = group
    if factor == "half":
        return f"{SPLITS.get(value, value)} split"
    return f"{factor} {value}".replace("_", " ")


def _in_order(groups: Iterable[_Group]) -> list[_Group]:
    """Sort groups: splits, kinds, then other factors in their order, mild levels first."""
    given = list(groups)
    factors = list(dict.fromkeys((*_FIRST_FACTORS, *(factor for factor, _ in given))))

    def rank(group: _Group) -> tuple[int, int]:
        factor, value = group
        known = value in _VALUES
        return factors.index(factor), _VALUES.index(value) if known else len(_VALUES)

    return sorted(given, key=rank)


def _same_sequences(run: Run, groups: Sequence[_Group]) -> dict[_Group, list[_Group]]:
    """Return the groups with the same sequences, by the first of them."""
    members = {
        (entry["factor"], entry["value"]): tuple(entry["sequences"])
        for entry in run.get("groups") or []
    }
    first: dict[tuple[str, ...], _Group] = {}
    found: dict[_Group, list[_Group]] = {}
    for group in groups:
        known = first.setdefault(members[group], group) if group in members else group
        if known == group:
            found[group] = []
        else:
            found[known].append(group)
    return found
