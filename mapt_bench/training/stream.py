"""Clips of an endless stream of sequences: each is drawn once, and serves several clips."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Dataset, Sampler

from mapt_bench.errors import ConfigError
from mapt_bench.labels import LabelSpace, Video
from mapt_bench.model.targets import Clip
from mapt_bench.synthetic.flying import flying_clip
from mapt_bench.training.clips import ClipDataset, ClipDraw, SkippedVideo
from mapt_bench.training.recipe import AugmentSettings, ClipSettings, Recipe, StreamSettings

__all__ = ["ClipStream", "StreamDraw", "StreamOrder"]

_ANCHOR = 1
"""Sets the draw of a clip's last frame apart from those of its interval and augmentation."""

_FLYING_FRAMES, _FLYING_CLIPS = 8, 4
"""Frames of a flying video, and clips cut from it: it is cheap, so each serves only a few."""

_ALL = 2**62
"""Room for all frames of a sequence: how many sequences are kept is what bounds the memory."""


@dataclass(frozen=True, slots=True)
class StreamDraw:
    """One clip to be made: equal draws give equal clips.

    Attributes:
        shard: Which part of the stream.
        number: Which clip of that part, from 0.
        seed: Of the training: decides frames, interval and augmentation.
    """

    shard: int
    number: int
    seed: int


class ClipStream(Dataset[Clip]):
    """Clips by :class:`StreamDraw`.

    The stream is dealt out to shards like cards. In each turn of a shard one sequence leaves and
    one joins those at hand, and each of these gives one clip: so a sequence is drawn once and
    gives ``clips_per_sequence`` clips, spread over as many turns. A clip is a function of its draw
    alone, whatever was made before.

    Args:
        sequence: Returns the sequence of an index; it is carried to other processes.
        stream: Clips of a sequence, and shards.
        clips: Which frames make a clip.
        augment: How clips are changed.

    Attributes:
        labels: Label space of all sequences.
        skipped: Nothing.

    Raises:
        ConfigError: If the settings ask for what only a list of videos can give.
    """

    skipped: tuple[SkippedVideo, ...] = ()

    def __init__(
        self,
        sequence: Callable[[int], Video],
        stream: StreamSettings,
        clips: ClipSettings,
        augment: AugmentSettings,
    ) -> None:
        if clips.rare_below > 0:
            raise ConfigError(
                f"clips.rare_below is {clips.rare_below}, but an endless stream has no shares of "
                "classes; set it to 0, or train on a suite or a folder"
            )
        self.labels: LabelSpace = sequence(0).info.labels
        self.clips = clips
        self.augment = augment
        self._sequence = sequence
        self._stream = stream
        self._at_hand: dict[tuple[int, bool], dict[int, ClipDataset]] = {}

    def __len__(self) -> int:
        """Return the clips of one turn of every shard."""
        return self._stream.clips_per_sequence * self._stream.shards

    def changed(self, recipe: Recipe) -> "ClipStream":
        """Return the same stream with the clips of a stage."""
        return ClipStream(self._sequence, recipe.stream, recipe.clips, recipe.augment)

    def __getitem__(self, draw: StreamDraw) -> Clip:
        """Make a clip.

        Raises:
            DataError: If a sequence cannot be drawn, or no clip can be made of it.
        """
        flying, number = self._kind(draw.number)
        each = _FLYING_CLIPS if flying else self._stream.clips_per_sequence
        turn, place = divmod(number, each)
        drawn = self._drawn(draw.shard, turn, turn + place, flying=flying)
        seed = (draw.seed, draw.shard, draw.number)
        anchor = int(np.random.default_rng((*seed, _ANCHOR)).integers(len(drawn)))
        return drawn[ClipDraw(anchor, seed)]

    def _kind(self, number: int) -> tuple[bool, int]:
        """Return whether a clip of a shard is a flying one, and its number among those alike.

        Shards have them in the same places. So processes have equally many in each step, and none
        waits for another.
        """
        share = self._stream.flying_share
        before, after = int(number * share), int((number + 1) * share)
        return (True, before) if after > before else (False, number - before)

    def _drawn(self, shard: int, turn: int, number: int, *, flying: bool) -> ClipDataset:
        """Return a sequence of a shard, all its frames drawn; forget those that have left."""
        at_hand = self._at_hand.setdefault((shard, flying), {})
        for old in [each for each in at_hand if each < turn]:
            del at_hand[old]
        if number not in at_hand:
            index = number * self._stream.shards + shard
            video: Video = (
                flying_clip(index, frames=_FLYING_FRAMES) if flying else self._sequence(index)
            )
            at_hand[number] = ClipDataset((video,), self.clips, self.augment, cache_bytes=_ALL)
            at_hand[number].read_all()
        return at_hand[number]


class StreamOrder(Sampler[list[StreamDraw]]):
    """The parts of the batches of one process, in order, from one step to another.

    Parts are counted through all steps, parts of a step and processes; each is of the next shard.
    Each background process makes every n-th part of a process. So each shard is generated in one
    process only, and the clips are the same with any number of processes and loaders that divides
    the number of shards.

    Args:
        stream: Clips of a sequence, and shards.
        seed: Of the training.
        batch_size: Clips of a step, over all parts and processes.
        parts: Parts of a step. Each part is one list.
        processes: How many there are.
        rank: Which of them this is.
        loaders: Background processes of each.
        first: First step that is given.
        end: Step after the last.
        before: Clips that were given before step 0, by an earlier stage.

    Raises:
        ConfigError: If the batch or the shards cannot be split evenly.
    """

    def __init__(
        self,
        stream: StreamSettings,
        *,
        seed: int,
        batch_size: int,
        parts: int = 1,
        processes: int = 1,
        rank: int = 0,
        loaders: int = 0,
        first: int = 0,
        end: int = 0,
        before: int = 0,
    ) -> None:
        if batch_size % (parts * processes):
            raise ConfigError(
                f"batch_size {batch_size} cannot be split into {parts} parts (accumulate) on each "
                f"of {processes} processes; expected a multiple of {parts * processes}"
            )
        makers = processes * max(1, loaders)
        if stream.shards % makers:
            raise ConfigError(
                f"stream.shards {stream.shards} cannot be split among {processes} processes with "
                f"{max(1, loaders)} loaders each; expected a multiple of {makers}"
            )
        self._stream = stream
        self._seed = seed
        self._share = batch_size // (parts * processes)
        self._parts = parts
        self._processes = processes
        self._rank = rank
        self._steps = range(first, end)
        # A stage begins with whole turns, so that the clips of its parts lie side by side.
        self._before = -(-before // (stream.shards * stream.clips_per_sequence))

    def __len__(self) -> int:
        return len(self._steps) * self._parts

    def __iter__(self) -> Iterator[list[StreamDraw]]:
        for step in self._steps:
            yield from self.step(step)

    def step(self, step: int) -> list[list[StreamDraw]]:
        """Return the parts of one step that this process computes."""
        numbers = (
            (step * self._parts + part) * self._processes + self._rank
            for part in range(self._parts)
        )
        return [self._part(number) for number in numbers]

    def epoch_of(self, step: int) -> float:
        """Return how many sequences have been begun when a number of steps has been made."""
        clips = step * self._parts * self._processes * self._share
        return clips / self._stream.clips_per_sequence

    def _part(self, number: int) -> list[StreamDraw]:
        turn, shard = divmod(number, self._stream.shards)
        start = self._before * self._stream.clips_per_sequence + turn * self._share
        return [StreamDraw(shard, start + at, self._seed) for at in range(self._share)]
