"""Clips for training: two or three frames of a video, augmented alike, with their targets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from mapt_bench.errors import ConfigError, DataError, listed
from mapt_bench.labels import BACKGROUND_ID, ID_LIMIT, LabelSpace, PanopticMap, Video, pack_codes
from mapt_bench.model.targets import Clip, FlowTargets, FrameTargets
from mapt_bench.statistics.frame_objects import find_links, find_objects
from mapt_bench.training.augmentation import Window, draw_lights, draw_window
from mapt_bench.training.frames import FrameStore, why_no_flow
from mapt_bench.training.recipe import AugmentSettings, ClipSettings, Recipe

__all__ = ["ClipDataset", "ClipDraw", "SkippedVideo", "choose_interval", "frame_targets"]


@dataclass(frozen=True, slots=True)
class ClipDraw:
    """One clip to be made: equal draws give equal clips.

    Attributes:
        anchor: Which last frame, a position among :attr:`ClipDataset.anchors`.
        seed: Decides interval and augmentation.
    """

    anchor: int
    seed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SkippedVideo:
    """A video that no clip comes from.

    Attributes:
        name: Of the sequence.
        reason: Why, in words.
    """

    name: str
    reason: str


class ClipDataset(Dataset[Clip]):
    """Clips of videos, by :class:`ClipDraw`.

    Args:
        videos: From any source. Videos without ground truth or images, too short ones, and those
            without the requested flow are skipped.
        clips: Which frames make a clip.
        augment: How clips are changed.
        cache_bytes: How much of what was read or drawn may be kept.

    Attributes:
        videos: Those that clips come from.
        skipped: Those that were left out, each with its reason.
        labels: Label space of all videos.
        anchors: Video and frame of each clip's last frame, ``int64`` of shape ``(n, 2)``.

    Raises:
        ConfigError: If videos differ in their label space.
        DataError: If every video is skipped; the reasons are named.
    """

    def __init__(
        self,
        videos: Sequence[Video],
        clips: ClipSettings,
        augment: AugmentSettings,
        *,
        cache_bytes: int = 0,
    ) -> None:
        self.clips = clips
        self.augment = augment
        reasons = [(video, _unusable(video, clips)) for video in videos]
        self.videos = tuple(video for video, reason in reasons if reason is None)
        self.skipped = tuple(
            SkippedVideo(video.info.name, reason) for video, reason in reasons if reason is not None
        )
        if not self.videos:
            told = listed(f"{skip.name}: {skip.reason}" for skip in self.skipped)
            raise DataError(f"there is no video to train on ({told or 'none was given'})")
        self.labels = _common_labels(self.videos)
        reach = min(clips.taus) * (clips.length - 1)
        self.anchors: NDArray[np.int64] = np.array(
            [
                (number, frame)
                for number, video in enumerate(self.videos)
                for frame in range(reach, video.info.frame_count)
            ],
            dtype=np.int64,
        )
        self._store = FrameStore(self.videos, cache_bytes)

    def __len__(self) -> int:
        return len(self.anchors)

    def changed(self, recipe: Recipe) -> "ClipDataset":
        """Return the clips of a stage, of the same videos; what was read or drawn is shared.

        Raises:
            ConfigError: If the stage wants what only a stream has.
        """
        if recipe.stream.flying_share > 0:
            raise ConfigError(
                f"stream.flying_share is {recipe.stream.flying_share}, but the training data are "
                "no stream; train with --suite stream, or set it to 0"
            )
        other = ClipDataset(self.videos, recipe.clips, recipe.augment)
        if other.videos == self.videos:
            other._store = self._store
        return other

    def read_all(self) -> None:
        """Read or draw every frame now, in order, so that what videos prepare is used once."""
        for number, video in enumerate(self.videos):
            for frame in range(video.info.frame_count):
                self._store.image(number, frame)
                self._store.truth(number, frame)

    def __getitem__(self, draw: ClipDraw) -> Clip:
        """Make a clip.

        Raises:
            DataError: If a frame cannot be read, or frames of the clip differ in size.
        """
        video, last = (int(number) for number in self.anchors[draw.anchor])
        dice = np.random.default_rng(draw.seed)
        tau = choose_interval(
            self.clips, last, dice, lambda tau: self._displacement(video, last, tau)
        )
        frames = [last - tau * back for back in reversed(range(self.clips.length))]
        starts_far = self._start_far(frames, dice)
        pairs = [(self._store.image(video, at), self._store.truth(video, at)) for at in frames]
        names = [self._store.name(video, at) for at in frames]
        size = _common_size(names, pairs)
        window = draw_window(self.augment, size, dice)
        lights = draw_lights(self.augment, len(frames), dice)
        images = [
            light.of_image(window.of_image(_tensor(image)))
            for (image, _), light in zip(pairs, lights, strict=True)
        ]
        return Clip(
            images=torch.stack(images),
            targets=tuple(
                frame_targets(
                    PanopticMap(window.of_codes(truth.codes, _void(self.labels))),
                    self.labels,
                    min_thing_px=self.clips.min_thing_px,
                )
                for _, truth in pairs
            ),
            name=" ".join(names),
            intervals=tuple(later - earlier for earlier, later in pairwise(frames)),
            motion=self._motion(video, frames, window, starts_far) if self.clips.flow else None,
            has_semantics=getattr(self.videos[video], "has_semantics", True),
            starts_far=starts_far,
        )

    def _start_far(self, frames: list[int], dice: np.random.Generator) -> bool:
        """Move the first frame far back in some clips, where the video is long enough."""
        if self.clips.far_share == 0 or dice.random() >= self.clips.far_share:
            return False
        least, most = self.clips.far
        most = min(most, frames[1])
        if most < least:
            return False
        frames[0] = frames[1] - int(dice.integers(least, most + 1))
        return True

    def _motion(
        self, video: int, frames: Sequence[int], window: Window, starts_far: bool
    ) -> FlowTargets:
        pairs = list(pairwise(frames))[1 if starts_far else 0 :]
        found = [
            window.of_flow(self._store.flow(video, later, earlier)) for earlier, later in pairs
        ]
        if starts_far:  # motion is not learned from so old a frame
            found.insert(0, (torch.zeros_like(found[0][0]), torch.zeros_like(found[0][1])))
        flows, valid = zip(*found, strict=True)
        return FlowTargets(torch.stack(flows), torch.stack(valid))

    def _displacement(self, video: int, last: int, tau: int) -> float | None:
        earlier, later = (
            find_objects(self._store.truth(video, at), self.labels) for at in (last - tau, last)
        )
        over_size = find_links(earlier, later).over_size
        return float(np.median(over_size)) if over_size.size else None


def _unusable(video: Video, clips: ClipSettings) -> str | None:
    info = video.info
    needed = min(clips.taus) * (clips.length - 1) + 1
    if not video.has_truth:
        return "it has no ground truth"
    if not info.has_images:
        return "it has no images"
    if info.frame_count < needed:
        return (
            f"it has {info.frame_count} frames, a clip of {clips.length} at tau {min(clips.taus)} "
            f"needs {needed}"
        )
    return why_no_flow(video, clips.taus) if clips.flow else None


def _common_labels(videos: Sequence[Video]) -> LabelSpace:
    first = videos[0].info
    for video in videos[1:]:
        if video.info.labels != first.labels:
            raise ConfigError(
                f"{first.name} has the label space {first.labels.name!r}, {video.info.name} has "
                f"{video.info.labels.name!r}; a model is trained on one"
            )
    return first.labels


def _common_size(
    names: Sequence[str], pairs: Sequence[tuple[NDArray[np.uint8], PanopticMap]]
) -> tuple[int, int]:
    size = (pairs[0][0].shape[0], pairs[0][0].shape[1])
    for name, (image, truth) in zip(names, pairs, strict=True):
        for what, (height, width) in (("image", image.shape[:2]), ("truth", truth.shape)):
            if (height, width) != size:
                raise DataError(
                    f"the {what} of {name} is {width}x{height} pixels, the image of {names[0]} is "
                    f"{size[1]}x{size[0]}; the frames of a clip need one size",
                    where=name,
                )
    return size


def _tensor(image: NDArray[np.uint8]) -> Tensor:
    planes = np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32)
    return torch.from_numpy(planes).div_(255)


def _void(labels: LabelSpace) -> int:
    return int(pack_codes(np.array(labels.ignore_label), np.array(0)))


def choose_interval(
    settings: ClipSettings,
    frame: int,
    dice: np.random.Generator,
    displacement: Callable[[int], float | None],
) -> int:
    """Choose the pairing interval of a clip that ends at a frame.

    Args:
        settings: How, and from which.
        frame: Position in the video; intervals that would begin before the video are left out.
        dice: What is drawn with.
        displacement: For an interval, the median over the things that both frames show of their
            displacement over their size; ``None`` where there are none. Asked only by
            ``"adaptive"``, which then draws an interval as ``"sampled"`` does.

    Returns:
        One of ``settings.taus``.
    """
    fitting = [tau for tau in settings.taus if tau * (settings.length - 1) <= frame]
    if settings.interval == "adaptive":
        found = {tau: displacement(tau) for tau in fitting}
        distance = {
            tau: abs(value - settings.target_displacement)
            for tau, value in found.items()
            if value is not None
        }
        if distance:
            return min(distance, key=lambda tau: (distance[tau], tau))
    return fitting[int(dice.integers(len(fitting)))]


def frame_targets(
    panoptic: PanopticMap, labels: LabelSpace, *, min_thing_px: int = 1
) -> FrameTargets:
    """Read targets from a map.

    ``track_ids`` are whole codes, ``class << 24 | id``: in KITTI-STEP a car and a person may share
    an id. ``crowd`` holds things of identity 0, things of fewer than ``min_thing_px`` pixels, and
    void that may hide objects; void that was seen to be empty of them
    (:data:`~mapt_bench.labels.BACKGROUND_ID`) is not crowd: an object found there is wrong.

    Args:
        panoptic: The map.
        labels: Its label space.
        min_thing_px: See above.

    Example:
        >>> from mapt_bench.labels import label_space
        >>> car = 13 << 24 | 7
        >>> codes = np.array([[0, car, car], [0, 0, car]], dtype=np.uint32)
        >>> targets = frame_targets(PanopticMap(codes), label_space("kitti-step"))
        >>> targets.boxes.tolist(), targets.labels.tolist(), targets.track_ids.tolist() == [car]
        ([[1.0, 0.0, 3.0, 2.0]], [2], True)
    """
    codes, classes, ids = panoptic.codes, panoptic.classes, panoptic.ids
    is_thing = labels.is_thing_table[classes]
    found, areas = np.unique(codes[is_thing & (ids > 0)], return_counts=True)
    kept = found[areas >= min_thing_px]
    masks = codes[np.newaxis] == kept[:, np.newaxis, np.newaxis]
    is_tracked = masks.any(axis=0)
    is_hidden_ground = (classes == labels.ignore_label) & (ids != BACKGROUND_ID)
    positions = np.searchsorted(labels.thing_ids, kept // ID_LIMIT) + 1
    return FrameTargets(
        semantic=torch.from_numpy(classes.astype(np.int64)),
        boxes=torch.from_numpy(_boxes(masks)),
        labels=torch.from_numpy(positions.astype(np.int64)),
        masks=torch.from_numpy(masks),
        track_ids=torch.from_numpy(kept.astype(np.int64)),
        crowd=torch.from_numpy((is_thing & ~is_tracked) | is_hidden_ground),
    )


def _boxes(masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return left, top, right, bottom of masks that each have a pixel."""
    sides = []
    for axis in (1, 2):  # columns are what is left when rows are joined
        line: NDArray[np.bool_] = np.logical_or.reduce(masks, axis=axis)
        first = line.argmax(axis=1)
        last = line.shape[1] - line[:, ::-1].argmax(axis=1)
        sides.append((first, last))
    (left, right), (top, bottom) = sides
    return np.stack([left, top, right, bottom], axis=1).astype(np.float32)
