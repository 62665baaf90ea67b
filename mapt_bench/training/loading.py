"""Batches of clips, made in this process or in ones beside it."""

from collections.abc import Iterator
from itertools import islice

import torch
from torch.utils.data import DataLoader, Dataset

from mapt_bench.errors import MaptBenchError
from mapt_bench.model.targets import Clip
from mapt_bench.training.clips import ClipDataset, ClipDraw
from mapt_bench.training.order import ClipOrder

__all__ = ["step_batches"]


def step_batches(
    dataset: ClipDataset, order: ClipOrder, *, parts: int, loaders: int = 0
) -> Iterator[list[list[Clip]]]:
    """Yield the clips of each step, in its parts.

    Args:
        dataset: Makes the clips.
        order: Says which.
        parts: Parts of a step.
        loaders: Background processes; the clips are the same with any number of them.

    Raises:
        DataError: If a clip cannot be made.
    """
    loader: DataLoader[_Made] = DataLoader(
        _Telling(dataset),
        batch_sampler=order,
        collate_fn=_as_list,
        num_workers=loaders,
        worker_init_fn=_one_thread,
        # Fresh processes: a fork would copy the threads of torch in an unknown state.
        multiprocessing_context="spawn" if loaders else None,
    )
    batches = iter(loader)
    while batch := list(islice(batches, parts)):
        yield [[_clip(made) for made in part] for part in batch]


_Made = Clip | MaptBenchError


class _Telling(Dataset[_Made]):
    """Hands errors over as they are: torch would wrap them in a traceback and forget the rest."""

    def __init__(self, dataset: ClipDataset) -> None:
        self._dataset = dataset

    def __getitem__(self, draw: ClipDraw) -> _Made:
        try:
            return self._dataset[draw]
        except MaptBenchError as problem:
            return problem


def _clip(made: _Made) -> Clip:
    if isinstance(made, MaptBenchError):
        raise made
    return made


def _as_list(batch: list[_Made]) -> list[_Made]:
    return batch


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)
