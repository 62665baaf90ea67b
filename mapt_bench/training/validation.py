"""Scores of a model during training: tracking scores, and flow errors of flow models."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mapt_bench.errors import DataError
from mapt_bench.labels import AnnotatedVideo, Video
from mapt_bench.metrics import SequenceScorer, SequenceSums, flat_scores, pool
from mapt_bench.tracking import Tracker
from mapt_bench.tracking.loop import run_tracker
from mapt_bench.training.model_builder import model_blamed
from mapt_bench.workers import Lost, RemoteWorkers, Workers, opened_workers

__all__ = [
    "VALIDATION_SCORES",
    "EstimatesFlow",
    "FlowValidation",
    "JoinedValidation",
    "TrackerValidation",
    "Validate",
]

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
        videos: With ground truth.
        tracker_of: Makes the tracker of a model; ``None`` for a model that cannot track.
        workers: Opens what tracks the videos, for each validation again; ``None`` is this process.
    """

    def __init__(
        self,
        videos: Sequence[Video],
        tracker_of: Callable[[nn.Module], Tracker | None],
        workers: Callable[[], AbstractContextManager[Workers]] = opened_workers,
    ) -> None:
        self._videos = videos
        self._tracker_of = tracker_of
        self._workers = workers

    @torch.no_grad()
    def __call__(self, model: nn.Module, step: int) -> dict[str, float]:
        """Return the defined ones of :data:`VALIDATION_SCORES`, pooled; none without a tracker.

        The model is in evaluation mode meanwhile, and afterwards in the mode that it was in.

        Raises:
            ConfigError: If workers of a cluster have other versions.
            TrackerError: If the tracker fails.
            DataError: If its maps cannot be scored, or a cluster cannot be reached.
        """
        if self._tracker_of(model) is None:
            return {}
        was_training = model.training
        model.eval()
        start = partial(_scoring, model, self._tracker_of, torch.get_num_threads())
        try:
            with self._workers() as workers:
                sums = dict(_run(workers, start, self._videos, gpu=_is_on_gpu(model)))
        finally:
            model.train(was_training)
        ordered = [sums[at] for at in range(len(self._videos))]
        scores = flat_scores(pool(ordered), self._videos[0].info.labels)
        found = {name: scores[name] for name in VALIDATION_SCORES}
        return {name: value for name, value in found.items() if value is not None}


_Scoring = Callable[[Video], SequenceSums]


def _scoring(
    model: nn.Module, tracker_of: Callable[[nn.Module], Tracker | None], threads: int
) -> _Scoring:
    """Return what tracks and scores a video, in a process with this number of torch threads."""
    torch.set_num_threads(threads)  # sums of torch depend on it
    tracker = tracker_of(model)
    if tracker is None:
        raise TypeError(f"{type(model).__name__} lost its tracker on the way")
    return partial(_score, tracker)


@torch.no_grad()
def _score(tracker: Tracker, video: Video) -> SequenceSums:
    scorer = SequenceScorer(video.info.labels)
    for index, predicted in enumerate(run_tracker(tracker, video)):
        scorer.update(video.truth(index), predicted)
    return scorer.result()


def _run(
    workers: Workers, start: Callable[[], _Scoring], videos: Sequence[Video], *, gpu: bool
) -> Iterator[tuple[int, SequenceSums]]:
    if not isinstance(workers, RemoteWorkers):
        yield from workers.run(start, videos)
        return
    for at, sums in workers.run_each(start, videos, gpu=range(len(videos)) if gpu else ()):
        if isinstance(sums, Lost):
            raise DataError(f"validation failed: {sums.reason}", where=videos[at].info.name)
        yield at, sums


def _is_on_gpu(model: nn.Module) -> bool:
    return any(parameter.is_cuda for parameter in model.parameters())


_Rows = NDArray[np.float32]


@runtime_checkable
class EstimatesFlow(Protocol):
    """A model of optical flow that can be validated while it is trained."""

    def estimate_flow(self, later: Tensor, earlier: Tensor) -> Tensor:
        """Return where each pixel of images was in earlier ones.

        Args:
            later: RGB in ``[0, 1]``, ``float32`` of shape ``(B, 3, H, W)``.
            earlier: The same.

        Returns:
            ``(B, 2, H, W)``, pixels to the right and downwards.
        """
        ...


class FlowValidation:
    """A :data:`~mapt_bench.training.validation.Validate` of flow between neighbouring frames.

    Args:
        videos: That know their flow.
    """

    def __init__(self, videos: Sequence[AnnotatedVideo]) -> None:
        self._videos = videos

    @torch.no_grad()
    def __call__(self, model: nn.Module, step: int) -> dict[str, float]:
        """Return mean end-point errors in pixels, over all pixels whose flow is known.

        The model is in evaluation mode meanwhile, and afterwards in the mode that it was in.

        Returns:
            ``EPE`` and, of a flow that is 0 everywhere, ``EPE of no motion``; both again over
            pixels of things, ``on things``, where there are any; nothing for a model that is no
            :class:`EstimatesFlow`, or where no pixel's flow is known.

        Raises:
            DataError: If a frame or its flow cannot be read.
        """
        if not isinstance(model, EstimatesFlow):
            return {}
        device = next(model.parameters()).device
        was_training = model.training
        model.eval()
        try:
            errors = np.concatenate([_errors(model, video, device) for video in self._videos])
        finally:
            model.train(was_training)
        scores: dict[str, float] = {}
        for where, chosen in (("", errors), (" on things", errors[errors[:, 2] > 0])):
            if len(chosen):
                of_model, of_none = chosen[:, :2].mean(axis=0, dtype=np.float64).tolist()
                scores |= {f"EPE{where}": of_model, f"EPE of no motion{where}": of_none}
        return scores


def _errors(model: EstimatesFlow, video: AnnotatedVideo, device: torch.device) -> _Rows:
    """Return ``(n, 3)``, a row a pixel: error, error of no motion, whether it is of a thing."""
    rows = []
    earlier = _tensor(video, 0, device)
    for index in range(1, video.info.frame_count):
        later = _tensor(video, index, device)
        with model_blamed(model):
            found = model.estimate_flow(later, earlier)[0].permute(1, 2, 0).float().cpu().numpy()
        true = video.backward_flow(index)
        is_thing = video.info.labels.is_thing_table[video.truth(index).classes]
        known = true.valid
        columns = (
            np.linalg.norm(found - true.flow, axis=2)[known],
            np.linalg.norm(true.flow, axis=2)[known],
            is_thing[known],
        )
        rows.append(np.stack(columns, axis=1).astype(np.float32))
        earlier = later
    return np.concatenate([np.zeros((0, 3), np.float32), *rows])


def _tensor(video: AnnotatedVideo, index: int, device: torch.device) -> Tensor:
    image = np.ascontiguousarray(video.frame(index).image.transpose(2, 0, 1), dtype=np.float32)
    return torch.from_numpy(image)[None].to(device) / 255
