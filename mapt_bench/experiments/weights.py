"""Trained weights of flow networks: read once for their checks, and known by their contents."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mapt_bench.baselines.flow_sources import build_flow_source, flow_entry
from mapt_bench.errors import ConfigError, DataError

__all__ = ["FlowWeights", "read_flow_weights"]


@dataclass(frozen=True, slots=True)
class FlowWeights:
    """The weights of one flow network.

    Attributes:
        flow: Name of the flow, for example ``"flow:raft-small"``.
        path: Where the file lies; decides nothing.
        sha256: Of the file, in hexadecimal digits; part of the keys of cells.
    """

    flow: str
    path: Path
    sha256: str


def read_flow_weights(files: Mapping[str, Path]) -> tuple[FlowWeights, ...]:
    """Check weights before any work is done, by loading each file once.

    Args:
        files: By name of the flow. Only if there are any is torch imported.

    Raises:
        ConfigError: If no flow has that name, or it is no network; for a model of ptlflow also if
            that package is missing.
        DataError: If a file is missing or damaged, or does not fit its network.
    """
    return tuple(_read(flow, path) for flow, path in files.items())


def _read(flow: str, path: Path) -> FlowWeights:
    if not flow_entry(flow).needs_weights:
        raise ConfigError(f"{flow} is no network and has no weights; leave its --flow-weights away")
    build_flow_source(flow, weights=path)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    except OSError as problem:
        raise DataError(f"cannot be read ({problem.strerror})", where=path) from problem
    return FlowWeights(flow, path, digest.hexdigest())
