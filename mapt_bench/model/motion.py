"""The motion head: where things went from one frame to the next, without optical flow.

The change of the semantic features between two frames gives offsets; deformable convolutions of
several dilations, driven by them, carry the features and the instance masks of the earlier frame
to where they are now. After Hurtado et al., arXiv:2503.09191, which states the scheme but no
widths; what is chosen here is marked in ``docs/motion.md``.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from mapt_bench.errors import DataError
from mapt_bench.model.deform import DeformForm, deformable_pyramid
from mapt_bench.model.motion_config import MotionConfig
from mapt_bench.model.patch_search import Match, Matcher

__all__ = [
    "FoundMotion",
    "MotionHead",
    "MotionOutput",
    "mean_displacement",
    "normalise_masks",
]

_TAPS = 9
_SIDE_TAP = 0.02
"""Start of a mask kernel's outer taps: not zero, or their offsets would get no gradient."""


class MotionOutput(NamedTuple):
    """What the motion head finds.

    Attributes:
        offsets: Shape ``(batch, dilations, 9, 2, height, width)``, ``(dy, dx)`` in cells: where in
            the earlier frame each tap reads, beyond its regular place.
        gate: Shape ``(batch, dilations, height, width)``, in ``[0, 1]``, summing to 1.
        features: Propagated features of shape ``(batch, out_channels, height, width)``.
        masks: Propagated masks of shape ``(batch, instances, height, width)``, in ``[0, 1]``; with
            what is left for the background they sum to 1.
        match: Result of the search, for losses; ``None`` where the head has no matching.
    """

    offsets: Tensor
    gate: Tensor
    features: Tensor
    masks: Tensor
    match: Match | None = None


class FoundMotion(NamedTuple):
    """Motion between two frames, and the search that it comes from.

    Attributes:
        offsets: As in :class:`MotionOutput`.
        gate: The same.
        match: Result of the search, for losses; ``None`` where the head has no matching.
    """

    offsets: Tensor
    gate: Tensor
    match: Match | None


class MotionHead(nn.Module):
    """Carry features and instance masks of the earlier frame to the present one.

    For a video, :meth:`reduce` runs once a frame and its result is kept for the next.

    Args:
        config: Widths and switches; the design ``gated-s4`` if not given.
        form: How deformable convolutions are computed; the fastest for the device if not given.

    Attributes:
        matcher: The search for small patches; ``None`` where the configuration leaves it out.
        follows_match: Whether the displacement of the search is added to the offsets.

    Example:
        >>> head = MotionHead().eval()
        >>> before, now = torch.rand(2, 1, 128, 16, 32).unbind()
        >>> masks = torch.zeros(1, 3, 16, 32)
        >>> with torch.no_grad():
        ...     output = head(head.reduce(before), head.reduce(now), masks)
        >>> output.features.shape, output.masks.shape
        (torch.Size([1, 112, 16, 32]), torch.Size([1, 3, 16, 32]))
    """

    def __init__(
        self, config: MotionConfig | None = None, *, form: DeformForm | str = DeformForm.AUTO
    ) -> None:
        super().__init__()
        self.config = config = MotionConfig() if config is None else config
        channels, levels = config.propagated_channels, len(config.dilations)
        self.matcher = (
            None
            if config.match_channels is None
            else Matcher(config.match_channels, config.match_radius, config.match_fine_radius)
        )
        self.form = form
        self.follows_match = True
        self.reduction = (
            nn.Identity()
            if config.reduced_channels is None
            else nn.Conv2d(config.in_channels, channels, 1)
        )
        joined = config.cue_channels
        if self.matcher is not None:
            joined = config.join_channels
            self.join = nn.Conv2d(config.cue_channels, joined, 1)
        self.context = (
            nn.Conv2d(joined, config.head_channels, 3, padding=1)
            if config.uses_context
            else nn.Identity()
        )
        numbers = 2 * config.taps_with_offsets
        self.offset = nn.ModuleList(
            nn.Conv2d(config.head_channels, numbers, 3, padding=dilation, dilation=dilation)
            for dilation in config.dilations
            if config.deformable
        )
        self.gate = nn.Conv2d(config.head_channels, levels, 3, padding=1) if config.gated else None
        self.feature_kernels = nn.Parameter(
            torch.empty(levels, channels, config.channels_per_group, 3, 3)
        )
        self.mask_kernels = nn.Parameter(torch.empty(levels, 3, 3))
        self.fuse = nn.Conv2d(channels, config.out_channels, 1)
        self._reset()

    def _reset(self) -> None:
        for name, parameter in self.offset.named_parameters():
            if name.endswith("weight"):
                nn.init.normal_(parameter, std=0.01)
            else:
                nn.init.zeros_(parameter)
        with torch.no_grad():
            self.mask_kernels.fill_(_SIDE_TAP)
            self.mask_kernels[:, 1, 1] = 1 - (_TAPS - 1) * _SIDE_TAP
            groups = self.config.propagated_channels // self.config.channels_per_group
            for kernels in self.feature_kernels:
                nn.init.dirac_(kernels, groups)
            self.feature_kernels.add_(torch.randn_like(self.feature_kernels), alpha=_SIDE_TAP)

    @property
    def form(self) -> DeformForm | str:
        """How deformable convolutions are computed."""
        return self._form

    @form.setter
    def form(self, form: DeformForm | str) -> None:
        self._form = form
        if self.matcher is not None:
            self.matcher.form = form

    def reduce(self, semantic: Tensor, images: Tensor | None = None) -> Tensor:
        """Return the map of one frame, to be used now and kept for the next frame.

        Args:
            semantic: Features ``S`` of shape ``(batch, in_channels, height, width)``.
            images: The normalised images that they are of, shape ``(batch, 3, 4 * height, 4 *
                width)``, both multiples of 32. Only a head with matching reads them.

        Raises:
            DataError: If a shape is another, or a head with matching gets no images.
        """
        if semantic.dim() != 4 or semantic.shape[1] != self.config.in_channels:
            raise DataError(
                f"the semantic features have shape {tuple(semantic.shape)}; expected (batch,"
                f" {self.config.in_channels}, height, width)"
            )
        reduced: Tensor = self.reduction(semantic)
        if self.config.reduce_activation:
            reduced = functional.relu(reduced)
        if self.matcher is not None:
            described = self._described(self.matcher, semantic, images)
            reduced = torch.cat((reduced.to(described.dtype), described), dim=1)
        if reduced.device.type == "cpu":
            # The 3x3 convolutions that follow take up to half again as long channels-first.
            reduced = reduced.contiguous(memory_format=torch.channels_last)
        return reduced

    def _described(self, matcher: Matcher, semantic: Tensor, images: Tensor | None) -> Tensor:
        batch, _, height, width = semantic.shape
        stride = self.config.stride
        expected = (batch, 3, stride * height, stride * width)
        if images is None or images.shape != expected or height % 8 or width % 8:
            found = "no images" if images is None else f"images of shape {tuple(images.shape)}"
            raise DataError(
                f"the motion head got {found} beside semantic features of shape"
                f" {tuple(semantic.shape)}; expected {expected}, both sides multiples of 32"
            )
        with torch.autocast(images.device.type, enabled=False):
            # Displacements need more digits than half precision has.
            return matcher.features(images.float())

    def forward(
        self,
        reduced_prev: Tensor,
        reduced_now: Tensor,
        masks_prev: Tensor,
        counts: Sequence[int] | None = None,
    ) -> MotionOutput:
        """Find the motion between two frames and carry the earlier one along.

        Args:
            reduced_prev: :meth:`reduce` of the earlier frame.
            reduced_now: :meth:`reduce` of the present frame, of the same shape.
            masks_prev: Masks of the earlier frame on the same grid, shape ``(batch, instances,
                height, width)``, in ``[0, 1]`` or boolean; there may be none.
            counts: Masks of each pair that are not empty, those before the others; all if not
                given.

        Raises:
            DataError: If shapes do not fit together.
        """
        masks_prev = self._check(reduced_prev, reduced_now, masks_prev)
        offsets, gate, match = self.find_motion(reduced_prev, reduced_now)
        kept = reduced_prev[:, : self.config.propagated_channels]
        carried, masks = self._propagate(kept, masks_prev, offsets, gate, counts)
        return MotionOutput(offsets, gate, self._fused(carried), normalise_masks(masks), match)

    def motion(self, reduced_prev: Tensor, reduced_now: Tensor) -> tuple[Tensor, Tensor]:
        """Return the offsets and the gate alone, as in :class:`MotionOutput`."""
        found = self.find_motion(reduced_prev, reduced_now)
        return found.offsets, found.gate

    def find_motion(self, reduced_prev: Tensor, reduced_now: Tensor) -> FoundMotion:
        """Find the motion between two frames.

        Args:
            reduced_prev: :meth:`reduce` of the earlier frame.
            reduced_now: :meth:`reduce` of the present frame, of the same shape.
        """
        batch, _, height, width = reduced_now.shape
        levels = len(self.config.dilations)
        cue, match = self._cue(reduced_prev, reduced_now)
        context = self.context(cue)
        if self.config.uses_context:
            context = functional.leaky_relu(context, 0.1, inplace=True)
        taps = self.config.taps_with_offsets
        if self.config.deformable:
            offsets = torch.cat([convolution(context) for convolution in self.offset], dim=1)
        else:
            offsets = context.new_zeros(batch, levels * 2 * taps, height, width)
        offsets = offsets.view(batch, levels, taps, 2, height, width)
        if match is not None and self.follows_match:
            offsets = offsets + match.displacement[:, None, None]
        gate = (
            context.new_full((batch, levels, height, width), 1 / levels)
            if self.gate is None
            else self.gate(context).softmax(1)
        )
        return FoundMotion(offsets.expand(-1, -1, _TAPS, -1, -1, -1), gate, match)

    def carry_features(self, reduced_prev: Tensor, offsets: Tensor, gate: Tensor) -> Tensor:
        """Return propagated features, as in :class:`MotionOutput`, along a motion found before."""
        kept = reduced_prev[:, : self.config.propagated_channels]
        return self._fused(self._carry(kept, self.feature_kernels, offsets, gate))

    def carry_masks(self, masks_prev: Tensor, offsets: Tensor, gate: Tensor) -> Tensor:
        """Return masks moved along a motion found before, each by itself.

        Unlike those of :meth:`forward` they are not shared out among the instances: one that is
        hidden behind another keeps its shape.

        Args:
            masks_prev: As in :meth:`forward`, of the type of the offsets.
            offsets: As in :class:`MotionOutput`.
            gate: The same.

        Returns:
            The shape of ``masks_prev``, in ``[0, 1]``.
        """
        return self._carry(masks_prev, self._mask_kernels(masks_prev), offsets, gate).clamp(0, 1)

    def _fused(self, carried: Tensor) -> Tensor:
        features: Tensor = self.fuse(carried)
        if self.config.out_activation:
            features = functional.leaky_relu(features, 0.1, inplace=True)
        return features

    def _mask_kernels(self, masks: Tensor) -> Tensor:
        return self.mask_kernels[:, None, None].expand(-1, masks.shape[1], 1, 3, 3)

    def _cue(self, reduced_prev: Tensor, reduced_now: Tensor) -> tuple[Tensor, Match | None]:
        """Return what the offsets are found from; with matching it is joined already."""
        if self.matcher is None:
            return self._compared(reduced_prev, reduced_now), None
        reduced = self.config.propagated_channels
        compared = reduced + self.matcher.fine
        with torch.autocast(reduced_now.device.type, enabled=False):
            reduced_prev, reduced_now = reduced_prev.float(), reduced_now.float()
            match = self.matcher(reduced_prev[:, reduced:], reduced_now[:, reduced:])
            prev = self.matcher.read(reduced_prev[:, :compared], match.displacement)
            now = reduced_now[:, :compared]
            match, found = self.matcher.refine(match, now[:, reduced:], prev[:, reduced:])
        parts = (self._compared(prev, now), found, match.hidden, match.displacement)
        return functional.leaky_relu(self.join(torch.cat(parts, dim=1)), 0.1, inplace=True), match

    def _compared(self, prev: Tensor, now: Tensor) -> Tensor:
        if self.config.cue == "concatenation":
            return torch.cat((prev, now), dim=1)
        difference = prev - now
        if self.config.cue == "difference":
            return difference
        return torch.cat((difference, now), dim=1)

    def _propagate(
        self,
        features: Tensor,
        masks: Tensor,
        offsets: Tensor,
        gate: Tensor,
        counts: Sequence[int] | None,
    ) -> tuple[Tensor, Tensor]:
        mask_kernels = self._mask_kernels(masks)
        if self.config.channels_per_group > 1:
            return (
                self._carry(features, self.feature_kernels, offsets, gate),
                self._carry(masks, mask_kernels, offsets, gate),
            )
        # Both are read at the same places: together they share the search for them.
        carried = self._carry(
            torch.cat((features, masks), dim=1),
            torch.cat((self.feature_kernels, mask_kernels), dim=1),
            offsets,
            gate,
            None if counts is None else [features.shape[1] + count for count in counts],
        )
        return carried[:, : features.shape[1]], carried[:, features.shape[1] :]

    def _carry(
        self,
        x: Tensor,
        kernels: Tensor,
        offsets: Tensor,
        gate: Tensor,
        used: Sequence[int] | None = None,
    ) -> Tensor:
        dilations = self.config.dilations
        if self.config.deformable and x.shape[1]:
            return deformable_pyramid(
                x, offsets, kernels, dilations=dilations, gate=gate, form=self.form, used=used
            )
        groups = x.shape[1] // kernels.shape[2]
        total = torch.zeros_like(x)
        for level, dilation in enumerate(dilations if x.shape[1] else ()):
            convolved = functional.conv2d(
                x, kernels[level], padding=dilation, dilation=dilation, groups=groups
            )
            total = total + convolved * gate[:, level, None]
        return total

    def _check(self, reduced_prev: Tensor, reduced_now: Tensor, masks_prev: Tensor) -> Tensor:
        channels = self.config.map_channels
        if reduced_now.dim() != 4 or reduced_now.shape[1] != channels:
            raise DataError(
                f"the reduced features have shape {tuple(reduced_now.shape)}; expected (batch,"
                f" {channels}, height, width), as reduce() returns"
            )
        if reduced_prev.shape != reduced_now.shape:
            raise DataError(
                f"the reduced features of the two frames have shapes {tuple(reduced_prev.shape)}"
                f" and {tuple(reduced_now.shape)}; both frames must have one size"
            )
        batch, _, height, width = reduced_now.shape
        grid = (batch, height, width)
        if masks_prev.dim() != 4 or (masks_prev.shape[0], *masks_prev.shape[2:]) != grid:
            raise DataError(
                f"the masks have shape {tuple(masks_prev.shape)}; expected ({batch}, instances,"
                f" {height}, {width}): the grid of the features, {self.config.stride} pixels a cell"
            )
        if masks_prev.dtype is torch.bool:
            return masks_prev.to(reduced_now.dtype)
        if masks_prev.dtype != reduced_now.dtype:
            raise DataError(
                f"the masks are {masks_prev.dtype}; expected torch.bool or {reduced_now.dtype}:"
                " one channel an instance, not a map of ids"
            )
        return masks_prev


def normalise_masks(raw: Tensor) -> Tensor:
    """Share each position among the masks and the background.

    The background takes what the masks leave of 1, and nothing where together they exceed it.

    Args:
        raw: Shape ``(batch, instances, height, width)``, any real numbers.

    Returns:
        The same shape, in ``[0, 1]``, with a sum over instances of at most 1.

    Example:
        >>> normalise_masks(torch.tensor([0.3, -0.1]).view(1, 2, 1, 1)).flatten()
        tensor([0.3000, 0.0000])
        >>> normalise_masks(torch.tensor([1.5, 0.5]).view(1, 2, 1, 1)).flatten()
        tensor([0.7500, 0.2500])
    """
    present = raw.clamp(min=0)
    return present / present.sum(1, keepdim=True).clamp(min=1)


def mean_displacement(offsets: Tensor, gate: Tensor) -> Tensor:
    """Return where each cell reads on average: over the taps, and over dilations by the gate.

    Args:
        offsets: As in :class:`MotionOutput`.
        gate: The same.

    Returns:
        Shape ``(batch, 2, height, width)``, ``(dy, dx)`` in cells, into the earlier frame.

    Example:
        >>> offsets = torch.zeros(1, 2, 9, 2, 1, 1)
        >>> offsets[:, 0, :, 1] = 4  # the first dilation reads four cells further right
        >>> mean_displacement(offsets, torch.tensor([0.75, 0.25]).view(1, 2, 1, 1)).flatten()
        tensor([0., 3.])
    """
    return (offsets.mean(2) * gate[:, :, None]).sum(1)
