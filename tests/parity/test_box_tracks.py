"""OC-SORT and BoT-SORT against stored tracks of an independent implementation.

``make_box_tracks.py`` wrote them and says how.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from mapt_bench.baselines.bot_sort import BotSortAssociator
from mapt_bench.baselines.oc_sort import OcSortAssociator
from mapt_bench.labels import Frame, VideoInfo, label_space
from mapt_bench.tracking import FrameSegments

STORED = json.loads(Path(__file__).with_name("box_tracks.json").read_text(encoding="utf-8"))
HEIGHT, WIDTH = STORED["size"]
CAR = 13


class GivenCamera:
    """A camera whose motion is known."""

    def __init__(self, motions):
        self.motions = motions

    def start(self):
        pass

    def step(self, frame, segments):
        return np.array(self.motions[frame.index])


def _segments(boxes):
    """Two pixels, in opposite corners, stand for a box, so that boxes may overlap."""
    index_map = np.full((HEIGHT, WIDTH), -1, dtype=np.int32)
    for k, (left, top, right, bottom, _) in enumerate(boxes):
        index_map[top, left] = index_map[bottom - 1, right - 1] = k
    return FrameSegments(
        stuff=np.zeros((HEIGHT, WIDTH), dtype=np.uint8),
        index_map=index_map,
        class_ids=np.full(len(boxes), CAR),
        scores=np.array([box[4] for box in boxes], dtype=np.float64),
    )


def _associations(associator, detections):
    names = tuple(f"{frame:06d}" for frame in range(len(detections)))
    associator.start(
        VideoInfo("boxes", names, HEIGHT, WIDTH, label_space("kitti-step"), has_images=False)
    )
    return [
        associator.associate(Frame(frame, names[frame]), _segments(boxes))
        for frame, boxes in enumerate(detections)
    ]


def _associator(case):
    if case["tracker"] == "oc-sort":
        return OcSortAssociator(memory=30)
    camera = GivenCamera(case["camera"]) if "camera" in case else None
    return BotSortAssociator(memory=30, camera=camera)


def _first_difference(associations, expected):
    """Return the first frame in which identities differ, if renamed one to one."""
    theirs, ours = {}, {}
    for frame, (association, ids) in enumerate(zip(associations, expected, strict=True)):
        for own, step, other in zip(association.ids.tolist(), association.steps, ids, strict=True):
            if (other == -1) != (step in ("new", "dropped")):
                return frame
            if other != -1 and (
                theirs.setdefault(own, other) != other or ours.setdefault(other, own) != own
            ):
                return frame
    return None


@pytest.mark.parametrize("case", STORED["cases"], ids=lambda case: f"{case['tracker']}")
def test_identities_are_those_of_an_independent_implementation(case):
    associations = _associations(_associator(case), case["detections"])
    assert _first_difference(associations, case["ids"]) is None


def test_the_stored_tracks_try_what_matters():
    for case in STORED["cases"]:
        associations = _associations(_associator(case), case["detections"])
        steps = [step for each in associations for step in each.steps]
        assert steps.count("new") > 10
        assert steps.count("dropped") > 10
        assert sum(age > 1 for each in associations for age in each.ages) > 5
        assert sum(identity > 0 for ids in case["ids"] for identity in ids) > 100


@pytest.mark.parametrize("tracker", ["oc-sort", "bot-sort"])
def test_the_comparison_notices_another_tracker(tracker):
    case = next(each for each in STORED["cases"] if each["tracker"] == tracker)
    other = OcSortAssociator if tracker == "bot-sort" else BotSortAssociator
    associations = _associations(other(memory=30), case["detections"])
    assert _first_difference(associations, case["ids"]) is not None
