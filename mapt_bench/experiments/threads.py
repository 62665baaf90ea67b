"""One thread for whatever would take several, so that costs mean the same everywhere."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["one_thread"]


@contextmanager
def one_thread(*, networks: bool) -> Iterator[None]:
    """Let OpenCV and, where networks run, torch use one thread; afterwards as many as before.

    Besides costs this keeps results the same: sums of torch depend on the number of threads.

    Args:
        networks: Whether torch is needed; it is not imported otherwise.
    """
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        if networks:
            with _one_thread_of_torch():
                yield
        else:
            yield
    finally:
        cv2.setNumThreads(before)


@contextmanager
def _one_thread_of_torch() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
