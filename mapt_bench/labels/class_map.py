"""Class maps: the classes of one label space as classes of another, read from a YAML file.

A file maps the classes of several label spaces to one target. Ground truth and predictions may have
different label spaces, and are scored in the target.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError, DataError, listed, nearest
from mapt_bench.files import read_text
from mapt_bench.labels.catalog import label_space, label_space_names
from mapt_bench.labels.panoptic_map import ID_BITS, ID_LIMIT, PanopticMap, background_code
from mapt_bench.labels.space import LabelClass, LabelSpace
from mapt_bench.strict_config import from_mapping, load_yaml

__all__ = [
    "ClassMap",
    "ClassMaps",
    "ClassTarget",
    "class_map_names",
    "class_maps",
]

_FOLDER = Path(__file__).parent / "class_maps"
_VOID = "void"
_CONTENT = "the keys target and sources; each source has classes (CLASS: TARGET) or through"


@dataclass(frozen=True, slots=True)
class ClassTarget:
    """What a class becomes.

    Attributes:
        name: Class of the target label space. ``None`` is void.
        kind: ``"whole"`` keeps identities. ``"stuff"`` drops them: a thing becomes stuff.
            ``"crowd"`` makes the class crowd of a thing class in ground truth, void in predictions.
    """

    name: str | None
    kind: Literal["whole", "stuff", "crowd"] = "whole"

    def then(self, after: "ClassTarget") -> "ClassTarget":
        """Return the target of two maps in a row."""
        return ClassTarget(after.name, self.kind if after.kind == "whole" else after.kind)


@dataclass(frozen=True)
class ClassMap:
    """The classes of one label space as classes of another.

    Several classes may become one. Objects of different classes stay different objects then: their
    identities are spread. Void stays void.

    Attributes:
        source: Label space of the maps as they are.
        target: Label space of the mapped maps.
        entries: What each of ``source.classes`` becomes, in their order.

    Raises:
        ConfigError: If the target lacks a class, or an entry does not fit the kinds of the classes:
            things become stuff only if the entry says so, and stuff has no identities for a thing.
    """

    source: LabelSpace
    target: LabelSpace
    entries: tuple[ClassTarget, ...]

    def __post_init__(self) -> None:
        for entry, goal in zip(self.source.classes, self.entries, strict=True):
            if goal.name is not None:
                self._check(entry, goal, self.target.by_name(goal.name))

    def _check(self, entry: LabelClass, goal: ClassTarget, found: LabelClass) -> None:
        place = f"class {entry.name!r} of {self.source.name!r}"
        if goal.kind == "crowd" and not found.is_thing:
            raise ConfigError(
                f"{place} becomes crowd of {found.name!r}, which is stuff in {self.target.name!r}; "
                "crowd needs a thing; map the class to void, or to the class itself"
            )
        if goal.kind == "stuff" and found.is_thing:
            raise ConfigError(
                f"{place} becomes stuff {found.name!r}, which is a thing in {self.target.name!r}; "
                f"write {entry.name}: {found.name}"
            )
        if goal.kind != "whole":
            return
        if entry.is_thing and not found.is_thing:
            raise ConfigError(
                f"{place} is a thing, and {found.name!r} is stuff in {self.target.name!r}, so its "
                f"identities would be lost; to allow it, write {entry.name}: "
                f"{{stuff: {found.name}}}; or map it to void"
            )
        if found.is_thing and not entry.is_thing:
            raise ConfigError(
                f"{place} is stuff, and {found.name!r} is a thing in {self.target.name!r}, which "
                f"needs identities; write {entry.name}: {{crowd: {found.name}}}, or map it to void"
            )

    def then(self, after: "ClassMap") -> "ClassMap":
        """Return this map followed by a map of its target."""
        goals = dict(zip((each.name for each in after.source.classes), after.entries, strict=True))
        entries = (
            each if each.name is None else each.then(goals[each.name]) for each in self.entries
        )
        return ClassMap(
            self.source,
            after.target,
            tuple(
                ClassTarget(goal.name) if goal.kind == "stuff" and not entry.is_thing else goal
                for entry, goal in zip(self.source.classes, entries, strict=True)
            ),
        )

    @cached_property
    def keeps_objects(self) -> NDArray[np.bool_]:
        """Boolean array of shape ``(256,)``: whether objects of a class number stay objects."""
        kept = np.zeros(256, dtype=bool)
        for entry, goal in zip(self.source.classes, self.entries, strict=True):
            kept[entry.class_id] = entry.is_thing and goal.name is not None and goal.kind == "whole"
        return kept

    def class_table(self, *, is_truth: bool) -> NDArray[np.uint8]:
        """Return the new class number of each class number, ``uint8`` of shape ``(256,)``.

        Args:
            is_truth: Whether crowd is a class. In predictions it is void.
        """
        table = np.full(256, self.target.ignore_label, dtype=np.uint8)
        for entry, goal in zip(self.source.classes, self.entries, strict=True):
            if goal.name is not None and (is_truth or goal.kind != "crowd"):
                table[entry.class_id] = self.target.by_name(goal.name).class_id
        return table

    def apply(self, panoptic: PanopticMap, *, is_truth: bool) -> PanopticMap:
        """Return a map in the target label space.

        Args:
            panoptic: Map in the source label space. Its classes are known to be in it.
            is_truth: Whether it is ground truth, in which identity 0 of a thing is crowd. In
                predictions, classes that become crowd are void.

        Raises:
            DataError: If classes are joined and an identity is too large to be spread.
        """
        empty = self._codes(np.array(panoptic.empty, dtype=np.uint32), is_truth)
        seen = empty[empty >> np.uint32(ID_BITS) != self.target.ignore_label]
        return PanopticMap(self._codes(panoptic.codes, is_truth), tuple(map(int, seen)))

    def _codes(self, codes: NDArray[np.uint32], is_truth: bool) -> NDArray[np.uint32]:
        classes = codes >> np.uint32(ID_BITS)
        ids = self._spread_ids(classes, codes & np.uint32(ID_LIMIT - 1), is_truth)
        mapped = self._high_bits[is_truth][classes] | ids
        is_background = codes == background_code(self.source.ignore_label)
        background = np.uint32(background_code(self.target.ignore_label))
        return np.where(is_background, background, mapped)

    @cached_property
    def _high_bits(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """The class in its place in a code, for predictions and for ground truth."""
        tables = (self.class_table(is_truth=is_truth) for is_truth in (False, True))
        of_prediction, of_truth = (
            table.astype(np.uint32) << np.uint32(ID_BITS) for table in tables
        )
        return of_prediction, of_truth

    @cached_property
    def _ranks(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Number of things that become one class, and the rank of each among them."""
        count, rank = np.zeros(256, dtype=np.uint32), np.zeros(256, dtype=np.uint32)
        table = self.class_table(is_truth=True)
        for new in set(table[self.keeps_objects].tolist()):
            joined = np.flatnonzero(self.keeps_objects & (table == new))
            count[joined], rank[joined] = joined.size, np.arange(joined.size)
        for entry, goal in zip(self.source.classes, self.entries, strict=True):
            # The ids of stuff mean nothing, but a note on the data needs them.
            count[entry.class_id] |= not entry.is_thing and goal.name is not None
        return count, rank

    def _spread_ids(
        self, classes: NDArray[np.uint32], ids: NDArray[np.uint32], is_truth: bool
    ) -> NDArray[np.uint32]:
        """Give objects of classes that become one class identities of their own.

        With ``n`` classes, identity ``i`` of class ``k`` becomes ``(i - 1) * n + k + 1``.
        """
        count, rank = (table[classes] for table in self._ranks)
        if self._ranks[0].max(initial=0) <= 1:
            return ids * count
        limit = ID_LIMIT - 256
        if np.any(ids * (count > 1) > limit // np.maximum(count, 1)):
            raise DataError(
                f"the identities reach to {ids.max()}, which is too large to join "
                f"{count.max()} thing classes; expected identities up to {limit // count.max()}; "
                "number the objects from 1, or map the classes to different ones"
            )
        spread = (ids - np.uint32(1)) * count + rank + np.uint32(1)
        # Identity 0 is crowd in ground truth. In predictions it is an object.
        of_zero = np.zeros_like(ids) if is_truth else np.where(rank > 0, limit + 1 + rank, 0)
        joined = np.where(ids > 0, spread, of_zero.astype(np.uint32))
        return np.where(count > 1, joined, ids * count)


@dataclass(frozen=True)
class _Source:
    """How the classes of one label space are mapped, as the file has it."""

    classes: Mapping[str, object] | None = None
    through: str | None = None

    def __post_init__(self) -> None:
        if self.classes is None and self.through is None:
            raise ConfigError("a source needs classes (CLASS: TARGET), or through: LABEL SPACE")


@dataclass(frozen=True)
class _File:
    """The content of a class map file."""

    target: str | Mapping[str, object]
    sources: Mapping[str, _Source]


@dataclass(frozen=True)
class _Marked:
    """An entry that changes the kind of a class."""

    stuff: str | None = None
    crowd: str | None = None

    def __post_init__(self) -> None:
        if (self.stuff is None) == (self.crowd is None):
            raise ConfigError("expected one key, stuff or crowd, as in {stuff: bus}")


@dataclass(frozen=True)
class ClassMaps:
    """The class maps of a file: several label spaces, one target.

    Attributes:
        name: Name of built-in class maps, or the stem of the file.
        target: Label space that all sources are mapped to.
        where: File, for messages.
    """

    name: str
    target: LabelSpace
    where: str
    _sources: Mapping[str, _Source]

    @property
    def source_names(self) -> tuple[str, ...]:
        """Names of the label spaces that can be mapped, in the order of the file."""
        return tuple(self._sources)

    def of(self, labels: LabelSpace) -> ClassMap:
        """Return the map of a label space. The target itself needs no entry: nothing changes.

        Raises:
            ConfigError: If the file does not map this label space, or lacks one of its classes.
        """
        if labels == self.target and labels.name not in self._sources:
            return ClassMap(
                labels, labels, tuple(ClassTarget(each.name) for each in labels.classes)
            )
        try:
            return self._resolved(labels, ())
        except ConfigError as problem:
            raise ConfigError(problem.message, where=problem.where or self.where) from problem

    def check_name(self, name: str) -> None:
        """Refuse the name of a label space that is not mapped.

        Raises:
            ConfigError: If the file does not map it. The message names the nearest.
        """
        if name not in self._sources and name != self.target.name:
            raise ConfigError(
                f"does not map the label space {name!r}; add it to sources; "
                f"{nearest(name, self._sources)}",
                where=self.where,
            )

    def _resolved(self, labels: LabelSpace, passed: tuple[str, ...]) -> ClassMap:
        if labels.name in passed:
            ring = " -> ".join((*passed, labels.name))
            raise ConfigError(f"the sources form a cycle: {ring}; map one of them to the target")
        if labels.name == self.target.name and labels.name not in self._sources:
            raise ConfigError(
                f"maps to a label space {labels.name!r} with other classes than that of the data; "
                "use the same label space, or add it to sources"
            )
        self.check_name(labels.name)
        source = self._sources[labels.name]
        if source.through is None:
            return ClassMap(labels, self.target, _entries(source, labels))
        between = label_space(source.through)
        after = self._resolved(between, (*passed, labels.name))
        return ClassMap(labels, between, _entries(source, labels)).then(after)

    def describe(self) -> dict[str, str]:
        """Return what identifies the maps in a result: name, target and a hash of the content."""
        content = {
            "target": self.target.to_dict(),
            "sources": {
                name: {"classes": each.classes, "through": each.through}
                for name, each in self._sources.items()
            },
        }
        text = json.dumps(content, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return {"name": self.name, "target": self.target.name, "sha256": digest}


def _entries(source: _Source, labels: LabelSpace) -> tuple[ClassTarget, ...]:
    """Return what each class becomes. Without classes, each becomes the class of its name."""
    names = [entry.name for entry in labels.classes]
    if source.classes is None:
        return tuple(ClassTarget(name) for name in names)
    for name in source.classes:
        if name not in names:
            raise ConfigError(
                f"sources.{labels.name}.classes has a class {name!r}, which the label space "
                f"{labels.name!r} lacks; {nearest(name, names)}"
            )
    unmapped = [name for name in names if name not in source.classes]
    if unmapped:
        raise ConfigError(
            f"sources.{labels.name}.classes lacks {listed(unmapped)}; expected every class of "
            f"{labels.name!r}; map a class without a partner to void"
        )
    return tuple(
        _goal(source.classes[name], f"sources.{labels.name}.classes.{name}") for name in names
    )


def _goal(value: object, key: str) -> ClassTarget:
    if isinstance(value, Mapping):
        marked = from_mapping(_Marked, value, what=key, prefix=f"{key}.")
        kind: Literal["stuff", "crowd"] = "crowd" if marked.stuff is None else "stuff"
        return ClassTarget(marked.stuff or marked.crowd, kind)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ConfigError(
            f"{key} is {value!r}; expected the name of a class, void, {{stuff: CLASS}} or "
            "{crowd: CLASS}"
        )
    return ClassTarget(None if value == _VOID else str(value))


def class_map_names() -> tuple[str, ...]:
    """Return the names of the built-in class maps, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def class_maps(name_or_file: str | Path) -> ClassMaps:
    """Return built-in class maps by name, or read them from a YAML file.

    Args:
        name_or_file: A name of :func:`class_map_names`, or a path that ends in ``.yaml`` or
            ``.yml``.

    Raises:
        ConfigError: If the name is unknown, the file is unreadable, a key or class is unknown, a
            class of a built-in label space is not mapped, or sources form a cycle.

    Example:
        >>> maps = class_maps("common")
        >>> maps.of(label_space("kitti-step")).entries[11]
        ClassTarget(name='person', kind='whole')
    """
    path = Path(name_or_file)
    if str(name_or_file) in class_map_names():
        path = _FOLDER / f"{name_or_file}.yaml"
    elif path.suffix not in {".yaml", ".yml"}:
        hint = nearest(str(name_or_file), class_map_names())
        raise ConfigError(f"unknown class map {str(name_or_file)!r}; {hint}; or give a YAML file")
    try:
        text = read_text(path)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise ConfigError(
            f"cannot be read ({reason}); expected a class map file with {_CONTENT}", where=path
        ) from problem
    data = load_yaml(text, where=path, expected=_CONTENT)
    read = from_mapping(_File, data, what="the class map", where=path)
    found = ClassMaps(path.stem, _target(read.target, path), str(path), read.sources)
    for name in found.source_names:
        if name in label_space_names():
            found.of(label_space(name))
    return found


def _target(given: str | Mapping[str, Any], path: Path) -> LabelSpace:
    labels = (
        label_space(given) if isinstance(given, str) else LabelSpace.from_dict(given, where=path)
    )
    if _VOID in (entry.name for entry in labels.classes):
        raise ConfigError("the target has a class 'void', which is a reserved word", where=path)
    return labels
