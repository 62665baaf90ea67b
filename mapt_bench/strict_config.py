"""Strict configuration: YAML and mappings to frozen dataclasses. Typing errors are refused.

A key that occurs twice in a file, an unknown key and a value of the wrong type are errors. Each
message names the key with dots (``optimizer.lr``), the nearest valid name, and the file.
"""

import math
import types
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.files import check_plain
from mapt_bench.marked_yaml import Places, in_yaml

__all__ = ["check_mapping", "from_mapping", "known_keys", "load_yaml", "overlaid", "plain_value"]

_Config = TypeVar("_Config")

_MEANING = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    date: "a date, such as 2027-01-31",
}


class _Loader(yaml.SafeLoader):
    """Reads YAML, refuses a key that occurs twice in one mapping, and reads dates as text.

    A name such as ``2027-01-31`` is text. A field that is a date reads the text.
    """


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag != "tag:yaml.org,2002:timestamp"]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _unique_keys(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        if key_node.value in seen and key_node.tag != "tag:yaml.org,2002:merge":
            raise yaml.constructor.ConstructorError(
                problem=f"key {key_node.value!r} occurs twice; keep one",
                problem_mark=key_node.start_mark,
            )
        if isinstance(key_node, yaml.ScalarNode):
            seen.add(key_node.value)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _unique_keys)


def load_yaml(  # the document decides the type of the result
    text: str, *, where: object | None = None, expected: str = "a YAML mapping"
) -> Any:  # noqa: ANN401
    """Parse a YAML document.

    Args:
        text: The document. JSON is YAML too.
        where: File, for messages.
        expected: What the document should hold, for messages.

    Raises:
        ConfigError: If it is not valid YAML, a key occurs twice in one mapping, or a value is one
            that :func:`mapt_bench.files.check_plain` refuses.
    """
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of SafeLoader
    except RecursionError as problem:
        raise ConfigError(
            f"is nested too deeply; expected {expected}; correct it", where=where
        ) from problem
    except (ValueError, TypeError, yaml.YAMLError) as problem:
        raise ConfigError(
            f"is not valid YAML ({_where_and_why(problem)}); expected {expected}", where=where
        ) from problem
    try:
        check_plain(data)
    except ValueError as problem:
        raise ConfigError(f"{problem}; correct it", where=where) from problem
    return data


def plain_value(text: str, *, what: str) -> Any:  # noqa: ANN401 - any YAML
    """Parse one value of the command line as YAML: ``"1e-2"``, ``"[1, 2]"``, ``"false"``.

    Args:
        text: The value.
        what: What the value belongs to, for messages.

    Raises:
        ConfigError: If it is not valid YAML.
    """
    try:
        return load_yaml(text)
    except ConfigError as problem:
        raise ConfigError(f"the value of {what} {problem.message}") from problem


def check_mapping(
    data: object, known: Sequence[str], *, what: str, where: object | None = None, prefix: str = ""
) -> Mapping[str, Any]:
    """Return data after checking that it is a mapping with known keys only.

    Args:
        data: Data from YAML or JSON.
        known: Valid keys.
        what: Description of the data, for messages.
        where: File, for messages.
        prefix: Text before the keys in messages, for example ``"optimizer."``.

    Raises:
        ConfigError: If it is not a mapping, or a key is unknown; the message names the nearest.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(
            f"{what} is {in_yaml(data)}; expected a mapping with the keys {', '.join(known)}",
            where=_place(where, prefix[:-1]),
        )
    for key in data:
        if key not in known:
            hint = nearest(f"{prefix}{key}", [f"{prefix}{name}" for name in known])
            raise ConfigError(
                f"{what} has an unknown key {f'{prefix}{key}'!r}; {hint}",
                where=_place(where, f"{prefix}{key}", is_key=True),
            )
    return data


def from_mapping(
    kind: type[_Config],
    data: object,
    *,
    what: str = "the configuration",
    where: object | None = None,
    prefix: str = "",
) -> _Config:
    """Build a dataclass from a mapping, with the dataclasses inside it.

    Args:
        kind: A dataclass. Its fields are true or false, numbers, text, paths, dates, ``Literal``,
            tuples, mappings of text to values, dataclasses, or unions of these. A union takes its
            first member that fits; ``None`` is allowed where it is a member.
        data: From YAML or JSON. Missing keys take their defaults.
        what: Description of the whole, for messages.
        where: File, for messages, or :class:`~mapt_bench.marked_yaml.Places`, so that they name
            line and column.
        prefix: Text before the keys in messages, for example ``"optimizer."``.

    Raises:
        ConfigError: If a key is unknown or missing, or a value has the wrong type or is out of
            range.
    """
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # a dataclass
    section = prefix[:-1] or what
    given = check_mapping(data, names, what=section, where=where, prefix=prefix)
    hints = get_type_hints(kind)
    for field in fields(kind):  # type: ignore[arg-type]  # a dataclass
        has_default = field.default is not MISSING or field.default_factory is not MISSING
        if not has_default and field.name not in given:
            raise ConfigError(
                f"{section} lacks the key {field.name!r}; expected {_meaning(hints[field.name])}",
                where=_place(where, prefix[:-1]),
            )
    values = {key: _value(hints[key], given[key], f"{prefix}{key}", where) for key in given}
    try:
        return kind(**values)
    except ConfigError as problem:
        place = problem.where or _place(where, prefix[:-1])
        raise ConfigError(problem.message, where=place) from problem


def _place(where: object | None, key: str, *, is_key: bool = False) -> object | None:
    """Return the position of a key in a file whose positions are known, or the file."""
    return where.of(key, is_key=is_key) if isinstance(where, Places) else where


def known_keys(kind: type, prefix: str = "") -> list[str]:
    """Return every key of a dataclass. Keys of dataclasses inside it have dots.

    Example:
        >>> from mapt_bench.training.recipe import Recipe
        >>> [key for key in known_keys(Recipe) if key.startswith("schedule.w")]
        ['schedule.warmup_steps', 'schedule.warmup_from']
    """
    keys = []
    for name, hint in get_type_hints(kind).items():
        inner = is_dataclass(hint) and isinstance(hint, type)
        keys += known_keys(hint, f"{prefix}{name}.") if inner else [f"{prefix}{name}"]
    return keys


def overlaid(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a nested mapping with changes laid over it, section by section.

    Example:
        >>> overlaid({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})
        {'a': {'b': 3, 'c': 2}}
    """
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = overlaid(below, value)
        else:
            merged[key] = value
    return merged


def _where_and_why(problem: Exception) -> str:
    """Return the error of the YAML parser on one line."""
    if isinstance(problem, yaml.MarkedYAMLError) and problem.problem_mark is not None:
        return f"line {problem.problem_mark.line + 1}: {problem.problem}"
    return " ".join(str(problem).split())


def _unexpected(key: str, value: object, expected: str, where: object | None) -> ConfigError:
    return ConfigError(f"{key} is {in_yaml(value)}; expected {expected}", where=_place(where, key))


def _value(hint: Any, value: object, key: str, where: object | None) -> Any:  # noqa: ANN401 - as typed
    """Convert a value to the type of its field, or refuse it."""
    if hint is object:  # the caller checks it
        return value
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _member(arguments, value, key, where)
    if origin is Literal:
        if value not in arguments:
            hinted = nearest(str(value), [str(each) for each in arguments])
            raise ConfigError(f"{key} is {in_yaml(value)}; {hinted}", where=_place(where, key))
        return value
    if origin is tuple:
        return _tuple(arguments, value, key, where)
    if origin in (dict, Mapping):
        return _mapping(arguments[1], value, key, where)
    if is_dataclass(hint) and isinstance(hint, type):
        return from_mapping(hint, value, where=where, prefix=f"{key}.")
    return _scalar(hint, value, key, where)


def _meaning(hint: Any) -> str:  # noqa: ANN401 - as typed
    """Return what a field expects, for messages."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _meaning(next(each for each in arguments if each is not type(None)))
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is tuple:
        return _list_meaning(arguments)
    if origin in (dict, Mapping):
        return "a mapping of names to values"
    return f"a mapping with the keys {_key_list(hint)}" if is_dataclass(hint) else _MEANING[hint]


def _list_meaning(kinds: tuple[Any, ...]) -> str:
    length = "" if kinds[-1] is ... else f"{len(kinds)} "
    if is_dataclass(kinds[0]):
        return f"a list of {length}mappings with the keys {_key_list(kinds[0])}"
    return f"a list of {length}{'numbers' if kinds[0] in (int, float) else 'values'}"


def _key_list(kind: Any) -> str:  # noqa: ANN401 - a dataclass
    return ", ".join(field.name for field in fields(kind))


def _member(kinds: tuple[Any, ...], value: object, key: str, where: object | None) -> object:
    """Return a value as the first member of a union that fits, or refuse it as the first member."""
    if value is None and type(None) in kinds:
        return None
    members = [each for each in kinds if each is not type(None)]
    # A mapping is meant for a dataclass, so that its errors are those of the keys inside it.
    first, *others = sorted(members, key=lambda each: is_dataclass(each) != _is_mapping(value))
    try:
        return _value(first, value, key, where)
    except ConfigError:
        for kind in others:
            with suppress(ConfigError):
                return _value(kind, value, key, where)
        raise


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _first_kind(hint: Any) -> Any:  # noqa: ANN401 - as typed
    return get_args(hint)[0] if get_origin(hint) in (Union, types.UnionType) else hint


def _tuple(kinds: tuple[Any, ...], value: object, key: str, where: object | None) -> object:
    any_length = kinds[-1] is ...
    if not isinstance(value, list | tuple) or not (any_length or len(value) == len(kinds)):
        raise _unexpected(key, value, _list_meaning(kinds), where)
    if is_dataclass(_first_kind(kinds[0])) or isinstance(where, Places):  # tells entries apart
        places = [f"{key}[{place}]" for place in range(len(value))]
    else:
        places = [key] * len(value)
    return tuple(_value(kinds[0], *each, where) for each in zip(value, places, strict=True))


def _mapping(kind: Any, value: object, key: str, where: object | None) -> object:  # noqa: ANN401
    if not isinstance(value, Mapping):
        raise _unexpected(key, value, "a mapping of names to values", where)
    return {str(name): _value(kind, part, f"{key}.{name}", where) for name, part in value.items()}


def _scalar(kind: type, value: object, key: str, where: object | None) -> object:
    if kind is float and isinstance(value, str):
        with suppress(ValueError):  # YAML reads 1e-4, without a point, as text
            value = float(value)
    if kind is float and type(value) is int:
        value = float(value)
    if kind is Path and isinstance(value, str) and value and "\0" not in value:
        value = Path(value)
    if kind is date and isinstance(value, str):
        with suppress(ValueError):
            value = date.fromisoformat(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{key} is {value}; expected a finite number", where=_place(where, key))
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _unexpected(key, value, _MEANING[kind], where)
    return value
