import math

import pytest
import torch
from torch.nn import functional

from mapt_bench.errors import DataError
from mapt_bench.labels import label_space
from mapt_bench.model.config import SemanticConfig
from mapt_bench.model.conv_layers import head_norm
from mapt_bench.model.semantic import SemanticHead, _at_even_pixels

torch.set_num_threads(1)

LABELS = label_space("kitti-step")


def head_of(stride=4, **changes):
    torch.manual_seed(0)
    config = SemanticConfig(**{"channels": 8} | changes)
    return SemanticHead(config, 6, LABELS, norm=head_norm("group"), feature_stride=stride)


def pyramid(height=64, width=96, batch=2):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(batch, 6, height // stride, width // stride, generator=generator)
        for stride in (4, 8, 16, 32)
    ]


@pytest.mark.parametrize("dpc", [True, False])
@pytest.mark.parametrize("stride", [4, 8])
def test_shapes_and_gradients(dpc, stride):
    head = head_of(stride, dpc=dpc)
    output = head(pyramid())
    assert output.logits.shape == (2, 19, 16, 24)
    assert output.features.shape == (2, 8, 64 // stride, 96 // stride)
    output.logits.square().sum().backward()
    assert all(each.grad.abs().max() > 0 for each in head.parameters())


def test_maps_are_classified_as_if_laid_side_by_side():
    head = head_of().double()
    maps = [torch.randn(1, 8, *size).double() for size in ((16, 24), (8, 12), (4, 6), (2, 3))]
    enlarged = [
        functional.interpolate(each, size=(16, 24), mode="bilinear", align_corners=False)
        for each in maps
    ]
    expected = head.classify(torch.cat(enlarged, dim=1))
    torch.testing.assert_close(head._classified(maps), expected)


def test_the_loss_is_the_mean_over_the_hardest_quarter_of_each_image():
    # One row of 4x4 = 16 pixels. Logits are those of road (first class) alone, equal over a cell of
    # 4x4 pixels; so all pixels of the image have one of two losses.
    head = head_of()
    logits = torch.zeros(1, 19, 1, 1)
    semantic = torch.zeros(1, 4, 4, dtype=torch.long)
    assert head.loss(logits, semantic).item() == pytest.approx(math.log(19))

    logits[:, 0] = 10  # sure of road: 12 pixels right; 4 pixels of sky wrong, a quarter
    semantic[0, 0] = 10
    wrong = -math.log(1 / (math.exp(10) + 18))
    assert head.loss(logits, semantic).item() == pytest.approx(wrong)
    semantic[0, 0, :2] = 255  # two of the wrong ones void: 14 known, of which 3.5 -> 4 hardest
    right = -math.log(math.exp(10) / (math.exp(10) + 18))
    assert head.loss(logits, semantic).item() == pytest.approx((2 * wrong + 2 * right) / 4)


def test_the_loss_of_a_batch_is_the_mean_of_those_of_its_images():
    head = head_of()
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 19, 8, 8, generator=generator)
    semantic = torch.randint(0, 19, (2, 30, 31), generator=generator)  # 2 and 1 pixels of padding
    semantic[1, :20] = 255
    together = head.loss(logits, semantic)
    apart = [head.loss(logits[i : i + 1], semantic[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(together, (apart[0] + apart[1]) / 2)


def test_an_image_that_is_all_void_teaches_nothing():
    head = head_of()
    logits = torch.randn(1, 19, 2, 2, requires_grad=True)
    loss = head.loss(logits, torch.full((1, 8, 8), 255))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().max() == 0


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_strided_losses_agree_where_classes_are_blocks(stride):
    head = head_of(loss_stride=stride, hard_fraction=1.0)
    logits = torch.randn(1, 19, 1, 1).expand(1, 19, 4, 4)
    semantic = torch.arange(16).view(1, 4, 4).repeat_interleave(4, 1).repeat_interleave(4, 2)
    expected = functional.cross_entropy(logits, torch.arange(16).view(1, 4, 4))
    torch.testing.assert_close(head.loss(logits, semantic), expected)


def test_class_weights_scale_the_pixels_of_their_class():
    head = head_of(hard_fraction=1.0)
    logits = torch.zeros(1, 19, 1, 1)
    semantic = torch.zeros(1, 4, 4, dtype=torch.long)
    semantic[0, 0] = 1
    weights = torch.ones(19)
    weights[1] = 3
    # 12 pixels at weight 1 and 4 at weight 3, divided by their number.
    expected = math.log(19) * (12 + 12) / 16
    assert head.loss(logits, semantic, class_weights=weights).item() == pytest.approx(expected)


def test_a_missing_level_is_named():
    with pytest.raises(DataError, match="there are 3 levels; expected 4"):
        head_of()(pyramid()[1:])


FINE = {"fine_channels": 4, "loss_stride": 2}


def test_the_fine_level_refines_the_logits():
    head = head_of(**FINE)
    levels = pyramid()
    fine = torch.randn(2, 6, 32, 48)
    logits = head([fine, *levels]).logits
    assert logits.shape == (2, 19, 32, 48)
    logits.square().sum().backward()
    assert all(each.grad.abs().max() > 0 for each in head.parameters())
    with torch.no_grad():
        coarse = head_of()
        coarse.load_state_dict(head.state_dict(), strict=False)
        without = coarse(levels).logits
        head.refine.classify.weight.zero_()
        head.refine.classify.bias.zero_()
        enlarged = functional.interpolate(without, size=(32, 48), mode="bilinear")
        torch.testing.assert_close(head([fine, *levels]).logits, enlarged)
    with pytest.raises(DataError, match="expected 5, at strides 2 to 32"):
        head(levels)


def test_fine_logits_are_compared_with_pixels_at_their_own_place():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(1, 19, 6, 8, generator=generator)
    semantic = torch.randint(11, (1, 11, 15), generator=generator)
    pixels = functional.interpolate(logits, size=(12, 16), mode="bilinear")[:, :, :11, :15]
    expected = functional.cross_entropy(pixels[..., ::2, ::2], semantic[:, ::2, ::2])
    found = head_of(**FINE, hard_fraction=1.0).loss(logits, semantic)
    torch.testing.assert_close(found, expected)
    every = head_of(fine_channels=4, hard_fraction=1.0).loss(logits, semantic)
    torch.testing.assert_close(every, functional.cross_entropy(pixels, semantic))


def test_class_weights_of_the_configuration_multiply_losses():
    weights = tuple(1.0 + number for number in range(19))
    head, plain = head_of(class_weights=weights, hard_fraction=1.0), head_of(hard_fraction=1.0)
    logits = torch.zeros(1, 19, 1, 1)
    for channel, class_id in ((0, 0), (3, LABELS.class_ids[3])):
        semantic = torch.full((1, 4, 4), class_id)
        expected = (1 + channel) * plain.loss(logits, semantic)
        torch.testing.assert_close(head.loss(logits, semantic), expected)
    assert head.state_dict().keys() == plain.state_dict().keys()


def test_even_pixels_are_those_of_the_map_enlarged_twice():
    x = torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(0)).requires_grad_()
    ours = _at_even_pixels(x)
    theirs = functional.interpolate(x, scale_factor=2, mode="bilinear")[..., ::2, ::2]
    torch.testing.assert_close(ours, theirs)
    up = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        torch.autograd.grad(ours, x, up), torch.autograd.grad(theirs, x, up), atol=1e-6, rtol=1e-5
    )
