import pytest
import torch
from helpers.drawn_frames import CAR, PERSON, drawn_batch, drawn_frame
from helpers.frame_network import FrameNetwork, seeds
from torchvision.ops import box_iou

from mapt_bench.model.config import InstanceConfig
from mapt_bench.model.config_files import mapt_config
from mapt_bench.model.conv_layers import head_norm
from mapt_bench.model.instance import Detections, InstanceHead
from mapt_bench.model.proposals import jittered_boxes

torch.set_num_threads(1)

LOSSES = {"loss_objectness", "loss_proposal", "loss_class", "loss_box", "loss_mask"}
SMALL = {
    "fpn.channels": 16,
    "semantic.channels": 16,
    "instance.box_channels": 16,
    "instance.mask_channels": 16,
    "backbone.widths": [8, 16, 16, 16],
}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return FrameNetwork(mapt_config("mapt-tiny", **SMALL)).train()


def instance_losses(network, images, targets, generators=None):
    size = tuple(images.shape[-2:])
    return network.instance.losses(network.levels(images), size, targets, generators=generators)


def test_every_loss_reaches_every_parameter(network):
    images, targets = drawn_batch()
    losses = instance_losses(network, images, targets)
    assert losses.keys() == LOSSES
    network.zero_grad()
    sum(losses.values()).backward()
    for name, parameter in network.instance.named_parameters():
        assert parameter.grad.abs().max() > 0, name


def test_a_batch_without_things_is_valid_and_all_parameters_have_a_gradient(network):
    image, target = drawn_frame([])
    losses = instance_losses(network, image[None], [target])
    network.zero_grad()
    sum(losses.values()).backward()
    assert losses["loss_mask"] == losses["loss_box"] == losses["loss_proposal"] == 0
    assert losses["loss_objectness"] > 0
    assert losses["loss_class"] > 0
    for name, parameter in network.instance.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_seeded_losses_are_the_same_twice(network):
    images, targets = drawn_batch()
    first, again, other = (
        instance_losses(network, images, targets, seeds(*numbers))
        for numbers in ((1, 2), (1, 2), (3, 4))
    )
    assert all(torch.equal(first[name], again[name]) for name in LOSSES)
    assert first["loss_class"] != other["loss_class"]


def test_a_batch_costs_the_mean_of_its_images(network):
    # So that two processes with an image each do what one process does with both: also where one
    # of them has nothing to find.
    images, targets = drawn_batch()
    empty, nothing = drawn_frame([])
    images, targets = torch.cat((images, empty[None])), [*targets, nothing]
    together = network.losses(images, targets, seeds(1, 2, 3))
    apart = [network.losses(images[i : i + 1], targets[i : i + 1], seeds(i + 1)) for i in range(3)]
    for name, loss in together.items():
        mean = torch.stack([losses[name] for losses in apart]).mean()
        torch.testing.assert_close(loss, mean, atol=1e-5, rtol=1e-4)


def test_boxes_in_crowd_are_no_background(network):
    _, open_target = drawn_frame([(CAR, (10, 28, 40, 44))])
    image, crowded = drawn_frame([(CAR, (10, 28, 40, 44))], crowd=(48, 0, 96, 64))
    size = (64, 96)
    levels = network.levels(image[None])[-4:]  # strides 4 to 32
    anchors = network.instance.proposals._anchors(levels, size)
    centre_x = anchors[:, 0::2].mean(1)
    small = (anchors[:, 2] - anchors[:, 0]) < 20
    deep = small & (centre_x > 60) & (centre_x < 84) & (anchors[:, 1] > 0) & (anchors[:, 3] < 64)
    thing, background, _ = network.instance.proposals._matched(anchors, crowded)
    free_thing, free_background, _ = network.instance.proposals._matched(anchors, open_target)
    assert deep.sum() > 50
    assert not background[deep].any()
    assert free_background[deep].all()
    assert torch.equal(thing, free_thing)
    assert torch.equal(background[centre_x < 30], free_background[centre_x < 30])


def test_an_image_of_nothing_but_crowd_teaches_no_class(network):
    image, target = drawn_frame([], crowd=(0, 0, 96, 64))
    target.crowd[:] = True
    regions = network.instance._regions(
        torch.tensor([[0.0, 0.0, 50.0, 60.0]]), target, (64, 96), None
    )
    assert regions.labels.tolist() == [-100]
    losses = instance_losses(network, image[None], [target])
    assert losses["loss_class"] == losses["loss_box"] == losses["loss_mask"] == 0


def test_an_image_without_proposals_is_learnt_from_as_a_whole(network):
    _, target = drawn_frame([])
    regions = network.instance._regions(torch.zeros(0, 4), target, (64, 96), None)
    assert regions.boxes.tolist() == [[0, 0, 96, 64]]
    assert regions.labels.tolist() == [0]


def test_true_boxes_are_among_the_regions(network):
    _, target = drawn_frame([(CAR, (10, 28, 40, 44)), (PERSON, (60, 24, 67, 46))])
    regions = network.instance._regions(
        torch.tensor([[80.0, 0.0, 90.0, 10.0]]), target, (64, 96), None
    )
    assert sorted(regions.labels.tolist()) == [0, 1, 2]
    assert torch.equal(regions.things, target.boxes[regions.gt_index])
    assert torch.equal(regions.labels[:2], target.labels[regions.gt_index])


def test_detections_lie_in_the_image_and_below_the_limit():
    torch.manual_seed(0)
    config = mapt_config(
        "mapt-tiny", **SMALL, **{"instance.score_threshold": 0.0, "instance.detections": 7}
    )
    network = FrameNetwork(config).eval()
    images = torch.rand(2, 3, 50, 70)  # neither a multiple of 32
    with torch.no_grad():
        found = network.instance.detect(network.levels(images), (50, 70))
    for boxes, labels, scores, mask_logits in found:
        assert boxes.shape == (7, 4)
        assert mask_logits.shape == (7, 28, 28)
        assert set(labels.tolist()) <= {1, 2}
        assert (boxes >= 0).all()
        assert (boxes <= torch.tensor([70, 50, 70, 50])).all()
        assert torch.equal(scores, scores.sort(descending=True).values)


def test_an_image_where_nothing_is_found(network):
    network.eval()
    with torch.no_grad():
        network.instance.regions.score_thresh = 1.0
        found = network.instance.detect(network.levels(torch.rand(1, 3, 64, 96)), (64, 96))
        network.instance.regions.score_thresh = network.config.instance.score_threshold
    network.train()
    assert [len(part) for part in found[0]] == [0, 0, 0, 0]
    assert found[0].mask_logits.shape == (0, 28, 28)


@pytest.mark.parametrize("norm", ["batch", "frozen-batch", "group"])
@pytest.mark.parametrize("separable", [True, False])
def test_norms_and_kinds_of_convolutions(norm, separable):
    config = InstanceConfig(box_channels=16, mask_channels=8, mask_separable=separable)
    head = InstanceHead(config, 8, 3, norm=head_norm(norm))
    levels = [torch.randn(1, 8, 64 // stride, 96 // stride) for stride in (4, 8, 16, 32)]
    _, target = drawn_frame([(CAR, (10, 28, 40, 44))])
    assert all(loss.isfinite() for loss in head.losses(levels, (64, 96), [target]).values())


SHARP = {
    "instance.mask_fine": True,
    "instance.mask_dice": 1.0,
    "instance.iou_channels": 8,
    "instance.roi_jitter": 2,
    "instance.mask_convs": 1,
}


@pytest.fixture(scope="module")
def sharp():
    torch.manual_seed(0)
    return FrameNetwork(mapt_config("mapt-tiny", **SMALL, **SHARP)).train()


def test_the_branch_of_overlaps_and_the_fine_masks_learn(sharp):
    losses = instance_losses(sharp, *drawn_batch())
    assert losses.keys() == LOSSES | {"loss_iou"}
    sharp.zero_grad()
    sum(losses.values()).backward()
    for name, parameter in sharp.instance.named_parameters():
        assert parameter.grad.abs().max() > 0, name
    image, target = drawn_frame([])
    losses = instance_losses(sharp, image[None], [target])
    assert losses["loss_mask"] == losses["loss_iou"] == 0
    sharp.zero_grad()
    sum(losses.values()).backward()
    assert all(each.grad is not None for each in sharp.instance.parameters())


def test_a_batch_costs_the_mean_of_its_images_with_every_part(sharp):
    images, targets = drawn_batch()
    together = sharp.losses(images, targets, seeds(1, 2))
    apart = [sharp.losses(images[i : i + 1], targets[i : i + 1], seeds(i + 1)) for i in range(2)]
    for name, loss in together.items():
        mean = (apart[0][name] + apart[1][name]) / 2
        torch.testing.assert_close(loss, mean, atol=1e-5, rtol=1e-4)


def test_dice_is_added_to_the_loss_of_masks(sharp):
    images, targets = drawn_batch()
    plain = mapt_config("mapt-tiny", **SMALL, **SHARP | {"instance.mask_dice": 0.0})
    torch.manual_seed(0)
    other = FrameNetwork(plain).train()
    other.load_state_dict(sharp.state_dict())
    with_dice, without = (
        instance_losses(each, images, targets, seeds(1, 2))["loss_mask"] for each in (sharp, other)
    )
    assert 0 < with_dice - without < 1


def test_scores_are_multiplied_by_the_predicted_overlap_and_ranked_anew(sharp):
    found = Detections(
        boxes=torch.arange(12.0).view(3, 4),
        labels=torch.tensor([1, 2, 1]),
        scores=torch.tensor([0.9, 0.8, 0.6]),
        mask_logits=torch.zeros(3, 28, 28),
    )
    again = sharp.instance._rescored(found, torch.tensor([0.7, 1.0, 0.5]))
    torch.testing.assert_close(again.scores, torch.tensor([0.8, 0.63]))
    assert again.labels.tolist() == [2, 1]
    assert torch.equal(again.boxes, found.boxes[[1, 0]])


def test_moved_true_boxes_join_the_regions(sharp):
    _, target = drawn_frame([(CAR, (10, 28, 40, 44)), (PERSON, (60, 24, 67, 46))])
    nothing = torch.zeros(0, 4)
    regions = sharp.instance._regions(nothing, target, (64, 96), seeds(0)[0])
    assert 2 < len(regions.boxes) <= 6
    moved = jittered_boxes(target.boxes, 50, (64, 96), generator=seeds(0)[0])
    assert moved.shape == (100, 4)
    assert (moved >= 0).all()
    assert (moved <= torch.tensor([96, 64, 96, 64])).all()
    overlap = box_iou(moved, target.boxes)[torch.arange(100), torch.arange(100) % 2]
    assert (overlap >= 0.5).float().mean() > 0.7
    assert overlap.std() > 0.05
    assert not len(jittered_boxes(target.boxes, 0, (64, 96)))


def test_the_mask_branch_reads_large_regions_at_the_finest_level_too(sharp):
    levels = [torch.full((1, 16, 64 // s, 96 // s), float(s)) for s in (2, 4, 8, 16, 32)]
    with torch.no_grad():
        pooled = sharp.instance.regions.mask_roi_pool(levels, [torch.tensor([[0, 0, 90.0, 60.0]])])
    assert pooled.shape == (1, 32, 14, 14)
    assert (pooled[:, :16] > 3).all()
    torch.testing.assert_close(pooled[:, 16:], torch.full((1, 16, 14, 14), 2.0))
