"""Link events: what becomes of each true track from one sighting to the next.

Scores say how much identity was lost; link events say where: after how long a gap, how well the
object was seen, how far it had moved. Terms:

* a *sighting* is a frame in which a true track has at least one pixel;
* a *link* joins two consecutive sightings of a track; its *gap* is the number of frames between
  them, 0 when they are adjacent;
* a sighting is *found* if a predicted segment of the class overlaps it by an IoU above 0.5, true
  void being taken out of the union (the matches of PQ);
* an identity is a predicted class and id; it *is on* the track whose sighting it is found at;
* a *return* is an identity that is predicted again after an absence of one frame or more;
* a *reappearance* is a sighting after a gap of one frame or more. It asks what a link over that gap
  cannot where segments come from a detector, which misses the slivers that are left of an object
  just before and just after it is hidden: whether the identity with which the track is first found
  after the gap is the one it was last found with before, both without a further gap in between.
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
    "LinkEvents",
    "LinkOutcome",
    "LinkRecorder",
    "Sightings",
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
"""One link: frame of the later sighting; code ``class << 24 | id`` of the true track; gap in
frames; :class:`LinkOutcome`; visible fraction in [0, 1] at the earlier sighting, at the later one,
and the least of all frames from the one to the other (NaN where not known in every one); distance
of the centres of the two visible masks in pixels; square root of the earlier area in pixels."""

RETURN = np.dtype([("frame", "<i4"), ("absence", "<i4"), ("is_right", "?")])
"""One return of an identity: frame; frames it had been absent, 1 or more; whether the track it is
on now is the one it was on last."""

REAPPEARANCE = np.dtype([("frame", "<i4"), ("code", "<u4"), ("gap", "<i4"), ("outcome", "<u1")])
"""One reappearance: frame of the first sighting after the gap; code of the true track as in
:data:`LINK`; gap in frames, 1 or more; :class:`LinkOutcome`, between the last sighting at which the
track is found before the gap and the first after it."""


_TABLES = {"links": LINK, "returns": RETURN, "reappearances": REAPPEARANCE}


class LinkOutcome(IntEnum):
    """What became of the identity of a track between two sightings.

    ``KEPT``: both are found with the same identity. ``SWITCHED``: the later identity was last on
    another track. ``RESTORED``: it was last on this track, but not at the earlier sighting.
    ``NEW``: it was on no track before. ``MISSED``: the track is not found at one of the sightings,
    or at neither.
    """

    KEPT = 0
    SWITCHED = 1
    RESTORED = 2
    NEW = 3
    MISSED = 4


@dataclass(frozen=True, eq=False)
class LinkEvents:
    """The links and returns of one sequence, or of several joined.

    Attributes:
        links: Of dtype :data:`LINK`, in order of frames.
        returns: Of dtype :data:`RETURN`, in order of frames. Only those that end on a track count,
            of identities that had been on one: of the others nobody can say whether they are right.
        reappearances: Of dtype :data:`REAPPEARANCE`, in order of frames.
    """

    links: NDArray[np.void]
    returns: NDArray[np.void]
    reappearances: NDArray[np.void]

    @classmethod
    def joined(cls, parts: Iterable["LinkEvents"]) -> "LinkEvents":
        """Put the events of several sequences, or of several phases of one, behind each other."""
        events = list(parts)
        return cls(
            **{
                name: np.concatenate([np.zeros(0, rows), *(getattr(each, name) for each in events)])
                for name, rows in _TABLES.items()
            }
        )

    def count(self) -> dict[str, int]:
        """Return the number of links by outcome, and of returns, right and in all."""
        outcomes = np.bincount(self.links["outcome"], minlength=len(LinkOutcome))
        counts = {each.name.lower(): int(outcomes[each]) for each in LinkOutcome}
        right = int(self.returns["is_right"].sum())
        return {**counts, "returns": len(self.returns), "returns_right": right}

    def to_dict(self) -> dict[str, str]:
        """Return the rows as text: little-endian bytes, deflated, in base 64."""
        return {name: _packed(getattr(self, name)) for name in _TABLES}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "LinkEvents":
        """Read :meth:`to_dict`.

        Raises:
            KeyError: If a part is missing.
            ValueError: If a part is damaged.
        """
        return cls(**{name: _unpacked(data[name], rows) for name, rows in _TABLES.items()})


def _packed(rows: NDArray[np.void]) -> str:
    # Column by column, since the values of a column are alike.
    columns = b"".join(
        np.ascontiguousarray(rows[name]).tobytes() for name in rows.dtype.names or ()
    )
    return base64.b64encode(zlib.compress(columns, 9)).decode("ascii")


def _unpacked(text: str, dtype: np.dtype[np.void]) -> NDArray[np.void]:
    try:
        content = zlib.decompress(base64.b64decode(text, validate=True))
    except zlib.error as problem:
        raise ValueError(f"link events are damaged ({problem})") from problem
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
    """The true tracks that are seen in a frame: the same for whatever is predicted there.

    Attributes:
        codes: ``class << 24 | id`` of each.
        areas: In pixels.
        centres: ``(x, y)`` in pixels.
        visibility: Visible fraction in [0, 1] of tracks by code, hidden ones (0) too; ``None``
            where it is not known.
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
        """Find them in the ground truth of a frame.

        Args:
            gt: Ground truth.
            labels: Its label space.
            visibility: See above.

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
        """Return the visible fraction of a track, NaN where it is not known."""
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
            sightings: Of its ground truth.
            overlap: The table of the same ground truth with the prediction, see
                :func:`~mapt_bench.metrics.overlap.count_overlap`.
        """
        self._sightings.append(sightings)
        self._overlaps.append(overlap)

    def result(self) -> LinkEvents:
        """Return the events of the frames so far; may be called again after more frames."""
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
    """Sightings of a track without a gap between them, and what they say of the gap before.

    Attributes:
        frame: Of the first.
        gap: Frames before it in which the track was not seen; 0 of the first stay.
        before: Identity the track was last found with in the stay before, if any.
        last: Identity it was last found with in this one, if any.
        outcome: Of the gap before; ``MISSED`` as long as the track is not found.
    """

    frame: int
    gap: int = 0
    before: int | None = None
    last: int | None = None
    outcome: LinkOutcome = LinkOutcome.MISSED


@dataclass(slots=True)
class _History:
    """What the frames so far have brought."""

    links: list[tuple[float, ...]] = field(default_factory=list)
    returns: list[tuple[int, int, bool]] = field(default_factory=list)
    _stays: dict[int, list[_Stay]] = field(default_factory=dict)
    _tracks: dict[int, _Seen] = field(default_factory=dict)
    _owner: dict[int, int] = field(default_factory=dict)
    _predicted: dict[int, int] = field(default_factory=dict)

    def add(
        self, frame: int, sightings: Sightings, found: Mapping[int, int], present: list[int]
    ) -> None:
        """Add a frame: its sightings, the identity each is found with, all identities in it."""
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
        """Return the gaps so far, those of which the track is not found yet as missed."""
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
            stay.outcome = self._outcome(code, stay.before, now.identity)
        if now.identity is not None:
            stay.last = now.identity

    def _link(self, code: int, before: _Seen, now: _Seen) -> tuple[float, ...]:
        across, down = (b - a for a, b in zip(before.centre, now.centre, strict=True))
        return (
            now.frame,
            code,
            now.frame - before.frame - 1,
            self._outcome(code, before.identity, now.identity),
            before.visible,
            now.visible,
            before.least,
            float(np.hypot(across, down)),
            float(np.sqrt(before.area)),
        )

    def _outcome(self, code: int, before: int | None, now: int | None) -> LinkOutcome:
        if before is None or now is None:
            return LinkOutcome.MISSED
        if before == now:
            return LinkOutcome.KEPT
        owner = self._owner.get(now)
        if owner is None:
            return LinkOutcome.NEW
        return LinkOutcome.RESTORED if owner == code else LinkOutcome.SWITCHED
