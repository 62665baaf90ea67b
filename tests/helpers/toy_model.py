"""A model small enough to train in a test, with what a real one has: random draws, idle parts."""

import os
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mapt_bench.labels import PanopticMap, pack_codes


class ToyModel(nn.Module):
    """Tells classes apart by colour; counts things by a part that batches without things leave."""

    def __init__(self, labels, hidden=6, dropout=0.0):
        super().__init__()
        self.labels = labels
        self.features = nn.Conv2d(3, hidden, 3, padding=1)
        self.norm = nn.GroupNorm(2, hidden)
        self.semantic = nn.Conv2d(hidden, len(labels.class_ids), 1)
        self.things = nn.Linear(hidden, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, clips):
        losses = [self._of_clip(clip) for clip in clips]
        return {name: torch.stack([loss[name] for loss in losses]).mean() for name in losses[0]}

    def _of_clip(self, clip):
        features = self.dropout(torch.relu(self.norm(self.features(clip.images))))
        target = torch.stack([of_frame.semantic for of_frame in clip.targets])
        loss = nn.functional.cross_entropy(
            self.semantic(features), target, ignore_index=self.labels.ignore_label
        )
        if not clip.has_semantics:
            loss = features.mean()
        counts = [len(of_frame.labels) for of_frame in clip.targets]
        things = loss.new_zeros(())
        if sum(counts):
            guess = self.things(features.mean(dim=(2, 3)))[:, 0]
            things = nn.functional.mse_loss(guess, torch.tensor(counts, dtype=torch.float32))
        return {
            "loss_semantic": loss,
            "loss_things": things,
            "things": torch.tensor(float(sum(counts))),
        }

    def tracker(self):
        return ToyTracker(self)


class ToyTracker:
    """Gives every pixel its class and every thing the identity 1."""

    def __init__(self, model):
        self.model = model

    def start(self, info):
        self.info = info

    def step(self, frame):
        image = torch.from_numpy(frame.image.transpose(2, 0, 1) / np.float32(255))
        features = torch.relu(self.model.norm(self.model.features(image[None])))
        classes = np.array(self.model.labels.class_ids)[self.model.semantic(features)[0].argmax(0)]
        return PanopticMap(pack_codes(classes, self.model.labels.is_thing_table[classes]))


def build(labels, **settings):
    return ToyModel(labels, **settings)


def build_dropping(labels, **settings):
    return ToyModel(labels, dropout=0.5, **settings)


class KilledModel(ToyModel):
    """Ends its process, or only its training, once: at the step that the environment says."""

    calls = 0

    def forward(self, clips):
        marker = Path(os.environ["TOY_KILL_MARKER"])
        self.calls += 1
        if self.calls > int(os.environ["TOY_KILL_AFTER"]) and not marker.exists():
            marker.touch()
            if os.environ["TOY_KILL_HOW"] == "kill":
                os.kill(os.getpid(), 9)
            raise KeyboardInterrupt
        return super().forward(clips)


def build_killed(labels, **settings):
    return KilledModel(labels, dropout=0.5, **settings)


def build_hungry(labels):
    class Hungry(ToyModel):
        def forward(self, clips):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    return Hungry(labels)


def build_poisoned(labels):
    class Poisoned(ToyModel):
        calls = 0

        def forward(self, clips):
            self.calls += 1
            values = super().forward(clips)
            factor = float("nan") if self.calls == 3 else 1.0
            return {**values, "loss_semantic": values["loss_semantic"] * factor}

    return Poisoned(labels)
