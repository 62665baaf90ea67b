"""The result of an evaluation, as it is written to disk and read by tables and by the gate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from mapt_bench.errors import DataError
from mapt_bench.metrics.block import Block

__all__ = ["EVALUATIONS_SCHEMA", "EVALUATION_SCHEMA", "EvaluationResult", "evaluations_document"]

EVALUATION_SCHEMA = "mapt-bench/evaluation/1"
EVALUATIONS_SCHEMA = "mapt-bench/evaluations/1"

Scores = dict[str, float | None]


@dataclass(frozen=True)
class EvaluationResult:
    """Scores of one prediction, and how they came about.

    Attributes:
        name: Of the prediction, for tables.
        scores: Headline scores, fractions; ``None`` where undefined.
        per_sequence: The same by sequence, and its number of ``frames``.
        per_class: By class number: name, kind, PQ, SQ, RQ, IoU, iou_sum, tp, fp, fn; scores are
            ``None`` for a class that does not occur.
        blocks: All reference blocks and variants, see ``tests/golden/README.md``.
        protocol: Data set, PAT variant, the classes averaged, what missing frames count as.
        undefined: Why each undefined headline score is undefined.
        provenance: Versions, commit, machine.
        intervals: By score, where they were asked for.
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

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data of schema ``mapt-bench/evaluation/1``."""
        data: dict[str, Any] = {
            "schema": EVALUATION_SCHEMA,
            "name": self.name,
            "scores": self.scores,
            "undefined": self.undefined,
        }
        if self.intervals is not None:
            data["intervals"] = self.intervals
        return {
            **data,
            "per_sequence": self.per_sequence,
            "per_class": self.per_class,
            "protocol": self.protocol,
            "provenance": self.provenance,
            "blocks": self.blocks,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` gave.

        Raises:
            DataError: If the schema is another, or a field is missing.
        """
        if data.get("schema") != EVALUATION_SCHEMA:
            raise DataError(
                f"found schema {data.get('schema')!r}, expected {EVALUATION_SCHEMA!r}; "
                "give the JSON of one evaluation"
            )
        names = (
            "name", "scores", "per_sequence", "per_class", "blocks", "protocol", "undefined",
            "provenance",
        )  # fmt: skip
        lacking = [name for name in names if name not in data]
        if lacking:
            raise DataError(f"the evaluation lacks {', '.join(lacking)}; write it anew")
        return cls(**{name: data[name] for name in names}, intervals=data.get("intervals"))


def evaluations_document(
    results: list[EvaluationResult], paired: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Return the document of one result, or of several with their paired differences."""
    if len(results) == 1:
        return results[0].to_dict()
    document: dict[str, Any] = {
        "schema": EVALUATIONS_SCHEMA,
        "evaluations": [result.to_dict() for result in results],
    }
    if paired is not None:
        document["paired"] = paired
    return document
