"""PTQ, sPTQ and MOTSA as released with PanopticTrackNet (Hurtado et al. 2020, arXiv:2004.08189).

Unlike :mod:`mapt_bench.metrics.pat`, crowd counts as void, switches are remembered over gaps, and
means run over all classes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import LabelSpace
from mapt_bench.metrics.arithmetic import Additive, Block, mean, ratio
from mapt_bench.metrics.matching import SegmentTable, SwitchCounts, count_switches
from mapt_bench.metrics.pq import PanopticCounts, count_panoptic, panoptic_matches

__all__ = ["MoptSums", "count_mopt", "mopt_block"]

_GUARD = 1e-8
"""The released code adds this to denominators; its numbers are kept comparable."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MoptSums(Additive):
    """Matches and switches of every class, crowd taken as void."""

    panoptic: PanopticCounts
    switches: SwitchCounts


def count_mopt(table: SegmentTable) -> MoptSums:
    """Sum up one sequence, given the segments of its frames."""
    void = table.overlap.gt.is_void | table.overlap.gt.is_crowd
    matches = panoptic_matches(table, void=void)
    return MoptSums(
        panoptic=count_panoptic(table, matches, void=void),
        switches=count_switches(table, matches, over_gaps=True),
    )


def mopt_block(sums: MoptSums, labels: LabelSpace) -> Block:
    """Return the scores, and a table per class (stuff first, then things)."""
    panoptic, switches = sums.panoptic, sums.switches
    weight = panoptic.tp + panoptic.fp / 2 + panoptic.fn / 2
    truth = panoptic.tp + panoptic.fn
    errors = panoptic.fp + switches.count
    scores = {
        "PTQ": np.nan_to_num(ratio(panoptic.iou_sum - switches.count, weight)),
        "sPTQ": np.nan_to_num(ratio(panoptic.iou_sum - switches.soft, weight)),
    }
    thing_scores = {
        "MOTSA": (panoptic.tp - errors) / (truth + _GUARD),
        "sMOTSA": (panoptic.iou_sum - errors) / (truth + _GUARD),
        "MOTSP": panoptic.iou_sum / (panoptic.tp + _GUARD),
    }
    is_thing = labels.is_thing_table[list(labels.class_ids)]
    return {
        "PTQ": mean(scores["PTQ"]),
        "sPTQ": mean(scores["sPTQ"]),
        "PTQ_stuff": mean(scores["PTQ"][~is_thing]),
        "PTQ_thing": mean(scores["PTQ"][is_thing]),
        "sPTQ_thing": mean(scores["sPTQ"][is_thing]),
        **{name: mean(values[is_thing]) for name, values in thing_scores.items()},
        "per_class": {
            str(labels.class_ids[row]): {
                **_at(scores, row),
                "iou_sum": float(panoptic.iou_sum[row]),
                "tp": int(panoptic.tp[row]),
                "fp": int(panoptic.fp[row]),
                "fn": int(panoptic.fn[row]),
                "ids": int(switches.count[row]),
                "soft_ids": float(switches.soft[row]),
                **(_at(thing_scores, row) if is_thing[row] else {}),
            }
            for row in [*np.flatnonzero(~is_thing), *np.flatnonzero(is_thing)]
        },
    }


def _at(scores: dict[str, NDArray[np.float64]], row: int) -> Block:
    return {name: float(values[row]) for name, values in scores.items()}
