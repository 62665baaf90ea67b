"""Fit the joint linker: compare tracks with segments under ground truth, then learn to decide."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mapt_bench.errors import DataError
from mapt_bench.labels import ID_BITS, ID_LIMIT, AnnotatedVideo, Frame, PanopticMap
from mapt_bench.model.network import MaptNetwork
from mapt_bench.model.tracker import MaptLinker
from mapt_bench.tracking import FrameSegments
from mapt_bench.tracking.comparison import Candidate, LinkTrack, Rows, SegmentViews
from mapt_bench.tracking.joint_linker import JointLinker, LinkerSettings
from mapt_bench.tracking.link_model import (
    PAIR,
    SEGMENT,
    STAGES,
    TRACK,
    Cues,
    LinkModel,
    LinkTable,
    SmallNetwork,
    Stage,
    StageModel,
    contrasted,
    input_names,
)

__all__ = ["FitSettings", "LinkExample", "Reliability", "collect", "fit_linker", "reliability"]

_UNKNOWN = -1
_NONE = -2
_MATCH_IOU = 0.5


@dataclass(frozen=True, eq=False)
class LinkExample:
    """A table with its true links.

    Attributes:
        stage: Stage that it belongs to.
        table: Tracks and segments.
        rows: ``(tracks,)``: true column of each track, -2 where it has none, -1 where unknown.
        columns: ``(segments,)``: true row of each segment, -2 where it has none, -1 where unknown.
        clear: Pairs of row and column that clear overlap links before the networks do.
    """

    stage: Stage
    table: LinkTable
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    clear: tuple[tuple[int, int], ...] = ()

    def without_clear(self) -> "LinkExample":
        """Return what clear overlap leaves to the networks."""
        if not self.clear:
            return self
        count_rows, count_columns = self.table.allowed.shape
        rows = sorted(set(range(count_rows)) - {row for row, _ in self.clear})
        columns = sorted(set(range(count_columns)) - {column for _, column in self.clear})
        return LinkExample(
            self.stage,
            self.table.part(rows, columns),
            _within(self.rows[rows], columns),
            _within(self.columns[columns], rows),
        )


def _within(targets: NDArray[np.int64], kept: Sequence[int]) -> NDArray[np.int64]:
    """Return targets as positions among those kept; unknown where the target is gone."""
    place = {old: new for new, old in enumerate(kept)}
    return np.array(
        [t if t < 0 else place.get(t, _UNKNOWN) for t in targets.tolist()], dtype=np.int64
    )


class _Teacher(JointLinker):
    """The joint linker with ground truth in place of its networks. It keeps every table."""

    def _clear(self) -> None:
        super()._clear()
        self.examples: list[LinkExample] = []
        self.truth = np.zeros(0, dtype=np.int64)
        self.rng = np.random.default_rng(0)
        self._of_track: dict[int, int] = {}

    def _link_view(self, rows: Rows, views: SegmentViews, now: int) -> dict[int, tuple[int, str]]:
        in_view = np.flatnonzero(~rows.is_lost).tolist()
        part = rows.part(in_view)
        columns = [Candidate(segment, now) for segment in range(len(views.class_ids))]
        clear = tuple(self._clear_matches(part, views))
        self._keep("view", part, columns, views, now, clear)
        place = self._places(part.tracks)
        matches: dict[int, tuple[int, str]] = {}
        for segment, truth in enumerate(self.truth.tolist()):
            if truth >= 0 and truth in place:
                row = place[truth]
                if part.tracks[row].class_id == views.class_ids[segment]:
                    matches[segment] = in_view[row], "joint"
        for row, segment in clear:  # segments without an object are followed as they would be
            unknown = self._of_track[part.tracks[row].track_id] < 0
            if unknown and self.truth[segment] < 0:
                matches[segment] = in_view[row], "motion"
        return matches

    def _link_lost(
        self, rows: Rows, matches: dict[int, tuple[int, str]], views: SegmentViews, now: int
    ) -> list[tuple[int, Candidate]]:
        lost = np.flatnonzero(rows.is_lost).tolist()
        columns = self._lost_columns(rows, matches, views, now)
        if not lost or not columns:
            return []
        part = rows.part(lost)
        self._keep("lost", part, columns, views, now)
        place = self._places(part.tracks)
        links = []
        for candidate in columns:
            truth = int(self.truth[candidate.segment])
            row = place.get(truth) if truth >= 0 else None
            if row is None or not self._may_link(part.tracks[row], candidate, views):
                continue
            is_last = candidate.born + self.settings.patience == now
            if is_last or self.rng.random() < 0.5:
                links.append((lost[row], candidate))
        return links

    def _may_link(self, track: LinkTrack, candidate: Candidate, views: SegmentViews) -> bool:
        within = 0 < candidate.born - track.last_seen <= self.settings.pair + self.settings.memory
        return within and track.class_id == views.class_ids[candidate.segment]

    def _places(self, tracks: Sequence[LinkTrack]) -> dict[int, int]:
        """Return the row of each object: of two tracks of one object the one seen later."""
        order = sorted(range(len(tracks)), key=lambda row: tracks[row].last_seen)
        return {self._of_track[tracks[row].track_id]: row for row in order}

    def _keep(
        self,
        stage: Stage,
        part: Rows,
        columns: Sequence[Candidate],
        views: SegmentViews,
        now: int,
        clear: tuple[tuple[int, int], ...] = (),
    ) -> None:
        if not part.tracks or not columns:
            return
        table = self._table(part, columns, views, now)
        place = self._places(part.tracks)
        rows = np.full(len(part.tracks), _NONE, dtype=np.int64)
        wanted = np.full(len(columns), _NONE, dtype=np.int64)
        shown = set(self.truth.tolist())
        for row, track in enumerate(part.tracks):
            truth = self._of_track[track.track_id]
            if truth < 0 or truth in shown or place[truth] != row:
                rows[row] = _UNKNOWN
        for column, candidate in enumerate(columns):
            truth = int(self.truth[candidate.segment])
            target = place.get(truth, _NONE)
            if truth < 0:
                wanted[column] = _UNKNOWN
            elif target >= 0:
                allowed = bool(table.allowed[target, column])
                wanted[column] = target if allowed else _UNKNOWN
                rows[target] = column if allowed else _UNKNOWN
        self.examples.append(LinkExample(stage, table, rows, wanted, clear))

    def _record(
        self,
        rows: Rows,
        matches: dict[int, tuple[int, str]],
        lost: Sequence[tuple[int, Candidate]],
        views: SegmentViews,
        now: int,
    ) -> None:
        super()._record(rows, matches, lost, views, now)
        ids = self._queue[-1][1].ids
        for segment, track_id in enumerate(ids.tolist()):
            self._of_track.setdefault(track_id, int(self.truth[segment]))


def collect(
    network: MaptNetwork,
    video: AnnotatedVideo,
    segments: Sequence[FrameSegments],
    *,
    seed: int,
    memory: int = 10,
    clear_overlap: float = 0.5,
) -> list[LinkExample]:
    """Track a video under ground truth and return all tables with their true links.

    Args:
        network: Weights whose cues are compared.
        video: With ground truth.
        segments: Of each frame.
        seed: Decides for how long returning objects stay tentative.
        memory: Frames that a lost track is kept for.
        clear_overlap: As in :class:`~mapt_bench.tracking.joint_linker.LinkerSettings`.
    """
    settings = LinkerSettings(memory=memory, clear_overlap=clear_overlap)
    untrained = LinkModel("both", {})
    tracker = MaptLinker(network, untrained, settings=settings, linker=_Teacher)
    tracker.start(video.info)
    teacher = tracker.linker
    if not isinstance(teacher, _Teacher):
        raise TypeError("the linker of the tracker is no teacher")
    teacher.rng = np.random.default_rng(seed)
    for index, found in enumerate(segments):
        frame: Frame = video.frame(index)
        teacher.truth = _true_objects(found, video.truth(index))
        tracker.associate(frame, found)
    return teacher.examples


def _true_objects(segments: FrameSegments, truth: PanopticMap) -> NDArray[np.int64]:
    """Return the object of each segment: its code in the ground truth, -1 where it has none."""
    objects = np.full(segments.count, _UNKNOWN, dtype=np.int64)
    is_inside = segments.index_map >= 0
    pairs = np.stack((segments.index_map[is_inside], truth.codes[is_inside].astype(np.int64)))
    found, shared = np.unique(pairs, axis=1, return_counts=True)
    areas = np.bincount(segments.index_map[is_inside], minlength=segments.count)
    codes, sizes = np.unique(truth.codes, return_counts=True)
    size_of = dict(zip(codes.tolist(), sizes.tolist(), strict=True))
    for (segment, code), count in zip(found.T.tolist(), shared.tolist(), strict=True):
        union = int(areas[segment]) + size_of[code] - count
        is_object = code & (ID_LIMIT - 1) and code >> ID_BITS == segments.class_ids[segment]
        if is_object and count > _MATCH_IOU * union:
            objects[segment] = code
    return objects


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How networks are fitted.

    Attributes:
        units: Hidden units of a network.
        steps: Steps of Adam over all examples.
        rate: Learning rate.
        decay: Weight decay.
        seed: Of the initial weights.
    """

    units: int = 16
    steps: int = 400
    rate: float = 0.02
    decay: float = 1e-4
    seed: int = 0


def fit_linker(
    examples: Iterable[LinkExample], cues: Cues, settings: FitSettings | None = None
) -> LinkModel:
    """Fit the networks of both stages.

    Args:
        examples: Of many videos.
        cues: Cues that the networks may use.
        settings: Sizes and steps.

    Raises:
        DataError: If a stage has no examples.
    """
    settings = FitSettings() if settings is None else settings
    by_stage = _by_stage(examples, cues)
    return LinkModel(cues, {stage: _fitted(by_stage[stage], cues, settings) for stage in STAGES})


def _by_stage(examples: Iterable[LinkExample], cues: Cues) -> dict[Stage, list[LinkExample]]:
    """Return the tables that the networks of each stage decide on.

    With motion they see what clear overlap leaves, and every fourth table whole.
    """
    found: dict[Stage, list[LinkExample]] = {stage: [] for stage in STAGES}
    for number, example in enumerate(examples):
        is_whole = cues == "appearance" or number % 4 == 0
        found[example.stage].append(example if is_whole else example.without_clear())
    for stage, kept in found.items():
        found[stage] = [each for each in kept if each.table.allowed.any()]
        if not found[stage]:
            raise DataError(f"no examples of the stage {stage!r}; give more or longer videos")
    return found


class _Flat(NamedTuple):
    """All pairs of many tables in a row."""

    pair: Tensor
    track: Tensor
    segment: Tensor
    row: Tensor
    column: Tensor
    true_row: Tensor
    true_column: Tensor


def _flat(examples: Sequence[LinkExample], cues: Cues) -> _Flat:
    known = (*PAIR.measured, *input_names(PAIR, "appearance")[-2:])
    chosen = [known.index(name) for name in input_names(PAIR, cues)]
    of_track = [TRACK.measured.index(name) for name in input_names(TRACK, cues)]
    of_segment = [SEGMENT.measured.index(name) for name in input_names(SEGMENT, cues)]
    parts: list[tuple[NDArray[Any], ...]] = []
    pairs = tracks = segments = 0
    for each in examples:
        rows, columns = np.nonzero(each.table.allowed)
        number = np.full(each.table.allowed.shape, _UNKNOWN)
        number[rows, columns] = pairs + np.arange(len(rows))
        parts.append(
            (
                contrasted(each.table)[rows, columns][:, chosen],
                each.table.track[:, of_track],
                each.table.segment[:, of_segment],
                rows + tracks,
                columns + segments,
                _numbered(each.rows, number),
                _numbered(each.columns, number.T),
            )
        )
        pairs, tracks = pairs + len(rows), tracks + len(each.rows)
        segments += len(each.columns)
    joined = [np.concatenate(part) for part in zip(*parts, strict=True)]
    floats = [torch.from_numpy(part).double() for part in joined[:3]]
    return _Flat(*floats, *(torch.from_numpy(part).long() for part in joined[3:]))


def _numbered(targets: NDArray[np.int64], number: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array(
        [t if t < 0 else number[at, t] for at, t in enumerate(targets.tolist())], dtype=np.int64
    )


class _Layers(nn.Module):
    def __init__(self, values: Tensor, units: int) -> None:
        super().__init__()
        self.mean = values.mean(dim=0)
        self.spread = values.std(dim=0, correction=0).clamp(min=1e-3)
        self.hidden = nn.Linear(values.shape[1], units).double()
        self.out = nn.Linear(units, 1).double()

    def forward(self, values: Tensor) -> Tensor:
        normal = ((values - self.mean) / self.spread).clamp(-5, 5)
        scores: Tensor = self.out(torch.tanh(self.hidden(normal)))[:, 0]
        return scores

    def kept(self, inputs: tuple[str, ...]) -> SmallNetwork:
        hidden = torch.cat((self.hidden.weight.T, self.hidden.bias[None])).detach()
        out = torch.cat((self.out.weight[0], self.out.bias)).detach()
        return SmallNetwork(
            inputs, self.mean.numpy(), self.spread.numpy(), hidden.numpy(), out.numpy()
        )


def _fitted(examples: Sequence[LinkExample], cues: Cues, settings: FitSettings) -> StageModel:
    torch.manual_seed(settings.seed)
    flat = _flat(examples, cues)
    pair, track, segment = (
        _Layers(values, units)
        for values, units in (
            (flat.pair, settings.units),
            (flat.track, settings.units // 2),
            (flat.segment, settings.units // 2),
        )
    )
    weights = [p for part in (pair, track, segment) for p in part.parameters()]
    adam = torch.optim.AdamW(weights, lr=settings.rate, weight_decay=settings.decay)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(adam, settings.steps)
    for _ in range(settings.steps):
        adam.zero_grad()
        scores = pair(flat.pair)
        loss = _loss(scores, track(flat.track), flat.row, flat.true_row) + _loss(
            scores, segment(flat.segment), flat.column, flat.true_column
        )
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
        decay.step()
    return StageModel(
        pair.kept(input_names(PAIR, cues)),
        track.kept(input_names(TRACK, cues)),
        segment.kept(input_names(SEGMENT, cues)),
    )


def _loss(scores: Tensor, none: Tensor, group: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross-entropy of groups of pairs, each with a "none" of its own.

    Args:
        scores: ``(pairs,)``.
        none: ``(groups,)``.
        group: Group of each pair.
        target: True pair of each group, -2 for "none", -1 where unknown.
    """
    with torch.no_grad():
        most = none.clone().scatter_reduce(0, group, scores, "amax")
    total = (none - most).exp().index_add(0, group, (scores - most[group]).exp())
    known = target != _UNKNOWN
    chosen = torch.where(target >= 0, scores[target.clamp(min=0)], none)
    return (total.log() + most - chosen)[known].mean()


class Reliability(NamedTuple):
    """How often pairs of a stated probability are one object.

    Attributes:
        stated: Mean probability of the pairs of each bin.
        found: Share of them that are one object.
        pairs: Number of them.
    """

    stated: list[float]
    found: list[float]
    pairs: list[int]


def reliability(
    model: LinkModel, examples: Iterable[LinkExample], *, bins: int = 10
) -> Mapping[Stage, Reliability]:
    """Measure the calibration of a linker on examples that it was not fitted on.

    Args:
        model: Fitted networks.
        examples: Of other videos.
        bins: Number of bins of equal width.
    """
    by_stage = _by_stage(examples, model.cues)
    return {stage: _reliability(model.stages[stage], by_stage[stage], bins) for stage in STAGES}


def _reliability(model: StageModel, examples: Sequence[LinkExample], bins: int) -> Reliability:
    pairs = [pair for each in examples for pair in _judged(model, each)]
    stated, found = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    which = np.minimum((stated * bins).astype(np.intp), bins - 1)
    counts = np.bincount(which, minlength=bins)
    filled = np.flatnonzero(counts)
    means = [np.bincount(which, each, minlength=bins)[filled] for each in (stated, found)]
    stated_mean, share = ((mean / counts[filled]).round(4).tolist() for mean in means)
    return Reliability(stated_mean, share, counts[filled].tolist())


def _judged(model: StageModel, example: LinkExample) -> Iterator[tuple[float, bool]]:
    probabilities = model.probabilities(example.table)
    for row, column in np.argwhere(example.table.allowed).tolist():
        if _UNKNOWN not in (example.rows[row], example.columns[column]):
            yield float(probabilities[row, column]), bool(example.rows[row] == column)
