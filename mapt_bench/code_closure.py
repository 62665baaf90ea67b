"""Find the modules of this package that decide a result, and hash their code.

The code that decides a result is the import closure of the code that runs. This module finds it
without importing anything. It starts with the definitions that run, follows each name in them
through ``import`` statements to its definition, and repeats this. It looks through packages that
re-export a name, so one name of a package does not add all its other names.

It does not follow two things:

- annotations, because they do not change what runs;
- functions marked by :func:`not_followed`: look-ups by name, and code that runs only if a
  configuration asks for it. The key must list the chosen function as a root of its own.

Modules are hashed whole, without comments, docstrings and layout. Other files are not hashed,
because the keys contain them already: model configurations through the weights, tuned thresholds
through the settings, and the list of suites through the fingerprint of the data.
"""

import ast
import functools
import hashlib
import sys
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from typing import Any, TypeVar

__all__ = ["PACKAGE", "code_closure", "code_fingerprint", "not_followed", "root_of"]

PACKAGE = __name__.partition(".")[0]
"""Name of this package."""

_Marked = TypeVar("_Marked", bound=Callable[..., Any])
_Symbol = tuple[str, str]
"""A module and a name at its top level. :data:`_WHOLE` means all names."""

_WHOLE = "*"
_LENGTH = 16
_SAYS_NOTHING = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def not_followed(function: _Marked) -> _Marked:
    """Mark a function whose references are not followed.

    Mark look-ups by name, and functions that run only if a configuration asks for them. The
    function that was looked up must be a root of the key.
    """
    return function


def root_of(thing: object) -> str | None:
    """Return the root of a function, a class or a module.

    Args:
        thing: A function or method, a class, a partial function, or the name of a module.

    Returns:
        ``"module:name"`` of the top-level definition that contains it, the name of a module
        unchanged, or ``None`` for code of other packages.

    Raises:
        ValueError: If it is a lambda at the top level, which has no name.

    Example:
        >>> root_of(root_of)
        'mapt_bench.code_closure:root_of'
    """
    while isinstance(thing, functools.partial):
        thing = thing.func
    if isinstance(thing, str):
        return thing if _is_ours(thing) else None
    module = getattr(thing, "__module__", None)
    name = getattr(thing, "__qualname__", None)
    if module is None or name is None:
        return root_of(type(thing))
    if not _is_ours(module):
        return None
    name = name.partition(".")[0]
    if name.startswith("<"):
        raise ValueError(f"a lambda of {module} has no name; define a function instead")
    return f"{module}:{name}"


@functools.lru_cache(maxsize=256)
def code_closure(roots: frozenset[str]) -> tuple[str, ...]:
    """Return the names of all modules that decide what the roots return, sorted.

    Args:
        roots: ``"module:name"``, or ``"module"`` for all its names, see :func:`root_of`.

    Raises:
        ValueError: If a module or name does not exist.
    """
    waiting = [_checked(root) for root in sorted(roots)]
    seen: set[_Symbol] = set()
    while waiting:
        symbol = waiting.pop()
        if symbol in seen:
            continue
        seen.add(symbol)
        waiting += _followed(symbol)
    return tuple(sorted({module for module, _ in seen}))


@functools.lru_cache(maxsize=256)
def code_fingerprint(roots: frozenset[str]) -> str:
    """Return a hash of the code that decides what the roots return: 16 hexadecimal digits.

    Args:
        roots: As for :func:`code_closure`.

    Raises:
        ValueError: If a module or name does not exist.
    """
    digest = hashlib.sha256()
    for name in code_closure(roots):
        digest.update(f"{name}\0{_module(name).digest}\0".encode())
    return digest.hexdigest()[:_LENGTH]


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == PACKAGE


def _checked(root: str) -> _Symbol:
    module, _, name = root.partition(":")
    if _spec(module) is None:
        raise ValueError(f"there is no module {module!r} for the root {root!r}")
    found = _module(module)
    if name and name not in found.definitions:
        raise ValueError(
            f"module {module!r} defines no {name!r}; a root must be a definition of its module"
        )
    return module, name or _WHOLE


# Meaning of an imported name at the top level of a module: a symbol of another module, or a module.
_Imported = tuple[str, str | None]


@dataclass
class _Module:
    """One module of the package, parsed.

    Attributes:
        tree: Its code.
        imports: Meaning of each name imported at its top level.
        definitions: Statements that bind or change each other name at its top level.
    """

    name: str
    tree: ast.Module
    imports: dict[str, _Imported] = field(default_factory=dict)
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for statement in _top_level(self.tree.body):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self.imports.update(_bound(statement))
            for name in _names_of(statement):
                self.definitions.setdefault(name, []).append(statement)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the code. It does not depend on the version of Python."""
        pieces: list[str] = []
        _spell(self.tree, pieces)
        return hashlib.sha256("".join(pieces).encode()).hexdigest()

    def followed(self, name: str) -> Iterator[_Symbol]:
        """Yield the symbols that a top-level name refers to."""
        statements = self.tree.body if name == _WHOLE else self.definitions.get(name, [])
        return self._references(statements)

    def _references(self, statements: list[ast.stmt]) -> Iterator[_Symbol]:
        for statement in statements:
            found = _References()
            found.visit(statement)
            imports = self.imports | found.imports
            for name, attribute in found.names:
                yield from self._resolved(name, attribute, imports)

    def _resolved(
        self, name: str, attribute: str | None, imports: dict[str, _Imported]
    ) -> Iterator[_Symbol]:
        if name not in imports:
            if name in self.definitions and not self.is_not_followed(name):
                yield self.name, name
            return
        module, symbol = imports[name]
        if symbol is None:  # a module: follow the attribute that is used, or all of it
            module, symbol = module, attribute or _WHOLE
        yield from _exported(module, symbol, attribute)

    def is_not_followed(self, name: str) -> bool:
        """Whether a definition is marked by :func:`not_followed`."""
        marks = {
            mark.attr if isinstance(mark, ast.Attribute) else getattr(mark, "id", "")
            for statement in self.definitions.get(name, ())
            if isinstance(statement, _Definition)
            for mark in statement.decorator_list
        }
        return not_followed.__name__ in marks


def _exported(module: str, symbol: str, attribute: str | None) -> Iterator[_Symbol]:
    """Yield the definition of a module's name, looking through re-exports."""
    if not _is_ours(module):
        return
    if symbol == _WHOLE:
        yield module, _WHOLE
        return
    found = _module(module)
    if symbol in found.imports and symbol not in found.definitions:
        origin, name = found.imports[symbol]
        yield from _exported(origin, name or attribute or _WHOLE, None)
    elif symbol in found.definitions:
        if not found.is_not_followed(symbol):
            yield module, symbol
    elif _spec(f"{module}.{symbol}") is not None:
        yield from _exported(f"{module}.{symbol}", attribute or _WHOLE, None)
    elif not symbol.startswith("__"):
        raise ValueError(f"module {module!r} has no {symbol!r}, but another module refers to it")


@functools.cache
def _followed(symbol: _Symbol) -> frozenset[_Symbol]:
    """Return the symbols that a definition refers to."""
    module, name = symbol
    return frozenset(_module(module).followed(name))


@functools.cache
def _module(name: str) -> _Module:
    spec = _spec(name)
    source = None if spec is None else _source(spec)
    if source is None:
        raise ValueError(f"the source of module {name!r} is missing; install it with its sources")
    return _Module(name, ast.parse(source))


def _source(spec: ModuleSpec) -> str | None:
    """Return the source of a module, ``None`` if there is none."""
    if isinstance(spec.loader, InspectLoader):
        return spec.loader.get_source(spec.name)
    if spec.origin is None or not spec.has_location:
        return None
    with tokenize.open(spec.origin) as file:  # loaders that rewrite code, as that of pytest
        return file.read()


@functools.cache
def _spec(name: str) -> ModuleSpec | None:
    """Find a module without importing its parent packages, because some import torch."""
    parent = name.rpartition(".")[0]
    path = None
    if parent in sys.modules:
        path = getattr(sys.modules[parent], "__path__", ())
    elif parent:
        above = _spec(parent)
        path = () if above is None else above.submodule_search_locations or ()
    for finder in sys.meta_path:
        spec = finder.find_spec(name, path)
        if spec is not None:
            return spec
    return None


def _top_level(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, also those in blocks, except those for type checkers only."""
    for statement in statements:
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test):
            yield from _top_level(statement.orelse)
        elif isinstance(statement, ast.If | ast.Try | ast.With):
            yield statement
            for block in ("body", "orelse", "finalbody"):
                yield from _top_level(getattr(statement, block, []))
            for handler in getattr(statement, "handlers", []):
                yield from _top_level(handler.body)
        else:
            yield statement


def _bound(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, _Imported]]:
    """Yield the names that an import binds. The package has no relative or star imports."""
    for alias in statement.names:
        if isinstance(statement, ast.ImportFrom):
            yield alias.asname or alias.name, (statement.module or "", alias.name)
        elif alias.asname:
            yield alias.asname, (alias.name, None)
        else:
            # ``import a.b`` binds ``a``. Which of its attributes are used is not examined.
            yield alias.name.partition(".")[0], (alias.name, _WHOLE)


def _names_of(statement: ast.stmt) -> set[str]:
    """Return the names that a top-level statement binds or changes."""
    if isinstance(statement, _Definition):
        return {statement.name}
    if isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete | ast.For):
        targets = getattr(statement, "targets", None) or [statement.target]  # type: ignore[union-attr]
        return {
            node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
        }
    if isinstance(statement, ast.If | ast.Try | ast.With):
        return set()  # the statements of the block are handled one by one
    # A call such as ``TABLE.update(...)`` changes its object.
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        called = statement.value.func
        if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
            return {called.value.id}
    return set()


class _References(ast.NodeVisitor):
    """Collects the names in a definition, each with the attribute that is read."""

    def __init__(self) -> None:
        self.names: set[tuple[str, str | None]] = set()
        self.imports: dict[str, _Imported] = {}

    def visit_Name(self, node: ast.Name) -> None:
        self.names.add((node.id, None))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name):
            self.names.add((node.value.id, node.attr))
        else:
            self.visit(node.value)

    def visit_Import(self, node: ast.Import) -> None:
        self.imports.update(_bound(node))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.imports.update(_bound(node))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_function(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def _visit_function(self, node: _Function) -> None:
        arguments = node.args
        defaults = [*arguments.defaults, *(each for each in arguments.kw_defaults if each)]
        for part in (*node.decorator_list, *defaults, *node.body):
            self.visit(part)


def _spell(node: object, pieces: list[str]) -> None:
    """Write code as text without comments, docstrings and layout.

    Unlike :func:`ast.dump`, it omits empty fields, because they differ between Python versions.
    """
    if isinstance(node, ast.AST):
        pieces.append(f"({type(node).__name__}")
        is_constant = isinstance(node, ast.Constant)
        for name in node._fields:
            value = getattr(node, name, None)
            if name in _SAYS_NOTHING or value == [] or (value is None and not is_constant):
                continue
            pieces.append(f" {name}=")
            _spell(value, pieces)
        pieces.append(")")
    elif isinstance(node, list):
        pieces.append("[")
        for each in node:
            if not _is_text(each):
                _spell(each, pieces)
        pieces.append("]")
    else:
        pieces.append(f"{type(node).__name__}:{node!r}")


def _is_text(node: object) -> bool:
    """Whether a statement is the docstring of a module, class, function or attribute."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
