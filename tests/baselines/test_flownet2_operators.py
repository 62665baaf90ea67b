import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from mapt_bench.baselines.flownet2.flow_layers import channel_norm, warp
from mapt_bench.model.correlation import correlation

torch.set_num_threads(1)


def _loop(first, second, max_displacement, stride):
    """The definition, one displacement after the other."""
    height, width = first.shape[-2:]
    wide = functional.pad(second, (max_displacement,) * 4)
    steps = range(0, 2 * max_displacement + 1, stride)
    maps = [
        (first * wide[..., dy : dy + height, dx : dx + width]).mean(dim=1)
        for dy in steps
        for dx in steps
    ]
    return torch.stack(maps, dim=1)


def _maps(seed, *shape, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=dtype) for _ in range(2)]


@pytest.mark.parametrize(
    ("shape", "max_displacement", "stride"),
    [
        ((1, 8, 8, 16), 20, 2),
        ((2, 3, 5, 41), 20, 2),  # a batch, and a width that fills no whole block
        ((1, 4, 3, 97), 4, 2),
        ((2, 4, 6, 7), 3, 1),
        ((1, 4, 6, 61), 6, 3),
        ((1, 1, 1, 1), 0, 1),
    ],
)
def test_correlation_is_its_definition(shape, max_displacement, stride):
    first, second = _maps(0, *shape)
    found = correlation(first, second, max_displacement, stride)
    expected = _loop(first, second, max_displacement, stride)
    assert found.is_contiguous()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_correlation_has_441_channels_and_finds_the_shift():
    first, _ = _maps(1, 1, 32, 16, 48)
    second = torch.roll(first, (4, -6), dims=(2, 3))  # 4 cells down, 6 to the left
    found = correlation(first, second)
    assert found.shape == (1, 441, 16, 48)
    best = found[0, :, 8, 24].argmax().item()
    assert divmod(best, 21) == (10 + 2, 10 - 3)  # dy is the outer loop, in steps of 2 cells


def test_correlation_has_the_right_gradient():
    maps = [each.requires_grad_() for each in _maps(2, 2, 2, 2, 3, dtype=torch.float64)]
    assert torch.autograd.gradcheck(lambda a, b: correlation(a, b, 2, 2), maps)


def test_correlation_keeps_the_rules_of_torch_operators():
    maps = [each.requires_grad_() for each in _maps(3, 1, 2, 3, 5)]
    torch.library.opcheck(
        torch.ops.mapt_bench.correlation.default,
        (*maps, 4, 2),
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
    )


def test_correlation_is_one_operator_to_a_counter_of_operations():
    def macs(first, second, max_displacement, stride, *, out_shape=None, **_):
        return out_shape[1] * first[0] * first[1] * first[2] * first[3]

    counter = FlopCounterMode(
        display=False, custom_mapping={torch.ops.mapt_bench.correlation: macs}
    )
    with torch.device("meta"), counter:
        correlation(torch.empty(1, 256, 48, 160), torch.empty(1, 256, 48, 160))
    assert counter.get_total_flops() == 867_041_280


class _LargestTensor(TorchDispatchMode):
    """Remembers the largest piece of memory that any operation returned."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                cells = leaf.untyped_storage().nbytes() // leaf.element_size()
                self.numel = max(self.numel, cells)
        return result


def test_correlation_builds_no_copy_of_the_features_for_each_displacement():
    from mapt_bench.model.correlation import _banded_products

    first, second = _maps(4, 1, 128, 48, 80)
    with _LargestTensor() as largest:
        out = _banded_products(first, second, 20, 2)
    padded = 128 * (48 + 40) * (80 + 40)
    assert largest.numel <= max(out.numel(), 2 * padded)
    assert largest.numel < 441 * first.numel() / 50


@pytest.mark.parametrize(
    ("shapes", "reach", "said"),
    [
        (((1, 2, 3, 4), (1, 2, 3, 5)), (4, 2), r"\(1, 2, 3, 4\) and \(1, 2, 3, 5\)"),
        (((2, 3, 4), (2, 3, 4)), (4, 2), r"expected twice the same \(B, C, H, W\)"),
        (((1, 2, 3, 4), (1, 2, 3, 4)), (3, 2), "stride 2 does not divide max_displacement 3"),
    ],
)
def test_correlation_refuses_what_it_is_not_defined_for(shapes, reach, said):
    with pytest.raises(ValueError, match=said):
        correlation(*(torch.zeros(shape) for shape in shapes), *reach)


def test_warp_samples_where_the_flow_leads():
    image = torch.arange(12.0).view(1, 1, 3, 4)
    flow = torch.zeros(1, 2, 3, 4)
    flow[0, :, 0, 0] = torch.tensor([1.0, 2.0])  # one to the right, two down: row 2, column 1
    flow[0, :, 1, 1] = torch.tensor([0.5, 0.0])  # between 5 and 6
    flow[0, :, 2, 3] = torch.tensor([9.0, 9.0])  # far outside: the nearest pixel of the border
    warped = warp(image, flow)[0, 0]
    assert warped[0, 0] == pytest.approx(9.0)
    assert warped[1, 1] == pytest.approx(5.5)
    assert warped[2, 3] == pytest.approx(11.0)
    assert warped[0, 3] == pytest.approx(3.0)


def test_warp_of_one_row_or_column_is_finite():
    assert torch.isfinite(warp(torch.ones(1, 1, 1, 1), torch.zeros(1, 2, 1, 1))).all()


def test_warp_and_channel_norm_have_the_right_gradients():
    image, flow = _maps(5, 1, 2, 4, 5, dtype=torch.float64)
    # Half a cell away from the grid: at whole cells bilinear sampling has a kink.
    inputs = [image.requires_grad_(), (flow.round() + 0.5).clamp(-0.5, 0.5).requires_grad_()]
    assert torch.autograd.gradcheck(lambda a, b: channel_norm(warp(a, b)), inputs)


def test_channel_norm_is_the_length_over_channels():
    norm = channel_norm(torch.tensor([3.0, 4.0]).view(1, 2, 1, 1))
    np.testing.assert_allclose(norm, [[[[5.0]]]])


def test_channel_norm_of_nothing_has_gradient_0():
    nothing = torch.zeros(1, 3, 2, 2, requires_grad=True)
    channel_norm(nothing).sum().backward()
    assert torch.equal(nothing.grad, torch.zeros(1, 3, 2, 2))
