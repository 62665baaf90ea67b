"""Trained weights of networks: checked once, and identified by a hash of the file."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mapt_bench.baselines.flow_sources import (
    FLOW_PREFIX,
    build_flow_source,
    flow_entry,
)
from mapt_bench.baselines.mapt_trackers import linker_hash, mapt_parts
from mapt_bench.baselines.tracker_options import MaptOptions
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.files import file_sha256
from mapt_bench.weights import (
    DEFAULT_MAPT,
    DEFAULT_NARROW_FLOWNET2,
    shipped,
    shipped_weights,
    weights_file,
)

__all__ = [
    "BY_NAME",
    "LOADED",
    "MaptWeights",
    "NetworkWeights",
    "WeightsReader",
    "named_files",
    "read_flow_weights",
    "read_mapt_weights",
    "shipped_flow_files",
]


@dataclass(frozen=True, slots=True)
class NetworkWeights:
    """The weights of one network.

    Attributes:
        name: Name of the flow, such as ``"flow:raft-small"``, or of the network.
        path: Path of the file. It does not decide a result.
        sha256: Hash of the file, in hexadecimal digits. It is part of the keys of cells.
    """

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class MaptWeights(NetworkWeights):
    """The weights of one MAPT.

    Attributes:
        label_space: Name of its label space.
        has_motion: Whether it has a motion head.
        has_appearance: Whether it has an appearance head.
        linker: SHA-256 of its linker file, in hexadecimal digits; empty where there is none.
        cues: Hash of all that decides the cues of a frame, by which they are cached.
    """

    label_space: str
    has_motion: bool
    has_appearance: bool
    linker: str = ""
    cues: str = ""


def read_flow_weights(files: Mapping[str, Path]) -> tuple[NetworkWeights, ...]:
    """Check weights of flow networks before any work, by loading each file once.

    Args:
        files: Files by name of the flow. Without files, torch is not imported.

    Raises:
        ConfigError: If a flow is unknown or has no network, or the package ptlflow is missing for
            one of its models.
        DataError: If a file is missing or damaged, or does not fit its network.
    """
    return tuple(_flow(flow, path) for flow, path in files.items())


def shipped_flow_files() -> dict[str, Path]:
    """Return the files of flow networks with shipped weights, by name of the flow."""
    if DEFAULT_NARROW_FLOWNET2 not in shipped_weights():
        return {}
    return {f"{FLOW_PREFIX}{DEFAULT_NARROW_FLOWNET2}": shipped(DEFAULT_NARROW_FLOWNET2).path}


def read_mapt_weights(weights: str = DEFAULT_MAPT, name: str | None = None) -> MaptWeights:
    """Check weights of MAPT before any work, by loading them once.

    Args:
        weights: Name of shipped weights, or a file.
        name: Name of the network. ``None`` takes the name of the weights.

    Raises:
        ConfigError: If no weights have that name, or the file lacks the configuration of MAPT.
        DataError: If the file is missing or damaged, or its weights do not fit.
    """
    path = weights_file(weights)
    parts = mapt_parts(MaptOptions(weights=path))
    return MaptWeights(
        name=name or _name_of(path),
        path=path,
        sha256=file_sha256(path),
        label_space=parts.label_space,
        has_motion=parts.has_motion,
        has_appearance=parts.has_appearance,
        linker=linker_hash(path),
        cues=parts.cues,
    )


def _mapt_by_name(weights: str = DEFAULT_MAPT, name: str | None = None) -> MaptWeights:
    path = weights_file(weights)
    if not path.is_file():
        return read_mapt_weights(weights, name)  # raises the error of the file
    return MaptWeights(
        name=name or _name_of(path),
        path=path,
        sha256="",
        label_space="",
        has_motion=True,
        has_appearance=True,
    )


def _name_of(path: Path) -> str:
    return path.parent.resolve().name if path.stem == "weights" else path.stem


def _flow(flow: str, path: Path) -> NetworkWeights:
    _check_flow(flow)
    build_flow_source(flow, weights=path)
    return NetworkWeights(flow, path, file_sha256(path))


def _flow_by_name(files: Mapping[str, Path]) -> tuple[NetworkWeights, ...]:
    for flow in files:
        _check_flow(flow)
    return tuple(NetworkWeights(flow, path, "") for flow, path in files.items())


def _check_flow(flow: str) -> None:
    if not flow_entry(flow).needs_weights:
        raise ConfigError(f"{flow} has no network and no weights; omit its --flow-weights")


@dataclass(frozen=True)
class WeightsReader:
    """Two functions that read weights.

    Attributes:
        mapt: Returns the weights of MAPT for a name or file, and a name of the network or ``None``.
        flow: Returns the weights of flow networks for their files.
    """

    mapt: Callable[[str, str | None], MaptWeights]
    flow: Callable[[Mapping[str, Path]], tuple[NetworkWeights, ...]]


LOADED = WeightsReader(read_mapt_weights, read_flow_weights)
"""Loads each file once. This imports torch."""

BY_NAME = WeightsReader(_mapt_by_name, _flow_by_name)
"""Checks names only, and assumes that networks have all heads. It finds wrong options without
torch."""


def named_files(
    option: str, texts: Sequence[str], *, example: str, shipping: Collection[str]
) -> dict[str, Path]:
    """Return the files of a repeatable option ``NAME=FILE``, by name.

    Args:
        option: Name of the option, for messages.
        texts: Values of the option, without names of shipped weights.
        example: Example of a value.
        shipping: Names of shipped weights, which need no file.

    Raises:
        ConfigError: If a value has another form, or a name occurs twice.
    """
    files: dict[str, Path] = {}
    for text in texts:
        name, _, file = text.partition("=")
        if not name or not file:
            alone = f", or shipped weights; {nearest(text, shipping)}" if shipping else ""
            raise ConfigError(f"{option} is {text!r}; expected NAME=FILE, as in {example}{alone}")
        if name in files:
            raise ConfigError(f"{option} has weights of {name} twice; keep one of them")
        files[name] = Path(file).expanduser()
    return files
