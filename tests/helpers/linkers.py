"""Joint linkers whose networks are written by hand."""

import numpy as np

from mapt_bench.tracking.link_model import (
    PAIR,
    SEGMENT,
    STAGES,
    TRACK,
    LinkModel,
    SmallNetwork,
    StageModel,
    input_names,
)

_SMALL = 1e-3


def linear_network(inputs, bias=0.0, **weights):
    """A network that is all but linear: the hyperbolic tangent of small values is the value."""
    hidden = np.zeros((len(inputs) + 1, 1))
    for name, weight in weights.items():
        hidden[inputs.index(name), 0] = weight * _SMALL
    hidden[-1, 0] = bias * _SMALL
    size = np.zeros(len(inputs)), np.ones(len(inputs))
    return SmallNetwork(inputs, *size, hidden, np.array([1 / _SMALL, 0.0]))


def written_model(cues="motion", *, view=None, lost=None):
    """A linker model: a bias and weights of a pair's score for each stage; "none" scores 0."""
    of_stage = {"view": view, "lost": lost}
    return LinkModel(
        cues,
        {
            stage: StageModel(
                linear_network(input_names(PAIR, cues), **(of_stage[stage] or {"bias": -50})),
                linear_network(input_names(TRACK, cues)),
                linear_network(input_names(SEGMENT, cues)),
            )
            for stage in STAGES
        },
    )
