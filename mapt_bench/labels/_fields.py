"""Checked access to fields of YAML and JSON data. Messages name the wrong field."""

from collections.abc import Mapping
from typing import Any

from mapt_bench.errors import ConfigError
from mapt_bench.strict_config import check_mapping

__all__ = ["color_field", "flag_field", "integer_field", "mapping", "text_field"]

Fields = Mapping[str, Any]


def mapping(data: object, what: str, allowed: set[str], where: object | None) -> Fields:
    """Return data after checking that it is a mapping without unknown keys.

    Args:
        data: Data from YAML or JSON.
        what: Description of the data, for messages.
        allowed: Allowed keys.
        where: File, for messages.

    Raises:
        ConfigError: If the data are not a mapping or have another key.
    """
    return check_mapping(data, sorted(allowed), what=what, where=where)


def integer_field(fields: Fields, key: str, what: str, where: object | None) -> int:
    """Return a whole number.

    Raises:
        ConfigError: If the field is missing or has another type.
    """
    value = _required(fields, key, what, "a whole number", where)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(what, key, value, "a whole number", where)
    return value


def flag_field(fields: Fields, key: str, what: str, where: object | None) -> bool:
    """Return true or false.

    Raises:
        ConfigError: If the field is missing or has another type.
    """
    value = _required(fields, key, what, "true or false", where)
    if not isinstance(value, bool):
        raise _wrong(what, key, value, "true or false", where)
    return value


def text_field(fields: Fields, key: str, what: str, where: object | None) -> str:
    """Return text. A number counts as text.

    Raises:
        ConfigError: If the field is missing or has another type.
    """
    value = _required(fields, key, what, "text", where)
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise _wrong(what, key, value, "text (put words such as yes or null in quotes)", where)
    return str(value)


def color_field(fields: Fields, key: str, what: str, where: object | None) -> tuple[int, int, int]:
    """Return RGB in 0..255.

    Raises:
        ConfigError: If the field is missing or has another type.
    """
    expected = "three whole numbers [r, g, b] from 0 to 255"
    value = _required(fields, key, what, expected, where)
    if isinstance(value, list | tuple) and len(value) == 3:
        red, green, blue = value
        if all(type(part) is int and 0 <= part <= 255 for part in value):
            return red, green, blue
    raise _wrong(what, key, value, expected, where)


def _required(fields: Fields, key: str, what: str, expected: str, where: object | None) -> object:
    if key not in fields:
        raise ConfigError(f"{what} has no {key!r}; expected {expected}", where=where)
    return fields[key]


def _wrong(what: str, key: str, value: object, expected: str, where: object | None) -> ConfigError:
    return ConfigError(f"{key!r} of {what} is {value!r}; expected {expected}", where=where)
