"""What a clip teaches the whole model."""

import zlib
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from mapt_bench.errors import DataError
from mapt_bench.model.appearance import AppearanceHead
from mapt_bench.model.clip_things import ClipThings
from mapt_bench.model.linking_losses import (
    InstanceEmbeddings,
    flow_losses,
    jittered_masks,
    joined_embeddings,
    mask_losses,
    matching_loss,
)
from mapt_bench.model.motion import MotionHead, MotionOutput
from mapt_bench.model.network import FrameFeatures, MaptNetwork
from mapt_bench.model.patch_search import flow_in_cells
from mapt_bench.model.targets import Clip

__all__ = ["clip_losses", "instance_embeddings", "motion_loss"]


def clip_losses(network: MaptNetwork, clips: Sequence[Clip]) -> dict[str, Tensor]:
    """Return the losses of one step of training.

    All that is drawn at random for a clip is a function of the clip itself. So its losses do not
    depend on the batch or the process that it is in.

    The frames of all clips of one shape go through the network together. Clips of one frame teach
    what is seen in single frames: if any is among them, the heads that link frames are left out.
    Where nothing of the detector is trained, its losses are left out.

    Clips without semantics teach motion and appearance only. They count as 0 in the means of the
    other losses.

    Args:
        network: In training mode.
        clips: Single frames, pairs or triples; there may be no thing in them.

    Returns:
        Scalars, means over clips of what each clip gives by itself: those of the instance head,
        ``loss_semantic``, and ``loss_motion`` and ``loss_appearance`` where there are these heads.
        ``loss_flow`` where the motion head has matching and all clips have ground-truth flow.

    Raises:
        DataError: If there is no clip.
    """
    if not clips:
        raise DataError("there is no clip to learn from; give one or more")
    batches: dict[torch.Size, list[Clip]] = {}
    for clip in sorted(clips, key=lambda clip: not clip.has_semantics):
        batches.setdefault(clip.images.shape, []).append(clip)
    links = all(len(clip.targets) > 1 for clip in clips)
    knows_flow = all(clip.motion is not None for clip in clips)
    found = [
        _losses_of(network, batch, links=links, knows_flow=knows_flow) for batch in batches.values()
    ]
    losses = {
        name: torch.stack([sums[name] for sums, _ in found]).sum() / len(clips)
        for name in found[0][0]
    }
    if network.appearance is not None and links:
        # Cosines are multiplied by up to 100: half precision would tell few of them apart.
        with torch.autocast(network.device.type, enabled=False):
            losses["loss_appearance"] = matching_loss(
                joined_embeddings([instances for _, instances in found if instances is not None]),
                network.appearance.scale,
                clips=len(clips),
                across_clips=network.config.appearance.negatives == "batch",
            )
    return losses


def _losses_of(
    network: MaptNetwork, clips: Sequence[Clip], *, links: bool, knows_flow: bool
) -> tuple[dict[str, Tensor], InstanceEmbeddings | None]:
    """Return sums of losses over clips of one shape, whose frames are looked at together."""
    draws = [_generator_of(clip) for clip in clips]
    seen = network.features(torch.cat([clip.images for clip in clips]))
    losses = _detector_losses(network, seen, clips, draws)
    if not links:
        return losses, None
    things = ClipThings.of(clips, network.config.motion.stride, seen.semantic.features)
    carried = None
    if network.motion is not None and seen.reduced is not None:
        output, losses["loss_motion"] = motion_loss(
            network, network.motion, seen.reduced, things, draws
        )
        carried = output.features
        if knows_flow and network.motion.matcher is not None:
            losses["loss_flow"] = _flow_loss(network.motion, output, things, clips)
    instances = None
    if network.appearance is not None:
        # So few rows that half precision saves no time, and is prepared anew for each number.
        with torch.autocast(network.device.type, enabled=False):
            described = _described(network, network.appearance, seen, clips)
            instances = instance_embeddings(
                network, network.appearance, described, carried, things, draws
            )
    return losses, instances


def _detector_losses(
    network: MaptNetwork,
    seen: FrameFeatures,
    clips: Sequence[Clip],
    draws: Sequence[torch.Generator],
) -> dict[str, Tensor]:
    """Return sums over clips with semantics, which come before the others.

    All processes return the same names, so that they can average what they log.
    """
    if not any(parameter.requires_grad for parameter in network.detector_parameters()):
        return {}
    taught = sum(clip.has_semantics for clip in clips)
    if not taught:
        names = (*network.instance.loss_names, "loss_semantic")
        return {name: seen.images.new_zeros(()) for name in names}
    targets = [target for clip in clips[:taught] for target in clip.targets]
    generators = [
        _drawn_generator(own)
        for clip, own in zip(clips[:taught], draws, strict=False)
        for _ in clip.targets
    ]
    levels, logits = seen.levels, seen.semantic.logits
    if taught < len(clips):
        levels, logits = [level[: len(targets)] for level in levels], logits[: len(targets)]
    height, width = clips[0].images.shape[-2:]
    losses = network.instance.losses(levels, (height, width), targets, generators=generators)
    semantic = torch.stack([target.semantic for target in targets])
    losses["loss_semantic"] = network.semantic.loss(logits, semantic)
    return {name: taught * loss for name, loss in losses.items()}


def motion_loss(
    network: MaptNetwork,
    head: MotionHead,
    reduced: Tensor,
    things: ClipThings,
    draws: Sequence[torch.Generator],
) -> tuple[MotionOutput, Tensor]:
    """Find the motion of all pairs together; return it, and the sum of the losses over clips.

    Args:
        network: In training mode.
        head: Its motion head.
        reduced: The maps ``R`` of all frames, ``(frames, channels, rows, columns)``.
        things: Of these frames.
        draws: What is drawn at random for each clip.
    """
    settings = network.config.losses
    pairs = things.pairs()
    counts = [things.counts[earlier] for earlier, _ in pairs]
    masks = reduced.new_zeros(
        len(pairs), max(counts, default=0), *things.masks.shape[1:], dtype=torch.float32
    )
    jitters = [float(torch.rand((), generator=own)) < settings.jittered_masks for own in draws]
    for index, (earlier, _) in enumerate(pairs):
        clip = earlier // things.frames
        given = things.masks[things.of_frame(earlier)]
        masks[index, : len(given)] = jittered_masks(given, draws[clip]) if jitters[clip] else given
    output: MotionOutput = head(
        reduced[[earlier for earlier, _ in pairs]],
        reduced[[later for _, later in pairs]],
        masks.to(reduced.dtype),
        counts,
    )
    pair_of, before, after = _seen_twice(things, pairs)
    if not len(pair_of):
        return output, 0 * output.masks.sum()
    each = mask_losses(output.masks[pair_of, before], things.masks[after], bce=settings.motion_bce)
    of_pairs, known = _means(each, pair_of, len(pairs))
    return output, _sum_over_clips(of_pairs, known, things)


def _flow_loss(
    head: MotionHead, output: MotionOutput, things: ClipThings, clips: Sequence[Clip]
) -> Tensor:
    """Return the sum over clips of how far the motion is from the ground-truth flow."""
    motions = [clip.motion for clip in clips if clip.motion is not None]
    each = [earlier - earlier // things.frames for earlier, _ in things.pairs()]
    flow = torch.cat([motion.flow for motion in motions])[each]
    valid = torch.cat([motion.valid for motion in motions])[each]
    stride = head.config.stride
    rows, columns = output.gate.shape[-2:]
    margin = (0, stride * columns - flow.shape[3], 0, stride * rows - flow.shape[2])
    cells, known = flow_in_cells(
        functional.pad(flow, margin), functional.pad(valid, margin), stride
    )
    with torch.autocast(flow.device.type, enabled=False):
        # From (x, y) to (dy, dx).
        losses = flow_losses(output.offsets, output.gate, output.match, cells.flip(1), known)
    return _sum_over_clips(losses, known.flatten(1).any(1), things)


def _sum_over_clips(of_pairs: Tensor, known: Tensor, things: ClipThings) -> Tensor:
    """Return the sum over clips of the means over their pairs that are known."""
    owners = [earlier // things.frames for earlier, _ in things.pairs()]
    clip_of = torch.tensor(owners, device=of_pairs.device)
    of_clips, _ = _means(of_pairs[known], clip_of[known], len(things.starts_far))
    return of_clips.sum()


def _seen_twice(
    things: ClipThings, pairs: Sequence[tuple[int, int]]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return of each thing that is in both frames of a pair: pair, place in the first, thing."""
    found = []
    for index, (earlier, later) in enumerate(pairs):
        first, second = things.track_ids[earlier], things.track_ids[later]
        before, after = (first[:, None] == second[None]).nonzero().unbind(1)
        found.append(
            torch.stack((torch.full_like(before, index), before, after + things.starts[later]))
        )
    pair_of, before, after = torch.cat(found, dim=1)
    return pair_of, before, after


def _means(values: Tensor, owners: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the mean of each owner's values, 0 where there are none; and whether there are."""
    zeros = values.new_zeros(count)
    sums = zeros.index_add(0, owners, values)
    numbers = zeros.index_add(0, owners, torch.ones_like(values))
    return sums / numbers.clamp(min=1), numbers > 0


def _described(
    network: MaptNetwork, head: AppearanceHead, seen: FrameFeatures, clips: Sequence[Clip]
) -> Tensor:
    """Return what embeddings of the things of clips are made from."""
    levels = seen.levels
    if network.config.losses.stop_gradient:
        levels = [level.detach() for level in levels]
    targets = [target for clip in clips for target in clip.targets]
    boxes, masks = [target.boxes for target in targets], [target.masks for target in targets]
    return head.describe(levels, boxes, masks, seen.images).float()


def instance_embeddings(
    network: MaptNetwork,
    head: AppearanceHead,
    described: Tensor,
    carried: Tensor | None,
    things: ClipThings,
    draws: Sequence[torch.Generator],
) -> InstanceEmbeddings:
    """Return the embeddings of all things of clips of one shape.

    Args:
        network: In training mode.
        head: Its appearance head.
        described: What :meth:`AppearanceHead.describe` returns for the things.
        carried: Propagated features of each pair of frames, ``(pairs, channels, rows, columns)``;
            ``None`` without a motion head.
        things: Of these clips.
        draws: What is drawn at random for each clip.
    """
    dropped = [
        float(torch.rand((), generator=own)) < network.config.appearance.drop_propagated
        for own in draws
        for _ in range(things.frames)
    ]
    frame_of = things.frame_of
    embeddings = head(described)
    if carried is not None and not head.is_static:
        propagated, of_pairs = [], carried.float().unbind(0)
        follows = torch.zeros(len(dropped), dtype=torch.bool)
        for index, (_, frame) in enumerate(things.pairs()):
            if not dropped[frame]:
                follows[frame] = True
                propagated.append(
                    head.propagated(of_pairs[index], things.masks[things.of_frame(frame)])
                )
        if propagated:
            which = follows.to(frame_of.device)[frame_of].nonzero().flatten()
            moved = head(described[which], torch.cat(propagated))
            embeddings = embeddings.index_copy(0, which, moved)
    return InstanceEmbeddings(
        embeddings.float(),
        torch.cat(things.track_ids),
        torch.cat(things.labels),
        frame_of % things.frames,
        frame_of // things.frames,
    )


def _generator_of(clip: Clip) -> torch.Generator:
    """Return what all draws for a clip are made from: its own contents decide.

    Then neither its place in a batch nor the process that it is in matters, and augmentation still
    changes what is drawn when the same frames come again.
    """
    some = clip.images[:, :, ::16, ::16].cpu().contiguous().numpy().tobytes()
    return torch.Generator().manual_seed(
        zlib.crc32(some, zlib.crc32(clip.name.encode("utf-8", "surrogateescape")))
    )


def _drawn_generator(draws: torch.Generator) -> torch.Generator:
    seed = torch.randint(2**62, (), generator=draws)
    return torch.Generator().manual_seed(int(seed))
