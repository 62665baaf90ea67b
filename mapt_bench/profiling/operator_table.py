"""Table of operators: the terms of their cost, and the modes that sum terms.

The unit is the multiply-add (MAC): one multiplication with one addition counts **one**. In terms
without such pairs (biases, activations...), one computed number counts one.

The table is data. Both counters (:mod:`mapt_bench.profiling._torch_counter`,
:mod:`mapt_bench.profiling._fvcore_counter`) implement its formulas independently. Names are those
of torch without the trailing underscore of in-place operators. Some rows also have a rule, by
which :mod:`mapt_bench.profiling._operator_registry` finds more operators in torch. An operator
outside the table has no formula and is reported as uncounted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mapt_bench.errors import ConfigError, nearest

__all__ = [
    "MODES",
    "OPERATORS",
    "UNIT",
    "WHOLE",
    "OperatorRow",
    "Rule",
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
    FOURIER = "fourier"
    """Fast Fourier transforms."""
    BIAS = "bias"
    NORM = "norm"
    ACTIVATION = "activation"
    POOLING = "pooling"
    UPSAMPLED = "upsampled"
    """Upsampled values, 1 per output for every method, as ptflops counts them."""
    ARITHMETIC = "arithmetic"
    """Element-wise operations, reductions, sorting and random numbers. No mode counts them."""


MODES: Mapping[str, frozenset[Term]] = {
    "conv": frozenset({Term.MATRIX}),
    "conv+sampling": frozenset(
        {Term.MATRIX, Term.CORRELATION, Term.SAMPLING, Term.INTERPOLATION, Term.FOURIER}
    ),
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


class Rule(StrEnum):
    """How a row finds operators of torch that no row names. The value is the text on the page."""

    POINTWISE = "every operator that torch tags `pointwise`"
    REDUCTION = "every operator that torch tags `reduction`"
    VIEW = "every operator that returns a view, or that torch tags `view_copy`"
    CREATION = "every operator that takes no tensor"
    QUERY = "every operator that returns no tensor and changes none"
    OUTSIDE = "every operator of `profiler::`, `prim::` and `c10d::`"


@dataclass(frozen=True)
class OperatorRow:
    """Operators with the same formulas.

    Attributes:
        title: Common name.
        names: Qualified names in torch, without a trailing underscore.
        formulas: Formula by term, as text. Empty for operators without cost.
        rule: Rule for more operators. Named operators come first.
    """

    title: str
    names: tuple[str, ...]
    formulas: Mapping[Term, str]
    rule: Rule | None = None

    @property
    def is_counted(self) -> bool:
        """Whether a mode counts the operators."""
        return any(term in terms for term in self.formulas for terms in MODES.values())

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
    "celu elu gelu glu hardshrink hardsigmoid hardswish hardtanh leaky_relu log_sigmoid"
    " log_sigmoid_forward log_softmax _log_softmax _masked_softmax mish prelu _prelu_kernel relu"
    " relu6 rrelu rrelu_with_noise rrelu_with_noise_functional _safe_softmax selu sigmoid silu"
    " softmax _softmax softplus softshrink special_log_softmax special_softmax tanh threshold"
)
POOLING_OPERATORS = _aten(
    "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d"
    " adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d avg_pool1d"
    " avg_pool2d avg_pool3d fractional_max_pool2d fractional_max_pool3d max_pool1d"
    " max_pool1d_with_indices max_pool2d max_pool2d_with_indices max_pool3d max_pool3d_with_indices"
    " mkldnn_adaptive_avg_pool2d mkldnn_max_pool2d mkldnn_max_pool3d"
)
ELEMENTWISE = _aten(
    "absolute _add_relu addr _aminmax _amp_foreach_non_finite_check_and_unscale _amp_update_scale"
    " __and__ arccos arccosh arcsin arcsinh arctan arctan2 arctanh complex cross dequantize diff"
    " divide _embedding_bag embedding_bag _embedding_bag_forward_only"
    " fake_quantize_per_channel_affine fake_quantize_per_channel_affine_cachemask"
    " fake_quantize_per_tensor_affine fake_quantize_per_tensor_affine_cachemask fix floor_divide"
    " _fused_adagrad _fused_adam _fused_adamw _fused_sgd ger gradient greater greater_equal"
    " __iand__ __ilshift__ __ior__ __irshift__ isclose isreal __ixor__ kron less less_equal"
    " linalg_cross linalg_vander _masked_scale multiply negative not_equal __or__ outer polar"
    " quantize_per_channel quantize_per_tensor quantize_per_tensor_dynamic special_digamma"
    " special_erf special_erfc special_erfinv special_exp2 special_expit special_expm1"
    " special_gammainc special_gammaincc special_gammaln special_i0 special_log1p special_logit"
    " special_multigammaln special_ndtr special_polygamma special_psi special_round special_sinc"
    " special_xlogy subtract vander"
)
"""Those that torch does not tag ``pointwise``."""
REDUCTIONS = (
    "torchvision::ps_roi_pool",
    "torchvision::roi_pool",
    *_aten(
        "all allclose amax amin aminmax any argmax argmin binary_cross_entropy"
        " binary_cross_entropy_with_logits col2im cosine_embedding_loss cosine_similarity"
        " count_nonzero cross_entropy_loss _ctc_loss ctc_loss _cudnn_ctc_loss cummax _cummax_helper"
        " cummin _cummin_helper cumprod cumsum cumulative_trapezoid dist embedding_renorm equal"
        " frobenius_norm hinge_embedding_loss huber_loss index_add index_reduce _is_all_true"
        " _is_any_true kl_div l1_loss linalg_norm linalg_vecdot linalg_vector_norm _logcumsumexp"
        " logcumsumexp logsumexp margin_ranking_loss max mean min miopen_ctc_loss mse_loss"
        " multi_margin_loss multilabel_margin_loss multilabel_margin_loss_forward nanmean nansum"
        " native_norm nll_loss nll_loss2d nll_loss2d_forward nll_loss_forward nll_loss_nd norm"
        " norm_except_dim pairwise_distance poisson_nll_loss prod renorm scatter_add scatter_reduce"
        " segment_reduce smooth_l1_loss soft_margin_loss special_logsumexp std std_mean sum"
        " sum_to_size trace trapezoid trapz triplet_margin_loss unfold_backward"
        " _unsafe_masked_index_put_accumulate"
        " var var_mean _weight_norm _weight_norm_interface"
    ),
)
SEARCHES = _aten(
    "argsort bincount bucketize histc histogram histogramdd _histogramdd_bin_edges"
    " _histogramdd_from_bin_cts _histogramdd_from_bin_tensors isin kthvalue median mode msort"
    " nanmedian nanquantile quantile searchsorted sort topk _unique _unique2 unique_consecutive"
    " unique_dim unique_dim_consecutive"
)
RANDOM = _aten(
    "alpha_dropout bernoulli binomial cauchy exponential feature_alpha_dropout _fused_dropout"
    " geometric log_normal multinomial native_dropout normal normal_functional _philox_key_fold_in"
    " _philox_key_split _philox_normal _philox_uniform poisson rand rand_like randint randint_like"
    " randn randn_like random randperm _sample_dirichlet _standard_gamma uniform"
)
DATA_MOVEMENT = _aten(
    "_add_batch_dim argwhere as_strided as_strided_scatter atleast_1d atleast_2d atleast_3d"
    " block_diag broadcast_tensors cartesian_prod _cast_Byte _cast_Char _cast_Double _cast_Float"
    " _cast_Half _cast_Int _cast_Long _cast_Short cat chalf channel_shuffle chunk _chunk_cat clone"
    " column_stack combinations concat concatenate constant_pad_nd copy _copy_from"
    " _copy_from_and_resize data diag diag_embed diagflat diagonal_scatter dropout dstack embedding"
    " empty_like feature_dropout fft_fftshift fft_ifftshift fill fill_diagonal"
    " flatten_dense_tensors flip fliplr flipud full_like gather __getitem__ hstack im2col index"
    " index_copy index_fill index_put _index_put_impl index_select int_repr"
    " _jagged_to_padded_dense_forward _lazy_clone lift linspace logspace masked_scatter"
    " masked_select max_unpool2d max_unpool3d meshgrid _mkldnn_reshape _mkldnn_transpose moveaxis"
    " movedim native_channel_shuffle _nested_from_padded _nested_from_padded_and_nested_example"
    " _nested_from_padded_tensor _nested_tensor_from_mask _nested_tensor_from_tensor_list"
    " nested_to_padded_tensor new_empty new_empty_strided new_full new_ones new_zeros"
    " _new_zeros_with_same_feature_meta nonzero nonzero_numpy nonzero_static one_hot ones_like"
    " _pack_padded_sequence pad _pad_circular _pad_enum _pad_packed_sequence pad_sequence"
    " _padded_dense_to_jagged_forward _pin_memory pixel_shuffle pixel_unshuffle put record_stream"
    " reflection_pad1d reflection_pad2d reflection_pad3d _remove_batch_dim repeat repeat_interleave"
    " replication_pad1d replication_pad2d replication_pad3d requires_grad _reshape_copy"
    " _reshape_from_tensor resize resize_as _resize_output retain_grad roll rot90 row_stack scatter"
    " select_scatter set set_data shallow_copy_data _shape_as_tensor slice_scatter split"
    " split_with_sizes _stack stack swapaxes swapdims take take_along_dim tile to _to_copy _to_cpu"
    " _to_dense to_dense to_mkldnn to_padded_tensor transpose tril triu type_as"
    " unflatten_dense_tensors unsafe_chunk _unsafe_index _unsafe_index_put _unsafe_masked_index"
    " unsafe_split unsafe_split_with_sizes _unsafe_view vstack zero zeros_like"
)
"""Those whose schema does not show it: torch says which operators return a view, and operators
without a tensor argument only create."""
QUERIES = _aten(
    "clear Delete dict _functional_assert_async _functional_assert_scalar"
    " _functional_sym_constrain_range _functional_sym_constrain_range_for_size items"
    " _nested_get_lengths _nested_get_max_seqlen _nested_get_min_seqlen _nested_get_offsets"
    " _nested_tensor_size _nested_tensor_storage_offsets _nested_tensor_strides popitem"
    " q_per_channel_scales q_per_channel_zero_points remove _set_item sorted update"
)

OPERATORS: tuple[OperatorRow, ...] = (
    OperatorRow(
        "convolution, transposed convolution",
        _aten(
            "_convolution _convolution_mode conv1d conv2d conv3d conv_tbc conv_transpose1d"
            " conv_transpose2d conv_transpose3d convolution convolution_overrideable"
            " cudnn_convolution _slow_conv2d_forward"
        ),
        {
            Term.MATRIX: "Cout Cin/groups k k per output position (transposed: input position)",
            Term.BIAS: "outputs",
        },
    ),
    OperatorRow(
        "linear layer, matrix product",
        _aten(
            "addbmm addmm addmv affine_grid_generator baddbmm bmm dot einsum inner _int_mm linear"
            " matmul mm mv _scaled_mm tensordot vdot"
        ),
        {Term.MATRIX: "m n k", Term.BIAS: "outputs"},
    ),
    OperatorRow(
        "bilinear layer",
        _aten("bilinear _trilinear"),
        {Term.MATRIX: "Cout (Cin1 + 1) Cin2 per position", Term.BIAS: "outputs"},
    ),
    OperatorRow(
        "recurrent layer",
        _aten("gru lstm mkldnn_rnn_layer rnn_relu rnn_tanh"),
        {
            Term.MATRIX: "all weights per step",
            Term.BIAS: "all biases per step",
            Term.ACTIVATION: "5 units per step (LSTM), 3 (GRU) or 1",
        },
    ),
    OperatorRow(
        "distance of all pairs",
        _aten("cdist _cdist_forward _euclidean_dist pdist _pdist_forward"),
        {Term.MATRIX: "dimensions per pair (0 if not Euclidean)"},
    ),
    OperatorRow(
        "attention",
        _aten(
            "_efficient_attention_forward _flash_attention_forward scaled_dot_product_attention"
            " _scaled_dot_product_attention_math _scaled_dot_product_cudnn_attention"
            " _scaled_dot_product_efficient_attention _scaled_dot_product_flash_attention"
            " _scaled_dot_product_flash_attention_for_cpu"
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
        _aten("grid_sampler grid_sampler_2d grid_sampler_3d"),
        {Term.SAMPLING: "4 outputs (3-D: 8; bicubic: 16; nearest: 0)"},
    ),
    OperatorRow(
        "RoIAlign",
        ("torchvision::ps_roi_align", "torchvision::roi_align"),
        {Term.SAMPLING: "4 s s outputs, s = sampling ratio (2 if it adapts to the box)"},
    ),
    OperatorRow(
        "linear, bilinear, trilinear, bicubic upsampling",
        _aten("upsample_bicubic2d upsample_bilinear2d upsample_linear1d upsample_trilinear3d"),
        {Term.INTERPOLATION: "2, 4, 8, 16 outputs", Term.UPSAMPLED: "outputs"},
    ),
    OperatorRow(
        "resizing with antialiasing",
        _aten("_upsample_bicubic2d_aa _upsample_bilinear2d_aa"),
        {
            Term.INTERPOLATION: "taps per value, first along rows, then along columns",
            Term.UPSAMPLED: "outputs",
        },
    ),
    OperatorRow(
        "nearest upsampling",
        _aten(
            "upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d"
            " _upsample_nearest_exact2d _upsample_nearest_exact3d"
        ),
        {Term.INTERPOLATION: "0", Term.UPSAMPLED: "outputs"},
    ),
    OperatorRow(
        "Fourier transform",
        _aten(
            "_fft_c2c _fft_c2r _fft_r2c fft_fft fft_fft2 fft_fftn fft_hfft fft_ifft fft_ifft2"
            " fft_ifftn fft_ihfft fft_irfft fft_irfft2 fft_irfftn fft_rfft fft_rfft2 fft_rfftn"
            " istft stft"
        ),
        {Term.FOURIER: "5/2 N log2 N per signal of N values, half if one side is real"},
    ),
    OperatorRow(
        "normalisation",
        _aten(
            "_batch_norm_impl_index _batch_norm_no_update _batch_norm_with_update"
            " _batch_norm_with_update_functional batch_norm cudnn_batch_norm _fused_rms_norm"
            " group_norm instance_norm layer_norm native_batch_norm _native_batch_norm_legit"
            " _native_batch_norm_legit_functional _native_batch_norm_legit_no_training"
            " native_group_norm native_layer_norm rms_norm"
        ),
        {Term.NORM: "2 outputs, 1 without weights"},
    ),
    OperatorRow("activation", ACTIVATIONS, {Term.ACTIVATION: "outputs"}),
    OperatorRow("pooling", POOLING_OPERATORS, {Term.POOLING: "inputs"}),
    OperatorRow(
        "element-wise operation", ELEMENTWISE, {Term.ARITHMETIC: "outputs"}, Rule.POINTWISE
    ),
    OperatorRow("reduction, scan, loss", REDUCTIONS, {Term.ARITHMETIC: "inputs"}, Rule.REDUCTION),
    OperatorRow("sorting, search, histogram", SEARCHES, {Term.ARITHMETIC: "inputs"}),
    OperatorRow("random numbers", RANDOM, {Term.ARITHMETIC: "outputs"}),
    OperatorRow("non-maximum suppression", ("torchvision::nms",), {}),
    OperatorRow("view", (), {}, Rule.VIEW),
    OperatorRow("copy, padding, indexing", DATA_MOVEMENT, {}),
    OperatorRow("creation", (), {}, Rule.CREATION),
    OperatorRow("query of shapes and values", QUERIES, {}, Rule.QUERY),
    OperatorRow("profiler mark, communication", (), {}, Rule.OUTSIDE),
)
"""All known operators, each in exactly one row."""
