"""Scores of a model that is being trained: its tracker on a few videos."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from mapt_bench.labels import Video
from mapt_bench.metrics import SequenceScorer, SequenceSums, flat_scores, pool
from mapt_bench.tracking import Tracker
from mapt_bench.tracking.loop import run_tracker

__all__ = ["VALIDATION_SCORES", "JoinedValidation", "TrackerValidation", "Validate"]

Validate = Callable[[nn.Module, int], dict[str, float]]
"""Given the model and the number of steps made, returns scores for the log."""

VALIDATION_SCORES = ("PAT", "PQ", "TQ", "STQ", "AQ", "SQ")


class JoinedValidation:
    """Several :data:`Validate` as one: a model is scored by all that suit it.

    Args:
        parts: Their scores have different names.
    """

    def __init__(self, *parts: Validate) -> None:
        self._parts = parts

    def __call__(self, model: nn.Module, step: int) -> dict[str, float]:
        """Return the scores of all parts."""
        return {name: value for part in self._parts for name, value in part(model, step).items()}


class TrackerValidation:
    """A :data:`Validate` that tracks videos and scores the maps.

    Args:
        videos: With truth.
        tracker_of: Makes the tracker of a model; ``None`` for a model that cannot track.
    """

    def __init__(
        self, videos: Sequence[Video], tracker_of: Callable[[nn.Module], Tracker | None]
    ) -> None:
        self._videos = videos
        self._tracker_of = tracker_of

    @torch.no_grad()
    def __call__(self, model: nn.Module, step: int) -> dict[str, float]:
        """Return the defined ones of :data:`VALIDATION_SCORES`, pooled; none without a tracker.

        The model is in evaluation mode meanwhile, and afterwards in the mode that it was in.

        Raises:
            TrackerError: If the tracker fails.
            DataError: If its maps cannot be scored.
        """
        tracker = self._tracker_of(model)
        if tracker is None:
            return {}
        was_training = model.training
        model.eval()
        try:
            sums = [self._score(tracker, video) for video in self._videos]
        finally:
            model.train(was_training)
        scores = flat_scores(pool(sums), self._videos[0].info.labels)
        found = {name: scores[name] for name in VALIDATION_SCORES}
        return {name: value for name, value in found.items() if value is not None}

    @staticmethod
    def _score(tracker: Tracker, video: Video) -> SequenceSums:
        scorer = SequenceScorer(video.info.labels)
        for index, predicted in enumerate(run_tracker(tracker, video)):
            scorer.update(video.truth(index), predicted)
        return scorer.result()
