"""Deformable convolution in three forms behind one function.

A deformable convolution (Dai et al. 2017) reads each tap of its kernel at a position of its own:
the regular one plus an offset, between the cells of the grid by bilinear interpolation, and zero
outside. The arithmetic is small and the reads are scattered, so its time is a matter of memory:

``operator``
    torchvision's ``deform_conv2d``. Any grouping, every device torchvision was built for, and the
    one form that operation counters see as one operator.
``samples``
    A sum of ``grid_sample`` calls, one a tap. Plain torch, so any device; forward and backward on
    a CPU it takes a fraction of the operator's time where each channel has its own kernel.
``rows``
    The four cells around each position fetched as rows of a table with all channels side by side
    (:mod:`mapt_bench.model.deform_rows`). The fastest on a CPU. For inference and depthwise
    kernels.

Where a training on a CPU has a compiler, ``auto`` takes the loops of
:mod:`mapt_bench.model.kernels` for depthwise 3x3 kernels: a quarter of the time of ``samples``,
forward and backward.

All give the same values up to rounding; those that can be trained give the same gradients.
"""

from collections.abc import Sequence
from enum import StrEnum

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import deform_conv2d

from mapt_bench.errors import ConfigError, DataError, nearest
from mapt_bench.model import kernels
from mapt_bench.model.deform_rows import gather_convolved, gather_rows

__all__ = [
    "DeformForm",
    "deformable_convolution",
    "deformable_pyramid",
    "fastest_form",
    "tap_displacements",
]

_HALVES = (torch.bfloat16, torch.float16)


class DeformForm(StrEnum):
    """How a deformable convolution is computed; ``auto`` picks by :func:`fastest_form`."""

    AUTO = "auto"
    OPERATOR = "operator"
    ROWS = "rows"
    SAMPLES = "samples"


def fastest_form(device: torch.device | str, *, depthwise: bool, training: bool) -> DeformForm:
    """Return the form that takes the least time on a device.

    Args:
        device: Where the tensors lie.
        depthwise: Whether each output channel reads one input channel of its own.
        training: Whether gradients are wanted.

    Note:
        On a CPU this is measured (``benchmarks/motion.py --forms``). ``cuda`` has a fused operator;
        ``meta`` computes nothing, and counting wants the operator. On any other device only plain
        torch can be relied on.

    Example:
        >>> fastest_form("cpu", depthwise=True, training=False).value
        'rows'
        >>> fastest_form("cpu", depthwise=True, training=True).value
        'samples'
    """
    kind = torch.device(device).type
    if kind in ("cuda", "meta"):
        return DeformForm.OPERATOR
    if kind != "cpu":
        return DeformForm.SAMPLES
    return DeformForm.ROWS if depthwise and not training else DeformForm.SAMPLES


def deformable_convolution(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    *,
    dilation: int = 1,
    form: DeformForm | str = DeformForm.AUTO,
) -> Tensor:
    """Convolve with stride 1 and "same" padding, each tap read at a shifted position.

    Args:
        x: Features of shape ``(batch, channels, height, width)``.
        offset: Shape ``(batch, 2 * taps, height, width)``, in cells, ``dy`` before ``dx`` for each
            tap in row order: torchvision's layout. ``dx > 0`` reads further right, so it moves
            what is seen to the *left*.
        weight: Kernels of shape ``(out_channels, channels / groups, k, k)`` with odd ``k``.
        dilation: Cells between neighbouring taps.
        form: One of :class:`DeformForm`.

    Returns:
        Tensor of shape ``(batch, out_channels, height, width)``.

    Raises:
        DataError: If shapes do not fit together.
        ConfigError: If the form is unknown, or cannot do what is asked.

    Note:
        Dai et al. 2017 (arXiv:1703.06211), eq. 2.

    Example:
        >>> line = torch.tensor([[[[0., 1., 0., 0.]]]])
        >>> centre = torch.zeros(1, 1, 3, 3)
        >>> centre[..., 1, 1] = 1
        >>> offset = torch.zeros(1, 18, 1, 4)
        >>> offset[:, 1::2] = -1  # every tap reads one cell further left
        >>> deformable_convolution(line, offset, centre)
        tensor([[[[0., 0., 1., 0.]]]])
    """
    if offset.dim() != 4 or offset.shape[1] % 2:
        raise DataError(
            f"the offsets have shape {tuple(offset.shape)}; expected (batch, 2 * taps, height,"
            " width)"
        )
    batch, channels, height, width = offset.shape
    offsets = offset.reshape(batch, 1, channels // 2, 2, height, width)
    return deformable_pyramid(x, offsets, weight[None], dilations=(dilation,), form=form)


def deformable_pyramid(
    x: Tensor,
    offsets: Tensor,
    weights: Tensor,
    *,
    dilations: Sequence[int],
    gate: Tensor | None = None,
    form: DeformForm | str = DeformForm.AUTO,
    used: Sequence[int] | None = None,
) -> Tensor:
    """Sum deformable convolutions of several dilations, weighted at each position.

    Args:
        x: Features of shape ``(batch, channels, height, width)``, floating point.
        offsets: Shape ``(batch, dilations, taps, 2, height, width)``, in cells, ``(dy, dx)``.
        weights: Shape ``(dilations, out_channels, channels / groups, k, k)`` with odd ``k``.
        dilations: Cells between neighbouring taps, one number for each kernel.
        gate: Shape ``(batch, dilations, height, width)``; ``None`` is a plain sum.
        form: One of :class:`DeformForm`.
        used: Channels of each image that are not 0 everywhere, those before the others: some forms
            leave the others out.

    Returns:
        Tensor of shape ``(batch, out_channels, height, width)``.

    Raises:
        DataError: If shapes do not fit together.
        ConfigError: If the form is unknown, or cannot do what is asked.
    """
    _check_shapes(x, offsets, weights, dilations, gate)
    if x.dtype in _HALVES:
        # In half precision a place on a large map would be known to a cell or two.
        with torch.autocast(x.device.type, enabled=False):
            wide = deformable_pyramid(
                x.float(),
                offsets.float(),
                weights.float(),
                dilations=dilations,
                gate=None if gate is None else gate.float(),
                form=form,
                used=used,
            )
        return wide.to(x.dtype)
    depthwise = weights.shape[2] == 1 and weights.shape[1] == x.shape[1]
    training = torch.is_grad_enabled() and any(
        tensor is not None and tensor.requires_grad for tensor in (x, offsets, weights, gate)
    )
    if training and depthwise and form == DeformForm.AUTO and weights.shape[-1] == 3:
        parts = (x, offsets, weights) if gate is None else (x, offsets, weights, gate)
        if kernels.is_suited(*parts):
            return _compiled(x, offsets, weights, dilations, gate, used)
    chosen = _choose(form, x, depthwise=depthwise, training=training)
    if chosen is DeformForm.ROWS and offsets.stride(2) == 0:  # all taps share one offset
        return gather_convolved(x, offsets[:, :, 0], weights, dilations=dilations, gate=gate)
    if chosen is DeformForm.ROWS:
        by_tap = weights.flatten(3).permute(0, 3, 1, 2).flatten(0, 1).squeeze(2)
        taps = tap_displacements(weights.shape[-1], dilations)
        return gather_rows(x, offsets.flatten(1, 2), by_tap, taps=taps, gate=gate)
    convolve = _operator if chosen is DeformForm.OPERATOR else _samples
    levels = (
        convolve(x, offsets[:, level], weights[level], dilation)
        for level, dilation in enumerate(dilations)
    )
    if gate is None:
        return torch.stack(tuple(levels)).sum(0) if len(dilations) > 1 else next(levels)
    total = torch.zeros((), dtype=x.dtype, device=x.device)
    for level, convolved in enumerate(levels):
        total = total + convolved * gate[:, level, None]
    return total


def _compiled(
    x: Tensor,
    offsets: Tensor,
    weights: Tensor,
    dilations: Sequence[int],
    gate: Tensor | None,
    used: Sequence[int] | None,
) -> Tensor:
    if gate is None:
        gate = offsets.new_ones((len(x), len(dilations), *x.shape[2:]))
    columns = weights.flatten(3).permute(0, 3, 1, 2).flatten(2)
    return kernels.deform(x, offsets, columns, gate, dilations, used)


def _operator(x: Tensor, offset: Tensor, weight: Tensor, dilation: int) -> Tensor:
    # While a graph is traced sizes are tensors, which torchvision takes for pairs.
    padding = dilation * (int(weight.shape[-1]) // 2)
    result: Tensor = deform_conv2d(
        x.contiguous(),
        offset.flatten(1, 2).contiguous(),
        weight,
        padding=padding,
        dilation=dilation,
    )
    return result


def _samples(x: Tensor, offset: Tensor, weight: Tensor, dilation: int) -> Tensor:
    _, channels, height, width = x.shape
    groups = channels // weight.shape[1]
    depthwise = weight.shape[1] == 1 and weight.shape[0] == channels
    taps = tap_displacements(weight.shape[-1], (dilation,))
    displacement = torch.tensor(taps, dtype=x.dtype, device=x.device)[..., None, None]
    rows = torch.arange(height, dtype=x.dtype, device=x.device)[:, None] + displacement[:, 0]
    columns = torch.arange(width, dtype=x.dtype, device=x.device) + displacement[:, 1]
    # Cell centres lie at (2i + 1) / n - 1 (align_corners=False). The other convention gives the
    # same cells, but divides by zero on a map of one row or column.
    grids = torch.stack(
        (
            (offset[:, :, 1] + (columns + 0.5)) * (2 / width) - 1,
            (offset[:, :, 0] + (rows + 0.5)) * (2 / height) - 1,
        ),
        dim=-1,
    )
    total = torch.zeros((), dtype=x.dtype, device=x.device)
    for tap, grid in enumerate(grids.unbind(1)):
        sampled = functional.grid_sample(x, grid, padding_mode="zeros", align_corners=False)
        kernel = weight.flatten(2)[:, :, tap, None, None]
        if depthwise:
            total = total + sampled * kernel.squeeze(1)
        else:
            total = total + functional.conv2d(sampled, kernel, groups=groups)
    return total


def _choose(form: DeformForm | str, x: Tensor, *, depthwise: bool, training: bool) -> DeformForm:
    try:
        chosen = DeformForm(form)
    except ValueError:
        hint = nearest(str(form), [member.value for member in DeformForm])
        raise ConfigError(f"unknown form of deformable convolution {form!r}; {hint}") from None
    if chosen is DeformForm.AUTO:
        return fastest_form(x.device, depthwise=depthwise, training=training)
    if chosen is DeformForm.ROWS and (training or not depthwise):
        reason = "gradients are wanted" if training else "the kernel mixes channels"
        raise ConfigError(
            f"the form 'rows' is for inference with one kernel a channel, and {reason};"
            " use 'auto', 'samples' or 'operator'"
        )
    return chosen


def _check_shapes(
    x: Tensor, offsets: Tensor, weights: Tensor, dilations: Sequence[int], gate: Tensor | None
) -> None:
    if x.dim() != 4 or not x.is_floating_point():
        raise DataError(
            f"the features have shape {tuple(x.shape)} and type {x.dtype}; expected floating point"
            " of shape (batch, channels, height, width)"
        )
    batch, channels, height, width = x.shape
    if weights.dim() != 5 or weights.shape[3] != weights.shape[4] or not weights.shape[4] % 2:
        raise DataError(
            f"the kernels have shape {tuple(weights.shape)}; expected (dilations, out_channels,"
            " channels / groups, k, k) with odd k"
        )
    levels, out_channels, per_group, size, _ = weights.shape
    groups = channels // per_group if per_group else 0
    if groups * per_group != channels or (groups and out_channels % groups):
        raise DataError(
            f"kernels that read {per_group} channels for each of {out_channels} outputs do not"
            f" divide the {channels} channels of the features into groups"
        )
    if len(dilations) != levels or any(dilation < 1 for dilation in dilations):
        raise DataError(
            f"the dilations are {tuple(dilations)}; expected {levels} numbers of 1 or more, one"
            " for each kernel"
        )
    expected: dict[str, tuple[Tensor, tuple[int, ...]]] = {
        "offsets": (offsets, (batch, levels, size * size, 2, height, width))
    }
    if gate is not None:
        expected["gate"] = (gate, (batch, levels, height, width))
    for name, (tensor, shape) in expected.items():
        if tensor.shape != shape:
            raise DataError(f"the {name} has shape {tuple(tensor.shape)}; expected {shape}")


def tap_displacements(size: int, dilations: Sequence[int]) -> list[tuple[int, int]]:
    """Return ``(down, right)`` in cells for each tap of each dilation, in row order.

    Args:
        size: Side of the square kernel, odd.
        dilations: Cells between neighbouring taps.

    Example:
        >>> tap_displacements(3, [2])[:4]
        [(-2, -2), (-2, 0), (-2, 2), (0, -2)]
    """
    reach = range(-(size // 2), size // 2 + 1)
    return [
        (down * dilation, right * dilation)
        for dilation in dilations
        for down in reach
        for right in reach
    ]
