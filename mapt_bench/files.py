"""Files that other programs rely on are replaced whole or not at all."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mapt_bench.errors import DataError

__all__ = ["replace_when_complete", "write_json", "write_text"]


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
        raise DataError(
            f"cannot be written ({problem.strerror or problem}); choose another path", where=path
        ) from problem
    beside = Path(name)
    try:
        yield beside
        umask = os.umask(0)
        os.umask(umask)
        beside.chmod(0o666 & ~umask)  # mkstemp makes files private; results are for sharing
        try:
            beside.replace(path)
        except OSError as problem:
            raise DataError(
                f"cannot be written ({problem.strerror or problem}); choose another path",
                where=path,
            ) from problem
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text so that readers see the old file or the new one, never a part."""
    with replace_when_complete(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, data: object) -> None:
    """Write JSON (two spaces, no NaN) the same way, ended by a newline."""
    write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")
