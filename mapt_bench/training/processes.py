"""The processes of one training: one alone, or several that ``torchrun`` started."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from mapt_bench.devices import listed_devices
from mapt_bench.errors import ConfigError

__all__ = ["ProcessGroup", "joined_processes"]


_PATIENCE = timedelta(hours=3)
"""How long processes wait for one another: the first one validates while the others wait."""


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """Where this process stands among those that train together.

    Attributes:
        rank: From 0; 0 writes the files.
        count: How many there are.
        local_rank: Among those of this machine; says which of its GPUs this process takes.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean over all processes; every one must call this."""
        if self.count == 1:
            return values
        total = values.clone()
        distributed.all_reduce(total)
        return total / self.count

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.count > 1:
            distributed.barrier()

    def device(self, name: str) -> torch.device:
        """Return the device of this process: ``"cuda"`` is the GPU of its local rank.

        Raises:
            ConfigError: If there is no such device here.
        """
        try:
            device = torch.device(name)
            if name == "cuda" and torch.cuda.is_available():
                device = torch.device("cuda", self.local_rank)
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as problem:  # the latter: torch without CUDA
            reason = str(problem).splitlines()[0]
            raise ConfigError(
                f"--device {name} cannot be used: {reason}; this machine has {listed_devices()}"
            ) from problem
        if device.type == "cuda":
            torch.cuda.set_device(device)
        return device


@contextmanager
def joined_processes(backend: str) -> Iterator[ProcessGroup]:
    """Join the processes that ``torchrun`` started; alone there is nothing to join.

    Args:
        backend: ``"gloo"`` on CPUs, ``"nccl"`` on GPUs.

    Raises:
        ConfigError: If the environment that ``torchrun`` sets is incomplete or wrong.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield ProcessGroup()
        return
    try:
        distributed.init_process_group(backend, timeout=_PATIENCE)
    except (RuntimeError, ValueError) as problem:
        raise ConfigError(
            f"the processes cannot be joined ({str(problem).splitlines()[0]}); RANK and WORLD_SIZE "
            "are set, as torchrun does; start with torchrun, or unset them"
        ) from problem
    try:
        local_rank = int(os.environ.get("LOCAL_RANK", "0"))
        yield ProcessGroup(distributed.get_rank(), distributed.get_world_size(), local_rank)
    finally:
        distributed.destroy_process_group()
