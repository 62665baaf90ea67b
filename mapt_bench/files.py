"""Files that others rely on: replaced whole or not at all, and known by their contents."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mapt_bench.errors import DataError

__all__ = [
    "check_writable",
    "file_sha256",
    "json_text",
    "replace_when_complete",
    "write_json",
    "write_text",
    "write_together",
]


@contextmanager
def replace_when_complete(path: Path) -> Iterator[Path]:
    """Yield a path to write to beside ``path``; move it there only if the block succeeds.

    Raises:
        DataError: If the folder cannot be made or written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix
        )
        os.close(handle)
    except OSError as problem:
        raise _unwritable(path, problem) from problem
    beside = Path(name)
    try:
        yield beside
        umask = os.umask(0)
        os.umask(umask)
        beside.chmod(0o666 & ~umask)  # mkstemp makes files private; results are for sharing
        try:
            beside.replace(path)
        except OSError as problem:
            raise _unwritable(path, problem) from problem
    finally:
        beside.unlink(missing_ok=True)


def _unwritable(path: Path, problem: OSError) -> DataError:
    return DataError(
        f"cannot be written ({problem.strerror or problem}); choose another path", where=path
    )


def check_writable(path: Path) -> None:
    """Find out before long work whether a file could be written after it; nothing is made.

    Raises:
        DataError: If it is a folder, or cannot be made where it is to be.
    """
    if path.is_dir():
        raise DataError("cannot be written (it is a folder); choose another path", where=path)
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise _unwritable(path, problem) from problem


def write_together(texts: Mapping[Path, str]) -> None:
    """Write several files; if one cannot be written, none is.

    Raises:
        DataError: If a file cannot be written.
    """
    for path in texts:
        check_writable(path)
    with ExitStack() as stack:
        for path, text in texts.items():
            beside = stack.enter_context(replace_when_complete(path))
            beside.write_text(text, encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Write text so that readers see the old file or the new one, never a part."""
    with replace_when_complete(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, data: object) -> None:
    """Write JSON (two spaces, no NaN) the same way, ended by a newline."""
    write_text(path, json_text(data))


def json_text(data: object) -> str:
    """Return JSON as results are written: two spaces, no NaN, ended by a newline."""
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's contents, in hexadecimal digits.

    Raises:
        DataError: If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as problem:
        raise DataError(
            f"cannot be read ({problem.strerror}); check the path", where=path
        ) from problem
