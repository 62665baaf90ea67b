"""What a check of a data set found, as plain values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mapt_bench.labels import LabelSpace

__all__ = ["ClassFacts", "DataReport", "Problem", "SequenceFacts"]

SCHEMA = "mapt-bench/check/1"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind: ``file`` (cannot be one of the maps), ``map`` (cannot be decoded), ``class``
            (outside the label space), ``image``, ``pairing`` (images and maps), or ``side-car`` (of
            drawn videos).
        path: File or folder.
        message: What was found, what was expected, what to do.
    """

    kind: str
    path: str
    message: str

    def to_dict(self) -> dict[str, str]:
        """Return plain data."""
        return {"kind": self.kind, "path": self.path, "message": self.message}


@dataclass(frozen=True, slots=True)
class SequenceFacts:
    """One sequence.

    Attributes:
        name: Its path below the maps, or below the images where there are no maps.
        frame_count: Frames that belong to it.
        readable_count: Frames that could be read.
        height: Pixels; ``None`` if not known.
        width: Pixels; ``None`` if not known.
        gap_count: Numbers missing between the first and the last frame; 0 for other names.
        track_count: Distinct tracks.
    """

    name: str
    frame_count: int
    readable_count: int
    height: int | None
    width: int | None
    gap_count: int
    track_count: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "name": self.name,
            "frames": self.frame_count,
            "readable": self.readable_count,
            "height": self.height,
            "width": self.width,
            "gaps": self.gap_count,
            "tracks": self.track_count,
        }


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """One class that is present.

    Attributes:
        class_id: Number.
        name: For example ``"car"``.
        is_thing: Whether it has tracks.
        pixel_share: Of all pixels, 0..1.
        track_count: Distinct (sequence, id) with id above 0; ``None`` for stuff.
    """

    class_id: int
    name: str
    is_thing: bool
    pixel_share: float
    track_count: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "id": self.class_id,
            "name": self.name,
            "thing": self.is_thing,
            "pixel_share": self.pixel_share,
            "tracks": self.track_count,
        }


@dataclass(frozen=True, slots=True)
class DataReport:
    """What :func:`check_data` found.

    Attributes:
        folder: As it was given.
        encoding: Of the maps; ``None`` without maps.
        labels: Label space.
        sequences: Of the maps, or of the images where there are no maps.
        classes: Those present, ascending.
        void_share: Share of all pixels, 0..1; ``None`` if no map could be read.
        crowd_share: Share of pixels of thing classes with id 0.
        image_count: Images found.
        problems: Everything that is wrong.
    """

    folder: Path
    encoding: str | None
    labels: LabelSpace
    sequences: tuple[SequenceFacts, ...]
    classes: tuple[ClassFacts, ...]
    void_share: float | None
    crowd_share: float | None
    image_count: int
    problems: tuple[Problem, ...]

    @property
    def frame_count(self) -> int:
        """Frames in all sequences."""
        return sum(entry.frame_count for entry in self.sequences)

    @property
    def readable_count(self) -> int:
        """Frames that could be read."""
        return sum(entry.readable_count for entry in self.sequences)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as ``mapt-bench check --json`` writes it."""
        return {
            "schema": SCHEMA,
            "folder": str(self.folder),
            "encoding": self.encoding,
            "label_space": self.labels.to_dict(),
            "frames": self.frame_count,
            "readable": self.readable_count,
            "images": self.image_count,
            "void_share": self.void_share,
            "crowd_share": self.crowd_share,
            "sequences": [entry.to_dict() for entry in self.sequences],
            "classes": [entry.to_dict() for entry in self.classes],
            "problems": [entry.to_dict() for entry in self.problems],
        }
