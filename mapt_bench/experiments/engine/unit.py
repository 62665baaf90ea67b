"""One work unit: run one tracker on one sequence under one condition, score it and time it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapt_bench.baselines.choice import TrackerChoice
from mapt_bench.baselines.rows import tracker_entry
from mapt_bench.baselines.tracker_options import FlowOptions, MaptOptions
from mapt_bench.baselines.user_trackers import UserTracker
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.experiments.engine.shared import SharedVideo, WorkOfUnit
from mapt_bench.experiments.plans.network_weights import MaptWeights
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.labels import ID_BITS, Frame, LabelSpace, VideoInfo
from mapt_bench.metrics import LinkEvents, LinkRecorder, SequenceScorer, SequenceSums, empty_sums
from mapt_bench.metrics.link_events import pack_rows, unpack_rows
from mapt_bench.metrics.overlap import ENTRY, SequenceOverlap
from mapt_bench.metrics.scorer import WINDOWS
from mapt_bench.metrics.step_links import DECISION, STEPS
from mapt_bench.stress.frame_motion import DroppedVideo
from mapt_bench.tracking import FrameSegments, TrackerRun
from mapt_bench.tracking.loop import Decision

__all__ = ["UNIT_SCHEMA", "UnitResult", "one_thread", "run_unit", "start_tracking"]

UNIT_SCHEMA = "mapt-bench/unit/8"


@dataclass(frozen=True, eq=False)
class UnitResult:
    """Result of a unit.

    Attributes:
        sequence: Name of the sequence.
        frames: Number of scored frames.
        sums: Sums from which all scores are computed.
        links: Link events: the outcome of each ground-truth track between two sightings.
        matches: Number of segments by the step that assigned their identity, for example
            ``{"motion": 40}``.
        recovered: Number of segments with the identity of a lost track.
        seconds: Time of each frame without reading images: of association, or of the whole step
            of a whole tracker.
        tables: Joined overlap tables as text, see :meth:`overlap`.
        decisions: Step that gave each predicted segment its identity: rows of dtype
            :data:`~mapt_bench.metrics.step_links.DECISION`. Empty for whole trackers.
        maps: Hash of all predicted maps in temporal order: BLAKE2b with 16 bytes, of the codes as
            ``uint32``, little-endian.
        mapped: What a class map removed from the detections that the tracker links, in all frames
            of the sequence: the label space they are mapped ``from``, and the counts of
            :class:`~mapt_bench.labels.MappedShare`. ``None`` if they are not mapped.
        provenance: Versions, machine, device, threads and time of the computation.
    """

    sequence: str
    frames: int
    sums: SequenceSums
    links: LinkEvents
    matches: Mapping[str, int]
    recovered: int
    seconds: tuple[float, ...]
    tables: str
    decisions: NDArray[np.void]
    maps: str
    mapped: Mapping[str, str | int] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def overlap(self, labels: LabelSpace) -> SequenceOverlap:
        """Return the overlap tables, for measures that need more than the sums.

        Raises:
            DataError: If the text is damaged.
        """
        try:
            rows = unpack_rows(self.tables, ENTRY)
        except ValueError as problem:
            raise DataError(
                f"the overlap tables of sequence {self.sequence} are damaged ({problem}); delete "
                "the run's cells and run again"
            ) from problem
        return SequenceOverlap.of_rows(rows, self.frames, labels)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that :meth:`from_dict` reads back."""
        return {
            "schema": UNIT_SCHEMA,
            "sequence": self.sequence,
            "frames": self.frames,
            "matches": dict(sorted(self.matches.items())),
            "recovered": self.recovered,
            "seconds": list(self.seconds),
            "sums": self.sums.to_vector().tolist(),
            "links": self.links.to_dict(),
            "tables": self.tables,
            "decisions": pack_rows(self.decisions),
            "maps": self.maps,
            "mapped": None if self.mapped is None else dict(self.mapped),
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], labels: LabelSpace, vpq_windows: tuple[int, ...] = WINDOWS
    ) -> "UnitResult":
        """Build a result from plain data.

        Args:
            data: From :meth:`to_dict`.
            labels: Label space of the sums.
            vpq_windows: Window sizes of VPQ in the sums.

        Raises:
            DataError: If it has another schema or is incomplete.
        """
        try:
            if data["schema"] != UNIT_SCHEMA:
                raise DataError(f"has schema {data['schema']!r}; expected {UNIT_SCHEMA!r}")
            return cls(
                sequence=str(data["sequence"]),
                frames=int(data["frames"]),
                sums=_sums_from_vector(data["sums"], labels, vpq_windows),
                links=LinkEvents.from_dict(data["links"]),
                matches={str(step): int(count) for step, count in data["matches"].items()},
                recovered=int(data["recovered"]),
                tables=str(data["tables"]),
                decisions=unpack_rows(data["decisions"], DECISION),
                maps=str(data["maps"]),
                mapped=None if data["mapped"] is None else dict(data["mapped"]),
                seconds=tuple(float(value) for value in data["seconds"]),
                provenance=dict(data["provenance"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise DataError(f"is not the result of a unit ({problem}); delete it") from problem


def _sums_from_vector(
    vector: Sequence[float], labels: LabelSpace, vpq_windows: tuple[int, ...]
) -> SequenceSums:
    shaped = _shape_of_sums(labels, vpq_windows)
    expected, found = shaped.to_vector().shape, np.shape(vector)
    if found != expected:
        raise ValueError(f"{found} sums, expected {expected}")
    return shaped.from_vector(np.asarray(vector, dtype=np.float64))


@lru_cache(maxsize=1)
def _shape_of_sums(labels: LabelSpace, vpq_windows: tuple[int, ...]) -> SequenceSums:
    return empty_sums(labels, vpq_windows)  # the same for all units of a run


def run_unit(
    variant: Variant,
    shared: SharedVideo,
    labels: LabelSpace,
    *,
    segments: str | None,
    drop: int,
    phase: int,
    pair: int,
    vpq_windows: tuple[int, ...] = WINDOWS,
) -> UnitResult:
    """Track the existing frames of one sequence and score them.

    Args:
        variant: Row of the tracker.
        shared: The whole sequence, with ground truth and segments.
        labels: Label space.
        segments: Name of the segments to link.
        drop: Only every ``drop``-th frame exists.
        phase: First frame that exists.
        pair: Pairing interval.
        vpq_windows: Window sizes of VPQ in frames.

    Raises:
        ConfigError: If the tracker cannot be built with these options.
        DataError: If the data or the weights are unusable, or a map does not fit the video.
        TrackerError: If a user's tracker fails.
    """
    kept, run = start_tracking(
        variant, shared, segments=segments, drop=drop, phase=phase, pair=pair
    )
    scorer, recorder = SequenceScorer(labels, vpq_windows), LinkRecorder(labels)
    digest = hashlib.blake2b(digest_size=16)
    for index, panoptic_map in enumerate(run.maps()):
        overlap = scorer.update(kept.truth(index), panoptic_map)
        recorder.update(shared.sightings(kept.whole_index(index)), overlap)
        digest.update(panoptic_map.codes.astype("<u4").tobytes())
    return UnitResult(
        sequence=kept.info.name,
        frames=kept.info.frame_count,
        sums=scorer.result(),
        links=recorder.result(),
        matches=run.matches,
        recovered=run.recovered,
        seconds=run.seconds,
        tables=pack_rows(scorer.overlap().rows()),
        decisions=_decisions(run),
        maps=digest.hexdigest(),
        mapped=shared.mapped(segments),
    )


def _decisions(run: TrackerRun) -> NDArray[np.void]:
    """Return the step that gave each segment its identity, for links by step."""
    rows = [
        (each.frame, each.class_id << ID_BITS | each.identity, _step(each))
        for each in run.decisions()
    ]
    return np.array(rows, DECISION)


_STEPS = {"motion": "motion", "appearance": "appearance", "joint": "appearance", "new": "new"}
"""Steps of fusions by the names of :data:`~mapt_bench.metrics.step_links.STEPS`. The second step of
the joint linker compares both cues."""

_OF_MEMORY = ("recovered", "late")


def _step(decision: Decision) -> int:
    if decision.was_lost or decision.step in _OF_MEMORY:
        return STEPS.index("memory")
    return STEPS.index(_STEPS.get(decision.step, "other"))


def start_tracking(
    variant: Variant,
    shared: SharedVideo,
    *,
    segments: str | None,
    drop: int = 1,
    phase: int = 0,
    pair: int = 1,
) -> tuple[DroppedVideo, TrackerRun]:
    """Return the existing frames of one sequence, and the pass of a tracker over them.

    Args:
        variant: Row of the tracker.
        shared: The whole sequence, with ground truth and segments.
        segments: Name of the segments to link.
        drop: Only every ``drop``-th frame exists.
        phase: First frame that exists.
        pair: Pairing interval.

    Raises:
        ConfigError: If the tracker cannot be built with these options.
        DataError: If the data or the weights are unusable.
    """
    kept = DroppedVideo(shared.video, drop, phase)
    share = WorkOfUnit(shared.work, segments, kept.whole_index)
    tracker = _choice(variant, pair).build(
        kept,
        None if variant.is_whole else _Replay(shared, kept, segments, variant.mapt),
        true_flow=kept.backward_flow if kept.knows_flow else None,
        share=share,
        clock=_clock_of(share),
    )
    return kept, TrackerRun(tracker, kept, pair=pair)


def _clock_of(share: WorkOfUnit) -> Callable[[], float]:
    """Return a clock that includes the time of cached values."""
    return lambda: perf_counter() + share.saved_seconds


def _choice(variant: Variant, pair: int) -> TrackerChoice:
    """Return the tracker of a row, with its networks and all its settings."""
    _check_source(variant)
    flow = FlowOptions() if variant.weights is None else FlowOptions(weights=variant.weights.path)
    mapt = MaptOptions()
    if variant.mapt is not None:
        mapt = MaptOptions(weights=variant.mapt.path, switches=variant.switches)
    return TrackerChoice(variant.row, pair, flow, mapt, variant.settings)


def _check_source(variant: Variant) -> None:
    """Refuse user code that has changed since the run was planned."""
    entry = tracker_entry(variant.associator)
    if isinstance(entry, UserTracker) and (
        variant.code is None or entry.fingerprint != variant.code.fingerprint
    ):
        raise ConfigError(
            f"the source of {variant.associator} was edited after this run began; run the same "
            "command again in a new Python process"
        )


class _Replay:
    """Replays the segments of the whole video for the existing frames."""

    needs_images = False

    def __init__(
        self, shared: SharedVideo, kept: DroppedVideo, name: str | None, mapt: MaptWeights | None
    ) -> None:
        self._shared = shared
        self._kept = kept
        self._name = name
        self._mapt = mapt

    def start(self, info: VideoInfo) -> None:
        """Do nothing: segments are computed before a tracker runs."""

    def segment(self, frame: Frame) -> FrameSegments:
        """Return the segments of the frame."""
        index = self._kept.whole_index(frame.index)
        return self._shared.segments(self._name, index, self._mapt)


@contextmanager
def one_thread(*, networks: bool) -> Iterator[None]:
    """Limit OpenCV and torch to one thread. Restore their threads afterwards.

    This makes times comparable, and results equal: sums of torch depend on the number of threads.

    Args:
        networks: Whether networks run. Otherwise torch is not imported.
    """
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        if networks:
            with _one_thread_of_torch():
                yield
        else:
            yield
    finally:
        cv2.setNumThreads(before)


@contextmanager
def _one_thread_of_torch() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
