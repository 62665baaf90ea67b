"""Training videos that a network has seen once: clips without images, for its last layers."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mapt_bench.devices import FLOAT32
from mapt_bench.errors import DataError
from mapt_bench.files import replace_when_complete
from mapt_bench.labels import Video
from mapt_bench.model import MAPT, SeenClip, SeenFrame, see_frames
from mapt_bench.training.clips import ClipDataset, ClipDraw, choose_interval, frame_targets
from mapt_bench.training.recipe import AugmentSettings, ClipSettings, Recipe

__all__ = ["SeenClips", "SeenVideo", "see_video"]

_LEAST_PX = 16
"""Things of fewer pixels are not learned from."""


def see_video(
    network: MAPT, video: Video, path: Path, *, precision: str = FLOAT32, batch: int = 1
) -> None:
    """Write what a network sees of all frames of a video, unless the file has it already.

    Args:
        network: With both heads, on the device that it runs on.
        video: With images and ground truth.
        path: A safetensors file.
        precision: In which the network computes, see :data:`~mapt_bench.devices.PRECISIONS`.
        batch: Frames at a time.

    Raises:
        DataError: If a frame cannot be read, the network lacks a head, or the file cannot be
            written.
    """
    if path.is_file() and _source_of(path) == network.cue_source:
        return
    tensors: dict[str, Tensor] = {}
    for first in range(0, video.info.frame_count, batch):
        indices = range(first, min(first + batch, video.info.frame_count))
        images = [_image(video, index) for index in indices]
        targets = [
            frame_targets(video.truth(index), video.info.labels, min_thing_px=_LEAST_PX)
            for index in indices
        ]
        found = see_frames(network, images, targets, precision=precision)
        for index, seen in zip(indices, found, strict=True):
            tensors |= {f"{index}.{name}": value for name, value in seen.tensors().items()}
    with replace_when_complete(path) as beside:
        save_file(tensors, beside, metadata={"cues": network.cue_source})


def _image(video: Video, index: int) -> Tensor:
    return torch.from_numpy(np.array(video.frame(index).image)).permute(2, 0, 1).float() / 255


def _source_of(path: Path) -> str | None:
    try:
        with safe_open(path, framework="pt") as file:
            found: str | None = (file.metadata() or {}).get("cues")
            return found
    except (OSError, SafetensorError):
        return None


class SeenVideo:
    """The frames of a video as :func:`see_video` wrote them, read when they are wanted.

    Args:
        path: The file.

    Raises:
        DataError: If it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def frame(self, index: int) -> SeenFrame:
        """Return a frame.

        Raises:
            DataError: If the file is damaged.
        """
        try:
            with safe_open(self._path, framework="pt") as file:
                names = SeenFrame.__slots__
                return SeenFrame(**{name: file.get_tensor(f"{index}.{name}") for name in names})
        except (OSError, SafetensorError) as problem:
            raise DataError(
                f"cannot be read ({problem}); remove it and run the same command again",
                where=self._path,
            ) from problem


class _Places(NamedTuple):
    """Where the things of a frame are, in cells: ``float64``, one row a thing."""

    track_ids: NDArray[np.int64]
    centres: NDArray[np.float64]
    sizes: NDArray[np.float64]


class SeenClips(ClipDataset):
    """Clips of frames that a network has seen, by :class:`~mapt_bench.training.clips.ClipDraw`.

    Args:
        videos: With images and ground truth.
        clips: Which frames make a clip.
        seen: What the network saw of each of the videos.

    Raises:
        DataError: If no video can be trained on.
    """

    def __init__(
        self, videos: Sequence[Video], clips: ClipSettings, seen: Sequence[SeenVideo]
    ) -> None:
        super().__init__(videos, clips, AugmentSettings(flip=0.0))
        of_name = {video.info.name: each for video, each in zip(videos, seen, strict=True)}
        self._seen = [of_name[video.info.name] for video in self.videos]
        self._known: dict[tuple[int, int], _Places] = {}

    def changed(self, recipe: Recipe) -> "SeenClips":
        """Return the clips of a stage, of the same videos."""
        other = SeenClips(self.videos, recipe.clips, self._seen)
        if other.videos == self.videos:
            other._known = self._known
        return other

    def __getitem__(self, draw: ClipDraw) -> SeenClip:  # type: ignore[override]  # has no images
        """Make a clip.

        Raises:
            DataError: If a frame cannot be read.
        """
        video, last = (int(number) for number in self.anchors[draw.anchor])
        dice = np.random.default_rng(draw.seed)
        tau = choose_interval(self.clips, last, dice, partial(self._displacement, video, last))
        frames = [last - tau * back for back in reversed(range(self.clips.length))]
        info = self.videos[video].info
        return SeenClip(
            tuple(self._seen[video].frame(index) for index in frames),
            " ".join(f"{info.name}/{info.frame_names[index]}" for index in frames),
            tuple(later - earlier for earlier, later in pairwise(frames)),
            int(dice.integers(2**31)),
        )

    def _displacement(self, video: int, last: int, tau: int) -> float | None:
        """Return the median over the things in both frames of their displacement over size."""
        earlier, later = self._places(video, last - tau), self._places(video, last)
        common, before, now = np.intersect1d(
            earlier.track_ids, later.track_ids, return_indices=True
        )
        if not len(common):
            return None
        moved = np.linalg.norm(later.centres[now] - earlier.centres[before], axis=1)
        return float(np.median(moved / earlier.sizes[before]))

    def _places(self, video: int, index: int) -> _Places:
        place = video, index
        if place not in self._known:
            frame = self._seen[video].frame(index)
            masks = frame.masks.numpy().astype(np.float64)
            areas = np.maximum(masks.sum((1, 2)), 1e-6)
            rows, columns = (np.arange(side) for side in masks.shape[1:])
            x = (masks.sum(1) * columns).sum(1) / areas
            y = (masks.sum(2) * rows).sum(1) / areas
            self._known[place] = _Places(
                frame.track_ids.numpy(), np.stack((x, y), axis=1), np.sqrt(areas)
            )
        return self._known[place]
