"""Table of all writers: by the name of their encoding, with what each can hold."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mapt_bench.data.encodings._instance_values import mots_of_class
from mapt_bench.data.encodings.coco_panoptic import CocoPanopticWriter
from mapt_bench.data.encodings.kitti_step import KITTI_STEP_ID_LIMIT, KittiStepWriter
from mapt_bench.data.encodings.mots_text import MotsTextWriter
from mapt_bench.data.encodings.youtube_vis import YoutubeVisWriter
from mapt_bench.data.frame_writers import FrameWriter, ObjectMasksWriter, PalettePngWriter
from mapt_bench.data.sequences import ClosingWriter
from mapt_bench.errors import ConfigError, listed, nearest
from mapt_bench.labels import ID_LIMIT, LabelSpace

__all__ = ["MapFormat", "map_format", "writer_names"]


_Build = Callable[[Path, LabelSpace, str, bool], ClosingWriter]


@dataclass(frozen=True)
class MapFormat:
    """An encoding that can be written, and what it can hold.

    Attributes:
        name: Name of the encoding.
        largest_id: Largest identity. Larger ones are refused, or get other numbers if
            ``renumbers``.
        renumbers: Whether objects may get other numbers, because a number does not state a class.
        has_stuff: Whether it holds stuff. Otherwise stuff becomes background.
        has_crowd: Whether it holds crowd: things without identity.
        crowd_becomes: What crowd becomes otherwise.
        has_void: Whether it holds void beside background. Otherwise void becomes background.
        has_background: Whether it holds the background of objects-only data. Otherwise it becomes
            void, which excuses predictions.
        has_frames: Whether it holds frames without object, and names that are not numbers.
        build: Function of folder, label space, split and whether the maps label objects only.
    """

    name: str
    largest_id: int
    build: _Build
    renumbers: bool = False
    has_stuff: bool = True
    has_crowd: bool = True
    crowd_becomes: str = "void"
    has_void: bool = True
    has_background: bool = True
    has_frames: bool = True

    def open(
        self, folder: Path, labels: LabelSpace, *, split: str = "val", objects_only: bool = False
    ) -> ClosingWriter:
        """Return a writer for a folder.

        Args:
            folder: Output folder.
            labels: Label space of the maps.
            split: Name of the split, for encodings with one.
            objects_only: Whether the maps label objects only (``MapFolder.lacks.stuff``).
        """
        return self.build(Path(folder), labels, split, objects_only)

    def losses(self, labels: LabelSpace, *, objects_only: bool = False) -> tuple[str, ...]:
        """Return what this encoding cannot hold of maps with some label space, one line each.

        Identities that are too large and classes that cannot be stored are errors of the writer.

        Args:
            labels: Label space of the maps.
            objects_only: Whether the maps label objects only.
        """
        found = []
        if labels.stuff_ids and not objects_only and not self.has_stuff:
            found.append("stuff becomes background, because the encoding holds objects only")
        if self.name == "mots-txt":
            others = set(labels.thing_ids) - set(mots_of_class(labels))
            if others:
                names = listed(labels.by_id(number).name for number in sorted(others))
                found.append(f"objects of {names} become background: MOTS has car and person")
        if not self.has_crowd:
            found.append(f"crowd (things without identity) becomes {self.crowd_becomes}")
        if not self.has_void and not (self.name == "mots-txt" and objects_only):
            found.append("void becomes background, which excuses no prediction")
        is_kept = self.has_background or (self.name == "bdd100k" and not labels.stuff_ids)
        if objects_only and not is_kept:
            found.append("background becomes void, which excuses predictions")
        if self.renumbers:
            found.append(
                "an object gets another number where its own is taken by another class or is "
                f"above {self.largest_id}"
            )
        return tuple(found)


def _frame_writer(
    name: str, folder: Path, labels: LabelSpace, split: str, objects_only: bool
) -> ClosingWriter:
    return FrameWriter(folder, labels, name, split=split, objects_only=objects_only)


def _kitti_step(folder: Path, labels: LabelSpace, split: str, objects_only: bool) -> ClosingWriter:
    return KittiStepWriter(folder, labels, split=split, objects_only=objects_only)


def _coco(folder: Path, labels: LabelSpace, split: str, objects_only: bool) -> ClosingWriter:
    return CocoPanopticWriter(folder, labels, split=split, objects_only=objects_only)


def _mots(folder: Path, labels: LabelSpace, split: str, objects_only: bool) -> ClosingWriter:
    del split
    return MotsTextWriter(folder, labels, objects_only=objects_only)


def _vis(folder: Path, labels: LabelSpace, split: str, objects_only: bool) -> ClosingWriter:
    del split, objects_only
    return YoutubeVisWriter(folder, labels)


def _palette(folder: Path, labels: LabelSpace, split: str, objects_only: bool) -> ClosingWriter:
    del objects_only
    return PalettePngWriter(folder, labels, split=split)


def _masks(folder: Path, labels: LabelSpace, split: str, objects_only: bool) -> ClosingWriter:
    del objects_only
    return ObjectMasksWriter(folder, labels, split=split)


_FORMATS = {
    each.name: each
    for each in (
        MapFormat("kitti-step", KITTI_STEP_ID_LIMIT - 1, _kitti_step),
        MapFormat("coco-panoptic", ID_LIMIT - 1, _coco),
        MapFormat("two-channel", ID_LIMIT - 2, partial(_frame_writer, "two-channel")),
        MapFormat("cityscapes", 1000, partial(_frame_writer, "cityscapes"), has_background=False),
        MapFormat("vipseg", 100, partial(_frame_writer, "vipseg"), has_background=False),
        MapFormat("waymo", 999, partial(_frame_writer, "waymo"), has_background=False),
        MapFormat("bdd100k", 65535, partial(_frame_writer, "bdd100k"), has_background=False),
        MapFormat(
            "mots-txt",
            1000,
            _mots,
            has_stuff=False,
            has_crowd=False,
            has_void=False,
            has_frames=False,
        ),
        MapFormat("youtube-vis", ID_LIMIT - 2, _vis, has_stuff=False, has_void=False),
        MapFormat("palette-png", 254, _palette, renumbers=True, has_stuff=False, has_crowd=False),
        MapFormat(
            "object-masks",
            ID_LIMIT - 2,
            _masks,
            renumbers=True,
            has_stuff=False,
            has_crowd=False,
            crowd_becomes="background",
            has_void=False,
        ),
    )
}


def writer_names() -> tuple[str, ...]:
    """Return the names of the encodings that can be written, sorted."""
    return tuple(sorted(_FORMATS))


def map_format(name: str) -> MapFormat:
    """Return an encoding that can be written.

    Raises:
        ConfigError: If no writer has the name. The message suggests the nearest.
    """
    if name not in _FORMATS:
        raise ConfigError(f"no writer for encoding {name!r}; {nearest(name, _FORMATS)}")
    return _FORMATS[name]
