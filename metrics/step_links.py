"""Links by the step of a fusion that decided them, and by properties of the object.

A *link* is a ground-truth segment that is matched, as in panoptic quality, and whose track was
matched before. It is right if the predicted identity is that of the last match. The step is the one
that gave the matched segment its identity.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.metrics.link_events import LinkEvents, LinkOutcome, link_outcome
from mapt_bench.metrics.overlap import SequenceOverlap
from mapt_bench.metrics.shares import FourCounts, count_table, share_intervals
from mapt_bench.metrics.slices import SLICE_BINS, in_bins
from mapt_bench.metrics.track_table import TrackTable, track_sizes, tracks_of

__all__ = [
    "ANY_STEP",
    "BY_FACTORS",
    "DECISION",
    "EVERYTHING",
    "STEPS",
    "StepCounts",
    "count_steps",
    "step_rates",
]

STEPS = ("motion", "appearance", "memory", "new", "other")
"""Steps that give an identity: the first and the second step on tracks in view, any step on lost
tracks, no step at all (a new identity), and steps of trackers without these."""

ANY_STEP = "all"
"""All steps together."""

EVERYTHING = ("all", "all")
"""Factor and range of all links."""

BY_FACTORS = {
    "visibility": "visible fraction",
    "size": "object size",
    "density": "crowd density",
    "gap": "gap",
}
"""Factors by their names in ``--by``."""

DECISION = np.dtype([("frame", "<i4"), ("code", "<u4"), ("step", "<u1")])
"""One decision: frame; code ``class << 24 | id`` of the predicted segment; index of
:data:`STEPS`."""

_GAPS = (
    ("0 frames", 0),
    ("1 frame", 1),
    ("2 to 5 frames", 2),
    ("6 to 10 frames", 6),
    ("over 10 frames", 11),
)
"""Ranges of frames without a match before a link: the object was hidden or not found."""

_BINS: Mapping[str, Sequence[tuple[str, float]]] = {**SLICE_BINS, "gap": _GAPS}

_OUTCOMES = (LinkOutcome.KEPT, LinkOutcome.SWITCHED, LinkOutcome.RESTORED, LinkOutcome.NEW)

StepCounts = dict[tuple[str, str, str], FourCounts]
"""Numbers of links of one sequence by factor, range and step: kept, switched, restored, new. See
:class:`~mapt_bench.metrics.link_events.LinkOutcome`."""


@dataclass(frozen=True)
class _Links:
    """Links of one sequence, one entry each: value of each factor, outcome, and step."""

    factors: Mapping[str, NDArray[np.float64]]
    outcome: NDArray[np.int64]
    step: NDArray[np.int64]


def count_steps(
    overlap: SequenceOverlap, events: LinkEvents, decisions: NDArray[np.void]
) -> StepCounts:
    """Count the links of one sequence by step, in each range of each factor.

    Args:
        overlap: Overlap tables of all frames.
        events: Link events of the same prediction, for visible fractions.
        decisions: Rows of dtype :data:`DECISION`. Links of other segments are of the step
            ``"other"``.

    Returns:
        Counts by factor, range and step, with :data:`ANY_STEP` and :data:`EVERYTHING`. Links
        without a known value of a factor are in none of its ranges.
    """
    found = _links(overlap, events, decisions)
    everything = np.ones(found.outcome.shape, dtype=bool)
    chosen = {EVERYTHING: everything}
    for factor, values in found.factors.items():
        chosen.update(((factor, label), inside) for label, inside in in_bins(values, _BINS[factor]))
    by_step = {
        ANY_STEP: everything,
        **{name: found.step == at for at, name in enumerate(STEPS)},
    }
    counts: StepCounts = {}
    for (factor, label), inside in chosen.items():
        for step, of_step in by_step.items():
            both = found.outcome[inside & of_step]
            kept, switched, restored, new = (int((both == each).sum()) for each in _OUTCOMES)
            counts[factor, label, step] = kept, switched, restored, new
    return counts


def _links(overlap: SequenceOverlap, events: LinkEvents, decisions: NDArray[np.void]) -> _Links:
    tracks = tracks_of(overlap)
    is_link = (tracks.partner >= 0) & (tracks.before >= 0)
    rows, frames = np.nonzero(is_link)
    visible = {
        (int(frame), int(code)): float(value)
        for frame, code, value in zip(
            events.links["frame"], events.links["code"], events.links["visible_now"], strict=True
        )
    }
    codes = tracks.codes[rows].tolist()
    step_of = {(int(frame), int(code)): int(step) for frame, code, step in decisions}
    partners = tracks.partner[is_link].tolist()
    other = STEPS.index("other")
    return _Links(
        factors={
            "visible fraction": np.array(
                [visible.get(each, math.nan) for each in zip(frames.tolist(), codes, strict=True)],
                dtype=np.float64,
            ),
            "object size": track_sizes(overlap, tracks)[is_link].astype(np.float64),
            "crowd density": tracks.visible.sum(axis=0)[frames].astype(np.float64),
            "gap": _gaps(tracks)[is_link].astype(np.float64),
        },
        outcome=_outcomes(tracks)[is_link],
        step=np.array(
            [step_of.get(each, other) for each in zip(frames.tolist(), partners, strict=True)],
            dtype=np.int64,
        ),
    )


def _gaps(tracks: TrackTable) -> NDArray[np.int64]:
    """Return the frames since the last match of each track, less one: ``(tracks, frames)``."""
    now = np.arange(tracks.partner.shape[1])[None, :]
    last = np.maximum.accumulate(np.where(tracks.partner >= 0, now, -1), axis=1)
    before = np.concatenate((np.full((len(last), 1), -1), last[:, :-1]), axis=1)
    gaps: NDArray[np.int64] = now - before - 1
    return gaps


def _outcomes(tracks: TrackTable) -> NDArray[np.int64]:
    """Return the outcome of each link: ``(tracks, frames)``, of other places without meaning."""
    outcome = np.full(tracks.partner.shape, int(LinkOutcome.MISSED), dtype=np.int64)
    owner: dict[int, int] = {}
    for frame in range(tracks.partner.shape[1]):
        found = np.flatnonzero(tracks.partner[:, frame] >= 0).tolist()
        for row in found:
            now, before = int(tracks.partner[row, frame]), int(tracks.before[row, frame])
            outcome[row, frame] = link_outcome(row, before, now, owner)
        # Only now, because two tracks may have exchanged their identities in this frame.
        owner.update((int(tracks.partner[row, frame]), row) for row in found)
    return outcome


def step_rates(
    sequences: Sequence[StepCounts], factors: Sequence[str], *, seed: int = 0
) -> list[dict[str, Any]]:
    """Return association accuracy and mistakes by step, in each range of some factors.

    Args:
        sequences: Counts of the sequences, which are the unit of resampling.
        factors: Values of :data:`BY_FACTORS`, in the order of the result.
        seed: Seed of the resampling.

    Returns:
        One entry for each factor, range and step with links: ``slice``, ``range``, ``step``,
        ``links``, ``switched``, ``restored``, ``new``, ``accuracy`` (share of links that keep
        their identity) and ``accuracy_interval`` (a pair, ``None`` for too few sequences).
    """
    ranges = [EVERYTHING, *((name, label) for name in factors for label, _ in _BINS[name])]
    keys = [(*place, step) for place in ranges for step in (ANY_STEP, *STEPS)]
    counts = count_table(sequences, keys)
    rates = share_intervals(counts.sum(axis=2), counts[..., 0], seed)
    totals = counts.sum(axis=0)
    return [
        {
            "slice": factor,
            "range": label,
            "step": step,
            "links": int(totals[at].sum()),
            "switched": int(totals[at, 1]),
            "restored": int(totals[at, 2]),
            "new": int(totals[at, 3]),
            "accuracy": rates[at][0],
            "accuracy_interval": rates[at][1],
        }
        for at, (factor, label, step) in enumerate(keys)
        if totals[at].sum()
    ]
