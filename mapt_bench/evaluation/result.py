"""The result of an evaluation, with its JSON schema."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from mapt_bench.errors import DataError, wrong_schema
from mapt_bench.files import json_text, write_together
from mapt_bench.metrics.arithmetic import Block

__all__ = ["EVALUATIONS_SCHEMA", "EVALUATION_SCHEMA", "EvaluationResult", "evaluations_document"]

EVALUATION_SCHEMA = "mapt-bench/evaluation/2"
EVALUATIONS_SCHEMA = "mapt-bench/evaluations/2"

Scores = dict[str, float | None]


@dataclass(frozen=True)
class EvaluationResult:
    """Scores of one prediction, with protocol and provenance.

    Attributes:
        name: Name of the prediction in tables.
        scores: Headline scores as fractions. ``None`` if undefined.
        per_sequence: Headline scores and number of ``frames`` by sequence.
        per_class: Name, kind, PQ, SQ, RQ, IoU, iou_sum, tp, fp and fn by class number. Scores
            are ``None`` for a class that does not occur.
        blocks: All reference blocks and variants, see ``tests/golden/README.md``.
        protocol: Data set, PAT variant, averaged ``classes``, ``class_set`` (``own`` classes or
            those ``common`` to several predictions), treatment of missing frames.
        undefined: Reason for each undefined headline score.
        provenance: Versions, commit, machine.
        intervals: Confidence intervals by score, if requested.
        differences: Differences to the first of several predictions, if intervals are requested:
            ``reference`` (its name) and the fields of
            :meth:`~mapt_bench.metrics.uncertainty.ComparisonFamily.compare`.
        losses: Error decomposition, if requested: the data of
            :class:`~mapt_bench.metrics.losses.Losses`.
        slices: Recall and association accuracy by properties of the objects, if requested: the
            entries of :func:`~mapt_bench.metrics.slices.slice_rates`.
    """

    name: str
    scores: Scores
    per_sequence: dict[str, Scores]
    per_class: dict[str, Block]
    blocks: Block
    protocol: dict[str, Any]
    undefined: dict[str, str]
    provenance: dict[str, object]
    intervals: dict[str, dict[str, float | int | str]] | None = field(default=None)
    differences: dict[str, Any] | None = field(default=None)
    losses: dict[str, Any] | None = field(default=None)
    slices: list[dict[str, Any]] | None = field(default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data of schema ``mapt-bench/evaluation/2``."""
        data: dict[str, Any] = {
            "schema": EVALUATION_SCHEMA,
            "name": self.name,
            "scores": self.scores,
            "undefined": self.undefined,
        }
        if self.intervals is not None:
            data["intervals"] = self.intervals
        if self.differences is not None:
            data["differences"] = self.differences
        if self.losses is not None:
            data["losses"] = self.losses
        if self.slices is not None:
            data["slices"] = self.slices
        return {
            **data,
            "per_sequence": self.per_sequence,
            "per_class": self.per_class,
            "protocol": self.protocol,
            "provenance": self.provenance,
            "blocks": self.blocks,
        }

    def write(self, file: str | Path) -> Path:
        """Write the result as JSON, which :func:`mapt_bench.load_result` reads.

        Args:
            file: File to write. An existing file is replaced only when the new one is complete.

        Returns:
            The path of the file.

        Raises:
            DataError: If the file cannot be written.
        """
        path = Path(file)
        write_together({path: json_text(self.to_dict())})
        return path

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build a result from the data of :meth:`to_dict`.

        Raises:
            DataError: If the schema is another, or a field is missing.
        """
        schema = data.get("schema")
        if schema == "mapt-bench/evaluation/1":
            raise DataError(
                "has schema 'mapt-bench/evaluation/1', whose PAT, PQ and LSTQ may depend on other "
                f"predictions; evaluate the predictions again to get {EVALUATION_SCHEMA!r}"
            )
        if schema != EVALUATION_SCHEMA:
            remedy = "give the JSON of one evaluation of this version"
            raise DataError(wrong_schema(schema, EVALUATION_SCHEMA, remedy=remedy))
        names = (
            "name", "scores", "per_sequence", "per_class", "blocks", "protocol", "undefined",
            "provenance",
        )  # fmt: skip
        lacking = [name for name in names if name not in data]
        if lacking:
            raise DataError(f"the evaluation lacks {', '.join(lacking)}; evaluate again")
        return cls(
            **{name: data[name] for name in names},
            intervals=data.get("intervals"),
            differences=data.get("differences"),
            losses=data.get("losses"),
            slices=data.get("slices"),
        )


def evaluations_document(results: Sequence[EvaluationResult]) -> dict[str, Any]:
    """Return the JSON document of one or several results."""
    if len(results) == 1:
        return results[0].to_dict()
    return {
        "schema": EVALUATIONS_SCHEMA,
        "evaluations": [result.to_dict() for result in results],
    }
