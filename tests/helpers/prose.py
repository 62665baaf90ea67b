"""The prose of the project: help texts, docs, docstrings, messages and labels, without code."""

import ast
import re
from dataclasses import dataclass

import click
from helpers.modules import ROOT

FOLDERS = ("mapt_bench", "metrics", "baselines", "reports", "tools", "benchmarks", "examples")
"""Folders with Python code whose prose is checked; tests may name what is retired."""

_CODE = re.compile(
    r"```.*?```|``.*?``|:\w+:`.*?`|`[^`]*`|\]\([^)]*\)|<[^>]*>|\{[^}]*\}|https?://\S+", re.DOTALL
)
_DOCTEST = re.compile(r"^\s*>>>.*?(?=\n\s*\n|\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Prose:
    """A piece of prose.

    Attributes:
        place: The package, folder or kind of page that it belongs to, such as
            ``mapt_bench/stress``.
        where: File and line, or the command.
        text: The words on one line, without code.
    """

    place: str
    where: str
    text: str


def plain(text):
    """Return the words of a text on one line: no code, no doctests, no links."""
    return " ".join(_CODE.sub(" ` ", _DOCTEST.sub(" ", text)).split())


def python_files():
    """Return every Python file whose prose is checked, links inside the package left aside."""
    return [
        path
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not any(parent.is_symlink() for parent in path.parents)
    ]


def pages():
    """Return every Markdown page whose prose is checked."""
    return [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / ".github").rglob("*.md")),
    ]


def place_of(path):
    """Return the package or folder of a file, relative to the root."""
    parts = path.relative_to(ROOT).parts
    if parts[0] == "mapt_bench":
        return "/".join(parts[: 2 if len(parts) > 2 else 1])
    return parts[0]


def names_in(path):
    """Yield the line and name of a module and of everything that it defines at any depth."""
    yield 1, path.stem
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.lineno, node.target.id


def texts_in(path):
    """Yield the line and text of docstrings, messages and labels: no keys of one word."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    f_strings = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in f_strings for part in node.values}
    yield from ((node.lineno, _of_f_string(node)) for node in f_strings)
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in parts and _is_prose(node.value, path):
            yield node.lineno, node.value


def _is_prose(text, path):
    return " " in text or (_has_labels(path) and not text.islower())


def _has_labels(path):
    """Return whether the strings of a module may be labels of pictures and tables."""
    return place_of(path) in {"reports", "mapt_bench/pictures"}


def _of_f_string(node):
    parts = (part.value if isinstance(part, ast.Constant) else " ` " for part in node.values)
    return "".join(str(part) for part in parts)


def prose_of_code():
    """Return docstrings, messages and labels of all modules."""
    return [
        Prose(place_of(path), f"{path.relative_to(ROOT)}:{line}", plain(text))
        for path in python_files()
        for line, text in texts_in(path)
    ]


def prose_of_pages():
    """Return every paragraph of every page, code blocks left aside."""
    return [
        Prose(place_of(path), f"{path.relative_to(ROOT)}:{line}", plain(text))
        for path in pages()
        for line, text in _paragraphs(path.read_text(encoding="utf-8"))
    ]


def _paragraphs(page):
    without_code = re.sub(
        r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), page, flags=re.DOTALL | re.M
    )
    for block in re.finditer(r"(?:^.*\S.*\n?)+", without_code, flags=re.MULTILINE):
        yield without_code.count("\n", 0, block.start()) + 1, block[0]


def prose_of_help(command, context=None, name="mapt-bench"):
    """Yield the help of a command and of its subcommands, as the terminal shows it."""
    context = click.Context(command, info_name=name, parent=context, terminal_width=100)
    yield Prose("help", name, plain(command.get_help(context)))
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            yield from prose_of_help(command.get_command(context, sub), context, f"{name} {sub}")
