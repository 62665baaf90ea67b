"""The run folder: the setup of the run, and its finished work units."""

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mapt_bench.errors import ConfigError, DataError, wrong_schema
from mapt_bench.experiments.engine.schedule import Unit
from mapt_bench.experiments.engine.shared import SharedVideo, sighted_rows
from mapt_bench.experiments.engine.unit import UnitResult
from mapt_bench.experiments.plans.data_source import DataSource
from mapt_bench.experiments.plans.plan import Plan
from mapt_bench.files import parse_json, read_text, write_json, write_text
from mapt_bench.labels import LabelSpace
from mapt_bench.metrics.link_events import pack_rows
from mapt_bench.metrics.scorer import WINDOWS

__all__ = [
    "claim_folder",
    "claim_setup",
    "keep_objects",
    "objects_file",
    "read_unit",
    "unit_file",
    "write_unit",
]

_SETUP = "run.json"
_SETUP_SCHEMA = "mapt-bench/run-setup/1"


def claim_folder(folder: Path, plan: Plan, source: DataSource, seed: int) -> None:
    """Write the setup of a run, or check that an existing run has the same setup.

    An existing run may have fewer rows: the new rows are added to it.

    Raises:
        ConfigError: If the folder holds another run or other files.
        DataError: If it cannot be read or written.
    """
    setup = {
        "experiment": plan.experiment,
        "variants": [{"name": v.name, **v.describe_setup()} for v in plan.variants],
        "sweeps": {sweep.kind: list(sweep.taus) for sweep in plan.sweeps},
        "series": {each.stressor: [s.level for s in each.stresses] for each in plan.series},
        "seed": seed,
        "data": source.describe(),
        "vpq_windows": list(plan.vpq_windows),
    }
    claim_setup(folder, setup)


def claim_setup(folder: Path, setup: Mapping[str, Any]) -> None:
    """Write down what a run is that takes several plans, or check that the same run is there.

    Args:
        folder: Run folder.
        setup: What must not change when the run is resumed, ready for JSON.

    Raises:
        ConfigError: If the folder holds another run or other things.
        DataError: If it cannot be read or written.
    """
    path = folder / _SETUP
    mine = {"schema": _SETUP_SCHEMA, **setup}
    if path.exists():
        if _check_same(path, mine):
            write_json(path, mine)
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(
            "is a folder with other files and no run; choose another --out", where=folder
        )
    write_json(path, mine)


def _check_same(path: Path, mine: dict[str, Any]) -> bool:
    """Check that a run is the same, and return whether it gets further rows."""
    try:
        found = parse_json(read_text(path))
    except (OSError, ValueError) as problem:
        raise DataError(
            f"cannot be read ({problem}); choose another --out", where=path
        ) from problem
    theirs = {"vpq_windows": list(WINDOWS), **(found if isinstance(found, dict) else {})}
    if theirs.get("schema") != _SETUP_SCHEMA:
        remedy = "choose another --out, or remove this run"
        message = wrong_schema(theirs.get("schema"), _SETUP_SCHEMA, remedy=remedy)
        raise DataError(message, where=path)
    differing = [name for name in mine if theirs.get(name) != mine[name]]
    if differing == ["variants"] and all(
        row in mine["variants"] for row in theirs.get("variants") or []
    ):
        return True  # cells are keyed by their content, so those of the other rows stay valid
    if differing:
        words = ", ".join(_difference(name, theirs.get(name), mine[name]) for name in differing)
        raise ConfigError(
            f"holds a run that differs in {words}; choose another --out, or use the same options "
            "to resume it",
            where=path.parent,
        )
    return False


def _difference(name: str, theirs: Any, mine: Any) -> str:  # noqa: ANN401 - JSON from disk
    if name == "data" and isinstance(theirs, dict):
        parts = list(_leaves(theirs, mine))
        more = f"; and {len(parts) - _MOST} more" if len(parts) > _MOST else ""
        return f"data ({'; '.join(parts[:_MOST])}{more})"
    if name == "variants":
        now = [row["name"] for row in mine]
        missing = [str(row["name"]) for row in theirs or [] if row["name"] not in now]
        if missing:
            repeated = shlex.join(word for row in missing for word in ("--add", row))
            return f"rows (it also has {', '.join(missing)}; to keep them, repeat {repeated})"
        return "rows (memory, weights, or other settings)"
    return f"{name} (there {json.dumps(theirs)}, now {json.dumps(mine)})"


_MOST = 3
_LONGEST = 80


def _leaves(theirs: Any, mine: Any, name: str = "") -> Iterator[str]:  # noqa: ANN401 - the same
    """Yield each value that differs, with its place and both values unless they are long."""
    if isinstance(theirs, dict) and isinstance(mine, dict):
        for key in dict.fromkeys([*theirs, *mine]):
            yield from _leaves(theirs.get(key), mine.get(key), f"{name} {key}".strip())
    elif theirs != mine:
        there, now = (json.dumps(value) for value in (theirs, mine))
        values = f": there {there}, now {now}".replace("null", "none")
        yield name + (values if len(values) <= _LONGEST else "")


def unit_file(folder: Path, unit: Unit) -> Path:
    """Return the path of the result of a unit."""
    return folder / "cells" / unit.file


def objects_file(folder: Path, unit: Unit) -> Path:
    """Return the path of the ground-truth objects of the video of a unit."""
    return folder / "objects" / f"{unit.sequence:04d}.json"


def read_unit(folder: Path, unit: Unit, labels: LabelSpace) -> UnitResult | None:
    """Return the result of a finished unit, ``None`` if it is missing or damaged."""
    path = unit_file(folder, unit)
    try:
        return UnitResult.from_dict(parse_json(read_text(path)), labels, unit.vpq_windows)
    except (OSError, ValueError, DataError):
        return None


_OBJECTS_SCHEMA = "mapt-bench/objects/1"


def keep_objects(folder: Path, unit: Unit, shared: SharedVideo) -> None:
    """Write the ground-truth objects of the video of a unit, if the run folder lacks them.

    The report slices scores by them. Stressed videos are not written.

    Raises:
        DataError: If the file cannot be written.
    """
    path = objects_file(folder, unit)
    if unit.stress is not None or path.exists():
        return
    rows = pack_rows(sighted_rows(shared))
    name = shared.video.info.name
    content = {"schema": _OBJECTS_SCHEMA, "sequence": name, "objects": rows}
    write_text(path, json.dumps(content) + "\n")


def write_unit(folder: Path, unit: Unit, result: UnitResult) -> None:
    """Write the result of a unit."""
    text = json.dumps(result.to_dict(), allow_nan=False)  # one line, because there are many files
    write_text(unit_file(folder, unit), text + "\n")
