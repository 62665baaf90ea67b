"""Shipped weights by name, and names in place of files. Nothing here imports torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mapt_bench.errors import ConfigError, DataError, nearest

__all__ = [
    "CARD_SCHEMA",
    "DEFAULT_MAPT",
    "DEFAULT_NARROW_FLOWNET2",
    "ROOM",
    "ShippedWeights",
    "shipped",
    "shipped_at",
    "shipped_weights",
    "weights_file",
]

CARD_SCHEMA = "mapt-bench/weights-card/1"

DEFAULT_MAPT = "mapt-tiny"
"""What MAPT's trackers run unless they are given other weights."""

DEFAULT_NARROW_FLOWNET2 = "flownet2-narrow"
"""What the flow of the same name runs unless it is given other weights."""

ROOM = Path(__file__).parent
"""Where the files lie."""

_SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True)
class ShippedWeights:
    """Weights that come with the package.

    Attributes:
        name: What they are asked for by.
        path: Their file.
        sha256: Of the file, as the card has it.
        card: How they came about and what they are worth: ``data``, ``recipe``, ``seed``,
            ``steps``, ``seconds``, ``machine``, ``validation``, ``scores``, ``limits`` and more.
    """

    name: str
    path: Path
    sha256: str
    card: dict[str, Any]

    @property
    def trained_on(self) -> str:
        """What they have seen, in a few words: ``the drawn world (suite train)``."""
        return f"the drawn world (suite {self.card['data']['name']})"


def shipped_weights() -> tuple[str, ...]:
    """Return the names of the weights that are there, sorted."""
    return tuple(sorted(path.stem for path in ROOM.glob(f"*{_SUFFIX}")))


def shipped(name: str) -> ShippedWeights:
    """Return weights by name; the file itself is not read.

    Args:
        name: One of :func:`shipped_weights`.

    Raises:
        ConfigError: If no weights of that name ship; the nearest is named.
        DataError: If their card is missing or damaged.
    """
    there = shipped_weights()
    if name not in there:
        hint = nearest(name, there) if there else "this copy of the package has none at all"
        raise ConfigError(f"no weights named {name!r} ship; {hint}; or give the file of your own")
    path = ROOM / f"{name}{_SUFFIX}"
    card = _card(path.with_suffix(".json"))
    return ShippedWeights(name, path, str(card["sha256"]), card)


def shipped_at(path: Path) -> ShippedWeights | None:
    """Return the shipped weights whose file this is; ``None`` for all other files."""
    is_ours = path.suffix == _SUFFIX and path.resolve().parent == ROOM.resolve()
    return shipped(path.stem) if is_ours and path.stem in shipped_weights() else None


def weights_file(name_or_file: str | Path) -> Path:
    """Return the file that is meant: a path as it is, a name as the shipped file.

    A bare word that is no file of the present folder is a name.

    Args:
        name_or_file: As a user gives it.

    Raises:
        ConfigError: If it is a bare word, and neither a file nor the name of shipped weights.
        DataError: If the card of the weights of that name is missing or damaged.

    Example:
        >>> weights_file("runs/mine/weights.safetensors").as_posix()
        'runs/mine/weights.safetensors'
    """
    path = Path(name_or_file)
    is_bare_word = len(path.parts) == 1 and not path.suffix
    return shipped(str(path)).path if is_bare_word and not path.exists() else path


def _card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise DataError(
            f"the card of shipped weights cannot be read ({problem}); install the package again",
            where=path,
        ) from problem
    if not isinstance(card, dict) or card.get("schema") != CARD_SCHEMA:
        raise DataError(
            f"is no card of weights ({CARD_SCHEMA}); install the package again", where=path
        )
    return card
