"""Association accuracy by occlusion gap, displacement and visibility, and the break point.

All rates pool the links of a selection of sequences. Confidence intervals are bootstrapped over
sequences.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mapt_bench.metrics.bootstrap import Interval, bootstrap_interval
from mapt_bench.metrics.link_events import LinkEvents, LinkOutcome
from mapt_bench.metrics.shares import bootstrap_shares

__all__ = [
    "DISPLACEMENT_BINS",
    "FULL_OCCLUSIONS",
    "GAP_BINS",
    "LEAST_BEYOND",
    "VISIBLE_BINS",
    "Bin",
    "BreakPoint",
    "Rate",
    "RecoveryCounts",
    "break_point",
    "is_kept",
    "kept_by_displacement",
    "kept_by_gap",
    "kept_by_visibility",
    "kept_links",
    "recovered_by_gap",
    "recovery_counts",
    "right_returns",
]


@dataclass(frozen=True, slots=True)
class Bin:
    """A range of values: ``low < value <= high``.

    Attributes:
        label: Name in tables.
        low: Lower end, exclusive.
        high: Upper end, inclusive.
    """

    label: str
    low: float
    high: float

    def holds(self, values: NDArray[np.floating | np.integer]) -> NDArray[np.bool_]:
        """Return whether each value is in the range. NaN is in no range."""
        return np.asarray((values > self.low) & (values <= self.high))


VISIBLE_BINS = (
    Bin("hidden", -1.0, 0.0),
    *(
        Bin(f"{100 * low:.0f}-{100 * high:.0f} %", low, high)
        for low, high in ((0.0, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 0.95))
    ),
    Bin("over 95 %", 0.95, 1.0),
)
"""Ranges of visible fractions."""

GAP_BINS = (
    *(Bin(str(gap), gap - 1, gap) for gap in range(4)),
    Bin("4-5", 3, 5),
    Bin("6-10", 5, 10),
    Bin("11-20", 10, 20),
    Bin("over 20", 20, math.inf),
)
"""Ranges of occlusion gaps in frames. 0 is from one frame to the next."""

FULL_OCCLUSIONS = Bin("3-10", 2, 10)
"""Gaps of full occlusions: long enough that no part of the object remains visible, and short enough
for a track memory of 10 frames."""

DISPLACEMENT_BINS = (
    Bin("0-0.05", -1.0, 0.05),
    *(
        Bin(f"{low:g}-{high:g}", low, high)
        for low, high in (
            (0.05, 0.1),
            (0.1, 0.2),
            (0.2, 0.4),
            (0.4, 0.8),
            (0.8, 1.6),
            (1.6, 3.2),
        )
    ),
    Bin("over 3.2", 3.2, math.inf),
)
"""Ranges of displacement over size."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of counted events.

    Attributes:
        label: Name of the range, or of the common property of the events.
        hits: Number of correct events.
        n: Number of all events.
        interval: Confidence interval of the share, over sequences.
    """

    label: str
    hits: int
    n: int
    interval: Interval

    @property
    def share(self) -> float | None:
        """``hits / n`` in [0, 1]; ``None`` without events."""
        return self.hits / self.n if self.n else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "bin": self.label,
            "hits": self.hits,
            "n": self.n,
            "share": self.share,
            "interval": self.interval.to_dict(),
        }


def is_kept(links: NDArray[np.void]) -> NDArray[np.bool_]:
    """Return whether each link or reappearance keeps its identity: ``bool`` of shape ``(n,)``."""
    return np.asarray(links["outcome"] == LinkOutcome.KEPT)


def kept_links(sequences: Sequence[LinkEvents], label: str = "all", *, seed: int = 0) -> Rate:
    """Return the association accuracy over all links. The events have one entry per sequence."""
    everything = (Bin(label, -math.inf, math.inf),)
    return _kept(sequences, everything, lambda links: links["gap"], seed)[0]


def kept_by_visibility(sequences: Sequence[LinkEvents], *, seed: int = 0) -> list[Rate]:
    """Return the association accuracy for each range of :data:`VISIBLE_BINS`.

    The visible fraction of a link is the least one between its two sightings. Links with an
    unknown fraction are in no range.

    Args:
        sequences: Events, one entry per sequence. Sequences are resampled.
        seed: Seed of the resampling.
    """
    return _kept(sequences, VISIBLE_BINS, lambda links: links["visible_least"], seed)


def kept_by_gap(
    sequences: Sequence[LinkEvents], bins: Sequence[Bin] = GAP_BINS, *, seed: int = 0
) -> list[Rate]:
    """Return the association accuracy for each range of occlusion gaps.

    For gaps of 1 or more, this is the recovery rate after an occlusion of that length. A link
    counts as lost if no segment matches the object right before or right after the gap;
    :func:`recovered_by_gap` omits such links.
    """
    return _kept(sequences, bins, lambda links: links["gap"], seed)


def recovered_by_gap(
    sequences: Sequence[LinkEvents], bins: Sequence[Bin] = GAP_BINS, *, seed: int = 0
) -> list[Rate]:
    """Return the share of identities that are recovered after each range of gaps.

    The share is over tracks that are matched in a sighting before the gap and in a sighting after
    it. Other tracks do not count, because no tracker could recover them. If all sightings are
    matched, this equals :func:`kept_by_gap`. A gap of 0 has no events.

    Args:
        sequences: Events, one entry per sequence. Sequences are resampled.
        bins: Ranges of gaps in frames.
        seed: Seed of the resampling.
    """
    found = [
        events.reappearances[events.reappearances["outcome"] != LinkOutcome.MISSED]
        for events in sequences
    ]
    totals = [_counts(rows["gap"], bins) for rows in found]
    hits = [_counts(rows["gap"][is_kept(rows)], bins) for rows in found]
    return _rates(bins, np.array(hits), np.array(totals), seed)


def kept_by_displacement(
    sequences: Sequence[LinkEvents], bins: Sequence[Bin] = DISPLACEMENT_BINS, *, seed: int = 0
) -> list[Rate]:
    """Return the accuracy of gapless links for each range of displacement over size.

    Args:
        sequences: Events, one entry per sequence. Sequences are resampled.
        bins: Ranges of the displacement over the square root of the area.
        seed: Seed of the resampling.
    """
    gapless = [
        replace(events, links=events.links[events.links["gap"] == 0]) for events in sequences
    ]
    return _kept(gapless, bins, lambda links: links["displacement_px"] / links["size_px"], seed)


def right_returns(
    sequences: Sequence[LinkEvents], bins: Sequence[Bin] = GAP_BINS, *, seed: int = 0
) -> list[Rate]:
    """Return the recovery precision: the share of correct returns, by length of the absence.

    An absence of 0 has no events.
    """
    hits, totals = (
        np.array([_counts(_absences(events, right), bins) for events in sequences])
        for right in (True, False)
    )
    return _rates(bins, hits, totals, seed)


class RecoveryCounts(NamedTuple):
    """What :func:`recovered_by_gap` and :func:`right_returns` count, without intervals.

    Attributes:
        recovered: Reappearances found with the identity that they had.
        reappeared: Reappearances of tracks that are found on both sides of the gap.
        right: Identities given again to the right track.
        returned: Identities given again at all.
    """

    recovered: int
    reappeared: int
    right: int
    returned: int


def recovery_counts(sequences: Sequence[LinkEvents], gaps: Bin = FULL_OCCLUSIONS) -> RecoveryCounts:
    """Count recovered identities after a range of gaps, pooled over sequences."""
    totals = np.zeros(4, dtype=np.int64)
    for events in sequences:
        found = events.reappearances[events.reappearances["outcome"] != LinkOutcome.MISSED]
        parts = (found["gap"][is_kept(found)], found["gap"])
        returns = (_absences(events, True), _absences(events, False))
        totals += [_counts(part, [gaps])[0] for part in (*parts, *returns)]
    return RecoveryCounts(*totals.tolist())


def _absences(events: LinkEvents, only_right: bool) -> NDArray[np.int32]:
    returns = events.returns
    chosen = returns[returns["is_right"]] if only_right else returns
    return np.asarray(chosen["absence"])


def _kept(
    sequences: Sequence[LinkEvents],
    bins: Sequence[Bin],
    value: Callable[[NDArray[np.void]], NDArray[np.floating | np.integer]],
    seed: int,
) -> list[Rate]:
    hits = [_counts(value(events.links[is_kept(events.links)]), bins) for events in sequences]
    totals = [_counts(value(events.links), bins) for events in sequences]
    return _rates(bins, np.array(hits), np.array(totals), seed)


def _counts(values: NDArray[np.floating | np.integer], bins: Sequence[Bin]) -> list[int]:
    return [int(each.holds(values).sum()) for each in bins]


def _rates(
    bins: Sequence[Bin], hits: NDArray[np.int64], totals: NDArray[np.int64], seed: int
) -> list[Rate]:
    intervals = bootstrap_shares(totals, hits, seed)
    return [
        Rate(each.label, int(hits[:, at].sum()), int(totals[:, at].sum()), intervals[at])
        for at, each in enumerate(bins)
    ]


LEAST_BEYOND = 20
"""Least number of links beyond a break point. With fewer links, a few lost ones look like a limit.
"""


@dataclass(frozen=True, slots=True)
class BreakPoint:
    """The displacement at which half of the associations are lost, or why it is undefined.

    Attributes:
        value: Displacement in the requested unit. ``None`` if undefined.
        reason: Reason why it is undefined.
        interval: Confidence interval over sequences.
        n: Number of gapless links.
        measured_to: Displacement that :data:`LEAST_BEYOND` links exceed. A larger break point
            cannot be measured. ``None`` with fewer links.
        rises_again: Whether at least half of the links are correct again in some range beyond the
            break point, which a falling fit hides. The range ends at twice its lower end and has
            at least :data:`LEAST_BEYOND` links. False if the break point is undefined.
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
    """Find the displacement beyond which fewer than half of the links are correct.

    A falling function of displacement is fitted to the association accuracy by least squares
    (isotonic regression). The break point is where the fit falls below one half. Only gapless
    links count: from one frame to the next.

    Args:
        sequences: Events, one entry per sequence. Sequences are resampled.
        unit: Displacement over the square root of the area, or in pixels.
        seed: Seed of the resampling.

    Note:
        The fit itself is not computed. It exceeds one half on the range that begins at the
        smallest displacement and has the largest sum of ``kept - 1/2`` (the min-max form of
        isotonic regression: Robertson, Wright and Dykstra 1988, "Order Restricted Statistical
        Inference", chapter 1).

    Example:
        >>> import numpy as np
        >>> from mapt_bench.metrics.link_events import LINK, REAPPEARANCE, RETURN
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
    """Return displacement, correctness and sequence of every gapless link."""
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
    """Return where the falling fit crosses one half, or the reason why it does not.

    Args:
        displacement: Displacement of each link, ascending.
        gain: ``(kept - 1/2) * weight`` of each link.
        weights: Weight of each link.
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
            else f"only {beyond} links exceed the break point; {LEAST_BEYOND} are needed"
        )
        return None, reason
    return float((displacement[inside - 1] + displacement[inside]) / 2), None


def _rises_again(
    displacement: NDArray[np.float64], gain: NDArray[np.float64], value: float
) -> bool:
    """Return whether at least half of the links are correct in a range beyond a break point.

    The first range begins at the break point. Each range ends at twice its lower end.
    """
    beyond = displacement > value
    ranges = np.floor(np.log2(displacement[beyond] / value)).astype(np.int64)
    counts, sums = np.bincount(ranges), np.bincount(ranges, weights=gain[beyond])
    return bool(((counts >= LEAST_BEYOND) & (sums >= 0)).any())
