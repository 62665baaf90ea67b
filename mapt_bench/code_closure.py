"""Which modules of this package decide a result, and one hash of their code.

The code that decides a result is the import closure of what runs. It is found without importing
anything: from the definitions that run, the names in them are followed through ``import``
statements to the definitions that they stand for, and so on. A package that re-exports a name is
looked through, so one name of it does not bring all the others along.

Two things are not followed:

- annotations, which say what things are and do nothing;
- functions marked by :func:`not_followed`: look-ups by name, and code that runs only where a
  configuration asks for it. Whoever makes a key names what was chosen as a root by itself.

Modules are hashed whole, without comments, docstrings and layout. Files that are no Python code
are not part of it. Those of the package decide through what is in the keys already: model
configurations through the weights, tuned thresholds through the settings, and the list of suites
through the fingerprint of the data.
"""

import ast
import functools
import hashlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from typing import Any, TypeVar

__all__ = ["PACKAGE", "code_closure", "code_fingerprint", "not_followed", "root_of"]

PACKAGE = __name__.partition(".")[0]
"""Name of this package."""

_Marked = TypeVar("_Marked", bound=Callable[..., Any])
_Symbol = tuple[str, str]
"""A module and a name at its top level; :data:`_WHOLE` stands for all of them."""

_WHOLE = "*"
_LENGTH = 16
_SAYS_NOTHING = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def not_followed(function: _Marked) -> _Marked:
    """Mark a function: code that refers to it does not depend on what it leads to.

    Mark look-ups by name, and functions that run only where a configuration asks for them. What
    was looked up or asked for must be a root of the key by itself.
    """
    return function


def root_of(thing: object) -> str | None:
    """Return the root that stands for a function, a class or a module.

    Args:
        thing: A function or method, a class, a partial function, or the name of a module.

    Returns:
        ``"module:name"`` of the definition at the top level of its module that holds it, the name
        of a module as it is, and ``None`` for code of other packages.

    Raises:
        ValueError: If it is a lambda outside any definition, which has no name.

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
        raise ValueError(f"a lambda of {module} has no name to find its code by; define a function")
    return f"{module}:{name}"


@functools.lru_cache(maxsize=256)
def code_closure(roots: frozenset[str]) -> tuple[str, ...]:
    """Return the names of all modules that decide what the roots return, sorted.

    Args:
        roots: ``"module:name"``, or ``"module"`` for everything in it, see :func:`root_of`.

    Raises:
        ValueError: If there is no such module or name.
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
        ValueError: If there is no such module or name.
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
            f"module {module!r} defines no {name!r}; a root is a definition of its own"
        )
    return module, name or _WHOLE


# What a name at the top level of a module stands for when it was imported: a symbol of another
# module, or a module, which may only exist as one.
_Imported = tuple[str, str | None]


@dataclass
class _Module:
    """One module of the package, parsed.

    Attributes:
        tree: Its code.
        imports: What the names imported at its top level stand for.
        definitions: For each other name at its top level, the statements that bind or change it.
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
        """SHA-256 of the code, the same in every version of Python that parses it alike."""
        pieces: list[str] = []
        _spell(self.tree, pieces)
        return hashlib.sha256("".join(pieces).encode()).hexdigest()

    def followed(self, name: str) -> Iterator[_Symbol]:
        """Yield what a name at the top level refers to."""
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
        if symbol is None:  # a module: its attribute is meant, or all of it
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
    """Yield the definition that a module means by a name, looking through re-exports."""
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
        raise ValueError(f"module {module!r} has no {symbol!r}, and one refers to it")


@functools.cache
def _followed(symbol: _Symbol) -> frozenset[_Symbol]:
    """Return what a definition refers to."""
    module, name = symbol
    return frozenset(_module(module).followed(name))


@functools.cache
def _module(name: str) -> _Module:
    spec = _spec(name)
    source = None if spec is None else spec.loader.get_source(name)  # type: ignore[union-attr]
    if source is None:
        raise ValueError(f"the source of module {name!r} is not there; install it with its sources")
    return _Module(name, ast.parse(source))


@functools.cache
def _spec(name: str) -> ModuleSpec | None:
    """Find a module without importing the packages that it lies in: some need torch."""
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
    """Yield statements, those of blocks too, but for what type checkers alone read."""
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
    """Yield what an import binds; the package has no relative imports and no ``import *``."""
    for alias in statement.names:
        if isinstance(statement, ast.ImportFrom):
            yield alias.asname or alias.name, (statement.module or "", alias.name)
        elif alias.asname:
            yield alias.asname, (alias.name, None)
        else:
            # ``import a.b`` binds ``a``, and what is used of it is not looked at more closely.
            yield alias.name.partition(".")[0], (alias.name, _WHOLE)


def _names_of(statement: ast.stmt) -> set[str]:
    """Return the names that a statement at the top level binds, or whose value it changes."""
    if isinstance(statement, _Definition):
        return {statement.name}
    if isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete | ast.For):
        targets = getattr(statement, "targets", None) or [statement.target]  # type: ignore[union-attr]
        return {
            node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
        }
    if isinstance(statement, ast.If | ast.Try | ast.With):
        return set()  # their statements come by themselves
    # A call such as ``TABLE.update(...)`` changes what it is called on.
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        called = statement.value.func
        if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
            return {called.value.id}
    return set()


class _References(ast.NodeVisitor):
    """Gathers the names in a definition, each with the attribute that is read of it."""

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
    """Spell code without comments, docstrings and layout.

    Unlike :func:`ast.dump` it says nothing about fields that are empty: versions of Python differ
    in which there are.
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
    """Whether a statement is a docstring, of a module, a class, a function or an attribute."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
