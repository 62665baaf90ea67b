"""The compiled loops against torch's operators: values and gradients."""

import shutil

import pytest
import torch
from torch.nn import functional
from torchvision.models.detection.roi_heads import project_masks_on_boxes
from torchvision.ops import box_iou

from mapt_bench.model import kernels
from mapt_bench.model.deform import deformable_pyramid
from mapt_bench.model.linking_losses import grid_masks
from mapt_bench.model.proposals import crowd_share
from mapt_bench.model.region_pool import RegionPool

torch.set_num_threads(1)

pytestmark = pytest.mark.skipif(
    shutil.which("g++") is None and shutil.which("clang++") is None, reason="there is no compiler"
)

TOLERANCE = {
    torch.float32: {"rtol": 1e-4, "atol": 1e-4},
    torch.bfloat16: {"rtol": 0.02, "atol": 0.03},
}


def drawn(*shape, seed=0, dtype=torch.float32):
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)
    if values.dim() == 4:
        values = values.contiguous(memory_format=torch.channels_last)
    return values.requires_grad_()


def assert_same(ours, theirs, inputs, dtype=torch.float32):
    """Values and gradients, the latter for the same gradient of the values."""
    up = torch.randn(ours.shape, generator=torch.Generator().manual_seed(9))
    torch.testing.assert_close(ours.float(), theirs.float(), **TOLERANCE[dtype])
    options = {"allow_unused": True, "materialize_grads": True}
    found = torch.autograd.grad(ours, inputs, up.to(ours.dtype), **options)
    wanted = torch.autograd.grad(theirs, inputs, up.to(theirs.dtype), **options)
    for one, other in zip(found, wanted, strict=True):
        scale = other.float().abs().max().clamp(min=1)
        torch.testing.assert_close(one.float() / scale, other.float() / scale, **TOLERANCE[dtype])


def without_kernels(monkeypatch, compute):
    with monkeypatch.context() as patch:
        patch.setattr(kernels, "library", lambda: None)
        return compute()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("channels", "groups", "slope"), [(64, 8, 0.01), (48, 6, 1.0), (16, 2, 0)])
def test_norm_and_activation(dtype, channels, groups, slope):
    x = drawn(2, channels, 5, 7, dtype=dtype)
    weight, bias = drawn(channels, seed=1), drawn(channels, seed=2)
    ours = kernels.norm_activation(x, weight, bias, groups=groups, epsilon=1e-5, slope=slope)
    normed = functional.group_norm(x.float(), groups, weight, bias)
    assert ours.dtype is dtype
    assert_same(ours, functional.leaky_relu(normed, slope), (x, weight, bias), dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("dilation", [(1, 1), (1, 6), (18, 15), (2, 3)])
def test_depthwise(dtype, dilation):
    x, weight = drawn(2, 32, 8, 13, dtype=dtype), drawn(32, 1, 3, 3, seed=1)
    ours = kernels.depthwise(x, weight, dilation)
    theirs = functional.conv2d(
        x.float(), weight, padding=dilation, dilation=dilation, groups=x.shape[1]
    )
    assert_same(ours, theirs, (x, weight), dtype)


def test_deformable_convolution():
    x, offsets = drawn(2, 19, 9, 11), drawn(2, 4, 9, 2, 9, 11, seed=1)
    weights, gate = drawn(4, 19, 1, 3, 3, seed=2), drawn(2, 4, 9, 11, seed=3)
    parts = (x, offsets, weights, gate)
    options = {"dilations": (1, 2, 3, 6), "gate": gate}
    ours = deformable_pyramid(x, offsets, weights, **options)
    assert type(ours.grad_fn).__name__ != "AddBackward0"  # it is the compiled one
    theirs = deformable_pyramid(x, offsets, weights, form="samples", **options)
    assert_same(ours, theirs, parts)


def test_empty_channels_may_be_left_out():
    x, offsets = drawn(2, 24, 6, 8), drawn(2, 1, 9, 2, 6, 8, seed=1)
    weights, gate = drawn(1, 24, 1, 3, 3, seed=2), drawn(2, 1, 6, 8, seed=3)
    with torch.no_grad():
        x[0, 5:] = 0
    whole, part = (
        deformable_pyramid(x, offsets, weights, dilations=(2,), gate=gate, used=used)
        for used in (None, [5, 24])
    )
    assert torch.equal(whole, part)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("samples", [1, 2])
def test_regions(monkeypatch, dtype, samples):
    levels = [
        drawn(2, 16, 64 // stride, 96 // stride, seed=stride, dtype=dtype)
        for stride in (2, 4, 8, 16, 32)
    ]
    first = torch.tensor([[0.0, 0, 96, 64], [3, 4, 9, 11], [3.5, 4, 30, 40], [90, 60, 96, 64]])
    boxes = [first, first[1:3] + 5]
    pool = RegionPool(5, samples=samples, canonical_scale=56, finest=2)
    theirs = without_kernels(monkeypatch, lambda: pool(levels, boxes))
    ours = pool(levels, boxes)
    assert "Index" in type(ours.grad_fn.next_functions[0][0]).__name__  # it is the compiled one
    assert_same(ours, theirs, levels, dtype)


def test_boxes_are_matched():
    dice = torch.Generator().manual_seed(0)
    corner = torch.rand(500, 2, generator=dice) * 80
    anchors = torch.cat((corner, corner + 1 + 30 * torch.rand(500, 2, generator=dice)), dim=1)
    boxes = torch.cat((anchors[[3, 77]] + 2, torch.tensor([[200.0, 200, 210, 210]])))
    best, index, is_own = kernels.match_boxes(boxes, anchors.t())
    overlap = box_iou(boxes, anchors)
    torch.testing.assert_close(best, overlap.max(0).values)
    touched = best > 0
    assert torch.equal(index[touched], overlap.argmax(0)[touched])
    assert set(is_own.nonzero().flatten().tolist()) == set(overlap[:2].argmax(1).tolist())


def test_crowd_is_counted(monkeypatch):
    dice = torch.Generator().manual_seed(0)
    crowd = torch.rand(20, 30, generator=dice) < 0.3
    corner = torch.rand(50, 2, generator=dice) * 35 - 3
    boxes = torch.cat((corner, corner + 12 * torch.rand(50, 2, generator=dice)), dim=1)
    theirs = without_kernels(monkeypatch, lambda: crowd_share(boxes, crowd))
    torch.testing.assert_close(crowd_share(boxes, crowd), theirs)


@pytest.mark.parametrize("size", [(20, 30), (24, 32)])
def test_masks_are_shrunk(monkeypatch, size):
    masks = torch.rand(3, *size, generator=torch.Generator().manual_seed(0)) < 0.4
    theirs = without_kernels(monkeypatch, lambda: grid_masks(masks, 4, (7, 9)))
    torch.testing.assert_close(grid_masks(masks, 4, (7, 9)), theirs)


def test_masks_are_read_in_boxes():
    dice = torch.Generator().manual_seed(0)
    masks = torch.rand(4, 20, 30, generator=dice) < 0.5
    corner = torch.rand(40, 2, generator=dice) * torch.tensor([29.0, 19.0])
    boxes = torch.cat((corner, corner + 20 * torch.rand(40, 2, generator=dice)), dim=1)
    whose = torch.randint(4, (40,), generator=dice)
    ours = kernels.pooled_masks(masks, boxes, whose, 7)
    theirs = project_masks_on_boxes(masks, boxes, whose, 7)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_they_are_for_gradients_alone():
    x = drawn(1, 16, 4, 4)
    assert kernels.is_suited(x)
    assert not kernels.is_suited(x.detach())
    assert not kernels.is_suited(x.double())
    with torch.no_grad():
        assert not kernels.is_suited(x)
