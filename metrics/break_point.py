"""The break point: the displacement at which a tracker loses half of its associations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mapt_bench.metrics.intervals import Interval, bootstrap_interval
from mapt_bench.metrics.link_rates import is_kept
from mapt_bench.metrics.links import LinkEvents

__all__ = ["LEAST_BEYOND", "BreakPoint", "break_point"]

LEAST_BEYOND = 20
"""Links that must lie beyond a break point: fewer would let a few lost ones pass for a limit."""


@dataclass(frozen=True, slots=True)
class BreakPoint:
    """Where half of the associations are lost, or why there is no such place.

    Attributes:
        value: Displacement, in the unit asked for; ``None`` where it is undefined.
        reason: Why it is undefined.
        interval: Over sequences.
        n: Gapless links.
        measured_to: Displacement that :data:`LEAST_BEYOND` links exceed; a break point beyond it
            could not have been seen. ``None`` with fewer links.
        rises_again: Whether half or more are kept again farther on, which a falling fit hides: in
            some range beyond, up to twice its lower end, of at least :data:`LEAST_BEYOND` links.
            False where the break point is undefined.
    """

    value: float | None
    reason: str | None
    interval: Interval
    n: int
    measured_to: float | None
    rises_again: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "value": self.value,
            "reason": self.reason,
            "interval": self.interval.to_dict(),
            "n": self.n,
            "measured_to": self.measured_to,
            "rises_again": self.rises_again,
        }


def break_point(
    sequences: Sequence[LinkEvents],
    *,
    unit: Literal["size", "pixels"] = "size",
    seed: int = 0,
) -> BreakPoint:
    """Find the displacement beyond which fewer than half of the links are kept.

    The share of links kept is fitted as a falling function of displacement by least squares
    (isotonic regression), and the break point is where the fit falls below one half. Only gapless
    links count: from one frame to the next.

    Args:
        sequences: Events, one entry a sequence, the unit of the interval.
        unit: Displacement over the square root of the area, or in pixels.
        seed: Of the resampling.

    Note:
        The fit itself is not needed. Where it exceeds one half is the stretch from the smallest
        displacement on over which the sum of ``kept - 1/2`` is largest (the min-max form of
        isotonic regression: Robertson, Wright and Dykstra 1988, "Order Restricted Statistical
        Inference", chapter 1).

    Example:
        >>> import numpy as np
        >>> from mapt_bench.metrics.links import LINK, REAPPEARANCE, RETURN
        >>> links = np.zeros(60, LINK)
        >>> links["displacement_px"], links["size_px"] = np.arange(60), 10
        >>> links["outcome"][30:] = 3  # a new identity from 30 pixels on
        >>> events = [LinkEvents(links, np.zeros(0, RETURN), np.zeros(0, REAPPEARANCE))]
        >>> break_point(events).value, break_point(events, unit="pixels").value
        (2.95, 29.5)
    """
    displacement, kept, owner = _gathered(sequences, unit)
    order = np.argsort(displacement, kind="stable")
    displacement, owner = displacement[order], owner[order]
    gain = np.where(kept[order], 0.5, -0.5)

    def value_of(chosen: Sequence[int]) -> float | None:
        weights = np.bincount(np.asarray(chosen), minlength=len(sequences))[owner]
        return _crossing(displacement, gain * weights, weights)[0]

    value, reason = _crossing(displacement, gain, np.ones(len(gain), dtype=np.int64))
    n = len(displacement)
    return BreakPoint(
        value=value,
        reason=reason,
        interval=bootstrap_interval(range(len(sequences)), value_of, seed=seed),
        n=n,
        measured_to=float(displacement[-LEAST_BEYOND - 1]) if n > LEAST_BEYOND else None,
        rises_again=value is not None and _rises_again(displacement, gain, value),
    )


def _gathered(
    sequences: Sequence[LinkEvents], unit: Literal["size", "pixels"]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Return displacement, whether it is kept, and the sequence, of every gapless link."""
    gapless = [events.links[events.links["gap"] == 0] for events in sequences]
    links = np.concatenate(gapless)
    displacement = links["displacement_px"].astype(np.float64)
    if unit == "size":
        # Rounded, so that equal ratios of rounded numbers are equal.
        displacement = np.round(displacement / links["size_px"], 6)
    owner = np.repeat(np.arange(len(gapless)), [len(each) for each in gapless])
    return displacement, is_kept(links), owner


def _crossing(
    displacement: NDArray[np.float64], gain: NDArray[np.float64], weights: NDArray[np.int64]
) -> tuple[float | None, str | None]:
    """Return where the falling fit crosses one half, or why nowhere.

    Args:
        displacement: Ascending.
        gain: ``(kept - 1/2) * weight`` of each link.
        weights: How often each link counts.
    """
    there = weights > 0
    displacement, gain, weights = displacement[there], gain[there], weights[there]
    if not len(displacement):
        return None, "there are no links from one frame to the next"
    # Equal displacements stand on one side of any limit, so only the last of each may be one.
    last = np.append(displacement[1:] > displacement[:-1], True)
    sums = np.append(0.0, np.cumsum(gain)[last])
    ends = np.append(0, np.flatnonzero(last) + 1)
    best = len(sums) - 1 - int(np.argmax(sums[::-1]))  # of equals the farthest
    inside = int(ends[best])
    if inside == 0:
        return None, "fewer than half are kept even at the smallest displacement"
    beyond = int(weights[inside:].sum())
    if beyond < LEAST_BEYOND:
        reason = (
            "half or more are kept at every displacement"
            if beyond == 0
            else f"only {beyond} links lie beyond where half are lost; {LEAST_BEYOND} are needed"
        )
        return None, reason
    return float((displacement[inside - 1] + displacement[inside]) / 2), None


def _rises_again(
    displacement: NDArray[np.float64], gain: NDArray[np.float64], value: float
) -> bool:
    """Tell whether half or more of enough links are kept in a range beyond a break point.

    Ranges double from the break point on.
    """
    beyond = displacement > value
    ranges = np.floor(np.log2(displacement[beyond] / value)).astype(np.int64)
    counts, sums = np.bincount(ranges), np.bincount(ranges, weights=gain[beyond])
    return bool(((counts >= LEAST_BEYOND) & (sums >= 0)).any())
