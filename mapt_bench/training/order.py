"""Which clips come in which step. Seed and step decide it, not the number of processes."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from mapt_bench.errors import ConfigError
from mapt_bench.labels import class_areas
from mapt_bench.training.clips import ClipDataset, ClipDraw

__all__ = ["ClipOrder", "anchor_weights", "repeat_factors"]


class ClipOrder(Sampler[list[ClipDraw]]):
    """The parts of the batches of one process, in order, from one step to another.

    All processes walk through one order: step ``s`` takes its next ``batch_size`` clips, split into
    parts and each part among the processes. So two processes see together what one would see alone.
    In an epoch every anchor occurs its weight's share of times, rounded up or down (systematic
    resampling), in an order of its own.

    Args:
        weights: Of the anchors, ``float64`` of shape ``(n,)``, each above 0.
        seed: Of the training.
        batch_size: Clips of a step, over all parts and processes.
        parts: Parts of a step. Each part is one list.
        processes: How many there are.
        rank: Which of them this is.
        first: First step that is given.
        end: Step after the last.

    Raises:
        ConfigError: If the batch cannot be split evenly.
    """

    def __init__(
        self,
        weights: NDArray[np.float64],
        *,
        seed: int,
        batch_size: int,
        parts: int = 1,
        processes: int = 1,
        rank: int = 0,
        first: int = 0,
        end: int = 0,
    ) -> None:
        if batch_size % (parts * processes):
            raise ConfigError(
                f"batch_size {batch_size} cannot be split into {parts} parts (accumulate) on each "
                f"of {processes} processes; expected a multiple of {parts * processes}"
            )
        self._weights = weights
        self._seed = seed
        self._batch_size = batch_size
        self._parts = parts
        self._processes = processes
        self._rank = rank
        self._steps = range(first, end)
        self._epoch: tuple[int, NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return len(self._steps) * self._parts

    def __iter__(self) -> Iterator[list[ClipDraw]]:
        for step in self._steps:
            yield from self.step(step)

    def step(self, step: int) -> list[list[ClipDraw]]:
        """Return the parts of one step that this process computes."""
        share = self._batch_size // (self._parts * self._processes)
        starts = (
            step * self._batch_size + (part * self._processes + self._rank) * share
            for part in range(self._parts)
        )
        return [[self._draw(start + at) for at in range(share)] for start in starts]

    def epoch_of(self, step: int) -> float:
        """Return how many epochs are over when a number of steps has been made."""
        return step * self._batch_size / len(self._weights)

    def _draw(self, number: int) -> ClipDraw:
        epoch, place = divmod(number, len(self._weights))
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = (epoch, self._shuffled(epoch))
        return ClipDraw(int(self._epoch[1][place]), (self._seed, epoch, place))

    def _shuffled(self, epoch: int) -> NDArray[np.int64]:
        dice = np.random.default_rng((self._seed, epoch))
        count = len(self._weights)
        ends = np.cumsum(self._weights) * (count / self._weights.sum())
        points = np.arange(count) + (0.5 if np.ptp(self._weights) == 0 else dice.random())
        return dice.permutation(np.searchsorted(ends, points, side="right").clip(max=count - 1))


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
