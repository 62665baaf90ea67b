"""Work done by two gloo processes of one group on this machine."""

import os
import socket

from torch import multiprocessing

from mapt_bench.training.processes import joined_processes


def in_two_processes(work, *arguments):
    """Call ``work(group, *arguments)`` in each of two processes; ``work`` must pickle."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(_join_and_work, (port, work, arguments), nprocs=2)


def _join_and_work(rank, port, work, arguments):
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    with joined_processes("gloo") as group:
        work(group, *arguments)
