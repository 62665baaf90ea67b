"""User code: found by name, ``package.module:attribute``, run, and hashed."""

import ast
import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from weakref import WeakKeyDictionary

from mapt_bench import PUBLIC
from mapt_bench.errors import ConfigError, ToldError, nearest, text_of

__all__ = [
    "EarlyExitError",
    "UnusualError",
    "attribute_of",
    "failure_of",
    "running",
    "source_files",
    "source_fingerprint",
]

_PACKAGE = __name__.partition(".")[0]

_INSTALLED = {"site-packages", "dist-packages"}
"""Folders of installed packages: their versions belong to the provenance, not to the key."""

_LINES_AT_MOST = 3


class EarlyExitError(ToldError):
    """User code called ``sys.exit``.

    Args:
        code: What it was called with.
    """

    def __init__(self, code: object) -> None:
        super().__init__(
            f"it called sys.exit({code!r}); expected it to return or to raise an exception"
        )
        self.code = code


class UnusualError(ToldError):
    """User code raised what is no ``Exception``, and would end us as Ctrl-C does.

    Examples are ``asyncio.CancelledError`` and the outcomes of pytest.

    Args:
        problem: What it raised.
    """

    def __init__(self, problem: BaseException) -> None:
        super().__init__(_said(problem))


@contextmanager
def running() -> Iterator[None]:
    """Run user code so that it can neither write to stdout, which is for results, nor end us.

    What it prints goes to stderr.

    Raises:
        EarlyExitError: In place of ``SystemExit``. Its subclasses pass: they end worker processes.
        UnusualError: In place of what is no ``Exception``, except ``KeyboardInterrupt``.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except SystemExit as problem:
        if type(problem) is not SystemExit:
            raise
        raise EarlyExitError(problem.code).with_traceback(problem.__traceback__) from problem
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as problem:
        raise UnusualError(problem).with_traceback(problem.__traceback__) from problem


def failure_of(problem: Exception) -> str:
    """Return what a message says of an exception of user code.

    Args:
        problem: A caught exception.

    Returns:
        Type and text, and the last lines of the user's own code that led to it, for example
        ``"KeyError: 'x' (my_tracker.py:12 in associate, my_tracker.py:30 in _match)"``.
    """
    text = str(problem) if isinstance(problem, ToldError) else _said(problem)
    place = _raised_at(problem)
    return f"{text} ({place})" if place else text


def _said(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {text_of(problem) or 'no message'}"


def _raised_at(problem: BaseException) -> str:
    """Return the last lines of a user's own code that led to an exception, the outermost first.

    Lines of this package, torch (which calls a user's model), the standard library and other
    installed packages are omitted.

    Args:
        problem: A caught exception.

    Returns:
        For example ``"my_tracker.py:12 in associate, my_tracker.py:30 in _match"``. Empty if the
        exception has no lines of its own, as a syntax error.
    """
    frames = [
        (str(frame.f_globals.get("__name__")), Path(frame.f_code.co_filename), line, frame.f_code)
        for frame, line in traceback.walk_tb(problem.__traceback__)
    ]
    foreign = {_PACKAGE, "torch", *sys.stdlib_module_names}
    outside = [each for each in frames if each[0].partition(".")[0] not in foreign]
    tracker = outside[0][0].partition(".")[0] if outside else ""
    own = [
        each
        for each in outside
        if each[0].partition(".")[0] == tracker or not _INSTALLED & set(each[1].parts)
    ]
    lines = [
        f"{_shown(path)}:{line} in {code.co_name}" for _, path, line, code in own[-_LINES_AT_MOST:]
    ]
    return ", ".join(lines)


def _shown(path: Path) -> Path:
    try:
        here = Path.cwd()
    except OSError:  # user code may have removed the current folder
        return path
    return path.relative_to(here) if path.is_relative_to(here) else path


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
        with running():
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
    except EarlyExitError as problem:
        raise ConfigError(
            f"module {module_name!r} of {kind} {name!r} called sys.exit({problem.code!r}) while it "
            "was imported; put code that runs a program under if __name__ == '__main__'"
        ) from problem
    except Exception as problem:  # user code may raise anything
        raise ConfigError(
            f"module {module_name!r} of {kind} {name!r} cannot be imported: {failure_of(problem)}"
        ) from problem
    try:
        with running():
            found: object = getattr(module, attribute)
    except AttributeError as problem:
        public = [word for word in vars(module) if not word.startswith("_")]
        raise ConfigError(
            f"module {module_name!r} has no {attribute!r}; {nearest(attribute, public)}",
            where=getattr(module, "__file__", None),
        ) from problem
    except Exception as problem:  # a module may compute its attributes
        raise ConfigError(
            f"{attribute!r} of module {module_name!r} cannot be read: {failure_of(problem)}"
        ) from problem
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
