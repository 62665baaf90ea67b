"""Recipes by name or from YAML, changed by ``--set``."""

import importlib.resources
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.files import read_text
from mapt_bench.strict_config import known_keys, load_yaml, overlaid, plain_value
from mapt_bench.training.recipe import Recipe

__all__ = ["parse_overrides", "read_recipe", "recipe_names", "short_training"]

_RECIPES = importlib.resources.files("mapt_bench.training") / "recipes"


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that ship with the package, sorted."""
    if not _RECIPES.is_dir():
        return ()
    files = (Path(entry.name) for entry in _RECIPES.iterdir())
    return tuple(sorted(file.stem for file in files if file.suffix == ".yaml"))


def read_recipe(name_or_file: str, overrides: Sequence[str] = ()) -> Recipe:
    """Return a recipe of the package by name, or read one from a YAML file.

    Args:
        name_or_file: One of :func:`recipe_names`; a path that ends in ``.yaml`` or ``.yml``; or
            ``package.module:function``, which stands for that model with the default settings.
        overrides: Settings that replace the recipe's, as ``optimizer.lr=0.02``.

    Raises:
        ConfigError: If there is no such recipe, a key is unknown (the nearest is named), or a value
            is wrong.
    """
    data, where = _recipe_data(name_or_file)
    if not isinstance(data, Mapping):
        raise ConfigError(f"is {data!r}; expected a mapping of settings", where=where)
    Recipe.from_dict(data, where=where)  # what is wrong in the file is told of the file
    return Recipe.from_dict(overlaid(data, parse_overrides(overrides, Recipe)), where=where)


_FEWEST_LINES = 10


def short_training(recipe: Recipe) -> tuple[str, ...]:
    """Return the setting that gives a short training ten lines in its log, if it has fewer.

    Otherwise the log of 20 steps has one line, and neither a loss that falls nor a curve.

    Returns:
        At most one override, ``log_every=N``. N divides the recipe's ``log_every``, so that
        validations and checkpoints are at ends of lines.
    """
    most = max(recipe.steps // _FEWEST_LINES, 1)
    if recipe.log_every <= most:
        return ()
    every = max(each for each in range(1, most + 1) if recipe.log_every % each == 0)
    return (f"log_every={every}",)


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


def _recipe_data(name_or_file: str) -> tuple[object, object]:
    path = Path(name_or_file)
    if path.suffix in {".yaml", ".yml"}:
        try:
            text = read_text(path)
        except (OSError, UnicodeDecodeError) as problem:
            raise ConfigError(f"cannot be read ({problem})", where=path) from problem
        return load_yaml(text, where=path, expected="a mapping of settings"), path
    if ":" in name_or_file:
        return {"model": name_or_file}, name_or_file
    if name_or_file not in recipe_names():
        raise ConfigError(
            f"there is no recipe {name_or_file!r}; {nearest(name_or_file, recipe_names())}; or "
            "give a YAML file"
        )
    return _shipped(name_or_file), name_or_file


def _shipped(name: str) -> dict[str, Any]:
    """Return a recipe of the package, laid over the one that it names as its ``base``."""
    data: dict[str, Any] = load_yaml((_RECIPES / f"{name}.yaml").read_text(encoding="utf-8"))
    base = data.pop("base", None)
    return data if base is None else overlaid(_shipped(base), data)
