"""The file ``dataset.json`` of a data folder: label space, encoding, and sizes of sequences."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mapt_bench.data.folder_layout import DATASET_FILE, MAPS_FOLDER
from mapt_bench.errors import ConfigError, DataError, MaptBenchError
from mapt_bench.files import parse_json, read_text, write_json
from mapt_bench.frame_limit import MAX_FRAMES, check_frame_count
from mapt_bench.labels import LabelSpace, label_space

__all__ = [
    "DatasetFile",
    "Extents",
    "find_dataset_file",
    "resolve_labels",
    "write_dataset_file",
]

_DEFAULT = "kitti-step"


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """Content of a ``dataset.json``.

    Attributes:
        path: Path of the file.
        labels: Label space of the maps.
        encoding: Name of their encoding. ``None`` if it has to be detected.
        extents: Lengths and sizes of sequences, for encodings that do not store them.
        objects_only: Whether the maps label objects only. Then void with id 0 is background that
            is known to hold no object, and void with id 1 is ignored.
    """

    path: Path
    labels: LabelSpace
    encoding: str | None
    extents: "Extents"
    objects_only: bool = False


def find_dataset_file(folder: Path) -> DatasetFile | None:
    """Read the ``dataset.json`` of a folder, or of the data set that contains the folder.

    The file is in the folder itself, or beside a ``panoptic_maps`` on the path of the folder.

    Raises:
        DataError: If the file exists and is unreadable.
    """
    whole = Path(folder).absolute()
    owners = [place.parent for place in (whole, *whole.parents) if place.name == MAPS_FOLDER]
    for owner in (Path(folder), *owners):
        path = owner / DATASET_FILE
        if path.is_file():
            return _read(path)
    return None


def _read(path: Path) -> DatasetFile:
    try:
        data: Any = parse_json(read_text(path))
        encoding = data.pop("encoding", None) if isinstance(data, dict) else None
        extents = Extents.from_dict(data.pop("sequences", None) if isinstance(data, dict) else None)
        objects_only = data.pop("objects_only", False) if isinstance(data, dict) else False
        if not isinstance(objects_only, bool):
            raise ValueError(f"'objects_only' is {objects_only!r}, neither true nor false")
        labels = LabelSpace.from_dict(data, where=path)
    except (OSError, ValueError, MaptBenchError) as problem:
        reason = problem.message if isinstance(problem, MaptBenchError) else problem
        raise DataError(
            f"cannot be read ({reason}); expected the label space (name, classes) and an "
            "encoding; correct or remove the file",
            where=path,
        ) from problem
    named = None if encoding is None else str(encoding)
    return DatasetFile(path, labels, named, extents, objects_only)


def write_dataset_file(
    folder: Path,
    labels: LabelSpace,
    encoding: str,
    extents: "Extents | None" = None,
    *,
    objects_only: bool = False,
) -> None:
    """Write ``dataset.json`` into a folder.

    Args:
        folder: Folder of the data.
        labels: Label space.
        encoding: Name of the encoding.
        extents: Lengths and sizes of sequences, for encodings that do not store them.
        objects_only: See :class:`DatasetFile`.
    """
    stated: dict[str, object] = {} if extents is None else {"sequences": extents.to_dict()}
    if objects_only:
        stated["objects_only"] = True
    write_json(folder / DATASET_FILE, {**labels.to_dict(), "encoding": encoding, **stated})


@dataclass(frozen=True)
class Extents:
    """Lengths and sizes of sequences whose files do not state them.

    Attributes:
        frames: Number of frames by name of the sequence. ``""`` stands for every sequence.
        sizes: Height and width by name of the sequence. ``""`` stands for every sequence.
    """

    frames: Mapping[str, int] = field(default_factory=dict)
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def frames_of(self, name: str) -> int | None:
        """Return the number of frames of a sequence, ``None`` if it is unknown."""
        return self.frames.get(name, self.frames.get(""))

    def size_of(self, name: str) -> tuple[int, int] | None:
        """Return height and width of a sequence, ``None`` if they are unknown."""
        return self.sizes.get(name, self.sizes.get(""))

    @classmethod
    def from_options(cls, frames: Sequence[str], size: str | None) -> "Extents":
        """Read the options ``--frames`` and ``--size``.

        Args:
            frames: Each ``N``, or ``NAME=N`` for one sequence.
            size: ``HxW`` in pixels, or ``None``.

        Raises:
            ConfigError: If one has another form.
        """
        lengths = {}
        for text in frames:
            name, _, number = text.rpartition("=")
            if not re.fullmatch("0*[1-9][0-9]{0,6}", number) or int(number) > MAX_FRAMES:
                raise ConfigError(
                    f"--frames is {text!r}; expected the number of frames (1 to {MAX_FRAMES}), or "
                    "NAME=NUMBER for one sequence, as in --frames 0001=447"
                )
            lengths[name] = int(number)
        if size is None:
            return cls(lengths)
        found = re.fullmatch("([1-9][0-9]{0,8})x([1-9][0-9]{0,8})", size)
        if found is None:
            raise ConfigError(
                f"--size is {size!r}; expected height and width in pixels, as in --size 375x1242"
            )
        return cls(lengths, {"": (int(found[1]), int(found[2]))})

    @classmethod
    def from_dict(cls, data: object) -> "Extents":
        """Read the entry ``sequences`` of a ``dataset.json``.

        Raises:
            ValueError: If it is not a mapping of names to ``frames`` and ``size``.
        """
        frames, sizes = {}, {}
        try:
            for name, entry in dict(data or {}).items():  # type: ignore[call-overload]
                if "frames" in entry:
                    frames[str(name)] = int(entry["frames"])
                    check_frame_count(frames[str(name)], None)
                if "size" in entry:
                    height, width = entry["size"]
                    sizes[str(name)] = (int(height), int(width))
        except (TypeError, ValueError, OverflowError, MaptBenchError) as problem:
            raise ValueError(
                "'sequences' must map names to {'frames': 1 to 1000000, 'size': [height, width]}"
            ) from problem
        return cls(frames, sizes)

    def to_dict(self) -> dict[str, dict[str, object]]:
        """Return plain data for :meth:`from_dict`."""
        found: dict[str, dict[str, object]] = {}
        for name, number in self.frames.items():
            found.setdefault(name, {})["frames"] = number
        for name, size in self.sizes.items():
            found.setdefault(name, {})["size"] = list(size)
        return found


def resolve_labels(
    dataset: LabelSpace | str | Path | None, folder: Path, *others: Path
) -> LabelSpace:
    """Choose the label space: from the option, else from the data, else kitti-step.

    Predictions never choose the label space of an evaluation.

    Args:
        dataset: Label space, built-in name or YAML file. ``None`` to read ``dataset.json``.
        folder: Folder of the ground truth or of the images.
        others: Folders of predictions. Their label space must be the same.

    Raises:
        ConfigError: If ``dataset`` is unknown. The message suggests the nearest.
        DataError: If a ``dataset.json`` is unreadable, or one of ``others`` disagrees.
    """
    if isinstance(dataset, LabelSpace):
        return dataset
    if dataset is not None:
        return label_space(dataset)
    stated = find_dataset_file(folder)
    labels = label_space(_DEFAULT) if stated is None else stated.labels
    for other in map(find_dataset_file, others):
        if other is not None and other.labels != labels:
            source = (
                f"{folder} states none and is read as {labels.name!r}"
                if stated is None
                else f"{stated.path} states {labels.name!r}{_difference(labels, other.labels)}"
            )
            raise DataError(
                f"states label space {other.labels.name!r}, but {source}; "
                f"choose one with --dataset, as in --dataset {other.labels.name}, or map both to "
                "common classes with --map",
                where=other.path,
            )
    return labels


def _difference(left: LabelSpace, right: LabelSpace) -> str:
    return " with other classes" if left.name == right.name else ""
