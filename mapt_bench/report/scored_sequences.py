"""Sequences of a run, read from the work units of its folder, and their slices.

They need overlap tables and records of objects only, so that they exist for real data too.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import DataError
from mapt_bench.files import parse_json, read_text
from mapt_bench.labels import label_space
from mapt_bench.metrics.link_events import SIGHTED, unpack_rows
from mapt_bench.metrics.overlap import ENTRY, SequenceOverlap
from mapt_bench.metrics.slices import count_slices, slice_rates
from mapt_bench.reports.tables import printable

__all__ = ["ScoredSequence", "cell_sequences", "label_space_of", "run_slices"]


@dataclass(frozen=True)
class ScoredSequence:
    """One sequence of a cell, from its work unit.

    Attributes:
        name: Name of the sequence.
        position: Position of the sequence in the data.
        overlap: Overlap tables of all frames.
        objects: Rows of dtype :data:`~mapt_bench.metrics.link_events.SIGHTED`, the ground-truth
            objects of each frame. ``None`` if the run folder has none.
    """

    name: str
    position: int
    overlap: SequenceOverlap
    objects: NDArray[np.void] | None = None


def cell_sequences(
    cell: Path, label_space_name: str, *, only: str | None = None
) -> Iterator[ScoredSequence]:
    """Yield each sequence of a cell without dropped frames.

    Args:
        cell: Folder of the cell in the run folder.
        label_space_name: Name of the label space.
        only: Name of the only sequence to yield, as tables show it. ``None`` for all.

    Raises:
        ConfigError: If the label space is unknown.
        DataError: If a work unit cannot be read.
    """
    labels = label_space(label_space_name)
    for file in sorted(cell.glob("*-0.json")):
        try:
            unit = parse_json(read_text(file))
            if only is not None and printable(str(unit["sequence"])) != only:
                continue
            rows = unpack_rows(unit["tables"], ENTRY)
            yield ScoredSequence(
                name=str(unit["sequence"]),
                position=int(file.stem.partition("-")[0]),
                overlap=SequenceOverlap.of_rows(rows, int(unit["frames"]), labels),
                objects=_objects(cell.parent.parent / "objects" / f"{file.stem[:-2]}.json"),
            )
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise DataError(f"is no readable work unit ({problem})", where=file) from problem


def _objects(file: Path) -> NDArray[np.void] | None:
    """Return the objects of a sequence. Runs of older versions have none."""
    if not file.is_file():
        return None
    return unpack_rows(parse_json(read_text(file))["objects"], SIGHTED)


def label_space_of(run: Mapping[str, Any]) -> str:
    """Return the name of the label space of a run. Older results have none."""
    return str((run.get("protocol") or {}).get("label_space"))


def run_slices(sequences: Iterable[ScoredSequence]) -> list[dict[str, Any]]:
    """Return recall and association accuracy of a row in each slice, see ``slice_rates``."""
    return slice_rates([count_slices(each.overlap, each.objects) for each in sequences])
