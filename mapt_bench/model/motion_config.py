"""What the motion head is made of: the designs by name, and the switches of its ablations."""

from dataclasses import dataclass, fields, replace
from typing import Literal, Self, get_args

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.model.patch_search import (
    HIDDEN_CHANNELS,
    found_channels,
    matching_macs,
    packed_channels,
)

__all__ = ["MOTION_DESIGNS", "Cue", "MotionConfig", "motion_config"]

Cue = Literal["difference", "difference+present", "concatenation"]
"""What the offsets are found from: ``R_prev - R_now``, that with ``R_now``, or both as they are."""

_KERNEL_TAPS = 9


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
        match_channels: Channels of the descriptors of small patches at stride 4. Descriptors come
            from the image, and their correlation with the earlier frame joins the cue. ``None``
            leaves matching out, as the paper does.
        match_radius: Cells that the search covers in each direction at strides 16 and 8.
        match_fine_radius: The same at stride 4, around the result of the coarser strides.
        join_channels: Channels of the 1x1 convolution that joins correlations and cue.
        shared_offsets: Whether the nine taps of a dilation have one offset in common. Otherwise
            each tap has its own, as the paper says.

    Raises:
        ConfigError: If a number is below 1, the groups do not divide the channels, the cue is
            unknown, or matching lacks what it needs.
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
    match_channels: int | None = None
    match_radius: int = 3
    match_fine_radius: int = 2
    join_channels: int = 18
    shared_offsets: bool = False

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
        if self.propagated_channels % self.channels_per_group:
            raise ConfigError(
                f"groups of {self.channels_per_group} channels do not divide the"
                f" {self.propagated_channels} channels that are propagated"
            )
        if self.match_channels is not None and not self._can_match:
            raise ConfigError(
                "match_channels of the motion head is set; matching needs stride 4, deformable"
                " true, context_channels, and a cue other than concatenation"
            )

    @property
    def _can_match(self) -> bool:
        return (
            self.stride == 4
            and self.deformable
            and self.context_channels is not None
            and self.cue != "concatenation"
        )

    @property
    def propagated_channels(self) -> int:
        """Channels of the map ``R`` that is propagated."""
        return self.in_channels if self.reduced_channels is None else self.reduced_channels

    @property
    def map_channels(self) -> int:
        """Channels of the map that is cached: ``R``, and the descriptors if there are some."""
        packed = 0 if self.match_channels is None else packed_channels(self.match_channels)
        return self.propagated_channels + packed

    @property
    def cue_channels(self) -> int:
        """Channels from which the offsets are found."""
        compared = self.propagated_channels + (self.match_channels or 0)
        cue = compared * (1 if self.cue == "difference" else 2)
        if self.match_channels is None:
            return cue
        return cue + found_channels(self.match_fine_radius) + HIDDEN_CHANNELS + 2

    @property
    def taps_with_offsets(self) -> int:
        """Offsets of each dilation at each position."""
        return 1 if self.shared_offsets else _KERNEL_TAPS

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

        With matching they are rounded up from those of 16 cells. Correlations count apart:
        :meth:`correlation_macs_per_position`.

        Args:
            instances: Masks that are propagated.

        Example:
            >>> MotionConfig().macs_per_position()
            28098
            >>> MotionConfig().macs_per_position(10) * 1_966_080 // 4**2
            3496919040
        """
        levels = len(self.dilations)
        reduced = self.propagated_channels
        reduce = 0 if self.reduced_channels is None else self.in_channels * reduced
        joined = self.cue_channels
        matching = 0
        if self.match_channels is not None:
            joined = self.join_channels
            search = -(-matching_macs(self.match_channels, self.match_radius)[0] // 16)
            # Earlier features are read where the search found them.
            matching = search + self.cue_channels * joined + reduced + self.match_channels
            matching += 2 * found_channels(self.match_fine_radius)
        context = joined * _KERNEL_TAPS * self.head_channels * self.uses_context
        offsets = 2 * self.taps_with_offsets * levels * self.deformable
        offsets *= self.head_channels * _KERNEL_TAPS
        gate = self.head_channels * _KERNEL_TAPS * levels * self.gated
        taps = levels * _KERNEL_TAPS
        propagate = taps * (reduced * self.channels_per_group + instances)
        fuse = reduced * self.out_channels
        return reduce + matching + context + offsets + gate + propagate + fuse

    def correlation_macs_per_position(self) -> int:
        """Return the multiply-adds of the correlations for one cell, rounded up.

        Example:
            >>> MotionConfig().correlation_macs_per_position()
            0
        """
        if self.match_channels is None:
            return 0
        coarse = matching_macs(self.match_channels, self.match_radius)[1]
        return -(-coarse // 16) + self.match_channels * found_channels(self.match_fine_radius)


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
    "matched-s4": MotionConfig(
        reduced_channels=16,
        context_channels=16,
        out_channels=64,
        match_channels=16,
        shared_offsets=True,
    ),
}
"""The designs by name. The widths of the first three were fitted to the 3.50 G that the paper
gives, at 1,966,080 input pixels and ten instances; the paper states no widths. ``matched-s4`` is an
addition of this project: the paper's head with correlation."""


def motion_config(name: str) -> MotionConfig:
    """Return a design by its name.

    Raises:
        ConfigError: If there is no such design.
    """
    if name not in MOTION_DESIGNS:
        raise ConfigError(f"unknown motion head {name!r}; {nearest(name, MOTION_DESIGNS)}")
    return MOTION_DESIGNS[name]
