"""Settings of a training: from the command line, and their ranges."""

from collections.abc import Sequence
from typing import Any

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.strict_config import known_keys, plain_value

__all__ = ["check_range", "parse_overrides"]


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
            raise ConfigError(f"--set has an unknown key {key!r}; {nearest(key, known)}")
        parsed = plain_value(value, what=f"--set {text!r}")
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
