import math

import pytest
import torch
from torch.nn import functional

from mapt_bench.errors import DataError
from mapt_bench.model.appearance import AppearanceHead
from mapt_bench.model.config import AppearanceConfig

torch.set_num_threads(1)


def head(propagated=6, **changes):
    torch.manual_seed(0)
    settings = {"hidden_channels": 16, "embedding_channels": 4} | changes
    return AppearanceHead(AppearanceConfig(**settings), 8, propagated, samples=1)


def pyramid(value):
    """A map of one value each side of the middle, at all strides."""
    levels = []
    for stride in (4, 8, 16, 32):
        level = torch.zeros(1, 8, 64 // stride, 128 // stride)
        level[..., : level.shape[3] // 2] = value
        levels.append(level)
    return levels


def test_only_the_pixels_of_an_instance_count():
    masks = torch.zeros(2, 64, 128, dtype=torch.bool)
    masks[0, 16:48, 32:60] = True  # the left part of its box, away from the border at column 64
    masks[1, 16:48, 70:96] = True
    boxes = torch.tensor([[32.0, 16, 96, 48]]).repeat(2, 1)  # both have the same box
    described = head().describe(pyramid(3.0), [boxes], [masks])
    assert torch.allclose(described[0], torch.full((8,), 3.0), atol=0.2)
    assert torch.allclose(described[1], torch.zeros(8), atol=0.2)


def test_a_mask_between_all_points_is_read_as_its_box():
    mask = torch.zeros(1, 64, 128, dtype=torch.bool)
    boxes = torch.tensor([[0.0, 0, 48, 48]])
    described = head().describe(pyramid(3.0), [boxes], [mask])
    assert torch.allclose(described, torch.full((1, 8), 3.0), atol=0.1)


def test_images_without_instances_are_described_by_nothing():
    levels = [level.repeat(2, 1, 1, 1) for level in pyramid(1.0)]
    none, one = torch.zeros(0, 4), torch.tensor([[0.0, 0, 8, 8]])
    masks = torch.ones(1, 64, 128, dtype=torch.bool)
    assert head().describe(levels, [none, none], [masks[:0]] * 2).shape == (0, 8)
    assert head().describe(levels, [none, one], [masks[:0], masks]).shape == (1, 8)


def test_propagated_features_are_means_over_soft_masks():
    features = torch.arange(8.0).view(1, 2, 4)
    masks = torch.zeros(2, 2, 4)
    masks[0, 0, 1], masks[0, 0, 3] = 1.0, 0.5  # values 1 and 3
    assert AppearanceHead.propagated(features, masks).tolist() == [[pytest.approx(2.5 / 1.5)], [0]]


@pytest.mark.parametrize("gate", ["channel", "scalar"])
def test_embeddings_are_unit_vectors_that_propagated_features_change(gate):
    network = head(gate=gate)
    described, carried = torch.randn(3, 8), torch.randn(3, 6)
    alone, both = network(described), network(described, carried)
    assert torch.allclose(both.norm(dim=1), torch.ones(3))
    assert (alone - both).abs().max() > 1e-3
    assert network.gate.out_features == (16 if gate == "channel" else 2)


def test_the_gate_weighs_both_to_one():
    network = head(gate="scalar")
    with torch.no_grad():
        network.gate.weight.zero_()
        network.gate.bias.copy_(torch.tensor([math.log(3.0), 0.0]))  # three to one
    described, carried = torch.randn(2, 8), torch.randn(2, 6)
    mixed = 0.75 * described + 0.25 * network.project(carried)
    assert torch.allclose(network(described, carried), network(mixed), atol=1e-6)


@pytest.mark.parametrize("network", [head(static=True), head(None)], ids=["static", "no motion"])
def test_a_static_head_has_no_weights_for_propagated_features(network):
    assert network.is_static
    assert not any(name.startswith(("gate", "project")) for name in network.state_dict())
    described = torch.randn(2, 8)
    assert torch.equal(network(described, torch.randn(2, 6)), network(described))


def test_the_scale_begins_as_told_and_is_held():
    network = head(initial_scale=10.0)
    assert network.scale.item() == pytest.approx(10)
    with torch.no_grad():
        network.log_scale.fill_(50.0)
    assert network.scale.item() == 100


def test_gradients_reach_every_parameter_but_the_scale():
    network = head()
    loss = functional.mse_loss(network(torch.randn(3, 8), torch.randn(3, 6)), torch.zeros(3, 4))
    (loss + network(torch.randn(3, 8))[0, 0]).backward()
    missing = [name for name, each in network.named_parameters() if each.grad is None]
    assert missing == ["log_scale"]


def red_and_blue():
    """Two squares, the left one red and the right one blue, on grey."""
    image = torch.zeros(1, 3, 32, 64)
    image[0, 0, 8:16, 4:12] = 1
    image[0, 2, 8:16, 40:48] = 1
    boxes = torch.tensor([[2.0, 6, 14, 18], [40, 8, 48, 16], [4, 8, 12, 16]])
    masks = torch.zeros(3, 32, 64, dtype=torch.bool)
    masks[0, 8:16, 4:12] = masks[2, 8:16, 4:12] = True
    masks[1, 8:16, 40:48] = True
    return image, boxes, masks


def test_colours_are_those_of_the_pixels_of_the_mask():
    torch.manual_seed(0)
    image, boxes, masks = red_and_blue()
    colours = AppearanceHead(AppearanceConfig(colour_channels=4), 8, None, samples=1).colours
    found = colours(image, [boxes], [masks])
    assert found.shape == (3, 4 + 45 + 2)
    quantiles = found[:, 4:19].view(3, 5, 3)
    assert quantiles[0].tolist() == quantiles[2].tolist() == [[1, 0, 0]] * 5
    assert quantiles[1].tolist() == [[0, 0, 1]] * 5
    # Pixels beside the mask change nothing.
    image[0, :, :7], image[0, 1, 17:] = 9, 9
    assert torch.equal(colours(image, [boxes], [masks]), found)


def test_a_head_with_colours_describes_by_pyramid_and_image():
    image, boxes, masks = red_and_blue()
    head = AppearanceHead(AppearanceConfig(colour_channels=4), 8, 6, samples=1)
    levels = [torch.ones(1, 8, 32 // stride, 64 // stride) for stride in (4, 8, 16, 32)]
    described = head.describe(levels, [boxes], [masks], image)
    assert described.shape == (3, 8 + 4 + 45 + 2)
    assert head(described, torch.ones(3, 6)).norm(dim=1).tolist() == pytest.approx([1, 1, 1])
    none = head.describe(levels, [boxes[:0]], [masks[:0]], image)
    assert head(none).shape == (0, 128)
    with pytest.raises(DataError, match="got no images"):
        head.describe(levels, [boxes], [masks])
