import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mapt_bench.errors import DataError
from mapt_bench.model.config import FpnConfig
from mapt_bench.model.conv_layers import head_norm
from mapt_bench.model.fpn import TwoWayFPN

CHANNELS = (32, 224, 448, 896, 2016)


def levels_of(height, width, *, device="cpu", channels=CHANNELS):
    return [
        torch.zeros(1, count, height // stride, width // stride, device=device)
        for count, stride in zip(channels, (2, 4, 8, 16, 32), strict=True)
    ]


@pytest.mark.parametrize(("separable", "gmacs"), [(False, 24.1), (True, 2.8)])
def test_the_3x3_convolutions_cost_what_is_known_of_them(separable, gmacs):
    fpn = TwoWayFPN(FpnConfig(separable=separable), CHANNELS, norm=head_norm("batch"))
    fpn = fpn.to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        fpn(levels_of(384, 1280, device="meta"))
    counted = sum(
        sum(operators.values())
        for name, operators in counter.get_flop_counts().items()
        if name in {f"TwoWayFPN.output.{level}" for level in range(4)}
    )
    assert counted / 2e9 == pytest.approx(gmacs, abs=0.05)


def test_every_level_sees_every_level():
    torch.manual_seed(0)
    fpn = TwoWayFPN(FpnConfig(channels=8), (1, 2, 3, 4, 5), norm=head_norm("group")).eval()
    levels = levels_of(64, 96, channels=(1, 2, 3, 4, 5))
    levels = [torch.randn_like(level).requires_grad_() for level in levels]
    results = fpn(levels)
    assert [tuple(each.shape) for each in results] == [
        (1, 8, 64 // stride, 96 // stride) for stride in (4, 8, 16, 32)
    ]
    for result in results:
        gradients = torch.autograd.grad(
            result.square().sum(), levels[1:], retain_graph=True, allow_unused=True
        )
        assert all(gradient.abs().max() > 0 for gradient in gradients)


def test_the_fine_level_joins_what_the_stem_sees_with_the_pyramid():
    torch.manual_seed(0)
    config = FpnConfig(channels=8, fine_channels=4)
    assert (config.finest_stride, FpnConfig().finest_stride) == (2, 4)
    fpn = TwoWayFPN(config, (1, 2, 3, 4, 5), norm=head_norm("group")).eval()
    levels = levels_of(64, 96, channels=(1, 2, 3, 4, 5))
    levels = [torch.randn_like(level).requires_grad_() for level in levels]
    fine, *coarser = fpn(levels)
    assert (tuple(fine.shape), len(coarser)) == ((1, 8, 32, 48), 4)
    gradients = torch.autograd.grad(fine.square().sum(), levels, retain_graph=True)
    assert all(gradient.abs().max() > 0 for gradient in gradients)
    # The others are what they would be without it.
    assert torch.autograd.grad(coarser[0].sum(), levels[0], allow_unused=True) == (None,)


def test_sizes_need_not_halve():
    fpn = TwoWayFPN(FpnConfig(channels=8), (1, 2, 2), norm=head_norm("group"))
    sizes = ((1, 14, 9), (2, 7, 5), (2, 4, 3))
    results = fpn([torch.zeros(1, *size) for size in sizes])
    assert [tuple(each.shape[2:]) for each in results] == [(7, 5), (4, 3)]


def test_a_missing_level_is_named():
    fpn = TwoWayFPN(FpnConfig(channels=8), (1, 2, 2), norm=head_norm("group"))
    with pytest.raises(DataError, match="there are 2 levels; expected 3"):
        fpn([torch.zeros(1, 1, 16, 16), torch.zeros(1, 2, 8, 8)])
