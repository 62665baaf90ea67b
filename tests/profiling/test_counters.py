"""Every formula, worked by hand, in both counts."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.ops import DeformConv2d, deform_conv2d, nms, roi_align

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


def test_grid_sampling_counts_what_comes_out():
    grid = torch.zeros(2, 3, 5, 2)
    module = Calls(lambda _, x, g: functional.grid_sample(x, g, align_corners=False))
    assert both(module, image, grid) == {Term.SAMPLING: 4 * 2 * 4 * 15}


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
    module = Calls(lambda self, x: torch.cumsum(self.layer(x), 1), layer=nn.ReLU())
    assert count_operations(module, [image]).unknown == {WHOLE: ("aten::cumsum",)}
    assert trace_operations(module, [image]).unknown == {WHOLE: ("aten::cumsum",)}


def test_parts_and_the_rest_add_up_to_the_whole():
    module = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Sequential(nn.Conv2d(4, 2, 1), nn.ReLU()))
    wrapped = Calls(lambda self, x: self.net(x).cumsum(1) * 2, net=module)
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
    assert count.unknown["rest"] == ("aten::cumsum",)
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
