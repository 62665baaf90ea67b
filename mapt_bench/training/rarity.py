"""Sequences with rare classes come more often."""

import numpy as np
from numpy.typing import NDArray

from mapt_bench.labels import class_areas
from mapt_bench.training.clips import ClipDataset

__all__ = ["anchor_weights", "repeat_factors"]

_LOOKS = 5
"""Frames of a sequence that are looked at: a class that is in none of them is rare there, too."""


def anchor_weights(dataset: ClipDataset) -> NDArray[np.float64]:
    """Return how often each clip comes, relative to others, ``float64`` of shape ``(n,)``.

    Reads a few maps of every sequence unless ``rare_below`` is 0.

    Raises:
        DataError: If a map cannot be read.
    """
    rare_below = dataset.clips.rare_below
    if rare_below == 0:
        return np.ones(len(dataset))
    shows = np.stack([_classes_shown(dataset, number) for number in range(len(dataset.videos))])
    return repeat_factors(shows, rare_below)[dataset.anchors[:, 0]]


def repeat_factors(shows: NDArray[np.bool_], rare_below: float) -> NDArray[np.float64]:
    """Return the factor by which each sequence is repeated.

    Args:
        shows: Whether a sequence has a class, shape ``(sequences, classes)``.
        rare_below: Share of the sequences below which a class is rare.

    Returns:
        ``max over its classes of max(1, sqrt(rare_below / share))``, shape ``(sequences,)``; see
        Gupta et al. 2019 (arXiv:1908.03195), section 5.1.

    Example:
        >>> shows = np.array([[True, False], [True, False], [True, False], [True, True]])
        >>> repeat_factors(shows, 1.0).tolist()
        [1.0, 1.0, 1.0, 2.0]
    """
    share = np.maximum(
        shows.mean(axis=0), 1 / len(shows)
    )  # of those that occur nowhere, nobody asks
    of_class = np.maximum(1.0, np.sqrt(rare_below / share))
    factors: NDArray[np.float64] = np.where(shows, of_class, 1.0).max(axis=1)
    return factors


def _classes_shown(dataset: ClipDataset, number: int) -> NDArray[np.bool_]:
    video = dataset.videos[number]
    frames = np.linspace(0, video.info.frame_count - 1, _LOOKS).round().astype(int)
    areas = sum(class_areas(video.truth(int(frame))) for frame in dict.fromkeys(frames.tolist()))
    return np.asarray(areas)[list(dataset.labels.class_ids)] > 0
