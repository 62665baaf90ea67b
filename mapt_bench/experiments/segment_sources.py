"""Where the segments come from that every tracker of an experiment is given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mapt_bench.baselines.flow_sources import FlowOptions
from mapt_bench.baselines.mapt_entries import mapt_segmenter
from mapt_bench.baselines.noise import SegmentNoise
from mapt_bench.baselines.segmenters import GROUND_TRUTH, GroundTruthSegments, SavedSegments
from mapt_bench.code_closure import not_followed
from mapt_bench.data import StoredSequence
from mapt_bench.experiments.weights import MaptWeights
from mapt_bench.labels import Video
from mapt_bench.tracking import Segmenter

__all__ = ["MILD_NOISE", "NOISY", "SAVED", "SegmentSource"]

NOISY = "noisy"
"""What true segments with faults are called."""

SAVED = "saved"
"""What saved predictions are called."""

MILD_NOISE = SegmentNoise(missed=0.04, merged=0.03, eroded=0.15, spurious=0.3)
"""Faults of the segments that are called noisy, so that scores and memory have something to do."""


@dataclass(frozen=True, slots=True)
class SegmentSource:
    """One kind of segments: true ones, true ones with faults, saved ones, or what MAPT finds.

    Attributes:
        noise: Faults added to ground truth; ``None`` for none.
        saved: Predictions, one sequence a video, instead of ground truth.
        folder: Where the predictions lie, for people.
        fingerprint: Of the predictions.
        mapt: Weights of the MAPT that finds the segments, instead of ground truth.
    """

    noise: SegmentNoise | None = None
    saved: tuple[StoredSequence, ...] | None = None
    folder: str | None = None
    fingerprint: str | None = None
    mapt: MaptWeights | None = None

    @property
    def name(self) -> str:
        """What cells and tables call it."""
        if self.mapt is not None:
            return self.mapt.name
        if self.saved is not None:
            return SAVED
        return GROUND_TRUTH if self.noise is None else NOISY

    @property
    def needs_images(self) -> bool:
        """Whether segments are found in images."""
        return self.mapt is not None

    @property
    def maker(self) -> "Callable[[SegmentSource, Video, int, int], Segmenter]":
        """The function that :meth:`segmenter` calls: its code makes the segments of this source."""
        if self.mapt is not None:
            return _found
        return _true if self.saved is None else _saved

    def segmenter(self, video: Video, index: int, seed: int) -> Segmenter:
        """Return what finds the segments of the video at a position, which may be under stress."""
        return self.maker(self, video, index, seed)

    def describe(self) -> dict[str, Any]:
        """Return what decides the segments, ready for JSON and for keys; no paths."""
        if self.mapt is not None:
            return {"kind": "found by MAPT", "weights": self.mapt.sha256}
        if self.saved is not None:
            return {"kind": "saved predictions", "fingerprint": self.fingerprint}
        if self.noise is None:
            return {"kind": "ground truth", "noise": None}
        names = ("missed", "merged", "eroded", "wrong_class", "spurious")
        doses = {name: getattr(self.noise, name) for name in names}
        pixels = {name: getattr(self.noise, name) for name in ("erosion_px", "merge_gap_px")}
        return {"kind": "ground truth", "noise": {**doses, **pixels}}

    def in_words(self) -> str:
        """Return what tables call it."""
        if self.mapt is not None:
            return "found by MAPT itself"  # whichever weights: what they changed is compared
        if self.saved is not None:
            return f"saved predictions of {self.folder}"
        if self.noise is None:
            return "ground truth with its ids taken away"
        return (
            "ground truth with its ids taken away and faults added: "
            f"{100 * self.noise.missed:g} % missed, {100 * self.noise.merged:g} % merged, "
            f"{100 * self.noise.eroded:g} % eroded, {self.noise.spurious:g} spurious a frame"
        )


@not_followed
def _found(source: SegmentSource, video: Video, index: int, seed: int) -> Segmenter:
    weights = None if source.mapt is None else source.mapt.path
    return mapt_segmenter(FlowOptions(weights=weights))


@not_followed
def _saved(source: SegmentSource, video: Video, index: int, seed: int) -> Segmenter:
    return SavedSegments((source.saved or ())[index], seed=seed)


@not_followed
def _true(source: SegmentSource, video: Video, index: int, seed: int) -> Segmenter:
    return GroundTruthSegments(video, seed=seed, noise=source.noise)
