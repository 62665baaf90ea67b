"""Frames of coloured rectangles with targets, small enough to train on in a test."""

import torch
from torch import Tensor

from mapt_bench.model.targets import FrameTargets

CAR, PERSON, ROAD, SKY, VOID = 13, 11, 0, 10, 255
_COLOR = {CAR: (0.1, 0.1, 0.9), PERSON: (0.9, 0.1, 0.1), ROAD: (0.4, 0.4, 0.4), SKY: (0.6, 0.8, 1)}
_LABEL = {PERSON: 1, CAR: 2}


def drawn_frame(
    things: list[tuple[int, tuple[int, int, int, int]]],
    *,
    size: tuple[int, int] = (64, 96),
    crowd: tuple[int, int, int, int] | None = None,
) -> tuple[Tensor, FrameTargets]:
    """Draw things, ``(class, (left, top, right, bottom))``, the last in front, on road and sky."""
    height, width = size
    semantic = torch.full(size, ROAD)
    semantic[: height // 3] = SKY
    masks = torch.zeros(len(things), height, width, dtype=torch.bool)
    for index, (class_id, (left, top, right, bottom)) in enumerate(things):
        semantic[top:bottom, left:right] = class_id
        masks[:index, top:bottom, left:right] = False
        masks[index, top:bottom, left:right] = True
    crowded = torch.zeros(size, dtype=torch.bool)
    if crowd is not None:
        left, top, right, bottom = crowd
        crowded[top:bottom, left:right] = True
        semantic[top:bottom, left:right] = PERSON
    image = torch.zeros(3, *size)
    for class_id, color in _COLOR.items():
        image += (semantic == class_id) * torch.tensor(color)[:, None, None]
    target = FrameTargets(
        semantic=semantic,
        boxes=torch.tensor([box for _, box in things], dtype=torch.float32).view(-1, 4),
        labels=torch.tensor([_LABEL[class_id] for class_id, _ in things], dtype=torch.long),
        masks=masks,
        track_ids=torch.arange(1, len(things) + 1),
        crowd=crowded,
    )
    return image, target


def drawn_batch() -> tuple[Tensor, list[FrameTargets]]:
    """Two frames with people and cars."""
    frames = [
        drawn_frame([(CAR, (10, 28, 40, 44)), (PERSON, (60, 24, 67, 46)), (CAR, (70, 30, 94, 42))]),
        drawn_frame([(PERSON, (20, 24, 27, 46)), (CAR, (34, 28, 64, 44))]),
    ]
    return torch.stack([image for image, _ in frames]), [target for _, target in frames]
