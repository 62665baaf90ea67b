"""YAML with positions: every value knows its file, line and column. The traps of YAML are refused.

Tags, merge keys, dates without quotes, keys that occur twice, and aliases that grow without bound
are errors. Each message names the place.
"""

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import yaml

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.files import read_bytes

__all__ = [
    "Mark",
    "Node",
    "Places",
    "in_yaml",
    "overlaid_nodes",
    "read_marked",
    "with_variables",
]

_MOST_BYTES = 1_000_000
_MOST_VALUES = 100_000
_MOST_DEPTH = 20

_TAG = "tag:yaml.org,2002:"
_SCALARS = frozenset(f"{_TAG}{name}" for name in ("bool", "float", "int", "null", "str"))
_TIMESTAMP, _MERGE = f"{_TAG}timestamp", f"{_TAG}merge"
_MAP, _LIST = f"{_TAG}map", f"{_TAG}seq"
_VARIABLE = re.compile(r"\$(\$?)\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Mark:
    """A position in a file.

    Attributes:
        file: Path of the file, as the user wrote it.
        line: Line, from 1.
        column: Column, from 1.
    """

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """Return the position in words."""
        return f"{self.file}, line {self.line}, column {self.column}"


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a YAML document.

    Attributes:
        value: A scalar, a list of nodes, or a mapping of names to nodes.
        mark: Position of the value.
        key: Position of its key. ``None`` if it has none.
        is_plain: Whether it is a scalar without quotes.
    """

    value: Any
    mark: Mark
    key: Mark | None = None
    is_plain: bool = False

    def plain(self) -> Any:  # noqa: ANN401 - any YAML
        """Return the value without positions."""
        if isinstance(self.value, dict):
            return {name: node.plain() for name, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


class Places:
    """Positions of the values of a document, for :func:`~mapt_bench.strict_config.from_mapping`.

    Args:
        node: The document.
    """

    _PART: ClassVar[re.Pattern[str]] = re.compile(r"\[(\d+)\]|([^.\[\]]+)")

    def __init__(self, node: Node) -> None:
        self._node = node

    def __str__(self) -> str:
        """Return the path of the file."""
        return self._node.mark.file

    def of(self, key: str, *, is_key: bool = False) -> str:
        """Return the position of a value, or of the nearest value around it.

        Args:
            key: Path with dots and places in lists, such as ``"data[0].suite"``.
            is_key: Whether to return the position of its key.
        """
        node = self._node
        for place, name in self._PART.findall(key):
            found = node.value
            if place and isinstance(found, list) and int(place) < len(found):
                node = found[int(place)]
            elif name and isinstance(found, dict) and name in found:
                node = found[name]
            else:
                break
        return str(node.key if is_key and node.key is not None else node.mark)


def read_marked(path: Path) -> Node:
    """Read a YAML file that holds a mapping.

    Args:
        path: The file, in UTF-8, of at most 1 MB. JSON is YAML too.

    Raises:
        ConfigError: If the file cannot be read, is not valid YAML or holds no mapping, or if it has
            one of the traps that this module refuses. The message names line and column.
        DataError: If it is a named pipe, a socket or a device.
    """
    try:
        content, _ = read_bytes(path, _MOST_BYTES + 1)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise ConfigError(f"cannot be read ({reason}); expected a file", where=path) from problem
    if len(content) > _MOST_BYTES:
        raise ConfigError(
            f"has more than {_MOST_BYTES:,} bytes; expected a YAML file written by hand", where=path
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ConfigError(
            f"is not text in UTF-8 (byte {problem.start}); save it as UTF-8",
            where=_mark_after(str(path), content[: problem.start].decode("utf-8-sig")),
        ) from problem
    return _Reader(str(path)).read(text)


class _Reader:
    """Turns one YAML document into nodes, and counts them."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._count = 0
        self._constructor = yaml.SafeLoader("")

    def read(self, text: str) -> Node:
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except RecursionError:
            message = f"is nested deeper than {_MOST_DEPTH} levels"
            raise ConfigError(message, where=self._too_deep(text)) from None
        except yaml.MarkedYAMLError as problem:
            mark = problem.problem_mark or problem.context_mark
            place = self._file if mark is None else self._mark(mark)
            raise ConfigError(_why(problem), where=place) from problem
        except yaml.YAMLError as problem:  # such as a character that YAML has not
            message = f"is not valid YAML ({' '.join(str(problem).split())})"
            at = getattr(problem, "position", 0)
            raise ConfigError(message, where=_mark_after(self._file, text[:at])) from problem
        if not isinstance(root, yaml.MappingNode):
            found = "is empty" if root is None else "holds no mapping"
            place = Mark(self._file, 1, 1) if root is None else self._mark(root.start_mark)
            raise ConfigError(f"{found}; expected a mapping of keys to values", where=place)
        return self._node(root, ())

    def _too_deep(self, text: str) -> Mark:
        """Return where a document becomes too deep. Events are read without recursion."""
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _MOST_DEPTH:
                return self._mark(event.start_mark)
        return Mark(self._file, 1, 1)

    def _mark(self, mark: Any) -> Mark:  # noqa: ANN401 - PyYAML's mark
        return Mark(self._file, mark.line + 1, mark.column + 1)

    def _node(self, node: yaml.Node, above: tuple[int, ...], key: Mark | None = None) -> Node:
        mark = self._mark(node.start_mark)
        self._count += 1
        if id(node) in above:
            raise ConfigError("an alias refers to a value that contains it", where=mark)
        if len(above) >= _MOST_DEPTH:
            raise ConfigError(f"is nested deeper than {_MOST_DEPTH} levels", where=mark)
        if self._count > _MOST_VALUES:
            raise ConfigError(
                f"the document has more than {_MOST_VALUES:,} values, counted with its aliases; "
                "remove aliases, or use a matrix",
                where=mark,
            )
        above = (*above, id(node))
        if isinstance(node, yaml.MappingNode) and node.tag == _MAP:
            return Node(self._mapping(node, above), mark, key)
        if isinstance(node, yaml.SequenceNode) and node.tag == _LIST:
            return Node([self._node(each, above) for each in node.value], mark, key)
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
            return Node(self._scalar(node, mark), mark, key, is_plain=node.style is None)
        if node.tag == _TIMESTAMP:
            raise ConfigError(f"YAML reads {node.value} as a date; quote it", where=mark)
        raise ConfigError(f"the tag {_tag(node.tag)} is not allowed; remove it", where=mark)

    def _mapping(self, node: yaml.MappingNode, above: tuple[int, ...]) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for key, value in node.value:
            mark = self._mark(key.start_mark)
            if key.tag == _MERGE:
                raise ConfigError("the merge key << is not allowed; use base", where=mark)
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError("a key is no text; expected a name", where=mark)
            if key.value in found:
                raise ConfigError(f"the key {key.value!r} occurs twice; keep one", where=mark)
            found[key.value] = self._node(value, above, mark)
        return found

    def _scalar(self, node: yaml.ScalarNode, mark: Mark) -> object:
        return _checked_number(self._constructor, node, mark)


def _checked_number(constructor: yaml.SafeLoader, node: yaml.ScalarNode, mark: Mark) -> object:
    try:
        value = constructor.construct_object(node)
    except (ValueError, OverflowError, yaml.YAMLError) as problem:
        raise ConfigError(f"{node.value!r} is no valid value; quote text", where=mark) from problem
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{node.value} is no finite number; expected one", where=mark)
    return value


def _mark_after(file: str, text: str) -> Mark:
    """Return the position after a text at the start of a file."""
    return Mark(file, text.count("\n") + 1, len(text) - text.rfind("\n"))


def in_yaml(value: object) -> str:
    """Return plain data as a YAML file has it, on one line. Text is in quotes.

    Example:
        >>> in_yaml(True), in_yaml("x"), in_yaml({"memory": None, "levels": [1, 2]})
        ('true', "'x'", '{memory: null, levels: [1, 2]}')
    """
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, dict | list | tuple):
        plain = list(value) if isinstance(value, tuple) else value
        with suppress(yaml.YAMLError):  # another type than those of YAML
            flow: str = yaml.safe_dump(
                plain, default_flow_style=True, sort_keys=False, allow_unicode=True, width=math.inf
            )
            return flow.strip()
    return repr(value)


def _why(problem: yaml.MarkedYAMLError) -> str:
    reason = problem.problem or "cannot be parsed"
    if r"'\t'" in reason:
        return "there is a tab where YAML expects spaces; indent with spaces"
    if "found undefined alias" in reason:
        return f"{reason.replace('found undefined', 'there is no anchor for the')}; define it first"
    if "expected a single document" in (problem.context or ""):
        return "a second document begins; expected one document in a file"
    return f"is not valid YAML ({reason})"


def _tag(tag: str) -> str:
    return tag.replace(_TAG, "!!")


def overlaid_nodes(below: Node, above: Node) -> Node:
    """Return a document with another one laid over it. Mappings merge; other values are replaced.

    Args:
        below: The base.
        above: Its values win.
    """
    if not (isinstance(below.value, dict) and isinstance(above.value, dict)):
        return above
    merged = dict(below.value)
    for name, node in above.value.items():
        merged[name] = overlaid_nodes(merged[name], node) if name in merged else node
    return replace(above, value=merged)


def with_variables(node: Node, values: Mapping[str, object], used: set[str]) -> Node:
    """Return a document with the value of each ``${NAME}`` in its texts. ``$${`` stays as ``${``.

    Args:
        node: The document.
        values: Values by name. A text that is one variable without quotes takes the type of its
            value: with ``n=3``, ``${n}`` is a number and ``"${n}"`` is text.
        used: Takes the names of the variables in the document.

    Raises:
        ConfigError: If a variable has no value. The message names the nearest.
    """
    if isinstance(node.value, dict):
        filled = {name: with_variables(each, values, used) for name, each in node.value.items()}
        return replace(node, value=filled)
    if isinstance(node.value, list):
        return replace(node, value=[with_variables(each, values, used) for each in node.value])
    if not isinstance(node.value, str) or "${" not in node.value:
        return node

    def value_of(found: re.Match[str]) -> str:
        if found[1]:
            return found[0][1:]
        used.add(found[2])
        if found[2] not in values:
            hint = nearest(found[2], values) if values else "there are none"
            raise ConfigError(
                f"the variable {found[0]} has no value; give --var {found[2]}=VALUE, or list it "
                f"under variables; {hint}",
                where=node.mark,
            )
        return _as_text(values[found[2]])

    whole = _VARIABLE.fullmatch(node.value)
    text = _VARIABLE.sub(value_of, node.value)
    typed = whole is not None and not whole[1] and node.is_plain
    return replace(node, value=_typed(text, node.mark) if typed else text)


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _typed(text: str, mark: Mark) -> object:
    loader = yaml.SafeLoader("")
    tag = loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    if tag not in _SCALARS:  # a date, or a tag
        return text
    return _checked_number(loader, yaml.ScalarNode(tag, text), mark)
