"""Output folders: one command at a time, complete or absent, without leftovers of killed commands.

Locks belong to folders, not to files in them, and end with their process, even if it is killed.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mapt_bench.errors import ConfigError, DataError, MaptBenchError
from mapt_bench.faults import full_disk, unwritable
from mapt_bench.files import is_leftover

__all__ = ["claimed", "folder_when_complete"]

_OUTPUT = "unfinished-output"
"""Name of the only entry of a temporary folder. It shows whose folder that is."""


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep other commands from a run folder, and remove temporary files of killed commands.

    A new folder that stays empty is removed.

    Args:
        folder: Run folder.

    Raises:
        ConfigError: If another command writes to the folder.
        DataError: If the folder cannot be created.
    """
    folder = folder.resolve()
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as problem:
        raise ConfigError("is a file; expected a folder to write to", where=folder) from problem
    except OSError as problem:
        raise unwritable(folder, problem) from problem
    try:
        with _locked(folder):
            _remove_leftovers(folder)
            yield
    finally:
        for each in missing:
            with suppress(OSError):  # not empty
                each.rmdir()


@contextmanager
def folder_when_complete(folder: Path) -> Iterator[Path]:
    """Yield a folder beside ``folder``, and move it there only if the block succeeds.

    The block may remove it, so that nothing is written. Errors of the block that name it name
    ``folder`` instead.

    Raises:
        ConfigError: If ``folder`` is a file or not empty, another command writes it, or something
            else has the name of the temporary folder.
        DataError: If it cannot be read or written.
    """
    folder = folder.resolve()
    around = folder.with_name(f".{folder.name}.unfinished")
    if folder.is_dir() and _is_in_use(folder):
        _remove_finished(around)
        raise ConfigError("is not empty; give a new folder, or remove this one", where=folder)
    if folder.exists() and not folder.is_dir():
        raise ConfigError("is a file; expected a folder to write to", where=folder)
    beside = around / _OUTPUT
    _refuse_others(around)
    try:
        around.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise unwritable(folder, problem) from problem
    with _locked(around, folder):
        _refuse_others(around)
        try:
            if beside.exists():  # of a killed command
                shutil.rmtree(beside)
            beside.mkdir()
            yield beside
            if beside.exists():
                _move(beside, folder)
        except MaptBenchError as problem:
            hidden, shown = str(beside), str(folder)
            message, where = problem.message.replace(hidden, shown), problem.where
            raise type(problem)(message, where=where and where.replace(hidden, shown)) from problem
        except OSError as problem:
            full = full_disk(problem, folder)
            if full is None:
                raise
            raise full from problem
        finally:
            shutil.rmtree(around, ignore_errors=True)


def _remove_finished(around: Path) -> None:
    """Remove the temporary folder of a command that was killed when its output was in place."""
    # It may be missing, a link, not empty, or in use by another command. Then it stays.
    with suppress(OSError, ConfigError), _locked(around):
        around.rmdir()


def _refuse_others(around: Path) -> None:
    """Refuse a temporary folder with anything that this package did not put there.

    Raises:
        ConfigError: If it is a file or a link, or has other entries.
    """
    if not around.exists() and not around.is_symlink():
        return
    is_folder = around.is_dir() and not around.is_symlink()
    if is_folder and all(
        each.name == _OUTPUT and each.is_dir() and not each.is_symlink()
        for each in around.iterdir()
    ):
        return
    raise ConfigError(
        "has the name of a temporary folder of this command, and was not made by it; rename or "
        "remove it, or choose another --out",
        where=around,
    )


def _move(beside: Path, folder: Path) -> None:
    try:
        beside.rename(folder)  # also onto an empty folder
    except OSError as problem:
        raise unwritable(folder, problem) from problem


@contextmanager
def _locked(folder: Path, output: Path | None = None) -> Iterator[None]:
    """Lock a folder.

    Raises:
        ConfigError: If another process has locked it. The message names ``output``.
    """
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            # Some network file systems have no locks of folders.
            if problem.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                raise ConfigError(
                    "another command writes to this folder; wait for its end, or choose another "
                    "--out",
                    where=output or folder,
                ) from problem
        yield
    finally:
        os.close(lock)


def _remove_leftovers(folder: Path) -> None:
    for place, _, names in os.walk(folder):
        for name in names:
            if is_leftover(name):
                with suppress(OSError):
                    Path(place, name).unlink()


def _is_in_use(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError as problem:
        raise DataError(
            f"cannot be read ({problem.strerror}); choose another path", where=folder
        ) from problem
