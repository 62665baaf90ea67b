"""Tables of a FLOPs report, read as plain JSON of schema ``mapt-bench/cost/1``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mapt_bench.reports.tables import Cell, Column, Table

__all__ = [
    "claims_table",
    "cost_tables",
    "measured_table",
    "operations_table",
    "rows_table",
    "variant_gmacs",
    "variant_peak_mib",
]

Cost = Mapping[str, Any]
Row = Mapping[str, Any]

_BAR = 16
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_NOTHING = "incomplete"


def cost_tables(cost: Cost, *, bars: bool = False) -> list[Table]:
    """Return all tables of a FLOPs report.

    Args:
        cost: A result of schema ``mapt-bench/cost/1``.
        bars: Whether to show shares as bars, for a terminal, instead of percent.
    """
    tables = [operations_table(cost, size, bars=bars) for size in _sizes(cost)]
    tables[-1] = replace(tables[-1], footnotes=(*tables[-1].footnotes, *_general_notes(cost)))
    if any(row["measurement"] for row in cost["rows"]):
        tables.append(measured_table(cost))
    if cost["claims"]:
        tables.append(claims_table(cost))
    return tables


def rows_table(cost: Cost) -> Table:
    """Return the unchanged rows of a FLOPs report, for CSV."""
    names = (
        *("model", "part", "input", "instances", "mode", "gmacs", "gmacs_fvcore"),
        *("params", "excluded", "uncounted", "latency_ms", "peak_mib"),
    )
    numbers = {"gmacs", "gmacs_fvcore", "latency_ms", "peak_mib"}
    columns = tuple(
        Column(
            name,
            "number" if name in numbers else "integer" if name in _INTEGERS else "text",
        )
        for name in names
    )
    rows = tuple(tuple(_flat(row[name]) for name in names) for row in cost["rows"])
    return Table(f"Operations ({cost['unit']})", columns, rows, name="operations")


_INTEGERS = frozenset({"instances", "params"})


def operations_table(cost: Cost, size: Sequence[int], *, bars: bool = False) -> Table:
    """Return the operations at one input size by network and part, with both counts of each mode.

    Args:
        cost: A result of schema ``mapt-bench/cost/1``.
        size: ``(height, width)`` of the input.
        bars: Whether to show shares as bars instead of percent.
    """
    rows = [row for row in cost["rows"] if list(row["input"]) == list(size)]
    modes = list(cost["modes"])
    share = Column("share", "text" if bars else "percent")
    # Early, so that tables folded to a narrow terminal keep shares beside names.
    columns = [Column("network"), share, Column("M params", "number")]
    for mode in modes:
        columns += [Column(mode, "number"), Column("fvcore", "number")]
    cells = []
    for entries in _by_part(rows):
        first = entries[modes[0]]
        part_of = _share(first, rows)
        line: list[Cell] = [_label(first), _bar(part_of) if bars else part_of]
        line.append(first["params"] / 1e6)
        for mode in modes:
            entry = entries[mode]
            line += [_NOTHING if entry["uncounted"] else entry["gmacs"], entry["gmacs_fvcore"]]
        cells.append(tuple(line))
    height, width = size
    count = rows[0]["instances"]
    return Table(
        f"Operations of one forward pass at {height}x{width}, {count} instances, in GMACs",
        tuple(columns),
        tuple(cells),
        footnotes=tuple(_footnotes(rows)),
        name="operations",
        keys=(("input", f"{height}x{width}"),),
    )


def measured_table(cost: Cost) -> Table:
    """Return latency and memory, once for each network and size."""
    rows, circumstances = [], set()
    seen: set[tuple[str, str]] = set()
    for row in cost["rows"]:
        key = row["model"], str(row["input"])
        if key in seen or not row["measurement"]:
            continue
        seen.add(key)
        size = "x".join(map(str, row["input"]))
        for found in row.get("measurements") or [row["measurement"]]:
            device, _, model = found["device"].partition(" ")
            peak, before = found["peak_mib"], found["start_mib"]
            if found.get("gpu_peak_mib") is not None:
                peak, before = found["gpu_peak_mib"], None
            times = (found["median_ms"], found["low_ms"], found["high_ms"])
            rows.append((row["model"], size, device, *times, peak, before))
            circumstances.add(
                f"{device}{model and f' {model}'}, {found['threads']} thread(s); "
                f"{found['repeats']} passes after {found['warm_up']} of warm-up; low and high are "
                f"the {found['spread']}"
            )
    names = ("median ms", "low ms", "high ms", "peak MiB", "before MiB")
    columns = (
        Column("network"),
        Column("input"),
        Column("device"),
        *(Column(name, "number" if name.endswith("ms") else "integer") for name in names),
    )
    notes = (
        *sorted(circumstances),
        "peak is the peak memory of a separate process, with Python and torch; before is its "
        "memory before the network was built; on a GPU, peak is that of torch on the GPU",
    )
    title = "Measured on this machine, not counted"
    return Table(title, columns, tuple(rows), footnotes=notes, name="measured")


def claims_table(cost: Cost) -> Table:
    """Return the claims of the paper beside the counts."""
    rows = tuple(
        (
            claim["name"],
            claim["claimed"],
            claim["measured"],
            "fitted" if claim["fitted"] else "counted",
            claim["relative_difference"],
            f"{claim['at'][0]}x{claim['at'][1]}",
            claim["mode"],
            claim["instances"],
        )
        for claim in cost["claims"]
    )
    columns = (
        Column("claim"),
        Column("claimed", "number"),
        Column("ours", "number"),
        Column("ours is"),
        Column("difference %", "points"),
        Column("input"),
        Column("mode"),
        Column("instances", "integer"),
    )
    notes = dict.fromkeys(f"{claim['name']}: {claim['note']}" for claim in cost["claims"])
    return Table(
        "Claimed by the paper (GFLOPs, input size not given) and counted here (GMACs)",
        columns,
        rows,
        footnotes=tuple(notes),
        name="claims",
    )


_MAPT, _MOTION, _APPEARANCE = "mapt", "motion", "appearance"
_LINKING_PARTS = (_MOTION, _APPEARANCE)
"""Cost of MAPT's embeddings. The motion head computes the propagated features that they read."""


def variant_gmacs(cost: Cost, variant: str) -> float | None:
    """Return the GMACs of a run's variant for one frame, in the report's first size and mode.

    A variant matches the network with the longest name that it contains. A tracker without a
    network has 0 operations, and a variant that is not in the report has ``None``. The cost of
    MAPT's trackers is that of their heads, if the report has exactly one MAPT. Detection is
    omitted, because it is the same for all trackers.
    """
    base, *more = (part.strip() for part in re.split(r"[+,]", variant))
    if base == _MAPT or base.startswith(f"{_MAPT}:"):
        return _gmacs_of_parts(cost, (_MOTION,) if base == f"{_MAPT}:{_MOTION}" else _LINKING_PARTS)
    flow = _gmacs_of_network(cost, base)
    appearance = _gmacs_of_parts(cost, _LINKING_PARTS) if _MAPT in more else 0.0
    return None if flow is None or appearance is None else flow + appearance


def _gmacs_of_parts(cost: Cost, parts: Sequence[str]) -> float | None:
    """Return the cost of some parts, if the report has exactly one MAPT."""
    models = {row["model"] for row in cost["rows"] if row["part"] == _APPEARANCE}
    if len(models) != 1:
        return None
    first: dict[str, float | None] = {}
    for row in cost["rows"]:
        if row["model"] in models:
            first.setdefault(row["part"], row["gmacs"])
    found = [first[part] for part in parts if part in first]
    return None if None in found else sum(each or 0.0 for each in found)


def _gmacs_of_network(cost: Cost, base: str) -> float | None:
    found = _network(cost, base)
    if found is not None:
        value: float | None = found["gmacs"]
        return value
    return 0.0 if base in cost["without_network"] else None


def _network(cost: Cost, base: str) -> Row | None:
    """Return the first row of the whole network with the longest name that a name contains."""
    named = [row for row in cost["rows"] if row["is_whole"] and row["model"] in base]
    return max(named, key=lambda row: len(row["model"]), default=None)


def variant_peak_mib(cost: Cost, variant: str) -> float | None:
    """Return the peak memory of the network of a run's variant, in MiB.

    ``None`` for trackers without a network, and if memory was not measured. MAPT's trackers have
    the memory of the whole network, if the report has exactly one MAPT.
    """
    base = re.split(r"[+,]", variant)[0].strip()
    found = _network(cost, base)
    if base == _MAPT or base.startswith(f"{_MAPT}:"):
        models = {row["model"] for row in cost["rows"] if row["part"] == _APPEARANCE}
        found = _network(cost, models.pop()) if len(models) == 1 else None
    measured = (found or {}).get("measurement") or {}
    value: float | None = measured.get("peak_mib")
    return value


def _sizes(cost: Cost) -> list[tuple[int, ...]]:
    return list(dict.fromkeys(tuple(row["input"]) for row in cost["rows"]))


def _flat(value: Any) -> Cell:  # noqa: ANN401 - a value of JSON
    if isinstance(value, list):
        joint = "x" if all(isinstance(each, int) for each in value) and value else "; "
        return joint.join(map(str, value))
    cell: Cell = value
    return cell


def _by_part(rows: Sequence[Row]) -> list[dict[str, Row]]:
    """Group rows of one size by network and part, keyed by mode."""
    grouped: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in rows:
        key = row["model"], row["part"], str(row["shape"])
        grouped.setdefault(key, {})[row["mode"]] = row
    return list(grouped.values())


def _label(row: Row) -> str:
    if not row["is_whole"]:
        return f"· {row['part']}"
    name = str(row["model"])
    return name if row["part"] == "whole" else f"{name} {row['part']}"


def _share(row: Row, rows: Sequence[Row]) -> float | None:
    """Return the share of a part in its network, ``None`` for the network itself."""
    if row["is_whole"] or row["gmacs"] is None:
        return None
    whole = next(
        other["gmacs"]
        for other in rows
        if other["is_whole"]
        and (other["model"], other["mode"], other["shape"])
        == (row["model"], row["mode"], row["shape"])
    )
    return row["gmacs"] / whole if whole else None


def _bar(share: float | None) -> str:
    """Return a share as a bar with its percent.

    Example:
        >>> _bar(0.5)
        '████████ 50.0 %'
    """
    if share is None:
        return ""
    eighths = round(share * _BAR * 8)
    bar = "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
    return f"{bar} {100 * share:.1f} %".lstrip()


def _footnotes(rows: Sequence[Row]) -> list[str]:
    notes = [
        "a multiply-add counts one; share is the share of the network, in the first mode; the "
        "column after each mode is fvcore's count",
        *_trace_notes(rows),
    ]
    for model, uncounted in _uncounted(rows).items():
        notes.append(f"{model} is incomplete, no formula for: {', '.join(uncounted)}")
    reasons = {f"{row['model']}: {row['explanation']}" for row in rows if row["explanation"]}
    notes += sorted(reasons)
    notes += [f"error: {row['problem']}" for row in rows if row["problem"]]
    return notes


def _general_notes(cost: Cost) -> list[str]:
    """Return the notes that apply to every size."""
    rows: Sequence[Row] = cost["rows"]
    notes: list[str] = []
    for mode in cost["modes"]:
        names = sorted(
            {_short(name) for row in rows if row["mode"] == mode for name in row["excluded"]}
        )
        if names:
            notes.append(f"{mode} omits by definition: {', '.join(names)}")
    notes += cost["notes"]
    if cost["without_network"]:
        notes.append(
            "no network, so no operations to count (runs measure their time): "
            + ", ".join(cost["without_network"])
        )
    return notes


def _trace_notes(rows: Sequence[Row]) -> list[str]:
    """Return one line for each way in which the second count was made."""
    scaled: dict[str, list[str]] = {}
    for row in rows:
        at = [list(size) for size in row["fvcore_at"]]
        if row["is_whole"] and at and at != [list(row["input"])]:
            sizes = ", ".join(f"{height}x{width}" for height, width in at)
            scaled.setdefault(sizes, []).append(row["model"])
    return [
        f"fvcore ran on the CPU at {sizes}, extrapolated by the polynomial in the number "
        f"of pixels: {', '.join(dict.fromkeys(models))}"
        for sizes, models in scaled.items()
    ]


def _uncounted(rows: Sequence[Row]) -> dict[str, list[str]]:
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        for name in row["uncounted"]:
            found.setdefault(row["model"], {})[name] = None
    return {model: list(names) for model, names in found.items()}


def _short(name: str) -> str:
    return name.partition("::")[2] or name
