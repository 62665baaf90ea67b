"""Frozen dataclasses from plain data: every key known, every value of the kind its field says."""

import types
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from mapt_bench.errors import ConfigError, nearest

__all__ = ["check_range", "known_keys", "parse_overrides", "settings_from"]

_Settings = TypeVar("_Settings")

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def settings_from(
    kind: type[_Settings], data: object, *, where: object | None = None, prefix: str = ""
) -> _Settings:
    """Build a dataclass from a mapping, dataclasses inside it too.

    Args:
        kind: A dataclass whose fields are switches, numbers, texts, ``Literal``, tuples of numbers
            or mappings, mappings of text to numbers, dataclasses, or one of these or ``None``.
        data: From YAML or JSON; missing keys take the defaults.
        where: File, for messages.
        prefix: What stands before the names of keys in messages, for example ``"optimizer."``.

    Raises:
        ConfigError: If a key is unknown (the nearest is named) or missing, or a value is of another
            kind.
    """
    keys = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # a dataclass
    if not isinstance(data, Mapping):
        what = f"{prefix[:-1]!r}" if prefix else "the whole"
        raise ConfigError(
            f"{what} is {data!r}; expected a mapping with the keys {', '.join(keys)}", where=where
        )
    for key in data:
        if key not in keys:
            hint = nearest(f"{prefix}{key}", [f"{prefix}{name}" for name in keys])
            raise ConfigError(f"there is no setting {f'{prefix}{key}'!r}; {hint}", where=where)
    hints = get_type_hints(kind)
    values = {key: _value(hints[key], data[key], f"{prefix}{key}", where) for key in data}
    try:
        return kind(**values)
    except TypeError as problem:  # a field without a default was left out
        raise ConfigError(f"a setting is missing ({problem})", where=where) from problem
    except ConfigError as problem:
        raise ConfigError(problem.message, where=problem.where or where) from problem


def known_keys(kind: type, prefix: str = "") -> list[str]:
    """Return every setting of a dataclass, those of dataclasses inside it with dots.

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


def parse_overrides(texts: Sequence[str], kind: type) -> dict[str, Any]:
    """Read settings from the command line, ``section.key=value``, into a nested mapping.

    Args:
        texts: For example ``["optimizer.lr=0.02", "clips.taus=[1, 2]"]``; values are YAML.
        kind: The dataclass that they are of.

    Raises:
        ConfigError: If a text has no ``=``, no such setting exists, or a value is no YAML.

    Example:
        >>> from mapt_bench.training.recipe import Recipe
        >>> parse_overrides(["steps=200", "optimizer.name=adamw"], Recipe)
        {'steps': 200, 'optimizer': {'name': 'adamw'}}
    """
    tree: dict[str, Any] = {}
    known = known_keys(kind)
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--set is {text!r}; expected KEY=VALUE, as in optimizer.lr=0.02")
        named = [name for name in known if key == name or key.startswith(f"{name}.")]
        if not named:  # what follows the name of a mapping is a key of it, dots and all
            raise ConfigError(f"there is no setting {key!r}; {nearest(key, known)}")
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError as problem:
            raise ConfigError(f"the value of --set {text!r} is no YAML") from problem
        *sections, last = named[0].split(".")
        if key != named[0]:
            sections, last = [*sections, last], key.removeprefix(f"{named[0]}.")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[last] = parsed
    return tree


def check_range(
    name: str, value: float, low: float, high: float = float("inf"), *, open_low: bool = False
) -> None:
    """Refuse a number outside ``[low, high]``, or outside ``(low, high]``.

    Raises:
        ConfigError: If it is outside, or is no number at all.
    """
    inside = (low < value if open_low else low <= value) and value <= high
    if not inside:
        bound = f"more than {low:g}" if open_low else f"{low:g} or more"
        upper = "" if high == float("inf") else f" and at most {high:g}"
        raise ConfigError(f"{name} is {value!r}; expected {bound}{upper}")


def _value(hint: Any, value: object, key: str, where: object | None) -> Any:  # noqa: ANN401 - as typed
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        (inner,) = (kind for kind in get_args(hint) if kind is not type(None))
        return _value(inner, value, key, where)
    if origin is Literal:
        if value not in get_args(hint):
            choices = [str(choice) for choice in get_args(hint)]
            raise ConfigError(f"{key} is {value!r}; {nearest(str(value), choices)}", where=where)
        return value
    if origin is tuple:
        return _tuple(get_args(hint), value, key, where)
    if origin in (dict, Mapping):
        return _mapping(hint, value, key, where)
    if is_dataclass(hint) and isinstance(hint, type):
        return settings_from(hint, value, where=where, prefix=f"{key}.")
    return _scalar(hint, value, key, where)


def _tuple(kinds: tuple[Any, ...], value: object, key: str, where: object | None) -> object:
    any_length = kinds[-1] is ...
    fits = isinstance(value, list | tuple) and (any_length or len(value) == len(kinds))
    if not fits:
        length = "" if any_length else f"{len(kinds)} "
        what = "mappings" if get_origin(kinds[0]) in (dict, Mapping) else "numbers"
        raise ConfigError(f"{key} is {value!r}; expected a list of {length}{what}", where=where)
    parts: Sequence[object] = value  # type: ignore[assignment]  # a list or a tuple, as seen above
    if get_origin(kinds[0]) in (dict, Mapping):
        return tuple(_mapping(kinds[0], part, key, where) for part in parts)
    return tuple(_scalar(kinds[0], part, key, where) for part in parts)


def _mapping(hint: Any, value: object, key: str, where: object | None) -> object:  # noqa: ANN401
    if not isinstance(value, Mapping):
        raise ConfigError(f"{key} is {value!r}; expected a mapping of names to values", where=where)
    kind = get_args(hint)[1]
    if kind is object:  # for somebody else to check
        return {str(name): part for name, part in value.items()}
    return {str(name): _scalar(kind, part, f"{key}.{name}", where) for name, part in value.items()}


def _scalar(kind: type, value: object, key: str, where: object | None) -> object:
    if kind is float and isinstance(value, str):
        with suppress(ValueError):  # YAML takes 1e-4, without a point, for text
            value = float(value)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ConfigError(f"{key} is {value!r}; expected {_KINDS[kind]}", where=where)
    return value
