"""Every formula, worked by hand, in both counts."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.ops import DeformConv2d, deform_conv2d, nms, ps_roi_align, roi_align

from mapt_bench.model.correlation import correlation
from mapt_bench.profiling._fvcore_counter import trace_operations
from mapt_bench.profiling._torch_counter import count_operations
from mapt_bench.profiling.operator_table import MODES, WHOLE, Term

torch.set_num_threads(1)


class Calls(nn.Module):
    """A module that does what a function does."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def layer(module):
    return Calls(lambda self, x: self.layer(x), layer=module)


def both(module, *inputs):
    """Count twice; return the work by term, the same in both, with no zeros."""
    module = module.eval()
    first = count_operations(module, inputs)
    second = trace_operations(module, inputs)
    assert first.unknown[WHOLE] == second.unknown[WHOLE] == ()
    found = [
        {
            term: sum(work.amounts.get(term, 0) for work in first.work[WHOLE].values())
            for term in Term
        },
        {term: second.work[WHOLE].amounts.get(term, 0) for term in Term},
    ]
    first, second = ({term: n for term, n in each.items() if n} for each in found)
    assert first == second
    return first


image = torch.zeros(2, 4, 6, 10)
"""Batch 2, 4 channels, 60 positions."""


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        # 2 images, 5 outputs, 4/1 channels, 9 taps, output 3 x 5
        (nn.Conv2d(4, 5, 3, 2, 1), {Term.MATRIX: 2 * 5 * 4 * 9 * 15, Term.BIAS: 2 * 5 * 15}),
        (nn.Conv2d(4, 4, 3, 1, 1, groups=4, bias=False), {Term.MATRIX: 2 * 4 * 9 * 60}),
        # transposed: taps count at the 60 inputs, not at the 240 outputs
        (
            nn.ConvTranspose2d(4, 3, 4, 2, 1),
            {Term.MATRIX: 2 * 4 * 3 * 16 * 60, Term.BIAS: 2 * 3 * 240},
        ),
        (nn.Linear(10, 7), {Term.MATRIX: 2 * 4 * 6 * 10 * 7, Term.BIAS: 2 * 4 * 6 * 7}),
        (nn.BatchNorm2d(4), {Term.NORM: 2 * 480}),
        (nn.GroupNorm(2, 4), {Term.NORM: 2 * 480}),
        (nn.InstanceNorm2d(4), {Term.NORM: 480}),
        (nn.LayerNorm(10), {Term.NORM: 2 * 480}),
        (nn.LeakyReLU(0.1), {Term.ACTIVATION: 480}),
        (nn.ReLU(inplace=True), {Term.ACTIVATION: 480}),
        (nn.Sigmoid(), {Term.ACTIVATION: 480}),
        (nn.Softmax(1), {Term.ACTIVATION: 480}),
        (nn.SiLU(), {Term.ACTIVATION: 480}),
        (nn.AdaptiveAvgPool2d(1), {Term.POOLING: 480}),
        (nn.AvgPool2d(2), {Term.POOLING: 480}),
        (nn.MaxPool2d(2), {Term.POOLING: 480}),
        # 480 numbers become 480 * 4
        (
            nn.Upsample(scale_factor=2, mode="bilinear"),
            {Term.INTERPOLATION: 4 * 1920, Term.UPSAMPLED: 1920},
        ),
        (nn.Upsample(scale_factor=2, mode="nearest"), {Term.UPSAMPLED: 1920}),
        (nn.Flatten(), {}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layers(module, expected):
    assert both(layer(module), image.clone()) == expected


vector, volume = torch.zeros(2, 4, 16), torch.zeros(1, 4, 4, 6, 8)
"""128 and 768 numbers."""


@pytest.mark.parametrize(
    ("module", "x", "expected"),
    [
        (
            nn.Conv1d(4, 6, 3, padding="same"),
            vector,
            {Term.MATRIX: 2 * 6 * 16 * 12, Term.BIAS: 192},
        ),
        (nn.Conv3d(4, 6, 3, bias=False), volume, {Term.MATRIX: 6 * 2 * 4 * 6 * 4 * 27}),
        (nn.ConvTranspose1d(4, 6, 3, 2, bias=False), vector, {Term.MATRIX: 2 * 16 * 4 * 6 * 3}),
        (nn.RMSNorm(10), image, {Term.NORM: 2 * 480}),
        (nn.AvgPool1d(2), vector, {Term.POOLING: 128}),
        (nn.MaxPool1d(2), vector, {Term.POOLING: 128}),
        (nn.AdaptiveAvgPool1d(3), vector, {Term.POOLING: 128}),
        (nn.AdaptiveMaxPool1d(2), vector, {Term.POOLING: 128}),
        (nn.AvgPool3d(2), volume, {Term.POOLING: 768}),
        (nn.MaxPool3d(2), volume, {Term.POOLING: 768}),
        (nn.AdaptiveAvgPool3d(2), volume, {Term.POOLING: 768}),
        (nn.AdaptiveMaxPool3d(1), volume, {Term.POOLING: 768}),
        (
            nn.Upsample(scale_factor=2, mode="linear"),
            vector,
            {Term.INTERPOLATION: 2 * 256, Term.UPSAMPLED: 256},
        ),
        (
            nn.Upsample(scale_factor=2, mode="trilinear"),
            volume,
            {Term.INTERPOLATION: 8 * 6144, Term.UPSAMPLED: 6144},
        ),
        (
            nn.Upsample(scale_factor=2, mode="bicubic"),
            image,
            {Term.INTERPOLATION: 16 * 1920, Term.UPSAMPLED: 1920},
        ),
        (nn.Upsample(scale_factor=2), volume, {Term.UPSAMPLED: 6144}),
        (nn.Upsample(scale_factor=2, mode="nearest-exact"), image, {Term.UPSAMPLED: 1920}),
    ],
    ids=lambda value: getattr(value, "mode", type(value).__name__),
)
def test_layers_of_one_and_three_dimensions(module, x, expected):
    assert both(layer(module), x) == expected


def test_resizing_with_antialiasing_widens_its_kernel():
    # 6 x 10 becomes 3 x 5: twice as wide, so 5 taps along a row, then 5 along a column
    shrink = Calls(lambda _, x: functional.interpolate(x, (3, 5), mode="bilinear", antialias=True))
    expected = 8 * 6 * 5 * 5 + 8 * 3 * 5 * 5
    assert both(shrink, image) == {Term.INTERPOLATION: expected, Term.UPSAMPLED: 120}
    # bicubic, 6 x 10 becomes 12 x 20: 2 neighbours on each side, 5 taps
    mode = {"mode": "bicubic", "antialias": True}
    grow = Calls(lambda _, x: functional.interpolate(x, (12, 20), **mode))
    expected = 8 * 6 * 20 * 5 + 8 * 12 * 20 * 5
    assert both(grow, image) == {Term.INTERPOLATION: expected, Term.UPSAMPLED: 1920}


sequence = torch.zeros(5, 2, 8)
"""5 steps, batch 2, 8 numbers."""


def recurrent(module):
    return Calls(lambda self, x: self.layer(x)[0], layer=module)


def in_modes(module, *inputs):
    """Count like :func:`both`, without the arithmetic that no mode counts."""
    module = module.eval()
    first, second = count_operations(module, inputs), trace_operations(module, inputs)
    assert first.unknown[WHOLE] == second.unknown[WHOLE] == ()
    for terms in MODES.values():
        assert first.total(WHOLE, terms) == second.work[WHOLE].total(terms)
    amounts = {term: second.work[WHOLE].amounts.get(term, 0) for term in Term}
    return {term: n for term, n in amounts.items() if n and term is not Term.ARITHMETIC}


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        # 10 steps of 4 gates with 6 units: 8 inputs and 6 states, two biases, 5 activations
        (
            nn.LSTM(8, 6),
            {Term.MATRIX: 10 * 24 * 14, Term.BIAS: 10 * 48, Term.ACTIVATION: 10 * 6 * 5},
        ),
        (nn.LSTM(8, 6, bias=False), {Term.MATRIX: 10 * 24 * 14, Term.ACTIVATION: 10 * 6 * 5}),
        # two directions; the second layer sees 12 inputs
        (
            nn.LSTM(8, 6, 2, bidirectional=True, batch_first=True),
            {
                Term.MATRIX: 10 * 2 * 24 * (14 + 18),
                Term.BIAS: 10 * 4 * 48,
                Term.ACTIVATION: 10 * 4 * 6 * 5,
            },
        ),
        # the state is a projection of 6 to 3
        (
            nn.LSTM(8, 6, proj_size=3),
            {Term.MATRIX: 10 * (24 * 11 + 18), Term.BIAS: 10 * 48, Term.ACTIVATION: 10 * 6 * 5},
        ),
        (
            nn.GRU(8, 6),
            {Term.MATRIX: 10 * 18 * 14, Term.BIAS: 10 * 36, Term.ACTIVATION: 10 * 6 * 3},
        ),
        (nn.RNN(8, 6), {Term.MATRIX: 10 * 6 * 14, Term.BIAS: 10 * 12, Term.ACTIVATION: 60}),
    ],
    ids=["lstm", "no bias", "two directions", "projected", "gru", "rnn"],
)
def test_recurrent_layers(module, expected):
    assert in_modes(recurrent(module), sequence) == expected


def test_a_packed_sequence_counts_its_own_steps():
    def packed(self, x):
        return self.layer(nn.utils.rnn.pack_padded_sequence(x, torch.tensor([5, 3])))[0].data

    found = in_modes(Calls(packed, layer=nn.GRU(8, 6)), sequence)
    assert found[Term.MATRIX] == 8 * 18 * 14


ATTENTION = 10 * 8 * 24 + 2 * 2 * 5 * 5 * (4 + 4) + 10 * 8 * 8
"""10 tokens of 8 numbers become queries, keys and values; 2 heads attend; 8 numbers come out."""


@pytest.mark.parametrize("with_weights", [True, False])
def test_multi_head_attention_in_eval_mode(with_weights):
    module = Calls(
        lambda self, x: self.layer(x, x, x, need_weights=with_weights)[0],
        layer=nn.MultiheadAttention(8, 2),
    )
    assert in_modes(module, sequence)[Term.MATRIX] == ATTENTION


@pytest.mark.parametrize("count", [1, 3])
def test_transformer_encoders_in_eval_mode(count):
    each = nn.TransformerEncoderLayer(8, 2, 16)
    module = layer(
        nn.TransformerEncoder(each, count, enable_nested_tensor=False) if count > 1 else each
    )
    was = torch.backends.mha.get_fastpath_enabled()
    assert in_modes(module, sequence)[Term.MATRIX] == count * (ATTENTION + 2 * 10 * 8 * 16)
    assert torch.backends.mha.get_fastpath_enabled() is was


@pytest.mark.parametrize(
    ("equation", "shapes", "macs"),
    [
        ("bchw,bchw->bchw", [(2, 4, 6, 10)] * 2, 0),  # element by element
        ("i,j->ij", [(6,), (10,)], 0),
        ("bchw->bc", [(2, 4, 6, 10)], 0),
        ("ii->i", [(6, 6)], 0),
        ("ij,kl->ik", [(3, 4), (5, 6)], 0),  # each is summed before
        ("bchw,bchw->bhw", [(2, 4, 6, 10)] * 2, 480),
        ("i,i", [(6,), (6,)], 6),
        ("...ij,...jk", [(2, 1, 3, 4), (5, 4, 6)], 2 * 5 * 3 * 4 * 6),
        ("ij,jk,kl->il", [(3, 4), (4, 5), (5, 6)], 3 * 4 * 5 + 3 * 5 * 6),
        ("bn,anm,bm->ba", [(2, 5), (3, 5, 4), (2, 4)], 2 * 5 * 3 * 4 + 2 * 3 * 4),
    ],
)
def test_einsum_counts_the_products_that_torch_forms(equation, shapes, macs):
    module = Calls(lambda _, *inputs: torch.einsum(equation, *inputs))
    found = in_modes(module, *(torch.zeros(shape) for shape in shapes))
    assert found.get(Term.MATRIX, 0) == macs


def test_einsum_in_a_given_order():
    a, b, c = torch.zeros(3, 4), torch.zeros(4, 5), torch.zeros(5, 2)
    module = Calls(
        lambda _, *inputs: torch.ops.aten.einsum("ij,jk,kl->il", list(inputs), path=[1, 2, 0, 1])
    )
    assert in_modes(module, a, b, c) == {Term.MATRIX: 4 * 5 * 2 + 3 * 4 * 2}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda m: m @ m[0], {Term.MATRIX: 60}),
        (lambda m: m[0] @ m[1], {Term.MATRIX: 10}),
        (lambda m: torch.vdot(m[0], m[1]), {Term.MATRIX: 10}),
        (lambda m: torch.addmv(m[:, 0], m, m[0]), {Term.MATRIX: 60, Term.BIAS: 6}),
        (lambda m: torch.inner(m, m[:2]), {Term.MATRIX: 6 * 2 * 10}),
        (lambda m: torch.tensordot(m, m, ([1], [1])), {Term.MATRIX: 6 * 6 * 10}),
        (
            lambda m: torch.addbmm(m[:, :6], m[None], m.T[None]),
            {Term.MATRIX: 6 * 6 * 10, Term.BIAS: 36},
        ),
        # 2 x 60 points of 3 numbers times a matrix of 2 x 3
        (
            lambda m: functional.affine_grid(torch.zeros(2, 2, 3), (2, 4, 6, 10), False),
            {Term.MATRIX: 2 * 60 * 2 * 3},
        ),
        # 6 pairs with 4 outputs: 10 x 10 weights, then the product with the second input
        (
            lambda m: functional.bilinear(m, m, torch.zeros(4, 10, 10), torch.zeros(4)),
            {Term.MATRIX: 6 * 4 * (100 + 10), Term.BIAS: 24},
        ),
        (lambda m: torch.cdist(m, m[:2]), {Term.MATRIX: 6 * 2 * 10}),
        (lambda m: torch.cdist(m, m[:2], p=1), {Term.ARITHMETIC: 6 * 2 * 10}),
        (torch.pdist, {Term.MATRIX: 15 * 10}),
        # 4 output steps of batch 2: 3 taps, 3 inputs, 4 outputs
        (
            lambda m: torch.conv_tbc(torch.zeros(6, 2, 3), torch.zeros(3, 3, 4), torch.zeros(4)),
            {Term.MATRIX: 4 * 2 * 3 * 3 * 4, Term.BIAS: 4 * 2 * 4},
        ),
    ],
    ids=[
        "mv",
        "dot",
        "vdot",
        "addmv",
        "inner",
        "tensordot",
        "addbmm",
        "affine_grid",
        "bilinear",
        "cdist",
        "cdist1",
        "pdist",
        "conv_tbc",
    ],
)
def test_products_of_vectors_and_others(function, expected):
    found = both(Calls(lambda _, m: function(m)), torch.zeros(6, 10))
    assert {term: found.get(term, 0) for term in expected} == expected
    assert found.get(Term.MATRIX, 0) == expected.get(Term.MATRIX, 0)


def test_the_product_of_a_bilinear_layer_alone():
    # as torch calls it: 1 is the output, 2 and 3 are the axes of the inputs
    def product(_, a, weight, b):
        return torch._trilinear(a, weight, b, [1, 3], [0], [1, 2], [2, 3])

    inputs = torch.zeros(6, 10), torch.zeros(4, 10, 7), torch.zeros(6, 7)
    count = count_operations(Calls(product), inputs)
    assert count.total(WHOLE, MODES["conv"]) == 6 * 4 * 10 * 7 + 6 * 4 * 7


@pytest.mark.parametrize(
    ("function", "macs"),
    [
        # 4 signals of 16 numbers: 5/2 n log2 n each, half if one side is real
        (lambda x: torch.fft.fft(torch.complex(x, x)), 4 * 160),
        (torch.fft.fft, 4 * 80),
        (torch.fft.rfft, 4 * 80),
        (lambda x: torch.fft.rfft(x, n=8), 4 * 30),
        (lambda x: torch.fft.irfft(torch.complex(x, x), n=16), 4 * 80),
        # one image of 4 x 16 numbers
        (torch.fft.rfft2, 5 * 64 * 6 // 4),
        (torch.fft.fft2, 5 * 64 * 6 // 2),
        (lambda x: torch.fft.fftn(x, dim=(1,)), 4 * 160),
        (torch.fft.rfftn, 5 * 64 * 6 // 4),
        # each row: 1 + 16 / 4 frames of 8 numbers
        (lambda x: torch.stft(x, 8, 4, return_complex=True), 4 * 5 * 30),
        (
            lambda x: torch.istft(torch.complex(x, x)[:, None].expand(4, 5, 16), 8, 2),
            4 * 16 * 30,
        ),
    ],
    ids=["fft", "real", "rfft", "cut", "irfft", "rfft2", "fft2", "fftn", "rfftn", "stft", "istft"],
)
def test_fourier_transforms(function, macs):
    found = in_modes(Calls(lambda _, x: function(x)), torch.ones(4, 16))
    assert found == {Term.FOURIER: macs}


def test_operators_whose_result_is_not_used_cost_all_the_same():
    def drops(self, x):
        self.layer(x)
        return {"x": x, "nothing": None}

    expected = {Term.MATRIX: 2 * 60 * 4 * 3}
    assert both(Calls(drops, layer=nn.Conv2d(4, 3, 1, bias=False)), image) == expected


def test_keywords_and_nested_inputs():
    def product(_, pair, *, scale, flag):
        return pair["a"] @ pair["b"][0] * scale if flag else None

    module = Calls(product)
    module.forward = lambda *inputs, **keywords: product(None, *inputs, **keywords)
    inputs = ({"a": torch.zeros(3, 4), "b": [torch.zeros(4, 5)]},)
    keywords = {"scale": torch.ones(1), "flag": True}
    matrix = frozenset({Term.MATRIX})
    assert count_operations(module, inputs, keywords=keywords).total(WHOLE, matrix) == 60
    assert trace_operations(module, inputs, keywords=keywords).work[WHOLE].total(matrix) == 60


def test_matrix_products_in_every_shape():
    # 2 x 4 pairs of (6 x 10) and (10 x 6)
    expected = {Term.MATRIX: 2 * 4 * 6 * 10 * 6}
    assert both(Calls(lambda _, x: x @ x.transpose(2, 3)), image) == expected
    product = Calls(lambda _, x: torch.einsum("bchw,bcvw->bchv", x, x))
    assert both(product, image) == expected


def test_a_batched_product_with_a_bias():
    x, bias = torch.zeros(2, 6, 10), torch.zeros(6, 1)
    found = both(Calls(lambda _, b, x: torch.baddbmm(b, x, x.transpose(1, 2))), bias, x)
    assert found == {Term.MATRIX: 2 * 6 * 10 * 6, Term.BIAS: 2 * 6 * 6}


def test_attention_counts_both_products():
    query, value = torch.zeros(1, 2, 5, 8), torch.zeros(1, 2, 7, 8)
    attend = Calls(lambda _, q, v: functional.scaled_dot_product_attention(q, v, v))
    # 2 heads, 5 queries, 7 keys, 8 numbers each for scores and for values
    found = both(attend, query, value)
    assert found[Term.MATRIX] == 2 * 5 * 7 * (8 + 8)


def test_a_deformable_convolution():
    offset = torch.zeros(2, 18, 6, 10)
    module = Calls(lambda self, x, o: self.layer(x, o), layer=DeformConv2d(4, 5, 3, padding=1))
    expected = {Term.MATRIX: 2 * 60 * 5 * 4 * 9, Term.SAMPLING: 2 * 60 * 4 * 9 * 4}
    assert both(module, image, offset) == expected


def test_a_modulated_depthwise_deformable_convolution():
    offset, mask = torch.zeros(2, 18, 6, 10), torch.ones(2, 9, 6, 10)
    kernel = torch.zeros(4, 1, 3, 3)
    module = Calls(lambda _, x, o, m: deform_conv2d(x, o, kernel, padding=1, mask=m))
    expected = {Term.MATRIX: 2 * 60 * 4 * 9, Term.SAMPLING: 2 * 60 * 4 * 9 * 5}
    assert both(module, image, offset, mask) == expected


@pytest.mark.parametrize(("ratio", "samples"), [(3, 9), (1, 1), (-1, 4)])
def test_roi_align(ratio, samples):
    boxes = torch.tensor([[0.0, 0, 0, 5, 5], [0, 1, 1, 4, 3], [1, 0, 0, 9, 5]])
    module = Calls(lambda _, x, b: roi_align(x, b, (2, 7), 1.0, ratio))
    # 3 boxes, 4 channels, 14 cells, each from samples of 4 neighbours
    assert both(module, image, boxes) == {Term.SAMPLING: 3 * 4 * 14 * samples * 4}


@pytest.mark.parametrize(("mode", "reads"), [("bilinear", 4), ("bicubic", 16), ("nearest", 0)])
def test_grid_sampling_counts_what_comes_out(mode, reads):
    grid = torch.zeros(2, 3, 5, 2)
    module = Calls(lambda _, x, g: functional.grid_sample(x, g, mode, align_corners=False))
    found = both(module, image, grid)
    assert found.get(Term.SAMPLING, 0) == reads * 2 * 4 * 15


def test_grid_sampling_of_a_volume():
    module = Calls(lambda _, x, g: functional.grid_sample(x, g, align_corners=False))
    found = both(module, volume, torch.zeros(1, 2, 3, 5, 3))
    assert found == {Term.SAMPLING: 8 * 4 * 30}


def test_roi_align_by_position_reads_each_channel_once():
    boxes = torch.tensor([[0.0, 0, 0, 5, 5], [1, 0, 0, 9, 5]])
    module = Calls(lambda _, x, b: ps_roi_align(x, b, (2, 2), 1.0, 3))
    # 2 boxes, 4 channels, each from 3 x 3 samples of 4 neighbours
    assert both(module, image, boxes) == {Term.SAMPLING: 2 * 4 * 9 * 4}


def test_the_correlation_is_one_operator():
    module = Calls(lambda _, a, b: correlation(a, b))
    assert both(module, image, image) == {Term.CORRELATION: 2 * 441 * 4 * 60}


def test_arithmetic_between_layers_is_of_no_mode():
    found = both(Calls(lambda _, x: (x * 2 + 1).sum()), image)
    assert found == {Term.ARITHMETIC: 3 * 480}
    assert not any(Term.ARITHMETIC in terms for terms in MODES.values())


def test_suppression_costs_nothing_and_is_known():
    boxes, scores = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 1]]), torch.ones(2)
    assert both(Calls(lambda _, b, s: nms(b, s, 0.5)), boxes, scores) == {}


def test_an_operator_without_a_formula_is_named_by_both():
    module = Calls(lambda self, x: torch.geqrf(self.layer(x))[0], layer=nn.ReLU())
    assert count_operations(module, [image]).unknown == {WHOLE: ("aten::geqrf",)}
    assert trace_operations(module, [image]).unknown == {WHOLE: ("aten::geqrf",)}


def test_parts_and_the_rest_add_up_to_the_whole():
    module = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Sequential(nn.Conv2d(4, 2, 1), nn.ReLU()))
    wrapped = Calls(lambda self, x: torch.geqrf(self.net(x))[0] * 2, net=module)
    parts = {"first": ["net.0"], "second": ["net.1"]}
    count = count_operations(wrapped, [image], parts)
    trace = trace_operations(wrapped, [image], parts)
    matrix = frozenset({Term.MATRIX})
    assert [count.total(part, matrix) for part in (WHOLE, "first", "second", "rest")] == [
        *(2 * 60 * 4 * (4 + 2), 2 * 60 * 16, 2 * 60 * 8, 0)
    ]
    for part, work in count.work.items():
        for terms in MODES.values():
            found = sum(each.total(terms) for each in work.values())
            assert found == trace.work[part].total(terms)
    assert count.unknown == trace.unknown
    assert count.unknown["rest"] == ("aten::geqrf",)
    assert count.unknown["first"] == ()


def test_the_meta_device_counts_the_same():
    module = Calls(
        lambda self, x, g: functional.interpolate(
            functional.grid_sample(self.layer(x), g, align_corners=True), scale_factor=2
        ),
        layer=nn.Conv2d(4, 4, 3, 1, 1),
    )
    inputs = (image, torch.zeros(2, 6, 10, 2))
    here = count_operations(module, inputs)
    there = count_operations(module.to("meta"), [each.to("meta") for each in inputs])
    for terms in (*MODES.values(), frozenset(Term)):
        assert here.total(WHOLE, terms) == there.total(WHOLE, terms) > 0
    assert math.prod(inputs[0].shape) == 480
