import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from helpers.scenes import Box, DrawnVideo

from mapt_bench.baselines import user_trackers as plugins
from mapt_bench.baselines.segmenters import GroundTruthSegments
from mapt_bench.errors import ConfigError, DataError, TrackerError
from mapt_bench.tracking import SegmentTracker, TrackerRun
from mapt_bench.tracking.loop import blamed
from mapt_bench.workers.processes import WorkerEnd

MODULE = """
import asyncio
import numpy as np
from mapt_bench.errors import DataError
from mapt_bench.labels import PanopticMap
from mapt_bench.tracking import Association

class Good:
    '''Says nothing.'''
    def start(self, info):
        self.shape = (info.height, info.width)
    def step(self, frame):
        return PanopticMap(np.zeros(self.shape, dtype=np.uint32))

class NoStep:
    def start(self, info): pass

class NoStart:
    def associate(self, frame, segments): pass

class NeedsArguments(Good):
    def __init__(self, depth): pass

class Broken(Good):
    def __init__(self):
        raise KeyError("weights")

class Twofold(Good):
    def associate(self, frame, segments): pass

class Linker:
    '''Numbers segments as they come.'''
    def __init__(self, memory=7, pair=3, first=1):
        self.given = (memory, pair, first)
    def start(self, info): pass
    def associate(self, frame, segments):
        return Association(np.arange(self.given[2], self.given[2] + segments.count))

class Blind(Linker):
    needs_images = False

class Asks(Linker):
    @property
    def needs_images(self):
        return False

class Spoils(Linker):
    def associate(self, frame, segments):
        frame.image[:] = 0
        segments.index_map[:] = -1

class ReturnsList(Linker):
    def associate(self, frame, segments):
        return [1] * segments.count

class TooFew(Linker):
    def associate(self, frame, segments):
        return Association(np.arange(1, segments.count))

class Fractions(Linker):
    def associate(self, frame, segments):
        return Association(np.arange(segments.count) + 0.5)

class Same(Linker):
    def associate(self, frame, segments):
        return Association(np.ones(segments.count, dtype=int))

class Drops(Linker):
    def associate(self, frame, segments):
        return Association(-np.ones(segments.count, dtype=int))

class ShortSteps(Linker):
    def associate(self, frame, segments):
        return Association(np.arange(1, segments.count + 1), ("new",))

class Zero(Linker):
    def associate(self, frame, segments):
        return Association(np.arange(segments.count))

class Leaves(Linker):
    def associate(self, frame, segments):
        raise SystemExit(1)

class LeavesEarly(Linker):
    def __init__(self):
        raise SystemExit("no weights")

class Prints(Linker):
    def associate(self, frame, segments):
        print("hello", segments.count)
        return super().associate(frame, segments)

class Cancelled(Linker):
    def associate(self, frame, segments):
        raise asyncio.CancelledError("late")

class OwnError(DataError):
    def __init__(self): pass

class RaisesOwnError(Linker):
    def associate(self, frame, segments):
        raise OwnError

class NumberOfSteps(Linker):
    def associate(self, frame, segments):
        return Association(np.arange(1, segments.count + 1), steps=5)

class NoAges(Linker):
    def associate(self, frame, segments):
        return Association(np.arange(1, segments.count + 1), ages=None)

class ListsAsSteps(Linker):
    def associate(self, frame, segments):
        return Association(np.arange(1, segments.count + 1), steps=([],) * segments.count)

class TextAsAges(Linker):
    def associate(self, frame, segments):
        return Association(np.arange(1, segments.count + 1), ages=("x",) * segments.count)

class Huge(Linker):
    def associate(self, frame, segments):
        return Association(np.arange(1, segments.count + 1) + 2**40)

class OddAssociation(Association):
    def __init__(self): pass
    def __getattribute__(self, name):
        if name == "ids":
            raise ValueError("no ids")
        return super().__getattribute__(name)

class OddIds(Linker):
    def associate(self, frame, segments):
        return OddAssociation()

class DelayRaises(Linker):
    @property
    def delay(self):
        raise ValueError("no delay")

class NeedsImagesRaises(Good):
    @property
    def needs_images(self):
        raise ValueError("no answer")

class OddShape(PanopticMap):
    @property
    def shape(self):
        raise ValueError("no shape")

class ShapeRaises(Good):
    def step(self, frame):
        return OddShape(np.zeros(self.shape, dtype=np.uint32))

class OddCodes(PanopticMap):
    def __getattribute__(self, name):
        raise ValueError("no codes")

class CodesRaise(Good):
    def step(self, frame):
        return object.__new__(OddCodes)

class Written(Good):
    value = "text"
    def step(self, frame):
        found = super().step(frame)
        object.__setattr__(found, "codes", self.value)
        return found

class WrittenFractions(Written):
    value = np.zeros((2, 2))

class EmptyTexts(Good):
    def step(self, frame):
        return PanopticMap(super().step(frame).codes, empty=("x",))

class EmptyOutside(Good):
    def step(self, frame):
        return PanopticMap(super().step(frame).codes, empty=(-1,))

class HugeWhole(Good):
    def step(self, frame):
        ids = np.full(self.shape, 2**40)
        return PanopticMap.from_classes_and_ids(np.zeros_like(ids), ids)

class Unknown(Good):
    def step(self, frame):
        return PanopticMap(np.full(self.shape, 77 << 24, dtype=np.uint32))

class Unhashable:
    __hash__ = None
    def __call__(self):
        return Blind()

unhashable = Unhashable()

def make(reach=1):
    return Blind()

number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module in the current folder, under a name that no other test uses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = f"plug_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MODULE)
    yield name
    sys.modules.pop(name, None)


def test_a_class_in_the_current_folder_is_found(module):
    entry = plugins.user_tracker(f"{module}:Good")
    assert entry.is_whole
    assert entry.summary == "Says nothing."
    assert (entry.supports_memory, entry.supports_pair) == (False, False)
    assert entry.build({}).step  # a tracker


def test_an_associator_is_taken_as_it_is(module):
    entry = plugins.user_tracker(f"{module}:Linker")
    assert not entry.is_whole
    assert (entry.supports_memory, entry.supports_pair) == (True, True)
    video = DrawnVideo([[Box(1, 10), Box(2, 60)]] * 2)
    tracker = SegmentTracker(GroundTruthSegments(video), entry.build({"first": 5}))
    maps = list(TrackerRun(tracker, video).maps())
    assert [sorted(set(found.ids.ravel().tolist())) for found in maps] == [[0, 5, 6]] * 2


def test_memory_and_pair_are_those_of_the_row_and_never_the_defaults_of_the_class(module):
    entry = plugins.user_tracker(f"{module}:Linker")
    assert entry.build({})._associator.given == (0, 1, 1)
    assert entry.build({"first": 2}, memory=4, pair=2)._associator.given == (4, 2, 2)


@pytest.mark.parametrize(
    ("name", "reads"), [("Linker", True), ("Blind", False), ("Asks", True), ("make", False)]
)
def test_whether_images_are_read(module, name, reads):
    # What is not said, or not known before the tracker is built, counts as yes.
    assert plugins.user_tracker(f"{module}:{name}").needs_images == reads


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("Goood", "has no 'Goood'; did you mean 'Good'"),
        ("NoStep", "lacks step and associate; a whole tracker has"),
        ("NoStart", "lacks start; a whole tracker has"),
        ("Twofold", "has both associate and step; .*rename one"),
        ("number", "is an object of type int; expected a tracker class"),
        ("", "expected package.module:Class"),
    ],
)
def test_what_is_no_tracker_is_refused(module, attribute, message):
    with pytest.raises(ConfigError, match=message):
        plugins.user_tracker(f"{module}:{attribute}")


def test_arguments_without_a_default_must_be_given(module):
    entry = plugins.user_tracker(f"{module}:NeedsArguments")
    with pytest.raises(ConfigError, match="missing a required argument: 'depth'; give the argume"):
        entry.build({})
    assert entry.build({"depth": 2}).step


def test_a_class_that_fails_is_named(module):
    entry = plugins.user_tracker(f"{module}:Broken")
    with pytest.raises(
        TrackerError, match=r":Broken' could not be built: KeyError: 'weights'"
    ) as c:
        entry.build({})
    assert c.value.exit_code == 3
    assert isinstance(c.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("ReturnsList", DataError, "associate returned a list; expected an Association"),
        ("TooFew", DataError, r"ids of shape \(1,\) .*; expected 2 whole numbers"),
        ("Fractions", DataError, "type float64; expected 2 whole numbers"),
        ("Same", DataError, "id 1 for two segments of one class"),
        ("Zero", DataError, "associate returned id 0; expected ids from 1"),
        (
            "Leaves",
            TrackerError,
            r"Leaves failed: it called sys.exit\(1\); expected it to return .*\.py:",
        ),
        ("ShortSteps", DataError, "1 steps and 0 ages; expected 2 of each"),
        ("Spoils", TrackerError, "Spoils failed: ValueError: assignment destination is read-only"),
        ("Cancelled", TrackerError, r"Cancelled failed: CancelledError: late \(.*\.py:"),
        ("RaisesOwnError", TrackerError, "RaisesOwnError failed: OwnError: "),
        ("NumberOfSteps", DataError, "associate returned steps that are an int; expected a tuple"),
        ("NoAges", DataError, "associate returned ages that are None; expected a tuple"),
        ("ListsAsSteps", DataError, "associate returned steps with a list; expected texts"),
        ("TextAsAges", DataError, "associate returned ages with a str; expected whole numbers"),
        ("Huge", DataError, "Huge: associate returned id 1099511627778; expected ids up to"),
        ("OddIds", TrackerError, "OddIds failed: ValueError: no ids"),
    ],
)
def test_what_an_associator_returns_is_checked(module, name, error, message):
    video = DrawnVideo([[Box(1, 10), Box(2, 60)]])
    entry = plugins.user_tracker(f"{module}:{name}")
    tracker = SegmentTracker(GroundTruthSegments(video), entry.build({}))
    with pytest.raises(error, match=message) as caught:
        list(TrackerRun(tracker, video).maps())
    assert caught.value.where == "drawn/000000"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("ShapeRaises", None, ""),  # its own shape is not read
        ("CodesRaise", TrackerError, "CodesRaise failed: ValueError: no codes"),
        ("Written", DataError, "Written: the codes of its map are a str; expected a uint32 array"),
        ("WrittenFractions", DataError, "are of type float64; expected uint32"),
        ("EmptyTexts", TrackerError, "EmptyTexts failed: TypeError: 'str'"),
        ("EmptyOutside", DataError, "EmptyOutside: its map lists the empty code -1; expected 0 to"),
        ("HugeWhole", DataError, "HugeWhole: id values reach from 1099511627776"),
        ("Unknown", DataError, "Unknown: class 77"),
    ],
)
def test_what_a_whole_tracker_returns_is_checked(module, name, error, message):
    video = DrawnVideo([[Box(1, 10), Box(2, 60)]])
    run = TrackerRun(plugins.user_tracker(f"{module}:{name}").build({}), video)
    if error is None:
        (found,) = run.maps()
        assert type(found).__name__ == "PanopticMap"
        return
    with pytest.raises(error, match=message) as caught:
        list(run.maps())
    assert caught.value.where == "drawn/000000"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("DelayRaises", "DelayRaises failed: ValueError: no delay"),
        ("NeedsImagesRaises", "NeedsImagesRaises failed: ValueError: no answer"),
        ("unhashable", "unhashable failed: TypeError: unhashable type"),
    ],
)
def test_attributes_that_raise_are_faults_of_the_tracker(module, name, message):
    with pytest.raises(TrackerError, match=message):
        plugins.user_tracker(f"{module}:{name}").build({})


def test_a_class_may_not_end_the_command(module):
    entry = plugins.user_tracker(f"{module}:LeavesEarly")
    with pytest.raises(
        TrackerError, match=r"could not be built: it called sys.exit\('no weights'\)"
    ):
        entry.build({})


def test_what_a_tracker_prints_goes_to_stderr(module, capsys):
    video = DrawnVideo([[Box(1, 10), Box(2, 60)]])
    built = plugins.user_tracker(f"{module}:Prints").build({})
    list(TrackerRun(SegmentTracker(GroundTruthSegments(video), built), video).maps())
    assert capsys.readouterr() == ("", "hello 2\n")


def test_a_worker_that_must_end_is_no_fault_of_the_tracker():
    with pytest.raises(WorkerEnd), blamed("mine:Tracker", "0001/000000"):
        raise WorkerEnd(143)


def test_segments_may_be_dropped(module):
    video = DrawnVideo([[Box(1, 10), Box(2, 60)]])
    built = plugins.user_tracker(f"{module}:Drops").build({})
    (found,) = TrackerRun(SegmentTracker(GroundTruthSegments(video), built), video).maps()
    assert not found.ids.any()


def test_what_a_tracker_does_to_its_image_is_not_seen_by_others(module):
    frame = DrawnVideo([[Box(1, 10)]]).frame(0)
    before = frame.image.copy()
    own = plugins._own_frame(frame)
    own.image[:] = 0
    assert np.array_equal(frame.image, before)


def test_a_module_that_is_not_there(module):
    with pytest.raises(ConfigError, match="no module 'not_there'"):
        plugins.user_tracker("not_there:Class")
    with pytest.raises(ConfigError, match="no module 'not_there'"):
        plugins.user_tracker("not_there.deeper:Class")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import surely_not_installed", "needs 'surely_not_installed', which is not installed"),
        ("from os import nothing_like_it", "cannot be imported: ImportError: cannot import name"),
        ("def broken(:", "cannot be imported"),
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero"),
        ("raise SystemExit(2)", r"called sys.exit\(2\) while it was imported; put code"),
    ],
)
def test_a_module_that_does_not_import(module, tmp_path, text, message):
    (tmp_path / "broken_plugin.py").write_text(text)
    sys.modules.pop("broken_plugin", None)
    with pytest.raises(ConfigError, match=message):
        plugins.user_tracker("broken_plugin:Class")


def test_entry_points_are_offered_by_name(module, tmp_path, monkeypatch, capsys):
    points = [
        EntryPoint("mine", f"{module}:Good", plugins.ENTRY_POINT_GROUP),
        EntryPoint("gone", "not_there:Class", plugins.ENTRY_POINT_GROUP),
        EntryPoint("leaves", "leaves_at_import:Class", plugins.ENTRY_POINT_GROUP),
    ]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points)
    sys.path.insert(0, ".")
    assert plugins.plugin_names() == ("gone", "leaves", "mine")
    assert plugins.user_tracker("mine").is_whole
    with pytest.raises(ConfigError, match="'gone' is offered as 'not_there:Class'"):
        plugins.user_tracker("gone")
    (tmp_path / "leaves_at_import.py").write_text("print('going')\nraise SystemExit(2)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"cannot be imported: it called sys.exit\(2\)"):
        plugins.user_tracker("leaves")
    assert capsys.readouterr() == ("", "going\n")
