"""MAPT: the network with its training and its online inference.

After Hurtado et al., *Learning Appearance and Motion Cues for Panoptic Tracking*
(arXiv:2503.09191).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mapt_bench.checkpoints import load_strictly, read_metadata, read_state_dict
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.files import file_sha256, parse_json
from mapt_bench.model.clip_losses import clip_losses
from mapt_bench.model.config import MaptConfig
from mapt_bench.model.config_files import mapt_config_from_dict
from mapt_bench.model.cues import MaptCues
from mapt_bench.model.network import MaptNetwork
from mapt_bench.model.targets import Clip
from mapt_bench.model.tracker import Heads, MaptAssociator, MaptSegmenter
from mapt_bench.tracking import (
    FrameSegments,
    SegmentTracker,
    StandStill,
    Tracker,
    TwoStepAssociator,
    TwoStepSettings,
)
from mapt_bench.tracking.masks import soft_masks
from mapt_bench.weights import shipped_at, weights_file

__all__ = ["MAPT", "MaptState", "MaptStep", "build_mapt", "load_mapt"]

_MEMORY = 10


@dataclass(frozen=True, slots=True)
class MaptState:
    """What :meth:`MAPT.step` has to know of the past.

    Attributes:
        pair: Pairing interval in frames.
        frames: What was found in the last ``pair`` frames, oldest first.
    """

    pair: int = 1
    frames: tuple[FrameSegments, ...] = ()

    @property
    def earlier(self) -> FrameSegments | None:
        """The frame that the next one is paired with; ``None`` before there is one."""
        return self.frames[0] if len(self.frames) == self.pair else None

    def after(self, segments: FrameSegments) -> "MaptState":
        """Return the state when one more frame has been seen."""
        return MaptState(self.pair, (*self.frames, segments)[-self.pair :])


@dataclass(frozen=True, slots=True, eq=False)
class MaptStep:
    """What one frame brings.

    Attributes:
        segments: What is in it, each with an embedding that knows of no other frame.
        embeddings: How the segments look next to the earlier frame, ``float32`` of shape ``(n,
            dims)``; ``None`` without appearance head.
        carried: Where the segments of the earlier frame are now: soft masks, ``float32`` of shape
            ``(m, rows, columns)`` at the stride of the motion head; ``None`` where there is no
            earlier frame, or no motion head.
    """

    segments: FrameSegments
    embeddings: NDArray[np.float32] | None
    carried: NDArray[np.float32] | None


class MAPT(MaptNetwork):
    """The whole model.

    Args:
        config: What it is made of.

    Example:
        >>> from mapt_bench.model import mapt_config
        >>> model = MAPT(mapt_config("mapt-tiny"))
        >>> step, state = model.step(np.zeros((128, 416, 3), dtype=np.uint8))
        >>> step.segments.shape, step.carried is None, len(state.frames)
        ((128, 416), True, 1)
        >>> step, state = model.step(np.zeros((128, 416, 3), dtype=np.uint8), state)
        >>> step.carried.shape[1:]
        (32, 104)
    """

    def forward(self, clips: Sequence[Clip]) -> dict[str, Tensor]:
        """Return the losses of one step of training: see :func:`~.clip_losses.clip_losses`."""
        return clip_losses(self, clips)

    def step(
        self, image: NDArray[np.uint8], state: MaptState | None = None
    ) -> tuple[MaptStep, MaptState]:
        """See one more frame of a video. The earlier one is not looked at again.

        Args:
            image: RGB of shape ``(height, width, 3)``.
            state: As the step before returned; without one a video begins.

        Raises:
            DataError: If the frame differs in size from those before.
        """
        state = MaptState() if state is None else state
        earlier = state.earlier
        if earlier is not None and earlier.shape != image.shape[:2]:
            raise DataError(
                f"the frame has {image.shape[:2]} pixels (height, width), those before "
                f"{earlier.shape}; the frames of a video need one size"
            )
        cues = MaptCues(self)
        segments = cues.find(image)
        motion, carried, past = None, None, None
        if self.motion is not None and earlier is not None and segments.cues and earlier.cues:
            past = earlier.cues
            motion = cues.motion(past, segments.cues)
            masks = soft_masks(earlier.index_map, earlier.count, cues.stride)
            carried = cues.carry(masks, motion)
        embeddings = None if self.appearance is None else cues.embed(segments, past, motion)
        return MaptStep(segments, embeddings, carried), state.after(segments)

    def tracker(self, settings: TwoStepSettings | None = None) -> Tracker:
        """Return a tracker of this very model, by the heads that it has.

        Args:
            settings: Of the association; memory of 10 frames if not given.
        """
        settings = TwoStepSettings(memory=_MEMORY) if settings is None else settings
        segmenter = MaptSegmenter(self)
        if self.motion is None and self.appearance is None:
            return SegmentTracker(segmenter, TwoStepAssociator(StandStill(), None, settings))
        heads: Heads = "both"
        if self.appearance is None:
            heads = "motion"
        elif self.motion is None:
            heads = "appearance"
        return SegmentTracker(segmenter, MaptAssociator(self, heads=heads, settings=settings))


def build_mapt(config: MaptConfig) -> MAPT:
    """Return the model with random weights, drawn from torch's generator."""
    return MAPT(config)


def load_mapt(
    weights: str | Path, config: MaptConfig | None = None, *, device: str | torch.device = "cpu"
) -> MAPT:
    """Return a trained model, in evaluation mode.

    Args:
        weights: File, as ``mapt-bench train`` writes it, or of a state dict; or the name of
            weights that come with the package, as ``"mapt-compact"``.
        config: Configuration of the model. Default: the one in the file.
        device: Where the model runs.

    Raises:
        ConfigError: If no weights have that name, or neither the file nor ``config`` describes the
            model.
        DataError: If the file is missing or damaged, or its weights do not fit.
    """
    path = weights_file(weights)
    tensors = read_state_dict(path)
    model = MAPT(_config_of(path) if config is None else config)
    load_strictly(model, tensors, where=path)
    model.source, model.cue_source = file_sha256(path), model.cue_fingerprint()
    ours = shipped_at(path)
    model.title = (
        f"the model of {path.name}"
        if ours is None
        else f"the shipped model {ours.name}, trained on {ours.trained_on},"
    )
    return model.eval().requires_grad_(False).to(device)


def _config_of(path: Path) -> MaptConfig:
    try:
        record = parse_json(read_metadata(path).get("record", "{}"))
        plain = record.get("model_config")
    except (ValueError, AttributeError) as problem:
        raise DataError(f"its record is damaged ({problem}); copy it again", where=path) from None
    if not isinstance(plain, dict):
        of = f"holds weights of {record['model']}, and " if record.get("model") else ""
        raise ConfigError(
            f"{of}does not say which configuration of MAPT its weights are of; give weights that "
            "mapt-bench train wrote, or load them in Python with load_mapt(path, config)",
            where=path,
        )
    return mapt_config_from_dict(plain, where=path)
