import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models
from torchvision.ops import FrozenBatchNorm2d

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.model.backbone import build_backbone, load_imagenet, prepare_images
from mapt_bench.model.config import BackboneConfig

torch.set_num_threads(1)


def parameters(module):
    return sum(each.numel() for each in module.parameters())


@pytest.mark.parametrize(
    ("name", "channels", "millions", "gmacs"),
    [
        ("regnet_y_8gf", (32, 224, 448, 896, 2016), 37.36, 82.94),
        ("regnet_y_400mf", (32, 48, 104, 208, 440), 3.90, 3.93),
    ],
)
def test_a_trunk_is_that_of_torchvision(name, channels, millions, gmacs):
    backbone = build_backbone(BackboneConfig(name=name), norm="batch").to("meta").eval()
    assert backbone.channels == channels
    assert parameters(backbone) / 1e6 == pytest.approx(millions, abs=0.005)
    image = torch.empty(1, 3, 384, 1280, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        levels = backbone(image)
    assert counter.get_total_flops() / 2e9 == pytest.approx(gmacs, abs=0.005)
    assert [tuple(level.shape) for level in levels] == [
        (1, width, 384 // stride, 1280 // stride)
        for width, stride in zip(channels, (2, 4, 8, 16, 32), strict=True)
    ]


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    network = models.regnet_y_400mf(weights=None).eval()
    for name, values in network.state_dict().items():
        if name.endswith("running_mean"):  # as if it had seen images
            values.normal_(std=0.1)
    return network


@pytest.mark.parametrize("norm", ["batch", "frozen-batch"])
def test_weights_of_a_file_give_what_the_classifier_gives(tmp_path, classifier, norm):
    torch.save(classifier.state_dict(), tmp_path / "weights.pth")
    backbone = build_backbone(BackboneConfig(name="regnet_y_400mf"), norm=norm).eval()
    load_imagenet(backbone, tmp_path / "weights.pth")
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = classifier.trunk_output(classifier.stem(image))
        torch.testing.assert_close(backbone(image)[-1], expected, atol=1e-4, rtol=1e-4)


def test_weights_of_another_network_are_refused(tmp_path, classifier):
    torch.save(classifier.state_dict(), tmp_path / "weights.pth")
    backbone = build_backbone(BackboneConfig(name="tiny"), norm="batch")
    with pytest.raises(DataError, match="do not fit Backbone"):
        load_imagenet(backbone, tmp_path / "weights.pth")


def test_group_norm_takes_no_weights_of_batch_norm(tmp_path):
    backbone = build_backbone(BackboneConfig(name="tiny"), norm="group")
    with pytest.raises(ConfigError, match="set norm to frozen-batch"):
        load_imagenet(backbone, tmp_path / "weights.pth")


def test_a_frozen_norm_learns_nothing():
    backbone = build_backbone(BackboneConfig(name="tiny"), norm="frozen-batch")
    assert any(isinstance(module, FrozenBatchNorm2d) for module in backbone.modules())
    assert all(each.dim() == 4 for each in backbone.parameters())  # kernels alone


def test_images_are_normalised_and_padded():
    image = torch.full((1, 3, 33, 64), 0.5)
    prepared = prepare_images(image, mean=(0.5, 0.25, 0.0), std=(1, 0.5, 0.25))
    assert prepared.shape == (1, 3, 64, 64)
    assert prepared[0, :, 32, 63].tolist() == [0.0, 0.5, 2.0]
    assert prepared[0, :, 33:].abs().max() == 0
