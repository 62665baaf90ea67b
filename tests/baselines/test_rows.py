import sys

import pytest

from mapt_bench.baselines import associator_entry, associator_names
from mapt_bench.baselines.registry import mapt_tracker_names
from mapt_bench.baselines.rows import Row, parse_row, row_name, thresholds_of
from mapt_bench.baselines.thresholds import settings_of, tuned_thresholds
from mapt_bench.errors import ConfigError
from mapt_bench.tuning._tuned_rows import search_space

MINE = """
class Plain:
    needs_images = False
    def start(self, info): pass
    def associate(self, frame, segments): pass

class Remembers(Plain):
    def __init__(self, memory=30, reach=0.5): pass

class NeedsDepth(Plain):
    def __init__(self, depth): pass
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = f"rows_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MINE)
    yield name
    sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("sort", Row("sort")),
        ("sort+memory", Row("sort", 10)),
        ("sort+memory=0", Row("sort")),
        ("both:simultaneous+memory=3", Row("both:simultaneous", 3)),
        ("flow:dis+mapt+memory", Row("flow:dis+mapt", 10)),
        ("flow:dis+appearance", Row("flow:dis+appearance")),
        ("copy,proximity=centroid", Row("copy", 0, (("proximity", "centroid"),))),
        (
            "mapt+memory=4,weights=mapt-tiny,lost_probability=1",
            Row("mapt", 4, (("lost_probability", 1.0),), (), "mapt-tiny"),
        ),
        ("mapt,switch=static,switch=no-gate", Row("mapt", 0, (), ("no-gate", "static"))),
        ("oracle:in-view", Row("oracle:in-view")),
    ],
)
def test_a_row_is_read_and_its_spelling_read_back(text, row):
    assert parse_row(text) == row
    assert parse_row(str(row)) == row


def test_one_row_has_one_spelling():
    spelled = {
        row_name(text)
        for text in (
            "both+memory,motion_threshold=0.20,gallery_size=2",
            "both+memory=10,gallery_size=2,motion_threshold=.2",
            " both+memory, gallery_size=2, motion_threshold=2e-1",
        )
    }
    assert spelled == {"both+memory,gallery_size=2,motion_threshold=0.2"}
    # The command's --memory gives +memory its number, and the name says so.
    assert row_name("both+memory", memory=20) == "both+memory=20"
    assert row_name("mapt,switch=static,lost_probability=1.0") == (
        "mapt,lost_probability=1,switch=static"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sotr", r"unknown tracker 'sotr'; did you mean 'sort'"),
        ("sort+memroy", r"unknown tracker 'sort\+memroy'.*A row is NAME"),
        ("", "unknown tracker ''"),
        ("sort+memory=-1", "memory is -1; expected 0 frames or more"),
        ("sort+memory=ten", "memory is 'ten'"),
        ("sort+memory=", "memory is ''"),
        ("oracle+memory", "tracker 'oracle' has no memory"),
        ("unlinked+memory=0", "has no memory"),
        ("sort,", "'' is no setting; expected SETTING=VALUE"),
        ("sort,sort_iou_threshold", "is no setting; expected SETTING=VALUE"),
        ("sort,sort_iou_treshold=0.2", "no setting 'sort_iou_treshold'; did you mean"),
        ("sort,motion_threshold=0.2", "'sort' has no setting 'motion_threshold'"),
        (
            "oracle,motion_threshold=0.2",
            "no setting 'motion_threshold'; known: least_score",
        ),
        ("copy,motion_threshold=2", "motion_threshold is 2; expected 0 to 1"),
        ("copy,motion_threshold=nan", "motion_threshold is nan; expected a number"),
        ("copy,motion_threshold=high", "motion_threshold is 'high'; expected a float"),
        ("copy,motion_threshold=0.2,motion_threshold=0.3", "gives motion_threshold twice"),
        ("copy,memory=3", r"memory is no setting; write it as NAME\+memory=N"),
        ("copy,pair=2", "pair is no setting; .*--pair"),
        ("copy,weights=x", "tracker 'copy' has no weights"),
        ("copy,switch=static", "'copy' has no setting 'switch'"),
        ("mapt,switch=statik", "mapt has no switch 'statik'; did you mean 'static'"),
        ("mapt-compact", "is a name of weights.*; write mapt,weights=mapt-compact"),
        ("nowhere:Class", "no module 'nowhere'"),
        ("my_module.MyTracker", "did you mean 'my_module:MyTracker'"),
        ("deep/my_module.py:MyTracker", "names a file; .*; write deep.my_module:MyTracker"),
    ],
)
def test_what_is_no_row_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_row(text)


def test_rows_of_a_user(mine):
    assert parse_row(f"{mine}:Plain") == Row(f"{mine}:Plain")
    with pytest.raises(ConfigError, match=r"its class takes no argument 'memory'; omit \+memory"):
        parse_row(f"{mine}:Plain+memory")
    row = parse_row(f"{mine}:Remembers+memory=5,reach=0.2")
    assert row == Row(f"{mine}:Remembers", 5, (("reach", 0.2),))
    assert parse_row(str(row)) == row
    with pytest.raises(ConfigError, match=r"no setting 'raech'.*did you mean 'reach'"):
        parse_row(f"{mine}:Remembers,raech=0.2")
    with pytest.raises(ConfigError, match="missing a required argument: 'depth'"):
        parse_row(f"{mine}:NeedsDepth")
    assert parse_row(f"{mine}:NeedsDepth,depth=3").settings == (("depth", 3),)


@pytest.mark.parametrize("name", [*associator_names(), *mapt_tracker_names()])
def test_settings_of_a_tracker_hold_all_that_is_tuned(name):
    known = associator_entry(name).settings
    assert set(search_space(name)) <= known
    assert set(dict(tuned_thresholds().get(name, ()))) <= known


def test_settings_of_a_row_stand_above_tuned_thresholds(monkeypatch):
    tuned = {"copy": (("motion_threshold", 0.4), ("proximity", "centroid"))}
    monkeypatch.setattr("mapt_bench.baselines.thresholds.tuned_thresholds", lambda: tuned)
    own = (("motion_threshold", 0.1),)
    assert settings_of("copy", own, "tuned") == (*own, ("proximity", "centroid"))
    assert settings_of("copy", own, "published") == own


def test_a_tracker_without_tuned_thresholds_says_so(mine):
    assert thresholds_of("copy", "tuned") == "tuned"
    assert thresholds_of("copy", "published") == "published"
    assert thresholds_of("flow:files", "tuned") == "published"
    assert thresholds_of("oracle", "tuned") == "none"
    assert thresholds_of(f"{mine}:Plain", "tuned") == "own"
