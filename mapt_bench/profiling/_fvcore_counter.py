"""Second counter: fvcore's ``FlopCountAnalysis`` on a traced graph, with separate formulas.

It shares the operator names with the first counter, but no formula. Shapes come from the values of
the graph, and fvcore itself counts convolutions and matrix products. Tracing needs a real device
and real values.
"""

import logging
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mapt_bench.profiling.operator_table import (
    ACTIVATIONS,
    DATA_MOVEMENT,
    ELEMENTWISE,
    POOLING_OPERATORS,
    REDUCTIONS,
    WHOLE,
    Term,
    Work,
    plain_name,
)

with warnings.catch_warnings():
    # A user of this package cannot change the cause of fvcore's warnings at import.
    warnings.simplefilter("ignore")
    from fvcore.nn import FlopCountAnalysis
    from fvcore.nn.jit_handles import (
        addmm_flop_jit,
        bmm_flop_jit,
        conv_flop_jit,
        einsum_flop_jit,
        linear_flop_jit,
        matmul_flop_jit,
    )

__all__ = ["TracedCount", "trace_operations"]

Values = Sequence[Any]
"""Values of the traced graph (``torch._C.Value``)."""

Handle = Callable[[Values, Values], "Counter[str]"]


@dataclass(frozen=True)
class TracedCount:
    """Operations by part, and operators without a formula by part, sorted."""

    work: Mapping[str, Work]
    unknown: Mapping[str, tuple[str, ...]]


def trace_operations(
    module: nn.Module,
    inputs: Sequence[Tensor],
    parts: Mapping[str, Sequence[str]] | None = None,
    *,
    rest: str = "rest",
) -> TracedCount:
    """Trace one forward pass and count the operators of the graph.

    Args:
        module: Network on the CPU or another real device.
        inputs: Positional arguments of ``forward``.
        parts: Paths of submodules, by the name of their part.
        rest: Name of the part for operations outside all other parts.
    """
    analysis = FlopCountAnalysis(module, tuple(inputs))
    for name, handle in _handles().items():
        analysis.set_op_handle(name, handle)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.tracer_warnings("none")
    with torch.no_grad(), _one_thread(), _quiet():
        whole = _work(analysis.by_operator())
    work = {WHOLE: whole}
    unknown = {WHOLE: _unknown(analysis, [""])}
    outside = whole
    for part, paths in (parts or {}).items():
        work[part] = sum((_work(analysis.by_operator(path)) for path in paths), Work({}))
        unknown[part] = _unknown(analysis, paths)
        outside = outside - work[part]
    if parts:
        work[rest] = outside
        inside = {name for part in parts for name in unknown[part]}
        unknown[rest] = tuple(name for name in unknown[WHOLE] if name not in inside)
    return TracedCount(work, unknown)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Limit torch to one thread, which is fastest for small inputs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress warnings of the tracer and the log of fvcore. Unknown operators are returned."""
    logger = logging.getLogger("fvcore")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = was_disabled


def _work(counts: Mapping[str, float]) -> Work:
    return Work({Term(term): int(amount) for term, amount in counts.items()})


def _unknown(analysis: FlopCountAnalysis, paths: Sequence[str]) -> tuple[str, ...]:
    names = {plain_name(name) for path in paths for name in analysis.unsupported_ops(path)}
    return tuple(sorted(names))


def _handles() -> dict[str, Handle | None]:
    handles: dict[str, Handle | None] = dict.fromkeys((*DATA_MOVEMENT, "torchvision::nms"))
    handles |= {name: _numbers_out(Term.ACTIVATION) for name in ACTIVATIONS}
    handles |= {name: _numbers_in(Term.POOLING) for name in POOLING_OPERATORS}
    handles |= {name: _numbers_out(Term.ARITHMETIC) for name in ELEMENTWISE}
    handles |= {name: _numbers_in(Term.ARITHMETIC) for name in REDUCTIONS}
    handles |= _LAYERS
    return handles | {f"{name}_": handle for name, handle in handles.items()}


def _size(value: Any) -> tuple[int, ...] | None:  # noqa: ANN401 - torch._C.Value
    """Return the shape of a tensor, ``None`` for other values."""
    kind = value.type()
    sizes = kind.sizes() if kind.kind() == "TensorType" else None
    return None if sizes is None else tuple(sizes)


def _numel(value: Any) -> int:  # noqa: ANN401 - torch._C.Value
    return math.prod(_size(value) or ())


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


def _batched_product_with_bias(inputs: Values, outputs: Values) -> "Counter[str]":
    return _fvcore(bmm_flop_jit)(inputs[1:3], outputs) + Counter({Term.BIAS: _numel(outputs[0])})


def _norm(weight_at: int) -> Handle:
    def counted(inputs: Values, outputs: Values) -> "Counter[str]":
        scaled = _size(inputs[weight_at]) is not None
        return Counter({Term.NORM: _numel(inputs[0]) * (2 if scaled else 1)})

    return counted


def _attention(inputs: Values, outputs: Values) -> "Counter[str]":
    query, key, value = (_size(each) or () for each in inputs[:3])
    pairs = math.prod(query[:-1]) * key[-2]
    return Counter({Term.MATRIX: pairs * (query[-1] + value[-1])})


def _deformable(inputs: Values, outputs: Values) -> "Counter[str]":
    x, weight = inputs[0], _size(inputs[1]) or ()
    _, per_group, kernel_height, kernel_width = weight
    taps = kernel_height * kernel_width
    # Every output reads the channels of its group at every tap.
    products = _numel(outputs[0]) * per_group * taps
    # Every channel is read once per tap and position, from four neighbours.
    batch, _, height, width = _size(outputs[0]) or ()
    reads = batch * height * width * (_size(x) or ())[1] * taps
    modulated = inputs[13].toIValue()
    return Counter(
        {
            Term.MATRIX: products,
            Term.SAMPLING: reads * (5 if modulated else 4),
        }
    )


def _correlation(inputs: Values, outputs: Values) -> "Counter[str]":
    _, channels, height, width = _size(inputs[0]) or ()
    reach, stride = inputs[2].toIValue(), inputs[3].toIValue()
    displacements = (2 * reach // stride + 1) ** 2
    batch = (_size(inputs[0]) or ())[0]
    return Counter({Term.CORRELATION: batch * displacements * channels * height * width})


def _roi_align(inputs: Values, outputs: Values) -> "Counter[str]":
    samples = inputs[5].toIValue()
    samples = samples if samples > 0 else 2
    rows, columns = inputs[3].toIValue(), inputs[4].toIValue()
    boxes, channels = (_size(inputs[1]) or ())[0], (_size(inputs[0]) or ())[1]
    return Counter({Term.SAMPLING: boxes * channels * rows * columns * samples * samples * 4})


def _bilinear(inputs: Values, outputs: Values) -> "Counter[str]":
    numbers = _numel(outputs[0])
    return Counter({Term.INTERPOLATION: 4 * numbers, Term.UPSAMPLED: numbers})


_LAYERS: dict[str, Handle | None] = {
    "aten::_convolution": _fvcore(conv_flop_jit, 2),
    "aten::linear": _fvcore(linear_flop_jit, 2),
    "aten::addmm": _fvcore(addmm_flop_jit, 0),
    "aten::baddbmm": _batched_product_with_bias,
    "aten::bmm": _fvcore(bmm_flop_jit),
    "aten::mm": _fvcore(matmul_flop_jit),
    "aten::matmul": _fvcore(matmul_flop_jit),
    "aten::einsum": _fvcore(einsum_flop_jit),
    "aten::scaled_dot_product_attention": _attention,
    "torchvision::deform_conv2d": _deformable,
    "torchvision::roi_align": _roi_align,
    "mapt_bench::correlation": _correlation,
    "aten::grid_sampler": _numbers_out(Term.SAMPLING, 4),
    "aten::upsample_bilinear2d": _bilinear,
    "aten::upsample_nearest2d": _numbers_out(Term.UPSAMPLED),
    "aten::batch_norm": _norm(1),
    "aten::instance_norm": _norm(1),
    "aten::group_norm": _norm(2),
    "aten::layer_norm": _norm(2),
}
