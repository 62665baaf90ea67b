"""Checks of the runs of a plan: every error names file, line and column, and keys of the plan."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from mapt_bench.errors import ConfigError, MaptBenchError, TrackerError, nearest
from mapt_bench.experiments.experiment_config import ExperimentConfig
from mapt_bench.experiments.matrix_config import IntervalMatrixConfig
from mapt_bench.experiments.plan_rows import memory_of, name_in_run
from mapt_bench.experiments.plan_settings import (
    RUN_KEYS,
    ReportSettings,
    TrackerSettings,
    config_of,
)
from mapt_bench.experiments.planning import check_config
from mapt_bench.marked_yaml import Node, in_yaml
from mapt_bench.strict_config import from_mapping

__all__ = ["CheckedRun", "PlannedNode", "check_alone", "check_report", "in_keys"]


@dataclass(frozen=True)
class CheckedRun:
    """One run of a plan, with all its names checked.

    Attributes:
        config: Its options.
        cells: Number of its cells before anything is skipped.
        rows: Names of its rows.
    """

    config: ExperimentConfig
    cells: int
    rows: tuple[str, ...]


class PlannedNode:
    """The keys of one run."""

    def __init__(self, node: Node, report: ReportSettings) -> None:
        self._node = node
        self._report = report

    def checked(self) -> CheckedRun:
        """Return the run with all its names checked.

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
            raise kind(f"{place}{in_keys(problem.message)}", where=where) from problem

    def _checked(self, node: Node) -> CheckedRun:
        config = config_of(node, replace(self._report, losses=()))
        _check_once(node)
        plan = check_config(config)
        rows = tuple(variant.name for variant in plan.variants)
        losses = (name_in_run(name, memory_of(config)) for name in self._report.losses)
        is_matrix = isinstance(config, IntervalMatrixConfig)  # which refuses them, see check_alone
        known = () if is_matrix else tuple(name for name in losses if name in rows)
        return CheckedRun(replace(config, losses=known), len(plan.cells), rows)


def _check_once(node: Node) -> None:
    """Refuse a list of a run that has a value twice."""
    for name, part in node.value.items():
        if not isinstance(part.value, list):
            continue
        seen = set()
        for each in part.value:
            key = in_yaml(each.plain())
            if name in ("trackers", "add"):
                plain = each.plain()
                is_text = isinstance(plain, str)
                row = plain if is_text else from_mapping(TrackerSettings, plain).row()
                key = in_yaml(row)
            if key in seen:
                raise ConfigError(f"{name} has {key} twice; keep one", where=each.mark)
            seen.add(key)


def check_report(node: Node, runs: Sequence[CheckedRun], scores: Sequence[str] | None) -> None:
    """Check the names in the key ``report`` of a plan.

    Args:
        node: The plan.
        runs: Its runs. A row of the report is a row of one of them.
        scores: Names of all scores. ``None`` for no check.

    Raises:
        ConfigError: If a name is unknown or occurs twice. The message has line and column.
    """
    report = node.value.get("report")
    if report is None or not isinstance(report.value, dict):
        return
    for key in ("scores", "rows", "losses"):
        part = report.value.get(key)
        names = part.value if part is not None and part.value else []
        for at, each in enumerate(names):
            name = str(each.value)
            if any(other.value == each.value for other in names[:at]):
                raise ConfigError(f"report.{key} has {name!r} twice; keep one", where=each.mark)
            if key != "scores":
                _check_row(name, each, key, runs)
            elif scores is not None and name not in scores:
                hint = nearest(name, scores)
                raise ConfigError(
                    f"report.scores names the unknown score {name!r}; {hint}", where=each.mark
                )


def _check_row(name: str, node: Node, key: str, runs: Sequence[CheckedRun]) -> None:
    if not any(name_in_run(name, memory_of(run.config)) in run.rows for run in runs):
        known = dict.fromkeys(row for run in runs for row in run.rows)
        raise ConfigError(
            f"report.{key} names the row {name!r}, which no run has; {nearest(name, known)}",
            where=node.mark,
        )


def check_alone(node: Node, runs: Sequence[CheckedRun]) -> None:
    """Check that an interval matrix is the only run of a plan, and shows all its scores.

    Raises:
        ConfigError: If there is another run, or the report selects scores or rows. The message has
            line and column.
    """
    if not any(isinstance(run.config, IntervalMatrixConfig) for run in runs):
        return
    if len(runs) > 1:
        raise ConfigError(
            f"the plan has {len(runs)} runs, and an interval matrix is one of them; expected a "
            "plan of its own for each interval matrix",
            where=node.mark,
        )
    report = node.value.get("report")
    shown = ReportSettings()
    for name in ("scores", "rows", "losses", "gallery"):
        part = None if report is None or not report.value else report.value.get(name)
        if part is not None and part.value not in (None, [], getattr(shown, name)):
            raise ConfigError(
                f"report.{name} is not for the experiment 'interval-matrix'; remove it",
                where=part.key or part.mark,
            )


_KEYS = {
    "data": "data.folder",
    "map": "data.map",
    "only": "trackers",
    "seed": "seeds",
    "switch": "switches",
    "stressor": "stressors",
    **{each: f"report.{each}" for each in ("scores", "rows", "losses", "gallery")},
    **{each: f"data.{each}" for each in ("suite", "dataset", "encoding")},
}
"""Keys of a plan whose options have other names."""

_AFTER_A_NAME = (
    "is|are|was|names|name|has|have|needs|gives|say|says|excludes?|and|or|too|for|of|to|in|on|with"
)
_OPTION = re.compile(rf"--([a-z][a-z-]*)(?=( (?!(?:{_AFTER_A_NAME})\b)[\w'\"./|]+)?)")


def in_keys(message: str) -> str:
    """Return a message about options of the command line with the keys of a plan.

    Example:
        >>> in_keys("--seed is -1; expected 0 or more; give --weights none, or --cluster too")
        'seeds is -1; expected 0 or more; give weights: none, or --cluster too'
    """

    def key_of(found: re.Match[str]) -> str:
        name = found[1].replace("-", "_")
        key = _KEYS.get(name, name if name in RUN_KEYS else None)
        if key is None:
            return found[0]
        return f"{key}:" if found[2] else key

    return _OPTION.sub(key_of, message)


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
