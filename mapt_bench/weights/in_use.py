"""Which weights ran: for the output of a run."""

from dataclasses import dataclass
from pathlib import Path

from mapt_bench.files import file_sha256
from mapt_bench.weights.room import shipped_at, weights_file

__all__ = ["WeightsInUse", "weights_in_use"]

_DIGITS = 12


@dataclass(frozen=True, slots=True)
class WeightsInUse:
    """Weights, as a run tells of them.

    Attributes:
        name: Of shipped weights; of others, the path as the user gave it.
        sha256: Of the file.
        trained_on: What shipped weights have seen; ``None`` for others.
    """

    name: str
    sha256: str
    trained_on: str | None

    @property
    def description(self) -> str:
        """One line.

        Example:
            >>> WeightsInUse("mapt-tiny", 64 * "a", "the drawn world").description
            'mapt-tiny (sha256 aaaaaaaaaaaa, trained on the drawn world)'
        """
        seen = "" if self.trained_on is None else f", trained on {self.trained_on}"
        return f"{self.name} (sha256 {self.sha256[:_DIGITS]}{seen})"

    def to_dict(self) -> dict[str, str | None]:
        """Return plain data for JSON."""
        return {"name": self.name, "sha256": self.sha256, "trained_on": self.trained_on}


def weights_in_use(name_or_file: str | Path) -> WeightsInUse:
    """Tell which weights a file or name stands for.

    Args:
        name_or_file: See :func:`~mapt_bench.weights.room.weights_file`.

    Raises:
        ConfigError: If no weights of that name ship.
        DataError: If the file cannot be read.
    """
    path = weights_file(name_or_file)
    digest = file_sha256(path)
    ours = shipped_at(path)
    if ours is None:
        return WeightsInUse(str(name_or_file), digest, None)
    return WeightsInUse(ours.name, digest, ours.trained_on)
