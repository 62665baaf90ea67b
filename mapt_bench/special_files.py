"""Named pipes, sockets, devices and the root folder, where a file or folder is expected."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from mapt_bench.errors import DataError

__all__ = ["refuse_root", "refuse_special", "refuse_special_in", "special_kind"]

_SPECIAL = {
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def refuse_special(path: Path) -> None:
    """Refuse what is not a file, because reading it may wait for ever. A link counts as its target.

    Raises:
        OSError: If nothing is there.
        DataError: If it is a named pipe, a socket or a device.
    """
    kind = special_kind(path)
    if kind is not None:
        raise DataError(
            f"is a {kind}; expected a file; it was not read; copy its content to a file",
            where=path,
        )


def special_kind(path: Path) -> str | None:
    """Return ``named pipe``, ``socket`` or ``device``, or ``None`` for files and folders.

    Raises:
        OSError: If nothing is there.
    """
    return _SPECIAL.get(stat.S_IFMT(path.stat().st_mode))


def refuse_special_in(folder: Path, names: frozenset[str]) -> None:
    """Refuse named pipes, sockets and devices in place of the named files of a folder.

    Raises:
        DataError: If there is one, or the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:  # knows the kind of each without a system call
            odd = [e for e in entries if e.name in names and not e.is_file() and not e.is_dir()]
    except OSError as problem:
        raise DataError(f"cannot be read ({problem.strerror})", where=folder) from problem
    for entry in odd:
        with suppress(OSError):  # a link to nothing: reading it reports the error
            refuse_special(folder / entry.name)


def refuse_root(folder: Path) -> None:
    """Refuse the root of the file system, also through a link: a walk through it takes minutes.

    Raises:
        DataError: If it is the root.
    """
    if folder.resolve() == Path(folder.resolve().anchor):
        raise DataError(
            "is the root of the file system; expected a folder in it; name the folder",
            where=folder,
        )
