"""Formulas of the second counter: the operations of a node in a traced graph, for fvcore.

:mod:`mapt_bench.profiling._torch_formulas` has those of the first counter. The two share the names
of operators and no formula. Here the shapes come from the values of the graph.
"""

import math
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from mapt_bench.profiling._operator_registry import known_operators
from mapt_bench.profiling.operator_table import Term

with warnings.catch_warnings():
    # A user of this package cannot change the cause of fvcore's warnings at import.
    warnings.simplefilter("ignore")
    from fvcore.nn.jit_handles import addmm_flop_jit, bmm_flop_jit, conv_flop_jit, linear_flop_jit

__all__ = ["fvcore_handles"]

Values = Sequence[Any]
"""Values of the traced graph (``torch._C.Value``)."""

Handle = Callable[[Values, Values], "Counter[str]"]


def fvcore_handles() -> dict[str, Handle | None]:
    """Return the formula of each operator by name, ``None`` for operators without cost."""
    plain = {"outputs": _numbers_out, "inputs": _numbers_in}
    handles: dict[str, Handle | None] = {}
    for name, row in known_operators().items():
        if not row.formulas:
            handles[name] = None
        elif len(row.formulas) == 1:
            ((term, text),) = row.formulas.items()
            if text in plain:
                handles[name] = plain[text](term)
    handles |= _LAYERS
    return handles | {f"{name}_": handle for name, handle in handles.items()}


def _size(value: Any) -> tuple[int, ...] | None:  # noqa: ANN401 - torch._C.Value
    """Return the shape of a tensor, ``None`` for other values."""
    kind = value.type()
    sizes = kind.sizes() if kind.kind() == "TensorType" else None
    return None if sizes is None else tuple(sizes)


def _shape(value: Any) -> tuple[int, ...]:  # noqa: ANN401
    return _size(value) or ()


def _numel(value: Any) -> int:  # noqa: ANN401
    return math.prod(_shape(value))


def _entries(value: Any) -> list[Any]:  # noqa: ANN401
    """Return the values of a list in the graph."""
    return list(value.node().inputs())


def _numbers(value: Any) -> list[int] | None:  # noqa: ANN401
    """Return the numbers of a list in the graph, ``None`` if there is no list."""
    constant = value.toIValue()
    if constant is None and value.type().kind() == "ListType":
        return [each.toIValue() for each in _entries(value)]
    return constant if constant is None or isinstance(constant, list) else [constant]


def _numbers_out(term: Term, each: int = 1) -> Handle:
    return lambda inputs, outputs: Counter({term: each * _numel(outputs[0])})


def _numbers_in(term: Term) -> Handle:
    return lambda inputs, outputs: Counter({term: _numel(inputs[0])})


def _fvcore(handle: Callable[[Any, Any], Any], bias_at: int | None = None) -> Handle:
    """Return fvcore's count, plus one operation per output if there is a bias."""

    def counted(inputs: Values, outputs: Values) -> "Counter[str]":
        found = handle(list(inputs), list(outputs))
        macs = sum(found.values()) if isinstance(found, Counter) else found
        biased = bias_at is not None and _size(inputs[bias_at]) is not None
        return Counter({Term.MATRIX: int(macs), Term.BIAS: _numel(outputs[0]) if biased else 0})

    return counted


def _convolution_by_name_of_padding(inputs: Values, outputs: Values) -> "Counter[str]":
    weight, numbers = _shape(inputs[1]), _numel(outputs[0])
    biased = _size(inputs[2]) is not None
    return Counter(
        {Term.MATRIX: numbers * math.prod(weight[1:]), Term.BIAS: numbers if biased else 0}
    )


def _convolution_time_first(inputs: Values, outputs: Values) -> "Counter[str]":
    taps, channels, _ = _shape(inputs[1])
    numbers = _numel(outputs[0])
    return Counter({Term.MATRIX: numbers * taps * channels, Term.BIAS: numbers})


def _batched_product_with_bias(inputs: Values, outputs: Values) -> "Counter[str]":
    return _fvcore(bmm_flop_jit)(inputs[1:3], outputs) + Counter({Term.BIAS: _numel(outputs[0])})


def _vector_product_with_bias(inputs: Values, outputs: Values) -> "Counter[str]":
    return Counter({Term.MATRIX: _numel(inputs[1]), Term.BIAS: _numel(outputs[0])})


def _matmul(inputs: Values, outputs: Values) -> "Counter[str]":
    """Count a product of vectors, matrices or broadcast batches of matrices."""
    first, second = map(_shape, inputs)
    # Each output sums over the last axis. The output of two vectors is one number.
    return Counter({Term.MATRIX: _numel(outputs[0]) * first[-1] if second else 0})


def _inner(inputs: Values, outputs: Values) -> "Counter[str]":
    first = _shape(inputs[0])
    return Counter({Term.MATRIX: _numel(outputs[0]) * first[-1]} if first else {})


def _tensordot(inputs: Values, outputs: Values) -> "Counter[str]":
    first, second = map(_shape, inputs[:2])
    summed = math.prod(first[axis] for axis in _numbers(inputs[2]) or [])
    # A number times a tensor is an element-wise product.
    return Counter({Term.MATRIX: _numel(outputs[0]) * summed} if first and second else {})


def _affine_grid(inputs: Values, outputs: Values) -> "Counter[str]":
    *_, rows, columns = _shape(inputs[0])
    points = _numel(outputs[0]) // rows
    return Counter({Term.MATRIX: points * rows * columns})


def _einsum(inputs: Values, outputs: Values) -> "Counter[str]":
    """Count the products of an einsum in the order in which torch forms them.

    A pair of operands that share a summed index is a matrix product. Another pair is multiplied
    element by element. An index of one operand alone is summed before.
    """
    operands, kept = _named_axes(
        inputs[0].toIValue(), [_shape(each) for each in _entries(inputs[1])]
    )
    path = (_numbers(inputs[2]) or []) if len(inputs) > 2 else []
    found: Counter[str] = Counter()
    while len(operands) > 1:
        # Without a path torch goes from left to right.
        at = sorted((path.pop(0), path.pop(0)) if path else (0, 1))
        second, first = operands.pop(at[1]), operands.pop(at[0])
        needed = kept.union(*operands)
        product, term = _pair(first, second, needed)
        found[term] += math.prod(product.values())
        result = {name: size for name, size in product.items() if name in needed}
        operands.insert(len(operands) if path else 0, result)
    return found


def _pair(
    first: dict[str, int], second: dict[str, int], needed: set[str]
) -> tuple[dict[str, int], Term]:
    """Return the axes of a product before its sum, and whether it is a matrix product."""
    summed = (first.keys() & second.keys()) - needed
    axes = {
        name: size for name, size in {**first, **second}.items() if name in needed or name in summed
    }
    return axes, Term.MATRIX if summed else Term.ARITHMETIC


def _named_axes(
    equation: str, shapes: Sequence[tuple[int, ...]]
) -> tuple[list[dict[str, int]], set[str]]:
    """Return the size of each index by operand, and the indices of the result.

    An index of size 1 is broadcast, so it is omitted. The axes of an ellipsis are called by their
    position from the last one.
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    operands, names = [], []
    for word, shape in zip(left.split(","), shapes, strict=True):
        before, dots, after = word.partition("...")
        hidden = len(shape) - len(before) - len(after)
        own = [*before, *(str(each) for each in range(hidden, 0, -1) if dots), *after]
        names += own
        operands.append({name: size for name, size in zip(own, shape, strict=True) if size != 1})
    if not arrow:
        return operands, {name for name in names if name.isdigit() or names.count(name) == 1}
    return operands, {*right.replace("...", ""), *(name for name in names if name.isdigit())}


def _bilinear_layer(inputs: Values, outputs: Values) -> "Counter[str]":
    first, second, weight = map(_shape, inputs[:3])
    rows = math.prod(first[:-1])
    products = rows * math.prod(weight) + rows * weight[0] * second[-1]
    biased = _size(inputs[3]) is not None
    return Counter({Term.MATRIX: products, Term.BIAS: _numel(outputs[0]) if biased else 0})


def _recurrent(gates: int, activations: int) -> Handle:
    """Return the count of a recurrent layer, also of packed sequences."""

    def counted(inputs: Values, outputs: Values) -> "Counter[str]":
        at = max(i for i, value in enumerate(inputs) if value.type().kind() == "ListType")
        weights = [_shape(each) for each in _entries(inputs[at])]
        layers, is_bidirectional = inputs[at + 2].toIValue(), inputs[at + 5].toIValue()
        steps = math.prod(_shape(inputs[0])[:-1])
        units = weights[0][0] // gates * layers * (2 if is_bidirectional else 1)
        matrices = sum(math.prod(shape) for shape in weights if len(shape) == 2)
        biases = sum(math.prod(shape) for shape in weights if len(shape) == 1)
        return Counter(
            {
                Term.MATRIX: steps * matrices,
                Term.BIAS: steps * biases,
                Term.ACTIVATION: steps * units * activations,
            }
        )

    return counted


def _distances(inputs: Values, outputs: Values) -> "Counter[str]":
    first, second = _shape(inputs[0]), _shape(inputs[1])
    pairs = math.prod(_shape(outputs[0])[:-2]) * first[-2] * second[-2]
    term = Term.MATRIX if inputs[2].toIValue() == 2 else Term.ARITHMETIC
    return Counter({term: pairs * second[-1]})


def _distances_within(inputs: Values, outputs: Values) -> "Counter[str]":
    points, dimensions = _shape(inputs[0])
    term = Term.MATRIX if inputs[1].toIValue() == 2 else Term.ARITHMETIC
    return Counter({term: points * (points - 1) // 2 * dimensions})


def _norm(weight_at: int) -> Handle:
    def counted(inputs: Values, outputs: Values) -> "Counter[str]":
        scaled = _size(inputs[weight_at]) is not None
        return Counter({Term.NORM: _numel(inputs[0]) * (2 if scaled else 1)})

    return counted


def _attention(inputs: Values, outputs: Values) -> "Counter[str]":
    query, key, value = map(_shape, inputs[:3])
    pairs = math.prod(query[:-1]) * key[-2]
    return Counter({Term.MATRIX: pairs * (query[-1] + value[-1])})


def _deformable(inputs: Values, outputs: Values) -> "Counter[str]":
    x, weight = inputs[0], _shape(inputs[1])
    _, per_group, kernel_height, kernel_width = weight
    taps = kernel_height * kernel_width
    # Every output reads the channels of its group at every tap.
    products = _numel(outputs[0]) * per_group * taps
    # Every channel is read once per tap and position, from four neighbours.
    batch, _, height, width = _shape(outputs[0])
    reads = batch * height * width * _shape(x)[1] * taps
    modulated = inputs[13].toIValue()
    return Counter(
        {
            Term.MATRIX: products,
            Term.SAMPLING: reads * (5 if modulated else 4),
        }
    )


def _correlation(inputs: Values, outputs: Values) -> "Counter[str]":
    batch, channels, height, width = _shape(inputs[0])
    reach, stride = inputs[2].toIValue(), inputs[3].toIValue()
    displacements = (2 * reach // stride + 1) ** 2
    return Counter({Term.CORRELATION: batch * displacements * channels * height * width})


def _grid_sampling(inputs: Values, outputs: Values) -> "Counter[str]":
    kind, is_volume = inputs[2].toIValue(), len(_shape(inputs[0])) == 5
    neighbours = {0: 8 if is_volume else 4, 1: 0, 2: 16}[kind]
    return Counter({Term.SAMPLING: neighbours * _numel(outputs[0])})


def _roi_align(inputs: Values, outputs: Values) -> "Counter[str]":
    samples = inputs[5].toIValue()
    samples = samples if samples > 0 else 2
    rows, columns = inputs[3].toIValue(), inputs[4].toIValue()
    boxes, channels = _shape(inputs[1])[0], _shape(inputs[0])[1]
    return Counter({Term.SAMPLING: boxes * channels * rows * columns * samples * samples * 4})


def _roi_align_by_position(inputs: Values, outputs: Values) -> "Counter[str]":
    # Each cell reads its own channels, so a box reads every channel once.
    samples = inputs[5].toIValue()
    samples = samples if samples > 0 else 2
    boxes, channels = _shape(inputs[1])[0], _shape(inputs[0])[1]
    return Counter({Term.SAMPLING: boxes * channels * samples * samples * 4})


def _upsampling(axes: int, neighbours: int) -> Handle:
    def counted(inputs: Values, outputs: Values) -> "Counter[str]":
        numbers = _numel(outputs[0])
        return Counter({Term.INTERPOLATION: neighbours**axes * numbers, Term.UPSAMPLED: numbers})

    return counted


def _antialiasing(reach: int) -> Handle:
    def counted(inputs: Values, outputs: Values) -> "Counter[str]":
        *lead, rows, columns = _shape(inputs[0])
        *_, new_rows, new_columns = _shape(outputs[0])
        images = math.prod(lead)
        across = images * rows * new_columns * _taps(reach, columns, new_columns)
        down = images * new_rows * new_columns * _taps(reach, rows, new_rows)
        return Counter({Term.INTERPOLATION: across + down, Term.UPSAMPLED: _numel(outputs[0])})

    return counted


def _taps(reach: int, before: int, after: int) -> int:
    """Return the number of taps of a kernel that is widened if the size is reduced."""
    widened = reach * before / after if before > after else reach
    return 2 * math.ceil(widened) + 1


def _fourier(inputs: Values, outputs: Values) -> "Counter[str]":
    return _signals_out(inputs, outputs, is_half=False)


def _fourier_of_one_axis(inputs: Values, outputs: Values) -> "Counter[str]":
    # For several axes, torch makes a real input complex first.
    return _signals_out(inputs, outputs, is_half=not _is_complex(inputs[0]))


def _fourier_to_real(inputs: Values, outputs: Values) -> "Counter[str]":
    return _signals_out(inputs, outputs, is_half=True)


def _signals_out(inputs: Values, outputs: Values, *, is_half: bool) -> "Counter[str]":
    shape = _shape(outputs[0])
    lengths = [shape[axis] for axis in _fourier_axes(inputs, len(shape))]
    return _butterflies(math.prod(shape), math.prod(lengths), is_half=is_half)


def _fourier_from_real(inputs: Values, outputs: Values) -> "Counter[str]":
    shape = list(_shape(inputs[0]))
    axes = _fourier_axes(inputs, len(shape))
    for axis, length in zip(axes, _numbers(inputs[1]) or [], strict=False):
        shape[axis] = length  # the signal is cut or padded to this length
    lengths = [shape[axis] for axis in axes]
    return _butterflies(math.prod(shape), math.prod(lengths), is_half=True)


def _fourier_axes(inputs: Values, dimensions: int) -> list[int]:
    axes, lengths = _numbers(inputs[2]), _numbers(inputs[1])
    if axes is None:
        axes = list(range(-len(lengths) if lengths else -dimensions, 0))
    return axes


def _spectrogram(inputs: Values, outputs: Values) -> "Counter[str]":
    signal, length = _shape(inputs[0]), inputs[1].toIValue()
    shape = _shape(outputs[0])
    frames = shape[-1] if _is_complex(outputs[0]) else shape[-2]
    numbers = math.prod(signal[:-1]) * frames * length
    return _butterflies(numbers, length, is_half=not _is_complex(inputs[0]))


def _signal_of_spectrogram(inputs: Values, outputs: Values) -> "Counter[str]":
    *batch, _, frames = _shape(inputs[0])
    length = inputs[1].toIValue()
    return _butterflies(math.prod(batch) * frames * length, length, is_half=True)


def _is_complex(value: Any) -> bool:  # noqa: ANN401
    return "Complex" in str(value.type().scalarType())


def _butterflies(numbers: int, length: int, *, is_half: bool) -> "Counter[str]":
    macs = round(5 * numbers * math.log2(length) / 2) if length else 0
    return Counter({Term.FOURIER: macs // 2 if is_half else macs})


def _aten(names: str, handle: Handle) -> dict[str, Handle | None]:
    return {f"aten::{name}": handle for name in names.split()}


_LAYERS: dict[str, Handle | None] = {
    "aten::_convolution": _fvcore(conv_flop_jit, 2),
    "aten::_convolution_mode": _convolution_by_name_of_padding,
    "aten::conv_tbc": _convolution_time_first,
    "aten::linear": _fvcore(linear_flop_jit, 2),
    "aten::addmm": _fvcore(addmm_flop_jit, 0),
    "aten::bmm": _fvcore(bmm_flop_jit),
    "aten::addmv": _vector_product_with_bias,
    **_aten("addbmm baddbmm", _batched_product_with_bias),
    **_aten("dot _int_mm matmul mm mv vdot", _matmul),
    "aten::inner": _inner,
    "aten::tensordot": _tensordot,
    "aten::einsum": _einsum,
    "aten::affine_grid_generator": _affine_grid,
    "aten::bilinear": _bilinear_layer,
    "aten::lstm": _recurrent(4, 5),
    "aten::gru": _recurrent(3, 3),
    **_aten("rnn_relu rnn_tanh", _recurrent(1, 1)),
    "aten::cdist": _distances,
    "aten::pdist": _distances_within,
    "aten::scaled_dot_product_attention": _attention,
    "torchvision::deform_conv2d": _deformable,
    "torchvision::roi_align": _roi_align,
    "torchvision::ps_roi_align": _roi_align_by_position,
    "mapt_bench::correlation": _correlation,
    "aten::grid_sampler": _grid_sampling,
    "aten::upsample_linear1d": _upsampling(1, 2),
    "aten::upsample_bilinear2d": _upsampling(2, 2),
    "aten::upsample_trilinear3d": _upsampling(3, 2),
    "aten::upsample_bicubic2d": _upsampling(2, 4),
    "aten::_upsample_bilinear2d_aa": _antialiasing(1),
    "aten::_upsample_bicubic2d_aa": _antialiasing(2),
    **_aten(
        "upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d"
        " _upsample_nearest_exact2d _upsample_nearest_exact3d",
        _numbers_out(Term.UPSAMPLED),
    ),
    **_aten("fft_fft2 fft_fftn fft_ifft2 fft_ifftn", _fourier),
    **_aten("fft_fft fft_ifft", _fourier_of_one_axis),
    **_aten("fft_ihfft fft_rfft fft_rfft2 fft_rfftn", _fourier_from_real),
    **_aten("fft_hfft fft_irfft fft_irfft2 fft_irfftn", _fourier_to_real),
    "aten::stft": _spectrogram,
    "aten::istft": _signal_of_spectrogram,
    **_aten("batch_norm instance_norm", _norm(1)),
    **_aten("group_norm layer_norm rms_norm", _norm(2)),
}
