"""A tracker chosen by name and switches, checked at once and built for each video."""

from dataclasses import dataclass, field
from typing import Any

from mapt_bench.baselines.catalog import (
    associator_entry,
    associator_names,
    build_associator,
    flow_tracker_names,
    is_associator,
)
from mapt_bench.baselines.exact_flow import TrueFlow
from mapt_bench.baselines.flow_sources import FlowOptions, describe_flow
from mapt_bench.baselines.mapt_entries import mapt_tracker_names
from mapt_bench.baselines.plugins import load_tracker, plugin_names
from mapt_bench.baselines.registry import Truth
from mapt_bench.baselines.settings import Setting
from mapt_bench.errors import ConfigError, DataError, nearest
from mapt_bench.labels import AnnotatedVideo, FlowField, PanopticMap, Video
from mapt_bench.tracking import Associator, Segmenter, SegmentTracker, Tracker
from mapt_bench.weights import shipped_weights

__all__ = ["TrackerChoice"]


@dataclass(frozen=True)
class TrackerChoice:
    """A tracker and its switches.

    Attributes:
        name: One of :func:`~mapt_bench.baselines.catalog.associator_names` or
            :func:`~mapt_bench.baselines.catalog.flow_tracker_names`, the name of an installed
            plug-in, or ``package.module:Class``.
        memory: Frames that lost tracks are kept for; ``None`` is the tracker's own default.
        pair: Pairing interval in frames.
        flow: Weights and device of a ``flow:`` tracker.
        settings: Thresholds other than the tracker's defaults.

    Raises:
        ConfigError: If the name is unknown, a switch is given to a tracker without it, or a
            network neither weights nor leave to be untrained.
        DataError: If weights or flow files cannot be used.
    """

    name: str
    memory: int | None = None
    pair: int = 1
    flow: FlowOptions = field(default_factory=FlowOptions)
    settings: tuple[Setting, ...] = ()

    def __post_init__(self) -> None:
        if self.is_built_in:
            # Built once for its checks alone, so that a wrong switch is told before any work.
            self._associator(_no_truth_yet, _no_flow_yet)
            return
        if ":" not in self.name and self.name not in plugin_names():
            if self.name in shipped_weights():
                raise ConfigError(
                    f"{self.name!r} is a name of weights, not of a tracker; give it as --weights "
                    "to the tracker that runs them, such as mapt"
                )
            known = [
                *associator_names(),
                *mapt_tracker_names(),
                *flow_tracker_names(),
                *plugin_names(),
            ]
            raise ConfigError(
                f"unknown tracker {self.name!r}; {nearest(self.name, known)}; or "
                "package.module:Class"
            )
        is_set = self.memory is not None or self.pair != 1 or self.settings != ()
        if is_set or self.flow.asks_for_weights:
            raise ConfigError(
                f"tracker {self.name!r} is not one of this package's; memory, pairing interval, "
                "weights and settings are switches of those only; set them in the tracker itself"
            )

    @property
    def is_built_in(self) -> bool:
        """Whether it links the segments of a segmenter, rather than finding its own."""
        return is_associator(self.name)

    @property
    def description(self) -> str:
        """Name for the output of a run; it says so when a network's weights are untrained."""
        return describe_flow(self.name, self.flow)

    @property
    def effective_memory(self) -> int | None:
        """Frames that lost tracks are kept for; ``None`` where that is no switch."""
        if not self.is_built_in or not associator_entry(self.name).supports_memory:
            return None
        default = associator_entry(self.name).default_memory
        return default if self.memory is None else self.memory

    def build(self, video: Video, segmenter: Segmenter | None) -> Tracker:
        """Make the tracker for one video.

        Args:
            video: Gives the truth, to the oracle only.
            segmenter: Finds segments; not used by trackers of other packages.

        Raises:
            ConfigError: If a tracker of another package cannot be loaded.
            DataError: If it needs images or truth that the video lacks.
        """
        if not self.is_built_in or segmenter is None:
            return load_tracker(self.name)
        entry = associator_entry(self.name)
        if entry.needs_images and not video.info.has_images:
            blind = [n for n in associator_names() if not associator_entry(n).needs_images]
            raise DataError(
                f"tracker {self.name!r} reads images, but this video has masks only; give data "
                f"with an images folder, or choose one of {', '.join(blind)}",
                where=video.info.name,
            )
        if entry.needs_truth and not video.has_truth:
            raise DataError(
                f"tracker {self.name!r} needs ground truth, but this video has none",
                where=video.info.name,
            )
        truth = video.truth if entry.needs_truth else None
        return SegmentTracker(segmenter, self._associator(truth, self._true_flow(video)))

    def _true_flow(self, video: Video) -> TrueFlow | None:
        if not associator_entry(self.name).needs_true_flow:
            return None
        if not isinstance(video, AnnotatedVideo):
            raise DataError(
                f"tracker {self.name!r} is told the true flow, and only drawn videos know theirs; "
                "run it in an experiment on a suite, or give written flow to flow:files",
                where=video.info.name,
            )
        return video.backward_flow

    def _associator(self, truth: Truth | None, true_flow: TrueFlow | None) -> Associator:
        settings: dict[str, Any] = dict(self.settings)
        return build_associator(
            self.name,
            memory=self.memory,
            pair=self.pair,
            truth=truth,
            flow=self.flow,
            true_flow=true_flow,
            **settings,
        )


def _no_truth_yet(index: int) -> PanopticMap:
    raise DataError("the truth was asked for before there was a video")


def _no_flow_yet(index: int) -> FlowField:
    raise DataError("the true flow was asked for before there was a video")
