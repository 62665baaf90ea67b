import pytest
from helpers.scenes import PERSON, Box, DrawnVideo, link, segments_of

from mapt_bench.baselines import (
    TrackerSettings,
    associator_entry,
    associator_names,
    build_associator,
)
from mapt_bench.baselines.registry import register
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.tracking import Associator

RED, BLUE = (200, 30, 30), (30, 30, 200)
REFERENCES = ("unlinked", "oracle", "oracle:in-view")
LINKING = [name for name in associator_names() if name not in REFERENCES]


def _built(name, scene, **switches):
    return build_associator(name, truth=DrawnVideo(scene).truth, **switches)


def _associate_all(associator, video):
    for index, boxes in enumerate(video.scene):
        associator.associate(video.frame(index), segments_of(boxes))


def test_names_are_those_documented():
    assert set(associator_names()) == {
        "unlinked",
        "copy",
        "iou",
        "sort",
        "bytetrack",
        "oc-sort",
        "deep-oc-sort",
        "bot-sort",
        "appearance",
        "motion",
        "both",
        "both:appearance-first",
        "both:simultaneous",
        "oracle",
        "oracle:in-view",
    }


@pytest.mark.parametrize("name", associator_names())
def test_what_is_said_of_an_associator_is_true(name):
    entry = associator_entry(name)
    associator = _built(name, [[]])
    assert isinstance(associator, Associator)
    assert associator.needs_images == entry.needs_images
    assert entry.summary


@pytest.mark.parametrize(
    "name", [n for n in associator_names() if associator_entry(n).needs_images]
)
def test_trackers_that_need_images_say_so_where_there_are_none(name):
    video = DrawnVideo([[Box(1, 5)]] * 2, with_images=False)
    associator = _built(name, video.scene)
    associator.start(video.info)
    with pytest.raises(DataError, match="no image"):
        _associate_all(associator, video)


@pytest.mark.parametrize("name", LINKING)
def test_every_tracker_follows_slow_objects_of_two_looks(name):
    scene = [[Box(1, 8 + t, color=RED), Box(2, 70 - t, y=28, color=BLUE)] for t in range(8)]
    given = link(_built(name, scene), scene)
    assert all(each == given[0] for each in given)


@pytest.mark.parametrize("name", LINKING)
def test_every_tracker_keeps_classes_apart(name):
    scene = [[Box(1, 20)], [Box(1, 20, class_id=PERSON)]]
    given = link(_built(name, scene), scene)
    assert given[0] != given[1]


@pytest.mark.parametrize("name", LINKING)
@pytest.mark.parametrize(("memory", "is_found"), [(0, False), (2, True)])
def test_every_tracker_has_the_same_memory(name, memory, is_found):
    scene = [[Box(1, 20)], [Box(1, 20)], [], [], [Box(1, 20)]]
    given = link(_built(name, scene, memory=memory), scene)
    assert (given[0] == given[-1]) is is_found


@pytest.mark.parametrize("name", LINKING)
def test_every_tracker_gives_positive_identities_to_one_class_each(name):
    scene = [
        [Box(1, 5 + 9 * t), Box(2, 60, y=30, class_id=PERSON), Box(3 + t, 80)] for t in range(6)
    ]
    video = DrawnVideo(scene)
    associator = _built(name, scene)
    associator.start(video.info)
    class_of = {}
    for index, boxes in enumerate(scene):
        segments = segments_of(boxes)
        ids = associator.associate(video.frame(index), segments).ids.tolist()
        assert len(set(ids)) == len(ids)
        for identity, class_id in zip(ids, segments.class_ids.tolist(), strict=True):
            assert identity >= 1
            assert class_of.setdefault(identity, class_id) == class_id


@pytest.mark.parametrize("name", associator_names())
def test_frames_without_segments_are_no_trouble(name):
    assert link(_built(name, [[]] * 3), [[], [], []]) == [{}, {}, {}]


def test_appearance_finds_what_jumped_and_motion_does_not():
    scene = [[Box(1, 5, color=RED), Box(2, 70, color=BLUE)]]
    scene.append([Box(1, 50, y=30, color=RED), Box(2, 20, y=30, color=BLUE)])
    assert len(set(link(_built("appearance", scene), scene)[1].values())) == 2
    appearance = link(_built("appearance", scene), scene)
    assert appearance[0] == appearance[1]
    copied = link(_built("copy", scene), scene)
    assert not set(copied[0].values()) & set(copied[1].values())


@pytest.mark.parametrize(
    ("name", "switches", "message"),
    [
        ("bytetrak", {}, "unknown tracker 'bytetrak'; did you mean 'bytetrack'"),
        ("copy", {"memory": -1}, "memory is -1"),
        ("copy", {"pair": 0}, "pairing interval is 0"),
        ("sort", {"pair": 2}, "'sort' has no pairing interval"),
        ("unlinked", {"memory": 3}, "'unlinked' has no memory"),
        ("oracle", {}, "'oracle' needs ground truth"),
        ("oracle:in-view", {}, "'oracle:in-view' needs ground truth"),
        ("iou", {"iou_treshold": 0.4}, "did you mean 'iou_threshold'"),
        ("iou", {"iou_threshold": 2}, "iou_threshold is 2; expected 0 to 1"),
        ("iou", {"iou_threshold": "high"}, "iou_threshold is 'high'; expected a float"),
        ("iou", {"gallery_size": 1.5}, "gallery_size is 1.5; expected an int"),
        ("copy", {"motion_threshold": -1.0}, "motion_threshold is -1"),
        ("motion", {"proximity": "giou"}, "proximity is 'giou'"),
        ("motion", {"flow_height": 4}, "flow_height is 4; expected 32 or more"),
        ("bytetrack", {"low_score": 0.7}, "low_score 0.7 is above high_score 0.6"),
    ],
)
def test_wrong_names_switches_and_settings_are_refused(name, switches, message):
    with pytest.raises(ConfigError, match=message):
        build_associator(name, **switches)


def test_settings_reach_the_tracker():
    scene = [[Box(1, 10)], [Box(1, 16)]]  # IoU 6 / 18
    assert len({g[1] for g in link(_built("iou", scene), scene)}) == 2
    assert len({g[1] for g in link(_built("iou", scene, iou_threshold=0.3), scene)}) == 1


def test_settings_are_checked_on_their_own_too():
    assert TrackerSettings.from_mapping({"motion_threshold": 0.4}).motion_threshold == 0.4


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="'iou' is registered already"):
        register("iou", "again")(lambda options: None)
