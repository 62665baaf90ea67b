"""Label spaces: the classes of a data set, and which of them have track identities."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.strict_config import from_mapping

__all__ = ["LabelClass", "LabelSpace", "spread_color"]

_LONGEST_NAME = 100  # of a name in a message
_CLASS_ID_LIMIT = 255


@dataclass(frozen=True, slots=True)
class LabelClass:
    """One class of a label space.

    Attributes:
        class_id: Number in the maps, 0..255.
        name: Unique name in the label space, for example ``"car"``.
        is_thing: Whether pixels of the class have track identities.
        color: RGB in 0..255, for pictures.
    """

    class_id: int
    name: str
    is_thing: bool
    color: tuple[int, int, int]


@dataclass(frozen=True)
class LabelSpace:
    """The classes of a data set.

    Attributes:
        name: For example ``"kitti-step"``.
        classes: In ascending order of ``class_id``.
        ignore_label: Class number of void pixels, not one of ``classes``.
        void_labels: Other class numbers that are void in files. They are read as ``ignore_label``.

    Raises:
        ConfigError: If class numbers or names repeat, or a number is outside 0..255 or is void's.
    """

    name: str
    classes: tuple[LabelClass, ...]
    ignore_label: int = 255
    void_labels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        ids = [entry.class_id for entry in self.classes]
        names = [entry.name for entry in self.classes]
        if not ids:
            raise ConfigError("a label space needs at least one class", where=self.name)
        if ids != sorted(set(ids)) or len(names) != len(set(names)):
            raise ConfigError(
                f"class numbers must be unique and ascending, and names unique; found {ids} "
                f"and {names}",
                where=self.name,
            )
        void = [self.ignore_label, *self.void_labels]
        if not all(0 <= number <= _CLASS_ID_LIMIT for number in [*ids, *void]):
            raise ConfigError(
                f"class numbers, ignore_label and void_labels must be in 0..255; found {ids}, "
                f"ignore_label {self.ignore_label} and void_labels {list(self.void_labels)}",
                where=self.name,
            )
        for number, key in zip(void, ["ignore_label", *["void_labels"] * len(void)], strict=False):
            if number in ids:
                raise ConfigError(
                    f"{key} {number} is also the number of a class; "
                    "choose a number that no class has",
                    where=self.name,
                )

    @cached_property
    def class_ids(self) -> tuple[int, ...]:
        """Numbers of all classes, ascending."""
        return tuple(entry.class_id for entry in self.classes)

    @cached_property
    def thing_ids(self) -> tuple[int, ...]:
        """Numbers of the classes with track identities, ascending."""
        return tuple(entry.class_id for entry in self.classes if entry.is_thing)

    @cached_property
    def stuff_ids(self) -> tuple[int, ...]:
        """Numbers of the classes without identities, ascending."""
        return tuple(entry.class_id for entry in self.classes if not entry.is_thing)

    @cached_property
    def is_thing_table(self) -> NDArray[np.bool_]:
        """Boolean array of shape ``(256,)``: whether a class number is a thing."""
        table = np.zeros(_CLASS_ID_LIMIT + 1, dtype=bool)
        table[list(self.thing_ids)] = True
        return table

    @cached_property
    def is_known_table(self) -> NDArray[np.bool_]:
        """Boolean array of shape ``(256,)``: whether a number is a class or void."""
        table = np.zeros(_CLASS_ID_LIMIT + 1, dtype=bool)
        table[list(self.class_ids)] = True
        table[self.ignore_label] = True
        return table

    @cached_property
    def is_void_table(self) -> NDArray[np.bool_]:
        """Boolean array of shape ``(256,)``: whether a number in a file is void."""
        table = np.zeros(_CLASS_ID_LIMIT + 1, dtype=bool)
        table[[self.ignore_label, *self.void_labels]] = True
        return table

    @cached_property
    def palette(self) -> NDArray[np.uint8]:
        """RGB of each class number, shape ``(256, 3)``; void and unknown numbers are black."""
        table = np.zeros((_CLASS_ID_LIMIT + 1, 3), dtype=np.uint8)
        for entry in self.classes:
            table[entry.class_id] = entry.color
        return table

    def by_id(self, class_id: int) -> LabelClass:
        """Return the class with a number.

        Raises:
            ConfigError: If no class has that number.
        """
        for entry in self.classes:
            if entry.class_id == class_id:
                return entry
        raise ConfigError(
            f"label space {self.name!r} has no class {class_id}; it has {list(self.class_ids)}"
        )

    def by_name(self, name: str) -> LabelClass:
        """Return the class with a name.

        Raises:
            ConfigError: If no class has that name. The message suggests the nearest.
        """
        for entry in self.classes:
            if entry.name == name:
                return entry
        hint = nearest(name, [entry.name for entry in self.classes])
        shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
        raise ConfigError(f"label space {self.name!r} has no class {shown!r}; {hint}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for :meth:`from_dict`."""
        void_labels = {"void_labels": list(self.void_labels)} if self.void_labels else {}
        return {
            "name": self.name,
            "ignore_label": self.ignore_label,
            **void_labels,
            "classes": [
                {
                    "id": entry.class_id,
                    "name": entry.name,
                    "thing": entry.is_thing,
                    "color": list(entry.color),
                }
                for entry in self.classes
            ],
        }

    @classmethod
    def from_dict(cls, data: object, *, where: object | None = None) -> "LabelSpace":
        """Build a label space from plain data of a YAML file or a ``dataset.json``.

        Args:
            data: ``name``, ``classes`` (each ``id``, ``name``, ``thing``, optional ``color``) and
                optional ``ignore_label`` and ``void_labels``. Other keys are errors.
            where: File, for messages.

        Raises:
            ConfigError: If a key is missing or unknown, or a value has the wrong type.
        """
        read = from_mapping(_SpaceFile, data, what="the label space", where=where)
        classes = [
            LabelClass(
                class_id=entry.id,
                name=str(entry.name),
                is_thing=entry.thing,
                color=spread_color(position) if entry.color is None else entry.color,
            )
            for position, entry in enumerate(read.classes)
        ]
        classes.sort(key=lambda entry: entry.class_id)
        try:
            return cls(str(read.name), tuple(classes), read.ignore_label, read.void_labels)
        except ConfigError as problem:
            raise ConfigError(problem.message, where=where or problem.where) from problem


@dataclass(frozen=True)
class _ClassEntry:
    """One class in a label space file. A number is accepted as a name."""

    id: int
    name: str | int | float
    thing: bool
    color: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        if self.color is not None and not all(0 <= part <= 255 for part in self.color):
            raise ConfigError(
                f"'color' of class {self.name!r} is {list(self.color)}; expected three whole "
                "numbers [r, g, b] from 0 to 255"
            )


@dataclass(frozen=True)
class _SpaceFile:
    """The content of a label space file."""

    name: str | int | float
    classes: tuple[_ClassEntry, ...]
    ignore_label: int = 255
    void_labels: tuple[int, ...] = ()


def spread_color(position: int) -> tuple[int, int, int]:
    """Return a colour that differs from the colours of neighbouring positions."""
    step = (position + 1) * 67
    return step % 200 + 40, (step * 3) % 200 + 40, (step * 7) % 200 + 40
