"""One run of the ablation, with the weights of one training seed, and the numbers in it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mapt_bench.errors import DataError

Entry = Mapping[str, Any]

_SCHEMA, _EXPERIMENT = "mapt-bench/run/1", "ablate"


@dataclass(frozen=True, slots=True)
class Measured:
    """A number of a run, or the reason why there is none.

    Attributes:
        value: A fraction, or a difference of fractions; ``None`` where there is none.
        interval: At 95 %; ``None`` where there is none.
        n: The number of samples, where it is known.
        reason: Why there is no value or no interval.
    """

    value: float | None
    interval: tuple[float, float] | None = None
    n: int | None = None
    reason: str | None = None


class SeedRun:
    """Results of a folder of ``mapt-bench ablate`` on MAPT's detections and ground-truth segments.

    Own segments are the first kind of the run, without separately trained networks. All numbers are
    of these, except scores that are requested on others.

    Args:
        folder: Of the run.
        name: How tables call it.

    Raises:
        DataError: If the folder holds no finished ablation, or one of the ground truth first.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        file = folder / "results.json"
        result = _read(file)
        rows = [row for row in result["summary"] if not row.get("trained")]
        self.segments = str(rows[0].get("segments"))
        self._rows = {(str(row.get("segments")), str(row["variant"])): row for row in rows}
        self._groups = _index(result.get("scores_by_group") or [])
        self._recoveries = _index(result.get("recoveries") or [])
        stated = result["provenance"]
        self.suite = str(stated["data"]["name"])
        self.fingerprint = str(stated["data"]["fingerprint"])
        weights = stated.get("weights") or {}
        if self.segments not in weights:
            raise DataError(
                f"the first segments of the run, {self.segments!r}, are not MAPT's "
                "detections; run mapt-bench ablate with --weights and without --segments",
                where=file,
            )
        self.weights = str(weights[self.segments])

    def score(
        self,
        variant: str,
        name: str,
        group: tuple[str, str] | None = None,
        segments: str | None = None,
    ) -> Measured:
        """Return a score of a row, over all videos or over a group of them.

        Args:
            variant: The row.
            name: Of the score.
            group: Factor and value; ``None`` is all videos.
            segments: Which kind; ``None`` is MAPT's own.
        """
        row = self._row(variant, segments)
        if row is None:
            return Measured(None, reason=f"{self.name} has no row {variant}")
        entry = row if group is None else self._groups.get((str(row["cell"]), *group))
        if entry is None:
            return Measured(None, reason=_no_group(self.name, group))
        value = entry["scores"].get(name)
        reason = f"{self.name}: {name} of {variant} is undefined" if value is None else None
        return Measured(value, _ends((entry.get("intervals") or {}).get(name)), reason=reason)

    def less(
        self,
        first: str,
        second: str,
        name: str,
        group: tuple[str, str] | None = None,
        segments: str | None = None,
    ) -> Measured:
        """Return by how much a score of the reference row differs from that of another row.

        Args:
            first: The reference row of the run.
            second: The other row.
            name: Of the score.
            group: Factor and value; ``None`` is all videos.
            segments: Which kind; ``None`` is MAPT's own.
        """
        scores = [self.score(variant, name, group, segments) for variant in (first, second)]
        missing = [score.reason for score in scores if score.value is None]
        if missing:
            return Measured(None, reason=missing[0])
        value = float(scores[0].value or 0) - float(scores[1].value or 0)
        row = self._row(second, segments) or {}
        entry = row if group is None else self._groups[(str(row["cell"]), *group)]
        found = entry.get("differences") or {}
        if found.get("reference") != first or name not in found["scores"]:
            return Measured(value, reason=f"{self.name} has no paired {name} of {second}")
        interval = found["scores"][name]["interval"]
        ends = _ends(interval)
        if ends is None:
            split = "all videos" if group is None else f"{split_name(group[1])} split"
            return Measured(value, reason=f"{self.name}, {split}: {interval['reason']}")
        return Measured(value, (-ends[1], -ends[0]))  # the run has the other row less this one

    def rows_with_memory(self, tracker: str) -> list[str]:
        """Return the rows with memory of a tracker and its kinds, on MAPT's own segments."""
        return [
            name
            for (segments, name), row in self._rows.items()
            if segments == self.segments
            and row.get("memory")
            and str(row.get("associator")).partition(":")[0] == tracker
        ]

    def memory_effect(self, variant: str, name: str, segments: str | None = None) -> Measured:
        """Return by how much memory changes a score of a row with memory."""
        row = self._row(variant, segments)
        if row is None:
            return Measured(None, reason=f"{self.name} has no row {variant}")
        effect = row.get("memory_effect")
        if effect is None:
            return Measured(
                None, reason=f"{self.name} has {variant} only with memory; add --without-memory"
            )
        found = effect["scores"][name]
        interval = found["interval"]
        return Measured(found["difference"], _ends(interval), reason=interval.get("reason"))

    def milliseconds(self, variant: str) -> float | None:
        """Return the median time of association of a frame, ``None`` where it is not known."""
        seconds = ((self._row(variant) or {}).get("cost") or {}).get("seconds_per_frame")
        return None if seconds is None else 1000 * float(seconds)

    def recovered(self, variant: str) -> Measured:
        """Return the share of identities that a row recovers after full occlusions."""
        return self._recovery(variant, returns=False)

    def precision(self, variant: str) -> Measured:
        """Return the share of returned identities that are right."""
        return self._recovery(variant, returns=True)

    def class_quality(self, variant: str, group: tuple[str, str]) -> dict[str, float]:
        """Return PQ by class over a group of videos, the lowest first."""
        row = self._row(variant) or {}
        entry = self._groups.get((str(row.get("cell")), *group)) or {}
        quality: dict[str, float] = (entry.get("per_class") or {}).get("PQ") or {}
        return dict(sorted(quality.items(), key=lambda item: item[1]))

    def _row(self, variant: str, segments: str | None = None) -> Entry | None:
        return self._rows.get((segments or self.segments, variant))

    def _recovery(self, variant: str, *, returns: bool) -> Measured:
        row = self._row(variant)
        if row is None:
            return Measured(None, reason=f"{self.name} has no row {variant}")
        entry = self._recoveries.get((str(row["cell"]), "all", "all"))
        if entry is None or entry.get("full_occlusions") is None:
            return Measured(None, reason=f"{self.name} has no recovery rates")
        rate = entry["full_occlusions"]["returns" if returns else "recovered"]
        what = "returns no identity" if returns else "matches no object again"
        reason = None if rate["n"] else f"{self.name}: {variant} {what} after 3-10 frames"
        return Measured(rate["share"], _ends(rate["interval"]), rate["n"], reason)


def read_runs(folders: Sequence[Path]) -> list[SeedRun]:
    """Read runs of one suite with different weights.

    Raises:
        DataError: If a folder is no such run, or two of them are of different videos or of the
            same weights.
    """
    names = [folder.resolve().name for folder in folders]
    runs = [
        SeedRun(folder, str(folder) if names.count(name) > 1 else name)
        for folder, name in zip(folders, names, strict=True)
    ]
    first, known = runs[0], dict[str, str]()
    for run in runs:
        if run.fingerprint != first.fingerprint:
            raise DataError(
                f"{run.name} is of the suite {run.suite!r} and {first.name} of {first.suite!r}, "
                "other videos; give runs of one suite"
            )
        if run.weights in known:
            raise DataError(
                f"{run.name} and {known[run.weights]} are of the same weights; give one run a "
                "training seed"
            )
        known[run.weights] = run.name
    return runs


def _read(file: Path) -> Entry:
    try:
        result = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise DataError(
            f"cannot be read ({problem}); give the folder of a finished run of mapt-bench ablate",
            where=file,
        ) from problem
    found = (
        (result.get("schema"), result.get("experiment")) if isinstance(result, dict) else (None,)
    )
    if found != (_SCHEMA, _EXPERIMENT) or not result["summary"]:
        raise DataError(
            f"holds {' '.join(map(str, found))}; expected {_SCHEMA} {_EXPERIMENT} with rows",
            where=file,
        )
    return dict(result)


def _index(entries: Sequence[Entry]) -> dict[tuple[str, str, str], Entry]:
    return {
        (str(entry["cell"]), str(entry["factor"]), str(entry["value"])): entry for entry in entries
    }


def _no_group(name: str, group: tuple[str, str] | None) -> str:
    return f"{name} has no videos of {' '.join(group or ())}; run it on a suite with both splits"


def _ends(interval: Entry | None) -> tuple[float, float] | None:
    if not interval or interval.get("low") is None:
        return None
    return float(interval["low"]), float(interval["high"])


def split_name(half: str) -> str:
    """Return the name of a split of a suite in sentences."""
    return {"real-like": "realistic"}.get(half, half)
