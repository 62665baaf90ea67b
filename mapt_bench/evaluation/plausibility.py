"""Notes on results that are more likely an error of reading than of tracking."""

from collections.abc import Mapping

from mapt_bench.errors import listed
from mapt_bench.labels import LabelSpace
from mapt_bench.metrics.arithmetic import Block
from mapt_bench.metrics.scorer import IdentityMarks

__all__ = ["plausibility_notes"]


def plausibility_notes(
    marks: IdentityMarks, per_class: Mapping[str, Block], labels: LabelSpace
) -> list[str]:
    """Describe what is implausible in a result and its data.

    Args:
        marks: Which things and identities occur on both sides.
        per_class: Scores of each class, as in ``EvaluationResult``.
        labels: Label space.

    Returns:
        One line for each finding: no segment matches in any class, no thing has an identity, or
        stuff of the ground truth has identities.
    """
    notes = []
    entries = per_class.values()
    if all(entry["tp"] == 0 for entry in entries) and any(entry["fn"] for entry in entries):
        notes.append(
            "PQ is 0 in every class: no segment matches; check that both sides have the same "
            "label space and encoding (--dataset, --encoding, --gt-encoding)"
        )
    if marks.gt_things and not marks.gt_ids:
        notes.append(
            "no thing of the ground truth has an identity: all have id 0, which is crowd and not "
            "scored; check its encoding, or that its tracks were written"
        )
    if marks.pred_things and not marks.pred_ids:
        notes.append(
            "no thing of the prediction has an identity: all have id 0; check its encoding, or "
            "that its tracks were written"
        )
    if marks.stuff_with_ids:
        names = listed(labels.by_id(number).name for number in sorted(marks.stuff_with_ids))
        notes.append(
            f"the ground truth has identities on {names}, which the label space {labels.name!r} "
            "calls stuff; their identities are not scored; choose the label space with --dataset "
            "if they are things"
        )
    return notes
