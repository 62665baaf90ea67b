"""Which clips come in which step: a function of seed and step, whatever the number of processes."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from mapt_bench.errors import ConfigError
from mapt_bench.training.clips import ClipDraw

__all__ = ["ClipOrder"]


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
        parts: Parts of a step, each of which is one list.
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
