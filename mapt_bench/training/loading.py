"""Order and batches of clips, made in this process or in processes beside it.

Seed and step decide which clips come in which step, not the number of processes.
"""

import ctypes
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from mapt_bench.errors import ConfigError, MaptBenchError
from mapt_bench.labels import class_areas
from mapt_bench.model.targets import Clip
from mapt_bench.training.clips import ClipDataset, ClipDraw
from mapt_bench.training.processes import ProcessGroup
from mapt_bench.training.recipe import Stage
from mapt_bench.training.stream import ClipStream, StreamDraw, StreamOrder
from mapt_bench.workers import end_with_parent

__all__ = [
    "AnyClips",
    "AnyOrder",
    "ClipOrder",
    "anchor_weights",
    "keep_memory",
    "order_of",
    "repeat_factors",
    "step_batches",
]


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
    share = np.maximum(shows.mean(axis=0), 1 / len(shows))  # a class that never occurs counts once
    of_class = np.maximum(1.0, np.sqrt(rare_below / share))
    factors: NDArray[np.float64] = np.where(shows, of_class, 1.0).max(axis=1)
    return factors


def _classes_shown(dataset: ClipDataset, number: int) -> NDArray[np.bool_]:
    video = dataset.videos[number]
    frames = np.linspace(0, video.info.frame_count - 1, _LOOKS).round().astype(int)
    areas = sum(class_areas(video.truth(int(frame))) for frame in dict.fromkeys(frames.tolist()))
    return np.asarray(areas)[list(dataset.labels.class_ids)] > 0


AnyClips = ClipDataset | ClipStream
"""What makes clips: of a list of videos, or of an endless stream."""

AnyOrder = ClipOrder | StreamOrder
"""What says which clips come when."""

_MALLOC = ((-4, 0), (-1, 2**31 - 1), (-2, 2**26))
"""glibc's ``M_MMAP_MAX``, ``M_TRIM_THRESHOLD`` and ``M_TOP_PAD``: no map of its own for a large
block, nothing given back, and 64 MiB more asked for than is needed."""

_AHEAD = 4
"""Parts that each background process makes ahead."""


def step_batches(
    dataset: AnyClips, order: AnyOrder, *, parts: int, loaders: int = 0, pin: bool = False
) -> Iterator[list[list[Clip]]]:
    """Yield the clips of each step, in its parts.

    Args:
        dataset: Makes the clips.
        order: Says which.
        parts: Parts of a step.
        loaders: Background processes; the clips are the same with any number of them.
        pin: Whether clips are laid where a GPU reads them by itself.

    Raises:
        DataError: If a clip cannot be made.
    """
    loader: DataLoader[_Made] = DataLoader(
        _Telling(dataset),
        batch_sampler=order,
        collate_fn=_as_list,
        num_workers=loaders,
        prefetch_factor=_AHEAD if loaders else None,
        pin_memory=pin,
        worker_init_fn=_one_thread,
        # Fresh processes: a fork would copy the threads of torch in an unknown state.
        multiprocessing_context="spawn" if loaders else None,
    )
    batches = iter(loader)
    while batch := list(islice(batches, parts)):
        yield [[_clip(made) for made in part] for part in batch]


def order_of(
    dataset: AnyClips, stage: Stage, *, seed: int, group: ProcessGroup, first: int, before: int = 0
) -> AnyOrder:
    """Return which clips come in the steps of a stage.

    Args:
        dataset: Makes the clips.
        stage: Its batch and its steps.
        seed: Of the training.
        group: Processes that train together.
        first: Step of the training to begin with.
        before: Clips of the stages before it.

    Raises:
        ConfigError: If batches cannot be split evenly.
        DataError: If a map cannot be read.
    """
    recipe = stage.recipe
    where = {
        "seed": seed,
        "batch_size": recipe.batch_size,
        "parts": recipe.accumulate,
        "processes": group.count,
        "rank": group.rank,
        "first": first - stage.first,
        "end": recipe.steps,
    }
    if isinstance(dataset, ClipStream):
        return StreamOrder(recipe.stream, loaders=recipe.loaders, before=before, **where)
    return ClipOrder(anchor_weights(dataset), **where)


_Made = Clip | MaptBenchError


class _Telling(Dataset[_Made]):
    """Hands errors over as they are: torch would wrap them in a traceback and forget the rest."""

    def __init__(self, dataset: AnyClips) -> None:
        self._dataset = dataset

    def __getitem__(self, draw: ClipDraw | StreamDraw) -> _Made:
        try:
            return self._dataset[draw]  # type: ignore[index]  # an order draws for its own dataset
        except MaptBenchError as problem:
            return problem


def _clip(made: _Made) -> Clip:
    if isinstance(made, MaptBenchError):
        raise made
    return made


def _as_list(batch: list[_Made]) -> list[_Made]:
    return batch


def keep_memory() -> None:
    """Ask the C library to keep freed memory, where it can be asked.

    Maps of tens of megabytes come and go in each step. By itself the library gives them back, and
    every page is then cleared anew when it is next written to.
    """
    with suppress(OSError, AttributeError):
        change = ctypes.CDLL(None).mallopt
        for option, value in _MALLOC:
            change(option, value)


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)
    end_with_parent()
