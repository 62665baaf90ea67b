"""Batches of clips, made in this process or in ones beside it."""

from collections.abc import Iterator
from itertools import islice

import torch
from torch.utils.data import DataLoader

from mapt_bench.model.targets import Clip
from mapt_bench.training.clips import ClipDataset
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
    loader: DataLoader[Clip] = DataLoader(
        dataset,
        batch_sampler=order,
        collate_fn=_as_list,
        num_workers=loaders,
        worker_init_fn=_one_thread,
        # Fresh processes: a fork would copy the threads of torch in an unknown state.
        multiprocessing_context="spawn" if loaders else None,
    )
    batches = iter(loader)
    while batch := list(islice(batches, parts)):
        yield batch


def _as_list(clips: list[Clip]) -> list[Clip]:
    return clips


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)
