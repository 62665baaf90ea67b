"""What a copy of a result in TensorBoard holds."""

import pytest


def read_copy(folder):
    """Return the scalars of a copy by name, and the names of its pictures.

    Skips the test where TensorBoard is not installed.
    """
    accumulators = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard is not installed",
    )
    found = accumulators.EventAccumulator(str(folder)).Reload()
    tags = found.Tags()
    return {name: found.Scalars(name)[0].value for name in tags["scalars"]}, tags["images"]
