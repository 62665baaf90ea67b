"""What the motion head is made of: the designs by name, and the switches of its ablations."""

from dataclasses import dataclass, fields, replace
from typing import Literal, Self, get_args

from mapt_bench.errors import ConfigError, nearest

__all__ = ["MOTION_DESIGNS", "Cue", "MotionConfig", "motion_config"]

Cue = Literal["difference", "difference+present", "concatenation"]
"""What the offsets are found from: ``R_prev - R_now``, that with ``R_now``, or both as they are."""

_KERNEL_TAPS = 9
_OFFSETS = 2 * _KERNEL_TAPS


@dataclass(frozen=True, kw_only=True)
class MotionConfig:
    """Widths and switches of a motion head.

    Attributes:
        stride: Image pixels to a cell of the semantic features.
        in_channels: Channels of the semantic features ``S``.
        reduced_channels: Channels of the cached map ``R``; ``None`` takes ``S`` itself as ``R``.
        reduce_activation: Whether ``R`` passes a ReLU.
        cue: What the offsets are found from.
        context_channels: Channels of the 3x3 convolution (LeakyReLU 0.1) between the cue and the
            offsets; ``None`` leaves it out, and the offsets are linear in the cue.
        dilations: One set of offsets, and one deformable convolution, for each.
        gate: Whether each position weighs the dilations; otherwise, and where there is but one,
            they are averaged.
        channels_per_group: Channels that a deformable kernel mixes; 1 is depthwise.
        out_channels: Channels of the propagated features ``P``.
        out_activation: Whether ``P`` passes a LeakyReLU (0.1).
        deformable: ``False`` propagates by ordinary dilated convolutions: no offsets are found.

    Raises:
        ConfigError: If a number is below 1, the groups do not divide the channels, or the cue is
            unknown.
    """

    stride: int = 4
    in_channels: int = 128
    reduced_channels: int | None = 21
    reduce_activation: bool = True
    cue: Cue = "difference+present"
    context_channels: int | None = 21
    dilations: tuple[int, ...] = (1, 3, 6, 12)
    gate: bool = True
    channels_per_group: int = 1
    out_channels: int = 112
    out_activation: bool = True
    deformable: bool = True

    def __post_init__(self) -> None:
        # YAML has lists; a frozen value that is compared and hashed needs a tuple.
        object.__setattr__(self, "dilations", tuple(self.dilations))
        if not self.dilations:
            raise ConfigError("the motion head has no dilation; give one or more, as (1, 3, 6, 12)")
        for field in fields(self):
            value = getattr(self, field.name)
            numbers = value if isinstance(value, tuple) else (value,)
            # A switch is an int to Python, and False is no number below 1.
            if any(type(number) is int and number < 1 for number in numbers):
                raise ConfigError(f"{field.name} of the motion head is {value}; expected 1 or more")
        if self.cue not in get_args(Cue):
            raise ConfigError(f"unknown cue {self.cue!r}; {nearest(self.cue, get_args(Cue))}")
        if self.map_channels % self.channels_per_group:
            raise ConfigError(
                f"groups of {self.channels_per_group} channels do not divide the"
                f" {self.map_channels} channels that are propagated"
            )

    @property
    def map_channels(self) -> int:
        """Channels of the map ``R`` that is cached and propagated."""
        return self.in_channels if self.reduced_channels is None else self.reduced_channels

    @property
    def cue_channels(self) -> int:
        """Channels of what the offsets are found from."""
        return self.map_channels * (1 if self.cue == "difference" else 2)

    @property
    def head_channels(self) -> int:
        """Channels that the offset and gate convolutions read."""
        return self.cue_channels if self.context_channels is None else self.context_channels

    @property
    def gated(self) -> bool:
        """Whether there is a gate: one dilation leaves it nothing to choose."""
        return self.gate and len(self.dilations) > 1

    @property
    def uses_context(self) -> bool:
        """Whether there is a convolution between the cue and the offsets and gate."""
        return self.context_channels is not None and (self.deformable or self.gated)

    def with_changes(self, **changes: object) -> Self:
        """Return a copy with some fields changed.

        Raises:
            ConfigError: If there is no such field.
        """
        known = [field.name for field in fields(self)]
        for name in changes:
            if name not in known:
                raise ConfigError(
                    f"the motion head has no setting {name!r}; {nearest(name, known)}"
                )
        return replace(self, **changes)  # type: ignore[arg-type]  # checked by __post_init__

    def macs_per_position(self, instances: int = 0) -> int:
        """Return the multiply-adds of one cell, in the mode that counts convolutions alone.

        Args:
            instances: Masks that are propagated.

        Example:
            >>> MotionConfig().macs_per_position()
            28098
            >>> MotionConfig().macs_per_position(10) * 1_966_080 // 4**2
            3496919040
        """
        levels = len(self.dilations)
        reduce = 0 if self.reduced_channels is None else self.in_channels * self.map_channels
        context = self.cue_channels * _KERNEL_TAPS * self.head_channels * self.uses_context
        offsets = levels * self.head_channels * _KERNEL_TAPS * _OFFSETS * self.deformable
        gate = self.head_channels * _KERNEL_TAPS * levels * self.gated
        taps = levels * _KERNEL_TAPS
        propagate = taps * (self.map_channels * self.channels_per_group + instances)
        return reduce + context + offsets + gate + propagate + self.map_channels * self.out_channels


MOTION_DESIGNS: dict[str, MotionConfig] = {
    "gated-s4": MotionConfig(),
    "linear-s4": MotionConfig(
        reduced_channels=32,
        reduce_activation=False,
        cue="difference",
        context_channels=None,
        gate=False,
        out_channels=64,
        out_activation=False,
    ),
    "s8-c128": MotionConfig(
        stride=8,
        reduced_channels=None,
        reduce_activation=False,
        cue="difference",
        context_channels=None,
        gate=False,
        channels_per_group=4,
        out_channels=96,
        out_activation=False,
    ),
}
"""The designs by name. Their widths were fitted to the 3.50 G that the paper gives, at 1,966,080
input pixels and ten instances; the paper states no widths."""


def motion_config(name: str) -> MotionConfig:
    """Return a design by its name.

    Raises:
        ConfigError: If there is no such design.
    """
    if name not in MOTION_DESIGNS:
        raise ConfigError(f"unknown motion head {name!r}; {nearest(name, MOTION_DESIGNS)}")
    return MOTION_DESIGNS[name]
