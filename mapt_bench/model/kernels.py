"""Loops that a training on a CPU spends its time in, compiled where there is a C++ compiler.

torch's operators for group norm, deformable convolution and RoIAlign are slow backwards on a CPU,
most of all where channels are innermost in memory, which is what makes convolutions in bfloat16
fast. ``kernels.cpp`` has the same functions for that layout alone. It is compiled once, when a
training first wants it, and kept in the user's cache. Nothing depends on it: without a compiler, on
any other device, and wherever no gradient is wanted, torch's operators run.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

from mapt_bench.model.native import call, library

__all__ = [
    "are_there",
    "crowd_shares",
    "deform",
    "depthwise",
    "is_suited",
    "match_boxes",
    "norm_activation",
    "pool_regions",
    "pooled_masks",
    "shrunk_masks",
]

LANES = 16
"""Channels that ``kernels.cpp`` computes together where it says so."""

_NAMES = {torch.float32: "float", torch.bfloat16: "half"}


def are_there(device: torch.device) -> bool:
    """Return whether there are kernels for a device."""
    return device.type == "cpu" and library() is not None


def is_suited(*tensors: Tensor) -> bool:
    """Return whether the kernels can and should compute with these.

    They should where gradients are wanted: inference keeps to torch's operators, so that its
    results do not depend on a compiler. ``MAPT_BENCH_KERNELS=off`` in the environment says never.
    """
    return (
        torch.is_grad_enabled()
        and all(each.device.type == "cpu" and each.dtype in _NAMES for each in tensors)
        and any(each.requires_grad for each in tensors)
        and library() is not None
    )


def norm_activation(
    x: Tensor, weight: Tensor, bias: Tensor, *, groups: int, epsilon: float, slope: float
) -> Tensor:
    """Return the group norm of maps, and of that a LeakyReLU.

    Args:
        x: Shape ``(batch, channels, height, width)``, ``float32`` or ``bfloat16``; channels are a
            multiple of 16.
        weight: ``float32`` of shape ``(channels,)``.
        bias: The same.
        groups: Into which channels are parted.
        epsilon: Added to the variance.
        slope: Of the LeakyReLU; 1 for none.

    Returns:
        The shape and type of ``x``, channels innermost in memory.
    """
    if x.shape[1] % LANES:
        raise ValueError(f"{x.shape[1]} channels are no multiple of {LANES}")
    result: Tensor = _Norm.apply(x, weight, bias, groups, epsilon, slope)
    return result


def depthwise(x: Tensor, kernels: Tensor, dilation: tuple[int, int]) -> Tensor:
    """Return 3x3 convolutions of each channel by itself, stride 1, as wide as the input.

    Args:
        x: Shape ``(batch, channels, height, width)``, channels a multiple of 16.
        kernels: ``float32`` of shape ``(channels, 1, 3, 3)``.
        dilation: Cells between taps, down and right.

    Returns:
        The shape and type of ``x``, channels innermost in memory.
    """
    result: Tensor = _Depthwise.apply(x, kernels, dilation)
    return result


def deform(
    x: Tensor,
    offsets: Tensor,
    kernels: Tensor,
    gate: Tensor,
    dilations: Sequence[int],
    used: Sequence[int] | None = None,
) -> Tensor:
    """Return gated deformable convolutions with a kernel a channel, see ``deform.py``.

    Args:
        x: Shape ``(batch, channels, height, width)``, ``float32`` as all others.
        offsets: Shape ``(batch, dilations, 9, 2, height, width)``, in cells, ``(dy, dx)``.
        kernels: Shape ``(dilations, 9, channels)``.
        gate: Shape ``(batch, dilations, height, width)``.
        dilations: Cells between neighbouring taps.
        used: Channels of each image that are not 0 everywhere, those before the others; all if
            not given.

    Returns:
        The shape of ``x``, channels innermost in memory.
    """
    channels = x.shape[1]
    missing = -channels % LANES
    if missing:
        x = functional.pad(x, (0, 0, 0, 0, 0, missing))
        kernels = functional.pad(kernels, (0, missing))
    counts = tuple([channels] * len(x) if used is None else used)
    result: Tensor = _Deform.apply(x, offsets, kernels, gate, tuple(dilations), counts)
    return result[:, :channels]


def pool_regions(levels: Sequence[Tensor], regions: Tensor, *, side: int, samples: int) -> Tensor:
    """Return RoIAlign of regions of a pyramid.

    Args:
        levels: Maps of shape ``(batch, channels, height, width)``, finest first, of one type.
        regions: ``float32`` of shape ``(n, 6)``: image, level, left, top, width and height in
            cells of the level; sorted by image and level.
        side: Cells to a side of what is returned.
        samples: Points to a side of each cell.

    Returns:
        Shape ``(n, channels, side, side)``, channels innermost in memory.
    """
    result: Tensor = _Pool.apply(regions, side, samples, *levels)
    return result


def match_boxes(boxes: Tensor, sides: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Find the box that each anchor overlaps most.

    Args:
        boxes: ``float32`` of shape ``(m, 4)``: left, top, right, bottom.
        sides: Of anchors, ``float32`` of shape ``(4, n)``: all their left sides, tops and so on.

    Returns:
        Of each anchor the greatest overlap (intersection over union), ``float32``; the box,
        ``int64``, 0 where none is overlapped; and whether it overlaps some box as much as any
        anchor does, ``bool``.
    """
    sides, boxes = sides.float().contiguous(), boxes.float().contiguous()
    count = sides.shape[1]
    best = sides.new_zeros(count)
    index = torch.zeros(count, dtype=torch.int32)
    is_own = torch.zeros(count, dtype=torch.uint8)
    settings = _Anchors(count, *(side.data_ptr() for side in sides))
    call("match", settings, boxes, ctypes.c_int64(len(boxes)), best, index, is_own)
    return best, index.long(), is_own.bool()


def shrunk_masks(masks: Tensor, stride: int, grid: tuple[int, int]) -> Tensor:
    """Return the means of masks over square cells.

    Args:
        masks: ``bool`` of shape ``(n, height, width)``.
        stride: Side of a cell.
        grid: Rows and columns of cells; 0 beyond the masks.

    Returns:
        ``float32`` of shape ``(n, rows, columns)``.
    """
    masks = masks.contiguous()
    means = torch.empty(len(masks), *grid)
    numbers = (ctypes.c_int64(each) for each in (*masks.shape, stride, *grid))
    call("shrink", masks, *numbers, means)
    return means


def pooled_masks(masks: Tensor, boxes: Tensor, whose: Tensor, side: int) -> Tensor:
    """Return masks as they lie in boxes, as ``project_masks_on_boxes`` of torchvision does.

    Args:
        masks: ``bool`` of shape ``(m, height, width)``.
        boxes: ``float32`` of shape ``(n, 4)``: left, top, right, bottom.
        whose: Which mask lies in each box, ``int64`` of shape ``(n,)``.
        side: Cells to a side of what is returned.

    Returns:
        ``float32`` of shape ``(n, side, side)``.
    """
    masks, boxes, whose = masks.contiguous(), boxes.float().contiguous(), whose.contiguous()
    pooled = torch.empty(len(boxes), side, side)
    height, width, count, cells = (
        ctypes.c_int64(each) for each in (*masks.shape[1:], len(boxes), side)
    )
    call("pool_masks", masks, height, width, boxes, whose, count, cells, pooled)
    return pooled


def crowd_shares(crowd: Tensor, corners: Tensor) -> Tensor:
    """Return the share of crowd in boxes of whole pixels.

    Args:
        crowd: ``bool`` of shape ``(height, width)``.
        corners: ``int32`` of shape ``(n, 4)``: left, top, right, bottom, inside the map.

    Returns:
        ``float32`` of shape ``(n,)``.
    """
    crowd, corners = crowd.contiguous(), corners.int().contiguous()
    shares = torch.empty(len(corners))
    numbers = (ctypes.c_int64(each) for each in crowd.shape)
    call("crowd", crowd, *numbers, corners, ctypes.c_int64(len(corners)), shares)
    return shares


class _NormSettings(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("images", "cells", "channels", "groups")),
        *((name, ctypes.c_void_p) for name in ("weight", "bias")),
        *((name, ctypes.c_float) for name in ("epsilon", "slope")),
    )


class _Norm(Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        groups: int,
        epsilon: float,
        slope: float,
    ) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        weight, bias = weight.float().contiguous(), bias.float().contiguous()
        settings = (groups, epsilon, slope)
        y = torch.empty_like(x)
        mean, inverse = x.new_empty(2, len(x), groups, dtype=torch.float32)
        call(
            f"norm_forward_{_NAMES[x.dtype]}",
            _norm_settings(x, weight, bias, *settings),
            x,
            y,
            mean,
            inverse,
        )
        ctx.save_for_backward(x, weight, bias, mean, inverse)
        ctx.settings = settings
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, up: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weight, bias, mean, inverse = ctx.saved_tensors
        up = up.to(x.dtype).contiguous(memory_format=torch.channels_last)
        dx = torch.empty_like(x)
        dweight, dbias = torch.zeros_like(weight), torch.zeros_like(bias)
        settings = _norm_settings(x, weight, bias, *ctx.settings)
        name = f"norm_backward_{_NAMES[x.dtype]}"
        call(name, settings, x, up, mean, inverse, dx, dweight, dbias)
        return dx, dweight, dbias, None, None, None


def _norm_settings(
    x: Tensor, weight: Tensor, bias: Tensor, groups: int, epsilon: float, slope: float
) -> _NormSettings:
    images, channels, rows, columns = x.shape
    return _NormSettings(
        images, rows * columns, channels, groups, weight.data_ptr(), bias.data_ptr(), epsilon, slope
    )


class _DepthwiseSettings(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in ("images", "rows", "columns", "channels", "down", "right")
    )


class _Depthwise(Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        x: Tensor,
        kernels: Tensor,
        dilation: tuple[int, int],
    ) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        by_tap = kernels.float().flatten(1).t().contiguous()
        images, channels, rows, columns = x.shape
        ctx.settings = _DepthwiseSettings(images, rows, columns, channels, *dilation)
        y = torch.empty_like(x)
        call(f"depthwise_forward_{_NAMES[x.dtype]}", ctx.settings, x, by_tap, y)
        ctx.save_for_backward(x, by_tap)
        ctx.shape = kernels.shape
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, up: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, by_tap = ctx.saved_tensors
        up = up.to(x.dtype).contiguous(memory_format=torch.channels_last)
        dx, dkernels = torch.empty_like(x), torch.zeros_like(by_tap)
        name = _NAMES[x.dtype]
        call(f"depthwise_forward_{name}", ctx.settings, up, by_tap.flip(0).contiguous(), dx)
        call(f"depthwise_backward_{name}", ctx.settings, x, up, dkernels)
        return dx, dkernels.t().reshape(ctx.shape), None


class _DeformSettings(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("images", "rows", "columns", "channels", "levels")),
        *((name, ctypes.c_void_p) for name in ("dilations", "used")),
        *((name, ctypes.c_void_p) for name in ("x", "offsets", "kernels", "gate")),
    )


class _Deform(Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        x: Tensor,
        offsets: Tensor,
        kernels: Tensor,
        gate: Tensor,
        dilations: tuple[int, ...],
        used: tuple[int, ...],
    ) -> Tensor:
        x = x.float().contiguous(memory_format=torch.channels_last)
        offsets, kernels, gate = (each.float().contiguous() for each in (offsets, kernels, gate))
        y = torch.zeros_like(x)
        numbers = _whole(dilations), _whole(used)
        call("deform_forward", _deform_settings(x, offsets, kernels, gate, *numbers), y)
        ctx.save_for_backward(x, offsets, kernels, gate)
        ctx.numbers = numbers
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, up: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, offsets, kernels, gate = ctx.saved_tensors
        up = up.contiguous(memory_format=torch.channels_last)
        dx, dkernels = torch.zeros_like(x), torch.zeros_like(kernels)
        doffsets, dgate = torch.zeros_like(offsets), torch.zeros_like(gate)
        settings = _deform_settings(x, offsets, kernels, gate, *ctx.numbers)
        call("deform_backward", settings, up, dx, doffsets, dkernels, dgate)
        return dx, doffsets, dkernels, dgate, None, None


def _deform_settings(
    x: Tensor,
    offsets: Tensor,
    kernels: Tensor,
    gate: Tensor,
    spacing: Any,  # noqa: ANN401
    used: Any,  # noqa: ANN401
) -> _DeformSettings:
    images, channels, rows, columns = x.shape
    places = (each.data_ptr() for each in (x, offsets, kernels, gate))
    numbers = ctypes.addressof(spacing), ctypes.addressof(used)
    return _DeformSettings(images, rows, columns, channels, len(spacing), *numbers, *places)


def _whole(numbers: Sequence[int]) -> Any:  # noqa: ANN401  # an array of C
    return (ctypes.c_int64 * len(numbers))(*numbers)


class _PoolSettings(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("regions", "side", "samples", "channels")),
        *((name, ctypes.c_void_p) for name in ("region", "rows", "columns")),
    )


class _Pool(Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        regions: Tensor,
        side: int,
        samples: int,
        *levels: Tensor,
    ) -> Tensor:
        maps = [level.contiguous(memory_format=torch.channels_last) for level in levels]
        channels = maps[0].shape[1]
        pooled = torch.empty(
            (len(regions), channels, side, side),
            dtype=maps[0].dtype,
            memory_format=torch.channels_last,
        )
        ctx.shapes = [level.shape for level in maps]
        ctx.side, ctx.samples, ctx.dtype = side, samples, maps[0].dtype
        ctx.save_for_backward(regions)
        settings, _kept = _pool_settings(regions, side, samples, ctx.shapes)
        call(f"pool_forward_{_NAMES[ctx.dtype]}", settings, _places(maps), pooled)
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, up: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        (regions,) = ctx.saved_tensors
        up = up.to(ctx.dtype).contiguous(memory_format=torch.channels_last)
        maps = [
            torch.empty(shape, dtype=ctx.dtype, memory_format=torch.channels_last).zero_()
            for shape in ctx.shapes
        ]
        settings, _kept = _pool_settings(regions, ctx.side, ctx.samples, ctx.shapes)
        call(f"pool_backward_{_NAMES[ctx.dtype]}", settings, up, _places(maps))
        return None, None, None, *maps


def _pool_settings(
    regions: Tensor, side: int, samples: int, shapes: Sequence[torch.Size]
) -> tuple[_PoolSettings, object]:
    """Return the settings, and what must not be freed before they have been used."""
    rows, columns = (_whole([shape[axis] for shape in shapes]) for axis in (2, 3))
    sizes = (ctypes.addressof(rows), ctypes.addressof(columns))
    settings = _PoolSettings(len(regions), side, samples, shapes[0][1], regions.data_ptr(), *sizes)
    return settings, (rows, columns)


class _Anchors(ctypes.Structure):
    _fields_ = (
        ("count", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("left", "top", "right", "bottom")),
    )


def _places(maps: Sequence[Tensor]) -> Any:  # noqa: ANN401
    return (ctypes.c_void_p * len(maps))(*(each.data_ptr() for each in maps))
