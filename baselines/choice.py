"""A row made into a tracker for one video, after checks that need no video."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from mapt_bench.baselines.registry import associator_entry, associator_names, build_associator
from mapt_bench.baselines.rows import Row, reads_truth, tracker_entry
from mapt_bench.baselines.segmenters import ScoredSegments
from mapt_bench.baselines.thresholds import LEAST_SCORE, Setting
from mapt_bench.baselines.tracker_options import (
    FlowOptions,
    MaptOptions,
    TrueFlow,
    Truth,
    describe_flow,
)
from mapt_bench.baselines.user_trackers import UserTracker
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import AnnotatedVideo, FlowField, PanopticMap, Video
from mapt_bench.tracking import Associator, Segmenter, SegmentTracker, Tracker
from mapt_bench.tracking.sharing import NOTHING_SHARED, Share, SharedByPart

__all__ = ["TrackerChoice"]


@dataclass(frozen=True)
class TrackerChoice:
    """A row with everything that its command decides.

    Attributes:
        row: The tracker, its memory and what it changes.
        pair: Pairing interval in frames.
        flow: Options of the flow source, for ``flow:*`` trackers.
        mapt: Options of MAPT, for ``mapt*`` and ``flow:*+mapt`` trackers.
        settings: All settings: tuned thresholds, and those of the row above them. ``None`` takes
            those of the row alone.
    """

    row: Row
    pair: int = 1
    flow: FlowOptions = field(default_factory=FlowOptions)
    mapt: MaptOptions = field(default_factory=MaptOptions)
    settings: tuple[Setting, ...] | None = None

    def check(self) -> None:
        """Refuse before any work what cannot be built.

        Raises:
            ConfigError: If the tracker is unknown, has no pairing interval, or its network has
                no weights and ``random_weights`` is not set.
            DataError: If weights or flow files cannot be used.
        """
        entry = tracker_entry(self.row.tracker)
        if not isinstance(entry, UserTracker):
            # Built once for its checks alone.
            self._associator(_no_truth_yet, _no_flow_yet, NOTHING_SHARED)
            return
        if self.pair != 1 and not entry.supports_pair:
            raise ConfigError(
                f"tracker {entry.name!r} has no pairing interval: its class takes no argument "
                "'pair'; omit --pair, or add the argument"
            )
        if self.flow.asks_for_weights or self.mapt.weights is not None:
            raise ConfigError(
                f"--weights is for MAPT and flow networks; give tracker {entry.name!r} its weights "
                f"as an argument of its class: {entry.name},NAME=FILE"
            )
        entry.check(dict(self.chosen))

    @property
    def is_whole(self) -> bool:
        """Whether it finds its own segments."""
        entry = tracker_entry(self.row.tracker)
        return isinstance(entry, UserTracker) and entry.is_whole

    @property
    def chosen(self) -> tuple[Setting, ...]:
        """All settings."""
        return self.row.settings if self.settings is None else self.settings

    @property
    def description(self) -> str:
        """Name for the output of a run; it says so when a network's weights are untrained."""
        named = describe_flow(str(self.row), self.flow)
        return named if self.mapt.weights is None else f"{named} ({self.mapt.weights})"

    @property
    def memory(self) -> int | None:
        """Frames that a lost track is kept for; ``None`` where the tracker has no memory."""
        return self.row.memory if tracker_entry(self.row.tracker).supports_memory else None

    def weights(self) -> dict[str, Path]:
        """Return the weights that the tracker runs with, a name or a file, by their role.

        Raises:
            ConfigError: If it needs weights and there are none.
        """
        entry = tracker_entry(self.row.tracker)
        return (
            {} if isinstance(entry, UserTracker) else dict(entry.weights_of(self.flow, self.mapt))
        )

    def build(
        self,
        video: Video,
        segmenter: Segmenter | None,
        *,
        true_flow: TrueFlow | None = None,
        share: Share = NOTHING_SHARED,
        clock: Callable[[], float] = perf_counter,
    ) -> Tracker:
        """Make the tracker for one video.

        Args:
            video: Provides ground truth, to the oracle only.
            segmenter: Finds segments; ``None`` for whole trackers.
            true_flow: True flow of the video, for ``flow:exact``; ``None`` asks the video.
            share: Cache of work that trackers of the same video have in common.
            clock: Returns the time in seconds.

        Raises:
            ConfigError: If a user's tracker cannot be built.
            DataError: If it needs images or ground truth that the video lacks.
            TrackerError: If a user's tracker fails while it is built.
        """
        entry = tracker_entry(self.row.tracker)
        if isinstance(entry, UserTracker):
            built = entry.build(dict(self.chosen), memory=self.row.memory, pair=self.pair)
            if isinstance(built, Tracker):
                return built
            return SegmentTracker(_given(segmenter), built, clock=clock)
        if entry.needs_images and not video.info.has_images:
            blind = [n for n in associator_names() if not associator_entry(n).needs_images]
            raise DataError(
                f"tracker {entry.name!r} reads images, but this video has masks only; give data "
                f"with an images folder, or choose one of {', '.join(blind)}",
                where=video.info.name,
            )
        needs_truth = reads_truth(self.row.tracker, self.chosen)
        if needs_truth and not video.has_truth:
            raise DataError(
                f"tracker {str(self.row)!r} needs ground truth, but this video has none",
                where=video.info.name,
            )
        truth = video.truth if needs_truth else None
        if entry.needs_true_flow and true_flow is None:
            true_flow = _true_flow(entry.name, video)
        found = _given(segmenter)
        least = float(dict(self.chosen).get(LEAST_SCORE, 0))
        if least > 0:
            found, share = ScoredSegments(found, least), SharedByPart(share, (LEAST_SCORE, least))
        return SegmentTracker(found, self._associator(truth, true_flow, share), clock=clock)

    def _associator(
        self, truth: Truth | None, true_flow: TrueFlow | None, share: Share
    ) -> Associator:
        settings: dict[str, Any] = dict(self.chosen)
        return build_associator(
            self.row.tracker,
            memory=self.memory,
            pair=self.pair,
            truth=truth,
            flow=self.flow,
            true_flow=true_flow,
            mapt=self.mapt,
            share=share,
            **settings,
        )


def _given(segmenter: Segmenter | None) -> Segmenter:
    if segmenter is None:
        raise ValueError("an associator needs a segmenter")
    return segmenter


def _true_flow(name: str, video: Video) -> TrueFlow:
    if not isinstance(video, AnnotatedVideo):
        raise DataError(
            f"tracker {name!r} needs the ground-truth flow, which only synthetic videos have; run "
            "it with --suite, or give written flow to flow:files",
            where=video.info.name,
        )
    return video.backward_flow


def _no_truth_yet(index: int) -> PanopticMap:
    raise DataError("ground truth was requested before there was a video")


def _no_flow_yet(index: int) -> FlowField:
    raise DataError("the ground-truth flow was requested before there was a video")
