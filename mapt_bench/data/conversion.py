"""Convert a folder of panoptic maps to another encoding, and say what that loses.

Every written frame is read back and compared with its source, so a loss is measured, not assumed.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mapt_bench.data.map_folders import MapFolder, open_maps
from mapt_bench.data.matching import match_by_suffix, pair_frames
from mapt_bench.data.sequences import StoredSequence
from mapt_bench.data.writers import MapFormat, map_format
from mapt_bench.errors import ConfigError, counted, listed
from mapt_bench.folders import folder_when_complete
from mapt_bench.labels import BACKGROUND_ID, ID_BITS, ID_LIMIT, LabelSpace, PanopticMap

__all__ = ["Conversion", "convert_maps"]

SCHEMA = "mapt-bench/convert/1"


@dataclass(frozen=True)
class Conversion:
    """Result of a conversion.

    Attributes:
        folder: Output folder.
        encoding: Name of its encoding.
        sequences: Number of sequences.
        frames: Number of frames.
        losses: What reads back differently, one line each. Empty if nothing is lost.
        reasons: What the encoding cannot hold, one line each. Empty if nothing is lost.
    """

    folder: Path
    encoding: str
    sequences: int
    frames: int
    losses: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, schema ``mapt-bench/convert/1``."""
        return {
            "schema": SCHEMA,
            "folder": str(self.folder),
            "encoding": self.encoding,
            "sequences": self.sequences,
            "frames": self.frames,
            "losses": list(self.losses),
            "reasons": list(self.reasons),
        }


def convert_maps(
    source: MapFolder,
    target: Path | str,
    encoding: str,
    *,
    keep_losses: bool = True,
    advance: Callable[[int], None] = lambda frames: None,
    report: Callable[["Conversion", Path], None] = lambda found, folder: None,
) -> Conversion:
    """Write maps in another encoding, and compare what was written with its source.

    The split is the first folder that all sequences share, or ``val``. The output folder appears
    when everything is written.

    Args:
        source: Opened maps, see :func:`mapt_bench.data.open_maps`.
        target: Output folder. It must not exist, or be empty.
        encoding: Name of an encoding that can be written, for example ``"coco-panoptic"``.
        keep_losses: Whether to write the folder if something is lost.
        advance: Called with a number of frames; twice for each frame.
        report: Called with the result and the folder that becomes ``target``, before it does, or
            is removed.

    Raises:
        ConfigError: If the encoding cannot be written, the folder is not empty, or the sequences
            are of several splits.
        DataError: If a map is unusable, or the encoding cannot hold an identity or class.
    """
    chosen, target = map_format(encoding), Path(target)
    names = _names(source)
    split = names[0][0]
    with folder_when_complete(target) as beside:
        _write(source, chosen, beside, [name for _, name in names], split, advance)
        changes = _compared(source, chosen, beside, advance)
        losses = tuple(changes.lines())
        reasons = chosen.losses(source.labels, objects_only=source.lacks.stuff) if losses else ()
        found = Conversion(
            target, chosen.name, len(source.sequences), source.frame_count, losses, reasons
        )
        report(found, beside)
        if losses and not keep_losses:
            shutil.rmtree(beside)
    return found


def _names(source: MapFolder) -> list[tuple[str, str]]:
    """Return split and name of each sequence."""
    parts = [each.parts or (source.folder.resolve().name,) for each in source.sequences]
    if any(len(each) == 1 for each in parts):
        return [("val", "/".join(each)) for each in parts]
    splits = {each[0] for each in parts}
    if len(splits) > 1:
        raise ConfigError(
            f"{source.folder} holds sequences below {listed(sorted(splits))}; expected one split; "
            "convert the folder of each, to an output folder of its own"
        )
    return [(each[0], "/".join(each[1:])) for each in parts]


def _write(
    source: MapFolder,
    chosen: MapFormat,
    folder: Path,
    names: Iterable[str],
    split: str,
    advance: Callable[[int], None],
) -> None:
    only = source.lacks.stuff
    with chosen.open(folder, source.labels, split=split, objects_only=only) as writer:
        for sequence, name in zip(source.sequences, names, strict=True):
            for index, frame_name in enumerate(sequence.frame_names):
                writer.write(name, frame_name, sequence.read(index))
                advance(1)


def _compared(
    source: MapFolder, chosen: MapFormat, folder: Path, advance: Callable[[int], None]
) -> "_Changes":
    """Read a written folder back, and compare it with its source."""
    written = open_maps(folder, source.labels, encoding=chosen.name)
    own = {sequence.parts: sequence for sequence in written.sequences}
    partner = match_by_suffix([each.parts for each in source.sequences], list(own), where=folder)
    changes = _Changes(source.labels)
    for sequence in source.sequences:
        found = own[partner[sequence.parts]] if sequence.parts in partner else None
        _compare_sequences(sequence, found, changes, advance)
    if source.lacks.stuff and not written.lacks.stuff:
        changes.mark = True
    return changes


def _compare_sequences(
    sequence: StoredSequence,
    found: StoredSequence | None,
    changes: "_Changes",
    advance: Callable[[int], None],
) -> None:
    count = len(sequence.frame_names)
    positions = [None] * count if found is None else pair_frames(sequence, found, "void")
    for index, position in enumerate(positions):
        if found is None or position is None:
            changes.frames += 1
        else:
            changes.compare(sequence.parts, sequence.read(index), found.read(position))
        advance(1)


@dataclass
class _Changes:
    """Pixels and objects that read back differently.

    Attributes:
        labels: Label space.
        pixels: Number of pixels by kind before and after.
        renumbered: Objects with another number: sequence, code before and after.
        empty: Number of objects with an empty mask that are gone.
        frames: Number of frames that are gone.
        mark: Whether the mark is gone that only objects are labelled.
    """

    labels: LabelSpace
    pixels: Counter[tuple[str, str]] = field(default_factory=Counter)
    renumbered: set[tuple[tuple[str, ...], int, int]] = field(default_factory=set)
    empty: int = 0
    frames: int = 0
    mark: bool = False

    def compare(self, parts: tuple[str, ...], before: PanopticMap, after: PanopticMap) -> None:
        """Add the differences of one frame."""
        self.empty += len(set(before.empty) - set(after.empty))
        differs = before.codes != after.codes
        pairs = np.stack([before.codes[differs], after.codes[differs]], axis=-1)
        for (old, new), count in zip(*np.unique(pairs, axis=0, return_counts=True), strict=True):
            self._add(parts, int(old), int(new), int(count))

    def _add(self, parts: tuple[str, ...], old: int, new: int, count: int) -> None:
        kinds = self._kind(old), self._kind(new)
        if kinds[0] != kinds[1]:
            self.pixels[kinds] += count
        elif old >> ID_BITS != new >> ID_BITS:
            self.pixels[kinds[0], f"{kinds[1]} of another class"] += count
        elif kinds[0] == "object":
            self.renumbered.add((parts, old, new))
        elif kinds[0] == "stuff":
            self.pixels["stuff with an identity", "stuff without one"] += count

    def _kind(self, code: int) -> str:
        class_id, identity = code >> ID_BITS, code & (ID_LIMIT - 1)
        if class_id == self.labels.ignore_label:
            return "background" if identity == BACKGROUND_ID else "void"
        if not self.labels.is_thing_table[class_id]:
            return "stuff"
        return "object" if identity else "crowd"

    def lines(self) -> list[str]:
        """Return one line for each kind of change, the largest first."""
        found = [
            f"{counted(count, 'pixel')} of {old} read as {new}"
            for (old, new), count in self.pixels.most_common()
        ]
        if self.renumbered:
            found.append(f"{counted(len(self.renumbered), 'object')} with another number")
        if self.empty:
            found.append(f"{counted(self.empty, 'object')} with an empty mask omitted")
        if self.frames:
            found.append(f"{counted(self.frames, 'frame')} omitted")
        if self.mark:
            found.append("the mark that only objects are labelled")
        return found
