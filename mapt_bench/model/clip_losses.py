"""What a clip teaches the whole model."""

import zlib
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from mapt_bench.errors import DataError
from mapt_bench.model.appearance import AppearanceHead
from mapt_bench.model.linking_losses import (
    Looks,
    earlier_and_later_masks,
    grid_masks,
    jittered_masks,
    mask_loss,
    matching_loss,
)
from mapt_bench.model.motion import MotionHead
from mapt_bench.model.network import FrameFeatures, MaptNetwork
from mapt_bench.model.targets import Clip, FrameTargets

__all__ = ["clip_losses"]


def clip_losses(network: MaptNetwork, clips: Sequence[Clip]) -> dict[str, Tensor]:
    """Return the losses of one step of training.

    All that is drawn at random for a clip is a function of the clip itself. So its losses do not
    depend on the batch or the process that it is in.

    Args:
        network: In training mode.
        clips: Pairs or triples; there may be no thing in them.

    Returns:
        Scalars, means over clips of what each clip gives by itself: those of the instance head,
        ``loss_semantic``, and ``loss_motion`` and ``loss_appearance`` where there are these heads.

    Raises:
        DataError: If there is no clip.
    """
    if not clips:
        raise DataError("there is no clip to learn from; give one or more")
    found = [_losses_of(network, clip) for clip in clips]
    losses = [of_clip for of_clip, _ in found]
    head = network.appearance
    if head is not None:
        looks = [of_clip for _, of_clip in found if of_clip is not None]
        in_batch = network.config.appearance.negatives == "batch"
        for index, of_clip in enumerate(losses):
            others = [*looks[:index], *looks[index + 1 :]] if in_batch else ()
            # Cosines are multiplied by up to 100: half precision would tell few of them apart.
            with torch.autocast(network.device.type, enabled=False):
                of_clip["loss_appearance"] = matching_loss(looks[index], head.scale, others)
    return {name: torch.stack([each[name] for each in losses]).mean() for name in losses[0]}


def _losses_of(network: MaptNetwork, clip: Clip) -> tuple[dict[str, Tensor], Looks | None]:
    draws = _generator_of(clip)
    height, width = clip.images.shape[-2:]
    seen = network.features(clip.images)
    losses = network.instance.losses(
        seen.levels,
        (height, width),
        clip.targets,
        generators=[_drawn_generator(draws) for _ in clip.targets],
    )
    semantic = torch.stack([target.semantic for target in clip.targets])
    losses["loss_semantic"] = network.semantic.loss(seen.semantic.logits, semantic)
    carried = None
    if network.motion is not None and seen.reduced is not None:
        losses["loss_motion"], carried = _motion_loss(
            network, network.motion, seen.reduced, clip.targets, draws
        )
    looks = None
    if network.appearance is not None:
        looks = _looks(network, network.appearance, seen, carried, clip.targets, draws)
    return losses, looks


def _motion_loss(
    network: MaptNetwork,
    head: MotionHead,
    reduced: Tensor,
    targets: Sequence[FrameTargets],
    draws: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Return the loss of a clip, and the features carried to each of its frames but the first.

    All pairs of neighbouring frames go through the head together.
    """
    settings = network.config.losses
    grid = (reduced.shape[2], reduced.shape[3])
    pairs = [
        earlier_and_later_masks(*pair, network.config.motion.stride, grid)
        for pair in pairwise(targets)
    ]
    jitters = float(torch.rand((), generator=draws)) < settings.jittered_masks
    masks = reduced.new_zeros(len(pairs), max(len(each[0]) for each in pairs), *grid)
    for index, (earlier, _, _) in enumerate(pairs):
        given = jittered_masks(earlier, draws) if jitters else earlier
        masks[index, : len(earlier)] = given
    output = head(reduced[:-1], reduced[1:], masks)
    found = [
        mask_loss(output.masks[index, in_both], later, bce=settings.motion_bce)
        for index, (_, in_both, later) in enumerate(pairs)
        if len(in_both)
    ]
    loss = torch.stack(found).mean() if found else 0 * output.masks.sum()
    return loss, output.features


def _looks(
    network: MaptNetwork,
    head: AppearanceHead,
    seen: FrameFeatures,
    carried: Tensor | None,
    targets: Sequence[FrameTargets],
    draws: torch.Generator,
) -> Looks:
    levels = seen.levels
    if network.config.losses.stop_gradient:
        levels = [level.detach() for level in levels]
    described = head.describe(
        levels, [target.boxes for target in targets], [target.masks for target in targets]
    )
    counts = [len(target.labels) for target in targets]
    embeddings = []
    for frame, part in enumerate(torch.split(described, counts)):
        dropped = float(torch.rand((), generator=draws)) < network.config.appearance.drop_propagated
        propagated = None
        if frame > 0 and carried is not None and not head.is_static and not dropped:
            features = carried[frame - 1]
            masks = grid_masks(
                targets[frame].masks,
                network.config.motion.stride,
                (features.shape[1], features.shape[2]),
            )
            propagated = head.propagated(features, masks)
        embeddings.append(head(part, propagated))
    device = described.device
    return Looks(
        torch.cat(embeddings).float(),
        torch.cat([target.track_ids for target in targets]),
        torch.cat([target.labels for target in targets]),
        torch.repeat_interleave(torch.tensor(counts)).to(device),
    )


def _generator_of(clip: Clip) -> torch.Generator:
    """Return what all draws for a clip are made from: its own contents decide.

    Then neither its place in a batch nor the process that it is in matters, and augmentation still
    changes what is drawn when the same frames come again.
    """
    some = clip.images[:, :, ::16, ::16].cpu().contiguous().numpy().tobytes()
    return torch.Generator().manual_seed(zlib.crc32(some, zlib.crc32(clip.name.encode())))


def _drawn_generator(draws: torch.Generator) -> torch.Generator:
    seed = torch.randint(2**62, (), generator=draws)
    return torch.Generator().manual_seed(int(seed))
