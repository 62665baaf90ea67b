"""The runs of a plan: combinations of a matrix, of data and of seeds, without the excluded ones."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, product
from typing import get_args, get_origin, get_type_hints

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.experiments.plan_settings import RUN_KEYS, PlanSettings, RunSettings
from mapt_bench.marked_yaml import Mark, Node, in_yaml

__all__ = ["Combination", "combinations", "least_runs", "with_lists"]

_LISTS = frozenset(
    name
    for name, hint in get_type_hints(RunSettings).items()
    if tuple in (get_origin(hint), *map(get_origin, get_args(hint)))
)
_AXES = ("data", "seeds")
"""Keys whose lists are crossed like those of a matrix."""


def least_runs(settings: PlanSettings) -> int:
    """Return the number of runs before anything is excluded. Each has one cell or more."""
    crossed = math.prod(len(values) for values in settings.matrix.values())
    combinations = (crossed if settings.matrix else 0) + len(settings.include)
    return max(1, combinations) * max(1, len(settings.data)) * max(1, len(settings.seeds))


def with_lists(node: Node) -> Node:
    """Return a plan or a run in which every key that takes a list has one."""
    if not isinstance(node.value, dict):
        return node
    value = {
        name: _as_list(each) if name in _LISTS and each.value is not None else each
        for name, each in node.value.items()
    }
    data = value.get("data")
    if data is not None and isinstance(data.value, list):
        value["data"] = replace(data, value=[_listed_segments(each) for each in data.value])
    return replace(node, value=value)


def _as_list(node: Node) -> Node:
    return node if isinstance(node.value, list) else replace(node, value=[node])


def _listed_segments(node: Node) -> Node:
    if not (isinstance(node.value, dict) and "segments" in node.value):
        return node
    return replace(node, value={**node.value, "segments": _as_list(node.value["segments"])})


@dataclass(frozen=True)
class Combination:
    """One run of a plan before it is checked.

    Attributes:
        node: Its keys, with one data set and one seed.
        varied: What the plan varies: the values of the run by key.
        parts: The same values with their positions.
        group: Equal in runs that differ in their seeds only.
        seed: The seed, ``None`` for the default.
    """

    node: Node
    varied: Mapping[str, object]
    parts: Mapping[str, Node]
    group: tuple[int, int]
    seed: object | None

    def place_beside(self, other: "Combination") -> Mark:
        """Return the position of the first value that the other run has from another place."""
        for name, part in self.parts.items():
            if name not in other.parts or other.parts[name].mark != part.mark:
                return part.mark
        return self.node.mark


def combinations(tree: Node) -> Iterator[Combination]:
    """Yield the runs of a plan.

    Args:
        tree: The plan, with its base and its variables filled in.

    Raises:
        ConfigError: If a key of the matrix, of ``include`` or of ``exclude`` is unknown, or
            ``exclude`` removes nothing or everything. The message has line and column.
    """
    found = False
    common = {name: node for name, node in tree.value.items() if name in RUN_KEYS}
    excluded = _Excluded(tree)
    for at, changes in enumerate(chain(_crossed(tree), _included(tree))):
        run = with_lists(replace(tree, value={**common, **changes}))
        chosen = {name: node.plain() for name, node in changes.items() if name not in _AXES}
        axes = {name: _axis(run, name) for name in _AXES}
        for picked in product(*map(enumerate, axes.values())):
            of_data, _ = (place for place, _ in picked)
            single = {name: node for name, (_, node) in zip(_AXES, picked, strict=True) if node}
            others = {name: node for name, node in run.value.items() if name not in _AXES}
            node = replace(run, value={**others, **single})
            if excluded.has({**chosen, **_place_of(single)}):
                continue
            several = {name: each for name, each in single.items() if len(axes[name]) > 1}
            found = True
            values = {name: each.value[0] for name, each in several.items()}
            seed = single.get("seeds")
            yield Combination(
                node,
                {**_place_of(several), **chosen},
                {**values, **changes},
                (at, of_data),
                None if seed is None else seed.value[0].plain(),
            )
    excluded.check_used()
    if not found:
        raise ConfigError(
            f"{excluded.key} removes every run; expected one run or more", where=excluded.mark
        )


def _place_of(axes: Mapping[str, Node]) -> dict[str, object]:
    """Return the seed and the data of a run, by the names that ``exclude`` has for them."""
    found: dict[str, object] = {}
    for name, node in axes.items():
        (only,) = node.plain()
        if name == "seeds":
            found["seed"] = only
        elif isinstance(only, dict):
            found.update({key: only[key] for key in ("suite", "folder") if key in only})
    return found


def _names_of_places(tree: Node) -> list[str]:
    """Return the keys that an entry of ``exclude`` may have."""
    matrix, include = (tree.value.get(name) for name in ("matrix", "include"))
    names = [] if matrix is None or not matrix.value else list(matrix.value)
    for entry in include.value if include is not None and include.value else ():
        names += [name for name in entry.value if name not in _AXES]
    return [*dict.fromkeys(names), "suite", "folder", "seed"]


def _axis(run: Node, name: str) -> list[Node | None]:
    node = run.value.get(name)
    if node is None or not node.value:
        return [None]
    return [replace(node, value=[each]) for each in node.value]


def _crossed(tree: Node) -> Iterator[dict[str, Node]]:
    """Yield every combination of the values of a matrix."""
    matrix = tree.value.get("matrix")
    if matrix is None or not matrix.value:
        if "include" not in tree.value:
            yield {}
        return
    for name, values in matrix.value.items():
        _check_run_key(name, values, "matrix")
        if not values.value:
            message = f"matrix.{name} is empty; expected a value or more"
            raise ConfigError(message, where=values.mark)
    names = list(matrix.value)
    for picked in product(*(matrix.value[name].value for name in names)):
        yield dict(zip(names, picked, strict=True))


def _included(tree: Node) -> Iterator[dict[str, Node]]:
    include = tree.value.get("include")
    for entry in include.value if include is not None and include.value else ():
        for name, node in entry.value.items():
            _check_run_key(name, node, "an entry of include")
        yield entry.value


def _check_run_key(name: str, node: Node, what: str) -> None:
    where = node.key or node.mark
    if what == "matrix" and name in _AXES:
        raise ConfigError(f"{name} is no key of matrix; list its values at the top", where=where)
    if name not in RUN_KEYS:
        known = [key for key in RUN_KEYS if not (what == "matrix" and key in _AXES)]
        hint = nearest(name, known)
        raise ConfigError(f"{what} has an unknown key {name!r}; {hint}", where=where)


class _Excluded:
    """The entries of ``exclude``, and those that removed a run."""

    def __init__(self, tree: Node) -> None:
        exclude = tree.value.get("exclude")
        self._entries: list[Node] = list(exclude.value or ()) if exclude is not None else []
        self._used = [False] * len(self._entries)
        self._names = _names_of_places(tree)
        for entry in self._entries:
            self._check_names(entry)
        self.key = "exclude" if self._entries else "an empty include"
        around = exclude if self._entries else tree.value.get("include")
        self.mark = (around.key or around.mark) if around is not None else tree.mark

    def _check_names(self, entry: Node) -> None:
        for name, node in entry.value.items():
            if name not in self._names:
                raise ConfigError(
                    f"exclude has an unknown key {name!r}; expected a key of the matrix or of "
                    f"include, or suite, folder or seed; {nearest(name, self._names)}",
                    where=node.key or node.mark,
                )

    def has(self, place: Mapping[str, object]) -> bool:
        """Return whether an entry removes the run at this place."""
        found = False
        for at, entry in enumerate(self._entries):
            wanted = entry.plain()
            if all(name in place and place[name] == value for name, value in wanted.items()):
                self._used[at] = found = True
        return found

    def check_used(self) -> None:
        """Refuse an entry that removes nothing, which is a typing error."""
        for entry, is_used in zip(self._entries, self._used, strict=True):
            if not is_used:
                raise ConfigError(
                    f"exclude {in_yaml(entry.plain())} fits no run; expected keys and values of "
                    "the matrix, or seed, suite or folder",
                    where=entry.mark,
                )
