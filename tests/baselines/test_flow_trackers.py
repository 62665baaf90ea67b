import re
from pathlib import Path

import numpy as np
import pytest
from helpers.scenes import CAR, HEIGHT, PERSON, WIDTH, Box, DrawnVideo, segments_of

from mapt_bench.baselines import associator_entry, build_associator
from mapt_bench.baselines.choice import TrackerChoice
from mapt_bench.baselines.registry import flow_tracker_names, is_associator
from mapt_bench.baselines.rows import Row
from mapt_bench.baselines.tracker_options import FlowOptions
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.tracking import TwoStepAssociator

# Two cars of 12 pixels that move by 20: copies of their masks meet nothing, and in the last frame
# the order of the segments is reversed.
FAST = [
    [Box(1, 5), Box(2, 80, y=30)],
    [Box(1, 25), Box(2, 60, y=30)],
    [Box(2, 40, y=30), Box(1, 45)],
]
PAGE = (Path(__file__).parents[2] / "docs" / "flow.md").read_text(encoding="utf-8")


def _ids(associator, video):
    associator.start(video.info)
    return [
        associator.associate(video.frame(index), segments_of(boxes))
        for index, boxes in enumerate(video.scene)
    ]


@pytest.fixture
def true_flow(tmp_path):
    """Flow of FAST from t to t-1: on the upper half -20 to the right, on the lower one +20."""
    flow = np.zeros((HEIGHT, WIDTH, 2), dtype=np.float32)
    flow[:25, :, 0], flow[25:, :, 0] = -20, 20
    for index in (1, 2):
        np.save(tmp_path / f"{index:06d}_bwd.npy", flow)
    return tmp_path


def test_flow_from_files_links_what_copies_do_not(true_flow):
    video = DrawnVideo(FAST, with_images=False)
    found = _ids(build_associator("flow:files", flow=FlowOptions(weights=true_flow)), video)
    assert [a.ids.tolist() for a in found] == [[1, 2], [1, 2], [2, 1]]
    assert {step for a in found[1:] for step in a.steps} == {"motion"}
    copied = _ids(build_associator("copy"), video)
    assert copied[1].ids.tolist() == [3, 4]


def test_dis_by_name_is_the_motion_tracker():
    video = DrawnVideo([[Box(1, 10 + 3 * t), Box(2, 70 - 3 * t, y=30)] for t in range(4)])
    by_name, motion = (_ids(build_associator(name), video) for name in ("flow:dis", "motion"))
    assert [a.ids.tolist() for a in by_name] == [a.ids.tolist() for a in motion]
    assert [a.steps for a in by_name] == [a.steps for a in motion]


def test_appearance_links_what_flow_leaves_over(tmp_path):
    for index in (1, 2):
        np.save(tmp_path / f"{index}.npy", np.zeros((HEIGHT, WIDTH, 2), dtype=np.float32))
    video = DrawnVideo(FAST)
    options = FlowOptions(weights=tmp_path)
    assert _ids(build_associator("flow:files", flow=options), video)[1].ids.tolist() == [3, 4]
    both = _ids(build_associator("flow:files+appearance", flow=options), video)
    assert both[1].steps == ("appearance", "appearance")


def test_flow_links_one_class_only(true_flow):
    scene = [FAST[0], [Box(1, 25, class_id=PERSON), Box(2, 60, y=30, class_id=CAR)]]
    np.save(true_flow / "000001.npy", np.load(true_flow / "000001_bwd.npy"))
    for name in ("000001_bwd.npy", "000002_bwd.npy"):
        (true_flow / name).unlink()
    options = FlowOptions(weights=true_flow)
    found = _ids(build_associator("flow:files", flow=options), DrawnVideo(scene))
    assert found[1].ids.tolist() == [3, 2]


def test_the_height_setting_reaches_dis():
    associator = build_associator("flow:dis", flow_height=64)
    assert isinstance(associator, TwoStepAssociator)
    assert associator.propagation.source.source.height == 64


@pytest.mark.parametrize(
    ("name", "images", "pair", "weights"),
    [
        ("flow:dis", True, True, False),
        ("flow:flownet2", True, True, True),
        ("flow:raft-small", True, True, True),
        ("flow:raft-large", True, True, True),
        ("flow:files", False, False, False),
        ("flow:files+appearance", True, False, False),
        ("flow:ptlflow/gmflow", True, True, True),
    ],
)
def test_what_is_known_before_a_flow_tracker_is_built(name, images, pair, weights):
    entry = associator_entry(name)
    assert entry.needs_images == images
    assert entry.supports_pair == pair
    assert entry.needs_weights == weights
    assert entry.supports_memory
    assert not entry.needs_truth
    assert is_associator(name)
    assert is_associator("sort")
    assert not is_associator("package.module:Class")


def test_untrained_networks_are_refused_unless_asked_for():
    with pytest.raises(ConfigError, match=r"flow:raft-small needs trained weights"):
        build_associator("flow:raft-small")
    associator = build_associator("flow:raft-small", flow=FlowOptions(random_weights=True))
    video = DrawnVideo(FAST[:2])
    assert len(_ids(associator, video)) == 2


@pytest.mark.parametrize("name", ["sort", "motion"])
def test_trackers_without_weights_refuse_them(name, tmp_path):
    for options in (FlowOptions(weights=tmp_path), FlowOptions(random_weights=True)):
        with pytest.raises(ConfigError, match=f"tracker '{name}' has no weights"):
            build_associator(name, flow=options)


def test_a_pairing_interval_over_files_is_refused(true_flow):
    with pytest.raises(ConfigError, match="no pairing interval"):
        build_associator("flow:files", pair=2, flow=FlowOptions(weights=true_flow))


def test_choices_are_checked_at_once_and_describe_themselves(tmp_path):
    choice = TrackerChoice(Row("flow:raft-small"), flow=FlowOptions(random_weights=True))
    choice.check()
    assert not choice.is_whole
    assert choice.memory == 0
    assert choice.description == "flow:raft-small (UNTRAINED: random weights, seed 0)"
    assert TrackerChoice(Row("sort", 4)).description == "sort+memory=4"
    assert TrackerChoice(Row("oracle")).memory is None
    with pytest.raises(ConfigError, match="needs trained weights"):
        TrackerChoice(Row("flow:flownet2")).check()
    with pytest.raises(DataError, match="no such weights file"):
        TrackerChoice(Row("flow:flownet2"), flow=FlowOptions(weights=tmp_path / "absent")).check()
    with pytest.raises(ConfigError, match=r"unknown tracker 'flow:raft'; did you mean"):
        TrackerChoice(Row("flow:raft")).check()


@pytest.mark.parametrize("name", flow_tracker_names())
def test_every_flow_is_described(name):
    rows = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    assert len(rows) == 1


def test_every_option_is_described():
    for option in ("--weights", "--random-weights", "--device"):
        assert option in PAGE
    assert re.search(r"from\s+t\s+to\s+t-1", PAGE)
