"""One row of an experiment: its tracker, and everything that decides its result."""

from dataclasses import dataclass
from typing import Any, Literal

from mapt_bench.baselines.rows import Row, ThresholdsOrigin
from mapt_bench.baselines.thresholds import Setting
from mapt_bench.experiments.plans.network_weights import MaptWeights, NetworkWeights

__all__ = ["Group", "UserCode", "Variant"]

Group = Literal[
    "reference", "baseline", "heads", "fusion", "flow", "switch", "trained", "added", "whole"
]


@dataclass(frozen=True, slots=True)
class UserCode:
    """The code of a row that is a user's tracker.

    Attributes:
        fingerprint: Hash of its source, see :func:`~mapt_bench.user_code.source_fingerprint`.
        is_whole: Whether it finds its own segments.
        files: SHA-256 of each file that a setting names, by name of the setting.
    """

    fingerprint: str
    is_whole: bool
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of an experiment.

    Attributes:
        name: Spelled as :mod:`~mapt_bench.baselines.rows` says, for example ``"mapt+memory"``;
            unique in its plan.
        label: How plots call it.
        group: Which question it belongs to; rows of ``"reference"`` compete for nothing.
        associator: Name of the tracker.
        memory: Frames that a lost track is kept for; ``None`` where the tracker has no memory.
        settings: Settings of the associator that are not its defaults.
        weights: Of its flow network; ``None`` where it has none.
        mapt: Of the MAPT whose heads link; ``None`` where none do.
        switches: Parts of MAPT that are removed at inference.
        code: Of a user's tracker; ``None`` for those of this package.
        thresholds: Where its thresholds come from: ``"tuned"``, ``"published"``, ``"own"`` for a
            user's tracker, or ``"none"``.
    """

    name: str
    label: str
    group: Group
    associator: str
    memory: int | None = None
    settings: tuple[Setting, ...] = ()
    weights: NetworkWeights | None = None
    mapt: MaptWeights | None = None
    switches: tuple[str, ...] = ()
    code: UserCode | None = None
    thresholds: ThresholdsOrigin = "published"

    @property
    def is_whole(self) -> bool:
        """Whether it finds its own segments, so that it has tables of its own."""
        return self.code is not None and self.code.is_whole

    @property
    def row(self) -> Row:
        """What :mod:`~mapt_bench.baselines.rows` calls it, without settings."""
        return Row(self.associator, self.memory or 0, switches=self.switches)

    def titles(self) -> dict[str, str]:
        """Return what results call the row, ready for JSON; none of it decides a result."""
        return {"variant": self.name, "label": self.label, "group": self.group}

    def describe(self) -> dict[str, Any]:
        """Return everything about the row that decides its result, ready for JSON.

        Keys of cells and results are made from this. Names, labels, groups and paths are left out:
        rows that amount to the same work have the same description.
        """
        return {
            **self.describe_setup(),
            "code": None
            if self.code is None
            else {"source": self.code.fingerprint, "files": dict(self.code.files)},
        }

    def describe_setup(self) -> dict[str, Any]:
        """Return the same without code: what must not change when a run is resumed."""
        return {
            "associator": self.associator,
            "memory": self.memory,
            "settings": dict(self.settings),
            "weights": None if self.weights is None else self.weights.sha256,
            "mapt": None if self.mapt is None else self.mapt.sha256,
            "switches": list(self.switches),
        }
