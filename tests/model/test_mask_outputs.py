import pytest
import torch
from torch import nn

from mapt_bench.model.mask_outputs import MaskPredictor

torch.set_num_threads(1)


@pytest.fixture
def layers():
    """The same as torch's own layers, one after the other."""
    torch.manual_seed(0)
    return nn.Sequential(nn.ConvTranspose2d(6, 6, 2, stride=2), nn.ReLU(), nn.Conv2d(6, 3, 1))


@pytest.mark.parametrize("count", [1, 5])
def test_it_is_the_layers_that_it_is_made_of(layers, count):
    predictor = MaskPredictor(6, 3)
    predictor.load_state_dict(layers.state_dict())
    x = torch.randn(count, 6, 7, 7)
    labels = torch.tensor([3, 1, 2, 1, 3][:count])
    expected = layers(x)[torch.arange(count), labels - 1]
    found = predictor(x, labels)
    assert torch.allclose(found, expected, atol=1e-6)

    weights = torch.randn_like(expected)
    (expected * weights).sum().backward()
    (found * weights).sum().backward()
    theirs = dict(layers.named_parameters())
    for name, parameter in predictor.named_parameters():
        assert torch.allclose(parameter.grad, theirs[name].grad, atol=1e-4), name


def test_weights_keep_the_names_of_the_sequence(layers):
    assert list(MaskPredictor(6, 3).state_dict()) == list(layers.state_dict())
