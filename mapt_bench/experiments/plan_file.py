"""Plans in files: one YAML file describes data, trackers and conditions of one run or of many."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

from mapt_bench.errors import ConfigError, MaptBenchError, TrackerError, nearest
from mapt_bench.experiments.experiment_config import ExperimentConfig
from mapt_bench.experiments.plan_settings import (
    PLAN_SCHEMA,
    RUN_KEYS,
    PlanSettings,
    ReportSettings,
    RunSettings,
    config_of,
    dumped_plan,
    folder_names,
    plan_text,
)
from mapt_bench.experiments.planning import check_config
from mapt_bench.marked_yaml import Node, Places, overlaid_nodes, read_marked, with_variables
from mapt_bench.strict_config import from_mapping

__all__ = ["MOST_CELLS", "PlanFile", "PlannedRun", "read_plan"]

MOST_CELLS = 100_000
"""Largest number of cells of a plan that runs without confirmation."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of a plan.

    Attributes:
        name: Name of its folder. Empty if it is the only run.
        config: Its options, without a folder.
        cells: Number of its cells before anything is skipped.
    """

    name: str
    config: ExperimentConfig
    cells: int


@dataclass(frozen=True)
class PlanFile:
    """A plan with all its runs.

    Attributes:
        name: Name of the plan.
        runs: Runs, at least one, with distinct names.
        report: What is shown of the results.
        by_data: Whether the runs differ in their data only.
        text: The plan as YAML, with its base and its variables filled in.
        files: The plan's file, its base, the base of that, and so on.
    """

    name: str
    runs: tuple[PlannedRun, ...]
    report: ReportSettings
    by_data: bool
    text: str
    files: tuple[Path, ...]


_LISTS = frozenset(
    name
    for name, hint in get_type_hints(RunSettings).items()
    if tuple in (get_origin(hint), *map(get_origin, get_args(hint)))
)
_AXES = ("data", "seeds")
"""Keys whose lists are crossed like those of a matrix."""


def read_plan(
    path: Path, variables: Mapping[str, str] | None = None, *, most_cells: int | None = MOST_CELLS
) -> PlanFile:
    """Read a plan and check all its names. This reads no weights and no data.

    Args:
        path: The YAML file.
        variables: Values of ``${NAME}``; they override those of the plan.
        most_cells: Largest number of cells. ``None`` for any number.

    Raises:
        ConfigError: If the plan is malformed, a name in it is unknown, a folder does not exist, a
            variable has no value, or there are too many cells. The message has line and column.
        TrackerError: If a user's tracker fails while it is examined.
    """
    given = dict(variables or {})
    files: list[Path] = []
    tree = _filled(_with_base(path, files), given, path)
    settings: PlanSettings = from_mapping(
        PlanSettings, _listed(tree).plain(), what="the plan", where=Places(_listed(tree))
    )
    _check_number(_least_runs(settings), "runs", most_cells, path)
    found: dict[ExperimentConfig, tuple[_Varied, int]] = {}
    cells = 0
    for node, varied in _combinations(tree):
        config, count = _PlannedNode(node, settings.report).checked()
        if config in found:
            raise ConfigError(
                f"the plan has the same run twice: {_name_of(varied, {})}; remove one from matrix, "
                "include, data or seeds",
                where=path,
            )
        found[config] = varied, count
        cells += count
        _check_number(cells, "cells", most_cells, path)
    if not found:
        raise ConfigError("exclude removes every run; expected one run or more", where=path)
    runs = _named_runs(found)
    return PlanFile(
        name=settings.name or path.stem,
        runs=runs,
        report=settings.report,
        by_data=not (settings.matrix or settings.include) and len(settings.seeds) < 2,
        text=_resolved(tree) if len(runs) > 1 else plan_text([runs[0].config], settings.report),
        files=tuple(files),
    )


def _check_number(number: int, what: str, most: int | None, path: Path) -> None:
    if most is not None and number > most:
        raise ConfigError(
            f"the plan has more than {most:,} {what}; expected fewer; shorten the matrix, or give "
            "--yes to run them all",
            where=path,
        )


def _least_runs(settings: PlanSettings) -> int:
    """Return the number of runs before anything is excluded. Each has one cell or more."""
    crossed = math.prod(len(values) for values in settings.matrix.values())
    combinations = (crossed if settings.matrix else 0) + len(settings.include)
    return max(1, combinations) * max(1, len(settings.data)) * max(1, len(settings.seeds))


def _with_base(path: Path, files: list[Path]) -> Node:
    """Return a plan laid over its base, and over the base of that. Add their files to a list."""
    if path.resolve() in files:
        raise ConfigError("is its own base; remove base from one of the plans", where=path)
    files.append(path.resolve())
    tree = read_marked(path)
    base = tree.value.get("base")
    if base is None or base.value is None:
        return tree
    if not isinstance(base.value, str):
        raise ConfigError(f"base is {base.value!r}; expected a path", where=base.mark)
    below = path.parent / base.value
    if not below.is_file():
        raise ConfigError(f"there is no plan {below}; expected a YAML file", where=base.mark)
    merged = overlaid_nodes(_with_base(below, files), tree)
    return replace(merged, mark=tree.mark)


def _filled(tree: Node, given: Mapping[str, str], path: Path) -> Node:
    """Fill in the variables of a plan."""
    declared = tree.value.get("variables")
    known = declared.plain() if declared is not None and isinstance(declared.value, dict) else {}
    used: set[str] = set()
    parts = {
        name: node if name == "variables" else with_variables(node, {**known, **given}, used)
        for name, node in tree.value.items()
    }
    for name in given:
        if name not in used and name not in known:
            hint = nearest(name, {*used, *known}) if used or known else "it has none"
            raise ConfigError(f"the plan has no variable {name!r}; {hint}", where=path)
    return replace(tree, value=parts)


def _listed(node: Node) -> Node:
    """Return a plan or a run in which every key that takes a list has one."""
    if not isinstance(node.value, dict):
        return node
    value = {
        name: _as_list(each) if name in _LISTS and each.value is not None else each
        for name, each in node.value.items()
    }
    data = value.get("data")
    if data is not None and isinstance(data.value, list):
        value["data"] = replace(data, value=[_listed_segments(each) for each in data.value])
    return replace(node, value=value)


def _as_list(node: Node) -> Node:
    return node if isinstance(node.value, list) else replace(node, value=[node])


def _listed_segments(node: Node) -> Node:
    if not (isinstance(node.value, dict) and "segments" in node.value):
        return node
    return replace(node, value={**node.value, "segments": _as_list(node.value["segments"])})


_Varied = Mapping[str, object]


def _combinations(tree: Node) -> Iterator[tuple[Node, _Varied]]:
    """Yield the keys of each run, with one data set and one seed, and what the plan varies."""
    common = {name: node for name, node in tree.value.items() if name in RUN_KEYS}
    excluded = _Excluded(tree)
    for changes in (*_crossed(tree), *_included(tree)):
        run = _listed(replace(tree, value={**common, **changes}))
        chosen = {name: node.plain() for name, node in changes.items() if name not in _AXES}
        axes = {name: _axis(run, name) for name in _AXES}
        for picked in product(*axes.values()):
            single = {name: node for name, node in zip(_AXES, picked, strict=True) if node}
            others = {name: node for name, node in run.value.items() if name not in _AXES}
            node = replace(run, value={**others, **single})
            if excluded.has({**chosen, **_place_of(single)}):
                continue
            several = {name: each for name, each in single.items() if len(axes[name]) > 1}
            yield node, {**_place_of(several), **chosen}
    excluded.check_used()


def _place_of(axes: Mapping[str, Node]) -> dict[str, object]:
    """Return the seed and the data of a run, by the names that ``exclude`` has for them."""
    found: dict[str, object] = {}
    for name, node in axes.items():
        (only,) = node.plain()
        if name == "seeds":
            found["seed"] = only
        elif isinstance(only, dict):
            found.update({key: only[key] for key in ("suite", "folder") if key in only})
    return found


def _axis(run: Node, name: str) -> list[Node | None]:
    node = run.value.get(name)
    if node is None or not node.value:
        return [None]
    return [replace(node, value=[each]) for each in node.value]


def _crossed(tree: Node) -> Iterator[dict[str, Node]]:
    """Yield every combination of the values of a matrix."""
    matrix = tree.value.get("matrix")
    if matrix is None or not matrix.value:
        if "include" not in tree.value:
            yield {}
        return
    for name, values in matrix.value.items():
        _check_run_key(name, values, "matrix")
        if not values.value:
            message = f"matrix.{name} is empty; expected a value or more"
            raise ConfigError(message, where=values.mark)
    names = list(matrix.value)
    for picked in product(*(matrix.value[name].value for name in names)):
        yield dict(zip(names, picked, strict=True))


def _included(tree: Node) -> Iterator[dict[str, Node]]:
    include = tree.value.get("include")
    for entry in include.value if include is not None and include.value else ():
        for name, node in entry.value.items():
            _check_run_key(name, node, "an entry of include")
        yield entry.value


def _check_run_key(name: str, node: Node, what: str) -> None:
    where = node.key or node.mark
    if what == "matrix" and name in _AXES:
        raise ConfigError(f"{name} is no key of matrix; list its values at the top", where=where)
    if name not in RUN_KEYS:
        known = [key for key in RUN_KEYS if not (what == "matrix" and key in _AXES)]
        hint = nearest(name, known)
        raise ConfigError(f"{what} has an unknown key {name!r}; {hint}", where=where)


class _Excluded:
    """The entries of ``exclude``, and those that removed a run."""

    def __init__(self, tree: Node) -> None:
        exclude = tree.value.get("exclude")
        self._entries: list[Node] = list(exclude.value or ()) if exclude is not None else []
        self._used = [False] * len(self._entries)

    def has(self, place: Mapping[str, object]) -> bool:
        """Return whether an entry removes the run at this place."""
        found = False
        for at, entry in enumerate(self._entries):
            wanted = entry.plain()
            if all(name in place and place[name] == value for name, value in wanted.items()):
                self._used[at] = found = True
        return found

    def check_used(self) -> None:
        """Refuse an entry that removes nothing, which is a typing error."""
        for entry, is_used in zip(self._entries, self._used, strict=True):
            if not is_used:
                raise ConfigError(
                    f"exclude {entry.plain()} fits no run; expected keys and values of the matrix, "
                    "or seed, suite or folder",
                    where=entry.mark,
                )


class _PlannedNode:
    """The keys of one run."""

    def __init__(self, node: Node, report: ReportSettings) -> None:
        self._node = node
        self._report = report

    def checked(self) -> tuple[ExperimentConfig, int]:
        """Return the options of the run and the number of its cells.

        Raises:
            ConfigError: If a name is unknown or options do not go together, with the position.
            TrackerError: If a user's tracker fails while it is examined.
        """
        try:
            return self._checked(self._node)
        except MaptBenchError as problem:
            if problem.where is not None and ", line " in problem.where:
                raise
            kind = TrackerError if isinstance(problem, TrackerError) else ConfigError
            place = "" if problem.where is None else f"{problem.where}: "
            where = _blamed(self._node, problem, self._checked)
            raise kind(f"{place}{problem.message}", where=where) from problem

    def _checked(self, node: Node) -> tuple[ExperimentConfig, int]:
        config = config_of(node, self._report)
        return config, len(check_config(config).cells)


def _blamed(node: Node, problem: MaptBenchError, check: Callable[[Node], object]) -> str:
    """Return the position of the value that causes an error.

    Without it there is no error. If several are wrong, the error is another one without it.
    """
    parts = sorted(_removals(node), key=lambda part: str(part[0].plain()) not in problem.message)
    causes: list[Node] = []
    for part, without in parts:
        try:
            check(without)
        except MaptBenchError as other:
            causes += [part] if other.message != problem.message else []
        else:
            return str(part.mark)
    return str((causes or [node])[0].mark)


def _removals(node: Node) -> Iterator[tuple[Node, Node]]:
    """Yield each part of a document, and the document without it. Inner parts come first."""
    if isinstance(node.value, dict):
        for name, part in node.value.items():
            if name == "experiment":
                continue
            for inner, changed in _removals(part):
                yield inner, replace(node, value={**node.value, name: changed})
            yield part, replace(node, value={k: v for k, v in node.value.items() if k != name})
    elif isinstance(node.value, list):
        for at, part in enumerate(node.value):
            around = node.value[:at], node.value[at + 1 :]
            for inner, changed in _removals(part):
                yield inner, replace(node, value=[*around[0], changed, *around[1]])
            yield part, replace(node, value=[*around[0], *around[1]])


_LONGEST_NAME = 80


def _named_runs(
    found: Mapping[ExperimentConfig, tuple[_Varied, int]],
) -> tuple[PlannedRun, ...]:
    """Return runs with distinct names. A single run has none."""
    if len(found) == 1:
        return tuple(PlannedRun("", config, cells) for config, (_, cells) in found.items())
    folders = [config.data for config in found if config.data is not None]
    distinct = list(dict.fromkeys(folders))
    of_folder = dict(zip(map(str, distinct), folder_names(distinct), strict=True))
    runs: dict[str, PlannedRun] = {}
    for config, (varied, cells) in found.items():
        number, name = 1, _name_of(varied, of_folder)
        unique = name
        while unique in runs:
            number += 1
            unique = f"{name}~{number}"
        runs[unique] = PlannedRun(unique, config, cells)
    return tuple(runs.values())


def _name_of(varied: _Varied, of_folder: Mapping[str, str]) -> str:
    """Return a name for the folder of a run, from the values that the plan varies."""
    words = []
    for key, value in varied.items():
        text = "+".join(map(_word, value)) if isinstance(value, list) else _word(value)
        if key == "folder":
            text = of_folder.get(str(Path(str(value))), text)
        words.append(text if key in ("suite", "folder") else f"{key}={text}")
    name = re.sub(r"[^\w.=+,@-]", "-", ",".join(words)).strip(".") or "run"
    return name[:_LONGEST_NAME]


def _word(value: object) -> str:
    if isinstance(value, dict):
        return "+".join(map(str, value.values()))
    return str(value).rstrip("/").rpartition("/")[2]


def _resolved(tree: Node) -> str:
    """Return a plan as YAML, without its base and its variables, which are filled in."""
    plain = {k: v for k, v in tree.plain().items() if k not in ("base", "variables", "schema")}
    return dumped_plan({"schema": PLAN_SCHEMA, **plain})
