"""Formulas of the first counter: the operations of an operator, from shapes and arguments.

:mod:`mapt_bench.profiling._fvcore_counter` has its own. Here a formula takes the arguments of the
operator, with shapes instead of tensors, and the shape of the output.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch.utils.flop_counter import conv_flop_count

from mapt_bench.profiling._operator_registry import known_operators
from mapt_bench.profiling.operator_table import Term, Work

__all__ = ["torch_formulas"]

Shape = Sequence[int]
Formula = Callable[..., Work]


@lru_cache(maxsize=1)
def torch_formulas() -> Mapping[Any, Formula]:
    """Return the formula of each operator and of its overloads, for torch's counter."""
    mapping: dict[Any, Formula] = {}
    for name, formula in _by_name().items():
        for form in (name, f"{name}_"):
            packet = _packet(form)
            if packet is not None:
                mapping[packet] = formula
                # The counter decomposes operators without an entry for their overload.
                mapping |= {getattr(packet, each): formula for each in packet.overloads()}
    return mapping


def _by_name() -> dict[str, Formula]:
    """Return the formulas by plain name: those below, and one per output or input."""
    plain = {"outputs": _outputs, "inputs": _inputs}
    found: dict[str, Formula] = {}
    for name, row in known_operators().items():
        if len(row.formulas) == 1:
            ((term, text),) = row.formulas.items()
            if text in plain:
                found[name] = plain[text](term)
    return {**found, **_FORMULAS}


def _packet(name: str) -> Any:  # noqa: ANN401 - torch has no public type for it
    space, _, operator = name.partition("::")
    return getattr(getattr(torch.ops, space), operator, None)


def _outputs(term: Term, each: int = 1) -> Formula:
    def formula(*_: object, out_shape: Any, **__: object) -> Work:  # noqa: ANN401
        return Work({term: each * math.prod(_first(out_shape))})

    return formula


def _inputs(term: Term) -> Formula:
    def formula(x: Shape, *_: object, **__: object) -> Work:
        return Work({term: math.prod(x) if isinstance(x, torch.Size) else 1})

    return formula


def _first(shape: Any) -> Shape:  # noqa: ANN401 - a shape, those of several outputs, or a number
    if isinstance(shape, torch.Size):
        return shape
    return _first(shape[0]) if isinstance(shape, (tuple, list)) and shape else ()


def _bias(bias: Shape | None, out: Shape) -> int:
    return 0 if bias is None else math.prod(out)


def _convolution(
    x: Shape,
    weight: Shape,
    bias: Shape | None,
    stride: object,
    padding: object,
    dilation: object,
    transposed: bool = False,
    *_: object,
    out_shape: Shape,
) -> Work:
    macs = conv_flop_count(list(x), list(weight), list(out_shape), transposed=transposed) // 2
    return Work({Term.MATRIX: macs, Term.BIAS: _bias(bias, out_shape)})


def _convolution_time_first(
    x: Shape, weight: Shape, bias: Shape, *_: object, out_shape: Shape
) -> Work:
    steps, batch, _channels = out_shape
    return Work({Term.MATRIX: steps * batch * math.prod(weight), Term.BIAS: math.prod(out_shape)})


def _linear(x: Shape, weight: Shape, bias: Shape | None = None, *, out_shape: Shape) -> Work:
    macs = math.prod(x) * weight[0]
    return Work({Term.MATRIX: macs, Term.BIAS: _bias(bias, out_shape)})


def _product(first: Shape, second: Shape, *_: object, **__: object) -> Work:
    """Count a product of a matrix or vector with a matrix or vector."""
    columns = second[-1] if len(second) > 1 else 1
    return Work({Term.MATRIX: math.prod(first) * columns})


def _product_with_bias(
    bias: Shape, first: Shape, second: Shape, *_: object, out_shape: Shape, **__: object
) -> Work:
    return _product(first, second) + Work({Term.BIAS: math.prod(out_shape)})


def _affine_grid(theta: Shape, *_: object, out_shape: Shape, **__: object) -> Work:
    # Every point (x, y, 1) or (x, y, z, 1) is multiplied by the matrix.
    return Work({Term.MATRIX: math.prod(out_shape) * theta[-1]})


def _bilinear_layer(
    first: Shape, second: Shape, weight: Shape, bias: Shape | None = None, *, out_shape: Shape
) -> Work:
    _, width, other = weight
    macs = math.prod(out_shape) * (width * other + other)
    return Work({Term.MATRIX: macs, Term.BIAS: _bias(bias, out_shape)})


def _trilinear(
    first: Shape,
    second: Shape,
    third: Shape,
    *expanded: Sequence[int],
    out_shape: Shape,
    **_: object,
) -> Work:
    """Count the product of two tensors, summed where the third is expanded, and the second one."""
    summed, shapes = expanded[3], [first, second, third]
    full = [_with_ones(shape, at) for shape, at in zip(shapes, expanded[:3], strict=True)]
    inside = [max(sizes) for sizes in zip(*full[:2], strict=True)]
    left = [
        1 if axis in summed and axis in expanded[2] else size for axis, size in enumerate(inside)
    ]
    outside = [max(sizes) for sizes in zip(left, full[2], strict=True)]
    return Work({Term.MATRIX: math.prod(inside) + math.prod(outside)})


def _with_ones(shape: Shape, at: Sequence[int]) -> list[int]:
    sizes = iter(shape)
    return [1 if axis in at else next(sizes) for axis in range(len(shape) + len(at))]


def _lstm_of_onednn(
    x: Shape,
    first: Shape,
    second: Shape,
    *rest: Any,  # noqa: ANN401 - all other arguments in order
    out_shape: Any,  # noqa: ANN401 - those of four outputs
) -> Work:
    """Count one layer of an LSTM in one direction."""
    has_biases = rest[9]
    steps = math.prod(x[:-1])
    return Work(
        {
            Term.MATRIX: steps * (math.prod(first) + math.prod(second)),
            Term.BIAS: 2 * steps * first[0] if has_biases else 0,
            Term.ACTIVATION: 5 * math.prod(_first(out_shape)),
        }
    )


def _distances(
    first: Shape, second: Shape, power: float = 2.0, *_: object, out_shape: Shape
) -> Work:
    term = Term.MATRIX if power == 2 else Term.ARITHMETIC
    return Work({term: math.prod(out_shape) * first[-1]})


def _distances_within(x: Shape, power: float = 2.0, *_: object, out_shape: Shape) -> Work:
    return _distances(x, x, power, out_shape=out_shape)


def _attention(
    query: Shape,
    key: Shape,
    value: Shape,
    *_: object,
    out_shape: Any,  # noqa: ANN401 - one output, or several of a fused operator
    **__: object,
) -> Work:
    rows = math.prod(_first(out_shape)[:-1])  # every query of every head
    return Work({Term.MATRIX: rows * key[-2] * (query[-1] + value[-1])})


def _deformable(
    x: Shape,
    weight: Shape,
    offset: Shape,
    mask: Shape,
    bias: Shape | None,
    *rest: Any,  # noqa: ANN401 - strides, paddings, groups and, last, whether the mask is used
    out_shape: Shape,
) -> Work:
    batch, out_channels, height, width = out_shape
    positions = batch * height * width
    taps = math.prod(weight[2:])
    reads = 5 if rest[-1] else 4
    return Work(
        {
            Term.MATRIX: positions * out_channels * weight[1] * taps,
            Term.SAMPLING: positions * x[1] * taps * reads,
        }
    )


def _correlation(first: Shape, second: Shape, *_: object, out_shape: Shape, **__: object) -> Work:
    return Work({Term.CORRELATION: first[1] * math.prod(out_shape)})


def _grid_sampling(
    x: Shape, grid: Shape, interpolation: int = 0, *_: object, out_shape: Shape, **__: object
) -> Work:
    corners: int = 2 ** (len(x) - 2)
    weights = (corners, 0, 16)[interpolation]  # linear, nearest, bicubic
    return Work({Term.SAMPLING: weights * math.prod(out_shape)})


def _roi_align(
    x: Shape,
    boxes: Shape,
    scale: float,
    height: int,
    width: int,
    sampling_ratio: int,
    *_: object,
    out_shape: Any,  # noqa: ANN401 - one output, or two for the position-sensitive operator
) -> Work:
    samples = sampling_ratio if sampling_ratio > 0 else 2
    return Work({Term.SAMPLING: 4 * samples**2 * math.prod(_first(out_shape))})


def _upsampling(weights: int) -> Formula:
    def formula(*_: object, out_shape: Shape, **__: object) -> Work:
        numbers = math.prod(out_shape)
        return Work({Term.INTERPOLATION: weights * numbers, Term.UPSAMPLED: numbers})

    return formula


def _antialiasing(reach: int) -> Formula:
    """Count a resize whose kernel grows with the reduction. Its reach at equal size is given."""

    def formula(x: Shape, *_: object, out_shape: Shape, **__: object) -> Work:
        taps = [
            2 * math.ceil(reach * max(1, before / after)) + 1
            for before, after in zip(x[-2:], out_shape[-2:], strict=True)
        ]
        numbers = math.prod(out_shape)
        along_rows = math.prod(x[:-1]) * out_shape[-1] * taps[1]
        return Work({Term.INTERPOLATION: along_rows + numbers * taps[0], Term.UPSAMPLED: numbers})

    return formula


def _fourier(x: Shape, axes: Sequence[int], *_: object, out_shape: Shape, **__: object) -> Work:
    return Work({Term.FOURIER: _butterflies(x, axes)})


def _fourier_from_real(
    x: Shape, axes: Sequence[int], *_: object, out_shape: Shape, **__: object
) -> Work:
    return Work({Term.FOURIER: _butterflies(x, axes) // 2})


def _fourier_to_real(
    x: Shape, axes: Sequence[int], *_: object, out_shape: Shape, **__: object
) -> Work:
    return Work({Term.FOURIER: _butterflies(out_shape, axes) // 2})


def _butterflies(shape: Shape, axes: Sequence[int]) -> int:
    length = math.prod(shape[axis] for axis in axes)
    return round(2.5 * math.prod(shape) * math.log2(length)) if length else 0


def _norm(weight_at: int) -> Formula:
    def formula(*args: Any, out_shape: Any, **kwargs: Any) -> Work:  # noqa: ANN401
        weight = args[weight_at] if len(args) > weight_at else kwargs.get("weight")
        return Work({Term.NORM: math.prod(_first(out_shape)) * (1 if weight is None else 2)})

    return formula


def _aten(names: str, formula: Formula) -> dict[str, Formula]:
    return {f"aten::{name}": formula for name in names.split()}


_FORMULAS: dict[str, Formula] = {
    **_aten(
        "_convolution convolution convolution_overrideable cudnn_convolution _slow_conv2d_forward",
        _convolution,
    ),
    "aten::conv_tbc": _convolution_time_first,
    "aten::linear": _linear,
    **_aten("dot _int_mm mv vdot", _product),
    **_aten("addbmm addmm addmv baddbmm", _product_with_bias),
    "aten::affine_grid_generator": _affine_grid,
    "aten::bilinear": _bilinear_layer,
    "aten::_trilinear": _trilinear,
    "aten::mkldnn_rnn_layer": _lstm_of_onednn,
    **_aten("cdist _cdist_forward _euclidean_dist", _distances),
    **_aten("pdist _pdist_forward", _distances_within),
    **_aten(
        "scaled_dot_product_attention _scaled_dot_product_attention_math"
        " _scaled_dot_product_cudnn_attention _scaled_dot_product_efficient_attention"
        " _scaled_dot_product_flash_attention _scaled_dot_product_flash_attention_for_cpu",
        _attention,
    ),
    "torchvision::deform_conv2d": _deformable,
    "torchvision::roi_align": _roi_align,
    "torchvision::ps_roi_align": _roi_align,
    "mapt_bench::correlation": _correlation,
    **_aten("grid_sampler grid_sampler_2d grid_sampler_3d", _grid_sampling),
    "aten::upsample_linear1d": _upsampling(2),
    "aten::upsample_bilinear2d": _upsampling(4),
    "aten::upsample_trilinear3d": _upsampling(8),
    "aten::upsample_bicubic2d": _upsampling(16),
    "aten::_upsample_bilinear2d_aa": _antialiasing(1),
    "aten::_upsample_bicubic2d_aa": _antialiasing(2),
    **_aten(
        "upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d"
        " _upsample_nearest_exact2d _upsample_nearest_exact3d",
        _outputs(Term.UPSAMPLED),
    ),
    "aten::_fft_c2c": _fourier,
    "aten::_fft_r2c": _fourier_from_real,
    "aten::_fft_c2r": _fourier_to_real,
    **_aten(
        "_batch_norm_impl_index _batch_norm_no_update _batch_norm_with_update"
        " _batch_norm_with_update_functional batch_norm cudnn_batch_norm instance_norm"
        " native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_functional"
        " _native_batch_norm_legit_no_training native_group_norm",
        _norm(1),
    ),
    **_aten("_fused_rms_norm group_norm layer_norm native_layer_norm rms_norm", _norm(2)),
}
