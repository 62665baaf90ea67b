"""Statistics of labelled video as plain values: distributions, links, tracks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mapt_bench.statistics.frame_objects import LEAST_OVERLAP

__all__ = ["QUANTILES", "DataStatistics", "Distribution", "LinkStatistics", "TrackStatistics"]

QUANTILES = {"minimum": 0.0, "p10": 0.1, "median": 0.5, "p90": 0.9, "p99": 0.99, "maximum": 1.0}
"""Name and share of each quantile. Quantiles between two values are interpolated."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Distribution of a quantity.

    Attributes:
        count: Number of values.
        quantiles: In the order of :data:`QUANTILES`; empty if there is no value.
        undefined: Reason why there is no value; ``None`` if there is one.
    """

    count: int
    quantiles: tuple[float, ...] = ()
    undefined: str | None = None

    @classmethod
    def of(cls, values: NDArray[np.number] | Sequence[float], undefined: str) -> Self:
        """Compute the quantiles of values.

        Args:
            values: One-dimensional.
            undefined: Reason to give if there is no value.

        Example:
            >>> Distribution.of([1, 2, 3], "nothing was measured").quantile("median")
            2.0
        """
        if not len(values):
            return cls(0, undefined=undefined)
        quantiles = np.quantile(np.asarray(values, dtype=np.float64), list(QUANTILES.values()))
        return cls(len(values), tuple(quantiles.tolist()))

    def quantile(self, name: str) -> float | None:
        """Return the quantile of a name of :data:`QUANTILES`; ``None`` if it is undefined."""
        return self.quantiles[list(QUANTILES).index(name)] if self.quantiles else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: ``count``, each quantile, and ``undefined`` where it has a reason."""
        plain: dict[str, Any] = {"count": self.count}
        plain |= {name: self.quantile(name) for name in QUANTILES}
        if self.undefined is not None:
            plain["undefined"] = self.undefined
        return plain


@dataclass(frozen=True, slots=True)
class LinkStatistics:
    """Links: tracks that are visible in two frames, ``tau`` apart.

    Attributes:
        tau: Temporal interval in frames; 1 is the next frame.
        link_count: Links, over all phases of ``tau``.
        right_share: Share of links that copying the last masks gets right, 0..1; ``None`` without
            links.
        wrong_share: Share of links that it gives the identity of another object. The rest get a new
            identity.
        displacement: Displacement of the centre of the mask in pixels.
        over_size: Displacement divided by the square root of the earlier mask's area.
        over_neighbour: Displacement divided by the distance to the nearest other object of the
            class.
        overlap: Intersection over union of the two masks.
        undefined: Reason why there is no link; ``None`` if there is one.
    """

    tau: int
    link_count: int
    right_share: float | None
    wrong_share: float | None
    displacement: Distribution
    over_size: Distribution
    over_neighbour: Distribution
    overlap: Distribution
    undefined: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        copying: dict[str, Any] = {"right": self.right_share, "wrong": self.wrong_share}
        if self.undefined is not None:
            copying["undefined"] = self.undefined
        return {
            "tau": self.tau,
            "links": self.link_count,
            "copying": copying,
            "displacement": self.displacement.to_dict(),
            "displacement_over_size": self.over_size.to_dict(),
            "displacement_over_neighbour": self.over_neighbour.to_dict(),
            "overlap": self.overlap.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class TrackStatistics:
    """The tracks of a class, or of all classes together.

    Attributes:
        class_id: Number; ``None`` for all classes.
        name: For example ``"car"``, or ``"all"``.
        track_count: Number of different pairs of sequence and identity.
        objects: Objects per frame, over all frames, empty ones included.
        area: Pixels of a mask.
        area_share: Area as a share of the frame, 0..1.
        length: Number of frames in which a track is visible.
        gap: Length of each gap of a track in frames.
        intervals: Links for each tau.
    """

    class_id: int | None
    name: str
    track_count: int
    objects: Distribution
    area: Distribution
    area_share: Distribution
    length: Distribution
    gap: Distribution
    intervals: tuple[LinkStatistics, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "id": self.class_id,
            "name": self.name,
            "tracks": self.track_count,
            "objects_a_frame": self.objects.to_dict(),
            "area_px": self.area.to_dict(),
            "area_share": self.area_share.to_dict(),
            "track_length": self.length.to_dict(),
            "gap": self.gap.to_dict(),
            "intervals": [entry.to_dict() for entry in self.intervals],
        }


@dataclass(frozen=True, slots=True)
class DataStatistics:
    """Result of :func:`measure_statistics`, pooled over sequences.

    Attributes:
        sequence_count: Sequences.
        frame_count: Measured frames.
        unread_count: Unreadable frames, which are omitted.
        taus: Temporal intervals in frames, ascending.
        overall: All tracked classes together.
        classes: Those that are present, ascending.
    """

    sequence_count: int
    frame_count: int
    unread_count: int
    taus: tuple[int, ...]
    overall: TrackStatistics
    classes: tuple[TrackStatistics, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as ``mapt-bench check --statistics --json`` writes it."""
        return {
            "sequences": self.sequence_count,
            "frames": self.frame_count,
            "unread_frames": self.unread_count,
            "taus": list(self.taus),
            "copying_least_overlap": LEAST_OVERLAP,
            "all": self.overall.to_dict(),
            "classes": [entry.to_dict() for entry in self.classes],
        }
