"""The regression gate: checked limits, accepted regressions, and the verdict."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from mapt_bench.compare._changes import (
    Change,
    Missing,
    added_parts,
    changes_of,
    missing_parts,
    pair_rows,
)
from mapt_bench.compare._checks import BrokenLimit, LimitCheck
from mapt_bench.compare._comparable import check_comparable, origin_notes
from mapt_bench.compare._gate_file import load_gate
from mapt_bench.compare._limits import (
    PREDICTIONS,
    Acceptance,
    Allowed,
    GateRules,
    Limit,
)
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.results.expected_fields import expecting_fields
from mapt_bench.results.result_files import ResultFile, load_result

__all__ = [
    "COMPARISON_SCHEMA",
    "AcceptedRegression",
    "Comparison",
    "assert_no_regression",
    "compare_results",
]

COMPARISON_SCHEMA = "mapt-bench/comparison/3"


@dataclass(frozen=True)
class AcceptedRegression:
    """An entry of accepted regressions, and what it did.

    Attributes:
        acceptance: The entry.
        status: ``"used"`` if it accepts an exceeded limit, ``"not needed"`` if no limit is
            exceeded there, ``"expired"`` if its date has passed.
        broken: The exceeded limits.
    """

    acceptance: Acceptance
    status: Literal["used", "not needed", "expired"]
    broken: tuple[BrokenLimit, ...] = ()

    def __str__(self) -> str:
        limits = "; ".join(map(str, self.broken))
        return f"{self.acceptance}, {self.status}" + (f": {limits}" if limits else "")

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain data for JSON."""
        return {
            "score": self.acceptance.score,
            "row": self.acceptance.row,
            "sequence": self.acceptance.sequence,
            "reason": self.acceptance.reason,
            "expires": self.acceptance.expires.isoformat(),
            "status": self.status,
            "limits": [str(entry) for entry in self.broken],
            "message": str(self),
        }


@dataclass(frozen=True)
class Comparison:
    """All differences between two results, and the verdict.

    Attributes:
        baseline: Path of the baseline.
        current: Path of the current result.
        changes: One entry for each row and score of either result.
        limits: Limits that were checked.
        broken: Exceeded limits that fail the gate.
        warnings: Exceeded limits that only cause a warning.
        accepted: Accepted regressions.
        missing: Rows, scores and sequences that only the baseline has.
        added: Rows, scores and sequences that only the current result has.
        allowed: Kinds of missing and new parts that do not fail the gate.
        notes: Remarks that help to read the differences.
    """

    baseline: Path
    current: Path
    changes: tuple[Change, ...]
    limits: tuple[Limit, ...]
    broken: tuple[BrokenLimit, ...]
    missing: tuple[Missing, ...]
    added: tuple[str, ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[BrokenLimit, ...] = ()
    accepted: tuple[AcceptedRegression, ...] = ()
    allowed: tuple[Allowed, ...] = ()

    @property
    def is_passed(self) -> bool | None:
        """Whether no limit is exceeded, and no part is missing, new or undefined.

        ``None`` if there is nothing of that kind and no limit was given: then nothing was checked.
        """
        if self.failures():
            return False
        return True if self.limits else None

    @property
    def improved(self) -> tuple[Change, ...]:
        """The changes to the better."""
        return tuple(change for change in self.changes if change.is_improvement)

    def failures(self) -> list[str]:
        """Return one line for each reason why the gate fails."""
        lines = [str(entry) for entry in self.broken]
        lines += [str(part) for part in self.missing if part.kind not in self.allowed]
        if "new" not in self.allowed:
            lines += [f"{part} is new: it is not in the baseline" for part in self.added]
        return lines

    def status_of(self, limit: Limit) -> str:
        """Return ``failed``, ``warning``, ``accepted`` or ``passed``."""
        accepted = [broken.limit for each in self.accepted for broken in each.broken]
        if limit in [each.limit for each in self.broken]:
            return "failed"
        if limit in [each.limit for each in self.warnings]:
            return "warning"
        return "accepted" if limit in accepted else "passed"

    def to_dict(self) -> dict[str, Any]:
        """Return the result of schema ``mapt-bench/comparison/3``; differences are fractions."""
        return {
            "schema": COMPARISON_SCHEMA,
            "baseline": str(self.baseline),
            "current": str(self.current),
            "passed": self.is_passed,
            "failures": self.failures(),
            "changes": [change.to_dict() for change in self.changes],
            "limits": [
                {
                    "limit": str(limit),
                    "score": limit.score,
                    "row": limit.scope.row,
                    "sequence": limit.scope.sequence,
                    "severity": "warning" if limit.is_warning else "error",
                    "noise_aware": limit.is_noise_aware,
                    "status": self.status_of(limit),
                }
                for limit in self.limits
            ],
            "broken": [entry.to_dict() for entry in self.broken],
            "warnings": [entry.to_dict() for entry in self.warnings],
            "accepted": [entry.to_dict() for entry in self.accepted],
            "missing": [
                {
                    "row": entry.row,
                    "score": entry.score,
                    "sequence": entry.sequence,
                    "kind": entry.kind,
                    "is_allowed": entry.kind in self.allowed,
                    "message": str(entry),
                }
                for entry in self.missing
            ],
            "added": list(self.added),
            "allowed": list(self.allowed),
            "improved": len(self.improved),
            "notes": list(self.notes),
        }


def compare_results(
    baseline: Path | str,
    current: Path | str,
    *,
    limits: Sequence[Limit] = (),
    rules: GateRules | None = None,
    common_classes: bool = False,
    today: date | None = None,
) -> Comparison:
    """Compare two result files row by row and score by score.

    Rows are matched by name. Two evaluations of one prediction each are matched with any names.
    Values are those of the results. If the results are averaged over different classes,
    differences use the classes of both, and a note says so. Without limits there is no verdict,
    unless a part is missing, new or undefined.

    Args:
        baseline: One or several evaluations, a run (its file or folder), a FLOPs report, or a
            baseline that ``--update-baseline`` wrote.
        current: The same kind of result.
        limits: Limits to check.
        rules: Further rules, for example from :func:`~mapt_bench.compare.load_gate`.
        common_classes: Whether values also use the classes of both results.
        today: Day that expiry dates are compared with, by default today in UTC.

    Raises:
        ConfigError: If a limit or an accepted regression names a score, row or sequence that both
            results lack.
        DataError: If a file is not a result, or the two cannot be compared: they differ in the
            kind of result, protocol, ground truth, suite version or segments.
    """
    before, after = load_result(baseline), load_result(current)
    rules = (rules or GateRules()).and_also(limits, ())
    with expecting_fields(f"{baseline}, {current}", "a result"):
        return _compared(before, after, rules, common_classes, today)


def _compared(
    before: ResultFile,
    after: ResultFile,
    rules: GateRules,
    common_classes: bool,
    today: date | None,
) -> Comparison:
    pairs, notes = pair_rows(before, after)
    check_comparable([(pair.old, pair.new) for pair in pairs], before, after)
    _check_names(rules, before, after)
    changes = tuple(
        change for pair in pairs for change in changes_of(pair, common_classes=common_classes)
    )
    checks = [LimitCheck(limit, pairs, after, rules.allow) for limit in rules.limits]
    broken = [entry for check in checks for entry in check.broken()]
    failing, accepted = _without_accepted(
        [entry for entry in broken if not entry.limit.is_warning],
        rules.accepted,
        today or datetime.now(UTC).date(),
    )
    return Comparison(
        baseline=before.path,
        current=after.path,
        changes=changes,
        limits=rules.limits,
        broken=tuple(failing),
        missing=tuple(missing_parts(before, pairs, changes)),
        added=tuple(added_parts(after, pairs)),
        notes=(
            *origin_notes(before, after),
            *notes,
            *(note for check in checks for note in check.notes),
        ),
        warnings=tuple(entry for entry in broken if entry.limit.is_warning),
        accepted=tuple(accepted),
        allowed=rules.allow,
    )


def assert_no_regression(
    result: Path | str | Mapping[str, Any],
    baseline: Path | str,
    limits: Sequence[Limit | str] | str = (),
    *,
    gate: Path | str | None = None,
    allow: Sequence[Allowed] = (),
) -> Comparison:
    """Fail a test if a result is worse than a baseline.

    Args:
        result: Result file, run folder, or the data of a result such as
            ``EvaluationResult.to_dict()``.
        baseline: Result file, run folder or baseline.
        limits: Limits, or text in the form of ``--fail-on``, such as ``["PAT<-0.5", "IDSW>5"]``.
        gate: File with more limits, such as ``gate.yaml``.
        allow: Differences that do not fail: ``"missing"``, ``"new"``, ``"undefined"``.

    Raises:
        AssertionError: If a limit is exceeded, or a part is missing, new or undefined. The message
            lists everything.
        ConfigError: If no limit is given, or a limit names an unknown score, row or sequence.
        DataError: If the two cannot be compared.
    """
    limits = [limits] if isinstance(limits, str) else limits
    rules = (GateRules() if gate is None else load_gate(Path(gate))).and_also(
        [limit if isinstance(limit, Limit) else Limit.parse(limit) for limit in limits], allow
    )
    if not rules.limits:
        raise ConfigError("no limit is given, so nothing would be checked; give one")
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(result, Mapping):
            file = Path(folder) / "result.json"
            file.write_text(json.dumps(result), encoding="utf-8")
            result = file
        comparison = compare_results(baseline, result, rules=rules)
    if comparison.is_passed is False:
        raise AssertionError("\n".join(["the result is worse:", *comparison.failures()]))
    return comparison


def _check_names(rules: GateRules, before: ResultFile, after: ResultFile) -> None:
    rows = [row for file in (before, after) for row in file.rows.values()]
    scores = {score for row in rows for score in row.scores}
    names = {row.name for row in rows}
    sequences = {sequence for row in rows for sequence in row.sequences}
    for limit in rules.limits:
        limit.check_known(scores, names, sequences)
        if problem := limit.noise_problem():
            raise ConfigError(f"the limit {limit} cannot be noise-aware: {problem}")
    for each in rules.accepted:
        if each.score not in scores and each.score != PREDICTIONS:
            raise ConfigError(
                f"the accepted regression of {each.score} is on a score that these results lack; "
                f"{nearest(each.score, scores)}"
            )
        each.scope.check_known(names, sequences, f"the accepted regression of {each.score}")


def _without_accepted(
    broken: Sequence[BrokenLimit], acceptances: Sequence[Acceptance], today: date
) -> tuple[list[BrokenLimit], list[AcceptedRegression]]:
    """Split exceeded limits into those that fail and those that are accepted."""
    failing, found = list(broken), []
    for acceptance in acceptances:
        covered = tuple(
            entry
            for entry in failing
            if entry.row is not None
            and acceptance.covers(entry.limit.score, entry.row, entry.sequence)
        )
        if acceptance.is_expired(today):
            found.append(AcceptedRegression(acceptance, "expired", covered))
        elif covered:
            found.append(AcceptedRegression(acceptance, "used", covered))
            failing = [entry for entry in failing if entry not in covered]
        else:
            found.append(AcceptedRegression(acceptance, "not needed"))
    return failing, found
