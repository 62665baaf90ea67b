import pytest
from helpers.maps import shared_folder
from helpers.scenes import CAR, KITTI, PERSON, Box, DrawnVideo, segments_of

from mapt_bench.baselines import associator_names, build_associator
from mapt_bench.baselines.bounds import OracleAssociator
from mapt_bench.baselines.noise import SegmentNoise
from mapt_bench.baselines.segmenters import GroundTruthSegments, SavedSegments
from mapt_bench.data import open_maps, open_videos
from mapt_bench.errors import DataError
from mapt_bench.metrics.scorer import SequenceScorer
from mapt_bench.metrics.scores import reference_blocks
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.synthetic.world_settings import WorldSettings
from mapt_bench.tracking import SegmentTracker

# Dropping segments changes what is found, and PQ with it; TQ and AQ compare identities alone.
BOUNDED = ("TQ", "AQ", "STQ", "PAT")


def _linked(truth, found, **settings):
    """Identities that the oracle gives to found boxes, frame by frame."""
    video = DrawnVideo(truth)
    oracle = OracleAssociator(video.truth, **settings)
    oracle.start(video.info)
    return [oracle.associate(video.frame(t), segments_of(boxes)) for t, boxes in enumerate(found)]


def test_segments_get_the_identity_of_the_track_they_cover():
    truth = [[Box(7, 10), Box(9, 50)], [], [Box(7, 50), Box(9, 10)]]
    found = [[Box(0, 51), Box(0, 11)], [], [Box(0, 51), Box(0, 11)]]
    first, _, last = _linked(truth, found)
    assert first.ids.tolist() == last.ids.tolist()[::-1]
    assert last.steps == ("oracle", "oracle")
    assert last.ages == (2, 2)


@pytest.mark.parametrize(
    ("memory", "is_known"), [(0, [True, False]), (1, [True, True]), (None, [True, True])]
)
def test_with_a_memory_it_forgets(memory, is_known):
    # Found, found, hidden for a frame, found again.
    truth = [[Box(7, 10)], [Box(7, 10)], [], [Box(7, 10)]]
    found = _linked(truth, truth, memory=memory)
    first, second, _, last = (each.ids.tolist() for each in found)
    assert [first == second, second == last] == is_known
    assert found[-1].steps == ("oracle",)
    assert found[-1].ages == ((2,) if is_known[1] else (0,))


def test_a_track_that_it_forgot_is_a_new_one_from_then_on():
    truth = [[Box(7, 10)], [], [Box(7, 10)], [Box(7, 10)]]
    first, _, third, last = (each.ids.tolist() for each in _linked(truth, truth, memory=0))
    assert first != third == last


def test_one_segment_a_track_and_the_rest_is_fresh():
    truth = [[Box(7, 10, width=20)]] * 2
    found = [[Box(0, 10, width=6), Box(0, 16, width=14), Box(0, 70)]] * 2
    first, second = _linked(truth, found)
    assert first.steps == ("new", "oracle", "new")
    assert first.ids[1] == second.ids[1]
    assert len({*first.ids.tolist(), *second.ids.tolist()}) == 5


def test_a_wrong_class_makes_a_track_of_its_own_that_lasts():
    truth = [[Box(7, 10)]] * 4
    found = [[Box(0, 10, class_id=c)] for c in (CAR, PERSON, CAR, PERSON)]
    ids = [int(each.ids[0]) for each in _linked(truth, found)]
    assert ids[0] == ids[2] != ids[1] == ids[3]


def test_crowd_has_no_identity_to_give():
    (linked,) = _linked([[Box(0, 10)]], [[Box(0, 10)]])
    assert linked.steps == ("new",)


def test_truth_of_another_size_is_refused():
    other = DrawnVideo([[Box(1, 5)]])
    oracle = OracleAssociator(
        lambda index: type(other.truth(0))(other.truth(0).codes[:, :-1].copy())
    )
    oracle.start(other.info)
    with pytest.raises(DataError, match=r"segments are 48x96 and ground truth is 48x95"):
        oracle.associate(other.frame(0), segments_of([Box(1, 5)]))
    with pytest.raises(RuntimeError, match="start"):
        OracleAssociator(other.truth).associate(other.frame(0), segments_of([]))


def _scores(videos, segmenter, name):
    sums = {}
    for video in videos:
        associator = build_associator(name, truth=video.truth)
        tracker = SegmentTracker(segmenter(video), associator)
        tracker.start(video.info)
        scorer = SequenceScorer(KITTI)
        for index in range(video.info.frame_count):
            scorer.update(video.truth(index), tracker.step(video.frame(index)))
        sums[video.info.name] = scorer.result()
    blocks = reference_blocks(sums, KITTI)
    pat = blocks["panoptic_tracking"]["thing_ids_present_classes"]["dataset"]
    stq = blocks["stq"]["dataset"]
    return {"TQ": pat["TQ"], "PAT": pat["PAT"], "AQ": stq["AQ"], "STQ": stq["STQ"]}


WORLD = [
    WorldVideo(WorldSettings(kind=kind, seed=3, frames=8, height=96, width=256), kind)
    for kind in ("crowd", "street")
]


def _assert_bounded(videos, segmenter):
    ceiling = _scores(videos, segmenter, "oracle")
    floor = _scores(videos, segmenter, "unlinked")
    for name in associator_names():
        scores = _scores(videos, segmenter, name)
        for measure in BOUNDED:
            assert scores[measure] <= ceiling[measure] + 1e-12, (name, measure)
            assert scores[measure] >= floor[measure] - 1e-12, (name, measure)
    assert ceiling["STQ"] > floor["STQ"]
    return ceiling


def test_perfect_segments_under_the_oracle_score_one():
    ceiling = _assert_bounded(WORLD[:1], GroundTruthSegments)
    assert ceiling == {"TQ": 1.0, "PAT": 1.0, "AQ": 1.0, "STQ": 1.0}


def test_nothing_beats_the_oracle_on_faulty_segments():
    noise = SegmentNoise(missed=0.1, merged=0.2, eroded=0.3, wrong_class=0.05, spurious=2)
    _assert_bounded(WORLD, lambda video: GroundTruthSegments(video, noise=noise))


@pytest.mark.parametrize("segments", ["groundtruth", "saved"])
def test_nothing_beats_the_oracle_on_real_frames(segments):
    folder = shared_folder("data", "kitti_step_0001")
    videos = open_videos(folder, KITTI)
    if segments == "groundtruth":
        _assert_bounded(videos, GroundTruthSegments)
        return
    saved = open_maps(folder / "predictions_espnet", KITTI).sequences[0]
    _assert_bounded(videos, lambda video: SavedSegments(saved))
