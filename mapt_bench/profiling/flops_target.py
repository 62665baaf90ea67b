"""Targets of the FLOPs report: networks with their example input, parts and input sizes."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from mapt_bench.errors import ConfigError
from mapt_bench.profiling._torch_counter import WHOLE

__all__ = ["TARGETS", "ExampleInput", "InputSize", "Target", "register"]

_LARGEST = 2**16


@dataclass(frozen=True)
class InputSize:
    """Input size of a network: ``384x1280``, or the whole shape ``1x3x384x1280``.

    Attributes:
        height: Height in pixels.
        width: Width in pixels.
        lead: ``(batch, channels)`` if the whole shape was given.
    """

    height: int
    width: int
    lead: tuple[int, int] | None = None

    @classmethod
    def parse(cls, text: str) -> "InputSize":
        """Read ``HxW`` or ``NxCxHxW``.

        Raises:
            ConfigError: If the text has another form, or a number is not in 1..65536.

        Example:
            >>> InputSize.parse("384x1280")
            InputSize(height=384, width=1280, lead=None)
            >>> InputSize.parse("1x3x384x1280").shape
            (1, 3, 384, 1280)
        """
        if not re.fullmatch(r"[0-9]+(x[0-9]+)(x[0-9]+x[0-9]+)?", text):
            raise ConfigError(
                f"{text!r} is not an image size; expected HEIGHTxWIDTH, for example 384x1280, or "
                "the input shape of your own module, for example 1x3x384x1280",
                where="--input",
            )
        numbers = [int(word) for word in text.split("x")]
        if not all(1 <= number <= _LARGEST for number in numbers):
            raise ConfigError(
                f"{text!r} is not an image size; expected numbers from 1 to {_LARGEST}",
                where="--input",
            )
        *lead, height, width = numbers
        return cls(height, width, (lead[0], lead[1]) if lead else None)

    def __str__(self) -> str:
        return "x".join(str(number) for number in (*(self.lead or ()), self.height, self.width))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(batch, channels, height, width)``. The default is one image with three channels."""
        batch, channels = self.lead or (1, 3)
        return batch, channels, self.height, self.width

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    def resized(self, height: int, width: int) -> "InputSize":
        """Return another size with the same batch and channels."""
        return InputSize(height, width, self.lead)


ExampleInput = Callable[[nn.Module, InputSize, int], tuple[Tensor, ...]]
"""Returns the arguments of ``forward`` for a module, an input size and a number of instances."""


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
    build: Callable[[], nn.Module]
    example: ExampleInput
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    whole: str = WHOLE
    rest: str = "rest"
    multiple: int = 1
    smallest: int = 1
    build_timed: Callable[[], nn.Module] | None = None
    has_instances: bool = False
    takes_shape: bool = False
    notes: tuple[str, ...] = ()

    def parts_of(self, module: nn.Module) -> dict[str, tuple[str, ...]]:
        """Return the parts of a built network, with the paths that exist in it."""
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
