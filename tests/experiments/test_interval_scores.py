import math

import numpy as np
import pytest
from helpers.scenes import KITTI
from helpers.small_runs import COPY, ORACLE, UNLINKED, plan, source, walk

from mapt_bench.baselines.noise import SegmentNoise
from mapt_bench.experiments import SegmentSource, run_plan
from mapt_bench.experiments.interval_scores import INTERVAL_SCORES, interval_scores, interval_sums
from mapt_bench.experiments.statistics import PooledStatistic
from mapt_bench.metrics import empty_sums, flat_scores, pat_variant, pool

PROTOCOLS = ["present", "official"]


@pytest.fixture(scope="module")
def sums(tmp_path_factory):
    """Sums of three trackers on faulty segments, one list of sequences a tracker."""
    noise = SegmentNoise(missed=0.2, merged=0.2, eroded=0.3, wrong_class=0.2, spurious=1)
    videos = [walk(5, speed=speed, name=f"walk{speed}") for speed in (1, 3, 9)]
    faulty = source(*videos, segments=(SegmentSource(noise=noise),))
    outcome = run_plan(plan(UNLINKED, COPY, ORACLE), faulty, tmp_path_factory.mktemp("run"))
    return [[only for (only,) in cell.sums().values()] for cell in outcome.cells]


def expected(selection, protocol):
    scores = flat_scores(pool(selection), KITTI, pat_protocol=protocol)
    return [math.nan if scores[name] is None else scores[name] for name in INTERVAL_SCORES]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_they_are_the_scores_of_the_metrics(sums, protocol):
    variant = pat_variant(protocol)
    for sequences in sums:
        rows = np.stack([interval_sums(one, variant) for one in sequences])
        found = interval_scores(rows, KITTI, variant)
        for row, one in zip(found, sequences, strict=True):
            assert row == pytest.approx(expected([one], protocol), abs=1e-12)
        (together,) = interval_scores(rows.sum(axis=0, keepdims=True), KITTI, variant)
        assert together == pytest.approx(expected(sequences, protocol), abs=1e-12)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_is_undefined_in_the_same_way(protocol):
    variant, nothing = pat_variant(protocol), empty_sums(KITTI)
    (found,) = interval_scores(interval_sums(nothing, variant)[None], KITTI, variant)
    assert found == pytest.approx(expected([nothing], protocol), nan_ok=True)
    assert np.isnan(found[0])


def test_a_selection_may_have_a_sequence_more_than_once(sums):
    statistic = PooledStatistic(KITTI, pat_protocol="present", seed=0)
    first, second, third = sums[1]
    samples = statistic.samples([[one] for one in sums[1]])
    found = statistic.scores_of_counts(samples, np.array([[2, 0, 1], [1, 1, 1]]))
    assert found[0] == pytest.approx(expected([first, first, third], "present"))
    assert found[1] == pytest.approx(expected([first, second, third], "present"))


def test_phases_are_averaged(sums):
    statistic = PooledStatistic(KITTI, pat_protocol="present", seed=0)
    phases = list(zip(sums[0], sums[1], strict=True))
    found = statistic.scores(statistic.samples(phases))
    both = [expected(list(of_phase), "present") for of_phase in zip(*phases, strict=True)]
    assert found == pytest.approx(np.mean(both, axis=0))


def test_faults_were_put_into_the_sums(sums):
    """Else the tests above would compare perfect scores."""
    scores = flat_scores(pool(sums[2]), KITTI, pat_protocol="present")
    assert scores["PQ"] < 0.9
