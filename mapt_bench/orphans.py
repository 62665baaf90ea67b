"""Worker processes that do not outlive the process they work for."""

import multiprocessing
import os
import threading
from multiprocessing.process import BaseProcess

__all__ = ["end_with_parent"]

_EXIT_CODE = 1


def end_with_parent() -> None:
    """End this process as soon as the one that started it has ended, however that came about.

    The initializer of pools: a pool whose owner is killed is told nothing, and its workers would
    go on, or wait for ever. Does nothing in a process that ``multiprocessing`` did not start.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(_EXIT_CODE)  # the main thread may be deep in a computation that no exception reaches
