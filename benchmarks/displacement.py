"""Can a motion head learn displacement that holds in any video? A small experiment.

Train a motion head alone, on flying clips only, for some minutes of one thread. Then measure the
masks that it carries on held-out clips, beside copying and DIS, by displacement. There is no trunk:
descriptors and shallow features come from the image, semantic features are zero.

    python benchmarks/displacement.py --variant matched --minutes 6 --save matched.safetensors
    python benchmarks/displacement.py --variant shallow --minutes 2 --losses mask --json -
    python benchmarks/displacement.py --load matched.safetensors --data DIR --minutes 0
"""

import math
import sys
import time
from collections import deque
from pathlib import Path

import click
import numpy as np
import real_frames
import torch
from numpy.typing import NDArray
from rich.console import Console
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mapt_bench.baselines.flow_without_network import DisFlow
from mapt_bench.cli.options import emit_json
from mapt_bench.files import check_writable
from mapt_bench.labels import BACKGROUND_ID, Frame, VideoInfo
from mapt_bench.model import MotionHead, motion_config, normalise_masks
from mapt_bench.model.backbone import prepare_images
from mapt_bench.model.linking_losses import flow_losses, grid_masks, mask_losses
from mapt_bench.model.patch_search import flow_in_cells
from mapt_bench.reports.table_formats import print_table
from mapt_bench.synthetic.flying import FlyingVideo, flying_clip
from mapt_bench.tracking import StandStill
from mapt_bench.tracking.propagation import FlowWarp

STRIDE = 4
CROP = (128, 256)
PAIRS, MASKS, PAIRS_OF_CLIP, CLIPS_AT_HAND = 4, 8, 24, 8
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
VARIANTS = ("matched", "shallow")


class HeadAlone(nn.Module):
    """A motion head without a trunk.

    Args:
        variant: ``matched`` searches for patches; ``shallow`` is the head as shipped, on two
            convolutions to stride 4.
    """

    needs_images = True

    def __init__(self, variant: str) -> None:
        super().__init__()
        if variant == "matched":
            # The semantic part is as small as it can be: there are no semantic features.
            small = {"in_channels": 4, "reduced_channels": 2, "out_channels": 4}
            self.head = MotionHead(motion_config("matched-s4").with_changes(**small))
            self.shallow: nn.Module | None = None
        else:
            widths = {"reduced_channels": 16, "context_channels": 16, "out_channels": 64}
            design = motion_config("gated-s4").with_changes(in_channels=64, **widths)
            self.head = MotionHead(design)
            self.shallow = nn.Sequential(
                nn.Conv2d(3, 12, 3, stride=2, padding=1),
                nn.LeakyReLU(0.1),
                nn.Conv2d(12, 64, 3, stride=2, padding=1),
                nn.LeakyReLU(0.1),
            )

    def reduce(self, images: Tensor) -> Tensor:
        """Return the cached map of normalised, padded images."""
        batch, _, height, width = images.shape
        if self.shallow is not None:
            return self.head.reduce(self.shallow(images))
        nothing = images.new_zeros(
            batch, self.head.config.in_channels, height // STRIDE, width // STRIDE
        )
        return self.head.reduce(nothing, images)

    def start(self, info: VideoInfo) -> None:
        """Nothing to prepare."""

    @torch.no_grad()
    def propagate(
        self, masks: NDArray[np.float32], from_frame: Frame, to_frame: Frame
    ) -> NDArray[np.float32]:
        """Carry masks of shape ``(n, height, width)`` to another frame."""
        images = np.stack((from_frame.image, to_frame.image)).transpose(0, 3, 1, 2)
        planes = torch.from_numpy(np.ascontiguousarray(images)).float() / 255
        reduced = self.reduce(prepare_images(planes, mean=_MEAN, std=_STD))
        return real_frames.carried_masks(self.head, reduced, masks)


class _Pairs:
    """Pairs of frames of flying clips, cut and changed at random."""

    def __init__(self, seed: int) -> None:
        self.dice = np.random.default_rng(seed)
        self.next = 0
        self.at_hand: deque[tuple[FlyingVideo, int]] = deque()

    def pair(self) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
        """Return two images, two maps of ids, and the flow in pixels, NaN where not valid."""
        dice = self.dice
        while len(self.at_hand) < CLIPS_AT_HAND:
            self.at_hand.append((flying_clip(self.next), PAIRS_OF_CLIP))
            self.next += 1
        clip, left = self.at_hand.popleft()
        if left > 1:
            # In its place in the queue, so that one clip is rendered frame after frame.
            self.at_hand.appendleft((clip, left - 1))
        gap = int(dice.integers(1, 4))
        later = int(dice.integers(gap, clip.info.frame_count))
        top = STRIDE * int(dice.integers((clip.info.height - CROP[0]) // STRIDE + 1))
        from_left = STRIDE * int(dice.integers((clip.info.width - CROP[1]) // STRIDE + 1))
        part = (slice(top, top + CROP[0]), slice(from_left, from_left + CROP[1]))
        frames = (later - gap, later)
        images = np.stack([clip.frame(index).image[part] for index in frames]).astype(np.float32)
        ids = np.stack([clip.truth(index).ids[part] for index in frames]).astype(np.int64)
        field = clip.flow_between(later, later - gap)
        flow = np.where(field.valid[..., None], field.flow, np.float32(np.nan))[part]
        if dice.random() < 0.5:
            images, ids, flow = images[:, :, ::-1], ids[:, :, ::-1], flow[:, ::-1] * (-1, 1)
        if dice.random() < 0.5:
            images, ids, flow = images[:, ::-1], ids[:, ::-1], flow[::-1] * (1, -1)
        gamma = np.exp(dice.normal(0, 0.2) + dice.normal(0, 0.05, (2, 1, 1, 1)))
        images = (images / 255) ** gamma
        return images.astype(np.float32), ids, flow.astype(np.float32)

    def batch(self) -> tuple[Tensor, Tensor, Tensor, list[tuple[Tensor, Tensor]]]:
        """Return images ``(2, b, 3, h, w)``, flow in cells and its validity, and masks."""
        found = [self.pair() for _ in range(PAIRS)]
        planes = torch.from_numpy(np.stack([images for images, _, _ in found], axis=1))
        images = planes.permute(0, 1, 4, 2, 3).flatten(0, 1)
        images = prepare_images(images, mean=_MEAN, std=_STD).unflatten(0, (2, PAIRS))
        flow = torch.from_numpy(np.stack([flow for _, _, flow in found])).permute(0, 3, 1, 2)
        cells, known = flow_in_cells(flow, flow.isfinite().all(1), STRIDE)
        # From (x, y) to (dy, dx).
        return images, cells.flip(1), known, [self._masks(ids) for _, ids, _ in found]

    def _masks(self, ids: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        both = np.intersect1d(ids[0], ids[1])
        chosen = self.dice.permutation(both[(both > 0) & (both != BACKGROUND_ID)])[:MASKS]
        grid = (CROP[0] // STRIDE, CROP[1] // STRIDE)
        masks = torch.from_numpy(np.ascontiguousarray(ids))[:, None]
        same = masks == torch.from_numpy(chosen)[None, :, None, None]
        return grid_masks(same[0], STRIDE, grid), grid_masks(same[1], STRIDE, grid)


def _losses(model: HeadAlone, pairs: _Pairs, *, flow: bool, mask: bool) -> Tensor:
    images, wanted, valid, masks = pairs.batch()
    before, now = model.reduce(images.flatten(0, 1)).unflatten(0, (2, PAIRS)).unbind()
    found = model.head.find_motion(before, now)
    total = images.new_zeros(())
    if flow:
        found_flow = flow_losses(found.offsets, found.gate, found.match, wanted, valid)
        total = total + found_flow.mean()
    if mask:
        total = (
            total
            + 2
            * torch.stack(
                [
                    mask_losses(
                        normalise_masks(
                            model.head.carry_masks(
                                earlier[None], found.offsets[[index]], found.gate[[index]]
                            )
                        )[0],
                        later,
                    ).mean()
                    for index, (earlier, later) in enumerate(masks)
                ]
            ).mean()
        )
    return total


def _train(model: HeadAlone, minutes: float, losses: str, rate: float, seed: int) -> int:
    """Train for some minutes of processor time, and return the number of steps."""
    pairs = _Pairs(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-4)
    start, steps = time.process_time(), 0
    while (done := (time.process_time() - start) / (60 * minutes or 1)) < min(1, minutes):
        warm = min(1, (steps + 1) / 100)
        for group in optimizer.param_groups:
            group["lr"] = rate * warm * max(0.02, 0.5 + 0.5 * math.cos(math.pi * done))
        # Masks come last: the carrying is slow to train, and needs offsets that are nearly right.
        mask = losses == "mask" or done > 0.75
        loss = _losses(model, pairs, flow=losses != "mask", mask=mask)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        steps += 1
    return steps


@click.command(help=__doc__)
@click.option("--variant", default="matched", show_default=True, type=click.Choice(VARIANTS))
@click.option("--minutes", default=6.0, show_default=True, help="Processor time of training.")
@click.option("--losses", default="flow", type=click.Choice(("flow", "mask")), show_default=True)
@click.option("--rate", default=1e-3, show_default=True, help="Learning rate.")
@click.option("--seed", default=0, show_default=True)
@click.option("--clips", default=40, show_default=True, help="Held-out clips to measure on.")
@click.option("--data", type=Path, help="Measure on this folder of real frames instead.")
@click.option("--load", type=Path, help="Start from these weights.")
@click.option("--save", type=Path, help="Write the weights here.")
@click.option("--json", "json_path", help="Write all figures here; - is stdout.")
def main(
    variant: str,
    minutes: float,
    losses: str,
    rate: float,
    seed: int,
    clips: int,
    data: Path | None,
    load: Path | None,
    save: Path | None,
    json_path: str | None,
) -> None:
    """Train, then measure."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    if json_path not in (None, "-"):
        check_writable(Path(str(json_path)))
    model = HeadAlone(variant)
    if load is not None:
        model.load_state_dict(load_file(load))
    steps = _train(model.train(), minutes, losses, rate, seed)
    if save is not None:
        save_file(model.state_dict(), save)
    methods = {
        "copying": StandStill(),
        variant: model.eval(),
        "DIS": FlowWarp(DisFlow()),
    }
    rows, where = real_frames.measured_on(data, clips, methods)
    report = real_frames.grouped(rows, list(methods))
    title = f"mean IoU of carried masks, {where}; {steps} steps"
    console = Console(stderr=json_path == "-", width=None if sys.stdout.isatty() else 150)
    print_table(real_frames.table_of(report, list(methods), title), console)
    result = {"where": where, "steps": steps, "minutes": minutes, "losses": losses, "rows": report}
    emit_json(json_path, result)


if __name__ == "__main__":
    main()
