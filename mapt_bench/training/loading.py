"""Batches of clips, made in this process or in ones beside it."""

import ctypes
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

import torch
from torch.utils.data import DataLoader, Dataset

from mapt_bench.errors import MaptBenchError
from mapt_bench.model.targets import Clip
from mapt_bench.orphans import end_with_parent
from mapt_bench.training.clips import ClipDataset, ClipDraw
from mapt_bench.training.order import ClipOrder, anchor_weights
from mapt_bench.training.processes import ProcessGroup
from mapt_bench.training.recipe import Stage
from mapt_bench.training.stream import ClipStream, StreamDraw, StreamOrder

__all__ = ["AnyClips", "AnyOrder", "keep_memory", "order_of", "step_batches"]

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
