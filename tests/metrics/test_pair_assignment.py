import numpy as np
from helpers.films import overlap_of
from helpers.maps import CAR

from mapt_bench.metrics.detections import assign_pairs, detections_of_class
from mapt_bench.metrics.matching import segment_table


def assigned(gt, pred, allowed_above=0.0, score=None):
    """Pairs (true mask, predicted mask) that are chosen."""
    detections = detections_of_class(segment_table(overlap_of(gt, pred)), CAR)
    chosen = assign_pairs(
        detections,
        detections.iou > allowed_above,
        score or (lambda pairs, _: detections.iou[pairs]),
    )
    pairs = zip(detections.pair_gt[chosen], detections.pair_pred[chosen], strict=True)
    return sorted((int(gt_mask), int(pred_mask)) for gt_mask, pred_mask in pairs)


def test_what_is_not_contested_is_taken():
    assert assigned("c1 c2 r | c1 r r", "c5 c6 r | c7 r r") == [(0, 0), (1, 1), (2, 2)]


def test_the_greatest_sum_wins_over_the_greatest_score():
    # Id 5 has 3 pixels of car 1 and all 4 of car 2, id 6 has 2 of car 1:
    # IoU (1,5) 3/9, (1,6) 2/5, (2,5) 4/7. Pairs (1,6) and (2,5) are the best.
    gt = "c1 c1 c1 c1 c1 c2 c2 c2 c2"
    assert assigned(gt, "c5 c5 c5 c6 c6 c5 c5 c5 c5") == [(0, 1), (1, 0)]
    # Given scores decide; taking the best pair first would leave 0.1 for the other.
    scores = {(0, 0): 0.8, (0, 1): 0.1, (1, 0): 1.0, (1, 1): 0.7}
    detections = detections_of_class(segment_table(overlap_of("c1 c1 c2 c2", "c5 c6 c5 c6")), CAR)

    def by_hand(pairs, _chosen):
        masks = zip(detections.pair_gt[pairs], detections.pair_pred[pairs], strict=True)
        return np.array([scores[int(gt), int(pred)] for gt, pred in masks])

    # 0.8 + 0.7 against 0.1 + 1.0
    assert assigned("c1 c1 c2 c2", "c5 c6 c5 c6", score=by_hand) == [(0, 0), (1, 1)]


def test_one_half_twice_gives_one_pair():
    pairs = assigned("c1 c1 c1 c1", "c5 c5 c6 c6")
    assert len(pairs) == 1


def test_forbidden_pairs_are_never_chosen():
    assert assigned("c1 c1 c1 r", "c5 c6 c6 r", allowed_above=0.5) == [(0, 1)]


def test_contested_frames_see_what_earlier_frames_chose():
    seen = []

    def score(pairs, chosen):
        seen.append(int(chosen.sum()))
        return np.ones(len(pairs))

    # Frames 1 and 3 are contested with two pairs each, frame 2 is settled from the start.
    assigned("c1 c1 | c1 c1 | c1 c1", "c5 c6 | c5 c5 | c5 c6", score=score)
    assert seen == [5, 4]  # one of the pairs of frame 1 is gone when frame 3 is decided
