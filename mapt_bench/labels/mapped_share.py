"""What class maps remove: pixels and objects that become void, stuff or crowd."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Self

import numpy as np

from mapt_bench.errors import counted
from mapt_bench.labels.class_map import ClassMap
from mapt_bench.labels.panoptic_map import ID_BITS, ID_LIMIT, PanopticMap

__all__ = ["DETECTIONS", "MappedShare", "MappingTally", "mapped_notes"]

DETECTIONS = "detections of "
"""Start of the name of a side with detections of a network. The name of the network follows."""

_EACH_FRAME = " (objects are counted in each frame)"


@dataclass(frozen=True, slots=True)
class MappedShare:
    """How much a class map removed from maps.

    Attributes:
        pixels: Pixels that had a class.
        void_pixels: Those of them that became void.
        objects: Objects with an identity, counted once in a sequence. Detections have no
            identities, so they are counted in each frame.
        void_objects: Those of them that became void.
        merged_objects: Those of them that lost their identity: they became stuff or crowd.
    """

    pixels: int = 0
    void_pixels: int = 0
    objects: int = 0
    void_objects: int = 0
    merged_objects: int = 0

    def __add__(self, other: Self) -> Self:
        """Add the counts of another sequence."""
        return type(self)(
            self.pixels + other.pixels,
            self.void_pixels + other.void_pixels,
            self.objects + other.objects,
            self.void_objects + other.void_objects,
            self.merged_objects + other.merged_objects,
        )

    @classmethod
    def of_side(cls, entry: Mapping[str, Any]) -> Self:
        """Return the counts of the entry of a side, see :meth:`side`."""
        return cls(**{name: entry[name] for name in cls.__slots__})

    def to_dict(self) -> dict[str, int]:
        """Return plain data for JSON."""
        return {name: getattr(self, name) for name in type(self).__slots__}

    def side(self, source: str) -> dict[str, str | int]:
        """Return the entry of one side in a result.

        Args:
            source: Name of the label space that it was mapped from.
        """
        return {"from": source, **self.to_dict()}

    def in_words(self) -> str:
        """Return one sentence for people.

        Example:
            >>> MappedShare(200, 50, 4, 1, 0).in_words()
            '25.0 % of the pixels and 25.0 % of 4 objects became void'
        """
        text = f"{_percent(self.void_pixels, self.pixels)} of the pixels"
        if self.objects:
            share = _percent(self.void_objects, self.objects)
            text += f" and {share} of {counted(self.objects, 'object')}"
        text += " became void"
        if self.merged_objects:
            part = _percent(self.merged_objects, self.objects)
            text += f"; {part} of the objects became stuff or crowd"
        return text


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole if whole else 0:.1f} %"


class MappingTally:
    """Counts what a class map removes from the maps of one sequence.

    Args:
        class_map: The map.
        is_truth: Whether the maps are ground truth.
    """

    def __init__(self, class_map: ClassMap, *, is_truth: bool) -> None:
        self._map = class_map
        self._is_truth = is_truth
        self._pixels: dict[int, int] = {}

    def add(self, panoptic: PanopticMap) -> None:
        """Count the pixels of the next frame, before it is mapped."""
        codes = panoptic.codes.ravel()
        # Labels are constant over stretches of a row, so few stretches are sorted, not all pixels.
        starts = np.concatenate(([0], np.flatnonzero(codes[1:] != codes[:-1]) + 1))
        values, index = np.unique(codes[starts], return_inverse=True)
        lengths = np.bincount(index, weights=np.diff(starts, append=codes.size))
        for code, pixels in zip(values.tolist(), lengths.tolist(), strict=True):
            self._pixels[code] = self._pixels.get(code, 0) + int(pixels)

    def share(self) -> MappedShare:
        """Return the counts of all frames so far."""
        source, table = self._map.source, self._map.class_table(is_truth=self._is_truth)
        parts = []
        for code, pixels in self._pixels.items():
            class_id, identity = code >> ID_BITS, code & (ID_LIMIT - 1)
            if class_id == source.ignore_label:
                continue
            is_void = bool(table[class_id] == self._map.target.ignore_label)
            is_object = bool(source.is_thing_table[class_id]) and (
                identity > 0 or not self._is_truth
            )
            is_merged = is_object and not is_void and not self._map.keeps_objects[class_id]
            parts.append(
                MappedShare(
                    pixels,
                    pixels * is_void,
                    int(is_object),
                    int(is_object and is_void),
                    int(is_merged),
                )
            )
        return reduce(MappedShare.__add__, parts, MappedShare())


def mapped_notes(mapped: Mapping[str, Mapping[str, Any]], target: str) -> list[str]:
    """Describe what class maps removed, one line for each side.

    Args:
        mapped: The entry ``mapped`` of a result's protocol: by side, the label space it is mapped
            ``from``, and the counts of :class:`MappedShare`.
        target: Name of the label space that it is mapped to.
    """
    notes = []
    for side, entry in mapped.items():
        share = MappedShare.of_side(entry)
        what = "ground truth" if side == "ground_truth" else side
        note = f"{what} mapped from {entry['from']} to {target}: {share.in_words()}"
        notes.append(f"{note}{_EACH_FRAME if side.startswith(DETECTIONS) else ''}")
    return notes
