import pytest
import torch
from torchvision.ops import MultiScaleRoIAlign

from mapt_bench.model.region_pool import RegionPool

torch.set_num_threads(1)


def pyramid(generator, *, height=128, width=256, images=2):
    return [
        torch.rand(images, 5, height // stride, width // stride, generator=generator)
        for stride in (4, 8, 16, 32)
    ]


def boxes_in(generator, count, *, height=128, width=256):
    corners = torch.rand(count, 2, 2, generator=generator) * torch.tensor([width, height])
    return torch.cat((corners.amin(1), corners.amax(1)), dim=1)


@pytest.mark.parametrize("samples", [1, 2])
def test_both_forms_give_the_values_and_gradients_of_torchvision(samples):
    generator = torch.Generator().manual_seed(0)
    levels = pyramid(generator)
    boxes = [boxes_in(generator, 30), boxes_in(generator, 20)]
    boxes[0][0] = torch.tensor([0.0, 0.0, 256.0, 128.0])  # the whole image, to its last pixel
    boxes[0][1] = torch.tensor([3.0, 3.0, 3.5, 3.2])  # less than a cell
    operator = MultiScaleRoIAlign(list("0123"), 7, samples, canonical_scale=56)
    pool = RegionPool(7, samples=samples, canonical_scale=56)
    expected = operator(dict(zip("0123", levels, strict=True)), boxes, [(128, 256)] * 2)
    weights = torch.rand(expected.shape, generator=generator)
    with torch.no_grad():
        torch.testing.assert_close(pool(levels, boxes), expected)

    gradients = []
    for form in (
        lambda x: operator(dict(zip("0123", x, strict=True)), boxes, [(128, 256)] * 2),
        lambda x: pool(x, boxes),
    ):
        wanted = [level.clone().requires_grad_() for level in levels]
        result = form(wanted)
        torch.testing.assert_close(result, expected)
        (result * weights).sum().backward()
        gradients.append([level.grad for level in wanted])
    for one, two in zip(*gradients, strict=True):
        assert one.abs().max() > 0  # regions of every size are among the boxes
        torch.testing.assert_close(two, one, atol=1e-5, rtol=1e-4)


def test_an_image_may_have_no_region_and_so_may_all():
    levels = [level.requires_grad_() for level in pyramid(torch.Generator().manual_seed(0))]
    pool = RegionPool(7, samples=1)
    none = torch.zeros(0, 4)
    one = torch.tensor([[8.0, 8.0, 24.0, 24.0]])
    torch.testing.assert_close(
        pool(levels, [none, one])[0], pool([level[1:] for level in levels], [one])[0]
    )
    assert pool(levels, [none, none]).shape == (0, 5, 7, 7)
