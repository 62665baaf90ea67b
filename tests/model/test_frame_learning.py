import pytest
import torch
from helpers.drawn_frames import CAR, drawn_batch, drawn_frame
from helpers.frame_network import FrameNetwork

from mapt_bench.model.config_files import mapt_config

torch.set_num_threads(1)


def test_losses_fall_within_thirty_steps():
    torch.manual_seed(0)
    network = FrameNetwork(mapt_config("mapt-tiny")).train()
    images, targets = drawn_batch()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    totals = []
    for _ in range(30):
        losses = network.losses(images, targets)
        total = sum(losses.values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert sum(totals[-3:]) < 0.5 * sum(totals[:3])
    fused = network.eval().fused(images[0])
    known = targets[0].semantic != 255
    stuff = torch.from_numpy(fused.segments.stuff)
    is_stuff = (targets[0].masks.sum(0) == 0) & known
    assert (stuff == targets[0].semantic)[is_stuff].float().mean() > 0.7


@pytest.mark.parametrize("name", ["mapt-compact", "mapt-regnety8gf", "mapt-small"])
def test_the_larger_models_are_built_and_learn_from_a_small_frame(name):
    torch.manual_seed(0)
    network = FrameNetwork(mapt_config(name)).train()
    image, target = drawn_frame([(CAR, (10, 28, 40, 44))], size=(64, 128))
    losses = network.losses(image[None].repeat(2, 1, 1, 1), [target, target])
    assert all(loss.isfinite() for loss in losses.values())
    sum(losses.values()).backward()
    for part, parameter in network.named_parameters():
        assert parameter.grad is not None, part
        assert parameter.grad.isfinite().all(), part


def test_the_tiny_model_stays_small():
    network = FrameNetwork(mapt_config("mapt-tiny"))
    assert sum(each.numel() for each in network.parameters()) < 1.6e6


def test_the_compact_model_fits_its_weights_into_seven_megabytes():
    network = FrameNetwork(mapt_config("mapt-compact"))
    assert network.semantic.logits_stride == 2
    assert 2 * sum(each.numel() for each in network.parameters()) < 6.5e6


def test_what_helps_small_things_is_off_unless_it_is_asked_for():
    for name in ("mapt-tiny", "mapt-small", "mapt-regnety8gf"):
        config = mapt_config(name)
        assert config.semantic.fine_channels is None
        assert config.semantic.class_weights is None
        assert config.instance.iou_channels is None
        assert not config.instance.mask_fine
        assert config.instance.mask_dice == 0
        assert config.instance.roi_jitter == 0
