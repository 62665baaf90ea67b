"""The targets: their conditions, their numbers, and when they are reached."""

from collections.abc import Sequence
from statistics import fmean

from mapt_bench.reports.tables import Cell, Column, Table
from reach_lines.seed_run import Measured, SeedRun
from reach_lines.verdict import (
    Condition,
    Line,
    above,
    at_least,
    at_most,
    average,
    interval_above_zero,
    interval_not_below_zero,
    judge,
)

_BOTH, _ORACLE = "mapt+memory", "oracle"
_MOTION, _APPEARANCE = "mapt:motion+memory", "mapt:appearance+memory"
_ALONE = {_MOTION: "motion alone", _APPEARANCE: "appearance alone"}
_TRACKERS = {
    "sort+memory": "SORT",
    "bytetrack+memory": "ByteTrack",
    "oc-sort+memory": "OC-SORT",
    "deep-oc-sort+memory": "Deep OC-SORT",
    "bot-sort+memory": "BoT-SORT",
}
_COPY, _CARRIED, _EXACT = "copy+memory", "mapt:propagation+memory", "flow:exact+memory"
_RIVALS = {"flow:dis+memory": "DIS", "flow:flownet2-narrow+memory": "narrow FlowNet2"}
_SEGMENTS = {None: "own detections", "groundtruth": "ground truth"}
_HARD, _REALISTIC = ("half", "hard"), ("half", "real-like")

_MEAN = "mean"
_HARD_GAIN = 0.02
_MEMORY_COST = -0.001
_RECOVERED, _PRECISE = 0.5, 0.8
_CAPTURED = 0.5
_EFFICIENT, _COPYING = 0.95, 0.9
_LOWEST = 4


def reach(runs: Sequence[SeedRun]) -> list[Line]:
    """Return every target, measured over runs of one training seed each."""
    makers = (_both_heads, _memory, _published_trackers, _recovery, _propagation, _efficiency)
    return [make(runs) for make in makers]


def _both_heads(runs: Sequence[SeedRun]) -> Line:
    """Both heads against each head alone."""
    conditions = []
    for run in runs:
        for other, words in _ALONE.items():
            for score in ("PAT", "AssA"):
                what = f"{run.name}: {score} over {words}"
                conditions.append(interval_above_zero(what, run.less(_BOTH, other, score)))
            what = f"{run.name}: TQ over {words} on the hard split"
            gain = run.less(_BOTH, other, "TQ", _HARD)
            conditions.append(at_least(what, gain, _HARD_GAIN))
    measures = (("PAT", None), ("AssA", None), ("TQ", _HARD))
    columns = [Column("run"), Column("both heads minus")]
    for score, group in measures:
        name = score if group is None else f"{score}, hard"
        columns += [Column(name, "points"), Column(f"{name} interval", "range")]
    rows: list[tuple[Cell, ...]] = []
    reasons: dict[str, None] = {}
    for other, words in _ALONE.items():
        found = [[run.less(_BOTH, other, *measure) for measure in measures] for run in runs]
        for run, each in zip(runs, found, strict=True):
            rows.append((run.name, words, *_with_intervals(each)))
            reasons |= {one.reason: None for one in each if one.reason}
        if len(runs) > 1:
            means = [average(of_measure).value for of_measure in zip(*found, strict=True)]
            rows.append((_MEAN, words, *(cell for mean in means for cell in (mean, None))))
    notes = [f"No interval: {reason}." for reason in reasons]
    notes.append("Claimed by the paper on KITTI-STEP: 1.04 PAT over motion, 2.81 over appearance.")
    return _line(
        "both heads",
        "both heads minus each head alone, for each seed: the whole paired 95 % confidence "
        "interval of PAT and of AssA above 0, and at least 2 points of TQ on the hard split",
        conditions,
        Table("", tuple(columns), tuple(rows)),
        notes,
    )


def _with_intervals(found: Sequence[Measured]) -> list[Cell]:
    return [cell for each in found for cell in (each.value, each.interval)]


def _memory(runs: Sequence[SeedRun]) -> Line:
    """What memory costs each row of MAPT."""
    conditions: list[Condition] = []
    rows: list[tuple[Cell, ...]] = []
    for segments, words in _SEGMENTS.items():
        for variant in runs[0].rows_with_memory("mapt"):
            found = [run.memory_effect(variant, "PAT", segments) for run in runs]
            what = f"{variant} on {words}: PAT with memory minus without"
            conditions.append(at_least(what, average(found), _MEMORY_COST))
            conditions += [
                interval_not_below_zero(f"{run.name}: {what}", each)
                for run, each in zip(runs, found, strict=True)
            ]
            rows.append((words, variant, *_over_seeds(found)))
    return _line(
        "cost of memory",
        "PAT of each row of MAPT with memory minus the same row without: a mean of at least -0.1 "
        "points, and no paired 95 % confidence interval wholly below 0",
        conditions or [Condition("there is no row of MAPT with memory", None)],
        _differences_table(runs, "row", rows),
        ["Mean over runs. --without-memory runs the rows without memory."],
    )


def _published_trackers(runs: Sequence[SeedRun]) -> Line:
    """Both heads against published trackers."""
    conditions: list[Condition] = []
    rows: list[tuple[Cell, ...]] = []
    for segments, kind in _SEGMENTS.items():
        for other, words in _TRACKERS.items():
            found = [run.less(_BOTH, other, "PAT", segments=segments) for run in runs]
            conditions += [
                above(f"{run.name}: PAT over {words} on {kind}", each, "equal rows", Measured(0.0))
                for run, each in zip(runs, found, strict=True)
            ]
            rows.append((kind, words, *_over_seeds(found)))
    return _line(
        "published trackers",
        "both heads above SORT, ByteTrack, OC-SORT, Deep OC-SORT and BoT-SORT in PAT, for each "
        "seed",
        conditions,
        _differences_table(runs, "both heads minus", rows),
        ["Mean over runs; paired 95 % confidence intervals of each run."],
    )


def _over_seeds(found: Sequence[Measured]) -> list[Cell]:
    """Return the mean of a difference over runs, and the interval of each run."""
    return [average(found).value, *(one.interval for one in found)]


def _differences_table(
    runs: Sequence[SeedRun], compared: str, rows: Sequence[tuple[Cell, ...]]
) -> Table:
    """Return differences in PAT by segments and by what is compared, see :func:`_over_seeds`."""
    columns = (
        *(Column("segments"), Column(compared), Column("PAT", "points")),
        *(Column(f"{run.name} interval", "range") for run in runs),
    )
    return Table("", columns, tuple(rows))


def _recovery(runs: Sequence[SeedRun]) -> Line:
    """Identities that are recovered after full occlusions."""
    labels = {
        _BOTH: "both heads",
        _MOTION: "motion alone",
        _APPEARANCE: "appearance alone",
        "sort+memory": "SORT",
        _ORACLE: "oracle",
    }
    rows: list[tuple[Cell, ...]] = []
    for variant, words in labels.items():
        kept = [run.recovered(variant) for run in runs]
        right = [run.precision(variant) for run in runs]
        for run, share, precise in zip(runs, kept, right, strict=True):
            cells = [(each.value, each.interval, each.n) for each in (share, precise)]
            rows.append((run.name, words, *cells[0], *cells[1]))
        if len(runs) > 1:
            means = [(average(each).value, None, None) for each in (kept, right)]
            rows.append((_MEAN, words, *means[0], *means[1]))
    shares = [run.recovered(_BOTH) for run in runs]
    precisions = [run.precision(_BOTH) for run in runs]
    columns = (
        *(Column("run"), Column("with memory")),
        *(Column("recovered", "percent"), Column("recovered interval", "range")),
        Column("matched", "integer"),
        *(Column("precision", "percent"), Column("precision interval", "range")),
        Column("returns", "integer"),
    )
    return _line(
        "recovery",
        "of the identities that return after 3-10 frames at least 50 % recovered, at a precision "
        "of at least 80 %",
        [
            at_least("the share recovered", average(shares), _RECOVERED),
            at_least("the precision", average(precisions), _PRECISE),
        ],
        Table("", columns, tuple(rows)),
        [
            *_seeds_that_miss("the share recovered", runs, shares, _RECOVERED),
            *_seeds_that_miss("the precision", runs, precisions, _PRECISE),
            "Matched: objects with a matching segment both before and after the gap. The others "
            "cannot be recovered.",
        ],
    )


def _propagation(runs: Sequence[SeedRun]) -> Line:
    """The motion head against other ways to propagate masks, linked in the same way."""
    own = [run.score(_CARRIED, "TQ") for run in runs]
    copied, exact = ([run.score(name, "TQ") for run in runs] for name in (_COPY, _EXACT))
    rivals = {name: [run.score(name, "TQ") for run in runs] for name in _RIVALS}
    shares = [_captured(*each) for each in zip(runs, own, copied, exact, strict=True)]
    measured = (own, copied, *rivals.values(), exact, shares)
    rows: list[tuple[Cell, ...]] = [
        (run.name, *(each[at].value for each in measured)) for at, run in enumerate(runs)
    ]
    if len(runs) > 1:
        rows.append((_MEAN, *(average(each).value for each in measured)))
    columns = (
        *(Column("run"), Column("motion head", "percent"), Column("copying", "percent")),
        *(Column(words, "percent") for words in _RIVALS.values()),
        *(Column("ground-truth flow", "percent"), Column("captured", "percent")),
    )
    conditions = [
        at_least("the share captured", average(shares), _CAPTURED),
        *(
            above("TQ of the motion head", average(own), words, average(rivals[name]))
            for name, words in _RIVALS.items()
        ),
    ]
    notes = _seeds_that_miss("the share captured", runs, shares, _CAPTURED)
    notes.append("TQ over all videos, with memory. " + _times(runs))
    return _line(
        "propagation",
        "the motion head gains at least half of what the ground-truth flow gains over copying in "
        "TQ, and is above DIS and the narrow FlowNet2",
        conditions,
        Table("", columns, tuple(rows)),
        notes,
    )


def _times(runs: Sequence[SeedRun]) -> str:
    """Return the association times as a sentence, without MAPT's backbone pass."""
    named = {_CARRIED: "motion head", _COPY: "copying", **_RIVALS}
    found = {
        words: [time for run in runs if (time := run.milliseconds(name)) is not None]
        for name, words in named.items()
    }
    times = (f"{words} {fmean(each):.1f}" for words, each in found.items() if each)
    return (
        f"Association time in ms per frame: {', '.join(times)}. "
        "For operations see python benchmarks/motion.py."
    )


def _captured(run: SeedRun, mine: Measured, copied: Measured, exact: Measured) -> Measured:
    """Return the motion head's share of the gain from copying to the ground-truth flow."""
    for each in (mine, copied, exact):
        if each.value is None:
            return Measured(None, reason=each.reason)
    own, low, high = (float(each.value or 0) for each in (mine, copied, exact))
    if high <= low:
        return Measured(
            None, reason=f"{run.name}: the ground-truth flow gains nothing over copying"
        )
    return Measured((own - low) / (high - low))


def _efficiency(runs: Sequence[SeedRun]) -> Line:
    """PAT as a share of the oracle's on the same segments, of both heads and of copying."""
    bounds = [run.score(_ORACLE, "PAT", _REALISTIC) for run in runs]
    scores = {name: [run.score(name, "PAT", _REALISTIC) for run in runs] for name in (_BOTH, _COPY)}
    shares = {
        name: [_share(*each) for each in zip(runs, found, bounds, strict=True)]
        for name, found in scores.items()
    }
    measured = (*scores.values(), bounds, *shares.values())
    rows: list[tuple[Cell, ...]] = [
        (run.name, *(found[at].value for found in measured), _lowest(run))
        for at, run in enumerate(runs)
    ]
    if len(runs) > 1:
        rows.append((_MEAN, *(average(found).value for found in measured), ""))
    columns = (
        *(Column("run"), Column("both heads PAT", "percent"), Column("copying PAT", "percent")),
        *(Column("oracle PAT", "percent"), Column("both heads of oracle", "percent")),
        *(Column("copying of oracle", "percent"), Column("street: lowest PQ by class")),
    )
    what = "PAT as a share of the oracle's"
    return _line(
        "association efficiency",
        "realistic split: PAT at least 95 % of the oracle's on the same segments, where copying "
        "has at most 90 %",
        [
            at_least(what, average(shares[_BOTH]), _EFFICIENT),
            at_most(f"copying: {what}", average(shares[_COPY]), _COPYING),
        ],
        Table("", columns, tuple(rows)),
        _seeds_that_miss(what, runs, shares[_BOTH], _EFFICIENT),
    )


def _share(run: SeedRun, mine: Measured, most: Measured) -> Measured:
    for each in (mine, most):
        if each.value is None:
            return Measured(None, reason=each.reason)
    if not most.value:
        return Measured(None, reason=f"{run.name}: the oracle itself has a PAT of 0")
    return Measured(float(mine.value or 0) / most.value)


def _lowest(run: SeedRun) -> str:
    street = ("half and kind", "real-like street")
    lowest = list(run.class_quality(_BOTH, street).items())[:_LOWEST]
    return ", ".join(f"{name} {100 * quality:.1f}" for name, quality in lowest)


def _seeds_that_miss(
    what: str, runs: Sequence[SeedRun], found: Sequence[Measured], bound: float
) -> list[str]:
    """Name the seeds below a bound that the mean over seeds is held against."""
    missing = [
        run.name
        for run, each in zip(runs, found, strict=True)
        if each.value is not None and each.value < bound
    ]
    if len(runs) < 2 or not missing:
        return []
    return [f"The mean decides; {what} is below {100 * bound:g} in {', '.join(missing)}."]


def _line(
    name: str,
    wanted: str,
    conditions: Sequence[Condition],
    table: Table,
    notes: Sequence[str],
) -> Line:
    state, reasons = judge(conditions)
    footnotes = (*table.footnotes, *notes)
    titled = Table(f"{name}: {wanted}", table.columns, table.rows, footnotes)
    return Line(name, wanted, state, reasons, titled)
