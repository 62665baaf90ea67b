import inspect
import sys
from collections import deque

import numpy as np
import pytest
from helpers.scenes import Box, DrawnVideo

from mapt_bench.baselines.segmenters import GroundTruthSegments
from mapt_bench.baselines.user_trackers import user_tracker
from mapt_bench.errors import ConfigError, DataError
from mapt_bench.tracking import Association, SegmentTracker, TrackerRun

SCENE = [[Box(1, x=10 + 3 * t), Box(2, x=60, y=20)] for t in range(5)]
VIDEO = DrawnVideo(SCENE)


class Late:
    """A whole tracker that copies the ground truth and returns it late."""

    needs_images = False

    def __init__(self, delay=2, kept=None):
        self.delay = delay
        self.kept = kept

    def start(self, info):
        self.queue = deque()

    def step(self, frame):
        self.queue.append(VIDEO.truth(frame.index))
        return self.queue.popleft() if len(self.queue) > self.delay else None

    def finish(self):
        return list(self.queue)[: self.kept]


class LateLinker:
    """Numbers segments by frame, late."""

    needs_images = False

    def __init__(self, delay=2):
        self.delay = delay

    def start(self, info):
        self.queue = deque()

    def associate(self, frame, segments):
        ids = np.arange(segments.count) + 10 * frame.index + 1
        self.queue.append(Association(ids, ("new",) * segments.count, (0,) * segments.count))
        return self.queue.popleft() if len(self.queue) > self.delay else None

    def finish(self):
        rest, self.queue = list(self.queue), deque()
        return rest


def maps_of(tracker, video=VIDEO):
    run = TrackerRun(tracker, video)
    return run, [each.codes for each in run.maps()]


@pytest.mark.parametrize("delay", [0, 1, 2, 5, 9])
def test_a_late_tracker_returns_every_map_in_order(delay):
    run, maps = maps_of(Late(delay))
    assert run.delay == delay
    assert len(maps) == len(run.seconds) == 5
    for index, codes in enumerate(maps):
        assert np.array_equal(codes, VIDEO.truth(index).codes)


@pytest.mark.parametrize("delay", [1, 3, 7])
def test_late_decisions_are_laid_over_the_segments_of_their_own_frame(delay):
    _, expected = maps_of(SegmentTracker(GroundTruthSegments(VIDEO), LateLinker(0)))
    tracker = SegmentTracker(GroundTruthSegments(VIDEO), LateLinker(delay))
    run, maps = maps_of(tracker)
    assert run.delay == tracker.delay == delay
    for one, other in zip(maps, expected, strict=True):
        assert np.array_equal(one, other)
    assert run.matches == {"new": 10}
    assert len(tracker.seconds) == 5


def test_none_is_no_map_of_a_tracker_without_delay():
    class Silent(Late):
        steps = 0

        def step(self, frame):
            self.steps += 1
            return

    for delay, asked in ((0, 1), (2, 3)):  # None twice is fine, the third time a map is owed
        silent = Silent(delay)
        with pytest.raises(DataError, match="returned None") as raised:
            maps_of(silent)
        assert raised.value.where == "drawn/000000"
        assert silent.steps == asked


def test_maps_that_are_missing_at_the_end_are_an_error():
    with pytest.raises(DataError, match=r"returned 4 maps of 5 frames.*finish returns as many"):
        maps_of(Late(2, kept=1))


def test_maps_beyond_the_last_frame_are_an_error():
    class Eager(Late):
        def finish(self):
            return [*self.queue, *self.queue]

    with pytest.raises(DataError, match="returned more than 5 maps"):
        maps_of(Eager(2))


def test_decisions_beyond_the_last_frame_are_an_error():
    class Eager(LateLinker):
        def finish(self):
            return [*self.queue, *self.queue]

    with pytest.raises(DataError, match="more decisions than frames"):
        maps_of(SegmentTracker(GroundTruthSegments(VIDEO), Eager(2)))


def test_a_dropped_segment_is_missing_in_the_map():
    class Dropping(LateLinker):
        def finish(self):
            return [
                Association(np.full(len(each.ids), -1), each.steps, each.ages)
                for each in self.queue
            ]

    _, maps = maps_of(SegmentTracker(GroundTruthSegments(VIDEO), Dropping(1)))
    classes = [np.unique(codes >> 24).tolist() for codes in maps]
    assert classes == [[0, 13]] * 4 + [[0, 255]]


IMPORTS = """from collections import deque

import numpy as np

from helpers.scenes import Box, DrawnVideo
from mapt_bench.tracking import Association

VIDEO = DrawnVideo([[Box(1, x=10 + 3 * t), Box(2, x=60, y=20)] for t in range(5)])
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Make a module of a user, with a tracker that is changed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def made(kind, changed="pass", name="own_late_tracker", **settings):
        monkeypatch.delitem(sys.modules, name, raising=False)
        source = f"{IMPORTS}\n{inspect.getsource(kind)}\n\nclass Own({kind.__name__}):\n"
        (tmp_path / f"{name}.py").write_text(f"{source}    {changed}\n")
        return user_tracker(f"{name}:Own").build(settings)

    return made


@pytest.mark.parametrize("delay", [0, 2])
def test_whole_trackers_of_users_may_be_late(own, delay):
    _, maps = maps_of(own(Late, name=f"own_whole_{delay}", delay=delay))
    assert np.array_equal(maps[4], VIDEO.truth(4).codes)


@pytest.mark.parametrize("delay", [0, 2])
def test_associators_of_users_may_be_late(own, delay):
    linker = own(LateLinker, name=f"own_linker_{delay}", delay=delay)
    run, maps = maps_of(SegmentTracker(GroundTruthSegments(VIDEO), linker))
    assert (run.delay, len(maps), run.matches) == (delay, 5, {"new": 10})


def test_late_decisions_of_users_are_counted(own):
    short = own(LateLinker, "finish = lambda self: []", name="own_short", delay=2)
    with pytest.raises(DataError, match=r"finish returned 0 decisions; expected 2"):
        maps_of(SegmentTracker(GroundTruthSegments(VIDEO), short))


ENDLESS = """def finish(self):
        for number in range(50):  # stands for a generator that never ends
            assert number < 3, "read too far"
            yield self.queue[0]"""


def test_finish_is_read_no_further_than_one_value_too_many(own):
    with pytest.raises(DataError, match=r"Own: the tracker returned more than 5 maps"):
        maps_of(own(Late, ENDLESS, name="own_endless_whole", delay=2))
    linker = own(LateLinker, ENDLESS, name="own_endless_linker", delay=2)
    with pytest.raises(DataError, match=r"Own: finish returned more than 2 decisions; expected 2"):
        maps_of(SegmentTracker(GroundTruthSegments(VIDEO), linker))


def test_a_tracker_of_no_name_is_read_no_further_either():
    class Endless(Late):
        def finish(self):
            for number in range(50):
                assert number < 3, "read too far"
                yield self.queue[0]

    with pytest.raises(DataError, match=r"Endless: .*more than 5 maps"):
        maps_of(Endless(2))


def test_a_delay_needs_a_method_finish(own):
    with pytest.raises(ConfigError, match=r"a delay of 2 frames and no method finish"):
        own(LateLinker, "finish = None", name="own_endless", delay=2)
    with pytest.raises(ConfigError, match=r"has a delay of -1; expected 0 frames or more"):
        own(LateLinker, name="own_early", delay=-1)
