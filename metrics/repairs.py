"""Repaired predictions: overlap tables as if some kinds of mistake had not been made.

A repair gives the pixels of an entry another predicted code. Ground truth and pixels stay. So the
published formulas score a repaired table like any other. ``docs/losses.md`` has the definitions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import ID_BITS, ID_LIMIT
from mapt_bench.metrics.arithmetic import number_keys
from mapt_bench.metrics.mistakes import KINDS, NO_MISTAKE, Mistake, Mistakes
from mapt_bench.metrics.overlap import SequenceOverlap, relabelled

__all__ = ["Repairs", "bit"]


def bit(mistake: Mistake) -> int:
    """Return the bit of a mistake in a set of mistakes."""
    return 1 << mistake


_IDENTITY = sum(bit(cause) for cause in KINDS["identity"])


class Repairs:
    """All repairs of one sequence.

    A set of mistakes is an integer with one :func:`bit` for each.

    Args:
        overlap: Joined tables of the sequence.

    Attributes:
        active: Set of the mistakes that occur. Other repairs change nothing.
        entries: ``int64`` of shape ``(mistakes,)``: wrong entries by mistake.
        pixels: ``int64`` of shape ``(mistakes,)``: pixels of these entries.
    """

    def __init__(self, overlap: SequenceOverlap) -> None:
        self._overlap = overlap
        self._mistakes = Mistakes.of(overlap)
        self._fresh = _FreshCodes.of(overlap)
        self._tracks = _Tracks.of(self._mistakes, self._fresh)
        self._named: dict[int, NDArray[np.int64]] = {}
        table, entry = self._mistakes.table, self._mistakes.entry.copy()
        cause = self._tracks.cause[table.gt_segment]
        core = self._mistakes.partner[table.gt_segment] == table.pred_segment
        entry = np.where(core & (entry == NO_MISTAKE), cause, entry)
        is_wrong = entry != NO_MISTAKE
        self.entries = np.bincount(entry[is_wrong], minlength=len(Mistake)).astype(np.int64)
        self.pixels = np.bincount(
            entry[is_wrong], weights=overlap.pixels[is_wrong], minlength=len(Mistake)
        ).astype(np.int64)
        present = {*entry[is_wrong].tolist(), *self._mistakes.surplus.tolist()} - {NO_MISTAKE}
        self.active = sum(1 << mistake for mistake in present)
        self._entry = entry

    def table(self, repaired: int) -> SequenceOverlap:
        """Return the tables of the prediction without a set of mistakes.

        Args:
            repaired: Set of mistakes. The empty set 0 returns the tables unchanged.
        """
        table, mistakes = self._mistakes.table, self._mistakes
        segments = len(table.pred_of)
        codes = self._codes(repaired)
        now = codes[table.pred_segment]
        removed = _is_in(mistakes.surplus[table.pred_segment], repaired)
        removed &= self._entry != NO_MISTAKE
        now = np.where(removed, self._background[table.unit], now)
        partner = mistakes.partner[table.gt_segment]
        shape = np.where(partner >= 0, partner, segments + table.gt_segment)
        is_object = mistakes.is_object[table.gt_segment]
        right = np.where(is_object, codes[shape], self._true_codes[table.gt_index])
        now = np.where(_is_in(self._entry, repaired), right, now)
        return relabelled(self._overlap, now.astype(np.uint32))

    @cached_property
    def _true_codes(self) -> NDArray[np.int64]:
        """Code that pixels of stuff, crowd and void get; ``(rows of gt,)``. No object has one."""
        gt = self._overlap.gt
        return np.where(
            gt.is_void, self._overlap.labels.ignore_label << ID_BITS, gt.codes.astype(np.int64)
        )

    @cached_property
    def _background(self) -> NDArray[np.int64]:
        """Code that takes the pixels of a removed segment on an object that stays unfound.

        The stuff class with the most predicted pixels of the frame, void without one; ``(frames,)``
        """
        overlap = self._overlap
        is_stuff = ~(overlap.pred.is_thing | overlap.pred.is_void)
        kept = is_stuff[overlap.pred_index]
        count = max(overlap.pred.count, 1)
        keys, group = number_keys(overlap.frame[kept] * count + overlap.pred_index[kept])
        areas = np.bincount(group, weights=overlap.pixels[kept], minlength=len(keys))
        frame, row = np.divmod(keys, count)
        order = np.lexsort((row, -areas, frame))  # the first of each frame is the largest
        found, largest = np.unique(frame[order], return_index=True)
        most = np.full(overlap.frame_count, overlap.labels.ignore_label << ID_BITS)
        most[found] = overlap.pred.codes[row[order][largest]]
        return most

    def _names(self, repaired: int) -> NDArray[np.int64]:
        causes = repaired & _IDENTITY & self.active
        if causes not in self._named:
            self._named[causes] = self._tracks.names(causes)
        return self._named[causes]

    def _codes(self, repaired: int) -> NDArray[np.int64]:
        """Return the codes of predicted segments and, after them, of objects without a partner.

        No two segments of a frame get the same code. If two want it, found objects come first, then
        those that a repair adds, then other segments. The others get a code of their own.
        """
        mistakes, table, tracks = self._mistakes, self._mistakes.table, self._tracks
        names = self._names(repaired)
        is_thing = self._overlap.pred.is_thing[table.pred_of]
        owner, is_node = mistakes.owner, tracks.is_node
        reclassed = mistakes.class_differs & bool(repaired & bit(Mistake.CLASS))
        own = self._fresh.of_track[table.gt_of]
        added = np.where(tracks.anchor >= 0, names[tracks.anchor], own)
        raw = self._overlap.pred.codes[table.pred_of].astype(np.int64)
        found = (owner >= 0) & ~mistakes.class_differs
        codes = np.concatenate(
            [
                np.select(
                    [found, reclassed, tracks.follow >= 0],
                    [names[owner], added[owner], names[tracks.follow]],
                    raw,
                ),
                added,
            ]
        )
        instead = np.concatenate(
            [np.where(reclassed, own[owner], self._fresh.of_segment[table.pred_of]), own]
        )
        level = np.concatenate([np.select([found, reclassed], [0, 1], 2), np.full(len(own), 1)])
        distance = np.concatenate([np.where(reclassed, tracks.distance[owner], 0), tracks.distance])
        exists = np.concatenate(
            [
                is_thing & ~_is_in(mistakes.surplus, repaired),
                ~is_node & _is_in(mistakes.lost, repaired),
            ]
        )
        frame = np.concatenate([table.pred_unit, table.gt_unit])
        rows = np.flatnonzero(exists)
        rows = rows[np.lexsort((rows, distance[rows], level[rows]))]
        first = np.unique(frame[rows] << 32 | codes[rows], return_index=True)[1]
        late = np.delete(rows, first)
        codes[late] = instead[late]
        return codes


def _is_in(mistake: NDArray[np.int64], chosen: int) -> NDArray[np.bool_]:
    """Return whether each mistake is in a set. ``NO_MISTAKE`` never is."""
    member = np.array([chosen >> each & 1 for each in (*Mistake,)] + [0], dtype=np.bool_)
    return member[mistake]  # NO_MISTAKE is the last


@dataclass(frozen=True, eq=False, slots=True)
class _FreshCodes:
    """Codes that the prediction does not use, one for each track and for each predicted code.

    Attributes:
        of_track: ``int64`` of shape ``(rows of gt,)``.
        of_segment: ``int64`` of shape ``(rows of pred,)``.
    """

    of_track: NDArray[np.int64]
    of_segment: NDArray[np.int64]

    @classmethod
    def of(cls, overlap: SequenceOverlap) -> "_FreshCodes":
        used = np.unique(overlap.pred.codes & np.uint32(ID_LIMIT - 1)).astype(np.int64)
        tracks, count = overlap.gt.count, overlap.gt.count + overlap.pred.count
        # The first free numbers from 1: at most as many are taken as the prediction uses.
        free = np.setdiff1d(np.arange(1, count + len(used) + 1), used)[:count]
        codes = np.concatenate([overlap.gt.codes, overlap.pred.codes]).astype(np.int64)
        codes = codes & ~(ID_LIMIT - 1) | free
        return cls(codes[:tracks], codes[tracks:])


@dataclass(frozen=True, slots=True)
class _Sighting:
    """An object that is found with its class.

    Attributes:
        segment: Ground-truth segment.
        track: Row of the track in ``overlap.gt``.
        code: Predicted code.
        event: What the identity did since the last sighting of the track: ``None`` if it stayed; a
            cause in :data:`KINDS`; or ``"first"``, ``"return"`` for an identity that is the
            track's own and comes for the first time, or back after another.
    """

    segment: int
    track: int
    code: int
    event: Mistake | str | None


@dataclass(frozen=True, eq=False, slots=True)
class _Tracks:
    """The predicted identities along each ground-truth track.

    Attributes:
        frames: Sightings of each frame with any, in temporal order.
        owner: Track on which each predicted code was sighted first.
        own: ``int64`` of shape ``(rows of gt,)``: unused code of each track.
        cause: ``int64`` of shape ``(g,)``: mistake in the identity of each ground-truth segment.
        is_node: ``bool`` of shape ``(g,)``: whether it is a sighting.
        anchor: ``int64`` of shape ``(g,)``: last sighting of the track until then, else the next
            one, else -1.
        distance: ``int64`` of shape ``(g,)``: frames to it, 0 without one.
        follow: ``int64`` of shape ``(p,)``: last sighting with this predicted code until then,
            else the next one, else -1.
    """

    frames: list[list[_Sighting]]
    owner: dict[int, int]
    own: NDArray[np.int64]
    cause: NDArray[np.int64]
    is_node: NDArray[np.bool_]
    anchor: NDArray[np.int64]
    distance: NDArray[np.int64]
    follow: NDArray[np.int64]

    @classmethod
    def of(cls, mistakes: Mistakes, fresh: _FreshCodes) -> "_Tracks":
        table = mistakes.table
        differs = mistakes.class_differs[mistakes.partner] if len(mistakes.owner) else False
        is_node = (mistakes.partner >= 0) & ~np.asarray(differs)
        nodes = np.flatnonzero(is_node)  # in order of frames
        seen_as = table.pred_of[mistakes.partner[nodes]]
        anchor = _nearest(table.gt_of[nodes], table.gt_unit[nodes], table.gt_of, table.gt_unit)
        follow = _nearest(seen_as, table.gt_unit[nodes], table.pred_of, table.pred_unit)
        anchor = np.where(anchor >= 0, nodes[anchor], -1) if nodes.size else anchor
        follow = np.where(follow >= 0, nodes[follow], -1) if nodes.size else follow
        owner: dict[int, int] = {}
        sightings = list(_sightings(mistakes, nodes, owner))
        cause = np.full(len(table.gt_of), NO_MISTAKE, dtype=np.int64)
        last: dict[tuple[int, int], int] = {}
        for each in sightings:
            if isinstance(each.event, Mistake):
                last[each.track, each.code] = each.event
            cause[each.segment] = last.get((each.track, each.code), NO_MISTAKE)
        unit = table.gt_unit
        return cls(
            frames=[
                list(group) for _, group in groupby(sightings, lambda each: unit[each.segment])
            ],
            owner=owner,
            own=fresh.of_track,
            cause=cause,
            is_node=is_node,
            anchor=anchor,
            distance=np.where(anchor >= 0, np.abs(unit - unit[anchor]), 0),
            follow=follow,
        )

    def names(self, repaired: int) -> NDArray[np.int64]:
        """Return the predicted code of each sighting without some mistakes of identity.

        A track keeps its code at a repaired mistake, and takes the predicted code at another. If
        two objects of a frame want the same code, one that keeps it comes first; the other gets an
        unused code.

        Args:
            repaired: Set of mistakes.

        Returns:
            ``int64`` of shape ``(g,)``, -1 for segments that are no sightings.
        """
        names = np.full(len(self.cause), -1, dtype=np.int64)
        current: dict[int, int] = {}
        of_code: dict[tuple[int, int], int] = {}
        for sightings in self.frames:
            taken: set[int] = set()
            wishes = self._wishes(sightings, repaired, current, of_code)
            for *_, track, wanted, each in sorted(wishes, key=lambda wish: wish[:3]):
                name = int(self.own[track]) if wanted in taken else wanted
                taken.add(name)
                current[track] = of_code[track, each.code] = name
                names[each.segment] = name
        return names

    def _wishes(
        self,
        sightings: list[_Sighting],
        repaired: int,
        current: dict[int, int],
        of_code: dict[tuple[int, int], int],
    ) -> Iterator[tuple[bool, bool, int, int, _Sighting]]:
        """Yield whether the code is new to the track, is another track's, the track, the code."""
        for each in sightings:
            is_new = each.event == "first"
            wanted = current.get(each.track, int(self.own[each.track]))
            if each.event == "return":
                wanted = of_code[each.track, each.code]
            elif is_new or (isinstance(each.event, Mistake) and not repaired & bit(each.event)):
                is_new, wanted = True, each.code
            yield is_new, self.owner.get(wanted) != each.track, each.track, wanted, each


def _nearest(
    node_row: NDArray[np.int64],
    node_frame: NDArray[np.int64],
    row: NDArray[np.int64],
    frame: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the last node of the same row until each frame, else the next one, else -1."""
    if not node_row.size:
        return np.full(len(row), -1, dtype=np.int64)
    order = np.lexsort((node_frame, node_row))
    keys = node_row[order] << 32 | node_frame[order]
    before = np.searchsorted(keys, row << 32 | frame, side="right") - 1
    after = np.minimum(before + 1, len(keys) - 1)
    has_before = (before >= 0) & (node_row[order][before] == row)
    has_after = node_row[order][after] == row
    return np.select([has_before, has_after], [order[before], order[after]], -1)


def _sightings(
    mistakes: Mistakes, nodes: NDArray[np.int64], owner: dict[int, int]
) -> Iterator[_Sighting]:
    """Yield the sightings in temporal order, and fill in the owners of the predicted codes."""
    table = mistakes.table
    codes = table.overlap.pred.codes[table.pred_of[mistakes.partner[nodes]]]
    last: dict[int, tuple[int, int]] = {}
    held: set[tuple[int, int]] = set()
    for segment, track, frame, code in zip(
        nodes.tolist(),
        table.gt_of[nodes].tolist(),
        table.gt_unit[nodes].tolist(),
        codes.tolist(),
        strict=True,
    ):
        is_own = owner.setdefault(code, track) == track
        event = _event(last.get(track), frame, code, is_own=is_own, is_known=(track, code) in held)
        yield _Sighting(segment, track, code, event)
        last[track] = frame, code
        held.add((track, code))


def _event(
    before: tuple[int, int] | None, frame: int, code: int, *, is_own: bool, is_known: bool
) -> Mistake | str | None:
    if before is None:
        return "first" if is_own else Mistake.WRONG_RECOVERY
    last_frame, last_code = before
    if code == last_code:
        return None
    if is_own and is_known:
        return "return"
    follows = frame == last_frame + 1
    if is_own:
        return Mistake.NEW_IDENTITY if follows else Mistake.MISSED_RECOVERY
    return Mistake.SWITCH if follows else Mistake.WRONG_RECOVERY
