"""Uncertainty of scores: confidence intervals and paired differences, from sums per sequence.

Evaluations and experiments both use this module. Sequences are resampled: thousands of selections
of sequences are pooled and scored together, with the formulas of :mod:`mapt_bench.metrics.scores`.
``docs/statistics.md`` documents the fields in JSON.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import LabelSpace
from mapt_bench.metrics.arithmetic import Array, mean_of_all
from mapt_bench.metrics.bootstrap import (
    Interval,
    PairedDifference,
    bootstrap_intervals,
    holm,
    paired_differences,
)
from mapt_bench.metrics.scorer import WINDOWS, SequenceSums, empty_sums
from mapt_bench.metrics.scores import (
    SCORE_NAMES,
    ScoreTerms,
    pat_variant,
    score_terms,
    score_values,
)

__all__ = ["ComparisonFamily", "Sample", "ScoreStatistics"]


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """One sequence, the unit of resampling.

    Attributes:
        phases: Terms of the scores, for each phase of the dropped frames. Without dropped frames,
            there is one phase.
        vectors: The terms as vectors that can be added: ``(phases, n)``.
    """

    phases: tuple[ScoreTerms, ...]
    vectors: Array


class ScoreStatistics:
    """Confidence intervals of headline scores, and paired differences between predictions.

    Args:
        labels: Label space of the sums.
        pat_protocol: Variant of PAT.
        names: Requested scores, of :data:`~mapt_bench.metrics.scores.SCORE_NAMES`.
        seed: Seed of the resampling and of the permutations.
        resamples: Number of bootstrap resamples.
        windows: Window sizes of VPQ in the sums.
    """

    def __init__(
        self,
        labels: LabelSpace,
        *,
        pat_protocol: str = "present",
        names: Sequence[str] = SCORE_NAMES,
        seed: int = 0,
        resamples: int = 2000,
        windows: Sequence[int] = WINDOWS,
    ) -> None:
        self.labels = labels
        self.pat_protocol = pat_protocol
        self.variant = pat_variant(pat_protocol)
        self.names = tuple(names)
        self.seed = seed
        self.resamples = resamples
        self._shape = score_terms(empty_sums(labels, windows), self.variant, self.names)

    def samples(self, sequences: Sequence[Sequence[SequenceSums]]) -> tuple[Sample, ...]:
        """Return the samples of a prediction.

        Args:
            sequences: Sums of each phase, for each sequence, with the same number of phases.
        """
        return tuple(
            _sample([score_terms(sums, self.variant, self.names) for sums in phases])
            for phases in sequences
        )

    def over_common_classes(
        self, predictions: Sequence[Sequence[Sample]]
    ) -> list[tuple[Sample, ...]]:
        """Return the samples of several predictions, averaged over the classes of all of them.

        Args:
            predictions: Samples of each prediction, for the same sequences in the same order.
        """
        by_sequence = [_over_common_classes(samples) for samples in zip(*predictions, strict=True)]
        return [tuple(samples) for samples in zip(*by_sequence, strict=True)]

    def averaged_classes(self, samples: Sequence[Sample]) -> NDArray[np.bool_]:
        """Return the classes of the means PAT, PQ and LSTQ in any phase, ``(classes,)``."""
        present = [
            terms.pat.averaged(self.variant) for sample in samples for terms in sample.phases
        ]
        return np.asarray(np.logical_or.reduce(present))

    def intervals(self, samples: Sequence[Sample]) -> dict[str, Interval]:
        """Return the confidence interval of every score, or the reason why there is none."""
        found = bootstrap_intervals(
            samples,
            self.scores,
            of_counts=self.scores_of_counts,
            seed=self.seed,
            resamples=self.resamples,
        )
        return dict(zip(self.names, found, strict=True))

    def differences(
        self, samples: Sequence[Sample], reference: Sequence[Sample]
    ) -> dict[str, PairedDifference]:
        """Return the difference of each score to a reference on the same sequences.

        Both are averaged over the classes of either. Otherwise a class that only one of them
        predicts would look like a difference of the segments.
        """
        ours, theirs = self.over_common_classes([samples, reference])
        found = paired_differences(
            ours,
            theirs,
            self.scores,
            of_counts=self.scores_of_counts,
            seed=self.seed,
            resamples=self.resamples,
        )
        return dict(zip(self.names, found, strict=True))

    def scores(self, chosen: Sequence[Sample]) -> Array:
        """Return the scores of a selection of sequences, ``(scores,)``, NaN where undefined.

        The scores of a phase are those of its pooled sequences. The result is the mean over phases.
        """
        return self._mean_over_phases(np.sum([sample.vectors for sample in chosen], axis=0))

    def scores_of_counts(self, samples: Sequence[Sample], counts: NDArray[np.int64]) -> Array:
        """Return the scores of many selections.

        Args:
            samples: Samples of the sequences.
            counts: ``(selections, sequences)``: number of times that a selection has each sequence.

        Returns:
            ``(selections, scores)``, NaN where undefined.
        """
        phases = np.stack([sample.vectors for sample in samples], axis=1)
        return self._mean_over_phases([counts.astype(np.float64) @ sums for sums in phases])

    def _mean_over_phases(self, pooled: Sequence[Array] | Array) -> Array:
        found = []
        for vectors in pooled:
            terms = self._shape.from_vector(vectors)
            values = score_values(terms, self.labels, self.variant, names=self.names)
            found.append(np.stack(list(values.values()), axis=-1))
        return mean_of_all(np.stack(found, axis=-1))


def _sample(phases: Sequence[ScoreTerms]) -> Sample:
    return Sample(tuple(phases), np.stack([terms.to_vector() for terms in phases]))


def _over_common_classes(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples of one sequence, one per prediction, with the classes of all of them."""
    by_phase = zip(*(sample.phases for sample in samples), strict=True)
    occurs = [np.sum([terms.pat.occurs for terms in phase], axis=0) for phase in by_phase]
    return [
        _sample(
            [
                replace(terms, pat=replace(terms.pat, occurs=present))
                for terms, present in zip(sample.phases, occurs, strict=True)
            ]
        )
        for sample in samples
    ]


class ComparisonFamily:
    """Comparisons made together. The p values of each score are corrected together.

    The scores are not corrected for each other. They are views of the same results, and some of
    them are equal in every row (``PQ`` on shared segments). One correction for all of them would
    hide real differences in the score that a question is about.

    Args:
        statistics: Computes the comparisons.
        of: Name of the family in tables, for example ``"the run"``.
    """

    def __init__(self, statistics: ScoreStatistics, of: str) -> None:
        self._statistics = statistics
        self._found: list[dict[str, Any]] = []  # for each comparison, the fields of each score
        self._family: dict[str, Any] = {
            "of": of,
            "per_score": True,
            "comparisons": 0,
            "correction": "Holm",
        }

    def compare(self, samples: Sequence[Sample], reference: Sequence[Sample]) -> dict[str, Any]:
        """Compare a prediction with a reference on the same sequences.

        Returns:
            ``classes`` (names of the common classes), ``note`` (remark about them, or ``None``),
            ``family`` (``of``, ``per_score``, ``comparisons``, ``correction``) and ``scores``: the
            fields of :class:`~mapt_bench.metrics.bootstrap.PairedDifference` for each score.
            :meth:`correct` completes it.
        """
        own, other = (self._statistics.averaged_classes(each) for each in (samples, reference))
        found = self._statistics.differences(samples, reference)
        scores: dict[str, Any] = {name: each.to_dict() for name, each in found.items()}
        self._found.append(scores)
        labels = self._statistics.labels
        return {
            "classes": [
                labels.by_id(labels.class_ids[row]).name for row in np.flatnonzero(own | other)
            ],
            "note": _note(own, other),
            "family": self._family,
            "scores": scores,
        }

    def correct(self) -> None:
        """Add ``p_adjusted`` to every score, and the number of comparisons to the family.

        The number counts comparisons in which a score has a p value, for the score with most.
        """
        for name in dict.fromkeys(name for scores in self._found for name in scores):
            entries = [scores[name] for scores in self._found if name in scores]
            p_values = [entry["p_value"] for entry in entries]
            defined = sum(value is not None for value in p_values)
            self._family["comparisons"] = max(self._family["comparisons"], defined)
            for entry, adjusted in zip(entries, holm(p_values), strict=True):
                entry["p_adjusted"] = adjusted


def _note(own: NDArray[np.bool_], reference: NDArray[np.bool_]) -> str | None:
    if np.array_equal(own, reference):
        return None
    return (
        f"PAT, PQ and LSTQ are compared over the {int((own | reference).sum())} classes of either "
        f"side; its own scores average over {int(own.sum())}, those of the reference over "
        f"{int(reference.sum())}"
    )
