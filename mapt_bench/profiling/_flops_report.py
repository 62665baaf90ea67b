"""The FLOPs report: rows by network, part, input size and mode, with claims and provenance."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mapt_bench.devices import CPU, FLOAT32, DeviceSettings
from mapt_bench.profiling._cross_check import (
    TOLERANCE,
    BothCounts,
    CrossCheck,
    relative_difference,
)
from mapt_bench.profiling._measurement import Measurement, measure
from mapt_bench.profiling.flops_settings import (
    FlopsSettings,
    InputSize,
    MeasureSettings,
    Target,
    without_network,
)
from mapt_bench.profiling.network_catalog import find_targets
from mapt_bench.profiling.operator_table import MODES, UNIT, WHOLE, Term, Work, mode_terms
from mapt_bench.provenance import provenance

__all__ = [
    "CLAIM_SIZES",
    "COST_SCHEMA",
    "cost_claims",
    "report_of",
]

CLAIM_SIZES = (InputSize(1024, 1920), InputSize(384, 1280))
"""1,966,080 pixels, where FlowNet2 matches the claim, and a KITTI frame padded to 64."""

_HEAD, _FLOW = "motion-head", "flownet2"
_CLAIMED = {_HEAD: 3.50, _FLOW: 993.13}
_RATIO = 284.0
_MODE = {_HEAD: "conv", _FLOW: "ptflops"}
_NOTES = {
    _HEAD: "the widths were chosen to match the claim: fitted, not reproduced",
    _FLOW: "the claim matches this network at 1,966,080 pixels; the paper states no size",
}

Total = Callable[[str, InputSize, str], int]
"""Returns the operations of a whole network, given its name, an input size and a mode."""


def cost_claims(models: set[str], total: Total, *, instances: int) -> list[dict[str, Any]]:
    """Return the claims of the paper about some networks, at both sizes.

    Each has ``name``, ``claimed``, ``measured`` (GMACs, or a ratio), ``fitted``,
    ``relative_difference`` (measured over claimed, minus 1), ``at`` (``[height, width]``),
    ``mode``, ``instances``, ``unit`` and ``note``. The ratio uses both counts in mode ``conv``.

    Args:
        models: Names of the counted networks.
        total: Looks up counts.
        instances: Number of instances for the motion head.

    Note:
        Hurtado, Marvi, Mohan and Valada 2025 (arXiv:2503.09191): 3.50 GFLOPs for the motion head,
        993.13 for FlowNet2, about 284 times as many.
    """
    claims = []
    for size in CLAIM_SIZES:
        for model, claimed in _CLAIMED.items():
            if model in models:
                mode = _MODE[model]
                measured = total(model, size, mode) / 1e9
                claims.append(
                    _claim(
                        f"operations of {_title(model)}",
                        claimed,
                        measured,
                        size,
                        fitted=model == _HEAD,
                        mode=mode,
                        instances=instances,
                        unit="GMACs",
                        note=_NOTES[model],
                    )
                )
        if set(_CLAIMED) <= models:
            ratio = total(_FLOW, size, "conv") / total(_HEAD, size, "conv")
            claims.append(
                _claim(
                    "FlowNet2 over the motion head",
                    _RATIO,
                    ratio,
                    size,
                    fitted=True,
                    mode="conv",
                    instances=instances,
                    unit="times",
                    note="both in mode conv; follows from the fitted widths",
                )
            )
    return claims


def _title(model: str) -> str:
    return {"motion-head": "the motion head", "flownet2": "FlowNet2"}[model]


def _claim(
    name: str, claimed: float, measured: float, size: InputSize, **more: object
) -> dict[str, Any]:
    return {
        "name": name,
        "claimed": claimed,
        "measured": measured,
        "relative_difference": measured / claimed - 1,
        "at": [size.height, size.width],
        **more,
    }


COST_SCHEMA = "mapt-bench/cost/1"

_CURVE = tuple(
    InputSize(height, width)
    for height, width in ((192, 640), (256, 832), (384, 1280), (768, 1280), (1024, 1920))
)


def report_of(settings: FlopsSettings, advance: Callable[[int], None]) -> dict[str, Any]:
    """Return the report, see :func:`mapt_bench.profiling.make_flops_report`."""
    targets, sizes = find_targets(settings.targets), settings.sizes()
    devices = _devices(settings)
    for target in targets:
        for size in sizes:
            target.check_size(size)
    rows: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    totals: dict[tuple[str, InputSize, str], int] = {}
    for target in targets:
        check = CrossCheck(target, settings.instances)
        for size in sizes:
            both = check.count(size)
            advance(1)
            measurements = []
            for device in devices:
                measurements.append(
                    measure(
                        target.name,
                        size,
                        instances=settings.instances,
                        settings=settings.measured or MeasureSettings(),
                        device=device,
                    )
                )
                advance(1)
            rows += _rows(check, size, both, measurements, settings)
        for size in CLAIM_SIZES if target.name in ("motion-head", "flownet2") else ():
            for mode, terms in MODES.items():
                count = check.count(size).count
                totals[target.name, size, mode] = count.total(WHOLE, terms)
        if settings.has_curves:
            curves.append(_curve(target, check))
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
            threads=settings.measured.threads if settings.measured else 1,
            device=", ".join(devices) or CPU,
        ),
    }


def _devices(settings: FlopsSettings) -> list[str]:
    """Return the devices to measure on, after trying each. None measures nothing.

    Raises:
        ConfigError: If one is not there.
    """
    if settings.measured is None:
        return []
    found = [DeviceSettings.of(name, FLOAT32, None) for name in settings.measured.devices]
    for each in found:
        each.check_here()
    return list(dict.fromkeys(each.device for each in found))


def _rows(
    check: CrossCheck,
    size: InputSize,
    both: BothCounts,
    measurements: Sequence[Measurement],
    settings: FlopsSettings,
) -> list[dict[str, Any]]:
    target, rows = check.target, []
    parameters = _parameters(check)
    for mode in settings.mode_names():
        whole = _Entry(target, both, WHOLE, mode)
        for part in both.count.work:
            entry = _Entry(target, both, part, mode)
            all_details = [
                each.to_dict(settings.measured)
                for each in measurements
                if part == WHOLE and settings.measured
            ]
            details = all_details[0] if all_details else None
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
                    "measurements": all_details,
                }
            )
    return rows


class _Entry:
    """One part in one mode, by both counters."""

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
        """Relative difference of the two counts, ``None`` if one is incomplete."""
        if self.unknown or self.unknown_traced or self.traced is None:
            return None
        return relative_difference(self.counted, self.traced)

    def numbers(self) -> dict[str, Any]:
        """Return the fields of counted, excluded and uncounted operations."""
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
        """Name the operators that the mode omits, or the omitted terms of an operator."""
        names = []
        for name, work in self.work.items():
            omitted = [
                term
                for term, amount in work.amounts.items()
                if amount and term not in self.terms and not self._is_priced_otherwise(term)
            ]
            if omitted and set(omitted) == {term for term, own in work.amounts.items() if own}:
                names.append(name)
            else:
                names += [f"{name} ({term})" for term in omitted]
        return sorted(names)

    def _is_priced_otherwise(self, term: Term) -> bool:
        # Arithmetic of upsampling and number of outputs are two measures of the same work.
        prices = {Term.INTERPOLATION, Term.UPSAMPLED}
        return term in prices and bool(prices & self.terms)

    def judgement(self, whole: "_Entry") -> dict[str, Any]:
        """Return the difference of the counts, with an explanation or a problem."""
        difference, problem, explanation = self.difference, None, None
        if self.both.trace_problem is not None:
            explanation = f"fvcore cannot trace this network: {self.both.trace_problem}"
        elif self.unknown_traced and not self.unknown:
            explanation = f"fvcore has no formula for {', '.join(self.unknown_traced)}"
        elif difference is not None and difference > TOLERANCE:
            agrees = whole.difference is not None and whole.difference <= TOLERANCE
            words = f"{self.target.name}, {self.part}, mode {self.mode}"
            if agrees:
                explanation = "the whole agrees: the trace assigns work to another part"
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


def _parameters(check: CrossCheck) -> dict[str, int]:
    """Count the parameters of each part. The remaining ones belong to the rest."""
    own = {at: values.numel() for at, values in check.module.named_parameters()}
    found = {
        part: sum(
            count for at, count in own.items() if any(at.startswith(f"{path}.") for path in paths)
        )
        for part, paths in check.parts.items()
    }
    whole = sum(own.values())
    return {WHOLE: whole, **found, check.target.rest: whole - sum(found.values())}


def _curve(target: Target, check: CrossCheck) -> dict[str, Any]:
    points = []
    for size in _CURVE:
        count = check.count_once(size)
        if not count.unknown[WHOLE]:
            macs = count.total(WHOLE, MODES["conv"])
            points.append({"input": [size.height, size.width], "gmacs": macs / 1e9})
    return {"model": target.name, "mode": "conv", "points": points}
