"""Short films of panoptic maps, drawn frame beside frame, and their scores."""

from collections.abc import Sequence

from helpers.maps import KITTI, draw

from mapt_bench.labels import LabelSpace, PanopticMap
from mapt_bench.metrics import SequenceScorer, SequenceSums, flat_scores
from mapt_bench.metrics.overlap import SequenceOverlap, count_overlap, join_frames

Film = str | Sequence[PanopticMap]


def film(text: str) -> list[PanopticMap]:
    """Draw frames side by side, parted by ``|``; the words are those of :func:`draw`.

    ``"c1 r | r c1"`` is a car of one pixel that moves to the right.
    """
    rows = [[part.strip() for part in row.split("|")] for row in text.strip().splitlines()]
    return [draw(*frame_rows) for frame_rows in zip(*rows, strict=True)]


def _frames(drawn: Film) -> list[PanopticMap]:
    return film(drawn) if isinstance(drawn, str) else list(drawn)


def score(gt: Film, pred: Film, labels: LabelSpace = KITTI) -> SequenceSums:
    """Score one sequence."""
    scorer = SequenceScorer(labels)
    for gt_map, pred_map in zip(_frames(gt), _frames(pred), strict=True):
        scorer.update(gt_map, pred_map)
    return scorer.result()


def headline(gt: Film, pred: Film, **options: str) -> dict[str, float | None]:
    """Return the headline scores of one sequence."""
    return flat_scores(score(gt, pred), KITTI, **options)


def overlap_of(gt: Film, pred: Film) -> SequenceOverlap:
    """Return the joined overlap tables of one sequence."""
    frames = zip(_frames(gt), _frames(pred), strict=True)
    return join_frames([count_overlap(*pair, KITTI) for pair in frames], KITTI)
