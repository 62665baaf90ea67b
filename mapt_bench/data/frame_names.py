"""Names of frames that begin with the name of their sequence."""

import re
from collections.abc import Sequence

from mapt_bench.errors import whole_number

__all__ = ["frame_number", "split_names"]

_PREFIX_PIECES = 2
"""Most pieces of a sequence name in a file name, as in ``frankfurt_000000_000294.png``."""


def frame_number(name: str, pieces: int) -> str:
    """Return the number of a frame: the piece of its name after those that name the sequence.

    Args:
        name: Name of a file without its suffix, ``<sequence>_<number>``, possibly with more.
        pieces: Number of pieces that name the sequence, 1 or more.
    """
    return _pieces(name)[pieces]


def split_names(names: Sequence[str]) -> tuple[int, dict[str, list[int]]] | None:
    """Group names of frames by the name of the sequence at their beginning.

    Args:
        names: Names of files without suffix, each ``<sequence>_<number>``, possibly with more after
            another ``_``. A ``-`` separates like a ``_``.

    Returns:
        How many pieces of the names are the sequence, and the positions of the names by sequence.
        ``None`` if a name has another form, or a number occurs twice in a sequence.

    Example:
        >>> split_names(["0005_0025_town", "0005_0030_town", "0010_0025_town"])
        (1, {'0005': [0, 1], '0010': [2]})
    """
    if not all("_" in name or "-" in name for name in names):
        return None
    pieces = [_pieces(name) for name in names]
    for count in range(1, _PREFIX_PIECES + 1):
        numbers = [whole_number(p[count]) if len(p) > count else None for p in pieces]
        if not names or None in numbers:
            continue
        groups: dict[str, list[int]] = {}
        for position, (name, own) in enumerate(zip(names, pieces, strict=True)):
            groups.setdefault(name[: sum(map(len, own[:count])) + count - 1], []).append(position)
        distinct = {(*own[:count], number) for own, number in zip(pieces, numbers, strict=True)}
        if len(distinct) == len(names):
            return count, groups
    return None


def _pieces(name: str) -> list[str]:
    return re.split("[_-]", name)
