import sys
from importlib.metadata import EntryPoint

import pytest

from mapt_bench.baselines import plugins
from mapt_bench.errors import ConfigError, TrackerError

MODULE = """
import numpy as np
from mapt_bench.labels import PanopticMap

class Good:
    def start(self, info):
        self.shape = (info.height, info.width)
    def step(self, frame):
        return PanopticMap(np.zeros(self.shape, dtype=np.uint32))

class NoStep:
    def start(self, info): pass

class NeedsArguments(Good):
    def __init__(self, depth): pass

class Broken(Good):
    def __init__(self):
        raise KeyError("weights")

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
    tracker = plugins.load_tracker(f"{module}:Good")
    assert type(tracker).__name__ == "Good"


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("Goood", "has no Goood; did you mean 'Good'"),
        ("NoStep", "lacks step; a tracker has"),
        ("NeedsArguments", "without arguments, but .*depth"),
        ("number", "is a int; expected a tracker class"),
        ("", "expected package.module:Class"),
    ],
)
def test_what_is_no_tracker_is_refused(module, attribute, message):
    with pytest.raises(ConfigError, match=message.replace("has no Goood", "has no 'Goood'")):
        plugins.load_tracker(f"{module}:{attribute}")


def test_a_class_that_fails_is_named(module):
    with pytest.raises(
        TrackerError, match=r":Broken' could not be built: KeyError: 'weights'"
    ) as c:
        plugins.load_tracker(f"{module}:Broken")
    assert c.value.exit_code == 70
    assert isinstance(c.value.__cause__, KeyError)


def test_a_module_that_is_not_there(module):
    with pytest.raises(ConfigError, match="no module 'not_there'"):
        plugins.load_tracker("not_there:Class")
    with pytest.raises(ConfigError, match="no module 'not_there'"):
        plugins.load_tracker("not_there.deeper:Class")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import surely_not_installed", "needs 'surely_not_installed', which is not installed"),
        ("from os import nothing_like_it", "cannot be imported: ImportError: cannot import name"),
        ("def broken(:", "cannot be imported"),
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero"),
    ],
)
def test_a_module_that_does_not_import(module, tmp_path, text, message):
    (tmp_path / "broken_plugin.py").write_text(text)
    sys.modules.pop("broken_plugin", None)
    with pytest.raises(ConfigError, match=message):
        plugins.load_tracker("broken_plugin:Class")


def test_entry_points_are_offered_by_name(module, monkeypatch):
    points = [
        EntryPoint("mine", f"{module}:Good", plugins.ENTRY_POINT_GROUP),
        EntryPoint("gone", "not_there:Class", plugins.ENTRY_POINT_GROUP),
    ]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points)
    sys.path.insert(0, ".")
    assert plugins.plugin_names() == ("gone", "mine")
    assert type(plugins.load_tracker("mine")).__name__ == "Good"
    with pytest.raises(ConfigError, match="'gone' is offered as 'not_there:Class'"):
        plugins.load_tracker("gone")
