"""Registry of the trained weights of this package, by name. It does not import torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mapt_bench.errors import ConfigError, DataError, nearest
from mapt_bench.files import file_sha256, parse_json, read_text

__all__ = [
    "CARD_SCHEMA",
    "DEFAULT_MAPT",
    "DEFAULT_NARROW_FLOWNET2",
    "WEIGHTS_FOLDER",
    "ShippedWeights",
    "WeightsInUse",
    "shipped",
    "shipped_at",
    "shipped_mapt_weights",
    "shipped_weights",
    "weights_file",
    "weights_in_use",
]

CARD_SCHEMA = "mapt-bench/weights-card/1"

DEFAULT_MAPT = "mapt-compact"
"""Default weights of MAPT's trackers."""

DEFAULT_NARROW_FLOWNET2 = "flownet2-narrow"
"""Default weights of the flow method with the same name."""

WEIGHTS_FOLDER = Path(__file__).parent
"""Folder of the weights files and their cards."""

_SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True)
class ShippedWeights:
    """Weights that are part of the package.

    Attributes:
        name: Name of the weights.
        path: Path of the file.
        sha256: Hash of the file, from the card.
        card: Training and results: ``data``, ``recipe``, ``seed``, ``steps``, ``seconds``,
            ``machine``, ``validation``, ``scores``, ``limits`` and more.
    """

    name: str
    path: Path
    sha256: str
    card: dict[str, Any]

    @property
    def trained_on(self) -> str:
        """Training data in a few words: ``the synthetic world (suite train)``."""
        return f"the synthetic world (suite {self.card['data']['name']})"


def shipped_weights() -> tuple[str, ...]:
    """Return the names of all shipped weights, sorted."""
    return tuple(sorted(path.stem for path in WEIGHTS_FOLDER.glob(f"*{_SUFFIX}")))


def shipped_mapt_weights() -> tuple[str, ...]:
    """Return the names of all shipped weights of MAPT, sorted."""
    return tuple(name for name in shipped_weights() if name != DEFAULT_NARROW_FLOWNET2)


def shipped(name: str) -> ShippedWeights:
    """Return shipped weights by name. The weights file is not read.

    Args:
        name: One of :func:`shipped_weights`.

    Raises:
        ConfigError: If no shipped weights have the name. The message suggests the nearest.
        DataError: If the card is missing or damaged.
    """
    names = shipped_weights()
    if name not in names:
        hint = nearest(name, names) if names else "this copy of the package has no weights"
        raise ConfigError(f"no shipped weights {name!r}; {hint}; or give a weights file")
    path = WEIGHTS_FOLDER / f"{name}{_SUFFIX}"
    card = _card(path.with_suffix(".json"))
    return ShippedWeights(name, path, str(card["sha256"]), card)


def shipped_at(path: Path) -> ShippedWeights | None:
    """Return the shipped weights of a file. ``None`` for all other files."""
    is_ours = path.suffix == _SUFFIX and path.resolve().parent == WEIGHTS_FOLDER.resolve()
    return shipped(path.stem) if is_ours and path.stem in shipped_weights() else None


def weights_file(name_or_file: str | Path) -> Path:
    """Return the file of a path, or of the name of shipped weights.

    A word without folder and suffix is a name, unless the current folder has such a file.

    Args:
        name_or_file: Path, or name of shipped weights.

    Raises:
        ConfigError: If it is a word that is neither a file nor a name of shipped weights.
        DataError: If the card of the weights is missing or damaged.

    Example:
        >>> weights_file("runs/mine/weights.safetensors").as_posix()
        'runs/mine/weights.safetensors'
    """
    path = Path(name_or_file)
    is_bare_word = len(path.parts) == 1 and not path.suffix
    return shipped(str(path)).path if is_bare_word and not path.exists() else path


def _card(path: Path) -> dict[str, Any]:
    try:
        card = parse_json(read_text(path))
    except (OSError, ValueError) as problem:
        raise DataError(
            f"the card of the shipped weights cannot be read ({problem}); reinstall the package",
            where=path,
        ) from problem
    if not isinstance(card, dict) or card.get("schema") != CARD_SCHEMA:
        raise DataError(f"is not a weights card ({CARD_SCHEMA}); reinstall the package", where=path)
    return card


_DIGITS = 12


@dataclass(frozen=True, slots=True)
class WeightsInUse:
    """Weights of a run, for its output.

    Attributes:
        name: Name of shipped weights. For other weights, the path as given.
        sha256: Hash of the file.
        trained_on: Training data of shipped weights. ``None`` for other weights.
    """

    name: str
    sha256: str
    trained_on: str | None

    @property
    def description(self) -> str:
        """One-line description.

        Example:
            >>> WeightsInUse("mapt-compact", 64 * "a", "the synthetic world").description
            'mapt-compact (sha256 aaaaaaaaaaaa, trained on the synthetic world)'
        """
        data = "" if self.trained_on is None else f", trained on {self.trained_on}"
        return f"{self.name} (sha256 {self.sha256[:_DIGITS]}{data})"

    def to_dict(self) -> dict[str, str | None]:
        """Return plain data for JSON."""
        return {"name": self.name, "sha256": self.sha256, "trained_on": self.trained_on}


def weights_in_use(name_or_file: str | Path) -> WeightsInUse:
    """Return the description of weights.

    Args:
        name_or_file: See :func:`~mapt_bench.weights.weights_file`.

    Raises:
        ConfigError: If no shipped weights have the name.
        DataError: If the file cannot be read.
    """
    path = weights_file(name_or_file)
    digest = file_sha256(path)
    known = shipped_at(path)
    if known is None:
        return WeightsInUse(str(name_or_file), digest, None)
    return WeightsInUse(known.name, digest, known.trained_on)
