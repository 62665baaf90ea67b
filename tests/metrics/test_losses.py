"""The error decomposition: tiny films worked by hand, and what must hold for any film."""

import math
from itertools import pairwise

import numpy as np
import pytest
from helpers.films import overlap_of
from helpers.maps import CAR, KITTI, PERSON, VOID
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mapt_bench.errors import DataError
from mapt_bench.labels import ID_LIMIT, PanopticMap
from mapt_bench.metrics import HEADLINE, VARIANTS
from mapt_bench.metrics.losses import (
    LOSS_SCORES,
    Losses,
    LossSums,
    count_losses,
    decompose,
    shares,
)
from mapt_bench.metrics.mistakes import KINDS, Mistake, Mistakes
from mapt_bench.metrics.overlap import FrameOverlap, join_frames
from mapt_bench.metrics.pat import pat_scores
from mapt_bench.metrics.pat_counter import count_pat
from mapt_bench.metrics.repairs import Repairs, bit
from mapt_bench.metrics.stq import count_stq, stq_scores

EVERY = sum(map(bit, Mistake))


def losses_of(gt, pred, variant=HEADLINE):
    overlap = overlap_of(gt, pred)
    return decompose(count_losses(overlap, VARIANTS[variant]), KITTI, VARIANTS[variant])


def costly(losses, name="PAT"):
    """Return the kinds and causes with a share in a score, with the share."""
    found = {}
    for kind, loss in losses.kinds.items():
        for cause, part in (loss.causes or {kind: loss}).items():
            if abs(part.share[name]) > 1e-12:
                found[cause] = part.share[name]
    return found


def all_to(cause, gt, pred):
    """Check that one cause has all the loss of every score, and return the losses."""
    losses = losses_of(gt, pred)
    for name in LOSS_SCORES:
        lack = 1 - losses.score[name]
        expected = {cause: pytest.approx(lack)} if lack > 1e-12 else {}
        assert costly(losses, name) == expected, name
        assert losses.perfect[name] == pytest.approx(1, abs=1e-12)
    assert losses.score["PAT"] < 1 or losses.score["STQ"] < 1
    return losses


# One kind of mistake each: it has all the loss.

TWO_CARS = "c1 c1 r c2 c2 | c1 c1 r c2 c2 | c1 c1 r c2 c2 | c1 c1 r c2 c2"


def test_a_perfect_prediction_loses_nothing_whatever_its_ids():
    losses = losses_of(TWO_CARS, TWO_CARS.replace("c1", "c7").replace("c2", "c1"))
    assert all(not costly(losses, name) for name in LOSS_SCORES)
    assert all(kind.entries == 0 for kind in losses.kinds.values())


def test_an_exchange_of_identities_is_a_switch():
    pred = "c1 c1 r c2 c2 | c1 c1 r c2 c2 | c2 c2 r c1 c1 | c2 c2 r c1 c1"
    losses = all_to("switch", TWO_CARS, pred)
    # Both tracks: AQ = (1/4) * 2 * 4 / (4 + 4 - 2) = 1/3, and 1 switch of 3.
    assert losses.score["TQ"] == pytest.approx(math.sqrt(1 / 3 * 2 / 3))
    assert losses.kinds["identity"].gain["TQ"] == pytest.approx(1 - math.sqrt(2 / 9))
    assert losses.kinds["identity"].entries == 4
    assert losses.kinds["identity"].pixels == 8


def test_a_new_identity_without_a_gap():
    all_to(
        "new_identity",
        TWO_CARS,
        "c1 c1 r c2 c2 | c1 c1 r c2 c2 | c3 c3 r c2 c2 | c3 c3 r c2 c2",
    )


GAP = "c1 c1 r r r | r r r r r | c1 c1 r r r | c1 c1 r r r"


def test_a_new_identity_after_a_gap_is_a_missed_recovery():
    all_to("missed_recovery", GAP, GAP.replace("r r r r r | c1 c1", "r r r r r | c9 c9"))


def test_the_identity_of_a_gone_object_is_a_wrong_recovery():
    all_to("wrong_recovery", "c1 c1 r | r r r | r c2 c2", "c1 c1 r | r r r | r c1 c1")


def test_a_return_to_the_own_identity_belongs_to_the_mistake_before():
    gt = " | ".join(["c1 c1 r"] * 5)
    pred = "c1 c1 r | c1 c1 r | c6 c6 r | c1 c1 r | c1 c1 r"
    losses = all_to("new_identity", gt, pred)
    assert losses.kinds["identity"].entries == 1


def test_a_missed_object():
    pred = "c1 c1 r c2 c2 | c1 c1 r r r | c1 c1 r c2 c2 | c1 c1 r c2 c2"
    losses = all_to("missed", TWO_CARS, pred)
    assert losses.kinds["missed"].gain["PAT"] == pytest.approx(1 - losses.score["PAT"])


def test_an_object_that_is_never_found():
    all_to("missed", TWO_CARS, TWO_CARS.replace("c2", "r"))


def test_predicted_void_counts_as_missed():
    all_to("missed", "c1 c1 r r | c1 c1 r r", "v v r v | c1 c1 r r")


@pytest.mark.parametrize("identity", ["c3", "c1", "p1"])
def test_a_spurious_segment(identity):
    gt = "c1 c1 r r r r | r r r r r r"
    all_to("spurious", gt, gt.replace("| r r r", f"| r r {identity}"))


def test_a_spurious_segment_on_void_lengthens_the_tube_of_its_identity():
    losses = all_to("spurious", "c1 c1 r v | r r r v", "c1 c1 r r | r r r c1")
    assert losses.score["PQ"] == 1
    assert losses.score["AQ"] < 1


def test_a_wrong_class_with_the_same_identity():
    pred = "c1 c1 r c2 c2 | c1 c1 r c2 c2 | c1 c1 r p2 p2 | c1 c1 r c2 c2"
    all_to("class", TWO_CARS, pred)


def test_a_wrong_class_takes_a_wrong_identity_along():
    pred = "c1 c1 r c2 c2 | c1 c1 r c2 c2 | c1 c1 r p5 p5 | c1 c1 r c2 c2"
    all_to("class", TWO_CARS, pred)


def test_an_object_that_never_has_its_class_gets_a_code_of_its_own():
    # Without that, the repaired car 2 would be one with car 1.
    all_to("class", "c1 c1 r | r c2 c2", "c1 c1 r | r p1 p1")


def test_masks_that_are_too_small_or_too_large():
    all_to("too_small", "c1 c1 c1 r | c1 c1 c1 r", "c1 c1 r r | c1 c1 c1 r")
    all_to("too_large", "c1 c1 c1 r r | c1 c1 c1 r r", "c1 c1 c1 c1 r | c1 c1 c1 r r")


def test_a_poor_mask_is_of_the_object_from_a_tenth_on():
    gt = " | ".join(["c1 " * 10 + "r"] * 2)
    one_of_ten = "c1 " + "r " * 10 + "| " + "c1 " * 10 + "r"
    all_to("too_small", gt, one_of_ten)
    # 1 pixel of 11: the object is missed, and the segment is spurious.
    gt = " | ".join(["c1 " * 11 + "r"] * 2)
    one_of_eleven = "c1 " + "r " * 11 + "| " + "c1 " * 11 + "r"
    assert costly(losses_of(gt, one_of_eleven), "PQ").keys() == {"missed", "spurious"}


def test_two_objects_in_one_segment_are_merged():
    gt = "c1 c1 c1 c2 c2 | c1 c1 c1 c2 c2"
    all_to("merged", gt, "c1 c1 c1 c1 c1 | c1 c1 c1 c2 c2")


def test_many_objects_in_one_segment_are_merged_and_leave_nothing_behind():
    gt = "c1 c2 c3 c4 c5 c6 c7 c8 c9 c10 c11 r | r r r r r r r r r r r r"
    pred = "c1 " * 12 + "| r r r r r r r r r r r r"
    losses = all_to("merged", gt, pred)
    assert losses.score["PAT"] == 0  # PQ of the road is above 0, TQ is 0


def test_one_object_in_two_segments_is_split():
    all_to("split", "c1 c1 c1 c1 c1 r | c1 c1 c1 c1 c1 r", "c1 c1 c1 c3 c3 r | c1 c1 c1 c1 c1 r")


def test_stuff_taken_for_other_stuff():
    losses = all_to("stuff", "c1 r s s | c1 r r s", "c1 r s r | c1 r r s")
    assert losses.score["TQ"] == 1


def test_crowd_needs_its_class_only():
    all_to("missed", "c0 c1 c1 | c0 c1 c1", "r c1 c1 | c5 c1 c1")
    losses = losses_of("c0 c1 c1 | c0 c1 c1", "c5 c1 c1 | c1 c1 c1")
    assert all(not costly(losses, name) for name in LOSS_SCORES)


# Where kinds meet.


def test_an_added_object_takes_the_identity_of_its_track():
    """Car 1 is missed and then recovered as 9: both repairs are needed, and each is named."""
    gt = " | ".join(["c1 c1 r"] * 4)
    losses = losses_of(gt, "c1 c1 r | r r r | c9 c9 r | c9 c9 r")
    assert costly(losses).keys() == {"missed", "missed_recovery"}
    # With the missed frame added: 1 1 9 9, each id 2 frames of 4, 1 switch of 3.
    added = losses.score["TQ"] + losses.kinds["missed"].gain["TQ"]
    assert added == pytest.approx(math.sqrt((4 / 4 + 4 / 4) / 4 * 2 / 3))


def test_of_two_added_objects_the_one_that_was_seen_last_keeps_a_common_identity():
    """Both cars were seen as 5: car 1 three frames before, car 2 one. 2 is the next free id."""
    overlap = overlap_of("c1 r | r c2 | r c2 | c1 c2", "c5 r | r c5 | r c5 | r r")
    table = Repairs(overlap).table(bit(Mistake.MISSED))
    last = table.frame == 3
    ids = {
        int(true) % ID_LIMIT: int(predicted) % ID_LIMIT
        for true, predicted in zip(
            table.gt.codes[table.gt_index[last]],
            table.pred.codes[table.pred_index[last]],
            strict=True,
        )
    }
    assert ids == {1: 2, 2: 5}


def test_a_share_worked_by_hand():
    """Identity i and stuff s. PQ: 1 without s. TQ: 1 without i. PAT is their harmonic mean."""
    losses = losses_of("c1 c1 r s s | c1 c1 r s s", "c1 c1 r s r | c9 c9 r s r")
    # Road: IoU 1/2, so no match, in both frames; sidewalk: 1/2 too. Only the car counts.
    quality = 1 / 3
    tracking = 0  # the only pair of frames is a switch
    assert losses.score["PQ"] == pytest.approx(quality)
    assert losses.score["TQ"] == tracking
    # v(none) = 0, v(i) = 2q / (1 + q) = 1/2, v(s) = 0, v(both) = 1.
    assert losses.kinds["identity"].gain["PAT"] == pytest.approx(1 / 2)
    assert losses.kinds["stuff"].gain["PAT"] == 0
    assert losses.kinds["identity"].share["PAT"] == pytest.approx((1 / 2 + 1) / 2)
    assert losses.kinds["stuff"].share["PAT"] == pytest.approx((0 + 1 / 2) / 2)


def test_a_spurious_segment_on_a_missed_object_becomes_background():
    gt = "c1 c1 c1 c1 r r r | r r r r r r r"
    overlap = overlap_of(gt, "p1 s s s r r r | r r r r r r r")
    repaired = Repairs(overlap).table(bit(Mistake.SPURIOUS))
    assert {int(code) >> 24 for code in repaired.pred.codes} == {0, 1}


def test_ids_exchanged_between_frames_are_all_identity():
    """Repairing identity gives the same tables as without the exchange, whatever else is wrong."""
    gt = "c1 c1 c1 c2 c2 c2 r | c1 c1 c1 c2 c2 c2 r | c1 c1 c1 c2 c2 c2 r | c1 c1 c1 c2 c2 c2 s"
    pred = "c1 c1 r c2 c2 c2 c3 | c1 c1 c1 r r r r | c1 c1 c1 c2 c2 c2 r | p1 p1 p1 c2 c2 r c1"
    first, last = pred.split(" | ")[:2], pred.split(" | ")[2:]
    exchanged = " | ".join(last).replace("c1", "cX").replace("c2", "c1").replace("cX", "c2")
    before, after = losses_of(gt, pred), losses_of(gt, " | ".join([*first, exchanged]))
    for name in LOSS_SCORES:
        extra = before.score[name] - after.score[name]
        gained = after.kinds["identity"].gain[name] - before.kinds["identity"].gain[name]
        assert gained == pytest.approx(extra, abs=1e-12), name
    assert after.score["TQ"] < before.score["TQ"]


def test_sequences_are_pooled():
    one = overlap_of("c1 c1 r", "c1 r r")
    other = overlap_of("c1 c1 r r | c1 c1 r r", "c1 c1 r r | c2 c2 r r")
    variant = VARIANTS[HEADLINE]
    sums = count_losses(one, variant) + count_losses(other, variant)
    pooled = decompose(sums, KITTI, variant)
    pat = pat_scores(count_pat(one) + count_pat(other), KITTI, variant)
    stq = stq_scores(count_stq(one) + count_stq(other))
    for name, score in {**stq, **{name: pat[name] for name in ("PAT", "PQ", "TQ")}}.items():
        assert pooled.score[name] == pytest.approx(score), name
    assert costly(pooled).keys() == {"too_small", "new_identity"}


def test_scores_that_even_the_ground_truth_lacks_have_no_losses():
    losses = losses_of("r s", "r r")
    assert losses.perfect["TQ"] is None
    assert losses.kinds["stuff"].share["PAT"] is None
    assert losses.kinds["stuff"].share["PQ"] == pytest.approx(1 - losses.score["PQ"])
    # STQ of the reference is 0 without a track, for a perfect prediction as well.
    assert losses.perfect["STQ"] == losses.kinds["stuff"].share["STQ"] == 0


def test_the_official_variant_lacks_absent_classes_that_no_repair_brings():
    losses = losses_of("c1 r | c1 r", "c1 r | c2 r", "official")
    assert losses.perfect["PQ"] == pytest.approx(2 / 19)
    assert sum(costly(losses).values()) == pytest.approx(
        losses.perfect["PAT"] - losses.score["PAT"]
    )


# Owen values.


def test_the_causes_of_a_kind_share_its_part():
    """Players 1 and 2 of one group and 4 of another, where only 1 and 4 together are worth 12."""
    game = {players: np.array(12.0 if players & 5 == 5 else 0.0) for players in range(8)}
    assert {player: float(share) for player, share in shares([[1, 2], [4]], game).items()} == {
        1: 6,
        2: 0,
        4: 6,
    }


def test_shares_of_all_orders():
    """A group's players come one after another; the mean over these orders is the Owen value."""
    values = np.random.default_rng(3).uniform(size=16)
    game = {players: values[players] for players in range(16)}
    orders = [
        [*first, *second] if front else [*second, *first]
        for first in ([1, 2], [2, 1])
        for second in ([4, 8], [8, 4])
        for front in (True, False)
    ]
    expected = dict.fromkeys((1, 2, 4, 8), 0.0)
    for order in orders:
        steps = [0, *np.cumsum(order).tolist()]
        for player, (before, after) in zip(order, pairwise(steps), strict=True):
            expected[player] += (values[after] - values[before]) / len(orders)
    assert shares([[1, 2], [4, 8]], game) == pytest.approx(expected)


# What must hold for any film.

KEYS = ((0, 0), (1, 0), (VOID, 0), (CAR, 0), (CAR, 1), (CAR, 2), (PERSON, 0), (PERSON, 1))
CODES = np.array([class_id << 24 | identity for class_id, identity in KEYS], dtype=np.uint32)
thorough = settings(max_examples=40, deadline=None, derandomize=True)


@st.composite
def films(draw):
    """Return ground truth and a prediction that is right in most pixels."""
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 2)), draw(st.integers(1, 8)))
    key = st.integers(0, len(KEYS) - 1)
    gt = np.sort(draw(hnp.arrays(np.intp, shape, elements=key)), axis=2)
    noise = draw(hnp.arrays(np.intp, shape, elements=key))
    wrong = draw(hnp.arrays(np.bool_, shape, fill=st.just(False)))
    pred = np.where(wrong, noise, gt)
    return tuple([PanopticMap(frame) for frame in CODES[side]] for side in (gt, pred))


@thorough
@given(films(), st.sampled_from([HEADLINE, "official", "bare_ids"]))
def test_shares_add_up_to_what_the_prediction_lacks(pair, variant):
    losses = losses_of(*pair, variant)
    for name in LOSS_SCORES:
        if losses.perfect[name] is None:
            assert all(kind.share[name] is None for kind in losses.kinds.values())
            continue
        lack = losses.perfect[name] - losses.score[name]
        total = sum(kind.share[name] for kind in losses.kinds.values())
        assert total == pytest.approx(lack, abs=1e-9), name
        for kind in losses.kinds.values():
            if kind.causes:
                parts = sum(cause.share[name] for cause in kind.causes.values())
                assert parts == pytest.approx(kind.share[name], abs=1e-9)


@thorough
@given(films())
def test_all_repairs_together_make_the_prediction_perfect(pair):
    losses = losses_of(*pair)
    has_tube = count_stq(overlap_of(*pair)).tube_count > 0
    for name in LOSS_SCORES:
        if losses.perfect[name] is not None and (has_tube or name not in ("STQ", "AQ")):
            assert losses.perfect[name] == pytest.approx(1, abs=1e-12), name


@thorough
@given(films())
def test_no_repair_changes_nothing(pair):
    overlap = overlap_of(*pair)
    table = Repairs(overlap).table(0)
    for field in ("frame", "gt_index", "pred_index", "pixels"):
        assert np.array_equal(getattr(table, field), getattr(overlap, field)), field
    assert np.array_equal(table.pred.codes, overlap.pred.codes)


@thorough
@given(films(), st.integers(0, EVERY))
def test_a_repair_moves_pixels_and_never_joins_segments(pair, repaired):
    overlap = overlap_of(*pair)
    repairs = Repairs(overlap)
    table = repairs.table(repaired)
    assert table.pixels.sum() == overlap.pixels.sum()
    identity = sum(bit(cause) for cause in KINDS["identity"])
    renamed = repairs.table(repaired & identity)
    # Identity repairs rename segments one to one, in each frame.
    for frame in range(overlap.frame_count):
        before = overlap.pixels[overlap.frame == frame]
        assert sorted(renamed.pixels[renamed.frame == frame]) == sorted(before)


@thorough
@given(films(), st.randoms())
def test_the_order_of_entries_does_not_matter(pair, random):
    overlap = overlap_of(*pair)
    frames = []
    for frame in range(overlap.frame_count):
        rows = np.flatnonzero(overlap.frame == frame)
        random.shuffle(rows)
        frames.append(
            FrameOverlap(
                overlap.gt.codes[overlap.gt_index[rows]],
                overlap.pred.codes[overlap.pred_index[rows]],
                overlap.pixels[rows],
            )
        )
    variant = VARIANTS[HEADLINE]
    shuffled = count_losses(join_frames(frames, KITTI), variant)
    assert same_losses(shuffled, count_losses(overlap, variant))


@thorough
@given(films(), films())
def test_the_order_of_sequences_does_not_matter(one, other):
    variant = VARIANTS[HEADLINE]
    first, second = (count_losses(overlap_of(*pair), variant) for pair in (one, other))
    assert same_losses(first + second, second + first)


def same_losses(one: LossSums, other: LossSums) -> bool:
    found, expected = (
        decompose(sums, KITTI, VARIANTS[HEADLINE]).to_dict() for sums in (one, other)
    )
    return flat(found) == pytest.approx(flat(expected), abs=1e-9, nan_ok=True)


def flat(data, path=()):
    """Return the numbers of nested dictionaries by path; ``None`` as NaN."""
    if isinstance(data, dict):
        return {
            place: value
            for name, part in data.items()
            for place, value in flat(part, (*path, name)).items()
        }
    return {} if isinstance(data, str) else {path: math.nan if data is None else data}


def test_losses_survive_json():
    losses = losses_of(TWO_CARS, TWO_CARS.replace("c2", "c1", 1))
    assert Losses.from_dict(losses.to_dict()) == losses
    with pytest.raises(DataError, match="evaluate again"):
        Losses.from_dict({"kinds": {}})


def test_only_a_found_object_has_another_class():
    found = Mistakes.of(overlap_of("c1 c1 c1", "p1 p1 p1"))
    assert (found.owner.tolist(), found.class_differs.tolist()) == ([0], [True])
    found = Mistakes.of(overlap_of("c1 c1 r r", "c1 c1 p2 p2"))
    assert found.class_differs.tolist() == [False, False]
