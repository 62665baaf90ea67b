"""The table of operators: which terms each one's work falls into, and by which formula.

The table is data. The two counts (:mod:`mapt_bench.profiling.counted`,
:mod:`mapt_bench.profiling.traced`) carry the formulas out, each in its own way; an operator that
stands nowhere here has no formula, and is named as uncounted. Names are those of torch's operators
without a trailing underscore, which marks the form that works in place.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mapt_bench.profiling.modes import MODES, Term

__all__ = [
    "ACTIVATIONS",
    "ADD_UP",
    "ELEMENTWISE",
    "MOVES",
    "OPERATORS",
    "POOLS",
    "OperatorRow",
    "plain_name",
]


@dataclass(frozen=True)
class OperatorRow:
    """Operators that are counted alike.

    Attributes:
        title: What people call them.
        names: Qualified names in torch, without a trailing underscore.
        formulas: Operations by term, in words; empty for what costs nothing in any mode.
    """

    title: str
    names: tuple[str, ...]
    formulas: Mapping[Term, str]

    def formula(self, mode: str) -> str | None:
        """Return what a mode counts, ``None`` if it leaves the operator out."""
        shown = [text for term, text in self.formulas.items() if term in MODES[mode]]
        return " + ".join(shown) if shown else None


def plain_name(name: str) -> str:
    """Return an operator's name without the mark of the form that works in place.

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
POOLS = _aten(
    "_adaptive_avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d avg_pool2d max_pool2d"
    " max_pool2d_with_indices"
)
ELEMENTWISE = _aten(
    "__and__ __or__ abs add addcdiv addcmul bitwise_and bitwise_not bitwise_or ceil clamp clamp_max"
    " clamp_min cos div eq exp floor floor_divide ge gt le lerp log logical_and logical_not"
    " logical_or lt maximum minimum mul ne neg pow reciprocal remainder round rsqrt rsub sin"
    " sqrt square sub where"
)
ADD_UP = _aten("all amax amin any argmax argmin linalg_vector_norm max mean min norm std sum var")
MOVES = _aten(
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
            Term.MATRIX: "Cout Cin/groups k k a position (of the output; transposed: of the input)",
            Term.BIAS: "outputs",
        },
    ),
    OperatorRow(
        "linear layer, product of matrices",
        _aten("addmm baddbmm bmm einsum linear matmul mm"),
        {Term.MATRIX: "m n k", Term.BIAS: "outputs"},
    ),
    OperatorRow(
        "attention",
        _aten(
            "scaled_dot_product_attention _scaled_dot_product_flash_attention_for_cpu"
            " _scaled_dot_product_flash_attention _scaled_dot_product_efficient_attention"
        ),
        {Term.MATRIX: "queries keys (d + d of values) a head"},
    ),
    OperatorRow(
        "deformable convolution",
        ("torchvision::deform_conv2d",),
        {
            Term.MATRIX: "Cout Cin/groups k k a position",
            # No bias: torchvision's operator is given zeros where a layer has none.
            Term.SAMPLING: "4 Cin k k a position, 5 with a modulation mask",
        },
    ),
    OperatorRow(
        "correlation",
        ("mapt_bench::correlation",),
        {Term.CORRELATION: "channels a displacement and position (441 C H/8 W/8 in FlowNet2)"},
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
    OperatorRow("pooling", POOLS, {Term.POOLING: "inputs"}),
    OperatorRow("element by element", ELEMENTWISE, {Term.ARITHMETIC: "outputs"}),
    OperatorRow("sums, means, extremes", ADD_UP, {Term.ARITHMETIC: "inputs"}),
    OperatorRow("non-maximum suppression", ("torchvision::nms",), {}),
    OperatorRow("moves, makes or renames data", MOVES, {}),
)
"""Every operator with a formula, each in exactly one row."""
