"""JSON files of labels: search them and read them without too much memory."""

import codecs
import mmap
from pathlib import Path
from typing import Any

from mapt_bench.errors import DataError
from mapt_bench.files import parse_json, read_text
from mapt_bench.special_files import refuse_special

__all__ = ["broken_json", "ends_early", "holds_text", "load_json"]

_END = 64  # bytes; white space may follow the last bracket


def holds_text(path: Path, text: str) -> bool:
    """Whether a file has a text in UTF-8 or UTF-16, found without reading it into memory."""
    try:
        refuse_special(path)
        with path.open("rb") as handle:
            start = handle.read(2)
            if not start:
                return False
            encoding = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
            with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as view:
                return view.find(text.encode(encoding.get(start, "utf-8"))) >= 0
    except (OSError, ValueError):
        return False


def ends_early(path: Path) -> bool:
    """Whether a JSON file is empty or cut: it does not end with a bracket.

    Only its last bytes are read.
    """
    try:
        refuse_special(path)
        with path.open("rb") as handle:
            handle.seek(max(0, path.stat().st_size - _END))
            # The bracket is the last byte but one in UTF-16 with the lower byte first.
            end = handle.read().rstrip(b" \t\r\n\0")
    except OSError:
        return False
    return not end.endswith((b"}", b"]"))


def load_json(path: Path, what: str) -> Any:  # noqa: ANN401 - the content is unknown
    """Read a JSON file whose size is limited.

    Args:
        path: File.
        what: Expected content, for messages.

    Raises:
        DataError: If it is too large, cannot be read, or is malformed.
    """
    try:
        return parse_json(
            read_text(path, remedy="split it into one file for each group of sequences")
        )
    except (OSError, ValueError, RecursionError) as problem:
        raise broken_json(path, problem, what) from problem


def broken_json(path: Path, problem: object, what: str) -> DataError:
    """Return the error for malformed JSON.

    Args:
        path: File.
        problem: Reason.
        what: Expected content.
    """
    return DataError(
        f"is malformed JSON ({problem}); expected {what}; write or copy it again",
        where=path,
    )
