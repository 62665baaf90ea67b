"""A frontier run: the same number of settings for every tracker, and the Pareto set of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mapt_bench.baselines.registry import AssociatorEntry
from mapt_bench.baselines.rows import tracker_entry
from mapt_bench.baselines.search_spaces import SEGMENTS_SPACE, SearchSpace
from mapt_bench.baselines.thresholds import describe_thresholds, settings_of
from mapt_bench.errors import DataError
from mapt_bench.experiments.engine.runner import (
    CellOutcome,
    NamedProgress,
    RunOutcome,
    no_named_progress,
    of_schedule,
    run_plan,
)
from mapt_bench.experiments.planning import ExperimentInputs, check_inputs
from mapt_bench.experiments.plans.data_source import DataSource
from mapt_bench.experiments.plans.network_weights import BY_NAME, LOADED
from mapt_bench.experiments.plans.plan import Cell, Plan
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.files import write_json
from mapt_bench.provenance import joined_provenance
from mapt_bench.tuning._frontier_result import FrontierTracker, frontier_result
from mapt_bench.tuning._tuned_rows import search_space, tuned_rows
from mapt_bench.tuning.frontier_config import FrontierConfig
from mapt_bench.tuning.samplers import Settings, new_sampler
from mapt_bench.tuning.tuning_config import RANDOM
from mapt_bench.workers import opened_workers

__all__ = ["check_frontier", "run_frontier"]

_RESULTS = "results.json"


@dataclass(frozen=True)
class _Sampled:
    """A tracker with the settings that it runs, the start first.

    Attributes:
        name: Name of the tracker, with its network if it has one of its own.
        row: The tracker.
        segments: Name of the segments that it links.
        space: Its search space.
        settings: Settings of each trial.
    """

    name: str
    row: Variant
    segments: str
    space: SearchSpace
    settings: tuple[Settings, ...]

    def trial(self, number: int) -> str:
        """Return the name of a trial."""
        return f"{self.name}#{number}"

    def cells(self) -> list[Cell]:
        """Return the cell of each trial."""
        return [
            Cell(
                replace(self.row, name=self.trial(number), settings=settings),
                segments=self.segments,
            )
            for number, settings in enumerate(self.settings)
        ]


def check_frontier(config: FrontierConfig) -> None:
    """Check all names of a configuration in less than a second, without reading weights or data.

    Raises:
        ConfigError: If a name is unknown, or options do not go together.
        DataError: If a file or folder does not exist.
    """
    check_inputs(config)
    inputs = ExperimentInputs(config, BY_NAME)
    _ = inputs.kinds, inputs.trained
    tuned_rows(config, inputs, BY_NAME)


def run_frontier(
    config: FrontierConfig, *, progress: NamedProgress = no_named_progress
) -> dict[str, Any]:
    """Run a frontier, or resume it, and write its result.

    Args:
        config: All options.
        progress: Shows how far the run is.

    Returns:
        The result, schema ``mapt-bench/frontier/1``.

    Raises:
        ConfigError: If options do not go together, a tracker has no search space, this machine
            lacks the device, or the folder holds another run.
        DataError: If data, weights or the folder are unusable, or a score is undefined.
        TrackerError: If a user's tracker failed.
    """
    check_frontier(config)
    config.check_device()
    inputs = ExperimentInputs(config, LOADED)
    source, folder = inputs.source(), config.with_folder().out or Path()
    sampled = _sampled(config, inputs, source)
    cells = [cell for each in sampled for cell in each.cells()]
    plan = Plan(
        experiment=config.experiment,
        variants=tuple(cell.variant for cell in cells),
        cells=tuple(cells),
        reference=None,
        thresholds=config.thresholds,
    )
    setup = _setup(sampled, source, config)

    with opened_workers(config.jobs, config.cluster, config.scheduler_file) as workers:
        outcome = run_plan(
            plan,
            source,
            folder,
            seed=config.seed,
            workers=workers,
            progress=of_schedule(progress, config.experiment),
            setup=setup,
        )
    outcome.raise_failure(folder, what="trial ", kept="trials are")
    result = frontier_result(
        _finished(sampled, outcome),
        outcome,
        {name: value for name, value in setup.items() if name != "trackers"},
        skipped=_skipped(sampled, outcome),
        provenance={
            **joined_provenance(u.provenance for c in outcome.cells for u in c.units.values()),
            "command": config.command_line(),
        },
    )
    write_json(folder / _RESULTS, result)
    return result


def _sampled(
    config: FrontierConfig, inputs: ExperimentInputs, source: DataSource
) -> list[_Sampled]:
    """Return each tracker, and MAPT's trackers again with each further network."""
    rows = tuned_rows(config, inputs, LOADED)
    first = source.segments[0].name
    found = [_of_row(row.associator, row, first, config) for row in rows]
    for network in inputs.trained[1:]:
        found += [
            _of_row(
                f"{row.associator},weights={network.name}",
                replace(row, mapt=network, label=f"{row.label}, {network.name}"),
                network.name,
                config,
            )
            for row in rows
            if row.mapt is not None and row.associator.startswith("mapt")
        ]
    return found


def _of_row(name: str, row: Variant, segments: str, config: FrontierConfig) -> _Sampled:
    space = dict(search_space(row.associator))
    if isinstance(tracker_entry(row.associator), AssociatorEntry):
        space |= SEGMENTS_SPACE
    sampler = new_sampler(RANDOM, space, trials=config.trials, seed=config.seed)
    start = settings_of(row.associator, (), config.thresholds)
    return _Sampled(name, row, segments, space, (start, *sampler.ask(config.trials - 1)))


def _setup(
    sampled: Sequence[_Sampled], source: DataSource, config: FrontierConfig
) -> dict[str, Any]:
    """Return what must not change when the run is resumed, ready for JSON."""
    return {
        "experiment": config.experiment,
        "trackers": [
            {
                **each.row.describe_setup(),
                "segments": each.segments,
                "space": {name: list(values) for name, values in each.space.items()},
            }
            for each in sampled
        ],
        "trials": config.trials,
        "sampler": RANDOM,
        "memory": config.memory,
        "thresholds": describe_thresholds(config.thresholds),
        "seed": config.seed,
        "data": source.describe(),
    }


def _finished(sampled: Sequence[_Sampled], outcome: RunOutcome) -> list[FrontierTracker]:
    """Return the trackers that ran, with the cells of their settings."""
    cells: dict[str, CellOutcome] = {cell.cell.variant.name: cell for cell in outcome.cells}
    found = [
        FrontierTracker(
            each.name,
            each.row,
            each.segments,
            each.space,
            tuple(cells[each.trial(number)] for number in range(len(each.settings))),
        )
        for each in sampled
        if all(each.trial(number) in cells for number in range(len(each.settings)))
    ]
    if not found:
        reasons = "; ".join(sorted({skip.reason for skip in outcome.skipped}))
        raise DataError(f"no tracker can run on these videos: {reasons}")
    return found


def _skipped(sampled: Sequence[_Sampled], outcome: RunOutcome) -> list[Mapping[str, str]]:
    """Return the trackers and the sequences that were left out, and why."""
    reasons = {skip.tracker.partition("#")[0]: skip.reason for skip in outcome.skipped}
    trackers = [
        {"tracker": each.name, "reason": reasons[each.name]}
        for each in sampled
        if each.name in reasons
    ]
    return [*trackers, *(skip.to_dict() for skip in outcome.skipped if skip.sequence)]
