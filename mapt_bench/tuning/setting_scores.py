"""Scores of settings of trackers, in which PAT counts as 0 where PQ and TQ are both 0.

The harmonic mean of two zeros is undefined, but a setting that finds nothing is not: it is the
worst one, and a search must go on after it.
"""

import numpy as np
from numpy.typing import ArrayLike

from mapt_bench.labels import LabelSpace
from mapt_bench.metrics import SequenceSums, flat_scores
from mapt_bench.metrics.arithmetic import Array, defined

__all__ = ["PAT_TERMS", "counted_pat", "setting_scores"]

PAT_TERMS = ("PAT", "PQ", "TQ")
"""Scores that :func:`counted_pat` takes, in this order."""


def counted_pat(pat: ArrayLike, pq: ArrayLike, tq: ArrayLike) -> Array:
    """Return PAT of each selection, 0 where PQ and TQ are both 0, NaN where it is undefined.

    Args:
        pat: PAT, NaN where undefined.
        pq: PQ, likewise.
        tq: TQ, likewise.

    Example:
        >>> counted_pat([0.5, np.nan, np.nan], [0.5, 0.0, 0.0], [0.5, 0.0, np.nan])
        array([0.5, 0. , nan])
    """
    is_zero = (np.asarray(pq) == 0) & (np.asarray(tq) == 0)
    return np.where(is_zero, 0.0, np.asarray(pat, dtype=np.float64))


def setting_scores(sums: SequenceSums, labels: LabelSpace) -> dict[str, float | None]:
    """Return the headline scores of a setting, ``None`` where undefined.

    Args:
        sums: Sums of all sequences, pooled.
        labels: Label space of the sums.
    """
    found = flat_scores(sums, labels)
    terms = np.array([found[name] for name in PAT_TERMS], dtype=np.float64)  # None is NaN
    return {**found, "PAT": defined(counted_pat(*terms))}
