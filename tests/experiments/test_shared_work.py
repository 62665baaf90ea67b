"""Work that is done once is charged to everyone who uses it, and changes nothing else."""

import json

import numpy as np
import pytest
from helpers.annotated_scenes import AnnotatedScene
from helpers.small_runs import plan, source, walk

from mapt_bench.baselines.segmenters import GroundTruthSegments
from mapt_bench.experiments import Cell, Variant, run_plan, run_result
from mapt_bench.experiments.engine import shared, unit
from mapt_bench.experiments.engine.shared import SharedWork, WorkOfUnit
from mapt_bench.tracking import Association, SegmentTracker, TrackerRun


class Clock:
    """Time that passes only when work is done."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def work(self, seconds, value):
        """Return what makes a value and takes some seconds."""

        def make():
            self.now += seconds
            return value() if callable(value) else value

        return make


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(shared, "perf_counter", clock)
    monkeypatch.setattr(unit, "perf_counter", clock)
    return clock


def never():
    raise AssertionError("made a second time")


def share_of(work, segments="groundtruth", whole_index=lambda index: index):
    return WorkOfUnit(work, segments, whole_index)


def test_what_was_made_is_found_and_its_time_is_charged(clock):
    work, made = SharedWork(), np.ones(3)
    first, second, third = (share_of(work) for _ in range(3))
    assert first.once("flow", (1, 0), clock.work(5, made)) is made
    assert first.saved_seconds == 0  # its own clock has seen those seconds
    assert second.once("flow", (1, 0), never) is made
    assert third.once("flow", (1, 0), never) is made
    assert (second.saved_seconds, third.saved_seconds) == (5, 5)
    second.once("flow", (1, 0), never)
    assert second.saved_seconds == 10  # by itself it would have made it twice


def test_work_within_work_is_charged_once(clock):
    work = SharedWork()
    makers, users, of_parts = (share_of(work) for _ in range(3))

    def looks(share):
        """Looks take 3 seconds, and 2 more for a motion."""
        motion = clock.work(2, np.zeros(1))
        inner = lambda: share.once("motion", (0, 1), motion)  # noqa: E731
        return share.once("appearance", (0, 1), clock.work(3, inner))

    looks(makers)
    assert makers.saved_seconds == 0
    looks(users)
    assert users.saved_seconds == 5
    of_parts.once("motion", (0, 1), never)
    assert of_parts.saved_seconds == 2


def test_what_was_found_on_the_way_belongs_to_what_was_made_of_it(clock):
    work = SharedWork()
    first, second, third = (share_of(work) for _ in range(3))
    first.once("motion", (0, 1), clock.work(2, np.zeros(1)))
    looks = clock.work(3, lambda: second.once("motion", (0, 1), never))
    second.once("appearance", (0, 1), looks)
    assert second.saved_seconds == 2  # the 3 seconds passed on its own clock
    third.once("appearance", (0, 1), never)
    assert third.saved_seconds == 5


def test_only_what_is_missing_of_several_values_is_made_and_each_is_charged_alone(clock):
    work, asked = SharedWork(), []
    first, second = share_of(work), share_of(work)

    def make(places):
        asked.append(list(places))
        clock.now += 2 * len(places)
        return [np.full(1, place) for place in places]

    made = first.each("carried", (0, 1), ["a", "b"], make)
    assert second.each("carried", (0, 1), ["b", "c", "a"], make) == [made[1], [1], made[0]]
    assert asked == [[0, 1], [1]]
    assert (first.saved_seconds, second.saved_seconds) == (0, 4)
    assert second.each("carried", (1, 2), ["a"], make) == [[0]]  # other frames


def test_frames_are_those_of_the_whole_video(clock):
    work, made = SharedWork(), np.zeros(1)
    whole = share_of(work)
    second_frames = share_of(work, whole_index=lambda index: 1 + 2 * index)
    whole.once("flow", (3, 1), clock.work(1, made))
    assert second_frames.once("flow", (1, 0), never) is made
    other = np.ones(1)
    assert second_frames.once("flow", (3, 1), clock.work(1, other)) is other
    assert whole.once("flow", (1, 3), clock.work(1, other)) is other  # the way back


def test_only_work_of_segments_is_of_one_kind_of_them(clock):
    work, flow, looks = SharedWork(), np.zeros(1), np.ones(1)
    true, own = share_of(work), share_of(work, "mapt-tiny")
    true.once("flow", (0,), clock.work(1, flow))
    true.once("appearance", (0,), clock.work(1, looks), of_segments=True)
    assert own.once("flow", (0,), never) is flow
    others = np.full(1, 7)
    assert own.once("appearance", (0,), clock.work(1, others), of_segments=True) is others
    assert true.once("appearance", (0,), never, of_segments=True) is looks


def test_beyond_the_budget_work_is_done_anew_and_not_charged_twice(clock):
    small, large = np.zeros(2), np.zeros(7)
    work = SharedWork(budget_bytes=small.nbytes + large.nbytes - 1)
    first, second = share_of(work), share_of(work)
    first.once("small", (0,), clock.work(1, small))
    first.once("large", (0,), clock.work(1, large))
    again = np.zeros(7)
    assert second.once("large", (0,), clock.work(4, again)) is again
    assert second.saved_seconds == 0
    assert second.once("small", (0,), never) is small


def test_tuples_take_the_room_of_their_parts():
    pair = (np.zeros(2), np.zeros(3))
    for missing, is_kept in ((0, True), (1, False)):
        work = SharedWork(budget_bytes=5 * 8 - missing)
        share_of(work).once("motion", (0,), lambda: pair)
        assert (work.find(("motion", (0,), None)) is not None) == is_kept


def test_the_time_of_a_frame_holds_what_others_spent_on_it(clock):
    class Linker:
        needs_images = False

        def __init__(self, share):
            self.share = share

        def start(self, info):
            pass

        def associate(self, frame, segments):
            self.share.once("flow", (1, 0), clock.work(4, np.zeros(1)))
            clock.now += 1
            return Association(np.arange(1, segments.count + 1))

    work, video = SharedWork(), walk(1)
    for _ in range(2):  # the second finds what the first has made
        share = share_of(work)
        tracker = SegmentTracker(
            GroundTruthSegments(video), Linker(share), clock=unit._clock_of(share)
        )
        run = TrackerRun(tracker, video)
        list(run.maps())
        assert run.seconds == (5,)


def test_sharing_changes_no_result_of_dropped_frames_and_pairs(tmp_path, monkeypatch):
    names = ("both", "both:simultaneous", "flow:exact+appearance")
    variants = [Variant(name, name, "heads", name, memory=2) for name in names]
    # Pairs at a distance of 2 see the same frames as the phases of every second frame.
    cells = [
        Cell(row, **condition) for condition in ({}, {"pair": 2}, {"drop": 2}) for row in variants
    ]
    given = plan(*variants, reference=None, cells=tuple(cells))
    film = source(AnnotatedScene(walk(5, speed=7).scene))
    found, real = [], SharedWork.find

    def find(work, key):
        made = real(work, key)
        found.append((key[0][0], made is not None))
        return made

    monkeypatch.setattr(SharedWork, "find", find)
    results = {}
    for name, budget in (("shared", 1 << 20), ("alone", -1)):
        monkeypatch.setattr(shared, "SharedWork", lambda budget=budget: SharedWork(budget))
        found.clear()
        outcome = run_plan(given, film, tmp_path / name)
        assert outcome.exit_code == 0
        entries = run_result(outcome)["cells"]
        results[name] = json.dumps([{**entry, "cost": None} for entry in entries])
        ready = {what for what, is_found in found if is_found}
        assert ready == ({"flow", "appearance"} if name == "shared" else set())
    assert results["shared"] == results["alone"]
