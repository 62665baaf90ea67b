"""Cross-validation over sequences: what tuned settings reach on sequences they were not chosen on.

For each fold of sequences a search of its own sees the other sequences only, and its best settings
are scored on the fold. Put together, these scores cover every sequence once (Varma and Simon 2006,
"Bias in error estimation when using cross-validation for model selection", BMC Bioinformatics 7).

The best tracker of these scores is chosen on them. So a second score chooses the tracker, too, on
the sequences outside of each fold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError, counted
from mapt_bench.experiments.engine.runner import CellOutcome
from mapt_bench.experiments.plans.data_source import DataSource
from mapt_bench.labels import LabelSpace
from mapt_bench.metrics import SequenceSums, recovery_counts
from mapt_bench.metrics.arithmetic import defined
from mapt_bench.metrics.bootstrap import bootstrap_intervals, holm, paired_differences
from mapt_bench.metrics.uncertainty import ScoreStatistics
from mapt_bench.tuning.setting_scores import PAT_TERMS, counted_pat
from mapt_bench.tuning.tuning_config import RECOVERY_SCORES, Objective, recovery_scores

__all__ = [
    "Parts",
    "SequencePart",
    "folds_of",
    "held_out_results",
    "joined_parts",
    "parts_of",
    "winner_results",
]


@dataclass(frozen=True, slots=True, eq=False)
class SequencePart:
    """The part of one sequence in the objective.

    Attributes:
        phases: Sums of each phase of the dropped frames.
        counts: Counts of recovered identities, see :func:`~mapt_bench.metrics.recovery_counts`:
            ``int64`` of shape ``(4,)``.
    """

    phases: tuple[SequenceSums, ...]
    counts: NDArray[np.int64]


Parts = Mapping[str, Mapping[int, SequencePart]]
"""For each name of segments, the part of each sequence by its position."""


def folds_of(sequences: Sequence[int], folds: int, seed: int) -> tuple[tuple[int, ...], ...]:
    """Divide sequences into folds of nearly equal size, at random.

    Args:
        sequences: Positions of the sequences, in ascending order.
        folds: Number of folds, 2 or more.
        seed: Decides the division.

    Returns:
        Positions of the sequences of each fold, in ascending order.

    Raises:
        ConfigError: If there are fewer sequences than folds.

    Example:
        >>> [len(fold) for fold in folds_of(range(7), 3, seed=0)]
        [3, 2, 2]
    """
    if folds > len(sequences):
        raise ConfigError(
            f"--folds is {folds}, and {counted(len(sequences), 'sequence')} can be tracked; "
            "expected as many folds as sequences at most"
        )
    order = np.random.default_rng(seed).permutation(sequences)
    return tuple(tuple(sorted(order[first::folds].tolist())) for first in range(folds))


def parts_of(cells: Sequence[CellOutcome], source: DataSource) -> Parts:
    """Return the parts of all sequences in the objective of one trial."""
    found: dict[str, dict[int, SequencePart]] = {}
    for cell in cells:
        links = cell.links_by_sequence()
        found[source.segments_named(cell.cell.segments).name] = {
            sequence: SequencePart(
                tuple(phases), np.array(recovery_counts([links[sequence]]), dtype=np.int64)
            )
            for sequence, phases in cell.sums().items()
        }
    return found


def joined_parts(parts: Sequence[Parts], folds: Sequence[Sequence[int]]) -> Parts:
    """Return the parts of the sequences of each fold under the settings chosen without them.

    Args:
        parts: Parts of all sequences under the settings of each fold.
        folds: Sequences of each fold.
    """
    return {
        name: dict(
            sorted(
                (sequence, own[name][sequence])
                for own, fold in zip(parts, folds, strict=True)
                for sequence in fold
            )
        )
        for name in parts[0]
    }


class _Objectives:
    """The objective of several settings, on many selections of the same sequences.

    Args:
        settings: Parts under each of the settings.
        labels: Label space of the sums.
        objective: What is maximised.
        windows: Window sizes of VPQ in the sums.
    """

    def __init__(
        self,
        settings: Sequence[Parts],
        labels: LabelSpace,
        objective: Objective,
        windows: Sequence[int],
    ) -> None:
        self._settings = settings
        self._objective = objective
        names = [name for name, _ in objective.weights if name not in RECOVERY_SCORES]
        if "PAT" in names:
            names = list(dict.fromkeys((*names, *PAT_TERMS)))
        self._statistics = ScoreStatistics(labels, names=names, windows=windows) if names else None
        self.sequences = sorted(next(iter(settings[0].values())))

    def values(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the objective: ``(selections, settings)``, NaN where it is undefined.

        Args:
            counts: ``(selections, sequences)``: how often a selection has each sequence.
        """
        return np.stack(
            [
                np.mean([self._of_segments(own[name], counts) for name in own], axis=0)
                for own in self._settings
            ],
            axis=-1,
        )

    def _of_segments(
        self, parts: Mapping[int, SequencePart], counts: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        scores: dict[str, NDArray[np.float64]] = {}
        if self._statistics is not None:
            samples = self._statistics.samples([parts[each].phases for each in self.sequences])
            found = self._statistics.scores_of_counts(samples, counts)
            scores.update(zip(self._statistics.names, found.T, strict=True))
            if "PAT" in scores:
                scores["PAT"] = counted_pat(*(scores[name] for name in PAT_TERMS))
        pooled = counts @ np.stack([parts[each].counts for each in self.sequences])
        recovered = [recovery_scores(*each) for each in pooled.tolist()]
        for name in RECOVERY_SCORES:
            scores[name] = np.array([each.get(name, np.nan) for each in recovered])
        weights = self._objective.weights
        total = sum(weight * scores[name] for name, weight in weights)
        return np.asarray(total / sum(weight for _, weight in weights))


def held_out_results(
    start: Sequence[Parts],
    chosen: Sequence[Parts],
    held_out: Sequence[Parts],
    labels: LabelSpace,
    objective: Objective,
    *,
    names: Sequence[str],
    windows: Sequence[int],
    seed: int,
) -> list[dict[str, Any]]:
    """Return what each tracker reaches on the sequences that its settings were not chosen on.

    All values are of the same sequences, pooled, so differences are paired.

    Args:
        start: Parts of each tracker under the settings of its first trial.
        chosen: Parts under the settings that were chosen on all sequences.
        held_out: Parts of each sequence under the settings that were chosen without it.
        labels: Label space of the sums.
        objective: What is maximised.
        names: Names of the trackers.
        windows: Window sizes of VPQ in the sums.
        seed: Seed of the resampling.

    Returns:
        For each tracker ``tracker``, ``start``, ``chosen``, ``held_out``, ``optimism`` (chosen
        minus held out), ``gain`` (held out minus start) and ``behind`` (held out of the best
        tracker minus own), and ``intervals`` of the last four. Values are fractions. The last four
        are ``None`` where the objective is undefined on the held-out sequences.
    """
    size = len(names)
    objectives = _Objectives([*start, *chosen, *held_out], labels, objective, windows)
    units = range(len(objectives.sequences))
    whole = objectives.values(np.ones((1, len(units)), dtype=np.int64))[0]
    # An undefined value is never the best one. np.nanargmax fails if all are undefined.
    best = int(np.argmax(np.nan_to_num(whole[2 * size :], nan=-np.inf)))

    def of_counts(given: Sequence[int], counts: NDArray[np.int64]) -> NDArray[np.float64]:
        del given
        values = objectives.values(counts)
        at_start, at_choice, outside = (values[:, at * size : (at + 1) * size] for at in range(3))
        parts = (outside, at_choice - outside, outside - at_start, outside[:, [best]] - outside)
        return np.concatenate(parts, axis=1)

    def of_units(given: Sequence[int]) -> NDArray[np.float64]:
        counts = np.bincount(given, minlength=len(units))[None]
        return np.asarray(of_counts(given, counts)[0])

    found = bootstrap_intervals(units, of_units, of_counts=of_counts, seed=seed)
    measures = ("held_out", "optimism", "gain", "behind")
    estimates = of_units(units)
    return [
        {
            "tracker": name,
            "start": float(whole[at]),
            "chosen": float(whole[size + at]),
            **{each: defined(estimates[k * size + at]) for k, each in enumerate(measures)},
            "intervals": {each: found[k * size + at].to_dict() for k, each in enumerate(measures)},
        }
        for at, name in enumerate(names)
    ]


def winner_results(
    winners: Sequence[int],
    held_out: Sequence[Parts],
    folds: Sequence[Sequence[int]],
    labels: LabelSpace,
    objective: Objective,
    *,
    names: Sequence[str],
    windows: Sequence[int],
    seed: int,
) -> dict[str, Any]:
    """Return what choosing the winner outside of each fold reaches, beside every tracker.

    Args:
        winners: Position of the tracker of each fold that is best on the other sequences.
        held_out: Parts of each sequence under the settings that were chosen without it, of each
            tracker.
        folds: Sequences of each fold.
        labels: Label space of the sums.
        objective: What is maximised.
        names: Names of the trackers.
        windows: Window sizes of VPQ in the sums.
        seed: Seed of the resampling and of the permutations.

    Returns:
        ``trackers`` (winner of each fold), ``held_out`` (the score of this choice, ``None`` if it
        is undefined), ``comparisons`` (their number), ``correction`` and ``leads``: for each
        tracker ``tracker`` and the fields of
        :class:`~mapt_bench.metrics.bootstrap.PairedDifference` of the choice minus the tracker,
        with ``p_adjusted`` (Holm). A tracker that wins every fold has no p value: it is the choice.
    """
    chosen = joined_parts([held_out[at] for at in winners], folds)
    leads: list[dict[str, Any]] = []
    for at, name in enumerate(names):
        found = _lead(chosen, held_out[at], labels, objective, windows, seed)
        if set(winners) == {at}:
            found["p_value"] = None
        leads.append({"tracker": name, **found})
    p_values = [each["p_value"] for each in leads]
    for each, adjusted in zip(leads, holm(p_values), strict=True):
        each["p_adjusted"] = adjusted
    return {
        "trackers": [names[at] for at in winners],
        "held_out": leads[0]["value"],
        "comparisons": sum(p is not None for p in p_values),
        "correction": "Holm",
        "leads": leads,
    }


def _lead(
    own: Parts,
    other: Parts,
    labels: LabelSpace,
    objective: Objective,
    windows: Sequence[int],
    seed: int,
) -> dict[str, Any]:
    """Return the paired difference of the objective between two sets of parts."""
    sequences = sorted(next(iter(own.values())))
    size = len(sequences)
    both: Parts = {
        name: {
            first + at: parts[name][sequence]
            for first, parts in ((0, own), (size, other))
            for at, sequence in enumerate(sequences)
        }
        for name in own
    }
    objectives = _Objectives([both], labels, objective, windows)

    def of_counts(given: Sequence[int], counts: NDArray[np.int64]) -> NDArray[np.float64]:
        whole = np.zeros((len(counts), 2 * size), dtype=np.int64)
        whole[:, list(given)] = counts
        return objectives.values(whole)

    def of_units(given: Sequence[int]) -> NDArray[np.float64]:
        return np.asarray(objectives.values(np.bincount(given, minlength=2 * size)[None])[0])

    (found,) = paired_differences(
        range(size), range(size, 2 * size), of_units, of_counts=of_counts, seed=seed
    )
    return found.to_dict()
