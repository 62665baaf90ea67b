"""Import of user code by name: ``package.module:attribute``."""

import importlib
import sys
from pathlib import Path

from mapt_bench.errors import ConfigError, nearest

__all__ = ["attribute_of"]


def attribute_of(name: str, *, kind: str, form: str) -> object:
    """Import an attribute of a module.

    Args:
        name: ``package.module:attribute``. The module is also searched in the current folder.
        kind: Kind of object, for messages, for example ``"tracker"``.
        form: Form of the name, for messages, for example ``"package.module:Class"``.

    Raises:
        ConfigError: If the name has another form, the module is not found or cannot be imported,
            or it lacks the attribute. The message suggests the nearest.

    Example:
        >>> attribute_of("math:pi", kind="number", form="module:name")
        3.141592653589793
    """
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise ConfigError(f"{name!r} is not a {kind}; expected {form}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()  # the module may be new
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
    except Exception as problem:  # user code may raise anything
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
