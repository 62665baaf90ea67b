"""Link events: the outcome of each ground-truth track from one sighting to the next.

Scores measure how many identities are lost. Link events show where they are lost: after which
occlusion gap, at which visible fraction, and after which displacement. Terms:

* a *sighting* is a frame in which a ground-truth track has at least one pixel;
* a *link* joins two consecutive sightings of a track. Its *gap* is the number of frames between
  them, 0 if they are adjacent;
* a sighting is *found* if it matches a predicted segment of the class, as in PQ: the IoU is above
  0.5, without ground-truth void in the union;
* an identity is a predicted class and id. It *is on* the track whose sighting it matches;
* a *return* is an identity that is predicted again after an absence of one frame or more;
* a *reappearance* is a sighting after a gap of one frame or more. It is correct if the identity of
  the first match after the gap equals that of the last match before it, without a further gap in
  between. A link over the gap is stricter: it needs a match in the very last and first sighting,
  where a detector often misses the small visible part of the object.
"""

import base64
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ProtocolError
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace, PanopticMap
from mapt_bench.metrics.matching import segment_table
from mapt_bench.metrics.overlap import FrameOverlap, join_frames
from mapt_bench.metrics.pq import panoptic_matches

__all__ = [
    "LINK",
    "REAPPEARANCE",
    "RETURN",
    "SIGHTED",
    "LinkEvents",
    "LinkOutcome",
    "LinkRecorder",
    "Sightings",
    "link_outcome",
    "pack_rows",
    "unpack_rows",
]

LINK = np.dtype(
    [
        ("frame", "<i4"),
        ("code", "<u4"),
        ("gap", "<i4"),
        ("outcome", "<u1"),
        ("visible_before", "<f4"),
        ("visible_now", "<f4"),
        ("visible_least", "<f4"),
        ("displacement_px", "<f4"),
        ("size_px", "<f4"),
    ]
)
"""One link: frame of the later sighting; code ``class << 24 | id`` of the ground-truth track; gap
in frames; :class:`LinkOutcome`; visible fraction in [0, 1] at the earlier sighting, at the later
sighting, and the least one between them (NaN if unknown in any frame); distance of the centres of
the two visible masks in pixels; square root of the earlier area in pixels."""

RETURN = np.dtype([("frame", "<i4"), ("absence", "<i4"), ("is_right", "?")])
"""One return of an identity: frame; absence in frames, 1 or more; whether it is on the same track
as before."""

REAPPEARANCE = np.dtype([("frame", "<i4"), ("code", "<u4"), ("gap", "<i4"), ("outcome", "<u1")])
"""One reappearance: frame of the first sighting after the gap; code of the true track as in
:data:`LINK`; gap in frames, 1 or more; :class:`LinkOutcome`, between the last sighting at which the
track is found before the gap and the first after it."""


SIGHTED = np.dtype(
    [
        ("frame", "<i4"),
        ("code", "<u4"),
        ("visible", "<f4"),
        ("speed_px", "<f4"),
        ("nearest_px", "<f4"),
    ]
)
"""One sighting: frame; code of the track as in :data:`LINK`; visible fraction in [0, 1]; speed in
pixels per frame (both NaN if unknown); distance to the centre of the nearest other track of the
class in pixels, infinite if there is none."""

_TABLES = {"links": LINK, "returns": RETURN, "reappearances": REAPPEARANCE}


class LinkOutcome(IntEnum):
    """Outcome of the identity of a track between two sightings.

    ``KEPT``: both sightings are found with the same identity. ``SWITCHED``: the later identity was
    last on another track. ``RESTORED``: it was last on this track, but not at the earlier sighting.
    ``NEW``: it was on no track before. ``MISSED``: one or both sightings are not found.
    """

    KEPT = 0
    SWITCHED = 1
    RESTORED = 2
    NEW = 3
    MISSED = 4


def link_outcome(
    track: int, before: int | None, now: int | None, owners: Mapping[int, int]
) -> LinkOutcome:
    """Return the outcome of the identity of a track between two sightings.

    Args:
        track: The true track.
        before: Identity at the earlier sighting, ``None`` if it was not found.
        now: Identity at the later one.
        owners: Track on which each identity was last, before the later sighting.
    """
    if before is None or now is None:
        return LinkOutcome.MISSED
    if before == now:
        return LinkOutcome.KEPT
    owner = owners.get(now)
    if owner is None:
        return LinkOutcome.NEW
    return LinkOutcome.RESTORED if owner == track else LinkOutcome.SWITCHED


@dataclass(frozen=True, eq=False)
class LinkEvents:
    """The links and returns of one sequence, or of several joined.

    Attributes:
        links: Array of dtype :data:`LINK`, in order of frames.
        returns: Array of dtype :data:`RETURN`, in order of frames. An identity must be on a track
            before and after its absence. Otherwise it is unknown whether the return is correct.
        reappearances: Array of dtype :data:`REAPPEARANCE`, in order of frames.
    """

    links: NDArray[np.void]
    returns: NDArray[np.void]
    reappearances: NDArray[np.void]

    @classmethod
    def joined(cls, parts: Iterable["LinkEvents"]) -> "LinkEvents":
        """Concatenate the events of several sequences, or of several phases of one sequence."""
        events = list(parts)
        return cls(
            **{
                name: np.concatenate([np.zeros(0, rows), *(getattr(each, name) for each in events)])
                for name, rows in _TABLES.items()
            }
        )

    def count(self) -> dict[str, int]:
        """Return the number of links by outcome, and the numbers of correct and of all returns."""
        outcomes = np.bincount(self.links["outcome"], minlength=len(LinkOutcome))
        counts = {each.name.lower(): int(outcomes[each]) for each in LinkOutcome}
        right = int(self.returns["is_right"].sum())
        return {**counts, "returns": len(self.returns), "returns_right": right}

    def to_dict(self) -> dict[str, str]:
        """Return the rows as text: little-endian bytes, deflated, in base 64."""
        return {name: pack_rows(getattr(self, name)) for name in _TABLES}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "LinkEvents":
        """Read :meth:`to_dict`.

        Raises:
            KeyError: If a part is missing.
            ValueError: If a part is damaged.
        """
        return cls(**{name: unpack_rows(data[name], rows) for name, rows in _TABLES.items()})


def pack_rows(rows: NDArray[np.void]) -> str:
    """Return a structured array as text: little-endian columns, deflated, in base 64."""
    # Column by column, since the values of a column are alike.
    columns = b"".join(
        np.ascontiguousarray(rows[name]).tobytes() for name in rows.dtype.names or ()
    )
    return base64.b64encode(zlib.compress(columns, 9)).decode("ascii")


def unpack_rows(text: str, dtype: np.dtype[np.void]) -> NDArray[np.void]:
    """Read :func:`pack_rows`.

    Raises:
        ValueError: If the text is damaged.
    """
    try:
        content = zlib.decompress(base64.b64decode(text, validate=True))
    except zlib.error as problem:
        raise ValueError(f"rows are damaged ({problem})") from problem
    count, rest = divmod(len(content), dtype.itemsize)
    if rest:
        raise ValueError(f"{len(content)} bytes are no rows of {dtype.itemsize}")
    rows = np.zeros(count, dtype)
    start = 0
    for name in dtype.names or ():
        kind = dtype[name]
        rows[name] = np.frombuffer(content, kind, count, start)
        start += count * kind.itemsize
    return rows


@dataclass(frozen=True, slots=True)
class Sightings:
    """The visible ground-truth tracks of a frame. They do not depend on a prediction.

    Attributes:
        codes: ``class << 24 | id`` of each track.
        areas: Areas in pixels.
        centres: Centres ``(x, y)`` in pixels.
        visibility: Visible fraction in [0, 1] by code, also of hidden tracks (0). ``None`` if
            unknown.
    """

    codes: Sequence[int]
    areas: Sequence[int]
    centres: Sequence[tuple[float, float]]
    visibility: Mapping[int, float] | None

    @classmethod
    def of(
        cls,
        gt: PanopticMap,
        labels: LabelSpace,
        visibility: Mapping[int, float] | None = None,
    ) -> "Sightings":
        """Return the visible tracks of a frame's ground truth.

        Args:
            gt: Ground truth.
            labels: Label space.
            visibility: Visible fraction of tracks by code, see above.

        Raises:
            ProtocolError: If a fraction is out of range.
        """
        wrong = [value for value in (visibility or {}).values() if value < 0 or value > 1]
        if wrong:
            raise ProtocolError(f"a visible fraction is {wrong[0]}; expected 0 to 1")
        pixels = gt.codes.ravel()
        is_track = labels.is_thing_table[pixels >> np.uint32(ID_BITS)]
        places = np.flatnonzero(is_track & (pixels & np.uint32(ID_LIMIT - 1) > 0))
        codes, owner, areas = np.unique(pixels[places], return_inverse=True, return_counts=True)
        rows, columns = np.divmod(places, gt.shape[1])
        centres = [np.bincount(owner, axis, codes.size) / areas for axis in (columns, rows)]
        return cls(
            codes.tolist(),
            areas.tolist(),
            list(zip(centres[0].tolist(), centres[1].tolist(), strict=True)),
            None if visibility is None else dict(visibility),
        )

    def visible(self, code: int) -> float:
        """Return the visible fraction of a track, NaN if unknown."""
        return float("nan") if self.visibility is None else self.visibility.get(code, float("nan"))


class LinkRecorder:
    """Records the link events of one sequence, frame by frame.

    Args:
        labels: Label space of both sides.

    Example:
        >>> from mapt_bench.labels import label_space
        >>> from mapt_bench.metrics import count_overlap
        >>> labels = label_space("kitti-step")
        >>> recorder = LinkRecorder(labels)
        >>> truth = PanopticMap(np.array([[13 << 24 | 1, 0]], dtype=np.uint32))
        >>> for identity in (7, 7, 8):
        ...     pred = PanopticMap(np.array([[13 << 24 | identity, 0]], dtype=np.uint32))
        ...     recorder.update(Sightings.of(truth, labels), count_overlap(truth, pred, labels))
        >>> [LinkOutcome(outcome).name for outcome in recorder.result().links["outcome"]]
        ['KEPT', 'NEW']
    """

    def __init__(self, labels: LabelSpace) -> None:
        self.labels = labels
        self._sightings: list[Sightings] = []
        self._overlaps: list[FrameOverlap] = []

    def update(self, sightings: Sightings, overlap: FrameOverlap) -> None:
        """Add the next frame.

        Args:
            sightings: Visible tracks of its ground truth.
            overlap: Overlap table of the same ground truth with the prediction, see
                :func:`~mapt_bench.metrics.overlap.count_overlap`.
        """
        self._sightings.append(sightings)
        self._overlaps.append(overlap)

    def result(self) -> LinkEvents:
        """Return the events of the frames so far. You can add more frames afterwards."""
        table = segment_table(join_frames(self._overlaps, self.labels))
        matches = panoptic_matches(table)
        found: list[dict[int, int]] = [{} for _ in self._overlaps]
        for frame, gt, pred in zip(
            table.gt_unit[matches.gt_segment].tolist(),
            table.overlap.gt.codes[table.gt_of[matches.gt_segment]].tolist(),
            table.overlap.pred.codes[table.pred_of[matches.pred_segment]].tolist(),
            strict=True,
        ):
            found[frame][gt] = pred
        present: list[list[int]] = [[] for _ in self._overlaps]
        is_thing = table.overlap.pred.is_thing[table.pred_of]
        for frame, pred in zip(
            table.pred_unit[is_thing].tolist(),
            table.overlap.pred.codes[table.pred_of[is_thing]].tolist(),
            strict=True,
        ):
            present[frame].append(pred)
        history = _History()
        for index, sightings in enumerate(self._sightings):
            history.add(index, sightings, found[index], present[index])
        return LinkEvents(
            np.array(history.links, LINK),
            np.array(history.returns, RETURN),
            np.array(history.reappearances(), REAPPEARANCE),
        )


@dataclass(slots=True)
class _Seen:
    """A track at its last sighting."""

    frame: int
    area: int
    centre: tuple[float, float]
    identity: int | None
    visible: float
    least: float


@dataclass(slots=True)
class _Stay:
    """Consecutive sightings of a track without a gap, and the outcome of the previous gap.

    Attributes:
        frame: Frame of the first sighting.
        gap: Length of the previous gap in frames, 0 for the first stay.
        before: Identity of the last match in the previous stay, if any.
        last: Identity of the last match in this stay, if any.
        outcome: Outcome of the previous gap. ``MISSED`` until the track is found.
    """

    frame: int
    gap: int = 0
    before: int | None = None
    last: int | None = None
    outcome: LinkOutcome = LinkOutcome.MISSED


@dataclass(slots=True)
class _History:
    """State of the frames so far."""

    links: list[tuple[float, ...]] = field(default_factory=list)
    returns: list[tuple[int, int, bool]] = field(default_factory=list)
    _stays: dict[int, list[_Stay]] = field(default_factory=dict)
    _tracks: dict[int, _Seen] = field(default_factory=dict)
    _owner: dict[int, int] = field(default_factory=dict)
    _predicted: dict[int, int] = field(default_factory=dict)

    def add(
        self, frame: int, sightings: Sightings, found: Mapping[int, int], present: list[int]
    ) -> None:
        """Add a frame: its sightings, the matched identity of each, and all its identities."""
        for code, seen in self._tracks.items():
            # min() would let a NaN be forgotten, and one unknown frame makes all unknown.
            seen.least = float(np.minimum(seen.least, sightings.visible(code)))
        for code, area, centre in zip(
            sightings.codes, sightings.areas, sightings.centres, strict=True
        ):
            identity, visible = found.get(code), sightings.visible(code)
            now = _Seen(frame, area, centre, identity, visible, visible)
            if code in self._tracks:
                self.links.append(self._link(code, self._tracks[code], now))
            self._stay(code, now)
            self._tracks[code] = now
        tracks = {identity: code for code, identity in found.items()}
        for identity in present:
            absence = frame - self._predicted.get(identity, frame) - 1
            if absence > 0 and identity in tracks and identity in self._owner:
                is_right = self._owner[identity] == tracks[identity]
                self.returns.append((frame, absence, is_right))
            self._predicted[identity] = frame
        # Only now, because two tracks may have exchanged their identities in this frame.
        self._owner.update(tracks)

    def reappearances(self) -> list[tuple[int, int, int, int]]:
        """Return the reappearances so far. Tracks that are not found yet count as missed."""
        return sorted(
            (stay.frame, code, stay.gap, int(stay.outcome))
            for code, stays in self._stays.items()
            for stay in stays[1:]
        )

    def _stay(self, code: int, now: _Seen) -> None:
        stays = self._stays.setdefault(code, [])
        if not stays:
            stays.append(_Stay(now.frame))
        elif gap := now.frame - self._tracks[code].frame - 1:
            stays.append(_Stay(now.frame, gap, before=stays[-1].last))
        stay = stays[-1]
        if stay.last is None:
            stay.outcome = link_outcome(code, stay.before, now.identity, self._owner)
        if now.identity is not None:
            stay.last = now.identity

    def _link(self, code: int, before: _Seen, now: _Seen) -> tuple[float, ...]:
        across, down = (b - a for a, b in zip(before.centre, now.centre, strict=True))
        return (
            now.frame,
            code,
            now.frame - before.frame - 1,
            link_outcome(code, before.identity, now.identity, self._owner),
            before.visible,
            now.visible,
            before.least,
            float(np.hypot(across, down)),
            float(np.sqrt(before.area)),
        )
