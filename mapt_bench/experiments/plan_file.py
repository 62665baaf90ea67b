"""Plans in files: one YAML file describes data, trackers and conditions of one run or of many."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.experiments.experiment_config import ExperimentConfig
from mapt_bench.experiments.plan_checks import CheckedRun, PlannedNode, check_alone, check_report
from mapt_bench.experiments.plan_matrix import Combination, combinations, least_runs, with_lists
from mapt_bench.experiments.plan_settings import (
    PLAN_SCHEMA,
    PlanSettings,
    ReportSettings,
    dumped_plan,
    folder_names,
    plan_text,
)
from mapt_bench.marked_yaml import Mark, Node, Places, overlaid_nodes, read_marked, with_variables
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


Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]


def _no_progress(_total: int) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda _steps: None)


def read_plan(
    path: Path,
    variables: Mapping[str, str] | None = None,
    *,
    most_cells: int | None = MOST_CELLS,
    scores: Sequence[str] | None = None,
    progress: Progress = _no_progress,
) -> PlanFile:
    """Read a plan and check all its names. This reads no weights and no data.

    Args:
        path: The YAML file.
        variables: Values of ``${NAME}``; they override those of the plan.
        most_cells: Largest number of cells. ``None`` for any number.
        scores: Names that ``report.scores`` may have. ``None`` for any names.

        progress: Shows how many runs are checked, of a number that it is called with.

    Raises:
        ConfigError: If the plan is malformed, a name in it is unknown, a folder does not exist, a
            variable has no value, or there are too many cells. The message has line and column.
        TrackerError: If a user's tracker fails while it is examined.
    """
    given = dict(variables or {})
    files: list[Path] = []
    tree = _filled(_with_base(path, files), given)
    settings: PlanSettings = from_mapping(
        PlanSettings, with_lists(tree).plain(), what="the plan", where=Places(with_lists(tree))
    )
    least = least_runs(settings)
    if most_cells is not None and least > most_cells:
        raise _too_many(f"{least:,} runs before any is excluded", most_cells, tree)
    with progress(least) as advance:
        checked = _checked_groups(tree, settings.report, most_cells, advance)
    found: dict[ExperimentConfig, tuple[Combination, CheckedRun]] = {}
    for each in combinations(tree):
        run = _with_seed(each, checked[each.group], settings.report)
        if run.config in found:
            raise ConfigError(
                f"the plan has the same run twice: {_name_of(each.varied, {})}; remove one from "
                "matrix, include, data or seeds",
                where=each.place_beside(found[run.config][0]),
            )
        found[run.config] = each, run
    planned = [run for _, run in found.values()]
    check_alone(tree, planned)
    check_report(tree, planned, scores)
    runs = _named_runs(found)
    return PlanFile(
        name=settings.name or path.stem,
        runs=runs,
        report=settings.report,
        by_data=not (settings.matrix or settings.include) and len(settings.seeds) < 2,
        text=_resolved(tree) if len(runs) > 1 else plan_text([runs[0].config], settings.report),
        files=tuple(files),
    )


def _checked_groups(
    tree: Node,
    report: ReportSettings,
    most_cells: int | None,
    advance: Callable[[int], None],
) -> dict[tuple[int, int], CheckedRun]:
    """Check one of the runs that differ in their seeds only, and count the cells of all.

    Raises:
        ConfigError: If a run is wrong, or there are too many cells.
    """
    found: dict[tuple[int, int], CheckedRun] = {}
    cells = runs = 0
    for each in combinations(tree):
        if each.group not in found:
            found[each.group] = PlannedNode(each.node, report).checked()
        cells += found[each.group].cells
        runs += 1
        advance(1)
    if most_cells is not None and cells > most_cells:
        raise _too_many(f"{cells:,} cells in {runs:,} runs", most_cells, tree)
    return found


def _with_seed(one: Combination, checked: CheckedRun, report: ReportSettings) -> CheckedRun:
    """Return a run that differs from a checked one in its seed only."""
    if one.seed is None or one.seed == checked.config.seed:
        return checked
    if type(one.seed) is int:
        with suppress(ConfigError):
            return replace(checked, config=replace(checked.config, seed=one.seed))
    return PlannedNode(one.node, report).checked()  # reports the seed, and its place


def _too_many(what: str, most: int, tree: Node) -> ConfigError:
    keys = (tree.value.get(name) for name in ("matrix", "seeds", "data", "include"))
    longest = next((node for node in keys if node is not None), tree)
    return ConfigError(
        f"the plan has {what}; expected at most {most:,} cells; shorten the matrix or the seeds, "
        "or give --yes to run them all",
        where=longest.key or longest.mark,
    )


def _with_base(path: Path, files: list[Path], mark: Mark | None = None) -> Node:
    """Return a plan laid over its base, and over the base of that. Add their files to a list."""
    if path.resolve() in files:
        raise ConfigError(f"{path} is its own base; remove base from one of the plans", where=mark)
    files.append(path.resolve())
    tree = read_marked(path)
    base = tree.value.get("base")
    if base is None or base.value is None:
        return tree
    if not isinstance(base.value, str):
        raise ConfigError(f"base is {base.value!r}; expected a path", where=base.mark)
    below = path.parent / base.value
    try:
        below.stat()
    except (OSError, ValueError) as problem:  # also a name that is too long
        message = f"there is no plan {below}; expected a YAML file"
        raise ConfigError(message, where=base.mark) from problem
    if below.is_dir():
        raise ConfigError(f"the base {below} is a folder; expected a YAML file", where=base.mark)
    merged = overlaid_nodes(_with_base(below, files, base.mark), tree)
    return replace(merged, mark=tree.mark)


def _filled(tree: Node, given: Mapping[str, str]) -> Node:
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
            place = tree.mark if declared is None else declared.key or declared.mark
            raise ConfigError(f"the plan has no variable {name!r}; {hint}", where=place)
    return replace(tree, value=parts)


_LONGEST_NAME = 80


def _named_runs(
    found: Mapping[ExperimentConfig, tuple[Combination, CheckedRun]],
) -> tuple[PlannedRun, ...]:
    """Return runs with distinct names. A single run has none."""
    if len(found) == 1:
        return tuple(PlannedRun("", config, run.cells) for config, (_, run) in found.items())
    folders = [config.data for config in found if config.data is not None]
    distinct = list(dict.fromkeys(folders))
    of_folder = dict(zip(map(str, distinct), folder_names(distinct), strict=True))
    runs: dict[str, PlannedRun] = {}
    for config, (each, run) in found.items():
        number, name = 1, _name_of(each.varied, of_folder)
        unique = name
        while unique in runs:
            number += 1
            unique = f"{name}~{number}"
        runs[unique] = PlannedRun(unique, config, run.cells)
    return tuple(runs.values())


def _name_of(varied: Mapping[str, object], of_folder: Mapping[str, str]) -> str:
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
