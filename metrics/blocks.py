"""All reference blocks of a data set, in the shape of the golden cases' ``results``."""

import math
from collections.abc import Mapping

from mapt_bench.labels import LabelSpace
from mapt_bench.metrics.block import Block, BlockValue
from mapt_bench.metrics.mopt import mopt_block
from mapt_bench.metrics.pat import HEADLINE, VARIANTS, pat_block
from mapt_bench.metrics.pq import PanopticCounts, panoptic_block
from mapt_bench.metrics.ratios import defined, mean_of_all
from mapt_bench.metrics.scorer import WINDOWS, SequenceSums, pool
from mapt_bench.metrics.stq import stq_block
from mapt_bench.metrics.tracking import sequence_tracking_block, tracking_block

__all__ = ["reference_blocks"]

_VARIANTS_PER_SEQUENCE = ("official", HEADLINE)


def reference_blocks(sequences: Mapping[str, SequenceSums], labels: LabelSpace) -> Block:
    """Return every block and variant.

    Args:
        sequences: Sums by sequence name.
        labels: Label space.

    Returns:
        ``stq``, ``pq``, ``vpq``, ``panoptic_tracking``, ``tracking`` and ``mopt``, each with the
        data set's scores and, where the references give them, those of each sequence. Undefined
        is ``None``.
    """
    total = pool(sequences.values())
    tracking = tracking_block(total.tracking, labels)
    tracking["per_sequence"] = {
        name: sequence_tracking_block(sums.tracking, labels) for name, sums in sequences.items()
    }
    return {
        "stq": {
            "dataset": stq_block(total.stq, labels),
            "per_sequence": {
                name: stq_block(sums.stq, labels, with_length=True)
                for name, sums in sequences.items()
            },
        },
        "pq": {
            "dataset": panoptic_block(total.windows[0], labels),
            "per_sequence": {
                name: panoptic_block(sums.windows[0], labels) for name, sums in sequences.items()
            },
        },
        "vpq": {"dataset": vpq_block(total.windows, labels)},
        "panoptic_tracking": _panoptic_tracking(total, sequences, labels),
        "tracking": tracking,
        "mopt": {
            "dataset": mopt_block(total.mopt, labels),
            "per_sequence": {
                name: mopt_block(sums.mopt, labels) for name, sums in sequences.items()
            },
        },
    }


def vpq_block(windows: tuple[PanopticCounts, ...], labels: LabelSpace) -> Block:
    """Return the panoptic block of each window size, and the mean PQ over them."""
    blocks = [panoptic_block(counts, labels) for counts in windows]
    result: Block = {
        f"window_{window}": block for window, block in zip(WINDOWS, blocks, strict=True)
    }
    result["mean_over_windows"] = {
        kind: defined(mean_of_all([_quality(block[kind]) for block in blocks]))
        for kind in ("All", "Things", "Stuff")
    }
    return result


def _quality(entry: BlockValue) -> float:
    quality = entry["PQ"] if isinstance(entry, dict) else None
    return quality if isinstance(quality, float) else math.nan


def _panoptic_tracking(
    total: SequenceSums, sequences: Mapping[str, SequenceSums], labels: LabelSpace
) -> Block:
    block: Block = {}
    for name, variant in VARIANTS.items():
        entry: Block = {"dataset": pat_block(total.pat, labels, variant)}
        if name in _VARIANTS_PER_SEQUENCE:
            entry["per_sequence"] = {
                sequence: pat_block(sums.pat, labels, variant)
                for sequence, sums in sequences.items()
            }
        block[name] = entry
    return block
