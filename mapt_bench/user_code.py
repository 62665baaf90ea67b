"""Objects of somebody else's code, by name: ``package.module:attribute``."""

import importlib
import sys
from pathlib import Path

from mapt_bench.errors import ConfigError, nearest

__all__ = ["attribute_of"]


def attribute_of(name: str, *, kind: str, form: str) -> object:
    """Import what a name says.

    Args:
        name: ``package.module:attribute``; the module is looked for in the current folder, too.
        kind: What it is to be, for messages, for example ``"tracker"``.
        form: How such a name is written, for messages, for example ``"package.module:Class"``.

    Raises:
        ConfigError: If the name has another form, its module is not found or cannot be imported,
            or lacks the attribute; the nearest is suggested.

    Example:
        >>> attribute_of("math:pi", kind="number", form="module:name")
        3.141592653589793
    """
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise ConfigError(f"{name!r} is no {kind}; expected {form}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()  # the module may have been written a moment ago
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as problem:
        if problem.name and f"{module_name}.".startswith(f"{problem.name}."):
            raise ConfigError(
                f"there is no module {problem.name!r} for {kind} {name!r}, neither installed "
                "nor in the current folder",
                where=here,
            ) from problem
        raise ConfigError(
            f"module {module_name!r} of {kind} {name!r} needs {problem.name!r}, which is not "
            "installed"
        ) from problem
    except Exception as problem:  # whatever somebody's module may raise
        raise ConfigError(
            f"module {module_name!r} of {kind} {name!r} cannot be imported: "
            f"{type(problem).__name__}: {problem}"
        ) from problem
    if not hasattr(module, attribute):
        public = [word for word in vars(module) if not word.startswith("_")]
        raise ConfigError(
            f"module {module_name!r} has no {attribute!r}; {nearest(attribute, public)}",
            where=module.__file__,
        )
    found: object = getattr(module, attribute)
    return found
