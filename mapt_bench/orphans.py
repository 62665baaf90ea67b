"""Prevention of orphan processes: workers end when their parent process ends."""

import multiprocessing
import os
import threading
from multiprocessing.process import BaseProcess

__all__ = ["end_with_parent"]

_EXIT_CODE = 1


def end_with_parent() -> None:
    """End this process as soon as its parent process has ended, for any reason.

    Use it as the initializer of process pools. Otherwise the workers of a killed parent would run
    or wait for ever. It does nothing in a process that ``multiprocessing`` did not start.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(_EXIT_CODE)  # the main thread may be deep in a computation that no exception reaches
