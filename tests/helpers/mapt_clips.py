"""Clips of moving rectangles for the whole model, and one small enough for tests."""

from dataclasses import replace

import torch
from helpers.drawn_frames import CAR, PERSON, drawn_frame

from mapt_bench.model import MAPT, Clip, build_mapt, mapt_config
from mapt_bench.model.targets import FlowTargets

SWITCHES = {
    "appearance.static": True,
    "appearance.gate": "scalar",
    "appearance.negatives": "batch",
    "appearance.colour_channels": 8,
    "appearance.enabled": False,
    "propagation": "none",
    "losses.stop_gradient": True,
    "losses.jittered_masks": 1.0,
    "losses.motion_bce": True,
    "motion.dilations": [1],
    "motion.gate": False,
    "motion.cue": "difference",
    "motion.context_channels": None,
    "motion.deformable": False,
    "motion.design": "s8-c128",
    "semantic.dpc": False,
    "fpn.separable": False,
    "fpn.fine_channels": 8,
}
"""A value of each switch that the small model does not have by itself."""


def small_mapt(seed: int = 0, **changes: object) -> MAPT:
    torch.manual_seed(seed)
    small = {
        "instance.roi_samples": 16,
        "instance.anchor_samples": 32,
        "fpn.fine_channels": None,
        "instance.canonical_scale": 56,
    } | changes
    return build_mapt(mapt_config("mapt-tiny", **small))


def moving_clip(frames: int = 3, *, start: int = 10, things: bool = True) -> Clip:
    """A car that drives right and a person who walks left, ``frames`` times."""
    drawn = []
    for at in range(frames):
        left = start + 6 * at
        scene = [(CAR, (left, 28, left + 26, 44)), (PERSON, (70 - 3 * at, 24, 78 - 3 * at, 46))]
        drawn.append(drawn_frame(scene if things else []))
    images = torch.stack([image for image, _ in drawn])
    targets = tuple(target for _, target in drawn)
    return Clip(images, targets, f"drawn {start} {frames} {things}", (1,) * (frames - 1))


def with_flow(clip: Clip, **changes: object) -> Clip:
    """The same clip with a ground-truth flow: everything was five pixels further left."""
    frames, _, height, width = clip.images.shape
    flow = torch.zeros(frames - 1, 2, height, width)
    flow[:, 0] = -5
    valid = torch.ones(frames - 1, height, width, dtype=torch.bool)
    valid[:, :, :5] = False
    return replace(clip, motion=FlowTargets(flow, valid), **changes)
