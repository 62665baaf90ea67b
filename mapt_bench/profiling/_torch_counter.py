"""First counter: torch's ``FlopCounterMode`` with a formula for every operator of the table.

It counts operators as they run, so it follows control flow. It counts any input size on the meta
device, where tensors have shapes and no values.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torchvision  # noqa: F401  # registers its operators with torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count, sdpa_flop_count

from mapt_bench.profiling.operator_table import (
    ACTIVATIONS,
    ELEMENTWISE,
    OPERATORS,
    POOLING_OPERATORS,
    REDUCTIONS,
    WHOLE,
    Term,
    Work,
    plain_name,
)

__all__ = ["Count", "count_operations"]

Shape = Sequence[int]
Formula = Callable[..., Work]


@dataclass(frozen=True)
class Count:
    """Operations of one forward pass.

    Attributes:
        work: Operations by part and operator (``"aten::convolution"``). :data:`WHOLE` is the
            whole network.
        unknown: Operators without a formula by part, sorted.
    """

    work: Mapping[str, Mapping[str, Work]]
    unknown: Mapping[str, tuple[str, ...]]

    def total(self, part: str, terms: frozenset[Term]) -> int:
        """Return the operations of a part in some terms."""
        return sum(work.total(terms) for work in self.work[part].values())


def count_operations(
    module: nn.Module,
    inputs: Sequence[Tensor],
    parts: Mapping[str, Sequence[str]] | None = None,
    *,
    rest: str = "rest",
) -> Count:
    """Count one forward pass.

    Args:
        module: Network, in ``eval()`` mode for inference.
        inputs: Positional arguments of ``forward``, on the device of the network or on ``meta``.
        parts: Paths of submodules, by the name of their part. Parts must not overlap.
        rest: Name of the part for operations outside all other parts. Omitted without ``parts``.
    """
    counter = FlopCounterMode(display=False, custom_mapping=_formulas())
    others = _Others(counter)
    # Inference mode keeps composite operators whole, so that their formulas apply.
    with torch.inference_mode(), others, counter:
        module(*inputs)
    root = type(module).__name__
    work = {WHOLE: _by_operator(counter, ["Global"])}
    unknown = {WHOLE: tuple(sorted(others.names("Global")))}
    outside = dict(work[WHOLE])
    for part, paths in (parts or {}).items():
        called = list(_outermost(counter, [f"{root}.{path}" for path in paths]))
        work[part] = _by_operator(counter, called)
        unknown[part] = tuple(sorted({name for at in called for name in others.names(at)}))
        for name, amount in work[part].items():
            outside[name] = outside[name] - amount
    if parts:
        work[rest] = outside
        inside = {name for part in parts for name in unknown[part]}
        unknown[rest] = tuple(name for name in unknown[WHOLE] if name not in inside)
    return Count(work, unknown)


def _by_operator(counter: FlopCounterMode, modules: Sequence[str]) -> dict[str, Work]:
    total: dict[str, Work] = {}
    for module in modules:
        for packet, amount in counter.flop_counts.get(module, {}).items():
            name = plain_name(packet._qualified_op_name)
            total[name] = total.get(name, Work({})) + amount
    return total


def _outermost(counter: FlopCounterMode, paths: Sequence[str]) -> Iterator[str]:
    """Yield the outermost called modules at or below some paths."""
    under = [
        name
        for name in counter.flop_counts
        if any(name == path or name.startswith(f"{path}.") for path in paths)
    ]
    for name in under:
        if not any(name.startswith(f"{other}.") for other in under):
            yield name


class _Others(TorchDispatchMode):  # type: ignore[no-untyped-call]  # untyped in torch
    """Records, by module, every operator that is not in the table."""

    def __init__(self, counter: FlopCounterMode) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._counter = counter
        self._seen: set[tuple[str, str]] = set()

    def names(self, module: str) -> set[str]:
        """Return the operators recorded in a module and its children."""
        return {name for at, name in self._seen if at == module}

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - an overload of an operator; torch has no public type for it
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the operator returns
        packet = getattr(func, "_overloadpacket", func)
        name = plain_name(getattr(packet, "_qualified_op_name", str(packet)))
        is_known = name in _KNOWN or packet in self._counter.flop_registry
        if not is_known and not name.startswith("prim::"):
            self._seen |= {(module, name) for module in self._counter.mod_tracker.parents}
        if name in _SLOW_TO_SHAPE and args[0].device.type == "meta" and args[0].ndim == 4:
            # torch would run all of the arithmetic to get the shape.
            return args[0].new_empty(*args[0].shape[:2], *args[1].shape[1:3])
        return func(*args, **(kwargs or {}))


_SLOW_TO_SHAPE = ("aten::grid_sampler", "aten::grid_sampler_2d")
_KNOWN = frozenset(name for row in OPERATORS for name in row.names)


def _formulas() -> dict[Any, Formula]:
    """Return a formula for each operator and for its overloads, for torch's counter."""
    mapping: dict[Any, Formula] = {}
    for name, formula in _FORMULAS.items():
        for form in (name, f"{name}_"):
            packet = _packet(form)
            if packet is not None:
                mapping[packet] = formula
                # The counter decomposes operators without an entry for their overload.
                mapping |= {getattr(packet, each): formula for each in packet.overloads()}
    return mapping


def _packet(name: str) -> Any:  # noqa: ANN401 - see above
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


def _first(shape: Any) -> Shape:  # noqa: ANN401 - a shape, or those of several outputs
    if isinstance(shape, torch.Size):
        return shape
    return _first(shape[0]) if shape else ()


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


def _linear(x: Shape, weight: Shape, bias: Shape | None = None, *, out_shape: Shape) -> Work:
    macs = math.prod(x) * weight[0]
    return Work({Term.MATRIX: macs, Term.BIAS: _bias(bias, out_shape)})


def _product_with_bias(
    bias: Shape, first: Shape, second: Shape, *_: object, out_shape: Shape, **__: object
) -> Work:
    macs = math.prod(first) * second[-1]
    return Work({Term.MATRIX: macs, Term.BIAS: math.prod(out_shape)})


def _attention(query: Shape, key: Shape, value: Shape, *_: object, **__: object) -> Work:
    flops: int = sdpa_flop_count(query, key, value)  # type: ignore[no-untyped-call]
    return Work({Term.MATRIX: flops // 2})


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


def _roi_align(
    x: Shape,
    boxes: Shape,
    scale: float,
    height: int,
    width: int,
    sampling_ratio: int,
    *_: object,
    out_shape: Shape,
) -> Work:
    samples = sampling_ratio if sampling_ratio > 0 else 2
    return Work({Term.SAMPLING: 4 * samples**2 * math.prod(out_shape)})


def _bilinear(*_: object, out_shape: Shape, **__: object) -> Work:
    numbers = math.prod(out_shape)
    return Work({Term.INTERPOLATION: 4 * numbers, Term.UPSAMPLED: numbers})


def _norm(weight_at: int) -> Formula:
    def formula(*args: Any, out_shape: Any, **kwargs: Any) -> Work:  # noqa: ANN401
        weight = args[weight_at] if len(args) > weight_at else kwargs.get("weight")
        return Work({Term.NORM: math.prod(_first(out_shape)) * (1 if weight is None else 2)})

    return formula


def _nothing(*_: object, **__: object) -> Work:
    return Work({})


_FORMULAS: dict[str, Formula] = {
    "aten::_convolution": _convolution,
    "aten::convolution": _convolution,
    "aten::linear": _linear,
    "aten::addmm": _product_with_bias,
    "aten::baddbmm": _product_with_bias,
    "aten::scaled_dot_product_attention": _attention,
    "aten::_scaled_dot_product_flash_attention_for_cpu": _attention,
    "torchvision::deform_conv2d": _deformable,
    "torchvision::roi_align": _roi_align,
    "torchvision::nms": _nothing,
    "mapt_bench::correlation": _correlation,
    "aten::grid_sampler": _outputs(Term.SAMPLING, 4),
    "aten::grid_sampler_2d": _outputs(Term.SAMPLING, 4),
    "aten::upsample_bilinear2d": _bilinear,
    "aten::upsample_nearest2d": _outputs(Term.UPSAMPLED),
    **{
        f"aten::{name}": _norm(1)
        for name in (
            "_batch_norm_no_update",
            "_native_batch_norm_legit",
            "_native_batch_norm_legit_no_training",
            "batch_norm",
            "cudnn_batch_norm",
            "instance_norm",
            "native_batch_norm",
            "native_group_norm",
        )
    },
    **{f"aten::{name}": _norm(2) for name in ("group_norm", "layer_norm", "native_layer_norm")},
    **{name: _outputs(Term.ACTIVATION) for name in ACTIVATIONS},
    **{name: _inputs(Term.POOLING) for name in POOLING_OPERATORS},
    **{name: _outputs(Term.ARITHMETIC) for name in ELEMENTWISE},
    **{name: _inputs(Term.ARITHMETIC) for name in REDUCTIONS},
}
