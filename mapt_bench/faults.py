"""Faults of the machine rather than of the program: full disks, no memory, killed workers."""

import errno
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from mapt_bench.errors import DataError, FullDiskError, text_of

__all__ = ["full_disk", "machine_fault", "unwritable"]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_SAYS_FULL = re.compile(
    "No space left|Disk quota exceeded|File too large|requested and [0-9]+ written|code: 28,"
)
"""Texts of libraries that pass no error number on: safetensors, NumPy, OpenCV."""

_LONG = 200  # characters of a path in a message


def full_disk(problem: BaseException, path: Path | None = None) -> FullDiskError | None:
    """Return the error to report for a full disk, quota or file-size limit.

    Args:
        problem: An exception of a write.
        path: File that was written. ``None`` takes that of the exception.

    Returns:
        ``None`` if the exception has another cause.
    """
    number, said = _number_of(problem), _SAYS_FULL.search(text_of(problem))
    if number not in _FULL and (number is not None or said is None):
        return None
    named = path if path is not None else _file_of(problem)
    reason = os.strerror(number) if number else "the disk takes no more"
    if said is not None and not said[0].startswith(("code", "requested")):
        reason = said[0]
    left = "" if named is None else _space_left(named)
    return FullDiskError(
        f"cannot be written: {reason}{left}; free space there, and run the same command again",
        where=named,
    )


def unwritable(path: Path, problem: OSError) -> DataError:
    """Return the error to report for a file or folder that cannot be written."""
    return full_disk(problem, path) or DataError(
        f"cannot be written ({problem.strerror or problem}); choose another path", where=path
    )


def machine_fault(problem: BaseException) -> DataError | None:
    """Return the error to report for a fault of the machine, or for an impossible file name.

    Returns:
        ``None`` if the exception is a fault of the program.
    """
    full = full_disk(problem)
    if full is not None:
        return full
    if isinstance(problem, MemoryError) or type(problem).__name__ == "OutOfMemoryError":
        return DataError("memory ran out; run with fewer workers (-j 1), or free memory")
    if type(problem).__name__ == "BrokenProcessPool":  # its module is slow to import
        return DataError(
            "a worker process was killed, most often because memory ran out; expected it to "
            "finish; run with fewer workers (-j 1), or free memory"
        )
    if isinstance(problem, OSError) and _number_of(problem) is not None:
        return _of_system(problem)
    if isinstance(problem, RuntimeError) and text_of(problem).startswith(_LOOP):
        looped = text_of(problem).removeprefix(_LOOP)[:_LONG].strip(" '")
        return DataError("is a link that leads back to itself; remove the link", where=looped)
    if isinstance(problem, ValueError) and _IS_NO_NAME.search(text_of(problem)):
        found = " ".join(text_of(problem).split())[:_LONG]
        return DataError(
            f"a file name is impossible ({found}); expected text without NUL and without halves "
            "of characters; correct the name in the data"
        )
    return None


_LOOP = "Symlink loop from"
"""Message of ``Path.resolve`` before Python 3.13."""

_IS_NO_NAME = re.compile("embedded null|surrogates not allowed")


def _of_system(problem: OSError) -> DataError | None:
    """Return the error for a call of the system that failed on a file that the command names."""
    named = _file_of(problem)
    if problem.errno in _PROGRAM or named is None:
        return None
    shown = str(named)
    if len(shown) > _LONG:
        shown = f"{shown[:_LONG]}... ({len(shown)} characters)"
    return DataError(f"cannot be used ({problem.strerror}); check the path", where=shown)


_PROGRAM = frozenset({errno.EBADF, errno.EINVAL, errno.ENOENT, errno.EEXIST})
"""Errors that a program makes itself, where it should have looked first."""


def _file_of(problem: BaseException) -> Path | None:
    for name in ("filename2", "filename"):
        with suppress(Exception):  # exceptions of user code may raise when they are read
            found = getattr(problem, name, None)
            if isinstance(found, str | bytes | os.PathLike):
                return Path(os.fsdecode(found))
    return None


def _number_of(problem: BaseException) -> int | None:
    with suppress(Exception):  # as above
        number = getattr(problem, "errno", None)
        return number if isinstance(number, int) else None
    return None


def _space_left(path: Path) -> str:
    """Return the free space beside a file, for messages."""
    with suppress(OSError, ValueError):  # a name of user code may hold NUL
        folder = next(each for each in path.absolute().parents if each.exists())
        return f", {shutil.disk_usage(folder).free / 1e6:.1f} MB are free"
    return ""
