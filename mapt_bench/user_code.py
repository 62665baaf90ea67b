"""User code by name, ``package.module:attribute``, and a fingerprint of its source."""

import ast
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from weakref import WeakKeyDictionary

from mapt_bench import PUBLIC
from mapt_bench.errors import ConfigError, nearest

__all__ = ["attribute_of", "source_files", "source_fingerprint"]

_PACKAGE = __name__.partition(".")[0]

_INSTALLED = {"site-packages", "dist-packages"}
"""Folders of installed packages: their versions belong to the provenance, not to the key."""


def attribute_of(name: str, *, kind: str, form: str) -> object:
    """Import an attribute of a module.

    Args:
        name: ``package.module:attribute``. The module is searched among the installed ones, then
            in the current folder.
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
    if module_name.endswith(".py"):
        module_name = ".".join(Path(module_name).with_suffix("").parts)
        raise ConfigError(
            f"{name!r} names a file; expected {form}; write {module_name}:{attribute}"
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last: a types.py in a data folder must not replace Python's own
    importlib.invalidate_caches()  # the module may be new
    try:
        with redirect_stdout(sys.stderr):  # stdout is for results
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
    except SystemExit as problem:
        raise ConfigError(
            f"module {module_name!r} of {kind} {name!r} called sys.exit({problem.code!r}) while it "
            "was imported; put code that runs a program under if __name__ == '__main__'"
        ) from problem
    if not hasattr(module, attribute):
        public = [word for word in vars(module) if not word.startswith("_")]
        raise ConfigError(
            f"module {module_name!r} has no {attribute!r}; {nearest(attribute, public)}",
            where=module.__file__,
        )
    found: object = getattr(module, attribute)
    return found


def source_fingerprint(module_name: str) -> str:
    """Return a hash of the code of an imported module and of all modules that it imports.

    The hash ignores comments, docstrings and layout. It is computed once per process, because a
    process keeps running the code that it imported, even if the file changes.

    Args:
        module_name: Name of an imported module.

    Returns:
        64 hexadecimal digits. :func:`source_files` lists the hashed files.

    Raises:
        ConfigError: If the module does not come from a file.
    """
    module = sys.modules[module_name]
    if module not in _FINGERPRINTS:
        digest = hashlib.sha256()
        files = source_files(module_name)
        if module_name not in files:
            raise ConfigError(
                f"the source of module {module_name!r} is not found; put it in a file of its own"
            )
        for name, path in sorted(files.items()):
            digest.update(f"{name}\0".encode())
            digest.update(hashlib.sha256(_code_of(path)).digest())
        _FINGERPRINTS[module] = digest.hexdigest()
    return _FINGERPRINTS[module]


_FINGERPRINTS: WeakKeyDictionary[ModuleType, str] = WeakKeyDictionary()


def source_files(module_name: str) -> dict[str, Path]:
    """Return the source files of a module and of all modules that it imports, also indirectly.

    Imports inside functions count. Modules of the standard library and of installed packages are
    omitted, except those of the module's own package and of this one. Imports by a computed name
    are not found.

    Args:
        module_name: Name of a module that can be imported.

    Returns:
        Files by module name.
    """
    own = {module_name.partition(".")[0], _PACKAGE}
    files: dict[str, Path] = {}
    seen: set[str] = set()
    waiting = [module_name]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        spec = _own_spec(name, own)
        if spec is None:
            continue
        waiting += [name.rpartition(".")[0]] if "." in name else []
        if spec.origin is not None and Path(spec.origin).is_file():
            files[name] = Path(spec.origin)
            waiting += _imports(name, files[name], is_package=bool(spec.submodule_search_locations))
    return files


def _own_spec(name: str, own: set[str]) -> ModuleSpec | None:
    """Return the spec of a module, ``None`` if it is missing or part of another package."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return None
    try:
        first = importlib.util.find_spec(top)
        if first is None:
            return None
        places = [first.origin, *(first.submodule_search_locations or ())]
        is_installed = any(_INSTALLED & set(Path(place).parts) for place in places if place)
        if is_installed and top not in own:
            return None
        return importlib.util.find_spec(name)
    except Exception:  # find_spec imports parent packages, which may raise anything
        return None


def _imports(name: str, path: Path, *, is_package: bool) -> Iterator[str]:
    """Yield the names that a source file imports, including attributes of modules."""
    if path.suffix != ".py":
        return
    if name == _PACKAGE:
        return  # it imports public names on demand, see _public_modules
    package = name if is_package else name.rpartition(".")[0]
    tree = ast.parse(path.read_bytes())
    yield from _public_modules(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _public_modules(tree: ast.Module) -> Iterator[str]:
    """Yield the modules of this package's public names that a source file uses."""
    used: set[str] = set()
    is_imported = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            is_imported |= any(alias.name == _PACKAGE for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == _PACKAGE:
            is_imported = True
            used.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute):  # mb.Scorer, for any name of mb
            used.add(node.attr)
    if is_imported:
        yield from (PUBLIC[name] for name in used & PUBLIC.keys())


def _code_of(path: Path) -> bytes:
    """Return the code of a source file without comments and docstrings."""
    if path.suffix != ".py":
        return path.read_bytes()
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree).encode()
