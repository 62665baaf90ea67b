"""Suites: what they hold, that they never overlap, and that a change is reported."""

import pickle
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import AnnotatedVideo, MapSequence
from mapt_bench.synthetic import fingerprints
from mapt_bench.synthetic.fingerprints import (
    Fingerprint,
    check_suite,
    frozen_fingerprint,
    suite_fingerprint,
)
from mapt_bench.synthetic.suites import (
    KINDS,
    is_suite,
    open_suite,
    suite_names,
    train_sequence,
)
from mapt_bench.synthetic.video import WorldMaps
from mapt_bench.synthetic.world_settings import FACTORS, cell_code, full_factorial, screening_design


def halves(name):
    return Counter((entry.half, entry.kind) for entry in open_suite(name).entries)


def test_names_sort_and_never_repeat():
    suites = [open_suite(name) for name in suite_names()]
    names = [video.name for suite in suites for video in suite.videos]
    assert len(set(names)) == len(names)
    for suite in suites:
        own = [video.name for video in suite.videos]
        assert own == sorted(own)
        assert all(name.startswith(f"{suite.name}-") for name in own)


def test_a_name_may_state_its_version():
    for name in suite_names():
        assert open_suite(name) == open_suite(f"{name}@2")
        assert open_suite(name).version == 2
        assert open_suite(name).name == name
        assert is_suite(name)
        assert is_suite(f"{name}@2")
    assert not any(is_suite(name) for name in ("bench@1", "bench@3", "shift@1", "bench@", "no"))


@pytest.mark.parametrize("version", ["1", "3", "", "2@2"])
def test_other_versions_are_refused_with_the_known_one(version):
    expected = rf"unknown version '{version}' of suite 'bench'; expected 'bench' or 'bench@2'"
    with pytest.raises(ConfigError, match=expected):
        open_suite(f"bench@{version}")


def test_frames_have_one_size_and_there_are_two_domains():
    for name in suite_names():
        settings = [video.settings for video in open_suite(name).videos]
        assert {(each.height, each.width) for each in settings} == {(192, 624)}
        families = {each.family for each in settings}
        assert families == ({"shifted"} if name.startswith("shift") else {"varied"})


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("train", 64),
        ("val", 32),
        ("bench", 128),
        ("quick", 24),
        ("tiny", 4),
        ("stress", 12),
        ("shift", 64),
        ("shift-val", 16),
    ],
)
def test_suites_are_as_large_as_stated(name, count):
    assert len(open_suite(name).entries) == count


@pytest.mark.parametrize("name", ["train", "bench", "quick", "shift", "shift-val"])
def test_suites_are_half_hard_and_half_crowds(name):
    counts = halves(name)
    assert len(counts) == 4
    assert len(set(counts.values())) == 1


@pytest.mark.parametrize(
    ("name", "each"), [("bench", 4), ("shift", 2), ("val", 1), ("shift-val", 1)]
)
def test_hard_splits_keep_the_factorial(name, each):
    hard = [entry for entry in open_suite(name).entries if entry.half == "hard"]
    cells = Counter(cell_code(entry.cell) for entry in hard)
    assert set(cells.values()) == {each}
    for factor in FACTORS:
        kinds = Counter((entry.kind, entry.cell[factor]) for entry in hard)
        assert len(kinds) == 4
        assert len(set(kinds.values())) == 1


# -- the training stream --------------------------------------------------------------------------


def test_the_stream_is_endless_indexable_and_begins_with_the_suite():
    listed = {entry.video.name: entry for entry in open_suite("train").entries}
    assert listed == {entry.video.name: entry for entry in map(train_sequence, range(64))}
    far = train_sequence(10**9)
    assert far == train_sequence(10**9)
    assert far != train_sequence(10**9 + 1)
    assert pickle.loads(pickle.dumps(far)) == far  # noqa: S301 - our own
    with pytest.raises(ConfigError, match="sequence -1 does not exist"):
        train_sequence(-1)


def test_no_suite_shares_a_seed_with_the_stream():
    first = train_sequence(0).video.settings.seed
    others = [name for name in suite_names() if name != "train"]
    assert all(v.settings.seed < first for name in others for v in open_suite(name).videos)


def test_the_stream_mixes_kinds_and_halves_and_holds_all_cells():
    entries = [train_sequence(index) for index in range(400)]
    assert set(Counter((entry.half, entry.kind) for entry in entries).values()) == {100}
    hard = [entry.video.settings for entry in entries if entry.half == "hard"]
    for factor in FACTORS.values():
        values = [getattr(each, factor.setting) for each in hard]
        assert min(values) <= factor.low
        assert max(values) >= factor.high


def test_no_seed_is_used_twice():
    seeds = [video.settings.seed for suite in suite_names() for video in open_suite(suite).videos]
    assert len(set(seeds)) == len(seeds)


def test_videos_are_lazy_and_known():
    video = open_suite("bench").videos[0]
    assert isinstance(video, AnnotatedVideo)
    assert isinstance(WorldMaps(video), MapSequence)
    assert WorldMaps(video).parts == (video.name,)


def test_bench_is_laid_out_as_stated():
    bench = open_suite("bench")
    assert halves("bench") == {
        ("real-like", "street"): 32,
        ("real-like", "crowd"): 32,
        ("hard", "street"): 32,
        ("hard", "crowd"): 32,
    }
    assert {entry.video.settings.frames for entry in bench.entries} <= set(range(16, 31))
    cells = Counter(
        (entry.kind, cell_code(entry.cell)) for entry in bench.entries if entry.half == "hard"
    )
    assert set(cells.values()) == {2}
    assert len(cells) == 32


def test_quick_is_balanced():
    assert halves("quick") == {
        ("real-like", "street"): 6,
        ("real-like", "crowd"): 6,
        ("hard", "street"): 6,
        ("hard", "crowd"): 6,
    }


def test_val_has_every_cell_and_kind_follows_the_factors():
    hard = [entry for entry in open_suite("val").entries if entry.half == "hard"]
    assert len({cell_code(entry.cell) for entry in hard}) == 16
    for factor in FACTORS:
        for level in ("low", "high"):
            kinds = Counter(entry.kind for entry in hard if entry.cell[factor] == level)
            assert kinds == {"street": 4, "crowd": 4}


def test_cells_set_what_they_say():
    for name in ("bench", "quick", "val", "tiny", "shift", "shift-val"):
        for entry in open_suite(name).entries:
            for factor, level in entry.cell.items():
                value = getattr(entry.video.settings, FACTORS[factor].setting)
                assert value == FACTORS[factor].value(level)
            assert bool(entry.cell) == (entry.half == "hard")


def test_training_ranges_hold_all_cells():
    hard = [entry.video.settings for entry in open_suite("train").entries if entry.half == "hard"]
    for factor in FACTORS.values():
        values = [getattr(each, factor.setting) for each in hard]
        assert min(values) <= factor.low
        assert max(values) >= factor.high


def test_full_factorial_has_each_combination_once():
    assert len({cell_code(cell) for cell in full_factorial()}) == 16


def test_screening_design_is_orthogonal():
    # Columns of -1 and 1: each sums to 0, and so does the product of any two.
    table = np.array(
        [
            [2 * KINDS.index(kind) - 1, *(1 if cell[name] == "high" else -1 for name in FACTORS)]
            for kind, cell in screening_design()
        ]
    )
    assert table.shape == (12, 5)
    assert not table.sum(axis=0).any()
    for one, other in combinations(range(5), 2):
        assert table[:, one] @ table[:, other] == 0


def test_unknown_suites_suggest_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'bench'"):
        open_suite("bnech")


# -- fingerprints ---------------------------------------------------------------------------------


def test_every_suite_is_frozen():
    for name in suite_names():
        assert len(frozen_fingerprint(open_suite(name)).recipe) == 16


@pytest.mark.parametrize("name", ["tiny", "stress", "shift-val"])
def test_suites_are_what_they_were_frozen_as(name):
    assert check_suite(name) == open_suite(name)


def test_recipes_of_all_suites_are_what_they_were_frozen_as(monkeypatch):
    monkeypatch.setattr(fingerprints, "_drawing", lambda videos: ("not drawn", (0.0,) * 4))
    for name in suite_names():
        suite = open_suite(name)
        assert suite_fingerprint(suite).recipe == frozen_fingerprint(suite).recipe


def frozen_as(monkeypatch, **changed):
    found = suite_fingerprint(open_suite("tiny"))
    values = {"recipe": found.recipe, "drawing": found.drawing, "look": found.look, **changed}
    monkeypatch.setattr(fingerprints, "_frozen", lambda: {"tiny-2": values})


def test_a_changed_list_is_told(monkeypatch):
    frozen_as(monkeypatch, recipe="0" * 16, drawing="0" * 16)
    with pytest.raises(DataError, match=r"the list of videos of suite 'tiny' .* raise the version"):
        check_suite("tiny")


def test_a_changed_look_is_told(monkeypatch):
    look = suite_fingerprint(open_suite("tiny")).look
    frozen_as(monkeypatch, look=[*look[:3], look[3] + 0.1])
    with pytest.raises(DataError, match="the images of suite 'tiny'"):
        check_suite("tiny")
    frozen_as(monkeypatch, look=[level + 0.001 for level in look])
    assert check_suite("tiny").name == "tiny"


def test_a_changed_drawing_is_told(monkeypatch):
    frozen_as(monkeypatch, drawing="0" * 16)
    with pytest.raises(DataError, match="the drawing of suite 'tiny'"):
        check_suite("tiny")


def test_a_version_that_was_never_frozen_is_told(monkeypatch):
    monkeypatch.setattr(fingerprints, "_frozen", dict)
    with pytest.raises(DataError, match=r"never frozen; run tools/make_suites\.py"):
        check_suite("tiny")


def test_fingerprints_are_written_as_one_word():
    assert str(Fingerprint("ab", "cd", (1.0, 2.0, 3.0, 4.0))) == "ab-cd"


def test_a_damaged_list_of_fingerprints_is_told(tmp_path, monkeypatch):
    (tmp_path / "suites.json").write_text("{ half")
    monkeypatch.setattr(fingerprints.resources, "files", lambda package: tmp_path)
    fingerprints._frozen.cache_clear()
    with pytest.raises(DataError, match="cannot be read") as caught:
        frozen_fingerprint(open_suite("quick"))
    assert caught.value.where == str(tmp_path / "suites.json")


def test_frames_of_the_training_stream_are_what_they_were_frozen_as():
    assert check_suite("train").entries[0] == train_sequence(3)
