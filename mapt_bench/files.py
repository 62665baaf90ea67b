"""Atomic writing of files, reading of text, JSON text, and hashes of files."""

import codecs
import hashlib
import json
import math
import os
import platform
import re
import stat
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any

from mapt_bench.errors import DataError
from mapt_bench.faults import full_disk, unwritable
from mapt_bench.special_files import refuse_special, special_kind

__all__ = [
    "NPY_DAMAGE",
    "REFUSE_INPUT",
    "SMALL_FILE",
    "TEXT_LIMIT",
    "check_plain",
    "check_writable",
    "file_sha256",
    "is_leftover",
    "json_text",
    "parse_json",
    "read_bytes",
    "read_text",
    "replace_when_complete",
    "text_encoding",
    "write_bytes",
    "write_json",
    "write_text",
    "write_together",
]


TEXT_LIMIT = 1 << 28
"""Most bytes of a JSON or YAML file. Its Python objects take about ten times as many."""


_ESCAPED = "backslashreplace"
"""For text with names of files that are not UTF-8: their bytes become ``\\udcff``."""


REFUSE_INPUT: ContextVar[Callable[[Path], None] | None] = ContextVar(
    "mapt_bench.refuse_input", default=None
)
"""Function of the command that runs. It raises an error for an output that is an input."""


_UNFINISHED = ".unfinished"
_TEMPORARY = re.compile(re.escape(_UNFINISHED) + "-(.+)-([0-9]{1,9})-[^-]*")


def is_leftover(name: str) -> bool:
    """Say whether a file name is one of :func:`replace_when_complete` in a process that ended.

    Files of other machines, which may share the folder, are none.
    """
    found = _TEMPORARY.fullmatch(name)
    if found is None or found[1] != platform.node():
        return False
    try:
        os.kill(int(found[2]), 0)
    except ProcessLookupError:
        return True
    except OSError:  # a process of another user
        pass
    return False


@contextmanager
def replace_when_complete(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, and move it to ``path`` if the block succeeds.

    Temporary files that killed commands left there are removed.

    Raises:
        DataError: If the folder cannot be created or written to, the disk is full, or a named pipe,
            a socket or a device is there.
    """
    _refuse_to_replace_special(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path.parent.absolute())
        handle, name = tempfile.mkstemp(
            dir=path.parent,
            prefix=f"{_UNFINISHED}-{platform.node()}-{os.getpid()}-",
            suffix=path.suffix,
        )
        os.close(handle)
    except OSError as problem:
        raise unwritable(path, problem) from problem
    beside = Path(name)
    try:
        with _noticing_full_disk(path):
            yield beside
        umask = os.umask(0)
        os.umask(umask)
        beside.chmod(0o666 & ~umask)  # mkstemp creates private files, results are shared
        try:
            beside.replace(path)
        except OSError as problem:
            raise unwritable(path, problem) from problem
    finally:
        beside.unlink(missing_ok=True)


@lru_cache(maxsize=1024)
def _remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of killed commands from a folder, once in each process."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_leftover(entry.name):
                with suppress(OSError):
                    Path(entry.path).unlink()


@contextmanager
def _noticing_full_disk(path: Path) -> Iterator[None]:
    """Name the file and the space when a write in the block finds no space, in any library."""
    try:
        yield
    except Exception as problem:
        found = full_disk(problem, path)
        if found is None or isinstance(problem, DataError):
            raise
        raise found from problem


def check_writable(path: Path) -> None:
    """Check before long work that a file can be written. Nothing is created.

    Raises:
        ConfigError: If the file is an input of the command that runs.
        DataError: If the path is a folder, a named pipe, a socket or a device, or a file cannot be
            created there.
    """
    refuse_input = REFUSE_INPUT.get()
    if refuse_input is not None:
        refuse_input(path)
    if path.is_dir():
        raise DataError("cannot be written (it is a folder); choose another path", where=path)
    _refuse_to_replace_special(path)
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise unwritable(path, problem) from problem


def _refuse_to_replace_special(path: Path) -> None:
    """Refuse what is not a file: a device such as /dev/null would become one."""
    kind = None
    with suppress(OSError):  # nothing is there
        kind = special_kind(path)
    if kind is not None:
        raise DataError(
            f"cannot be written (it is a {kind}); move it away, or choose another path", where=path
        )


def write_together(texts: Mapping[Path, str], *, replacing: Path | None = None) -> None:
    """Write several files, or none if one cannot be written.

    Args:
        texts: Texts by path.
        replacing: An input of the command that this output is meant to replace.

    Raises:
        ConfigError: If another file is an input of the command that runs.
        DataError: If a file cannot be written.
    """
    for path in texts:
        if path != replacing:
            check_writable(path)
    with ExitStack() as stack:
        for path, text in texts.items():
            beside = stack.enter_context(replace_when_complete(path))
            beside.write_text(text, encoding="utf-8", errors=_ESCAPED)


SMALL_FILE = 1 << 16  # bytes: most maps, which are hashed at once

_READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Without the second flag, opening a named pipe waits for a writer."""


def read_bytes(path: Path, limit: int | None = None) -> tuple[bytes, int]:
    """Read a file in fewer system calls than ``Path.read_bytes``, which small files notice.

    Args:
        path: File.
        limit: Most bytes to read. ``None`` for all.

    Returns:
        The bytes, and the size of the whole file.

    Raises:
        OSError: If the file cannot be read.
        DataError: If it is not a file, see :func:`refuse_special`.
    """
    try:
        handle = os.open(path, _READING)
    except OSError:
        refuse_special(path)  # a socket cannot be opened
        raise
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            refuse_special(path)
        wanted = status.st_size if limit is None else min(limit, status.st_size)
        data = os.read(handle, wanted)
        while len(data) < wanted and (more := os.read(handle, wanted - len(data))):
            data += more
        return data, status.st_size
    finally:
        os.close(handle)


def read_text(path: Path, *, remedy: str = "give a smaller file") -> str:
    """Read UTF-8 with or without a byte order mark, or UTF-16 with one.

    Args:
        path: File.
        remedy: What to do if it is too large, for the message.

    Raises:
        OSError: If the file cannot be read.
        DataError: If it is not a file, see :func:`refuse_special`, or is too large.
        UnicodeDecodeError: If the bytes are not such text.
    """
    size = path.stat().st_size
    if size > TEXT_LIMIT:
        raise DataError(
            f"has {size >> 20} MiB; JSON and YAML are read up to {TEXT_LIMIT >> 20} MiB; {remedy}",
            where=path,
        )
    return path.read_text(encoding=text_encoding(path))


def text_encoding(path: Path) -> str:
    """Return the encoding of a text file by its byte order mark: UTF-8 without one.

    Raises:
        OSError: If the file cannot be read.
        DataError: If it is a pipe or device, or begins as UTF-16 without a byte order mark.
    """
    refuse_special(path)
    with path.open("rb") as handle:
        start = handle.read(2)
    if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    if len(start) == 2 and start.count(b"\0") == 1:  # every second byte of UTF-16 is 0
        raise DataError(
            "is UTF-16 without a byte order mark; expected UTF-8; save it as UTF-8", where=path
        )
    return "utf-8-sig"


def write_text(path: Path, text: str) -> None:
    """Write text atomically: readers see the old file or the new file, never a part."""
    with replace_when_complete(path) as beside:
        beside.write_text(text, encoding="utf-8", errors=_ESCAPED)


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes atomically: readers see the old file or the new file, never a part."""
    with replace_when_complete(path) as beside:
        beside.write_bytes(data)


def write_json(path: Path, data: object) -> None:
    """Write JSON (two spaces, no NaN, newline at the end) atomically."""
    write_text(path, json_text(data))


def json_text(data: object) -> str:
    """Return JSON with two spaces of indent, without NaN, and with a newline at the end."""
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


NPY_DAMAGE = (
    *(EOFError, LookupError, MemoryError, OverflowError, RecursionError, RuntimeError),
    *(SyntaxError, TypeError, ValueError, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
"""What NumPy raises for damaged ``.npy`` and ``.npz`` files, besides ``OSError``."""


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits.

    Raises:
        DataError: If the file cannot be read.
    """
    try:
        start, size = read_bytes(path, SMALL_FILE)
        if size <= SMALL_FILE:
            return hashlib.sha256(start).hexdigest()
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as problem:
        raise DataError(
            f"cannot be read ({problem.strerror}); check the path", where=path
        ) from problem


_DEEPEST = 60
"""Most levels of nesting in JSON and YAML. Files of this package have fewer than 15."""

_MOST_VALUES = 10**6  # of a YAML document, whose references may repeat values without end

_ODD = re.compile(rb"[0-9]{20}|[eE]\+?[0-9]{3}|\\u[dD][89a-fA-F]")
"""What a JSON text with a huge number or half of a character has. Other texts may have it too."""

_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))

_HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Halves of characters. The others, U+DC80 to U+DCFF, stand for bytes of file names."""


def parse_json(  # the document decides the type of the result
    text: str | bytes, constants: Callable[[str], Any] | None = None
) -> Any:  # noqa: ANN401
    """Parse JSON that another program may have written.

    Args:
        text: The document.
        constants: Takes ``NaN`` and ``Infinity``, and returns their value. ``None`` refuses them.

    Raises:
        ValueError: If it is not JSON, is nested deeper than 60 levels, or holds NaN, a number that
            no double or 64-bit number holds, or half of a character. The message says which.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        data = json.loads(text, parse_constant=constants or _refuse_constant)
        if _ODD.search(raw) or _may_be_deep(raw):
            check_plain(data, is_finite=constants is None, most=None)
    except RecursionError as problem:
        raise ValueError(_TOO_DEEP) from problem
    return data


_TOO_DEEP = f"is nested too deeply; expected at most {_DEEPEST} levels"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"has the number {name}; expected a finite number or null")


def _may_be_deep(raw: bytes) -> bool:
    """Say whether brackets may be nested too deeply, in a few fast passes over the text."""
    brackets = raw.translate(None, _NO_BRACKETS)
    for _ in range(_DEEPEST):
        inner = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not inner:
            return False
        if len(inner) == len(brackets):  # brackets in names
            return True
        brackets = inner
    return True


def check_plain(data: object, *, is_finite: bool = True, most: int | None = _MOST_VALUES) -> None:
    """Check data from JSON or YAML for what no file of this package needs.

    Args:
        data: Mappings, lists, and their values.
        is_finite: Whether numbers must be finite.
        most: Most values. ``None`` for JSON, which repeats nothing: its size is the limit.

    Raises:
        ValueError: If it is nested too deeply, refers to itself, has too many values, or has
            NaN, a number that no double or 64-bit number holds, or half of a character.
    """
    waiting, seen = [(data, 1)], 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if depth > _DEEPEST:
            raise ValueError(_TOO_DEEP)
        if most is not None and seen > most:
            raise ValueError(f"has more than {most} values, or refers to itself")
        if isinstance(value, dict):
            waiting += [(part, depth + 1) for pair in value.items() for part in pair]
        elif isinstance(value, list | tuple | set):
            waiting += [(part, depth + 1) for part in value]
        else:
            _check_scalar(value, is_finite=is_finite)


def _check_scalar(value: object, *, is_finite: bool) -> None:
    if is_finite and isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"has the number {value}; expected a finite number")
    if isinstance(value, int) and abs(value) >= 1 << 64:
        raise ValueError("has a whole number of more than 64 bits")
    if isinstance(value, str) and _HALVES.search(value):
        raise ValueError(f"has half of a character in {value!a}")
