"""A tuning run: rounds of trials on segments that are found once, and what comes of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mapt_bench.baselines.registry import AssociatorEntry
from mapt_bench.baselines.rows import tracker_entry
from mapt_bench.baselines.thresholds import TrackerSettings, describe_thresholds, settings_of
from mapt_bench.errors import DataError
from mapt_bench.experiments.engine.runner import CellOutcome, RunOutcome, run_plan
from mapt_bench.experiments.engine.schedule import Schedule
from mapt_bench.experiments.planning import ExperimentInputs, check_inputs
from mapt_bench.experiments.plans.data_source import DataSource
from mapt_bench.experiments.plans.network_weights import BY_NAME, LOADED
from mapt_bench.experiments.plans.plan import Cell, Plan
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.files import write_json, write_text
from mapt_bench.metrics import flat_scores, pool, recovery_counts
from mapt_bench.provenance import joined_provenance
from mapt_bench.tuning._tuned_rows import of_split, search_space, tuned_rows
from mapt_bench.tuning._tuning_result import (
    Trial,
    TunedTracker,
    thresholds_file,
    trial_lines,
    tuning_result,
)
from mapt_bench.tuning.samplers import (
    Settings,
    described_sampler,
    new_sampler,
    resolved_sampler,
    round_sizes,
)
from mapt_bench.tuning.tuning_config import (
    RECOVERY_SCORES,
    Objective,
    TuningConfig,
    recovery_scores,
)
from mapt_bench.workers import opened_workers

__all__ = [
    "THRESHOLDS_NAME",
    "TRIALS_FILE",
    "TUNING_FILE",
    "TuningProgress",
    "check_tuning",
    "no_progress",
    "raise_failure",
    "run_tuning",
    "tune",
]

TUNING_FILE, TRIALS_FILE, THRESHOLDS_NAME = "tuning.json", "trials.jsonl", "thresholds.json"

TuningProgress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Shows progress: gets a description and the number of work units, and yields a function that takes
the number of finished units."""

_Row = dict[str, Any]


@contextmanager
def no_progress(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show no progress."""
    yield lambda units: None


def run_tuning(config: TuningConfig, *, progress: TuningProgress = no_progress) -> dict[str, Any]:
    """Tune trackers, or resume the run, and write its thresholds file.

    Args:
        config: All options.
        progress: Shows how far the run is.

    Returns:
        The result, schema ``mapt-bench/tuning/1``.

    Raises:
        ConfigError: If options do not go together, a tracker has nothing to tune, or the folder
            holds another run.
        DataError: If data, weights or the folder are unusable, or the score is undefined.
        TrackerError: If a user's tracker failed.
    """
    check_tuning(config)
    config.check_device()
    inputs = ExperimentInputs(config, LOADED)
    placed = config.with_folder()
    return tune(
        tuned_rows(config, inputs, LOADED),
        of_split(inputs.source(), config),
        placed,
        progress=progress,
    )


def check_tuning(config: TuningConfig) -> None:
    """Check all names of a configuration in less than a second, without reading weights or data.

    Raises:
        ConfigError: If a name is unknown, options do not go together, or Optuna is asked for and
            is not installed.
        DataError: If a file or folder does not exist.
    """
    resolved_sampler(config.sampler)
    check_inputs(config)
    inputs = ExperimentInputs(config, BY_NAME)
    _ = inputs.kinds
    tuned_rows(config, inputs, BY_NAME)


def tune(
    rows: Sequence[Variant],
    source: DataSource,
    config: TuningConfig,
    *,
    progress: TuningProgress = no_progress,
) -> dict[str, Any]:
    """Tune rows on given data; see :func:`run_tuning`.

    Args:
        rows: One row a tracker, each with a search space.
        source: Videos and segments.
        config: All other options; ``out`` is the run folder.
        progress: Shows how far the run is.
    """
    folder, objective = config.out or Path(), Objective.parse(config.score)
    kind = resolved_sampler(config.sampler)
    trackers = [
        TunedTracker(
            replace(row, settings=settings_of(row.associator, (), config.thresholds)),
            space := search_space(row.associator),
            new_sampler(kind, space, trials=config.trials, seed=config.seed),
        )
        for row in rows
    ]
    setup = _setup(trackers, source, config, objective, kind)
    skipped: dict[str, str] = {}
    with ExitStack() as stack:
        workers = stack.enter_context(
            opened_workers(config.jobs, config.cluster, config.scheduler_file)
        )
        rounds = round_sizes(kind, config.trials)
        bar = _Bar(stack, progress, config.trials, len(rounds))
        units: list[Mapping[str, Any]] = []
        for count in rounds:
            asked = [_next_settings(each, count) for each in trackers]
            plan = replace(_plan(trackers, asked, source), vpq_windows=config.vpq_windows)
            outcome = run_plan(
                plan,
                source,
                folder,
                seed=config.seed,
                workers=workers,
                progress=bar.of_round(count),
                setup=setup,
            )
            raise_failure(outcome, folder)
            skipped.update((skip.tracker, skip.reason) for skip in outcome.skipped)
            units += [u.provenance for cell in outcome.cells for u in cell.units.values()]
            trackers = _told(trackers, asked, outcome, objective)
            write_text(folder / TRIALS_FILE, trial_lines(trackers))
    result = tuning_result(
        trackers,
        setup,
        objective=dict(objective.weights),
        skipped=_skips(skipped, rows, trackers),
        provenance=joined_provenance(units),
    )
    write_json(folder / TUNING_FILE, result)
    write_json(config.save or folder / THRESHOLDS_NAME, thresholds_file(result))
    return result


def _next_settings(tracker: TunedTracker, count: int) -> list[Settings]:
    """Return the settings of the next round; the first trial of all runs the start."""
    if tracker.trials:
        return tracker.sampler.ask(count)
    return [tracker.row.settings, *tracker.sampler.ask(count - 1)]


def _plan(
    trackers: Sequence[TunedTracker], asked: Sequence[Sequence[Settings]], source: DataSource
) -> Plan:
    variants = tuple(
        replace(each.row, name=_trial_name(each, place), settings=settings)
        for each, proposals in zip(trackers, asked, strict=True)
        for place, settings in enumerate(proposals)
    )
    names = [each.name for each in source.segments]
    return Plan(
        experiment="tune",
        variants=variants,
        cells=tuple(Cell(variant, segments=name) for variant in variants for name in names),
        reference=None,
    )


def _trial_name(tracker: TunedTracker, place: int) -> str:
    return f"{tracker.row.associator}#{len(tracker.trials) + place}"


def _told(
    trackers: Sequence[TunedTracker],
    asked: Sequence[Sequence[Settings]],
    outcome: RunOutcome,
    objective: Objective,
) -> list[TunedTracker]:
    """Add the trials of a round; trackers that cannot run on the data are left out."""
    cells: dict[str, list[CellOutcome]] = {}
    for cell in outcome.cells:
        cells.setdefault(cell.cell.variant.name, []).append(cell)
    kept = []
    for tracker, proposals in zip(trackers, asked, strict=True):
        found = [cells.get(_trial_name(tracker, at), []) for at in range(len(proposals))]
        if any(len(each) != len(outcome.source.segments) for each in found):
            continue
        first = len(tracker.trials)
        new = [
            _trial(first + at, settings, each, outcome.source, objective)
            for at, (settings, each) in enumerate(zip(proposals, found, strict=True))
        ]
        values = [trial.value for trial in new]
        if not first:
            tracker.sampler.start(_known_settings(tracker), values.pop(0))
        tracker.sampler.tell(values)
        tracker.trials += new
        kept.append(tracker)
    if not kept:
        reasons = "; ".join(sorted({skip.reason for skip in outcome.skipped}))
        raise DataError(f"no tracker can be tuned on these videos: {reasons}")
    return kept


def _known_settings(tracker: TunedTracker) -> dict[str, Any]:
    entry = tracker_entry(tracker.row.associator)
    defaults = asdict(TrackerSettings()) if isinstance(entry, AssociatorEntry) else {}
    return {**defaults, **dict(tracker.row.settings)}


def _trial(
    number: int,
    settings: Settings,
    cells: Sequence[CellOutcome],
    source: DataSource,
    objective: Objective,
) -> Trial:
    """Score a trial: the mean of the objective over all segments."""
    scores = {
        source.segments_named(cell.cell.segments).name: _scores(cell, source, objective)
        for cell in cells
    }
    values = [objective.value(each) for each in scores.values()]
    return Trial(number, settings, sum(values) / len(values), scores)


def _scores(cell: CellOutcome, source: DataSource, objective: Objective) -> dict[str, float | None]:
    """Return the scores of the objective, pooled over sequences."""
    names = [name for name, _ in objective.weights]
    found: dict[str, float | None] = {}
    if set(names) - set(RECOVERY_SCORES):
        sums = pool([sums for phases in cell.sums().values() for sums in phases])
        found.update(flat_scores(sums, source.labels))
    if set(names) & set(RECOVERY_SCORES):
        links = list(cell.links_by_sequence().values())
        found.update(recovery_scores(*recovery_counts(links)))
    return {name: found.get(name) for name in names}


def raise_failure(outcome: RunOutcome, folder: Path) -> None:
    """Raise the gravest failure of a round: a tracker without a trial would have had fewer."""
    if not outcome.exit_code:
        return
    cell = next(cell for cell in outcome.cells if cell.failures)
    (sequence, _), failure = min(cell.failures.items())
    message = (
        f"trial {cell.cell.variant.name} failed on sequence "
        f"{outcome.source.videos[sequence].info.name}: {failure.reason}; finished trials are kept: "
        "fix the cause and run the same command again to resume"
    )
    raise outcome.error(message, folder)


def _setup(
    trackers: Sequence[TunedTracker],
    source: DataSource,
    config: TuningConfig,
    objective: Objective,
    sampler: str,
) -> _Row:
    """Return what must not change when the run is resumed, ready for JSON."""
    return {
        "experiment": "tune",
        "trackers": [
            {**each.row.describe_setup(), "space": {k: list(v) for k, v in each.space.items()}}
            for each in trackers
        ],
        "score": str(objective),
        "trials": config.trials,
        "sampler": described_sampler(sampler),
        "memory": config.memory,
        "thresholds": describe_thresholds(config.thresholds),
        "seed": config.seed,
        "data": {**source.describe(), "split": config.split},
    }


def _skips(
    reasons: Mapping[str, str], rows: Sequence[Variant], tuned: Sequence[TunedTracker]
) -> list[dict[str, str]]:
    """Return the trackers that were left out, and why."""
    known = {each.row.associator for each in tuned}
    found = {name.partition("#")[0]: reason for name, reason in reasons.items()}
    return [
        {"tracker": row.associator, "reason": found.get(row.associator, "cannot run")}
        for row in rows
        if row.associator not in known
    ]


class _Bar:
    """One progress bar over all rounds; it opens when the first schedule is known."""

    def __init__(
        self, stack: ExitStack, progress: TuningProgress, trials: int, rounds: int
    ) -> None:
        self._stack, self._progress = stack, progress
        self._trials, self._rounds = trials, rounds
        self._advance: Callable[[int], None] | None = None

    def of_round(
        self, count: int
    ) -> Callable[[Schedule], AbstractContextManager[Callable[[int], None]]]:
        """Return what shows the progress of one round."""

        @contextmanager
        def show(schedule: Schedule) -> Iterator[Callable[[int], None]]:
            if self._advance is None:
                units = len(schedule.units())
                segments = schedule.step_count - units
                total = units // count * self._trials + segments * self._rounds
                self._advance = self._stack.enter_context(self._progress("tune", total))
            yield self._advance

        return show
