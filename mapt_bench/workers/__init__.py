"""Workers: where the tasks of experiments, evaluations and validations run."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mapt_bench.errors import ConfigError
from mapt_bench.workers.processes import Lost, Processes, RemoteWorkers, Workers, end_with_parent

__all__ = [
    "LOCAL",
    "Lost",
    "Processes",
    "RemoteWorkers",
    "Workers",
    "check_cluster",
    "end_with_parent",
    "opened_workers",
]

LOCAL = "local"
"""Value of ``--cluster`` for a cluster that is started on this machine."""

_ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx)://[^/\s]+:\d+")


def check_cluster(cluster: str | None, scheduler_file: Path | None) -> None:
    """Check the options of a cluster. Nothing is connected.

    Args:
        cluster: Value of ``--cluster``.
        scheduler_file: Value of ``--scheduler-file``.

    Raises:
        ConfigError: If both are given, or the address has another form.
    """
    if cluster is not None and scheduler_file is not None:
        raise ConfigError("--cluster and --scheduler-file both name a scheduler; keep one of them")
    if cluster is not None and cluster != LOCAL and not _ADDRESS.fullmatch(cluster):
        raise ConfigError(
            f"--cluster is {cluster!r}; expected tcp://HOST:PORT, as dask scheduler prints it, "
            f"or {LOCAL}"
        )


@contextmanager
def opened_workers(
    jobs: int | None = 1, cluster: str | None = None, scheduler_file: Path | None = None
) -> Iterator[Workers]:
    """Yield the workers of a command, and let go of them at the end.

    Args:
        jobs: Number of processes on this machine. ``None`` is one for each processor in a local
            cluster, and 1 without a cluster.
        cluster: Address of a Dask scheduler, or ``"local"`` for a cluster on this machine.
        scheduler_file: File that a Dask scheduler wrote its address to.

    Raises:
        ConfigError: If options do not go together, or workers have other versions than this
            process.
        DataError: If there is no scheduler, or no worker.
    """
    check_cluster(cluster, scheduler_file)
    if cluster is None and scheduler_file is None:
        with Processes(jobs or 1) as processes:
            yield processes
        return
    from mapt_bench.workers.cluster import connected  # needs the extra [cluster]

    with connected(cluster, scheduler_file, jobs) as workers:
        yield workers
