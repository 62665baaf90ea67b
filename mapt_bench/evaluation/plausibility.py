"""Notes on results that are more likely an error of reading than of tracking."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mapt_bench.data.sequences import StoredSequence
from mapt_bench.errors import listed
from mapt_bench.labels import ID_BITS, ID_LIMIT, LabelSpace
from mapt_bench.metrics.arithmetic import Block

__all__ = ["plausibility_notes"]

_FRAMES = 4  # frames of each sequence that are read again, spread evenly


def plausibility_notes(
    gt: Sequence[StoredSequence],
    pred: Sequence[StoredSequence],
    per_class: Mapping[str, Block],
    labels: LabelSpace,
) -> list[str]:
    """Describe what is implausible in a result and its data.

    Args:
        gt: Sequences of the ground truth. A few frames of each are read.
        pred: Sequences of the prediction. A few frames of each are read.
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
    for side, sequences in (("ground truth", gt), ("prediction", pred)):
        codes = _sample(sequences)
        classes, with_id = codes >> np.uint32(ID_BITS), codes & np.uint32(ID_LIMIT - 1) > 0
        is_thing = labels.is_thing_table[classes]
        if is_thing.any() and not with_id[is_thing].any():
            notes.append(
                f"no thing of the {side} has an identity: all have id 0"
                + (", which is crowd and not scored" if side == "ground truth" else "")
                + "; check its encoding, or that its tracks were written"
            )
        odd = np.unique(classes[with_id & ~is_thing & (classes != labels.ignore_label)])
        if side == "ground truth" and odd.size:
            names = listed(labels.by_id(int(number)).name for number in odd)
            notes.append(
                f"the ground truth has identities on {names}, which the label space "
                f"{labels.name!r} calls stuff; their identities are not scored; choose the label "
                "space with --dataset if they are things"
            )
    return notes


def _sample(sequences: Sequence[StoredSequence]) -> NDArray[np.uint32]:
    """Return the distinct codes of a few frames of each sequence."""
    found = [np.zeros(0, dtype=np.uint32)]
    for sequence in sequences:
        count = len(sequence.frame_names)
        positions = np.unique(np.linspace(0, count - 1, min(count, _FRAMES)).astype(int))
        found += [_starts(sequence.read(int(index)).codes.ravel()) for index in positions]
    return np.unique(np.concatenate(found))


def _starts(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the first code of each stretch of equal codes: far fewer than pixels to sort."""
    return codes[np.concatenate(([0], np.flatnonzero(codes[1:] != codes[:-1]) + 1))]
