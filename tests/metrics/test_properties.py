"""What must hold for any film, and a second implementation that must agree."""

import math

import numpy as np
import pytest
from helpers import slow_scores
from helpers.films import score
from helpers.maps import KITTI
from helpers.slow_scores import Space
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mapt_bench.labels import PanopticMap
from mapt_bench.metrics import SCORE_NAMES, empty_sums, flat_scores, pool
from mapt_bench.metrics.pq import panoptic_block

KEYS = ((0, 0), (1, 0), (255, 0), (13, 0), (13, 1), (13, 2), (11, 0), (11, 1))
CODES = np.array([class_id << 24 | identity for class_id, identity in KEYS], dtype=np.uint32)
SPACE = Space(KITTI.class_ids, KITTI.thing_ids)
SHARES = [name for name in SCORE_NAMES if name not in {"IDSW", "Frag"}]
MAY_BE_NEGATIVE = {"PTQ", "MOTSA", "sMOTSA"}
# Where two assignments are equally good, the solver's choice may depend on the order of ids.
FREE_OF_TIES = [
    name for name in SHARES if name not in {"HOTA", "DetA", "AssA", "MOTSA", "sMOTSA", "MOTSP"}
]

fast = settings(max_examples=60, deadline=None, derandomize=True)


def as_film(choice):
    return [PanopticMap(frame) for frame in CODES[choice]]


@st.composite
def choices(draw, min_frames=1):
    """Ground truth in blocks of pixels, and a prediction that is right in most of them."""
    frames = draw(st.integers(min_frames, 5))
    shape = (frames, draw(st.integers(1, 3)), draw(st.integers(1, 4)))
    key = st.integers(0, len(KEYS) - 1)
    gt = draw(hnp.arrays(np.intp, shape, elements=key))
    noise = draw(hnp.arrays(np.intp, shape, elements=key))
    wrong = draw(hnp.arrays(np.bool_, shape, fill=st.just(False)))
    return gt, np.where(wrong, noise, gt)


@st.composite
def films(draw, min_frames=1):
    """Pairs of films (ground truth, prediction)."""
    gt, pred = draw(choices(min_frames))
    return as_film(gt), as_film(pred)


def scores_of(gt, pred):
    return flat_scores(score(gt, pred), KITTI)


def same(found, expected):
    return found == (None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-12))


@fast
@given(films())
def test_every_score_is_in_range(pair):
    for name, value in scores_of(*pair).items():
        if value is not None and name in SHARES:
            assert value <= 1 + 1e-12, name
            assert math.isfinite(value), name
            assert value >= 0 or name in MAY_BE_NEGATIVE, name


@fast
@given(films())
def test_a_perfect_prediction_scores_1(pair):
    gt, _ = pair
    scores = scores_of(gt, gt)
    has_tube = score(gt, gt).stq.tube_count > 0
    for name in SHARES:
        if scores[name] is None or (name in {"AQ", "STQ"} and not has_tube):
            continue
        assert scores[name] == pytest.approx(1), name
    assert scores["IDSW"] == 0
    if has_tube:
        assert None not in [scores[name] for name in SHARES if name != "VPQ"]


def relabelled(film, mapping):
    """Give every thing of a film the id that a mapping of (class, id) says."""
    result = []
    for panoptic in film:
        codes = panoptic.codes.copy()
        for (class_id, identity), new in mapping.items():
            codes[panoptic.codes == (class_id << 24 | identity)] = class_id << 24 | new
        result.append(PanopticMap(codes))
    return result


@fast
@given(films(), st.permutations([0, 1, 7, 300, 65535]), st.permutations([0, 2, 9, 256, 1000]))
def test_names_of_predicted_ids_do_not_matter(pair, car_ids, person_ids):
    gt, pred = pair
    mapping = {
        **{(13, identity): car_ids[identity] for identity in range(3)},
        **{(11, identity): person_ids[identity] for identity in range(2)},
    }
    before, after = scores_of(gt, pred), scores_of(gt, relabelled(pred, mapping))
    for name in FREE_OF_TIES:
        assert same(after[name], before[name]), name


@fast
@given(films(), st.integers(1, 1000), st.integers(2, 60))
def test_new_ids_in_the_old_order_change_no_score_at_all(pair, shift, factor):
    gt, pred = pair
    mapping = {(c, i): i * factor + shift for c in (11, 13) for i in range(3)}
    after = scores_of(gt, relabelled(pred, mapping))
    for name, value in scores_of(gt, pred).items():
        assert same(after[name], value), name


@fast
@given(films(), st.randoms(use_true_random=False))
def test_names_of_true_ids_do_not_matter(pair, random_order):
    gt, pred = pair
    cars = random_order.sample(range(1, 2**16), 2)
    mapping = {(13, 1): cars[0], (13, 2): cars[1], (11, 1): cars[0]}
    before, after = scores_of(gt, pred), scores_of(relabelled(gt, mapping), pred)
    for name in FREE_OF_TIES:
        assert same(after[name], before[name]), name


@fast
@given(st.lists(films(), min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_order_of_sequences_does_not_matter(pairs, random_order):
    sums = [score(*pair) for pair in pairs]
    expected = flat_scores(pool(sums), KITTI)
    random_order.shuffle(sums)
    first, *rest = sums
    grouped = pool([first, pool(rest)])
    for found in (flat_scores(pool(sums), KITTI), flat_scores(grouped, KITTI)):
        for name, value in expected.items():
            assert same(found[name], value), name


@fast
@given(st.lists(films(), min_size=2, max_size=3))
def test_pooled_vectors_are_pooled_sequences(pairs):
    sums = [score(*pair) for pair in pairs]
    pooled = empty_sums(KITTI).from_vector(np.sum([one.to_vector() for one in sums], axis=0))
    found = flat_scores(pooled, KITTI)
    for name, value in flat_scores(pool(sums), KITTI).items():
        assert same(found[name], value), name


@fast
@given(st.lists(films(), min_size=2, max_size=3))
def test_a_data_set_is_scored_from_its_pooled_counts(pairs):
    parts = [score(*pair) for pair in pairs]
    pooled = pool(parts)
    for name in ("tp", "fp", "fn", "iou_sum"):
        separate = sum(getattr(part.windows[0], name) for part in parts)
        assert getattr(pooled.windows[0], name).tolist() == pytest.approx(separate.tolist())
    tubes = sum(part.stq.tube_count for part in parts)
    if tubes:
        weighted = sum(flat_scores(part, KITTI)["AQ"] * part.stq.tube_count for part in parts)
        assert flat_scores(pooled, KITTI)["AQ"] == pytest.approx(weighted / tubes)


@fast
@given(choices(min_frames=2), st.data())
def test_swapping_two_tracks_halfway_lowers_pat_and_aq(pair, data):
    choice, _ = pair
    half = data.draw(st.integers(1, len(choice) - 1))
    first, second = KEYS.index((13, 1)), KEYS.index((13, 2))
    for part in (choice[:half], choice[half:]):
        part[0].flat[0] = first  # so that one car at least is seen in both halves
    swapped = choice.copy()
    swapped[half:][choice[half:] == first] = second
    swapped[half:][choice[half:] == second] = first
    gt = as_film(choice)
    perfect, wrong = scores_of(gt, gt), scores_of(gt, as_film(swapped))
    for name in ("PAT", "TQ", "AQ", "STQ"):
        assert wrong[name] < perfect[name] == pytest.approx(1), name
    for name in ("PQ", "SQ", "DetA"):
        assert same(wrong[name], perfect[name]), name


@fast
@given(films())
def test_a_second_implementation_agrees_on_pq(pair):
    block = panoptic_block(score(*pair).windows[0], KITTI)["All"]
    assert same(None if block is None else block["PQ"], slow_scores.pq(*pair, SPACE))


@fast
@given(films())
def test_a_second_implementation_agrees_on_stq(pair):
    found, expected = scores_of(*pair), slow_scores.stq(*pair, SPACE)
    for name in ("STQ", "AQ", "SQ"):
        assert same(found[name], expected[name]), name


@fast
@given(films())
def test_a_second_implementation_agrees_on_pat(pair):
    found, expected = scores_of(*pair), slow_scores.pat(*pair, SPACE)
    for name in ("PAT", "PQ", "TQ"):
        assert same(found[name], expected[name]), name


def moving_objects(seed):
    """Films of larger objects that move, lose and switch ids: matches of every kind."""
    generator = np.random.default_rng(seed)
    gt = np.zeros((8, 6, 20), dtype=np.intp)
    pred = gt.copy()
    for key in ((13, 1), (13, 2), (11, 1), (13, 0), (255, 0)):
        index = said = KEYS.index(key)
        left, top = generator.integers(14), generator.integers(4)
        for frame in range(8):
            left = min(left + 1, 16)
            if generator.random() < 0.15:
                continue  # out of sight
            gt[frame, top : top + 2, left : left + 4] = index
            if generator.random() < 0.2:
                said = generator.choice([0, KEYS.index((13, 1)), KEYS.index((13, 2)), index])
            start = left + generator.choice([0, 0, 1, 2])
            pred[frame, top : top + 2, start : start + 4] = said
    return as_film(gt), as_film(pred)


def test_a_second_implementation_agrees_on_moving_objects():
    telling = 0
    for seed in range(12):
        gt, pred = moving_objects(seed)
        found = scores_of(gt, pred)
        expected = {**slow_scores.stq(gt, pred, SPACE), **slow_scores.pat(gt, pred, SPACE)}
        telling += 0 < expected["TQ"] < 1
        for name, value in expected.items():
            assert same(found[name], value), (seed, name)
    assert telling >= 8  # the films are no trivial ones
