"""One unit of work: one tracker over one sequence under one condition, scored and timed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from time import perf_counter
from typing import Any

import numpy as np

from mapt_bench.baselines import build_associator
from mapt_bench.baselines.flow_sources import FLOW_PREFIX, FlowOptions
from mapt_bench.errors import DataError
from mapt_bench.experiments.shared import SharedVideo
from mapt_bench.experiments.shared_work import WorkOfUnit
from mapt_bench.experiments.variants import Variant
from mapt_bench.experiments.weights import MaptWeights
from mapt_bench.labels import Frame, LabelSpace, VideoInfo
from mapt_bench.metrics import LinkEvents, LinkRecorder, SequenceScorer, SequenceSums, empty_sums
from mapt_bench.stress.dropped import DroppedVideo
from mapt_bench.tracking import Association, Associator, FrameSegments, SegmentTracker

__all__ = ["UNIT_SCHEMA", "UnitResult", "run_unit"]

UNIT_SCHEMA = "mapt-bench/unit/4"


@dataclass(frozen=True, eq=False)
class UnitResult:
    """What a unit found.

    Attributes:
        sequence: Name of the sequence.
        frames: Frames scored.
        sums: Everything that scores are computed from.
        links: What became of each true track from one sighting to the next.
        matches: Segments by what gave them their identity, for example ``{"motion": 40}``.
        recovered: Segments given the identity of a track that had been lost from view.
        seconds: Time of association of each frame, images already read.
        provenance: Versions, machine, device, threads and time of what found it.
    """

    sequence: str
    frames: int
    sums: SequenceSums
    links: LinkEvents
    matches: Mapping[str, int]
    recovered: int
    seconds: tuple[float, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)

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
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], labels: LabelSpace) -> "UnitResult":
        """Build a result from plain data.

        Args:
            data: From :meth:`to_dict`.
            labels: Label space of the sums.

        Raises:
            DataError: If it is of another schema or incomplete.
        """
        try:
            if data["schema"] != UNIT_SCHEMA:
                raise DataError(f"has schema {data['schema']!r}; expected {UNIT_SCHEMA!r}")
            return cls(
                sequence=str(data["sequence"]),
                frames=int(data["frames"]),
                sums=_sums_from_vector(data["sums"], labels),
                links=LinkEvents.from_dict(data["links"]),
                matches={str(step): int(count) for step, count in data["matches"].items()},
                recovered=int(data["recovered"]),
                seconds=tuple(float(value) for value in data["seconds"]),
                provenance=dict(data["provenance"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise DataError(f"is no result of a unit ({problem}); delete it") from problem


def _sums_from_vector(vector: Sequence[float], labels: LabelSpace) -> SequenceSums:
    shaped = _shape_of_sums(labels)
    expected, found = shaped.to_vector().shape, np.shape(vector)
    if found != expected:
        raise ValueError(f"{found} sums, expected {expected}")
    return shaped.from_vector(np.asarray(vector, dtype=np.float64))


@lru_cache(maxsize=1)
def _shape_of_sums(labels: LabelSpace) -> SequenceSums:
    return empty_sums(labels)  # of all the units that a run is read from


def run_unit(
    variant: Variant,
    shared: SharedVideo,
    labels: LabelSpace,
    *,
    segments: str | None,
    drop: int,
    phase: int,
    pair: int,
) -> UnitResult:
    """Track the kept frames of one sequence and score them.

    Args:
        variant: The tracker.
        shared: The whole sequence, with truth and segments.
        labels: Label space.
        segments: Name of what is linked.
        drop: Only every ``drop``-th frame exists.
        phase: The first frame that exists.
        pair: Pairing interval.

    Raises:
        ConfigError: If the tracker cannot be built so.
        DataError: If the data or the weights turn out unusable.
    """
    kept = DroppedVideo(shared.video, drop, phase)
    share = WorkOfUnit(shared.work, segments, kept.whole_index)
    flow, looks = _networks(variant)
    associator = _Timed(
        build_associator(
            variant.associator,
            memory=variant.memory,
            pair=pair,
            truth=kept.truth,
            flow=flow,
            looks=looks,
            true_flow=kept.backward_flow if kept.knows_flow else None,
            share=share,
            **dict(variant.settings),
        ),
        share,
    )
    tracker = SegmentTracker(_Replay(shared, kept, segments, variant.mapt), associator)
    tracker.start(kept.info)
    scorer, recorder = SequenceScorer(labels), LinkRecorder(labels)
    for index in range(kept.info.frame_count):
        truth = kept.truth(index)
        overlap = scorer.update(truth, tracker.step(kept.frame(index)))
        recorder.update(shared.sightings(kept.whole_index(index)), overlap)
    steps: Counter[str] = Counter()
    for association in tracker.associations:
        steps.update(association.steps)
    return UnitResult(
        sequence=kept.info.name,
        frames=kept.info.frame_count,
        sums=scorer.result(),
        links=recorder.result(),
        matches=steps,
        recovered=sum(age > pair for found in tracker.associations for age in found.ages),
        seconds=tuple(associator.seconds),
    )


def _networks(variant: Variant) -> tuple[FlowOptions | None, FlowOptions | None]:
    """Return the networks of an associator: its own, and the one that it asks for looks."""
    flow = None if variant.weights is None else FlowOptions(weights=variant.weights.path)
    if variant.mapt is None:
        return flow, None
    mapt = FlowOptions(weights=variant.mapt.path, switches=variant.switches)
    return (flow, mapt) if variant.associator.startswith(FLOW_PREFIX) else (mapt, None)


class _Replay:
    """Replays the segments of the whole video for the frames that are kept."""

    needs_images = False

    def __init__(
        self, shared: SharedVideo, kept: DroppedVideo, name: str | None, mapt: MaptWeights | None
    ) -> None:
        self._shared = shared
        self._kept = kept
        self._name = name
        self._mapt = mapt

    def start(self, info: VideoInfo) -> None:
        """Nothing to prepare: segments are found before a tracker is run."""

    def segment(self, frame: Frame) -> FrameSegments:
        """Return what was found in the frame."""
        index = self._kept.whole_index(frame.index)
        return self._shared.segments(self._name, index, self._mapt)


class _Timed:
    """Measures an associator; the time to read images is not its own.

    What others have worked out for it counts with the time that it took them.
    """

    def __init__(self, associator: Associator, share: WorkOfUnit) -> None:
        self._associator = associator
        self._share = share
        self.needs_images = associator.needs_images
        self.seconds: list[float] = []

    def start(self, info: VideoInfo) -> None:
        """Start the associator."""
        self._associator.start(info)

    def associate(self, frame: Frame, segments: FrameSegments) -> Association:
        """Associate, and note how long it took."""
        if self.needs_images:
            _ = frame.image  # read now, and kept by the frame
        began, saved = perf_counter(), self._share.saved_seconds
        association = self._associator.associate(frame, segments)
        seconds = perf_counter() - began + self._share.saved_seconds - saved
        self.seconds.append(round(seconds, 6))
        return association
