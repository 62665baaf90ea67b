"""The ledger of costs: rows by network, part, size and mode, with claims and provenance."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mapt_bench.errors import ConfigError
from mapt_bench.profiling.claims import CLAIM_SIZES, cost_claims
from mapt_bench.profiling.counted import WHOLE
from mapt_bench.profiling.measure import Measurement, MeasureSettings, measure
from mapt_bench.profiling.modes import MODES, UNIT, Term, Work, mode_terms
from mapt_bench.profiling.selection import find_targets, without_network
from mapt_bench.profiling.sizes import InputSize
from mapt_bench.profiling.targets import Target
from mapt_bench.profiling.witnesses import (
    TOLERANCE,
    BothCounts,
    Witnesses,
    relative_difference,
)
from mapt_bench.provenance import provenance

__all__ = ["COST_SCHEMA", "LedgerSettings", "keep_ledger", "step_count"]

COST_SCHEMA = "mapt-bench/cost/1"

_DEFAULT_INPUTS = ("384x1280", "1024x1920")
_CURVE = tuple(
    InputSize(height, width)
    for height, width in ((192, 640), (256, 832), (384, 1280), (768, 1280), (1024, 1920))
)


@dataclass(frozen=True, kw_only=True)
class LedgerSettings:
    """What to count, and how.

    Attributes:
        targets: Names, or ``package.module:build``; all networks of the package if empty.
        inputs: Sizes as people write them; the two of the claims if empty.
        modes: Of :data:`~mapt_bench.profiling.modes.MODES`; all if empty.
        instances: Objects that the earlier frame has.
        measured: How to measure time and memory; ``None`` measures nothing.
        has_curves: Whether to count over a range of sizes too, for a plot.

    Raises:
        ConfigError: If an input is no image size, a mode is unknown or ``instances`` negative.
    """

    targets: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    instances: int = 10
    measured: MeasureSettings | None = None
    has_curves: bool = False

    def __post_init__(self) -> None:
        if self.instances < 0:
            raise ConfigError(f"--instances is {self.instances}; expected 0 or more")
        for mode in self.modes:
            mode_terms(mode)
        self.sizes()

    def sizes(self) -> list[InputSize]:
        """Return the input sizes, each once."""
        return [InputSize.parse(text) for text in dict.fromkeys(self.inputs or _DEFAULT_INPUTS)]

    def mode_names(self) -> list[str]:
        """Return the modes, each once."""
        return list(dict.fromkeys(self.modes or MODES))


def step_count(settings: LedgerSettings) -> int:
    """Return how many times :func:`keep_ledger` calls ``advance``.

    Raises:
        ConfigError: If a target is unknown.
    """
    steps = len(settings.sizes()) * (2 if settings.measured else 1)
    return len(find_targets(settings.targets)) * steps


def keep_ledger(
    settings: LedgerSettings, advance: Callable[[int], None] = lambda steps: None
) -> dict[str, Any]:
    """Count, and measure if asked to.

    Args:
        settings: What and how.
        advance: Told of every step done.

    Returns:
        JSON of schema ``mapt-bench/cost/1``. A row whose ``uncounted`` is not empty is incomplete
        and has no ``gmacs``. ``problems`` lists where the two counts disagree without a reason.

    Raises:
        ConfigError: If a target is unknown or fails, or cannot take a size.
    """
    targets, sizes = find_targets(settings.targets), settings.sizes()
    for target in targets:
        for size in sizes:
            target.check_size(size)
    rows: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    totals: dict[tuple[str, InputSize, str], int] = {}
    for target in targets:
        witnesses = Witnesses(target, settings.instances)
        for size in sizes:
            both = witnesses.count(size)
            advance(1)
            measurement = None
            if settings.measured is not None:
                measurement = measure(
                    target.name, size, instances=settings.instances, settings=settings.measured
                )
                advance(1)
            rows += _rows(witnesses, size, both, measurement, settings)
        for size in CLAIM_SIZES if target.name in ("motion-head", "flownet2") else ():
            for mode, terms in MODES.items():
                count = witnesses.count(size).count
                totals[target.name, size, mode] = count.total(WHOLE, terms)
        if settings.has_curves:
            curves.append(_curve(target, witnesses))
    return {
        "schema": COST_SCHEMA,
        "unit": UNIT,
        "modes": {mode: sorted(MODES[mode]) for mode in settings.mode_names()},
        "rows": rows,
        "claims": cost_claims(
            {name for name, _, _ in totals},
            lambda *key: totals[key],
            instances=settings.instances,
        ),
        "curves": curves,
        "notes": [note for target in targets for note in target.notes],
        "without_network": list(without_network()),
        "problems": [row["problem"] for row in rows if row["problem"]],
        "provenance": provenance(
            threads=settings.measured.threads if settings.measured else 1, device="cpu"
        ),
    }


def _rows(
    witnesses: Witnesses,
    size: InputSize,
    both: BothCounts,
    measurement: Measurement | None,
    settings: LedgerSettings,
) -> list[dict[str, Any]]:
    target, rows = witnesses.target, []
    parameters = _parameters(witnesses)
    for mode in settings.mode_names():
        whole = _Entry(target, both, WHOLE, mode)
        for part in both.count.work:
            entry = _Entry(target, both, part, mode)
            measured = measurement if part == WHOLE and settings.measured else None
            details = (
                measured.to_dict(settings.measured) if measured and settings.measured else None
            )
            rows.append(
                {
                    "model": target.name,
                    "part": target.whole if part == WHOLE else part,
                    "input": [size.height, size.width],
                    "shape": list(size.shape) if target.takes_shape else None,
                    "instances": settings.instances,
                    "mode": mode,
                    "is_whole": part == WHOLE,
                    **entry.numbers(),
                    **entry.judgement(whole),
                    "params": parameters[part],
                    "latency_ms": details["median_ms"] if details else None,
                    "peak_mib": details["peak_mib"] if details else None,
                    "measurement": details,
                }
            )
    return rows


class _Entry:
    """One part in one mode, by both counts."""

    def __init__(self, target: Target, both: BothCounts, part: str, mode: str) -> None:
        self.target, self.both, self.part, self.mode = target, both, part, mode
        self.terms = mode_terms(mode)
        self.work: Mapping[str, Work] = both.count.work[part]
        traced = both.traced
        self.unknown = both.count.unknown[part]
        self.unknown_traced = traced.unknown[part] if traced else ()
        self.counted = both.count.total(part, self.terms)
        self.traced = traced.work[part].total(self.terms) if traced else None

    @property
    def difference(self) -> float | None:
        """Relative difference of the two counts, ``None`` where one is incomplete."""
        if self.unknown or self.unknown_traced or self.traced is None:
            return None
        return relative_difference(self.counted, self.traced)

    def numbers(self) -> dict[str, Any]:
        """Return the fields that say what was counted, and what was not."""
        both = self.both
        uncounted = list(self.unknown)
        traced = self.traced if self.difference is not None else None
        return {
            "gmacs": None if uncounted else self.counted / 1e9,
            "gmacs_fvcore": None if traced is None else traced / 1e9,
            "macs": None if uncounted else self.counted,
            "counted_gmacs": self.counted / 1e9,
            "excluded": self._excluded(),
            "uncounted": uncounted,
            "counted_on": both.counted_on,
            "fvcore_at": [list(size) for size in both.traced_at],
        }

    def _excluded(self) -> list[str]:
        """Name the operators that the mode leaves out, or the term it leaves out of one."""
        names = []
        for name, work in self.work.items():
            left_out = [
                term
                for term, amount in work.amounts.items()
                if amount and term not in self.terms and not self._is_priced_otherwise(term)
            ]
            if left_out and set(left_out) == {term for term, own in work.amounts.items() if own}:
                names.append(name)
            else:
                names += [f"{name} ({term})" for term in left_out]
        return sorted(names)

    def _is_priced_otherwise(self, term: Term) -> bool:
        # The arithmetic of upsampling and the numbers that come out are two prices of one thing.
        prices = {Term.INTERPOLATION, Term.UPSAMPLED}
        return term in prices and bool(prices & self.terms)

    def judgement(self, whole: "_Entry") -> dict[str, Any]:
        """Return the difference of the counts, and why it is none of our worries or one."""
        difference, problem, explanation = self.difference, None, None
        if self.both.trace_problem is not None:
            explanation = f"fvcore cannot trace this network: {self.both.trace_problem}"
        elif self.unknown_traced and not self.unknown:
            explanation = f"fvcore cannot see into {', '.join(self.unknown_traced)}"
        elif difference is not None and difference > TOLERANCE:
            agrees = whole.difference is not None and whole.difference <= TOLERANCE
            words = f"{self.target.name}, {self.part}, mode {self.mode}"
            if agrees:
                explanation = "the whole agrees: the trace lays this part's work to another"
            else:
                problem = (
                    f"{words}: the counts differ by {100 * difference:.2f} % "
                    f"({self.counted} and {self.traced} MACs)"
                )
        return {
            "relative_difference": None if difference == float("inf") else difference,
            "explanation": explanation,
            "problem": problem,
        }


def _parameters(witnesses: Witnesses) -> dict[str, int]:
    """Count the parameters of each part; what is left over belongs to the rest."""
    own = {at: values.numel() for at, values in witnesses.module.named_parameters()}
    found = {
        part: sum(
            count for at, count in own.items() if any(at.startswith(f"{path}.") for path in paths)
        )
        for part, paths in witnesses.parts.items()
    }
    whole = sum(own.values())
    return {WHOLE: whole, **found, witnesses.target.rest: whole - sum(found.values())}


def _curve(target: Target, witnesses: Witnesses) -> dict[str, Any]:
    points = []
    for size in _CURVE:
        count = witnesses.count_once(size)
        if not count.unknown[WHOLE]:
            macs = count.total(WHOLE, MODES["conv"])
            points.append({"input": [size.height, size.width], "gmacs": macs / 1e9})
    return {"model": target.name, "mode": "conv", "points": points}
