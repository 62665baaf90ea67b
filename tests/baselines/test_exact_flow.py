import numpy as np
import pytest
from helpers.annotated_scenes import AnnotatedScene
from helpers.scenes import HEIGHT, KITTI, WIDTH, Box, DrawnVideo, segments_of

from mapt_bench.baselines import associator_entry, build_associator
from mapt_bench.baselines.choice import TrackerChoice
from mapt_bench.baselines.flow_sources import build_flow_source
from mapt_bench.baselines.flow_without_network import ExactFlow
from mapt_bench.baselines.rows import Row
from mapt_bench.baselines.segmenters import GroundTruthSegments
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import FlowField, VideoInfo
from mapt_bench.tracking import FlowSource, FlowWarp

# Cars that move by far more than their size, and change places.
FAST = [
    [Box(1, 5), Box(2, 80, y=30)],
    [Box(1, 40), Box(2, 40, y=30)],
    [Box(1, 75), Box(2, 5, y=30)],
]


def _ids(name, video, **switches):
    associator = build_associator(name, true_flow=video.backward_flow, **switches)
    associator.start(video.info)
    return [
        associator.associate(video.frame(index), segments_of(boxes)).ids.tolist()
        for index, boxes in enumerate(video.scene)
    ]


@pytest.mark.parametrize("pair", [1, 2])
def test_it_links_whatever_was_seen_all_the_way(pair):
    assert _ids("flow:exact", AnnotatedScene(FAST), pair=pair) == [[1, 2]] * 3


def test_masks_are_carried_exactly():
    video = AnnotatedScene(FAST)
    warp = FlowWarp(ExactFlow(video.backward_flow))
    warp.start(video.info)
    masks = [
        np.stack([video.truth(t).codes == box.class_id << 24 | box.track for box in FAST[t]])
        for t in range(3)
    ]
    for earlier in (0, 1):
        carried = warp.propagate(
            masks[earlier].astype(np.float32), video.frame(earlier), video.frame(2)
        )
        assert np.array_equal(carried, masks[2])


def test_what_was_not_seen_takes_no_mask():
    # The second car comes from behind the first, which does not move.
    scene = [[Box(2, 40), Box(1, 40)], [Box(2, 46), Box(1, 40)]]
    video = AnnotatedScene(scene)
    warp = FlowWarp(ExactFlow(video.backward_flow))
    warp.start(video.info)
    everything = np.ones((1, HEIGHT, WIDTH), dtype=np.float32)
    carried = warp.propagate(everything, video.frame(0), video.frame(1))[0]
    uncovered = video.truth(1).codes == (13 << 24 | 2)
    assert uncovered.sum() == 6 * 12
    assert not carried[uncovered].any()
    assert carried[~uncovered].all()
    assert _ids("flow:exact", video) == [[1, 2], [3, 2]]


def test_coarse_masks_are_carried_by_cells():
    size = (300, 500)  # more than a soft mask has cells: a stride of 2
    flow = np.full((*size, 2), (-8.0, 4.0), dtype=np.float32)
    valid = np.ones(size, dtype=bool)
    valid[:, 250:] = False
    source = ExactFlow(lambda index: FlowField(flow, valid))
    frames = [AnnotatedScene(FAST).frame(index) for index in range(2)]
    source.start(VideoInfo("large", ("0", "1"), *size, KITTI, has_images=False))
    found = source.flow(frames[1], frames[0])
    assert found.shape == (150, 250, 2)
    assert (found[:, :125] == (-4, 2)).all()
    columns = np.arange(250) + found[:, :, 0]
    assert (columns[:, 125:] < -1).all()


def test_it_leads_back_only():
    video = AnnotatedScene(FAST)
    source = build_flow_source("flow:exact", true_flow=video.backward_flow)
    assert isinstance(source, FlowSource)
    source.start(video.info)
    with pytest.raises(DataError, match="leads to earlier frames only"):
        source.flow(video.frame(0), video.frame(1))


def test_it_is_known_for_an_upper_bound():
    entry = associator_entry("flow:exact")
    assert entry.needs_true_flow
    assert not entry.needs_images
    assert associator_entry("flow:exact+appearance").needs_images
    assert not associator_entry("flow:dis").needs_true_flow


def test_without_the_truth_it_is_refused():
    with pytest.raises(ConfigError, match="needs the ground-truth flow"):
        build_associator("flow:exact")
    with pytest.raises(ConfigError, match="only synthetic videos have"):
        build_flow_source("flow:exact")
    choice = TrackerChoice(Row("flow:exact"))
    plain, known = DrawnVideo(FAST), AnnotatedScene(FAST)
    with pytest.raises(DataError, match="which only synthetic videos have; run it with --suite"):
        choice.build(plain, GroundTruthSegments(plain))
    tracker = choice.build(known, GroundTruthSegments(known))
    tracker.start(known.info)
    assert all(tracker.step(known.frame(index)).ids.max() == 2 for index in range(3))
