"""Random feature maps in which rectangles of known class move by a known number of cells."""

import torch
from torch import Tensor
from torch.nn import functional

from mapt_bench.model import MotionConfig, MotionHead, normalise_masks

CHANNELS, HEIGHT, WIDTH = 16, 16, 32
CLASSES, RECTANGLES, REACH = 5, 3, 4


def shifted_scene(batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return features and masks of two frames: before, now, masks before, masks now."""
    codes = torch.randn(CLASSES + 1, CHANNELS, generator=torch.Generator().manual_seed(0))
    order = torch.rand(batch, CLASSES, generator=generator).argsort(1)[:, :RECTANGLES] + 1
    codes = codes[functional.pad(order, (1, 0))]  # class 0 is the ground
    features, masks = [], []
    size = torch.randint(5, 11, (batch, RECTANGLES, 2), generator=generator)
    room = torch.tensor([HEIGHT, WIDTH]) - size
    first = (torch.rand(batch, RECTANGLES, 2, generator=generator) * (room + 1)).long()
    shift = torch.randint(-REACH, REACH + 1, (batch, RECTANGLES, 2), generator=generator)
    for corner in (first, first + shift):
        below = torch.arange(HEIGHT).view(1, 1, HEIGHT, 1) - corner[..., 0, None, None]
        right = torch.arange(WIDTH).view(1, 1, 1, WIDTH) - corner[..., 1, None, None]
        inside = (
            (below >= 0)
            & (below < size[..., 0, None, None])
            & (right >= 0)
            & (right < size[..., 1, None, None])
        )
        for nearer in range(1, RECTANGLES):  # a later rectangle hides the earlier ones
            inside[:, :nearer] &= ~inside[:, nearer : nearer + 1]
        shown = inside.to(torch.float32)
        classes = torch.cat((1 - shown.sum(1, keepdim=True), shown), dim=1)
        clean = torch.einsum("bkhw,bkc->bchw", classes, codes)
        noise = 0.1 * torch.randn(clean.shape, generator=generator)
        features.append(clean + noise)
        masks.append(shown)
    return features[0], features[1], masks[0], masks[1]


def soft_iou(pred: Tensor, gt: Tensor) -> Tensor:
    """Return the overlap of masks that may be soft, as the mean over those seen in ``gt``."""
    both = torch.minimum(pred, gt).sum((-2, -1))
    either = torch.maximum(pred, gt).sum((-2, -1))
    seen = gt.sum((-2, -1)) > 0
    return (both[seen] / either[seen]).mean()


def learn(config: MotionConfig, *, steps: int, seed: int, batch: int = 2) -> tuple[float, float]:
    """Train a head for some steps; return the overlap of copied and of propagated masks."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    head = MotionHead(config.with_changes(in_channels=CHANNELS))
    optimizer = torch.optim.Adam(head.parameters(), lr=3e-3)
    for _ in range(steps):
        before, now, masks_before, masks_now = shifted_scene(batch, generator)
        output = head(head.reduce(before), head.reduce(now), masks_before)
        both = (output.masks * masks_now).sum((-2, -1))
        total = output.masks.sum((-2, -1)) + masks_now.sum((-2, -1))
        loss = (1 - (2 * both + 1) / (total + 1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    unseen = shifted_scene(64, torch.Generator().manual_seed(10_000))
    before, now, masks_before, masks_now = unseen
    with torch.no_grad():
        output = head.eval()(head.reduce(before), head.reduce(now), masks_before)
    copied = soft_iou(normalise_masks(masks_before), masks_now)
    return copied.item(), soft_iou(output.masks, masks_now).item()
