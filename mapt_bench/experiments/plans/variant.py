"""One row of an experiment: its tracker, and everything that decides its result."""

from dataclasses import dataclass
from typing import Any, Literal

from mapt_bench.baselines.registry import AssociatorEntry
from mapt_bench.baselines.rows import Row, ThresholdsOrigin, tracker_entry
from mapt_bench.baselines.thresholds import Setting
from mapt_bench.experiments.plans.network_weights import MaptWeights, NetworkWeights

__all__ = ["Group", "UserCode", "Variant"]

Group = Literal[
    "reference", "baseline", "heads", "fusion", "flow", "switch", "trained", "added", "whole"
]


@dataclass(frozen=True, slots=True)
class UserCode:
    """The code of a user's tracker.

    Attributes:
        fingerprint: Hash of its source, see :func:`~mapt_bench.user_code.source_fingerprint`.
        is_whole: Whether it is a whole tracker, with its own detections.
        files: SHA-256 of each file that a setting names, by name of the setting.
    """

    fingerprint: str
    is_whole: bool
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of an experiment.

    Attributes:
        name: Name in the grammar of :mod:`~mapt_bench.baselines.rows`, for example
            ``"mapt+memory"``. Unique in its plan.
        label: Label in plots.
        group: Question that the row belongs to. Rows of ``"reference"`` are never the best.
        associator: Name of the tracker.
        memory: Track memory in frames. ``None`` if the tracker has no memory.
        settings: Settings of the associator that differ from its defaults.
        weights: Weights of its flow network, or ``None``.
        mapt: Weights of the MAPT whose heads link, or ``None``.
        switches: Components of MAPT that are removed at inference.
        code: Code of a user's tracker. ``None`` for trackers of this package.
        thresholds: Origin of its thresholds: ``"tuned"``, ``"published"``, ``"own"`` for a
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
        """Whether it is a whole tracker: it has its own detections, and separate tables."""
        return self.code is not None and self.code.is_whole

    @property
    def row(self) -> Row:
        """The row in the grammar of :mod:`~mapt_bench.baselines.rows`, without settings."""
        return Row(self.associator, self.memory or 0, switches=self.switches)

    def titles(self) -> dict[str, str]:
        """Return the names of the row for JSON. They do not decide a result."""
        return {"variant": self.name, "label": self.label, "group": self.group}

    def describe(self) -> dict[str, Any]:
        """Return everything about the row that decides its result, for JSON.

        Keys of cells contain this. Names, labels, groups and paths are omitted, so rows with the
        same work have the same description.
        """
        return {
            **self.describe_setup(),
            "code": None
            if self.code is None
            else {"source": self.code.fingerprint, "files": dict(self.code.files)},
        }

    def describe_setup(self) -> dict[str, Any]:
        """Return the same without the user's code. It must not change when a run is resumed."""
        return {
            "associator": self.associator,
            "memory": self.memory,
            "settings": dict(self.settings),
            "weights": None if self.weights is None else self.weights.sha256,
            "mapt": None if self.mapt is None else self.mapt.sha256,
            "switches": list(self.switches),
            **self._linker(),
        }

    def _linker(self) -> dict[str, str]:
        """Return the hash of the linker file, for rows that link by one."""
        if self.mapt is None:
            return {}
        entry = tracker_entry(self.associator)
        uses_linker = isinstance(entry, AssociatorEntry) and entry.uses_linker
        return {"linker": self.mapt.linker} if uses_linker else {}
