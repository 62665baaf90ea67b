"""Classes of objects whose encoding stores identities only: a file that the user writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mapt_bench.data.folder_layout import MAPS_FOLDER
from mapt_bench.errors import ConfigError, DataError, MaptBenchError, whole_number
from mapt_bench.files import read_text, write_json
from mapt_bench.labels import LabelSpace
from mapt_bench.strict_config import load_yaml

__all__ = [
    "OBJECT_CLASSES_FILE",
    "ObjectClasses",
    "find_object_classes",
    "write_object_classes",
]

OBJECT_CLASSES_FILE = "object_classes.yaml"

_CONTENT = (
    "expected 'default: CLASS', 'objects: {ID: CLASS}' for every sequence, or "
    "'sequences: {NAME: {ID: CLASS}}'"
)
_WITHOUT_CLASS = "objects"  # the label space of objects without class
_KEYS = {"default", "objects", "sequences"}


@dataclass(frozen=True)
class ObjectClasses:
    """The class of each object, by its identity.

    Attributes:
        default: Class number of objects that are not listed. ``None`` refuses them.
        objects: Class number by identity, in every sequence.
        sequences: Class number by identity and name of the sequence. It precedes ``objects``.
        path: File. ``None`` if there is none.
        is_known: Whether the classes are known. Otherwise all objects have the same class number,
            which means nothing.
    """

    default: int | None
    objects: Mapping[int, int] = field(default_factory=dict)
    sequences: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    path: Path | None = None
    is_known: bool = True

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, if there is one."""
        return () if self.path is None else (self.path,)

    def class_of(self, sequence: str, identity: int, where: object) -> int:
        """Return the class number of an object.

        Args:
            sequence: Name of the sequence.
            identity: Identity of the object.
            where: File, for the message.

        Raises:
            DataError: If the class is not stated.
        """
        own = self.sequences.get(sequence, {})
        found = own.get(identity, self.objects.get(identity, self.default))
        if found is None:
            raise DataError(
                f"has object {identity}, whose class {self.path} does not state; add it there "
                "below 'sequences' or 'objects', or state a 'default'",
                where=where,
            )
        return found


def find_object_classes(root: Path, labels: LabelSpace) -> ObjectClasses:
    """Read the classes of the objects of a folder.

    The file ``object_classes.yaml`` is in the folder, or beside it if it is ``panoptic_maps``.
    Without the file, all objects have the only thing class of the label space. If there are
    several, the classes are unknown. The label space ``objects`` ignores the file.

    Args:
        root: Folder of the maps.
        labels: Label space. The file has names or numbers of its thing classes.

    Raises:
        DataError: If the file is malformed, or names an unknown class or stuff.
        ConfigError: If the label space has no thing.
    """
    if not labels.thing_ids:
        raise ConfigError(
            f"label space {labels.name!r} has no class with identities, but the maps hold objects "
            "only; choose another with --dataset"
        )
    places = (root, root.parent) if root.name == MAPS_FOLDER else (root,)
    for place in places:
        path = place / OBJECT_CLASSES_FILE
        if path.is_file() and labels.name != _WITHOUT_CLASS:
            return _read(path, labels)
    return ObjectClasses(labels.thing_ids[0], is_known=len(labels.thing_ids) == 1)


def _read(path: Path, labels: LabelSpace) -> ObjectClasses:
    try:
        data = load_yaml(read_text(path), where=path, expected=_CONTENT)
        if not isinstance(data, Mapping) or not data or set(data) - _KEYS:
            raise ValueError(f"found {_shown(data)}")
        default = None if "default" not in data else _class(data["default"], labels)
        sequences = data.get("sequences", {})
        if not isinstance(sequences, Mapping):
            raise ValueError(f"'sequences' is {_shown(sequences)}")
        by_sequence = {str(name): _classes(each, labels) for name, each in sequences.items()}
        objects = _classes(data.get("objects", {}), labels)
    except (OSError, ValueError, MaptBenchError) as problem:
        reason = problem.message if isinstance(problem, MaptBenchError) else problem
        raise DataError(f"cannot be used ({reason}); {_CONTENT}", where=path) from problem
    return ObjectClasses(default, objects, by_sequence, path)


def _shown(data: object) -> str:
    text = str(list(data) if isinstance(data, Mapping) else data)
    return f"{text[:60]}..." if len(text) > 60 else text


def _classes(data: object, labels: LabelSpace) -> dict[int, int]:
    if not isinstance(data, Mapping):
        raise ValueError(f"{_shown(data)} is not a mapping of ids to classes")
    found = {}
    for key, value in data.items():
        number = whole_number(str(key))
        if number is None:
            raise ValueError(f"{key!r} is not an id")
        found[number] = _class(value, labels)
    return found


def _class(value: object, labels: LabelSpace) -> int:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    entry = labels.by_id(int(str(value))) if is_number else labels.by_name(str(value))
    if not entry.is_thing:
        raise ValueError(f"{entry.name!r} is stuff in the label space {labels.name!r}")
    return entry.class_id


def write_object_classes(
    folder: Path, sequences: Mapping[str, Mapping[int, int]], labels: LabelSpace
) -> None:
    """Write ``object_classes.yaml`` into a folder, with names of classes.

    Args:
        folder: Folder of the maps.
        sequences: Class number by identity and name of the sequence.
        labels: Label space.
    """
    names: dict[str, Any] = {
        name: {str(identity): labels.by_id(number).name for identity, number in each.items()}
        for name, each in sequences.items()
    }
    write_json(folder / OBJECT_CLASSES_FILE, {"sequences": names})  # JSON is YAML
