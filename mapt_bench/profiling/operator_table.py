"""Table of operators: the terms of their cost, and the modes that sum terms.

The unit is the multiply-add (MAC): one multiplication with one addition counts **one**. In terms
without such pairs (biases, activations...), one computed number counts one.

The table is data. Both counters (:mod:`mapt_bench.profiling._torch_counter`,
:mod:`mapt_bench.profiling._fvcore_counter`) implement its formulas independently. An operator
outside the table has no formula and is reported as uncounted. Names are those of torch without
the trailing underscore of in-place operators.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mapt_bench.errors import ConfigError, nearest

__all__ = [
    "ACTIVATIONS",
    "DATA_MOVEMENT",
    "ELEMENTWISE",
    "MODES",
    "OPERATORS",
    "POOLING_OPERATORS",
    "REDUCTIONS",
    "UNIT",
    "WHOLE",
    "OperatorRow",
    "Term",
    "Work",
    "mode_terms",
    "plain_name",
]

WHOLE = "whole"
"""Name of the part that is the whole network."""

UNIT = "GMACs: 10^9 multiply-adds, a multiply-add counts one"


class Term(StrEnum):
    """One kind of cost, which a mode counts or omits."""

    MATRIX = "matrix"
    """Convolutions (also transposed and deformable) and matrix products."""
    CORRELATION = "correlation"
    """Correlation of feature maps at displacements, as one operator."""
    SAMPLING = "sampling"
    """Bilinear reads at computed positions: grid sampling, RoIAlign, deformable taps."""
    INTERPOLATION = "interpolation"
    """Arithmetic of upsampling: 4 per output for bilinear, none for nearest."""
    BIAS = "bias"
    NORM = "norm"
    ACTIVATION = "activation"
    POOLING = "pooling"
    UPSAMPLED = "upsampled"
    """Upsampled values, 1 per output for every method, as ptflops counts them."""
    ARITHMETIC = "arithmetic"
    """Element-wise operations and reductions between layers. No mode counts them."""


MODES: Mapping[str, frozenset[Term]] = {
    "conv": frozenset({Term.MATRIX}),
    "conv+sampling": frozenset({Term.MATRIX, Term.CORRELATION, Term.SAMPLING, Term.INTERPOLATION}),
    "ptflops": frozenset(
        {Term.MATRIX, Term.BIAS, Term.NORM, Term.ACTIVATION, Term.POOLING, Term.UPSAMPLED}
    ),
}
"""Terms of each mode. ``ptflops`` counts layers like the tool of that name."""


def mode_terms(name: str) -> frozenset[Term]:
    """Return the terms of a mode.

    Raises:
        ConfigError: If there is no such mode. The message suggests the nearest.
    """
    if name not in MODES:
        raise ConfigError(f"unknown mode {name!r}; {nearest(name, MODES)}")
    return MODES[name]


@dataclass(frozen=True)
class Work:
    """Operations by term. Can be added to numbers, so that torch's counter can sum it.

    Example:
        >>> layer = Work({Term.MATRIX: 8}) + Work({Term.MATRIX: 1, Term.BIAS: 2})
        >>> layer.total({Term.MATRIX}), layer.total(MODES["ptflops"])
        (9, 11)
    """

    amounts: Mapping[Term, int]

    def __add__(self, other: "Work | int") -> "Work":
        # The formulas of torch return plain FLOPs, two per multiply-add.
        more = other.amounts if isinstance(other, Work) else {Term.MATRIX: other // 2}
        terms = dict.fromkeys((*self.amounts, *more))
        return Work({term: self.amounts.get(term, 0) + more.get(term, 0) for term in terms})

    __radd__ = __add__

    def __sub__(self, other: "Work") -> "Work":
        return self + Work({term: -amount for term, amount in other.amounts.items()})

    def total(self, terms: frozenset[Term] | set[Term]) -> int:
        """Return the sum over some of the terms."""
        return sum(amount for term, amount in self.amounts.items() if term in terms)


@dataclass(frozen=True)
class OperatorRow:
    """Operators with the same formulas.

    Attributes:
        title: Common name.
        names: Qualified names in torch, without a trailing underscore.
        formulas: Formula by term, as text. Empty for operators without cost.
    """

    title: str
    names: tuple[str, ...]
    formulas: Mapping[Term, str]

    def formula(self, mode: str) -> str | None:
        """Return the formula in a mode, ``None`` if the mode omits the operator."""
        shown = [text for term, text in self.formulas.items() if term in MODES[mode]]
        return " + ".join(shown) if shown else None


def plain_name(name: str) -> str:
    """Return the name of an operator without the trailing underscore of in-place operators.

    Example:
        >>> plain_name("aten::relu_"), plain_name("aten::__and__")
        ('aten::relu', 'aten::__and__')
    """
    return name if name.endswith("__") else name.removesuffix("_")


def _aten(words: str) -> tuple[str, ...]:
    return tuple(f"aten::{word}" for word in words.split())


ACTIVATIONS = _aten(
    "celu elu gelu hardsigmoid hardswish hardtanh leaky_relu log_sigmoid log_softmax _log_softmax"
    " mish prelu _prelu_kernel relu relu6 selu sigmoid silu softmax _softmax softplus tanh"
)
POOLING_OPERATORS = _aten(
    "_adaptive_avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d avg_pool2d max_pool2d"
    " max_pool2d_with_indices"
)
ELEMENTWISE = _aten(
    "__and__ __or__ abs add addcdiv addcmul bitwise_and bitwise_not bitwise_or ceil clamp clamp_max"
    " clamp_min cos div eq exp floor floor_divide ge gt le lerp log logical_and logical_not"
    " logical_or lt maximum minimum mul ne neg pow reciprocal remainder round rsqrt rsub sin"
    " sqrt square sub where"
)
REDUCTIONS = _aten(
    "all amax amin any argmax argmin linalg_vector_norm max mean min norm std sum var"
)
DATA_MOVEMENT = _aten(
    "adjoint alias arange as_strided Bool broadcast_tensors cat channel_shuffle chunk clone"
    " constant_pad_nd contiguous copy detach diagonal dim dropout empty empty_like embedding"
    " empty_strided expand expand_as eye feature_dropout fill flatten flip Float full full_like"
    " gather __getitem__ hstack im2col index index_put index_select Int is_floating_point item len"
    " lift_fresh lift_fresh_copy linspace _local_scalar_dense masked_fill masked_select meshgrid"
    " moveaxis movedim mT narrow narrow_copy new_empty new_full new_ones new_zeros nonzero numel"
    " numpy_T ones ones_like pad permute pixel_shuffle pixel_unshuffle reflection_pad2d repeat"
    " repeat_interleave replication_pad2d reshape _reshape_alias resolve_conj resolve_neg roll"
    " rot90 scalar_tensor ScalarImplicit scatter select select_scatter _shape_as_tensor size slice"
    " slice_copy slice_scatter split split_with_sizes squeeze stack swapaxes swapdims t"
    " take_along_dim tensor tensor_split to _to_copy transpose tril triu type_as unbind unflatten"
    " unfold _unsafe_index unsafe_split _unsafe_view unsqueeze view view_as vstack zero zeros"
    " zeros_like"
)

OPERATORS: tuple[OperatorRow, ...] = (
    OperatorRow(
        "convolution, transposed convolution",
        _aten("_convolution conv1d conv2d conv3d conv_transpose2d convolution"),
        {
            Term.MATRIX: "Cout Cin/groups k k per output position (transposed: input position)",
            Term.BIAS: "outputs",
        },
    ),
    OperatorRow(
        "linear layer, matrix product",
        _aten("addmm baddbmm bmm einsum linear matmul mm"),
        {Term.MATRIX: "m n k", Term.BIAS: "outputs"},
    ),
    OperatorRow(
        "attention",
        _aten(
            "scaled_dot_product_attention _scaled_dot_product_flash_attention_for_cpu"
            " _scaled_dot_product_flash_attention _scaled_dot_product_efficient_attention"
        ),
        {Term.MATRIX: "queries keys (d + d of values) per head"},
    ),
    OperatorRow(
        "deformable convolution",
        ("torchvision::deform_conv2d",),
        {
            Term.MATRIX: "Cout Cin/groups k k per position",
            # No bias: without a bias, torchvision's operator receives zeros.
            Term.SAMPLING: "4 Cin k k per position, 5 with a modulation mask",
        },
    ),
    OperatorRow(
        "correlation",
        ("mapt_bench::correlation",),
        {Term.CORRELATION: "channels per displacement and position (441 C H/8 W/8 in FlowNet2)"},
    ),
    OperatorRow(
        "grid sampling",
        _aten("grid_sampler grid_sampler_2d"),
        {Term.SAMPLING: "4 outputs"},
    ),
    OperatorRow(
        "RoIAlign",
        ("torchvision::roi_align",),
        {Term.SAMPLING: "4 s s outputs, s = sampling ratio (2 if it adapts to the box)"},
    ),
    OperatorRow(
        "bilinear upsampling",
        _aten("upsample_bilinear2d"),
        {Term.INTERPOLATION: "4 outputs", Term.UPSAMPLED: "outputs"},
    ),
    OperatorRow(
        "nearest upsampling",
        _aten("upsample_nearest2d"),
        {Term.INTERPOLATION: "0", Term.UPSAMPLED: "outputs"},
    ),
    OperatorRow(
        "normalisation",
        _aten(
            "_batch_norm_no_update _native_batch_norm_legit _native_batch_norm_legit_no_training"
            " batch_norm cudnn_batch_norm group_norm instance_norm layer_norm native_batch_norm"
            " native_group_norm native_layer_norm"
        ),
        {Term.NORM: "2 outputs, 1 without weights"},
    ),
    OperatorRow("activation", ACTIVATIONS, {Term.ACTIVATION: "outputs"}),
    OperatorRow("pooling", POOLING_OPERATORS, {Term.POOLING: "inputs"}),
    OperatorRow("element-wise operation", ELEMENTWISE, {Term.ARITHMETIC: "outputs"}),
    OperatorRow("reduction", REDUCTIONS, {Term.ARITHMETIC: "inputs"}),
    OperatorRow("non-maximum suppression", ("torchvision::nms",), {}),
    OperatorRow("data movement and creation", DATA_MOVEMENT, {}),
)
"""All known operators, each in exactly one row."""
