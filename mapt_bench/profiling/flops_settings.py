"""Settings of the FLOPs report, and its targets: networks with example input, parts and sizes.

Names and settings are checked here without torch, so that wrong usage is reported fast.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from mapt_bench.baselines.registry import associator_names
from mapt_bench.devices import CPU, FLOAT32, check_device_options
from mapt_bench.errors import ConfigError, a_type, check_range, nearest
from mapt_bench.profiling.operator_table import MODES, WHOLE, mode_terms

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "TARGETS",
    "Arguments",
    "ExampleInput",
    "FlopsSettings",
    "InputSize",
    "MeasureSettings",
    "Target",
    "check_target",
    "network_names",
    "register",
    "without_network",
]

_LARGEST = 2**16


@dataclass(frozen=True)
class InputSize:
    """Input size of a network: ``384x1280``, or the whole shape ``1x3x384x1280``.

    Attributes:
        height: Height in pixels.
        width: Width in pixels.
        lead: The axes before if the whole shape was given: ``(batch, channels)``, for a video also
            the number of frames.
    """

    height: int
    width: int
    lead: tuple[int, ...] | None = None

    @classmethod
    def parse(cls, text: str) -> "InputSize":
        """Read ``HxW``, ``NxCxHxW`` or ``NxCxTxHxW``.

        Raises:
            ConfigError: If the text has another form, or a number is not in 1..65536.

        Example:
            >>> InputSize.parse("384x1280")
            InputSize(height=384, width=1280, lead=None)
            >>> InputSize.parse("1x3x384x1280").shape
            (1, 3, 384, 1280)
        """
        if not re.fullmatch("[0-9]{1,9}x[0-9]{1,9}((x[0-9]{1,9}){2,3})?", text):
            raise ConfigError(
                f"{text!r} is not an image size; expected HEIGHTxWIDTH, for example 384x1280, or "
                "the input shape of your own module, for example 1x3x384x1280 or 1x3x16x224x224",
                where="--input",
            )
        numbers = [int(word) for word in text.split("x")]
        if not all(1 <= number <= _LARGEST for number in numbers):
            raise ConfigError(
                f"{text!r} is not an image size; expected numbers from 1 to {_LARGEST}",
                where="--input",
            )
        *lead, height, width = numbers
        return cls(height, width, tuple(lead) or None)

    def __str__(self) -> str:
        return "x".join(str(number) for number in (*(self.lead or ()), self.height, self.width))

    @property
    def shape(self) -> tuple[int, ...]:
        """``(batch, channels, height, width)``. The default is one image with three channels."""
        return (*(self.lead or (1, 3)), self.height, self.width)

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    def resized(self, height: int, width: int) -> "InputSize":
        """Return another size with the same batch, channels and frames."""
        return InputSize(height, width, self.lead)


@dataclass(frozen=True)
class Arguments:
    """Arguments of a network. They may hold nested tensors and other values.

    Attributes:
        positional: Positional arguments of ``forward``.
        keywords: Keyword arguments of ``forward``.
    """

    positional: tuple[Any, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: object) -> "Arguments":
        """Return the arguments that an example stands for.

        Args:
            given: A tensor, a tuple or list of positional arguments, or a dictionary of keyword
                arguments. A tuple may hold a dictionary, which is then one positional argument.

        Raises:
            ConfigError: If it is something else.
        """
        from torch import Tensor

        if isinstance(given, Tensor):
            return cls((given,))
        if isinstance(given, Mapping):
            return cls((), dict(given))
        if isinstance(given, (tuple, list)):
            return cls(tuple(given))
        raise ConfigError(
            f"the example input is {a_type(given)}; expected a tensor, a tuple of arguments or a "
            "dictionary of keyword arguments"
        )

    def to(self, device: str) -> "Arguments":
        """Return the same arguments with all tensors on a device."""
        from torch import Tensor
        from torch.utils._pytree import tree_map_only

        moved = tree_map_only(
            Tensor, lambda each: each.to(device), (self.positional, dict(self.keywords))
        )
        return Arguments(*moved)


ExampleInput: TypeAlias = "Callable[[nn.Module, InputSize, int], object]"
"""Returns what :meth:`Arguments.of` takes, for a module, a size and a number of instances."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A network of the FLOPs report.

    Attributes:
        name: Name in the column ``model``.
        summary: One-line description.
        build: Returns the network in ``eval()`` mode, built from operators that both counters
            support. Its weights may be on the meta device.
        example: Returns an input of zeros on the CPU.
        parts: Paths of submodules, by the name of their part.
        whole: Name of the row for the whole network.
        rest: Name of the part for operations outside all other parts.
        multiple: Height and width must be multiples of this.
        smallest: Minimum height and width.
        build_timed: Like ``build``, with the fastest operators, for measurements.
        has_instances: Whether the cost depends on the number of instances.
        takes_shape: Whether batch size and channels are free.
        notes: Lines below the table.
    """

    name: str
    summary: str
    build: "Callable[[], nn.Module]"
    example: ExampleInput
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    whole: str = WHOLE
    rest: str = "rest"
    multiple: int = 1
    smallest: int = 1
    build_timed: "Callable[[], nn.Module] | None" = None
    has_instances: bool = False
    takes_shape: bool = False
    notes: tuple[str, ...] = ()

    def arguments(self, module: "nn.Module", size: InputSize, instances: int) -> Arguments:
        """Return the example input of a built network.

        Raises:
            ConfigError: If the example is no input.
        """
        return Arguments.of(self.example(module, size, instances))

    def parts_of(self, module: "nn.Module") -> dict[str, tuple[str, ...]]:
        """Return the parts of a built network, with the paths that exist in it."""
        from torch import nn

        paths = {path for path, each in module.named_modules() if not isinstance(each, nn.Identity)}
        found = {
            part: tuple(path for path in named if path in paths)
            for part, named in self.parts.items()
        }
        return {part: named for part, named in found.items() if named}

    def check_size(self, size: InputSize) -> None:
        """Check that the network accepts an input size.

        Raises:
            ConfigError: If the size is too small, is not a multiple, or fixes batch or channels.
        """
        if size.lead is not None and not self.takes_shape:
            raise ConfigError(
                f"{size} gives batch and channels, which are fixed for {self.name}; give "
                f"{size.height}x{size.width}",
                where="--input",
            )
        if min(size.height, size.width) < self.smallest:
            raise ConfigError(
                f"{size} is too small for {self.name}; each side needs {self.smallest} pixels or "
                "more",
                where="--input",
            )
        if size.height % self.multiple or size.width % self.multiple:
            up = [-(-side // self.multiple) * self.multiple for side in (size.height, size.width)]
            raise ConfigError(
                f"{size} does not fit {self.name}, which needs multiples of {self.multiple}; use "
                f"{up[0]}x{up[1]}",
                where="--input",
            )


TARGETS: dict[str, Target] = {}
"""Registry of targets by name, in the order of tables."""


def register(target: Target) -> None:
    """Add a target to the registry.

    Raises:
        ValueError: If another target has the name.
    """
    if target.name in TARGETS:
        raise ValueError(f"a target {target.name!r} is already registered")
    TARGETS[target.name] = target


_DEFAULT_INPUTS = ("384x1280", "1024x1920")
_FLOW = "flow:"
_FLOW_WITHOUT_NETWORK = ("flow:dis", "flow:files")
_NETWORKS = (
    *("flownet2", "flownet2-narrow"),
    *("motion-head", "motion-head:linear-s4", "motion-head:s8-c128", "motion-head:matched-s4"),
    *("regnet_y_8gf", "regnet_y_400mf", "raft-small", "raft-large"),
)
"""Networks that are not a configuration of MAPT, in the order of tables."""


def network_names() -> tuple[str, ...]:
    """Return the names of all networks of this package, in the order of tables.

    These are the keys of :data:`TARGETS` after the import of
    :mod:`mapt_bench.profiling.network_catalog`, which needs torch.
    """
    spec = find_spec("mapt_bench.model")  # the package itself would import torch
    folders = [] if spec is None else spec.submodule_search_locations or []
    files = (file for folder in folders for file in Path(folder).glob("configs/*.yaml"))
    return (*_NETWORKS, *sorted(file.stem for file in files))


def without_network() -> tuple[str, ...]:
    """Return the trackers without a network, which have no operations to count."""
    return (*associator_names(), *_FLOW_WITHOUT_NETWORK)


def check_target(name: str) -> str:
    """Check the name of a target without building it.

    Args:
        name: Name of a network, of a flow tracker that runs one, or ``package.module:build``.

    Returns:
        Name of the network. Other code is returned as given, and not imported.

    Raises:
        ConfigError: If there is no such network. The message suggests the nearest.
    """
    known = network_names()
    network = name.removeprefix(_FLOW)  # the name of a flow tracker means its network
    if network in known or name in TARGETS:
        return network
    if name in without_network():
        raise ConfigError(
            f"tracker {name!r} has no network, so there are no operations to count; its cost is "
            "time, which every run measures (seconds_per_frame)"
        )
    ours = {_FLOW, *(f"{each.partition(':')[0]}:" for each in known)}
    if ":" in name and not any(name.startswith(prefix) for prefix in ours):
        return name
    raise ConfigError(f"no network {name!r}; {nearest(name, known)}; or give package.module:build")


@dataclass(frozen=True, kw_only=True)
class MeasureSettings:
    """Settings of a measurement.

    Attributes:
        warm_up: Passes before the timed ones.
        repeats: Timed passes.
        threads: Threads of torch.
        devices: Devices, each measured separately: ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or
            ``"auto"``.

    Raises:
        ConfigError: If a number is out of range, or a device is malformed.
    """

    warm_up: int = 1
    repeats: int = 5
    threads: int = 1
    devices: tuple[str, ...] = (CPU,)

    def __post_init__(self) -> None:
        for device in self.devices:
            check_device_options(device, FLOAT32, None)
        for name, least in (("warm_up", 0), ("repeats", 1), ("threads", 1)):
            check_range(f"--{name.replace('_', '-')}", getattr(self, name), least)


@dataclass(frozen=True, kw_only=True)
class FlopsSettings:
    """Settings of the FLOPs report.

    Attributes:
        targets: Names, or ``package.module:build``. Empty for all networks of the package.
        inputs: Input sizes, for example ``"384x1280"``. Empty for the two sizes of the claims.
        modes: Names of :data:`~mapt_bench.profiling.operator_table.MODES`. Empty for all.
        instances: Number of instances in each frame.
        measured: Settings for latency and memory. ``None`` measures nothing.
        has_curves: Whether to count over a range of sizes, for a plot.

    Raises:
        ConfigError: If an input is not a size, a target or mode is unknown, or ``instances`` is
            negative.
    """

    targets: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    instances: int = 10
    measured: MeasureSettings | None = None
    has_curves: bool = False

    def __post_init__(self) -> None:
        if self.instances < 0:
            raise ConfigError(f"--instances is {self.instances}; expected 0 or more")
        for mode in self.modes:
            mode_terms(mode)
        self.sizes()
        self.target_names()

    def sizes(self) -> list[InputSize]:
        """Return the input sizes without repetition."""
        return [InputSize.parse(text) for text in dict.fromkeys(self.inputs or _DEFAULT_INPUTS)]

    def mode_names(self) -> list[str]:
        """Return the modes without repetition."""
        return list(dict.fromkeys(self.modes or MODES))

    def target_names(self) -> list[str]:
        """Return the targets without repetition. No targets mean all networks of the package."""
        return list(dict.fromkeys(map(check_target, self.targets or network_names())))

    @property
    def step_count(self) -> int:
        """Number of steps of the report, for a progress bar."""
        measured = len(set(self.measured.devices)) if self.measured else 0
        return len(self.target_names()) * len(self.sizes()) * (1 + measured)
