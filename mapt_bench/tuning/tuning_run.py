"""A tuning run: rounds of trials on segments that are found once, and what comes of them."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mapt_bench.baselines.registry import AssociatorEntry
from mapt_bench.baselines.rows import tracker_entry
from mapt_bench.baselines.thresholds import TrackerSettings, describe_thresholds, settings_of
from mapt_bench.errors import DataError
from mapt_bench.experiments.engine.runner import (
    CellOutcome,
    NamedProgress,
    RunOutcome,
    no_named_progress,
    run_plan,
)
from mapt_bench.experiments.engine.schedule import runnable_sequences
from mapt_bench.experiments.planning import ExperimentInputs, check_inputs
from mapt_bench.experiments.plans.data_source import DataSource
from mapt_bench.experiments.plans.network_weights import BY_NAME, LOADED
from mapt_bench.experiments.plans.plan import Cell, Plan, Skip
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.files import write_json, write_text
from mapt_bench.metrics import pool, recovery_counts
from mapt_bench.provenance import joined_provenance
from mapt_bench.tuning._round_progress import RoundBar
from mapt_bench.tuning._tuned_rows import of_split, search_space, tuned_rows
from mapt_bench.tuning._tuning_result import (
    Trial,
    TunedTracker,
    thresholds_file,
    trial_lines,
    tuning_result,
)
from mapt_bench.tuning.held_out import (
    folds_of,
    held_out_results,
    joined_parts,
    parts_of,
    winner_results,
)
from mapt_bench.tuning.samplers import (
    Settings,
    described_sampler,
    new_sampler,
    resolved_sampler,
    round_sizes,
)
from mapt_bench.tuning.setting_scores import setting_scores
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
    "check_tuning",
    "run_tuning",
    "tune",
]

TUNING_FILE, TRIALS_FILE, THRESHOLDS_NAME = "tuning.json", "trials.jsonl", "thresholds.json"

_Row = dict[str, Any]


def run_tuning(
    config: TuningConfig, *, progress: NamedProgress = no_named_progress
) -> dict[str, Any]:
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
    progress: NamedProgress = no_named_progress,
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
    # All trackers run under one condition, so each can run on the same sequences.
    sequences, _ = runnable_sequences(Cell(rows[0]), source)
    folds = _folds(sequences, config)
    trackers = _searches(rows, sequences, config, kind, folds)
    setup = _setup(trackers, source, config, objective, kind)
    skipped: dict[Skip, None] = {}  # each once, in the order of the schedule
    with ExitStack() as stack:
        workers = stack.enter_context(
            opened_workers(config.jobs, config.cluster, config.scheduler_file)
        )
        is_timed = config.minutes is not None
        rounds = round_sizes(kind, config.trials, is_timed=is_timed)
        bar = RoundBar(stack, progress, config.trials, len(rounds))
        units: list[Mapping[str, Any]] = []
        for count in rounds:
            asked = [[] if t.is_finished else _next_settings(t, count) for t in trackers]
            if not any(asked):
                break
            plan = replace(_plan(trackers, asked, source), vpq_windows=config.vpq_windows)
            outcome = run_plan(
                plan,
                source,
                folder,
                seed=config.seed,
                workers=workers,
                progress=bar.of_round(count, is_alone=is_timed or bool(folds)),
                setup=setup,
            )
            outcome.raise_failure(folder, what="trial ", kept="trials are")
            skipped.update(dict.fromkeys(outcome.skipped))
            units += [u.provenance for cell in outcome.cells for u in cell.units.values()]
            trackers = _told(trackers, asked, outcome, objective, config)
            write_text(folder / TRIALS_FILE, trial_lines(trackers))
    whole = [each for each in trackers if each.fold is None]
    result = tuning_result(
        whole,
        setup,
        objective=dict(objective.weights),
        skipped=_skips(skipped, rows, whole),
        held_out=_held_out(trackers, source, config, objective, folds) if folds else None,
        provenance=joined_provenance(units),
    )
    write_json(folder / TUNING_FILE, result)
    write_json(config.save or folder / THRESHOLDS_NAME, thresholds_file(result))
    return result


def _folds(sequences: Sequence[int], config: TuningConfig) -> tuple[tuple[int, ...], ...]:
    if config.folds is None or not sequences:  # the schedule says why no sequence can run
        return ()
    return folds_of(sequences, config.folds, config.seed)


def _searches(
    rows: Sequence[Variant],
    sequences: Sequence[int],
    config: TuningConfig,
    sampler: str,
    folds: Sequence[Sequence[int]],
) -> list[TunedTracker]:
    """Return one search a tracker on all sequences, then one without the sequences of each fold."""
    found = []
    for row in rows:
        started = replace(row, settings=settings_of(row.associator, (), config.thresholds))
        space = search_space(row.associator)
        for fold, left_out in ((None, ()), *enumerate(folds)):
            own = new_sampler(
                sampler,
                space,
                trials=config.trials,
                seed=config.seed,
                is_timed=config.minutes is not None,
            )
            seen = tuple(at for at in sequences if at not in left_out)
            found.append(
                TunedTracker(
                    started,
                    space,
                    own,
                    fold=fold,
                    sequences=seen,
                    is_timed=config.minutes is not None,
                )
            )
    return found


def _held_out(
    trackers: Sequence[TunedTracker],
    source: DataSource,
    config: TuningConfig,
    objective: Objective,
    folds: Sequence[Sequence[int]],
) -> _Row:
    """Return what each tracker reaches on sequences that its settings were not chosen on."""
    whole = [each for each in trackers if each.fold is None]
    of_folds = {
        each.row.associator: [
            other
            for other in trackers
            if other.fold is not None and other.row.associator == each.row.associator
        ]
        for each in whole
    }
    names = [each.row.associator for each in whole]
    parts = [joined_parts([each.parts["best"] for each in of_folds[name]], folds) for name in names]
    entries = held_out_results(
        [each.parts["start"] for each in whole],
        [each.parts["best"] for each in whole],
        parts,
        source.labels,
        objective,
        names=names,
        windows=config.vpq_windows,
        seed=config.seed,
    )
    for entry in entries:
        entry["settings"] = [dict(each.best.settings) for each in of_folds[entry["tracker"]]]
    sequences = [[source.videos[at].info.name for at in fold] for fold in folds]
    searches = zip(*(of_folds[name] for name in names), strict=True)
    winner = winner_results(
        [
            max(range(len(names)), key=[each.best.value for each in fold].__getitem__)
            for fold in searches
        ],
        parts,
        folds,
        source.labels,
        objective,
        names=names,
        windows=config.vpq_windows,
        seed=config.seed,
    )
    return {"folds": sequences, "trackers": entries, "winner": winner}


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
    search = "" if tracker.fold is None else f"/fold {tracker.fold}"
    return f"{tracker.row.associator}#{len(tracker.trials) + place}{search}"


def _told(
    trackers: Sequence[TunedTracker],
    asked: Sequence[Sequence[Settings]],
    outcome: RunOutcome,
    objective: Objective,
    config: TuningConfig,
) -> list[TunedTracker]:
    """Add the trials of a round; trackers that cannot run on the data are left out."""
    cells: dict[str, list[CellOutcome]] = {}
    for cell in outcome.cells:
        cells.setdefault(cell.cell.variant.name, []).append(cell)
    kept = []
    for tracker, proposals in zip(trackers, asked, strict=True):
        if not proposals:
            kept.append(tracker)
            continue
        found = [cells.get(_trial_name(tracker, at), []) for at in range(len(proposals))]
        if any(len(each) != len(outcome.source.segments) for each in found):
            continue
        first = len(tracker.trials)
        new = [
            _trial(first + at, settings, each, outcome.source, objective, tracker)
            for at, (settings, each) in enumerate(zip(proposals, found, strict=True))
        ]
        values = [trial.value for trial in new]
        if not first:
            tracker.sampler.start(_known_settings(tracker), values.pop(0))
        tracker.sampler.tell(values)
        for trial, own in zip(new, found, strict=True):
            _add_trial(tracker, trial, own, outcome.source, keeps_parts=config.folds is not None)
            if config.minutes is not None and tracker.seconds >= _MINUTE * config.minutes:
                tracker.is_finished = True
                break
        kept.append(tracker)
    if not kept:
        reasons = "; ".join(sorted({skip.reason for skip in outcome.skipped}))
        raise DataError(f"no tracker can be tuned on these videos: {reasons}")
    return kept


_MINUTE = 60


def _add_trial(
    tracker: TunedTracker,
    trial: Trial,
    cells: Sequence[CellOutcome],
    source: DataSource,
    *,
    keeps_parts: bool,
) -> None:
    is_better = not tracker.trials or trial.value > tracker.best.value
    if keeps_parts and is_better:
        tracker.parts["best"] = parts_of(cells, source)
        tracker.parts.setdefault("start", tracker.parts["best"])
    tracker.trials.append(trial)


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
    tracker: TunedTracker,
) -> Trial:
    """Score a trial on the sequences that its search sees: the mean over all segments."""
    sequences = tracker.sequences
    scores = {
        source.segments_named(cell.cell.segments).name: _scores(cell, source, objective, sequences)
        for cell in cells
    }
    values = [objective.value(each) for each in scores.values()]
    seconds = None
    if tracker.is_timed:
        seconds = sum(sum(unit.seconds) for cell in cells for unit in cell.units.values())
    return Trial(number, settings, sum(values) / len(values), scores, seconds)


def _scores(
    cell: CellOutcome, source: DataSource, objective: Objective, sequences: Sequence[int]
) -> dict[str, float | None]:
    """Return the scores of the objective, pooled over sequences."""
    names = [name for name, _ in objective.weights]
    found: dict[str, float | None] = {}
    if set(names) - set(RECOVERY_SCORES):
        of_sequences = cell.sums()
        sums = pool([sums for at in sequences for sums in of_sequences[at]])
        found.update(setting_scores(sums, source.labels))
    if set(names) & set(RECOVERY_SCORES):
        by_sequence = cell.links_by_sequence()
        links = [by_sequence[at] for at in sequences]
        found.update(recovery_scores(*recovery_counts(links)))
    return {name: found.get(name) for name in names}


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
        "folds": config.folds,
        "minutes": config.minutes,
        "trackers": [
            {**each.row.describe_setup(), "space": {k: list(v) for k, v in each.space.items()}}
            for each in trackers
            if each.fold is None
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
    skipped: Collection[Skip], rows: Sequence[Variant], tuned: Sequence[TunedTracker]
) -> list[dict[str, str]]:
    """Return the trackers and the sequences that were left out, and why."""
    known = {each.row.associator for each in tuned}
    reasons = {skip.tracker.partition("#")[0]: skip.reason for skip in skipped}
    trackers = [
        {"tracker": row.associator, "reason": reasons.get(row.associator, "cannot run")}
        for row in rows
        if row.associator not in known
    ]
    return [*trackers, *(skip.to_dict() for skip in skipped if skip.sequence)]
