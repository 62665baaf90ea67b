import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional

from mapt_bench.training.augmentation import Light, draw_lights
from mapt_bench.training.recipe import AugmentSettings

IMAGE = torch.tensor([0.2, 0.4, 0.6])[:, None, None].expand(3, 2, 2)


def test_no_light_changes_nothing():
    assert Light().of_image(IMAGE) is IMAGE


def test_brightness_multiplies_and_stays_in_range():
    assert Light(brightness=0.5).of_image(IMAGE)[:, 0, 0].tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert Light(brightness=9.0).of_image(IMAGE).max() == 1


def test_without_saturation_the_image_is_grey():
    grey = Light(saturation=0.0).of_image(IMAGE)[:, 0, 0]
    assert grey.max() - grey.min() < 1e-6


def test_half_a_turn_of_the_hue_swaps_red_and_blue_here():
    assert Light(hue=0.5).of_image(IMAGE)[:, 0, 0].tolist() == pytest.approx(
        [0.6, 0.4, 0.2], abs=1e-5
    )


def test_frames_of_a_clip_share_their_light_up_to_the_jitter():
    same = AugmentSettings(brightness=0.4, contrast=0.3, saturation=0.2, hue=0.1)
    first, second = draw_lights(same, 2, np.random.default_rng(3))
    assert first == second != Light()
    apart = AugmentSettings(brightness=0.4, frame_jitter=0.25)
    differing = 0
    for seed in range(50):
        one, other = draw_lights(apart, 2, np.random.default_rng(seed))
        differing += one.brightness != other.brightness  # not where both reach the end of the range
        assert abs(one.brightness - other.brightness) <= 0.4 * 0.25 * 2
        assert 0.6 <= one.brightness <= 1.4
        assert one.hue == 0
    assert differing > 40


@pytest.mark.parametrize("hue", [-0.5, -0.02, 0.3, 0.5])
def test_hues_turn_as_torchvision_turns_them(hue):
    image = torch.rand(3, 16, 24, generator=torch.Generator().manual_seed(0))
    image[:, :4] = image[:1, :4]  # greys have no hue
    turned = Light(hue=hue).of_image(image)
    assert torch.allclose(turned, functional.adjust_hue(image, hue), atol=1e-4)
