"""Configurations of the model by name or from YAML, read strictly."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from importlib import resources
from pathlib import Path
from typing import Any

from mapt_bench.errors import ConfigError, a_type, nearest
from mapt_bench.files import read_text
from mapt_bench.model.config import MaptConfig, SemanticConfig
from mapt_bench.model.motion_config import motion_config
from mapt_bench.strict_config import from_mapping, load_yaml, plain_value

__all__ = ["mapt_config", "mapt_config_from_dict", "mapt_config_names", "mapt_config_to_dict"]

_Plain = dict[str, Any]


def mapt_config_names() -> tuple[str, ...]:
    """Return the names of the configurations that come with the package, sorted."""
    files = resources.files("mapt_bench.model").joinpath("configs").iterdir()
    return tuple(sorted(Path(file.name).stem for file in files))


def mapt_config(name_or_file: str | Path, /, **changes: object) -> MaptConfig:
    """Return a configuration by name, or from a YAML file.

    A file says what differs from the model of the paper, or from its ``base``, another name or
    file. In it, ``motion: {design: linear-s4}`` takes a design of the motion head by name in place
    of all that the base says of that head. ``motion.in_channels`` is ``semantic.channels`` unless
    it is said.

    Args:
        name_or_file: One of :func:`mapt_config_names`, or a path that ends in ``.yaml`` or
            ``.yml``.
        **changes: Values by dotted key. Text is read as YAML: ``"false"`` is no text.

    Raises:
        ConfigError: If there is no such configuration, no such key (the nearest is named), or a
            value that cannot be.

    Example:
        >>> mapt_config("mapt-regnety8gf").backbone.name
        'regnet_y_8gf'
        >>> mapt_config("mapt-tiny", **{"motion.gate": "false"}).motion.gate
        False
    """
    plain = _read(str(name_or_file), seen=())
    return mapt_config_from_dict(_merged(plain, _nested(changes)), where=str(name_or_file))


def mapt_config_to_dict(config: MaptConfig) -> _Plain:
    """Return plain data for JSON or YAML that :func:`mapt_config_from_dict` reads back."""
    plain: _Plain = asdict(config)
    return plain


def mapt_config_from_dict(data: Mapping[str, Any], *, where: object | None = None) -> MaptConfig:
    """Build a configuration from plain data; what is not said is as in the paper's model.

    Args:
        data: Nested as the dataclasses are.
        where: File to name in messages.

    Raises:
        ConfigError: If a key is unknown (the nearest is named) or a value cannot be.
    """
    plain = dict(data)
    motion = plain.get("motion", {})
    if isinstance(motion, Mapping):
        plain["motion"] = _with_design(motion, plain.get("semantic", {}), where)
    return from_mapping(MaptConfig, plain, what="the model", where=where)


def _with_design(motion: Mapping[str, Any], semantic: object, where: object | None) -> _Plain:
    """Spell out a design of the motion head, and the channels that it reads."""
    own = dict(motion)
    if "design" in own:
        try:
            design = motion_config(str(own.pop("design")))
        except ConfigError as problem:
            raise ConfigError(f"motion.design: {problem.message}", where=where) from problem
        # Unless it is said here, a head reads what the semantic head gives.
        named = {entry.name: getattr(design, entry.name) for entry in fields(design)}
        named.pop("in_channels")
        own = named | own
    channels = semantic.get("channels") if isinstance(semantic, Mapping) else None
    own.setdefault("in_channels", SemanticConfig().channels if channels is None else channels)
    return own


def _read(name_or_file: str, seen: tuple[str, ...]) -> _Plain:
    if name_or_file in seen:
        raise ConfigError(f"is its own base: {' -> '.join((*seen, name_or_file))}", where=seen[0])
    text = _text(name_or_file, where=seen[-1] if seen else None)
    plain = load_yaml(text, where=name_or_file) or {}
    if not isinstance(plain, dict):
        raise ConfigError(
            f"holds {a_type(plain)}; expected a mapping, as 'backbone: {{name: tiny}}'",
            where=name_or_file,
        )
    base = plain.pop("base", None)
    return plain if base is None else _merged(_read(str(base), (*seen, name_or_file)), plain)


def _text(name_or_file: str, where: object | None) -> str:
    if name_or_file in mapt_config_names():
        file = resources.files("mapt_bench.model").joinpath("configs", f"{name_or_file}.yaml")
        return file.read_text(encoding="utf-8")
    if Path(name_or_file).suffix not in (".yaml", ".yml"):
        raise ConfigError(
            f"unknown model configuration {name_or_file!r};"
            f" {nearest(name_or_file, mapt_config_names())}; or give a YAML file",
            where=where,
        )
    try:
        return read_text(Path(name_or_file))
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(
            f"cannot be read ({problem}); expected a YAML file, or one of"
            f" {', '.join(mapt_config_names())}",
            where=name_or_file,
        ) from problem


def _nested(changes: Mapping[str, object]) -> _Plain:
    nested: _Plain = {}
    for key, value in changes.items():
        parsed = plain_value(value, what=key) if isinstance(value, str) else value
        *path, last = key.split(".")
        section = nested
        for name in path:
            section = section.setdefault(name, {})
            if not isinstance(section, dict):
                raise ConfigError(
                    f"{name!r} of {key!r} is given a value of its own, too", where=key
                )
        section[last] = parsed
    return nested


def _merged(base: _Plain, changes: _Plain) -> _Plain:
    result = dict(base)
    for key, value in changes.items():
        older = result.get(key)
        if isinstance(value, dict) and isinstance(older, dict) and "design" not in value:
            result[key] = _merged(older, value)
        else:
            result[key] = value
    return result
