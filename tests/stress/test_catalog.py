import pickle
from pathlib import Path

import numpy as np
import pytest
from helpers.modules import ROOT
from helpers.stress import EVERY, EVERYWHERE, RECORDED, known, plain

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import AnnotatedVideo, Video
from mapt_bench.stress import (
    Stress,
    occluder_label,
    stress_entries,
    stress_entry,
    stress_video,
    visible_fractions,
)
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.synthetic.world_settings import WorldSettings

PAGE = ROOT / "docs" / "stress.md"
STREET = WorldVideo(
    WorldSettings(kind="street", seed=4, speed=1.5, height=128, width=416), "street"
)


def again(thing):
    """What arrives in another process."""
    return pickle.loads(pickle.dumps(thing))  # noqa: S301 - our own


@pytest.mark.parametrize("entry", EVERY, ids=lambda entry: entry.name)
def test_levels_are_five_and_grow_or_fall(entry):
    steps = np.diff(entry.levels)
    assert len(steps) == 4
    assert (steps > 0).all() or (steps < 0).all()
    assert stress_entry(entry.name) is entry
    assert entry in stress_entries(entry.kind)


def test_the_page_says_every_level():
    page = PAGE.read_text(encoding="utf-8")
    table = page.partition("## The stressors")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("|")]
    levels = {row[2].strip(" `"): row[3] for row in rows}
    for entry in EVERY:
        assert ", ".join(f"{value:g}" for value in entry.levels) in levels[entry.name]
        picture = Path("pictures") / f"stress_{entry.name}.png"
        assert f"({picture})" in page
        assert (PAGE.parent / picture).is_file()


def test_stressors_by_kind():
    names = {kind: [entry.name for entry in stress_entries(kind)] for kind in ("motion", "image")}
    assert names["motion"] == ["drop", "speed", "shake", "blur"]
    assert names["image"] == ["noise", "exposure", "fog", "rain", "jpeg"]


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'pasted'"):
        stress_entry("paste")
    with pytest.raises(ConfigError, match="did you mean 'occlusion'"):
        stress_entries("oclusion")


@pytest.mark.parametrize("level", [-1, 0, 6])
def test_levels_beyond_the_limit_are_refused(level):
    with pytest.raises(ConfigError, match=rf"level {level} of 'passing'; expected 1 to 5 .*frames"):
        Stress("passing", level)


def test_negative_seeds_are_refused():
    with pytest.raises(ConfigError, match="seed -1"):
        Stress("bars", 1, -1)


def test_a_stress_is_a_key():
    assert {Stress("bars", 1): 1}[Stress("bars", 1, 0)] == 1
    assert again(Stress("bars", 2, 3)) == Stress("bars", 2, 3)


@pytest.mark.parametrize(
    ("name", "level", "label"),
    [
        ("passing", 1, "1 frame"),
        ("passing", 2, "3 frames"),
        ("exposure", 2, "1 stop"),
        ("drop", 2, "3 frames apart"),
        ("jpeg", 1, "JPEG quality 50"),
        ("speed", 1, "1.5 times the speed"),
    ],
)
def test_levels_in_words(name, level, label):
    assert Stress(name, level).label == label


def test_no_stress_is_the_video_itself():
    video = plain()
    assert stress_video(video, None) is video
    assert occluder_label(video) is None
    assert visible_fractions(video, 0) is None


@pytest.mark.parametrize("name", EVERYWHERE)
def test_every_stressor_leaves_a_video(name):
    stressed = stress_video(RECORDED, Stress(name, 3))
    assert isinstance(stressed, Video)
    copy = again(stressed)
    for index in (0, stressed.info.frame_count - 1):
        assert stressed.frame(index).name == stressed.info.frame_names[index]
        assert stressed.frame(index).image.dtype == np.uint8
        assert stressed.frame(index).image.shape == RECORDED.frame(index).image.shape
        assert np.array_equal(stressed.frame(index).image, copy.frame(index).image)
        assert np.array_equal(stressed.truth(index).codes, copy.truth(index).codes)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_known_video_stays_known(name):
    stressed = stress_video(known(12), Stress(name, 2))
    assert isinstance(stressed, AnnotatedVideo)
    assert isinstance(again(stressed), AnnotatedVideo)
    for index in range(stressed.info.frame_count):
        codes = stressed.truth(index).codes
        for entry in stressed.objects(index):
            assert entry.visible_px == np.count_nonzero(codes == entry.code) <= entry.amodal_px
        depths = [entry.depth for entry in stressed.objects(index)]
        assert depths == sorted(depths)


@pytest.mark.parametrize("name", EVERYWHERE)
@pytest.mark.parametrize("level", [1, 5])
def test_levels_differ(name, level):
    video = plain(24)
    mild, other = (stress_video(video, Stress(name, at)) for at in (level, 3))
    assert mild.info != other.info or any(
        not np.array_equal(mild.frame(index).image, other.frame(index).image)
        for index in range(mild.info.frame_count)
    )


@pytest.mark.parametrize("name", [entry.name for entry in EVERY if entry.world_only])
def test_the_world_is_drawn_anew(name):
    changed = [stress_video(STREET, Stress(name, level)) for level in (2, 5)]
    assert {video.name for video in changed} == {"street"}
    settings = [video.settings for video in changed]
    assert {entry.seed for entry in settings} == {4}
    got = {
        "speed": [entry.speed for entry in settings],
        "look-alikes": [entry.similarity for entry in settings],
        "washed-palette": [entry.wash for entry in settings],
    }
    expected = {"speed": [3, 9], "look-alikes": [0.58, 1], "washed-palette": [0.4, 1]}
    assert got[name] == pytest.approx(expected[name])


@pytest.mark.parametrize("similarity", [0.0, 0.3, 0.9])
def test_every_level_of_look_alikes_is_more_than_none(similarity):
    plain_video = WorldVideo(WorldSettings(kind="street", seed=4, similarity=similarity), "street")
    levels = [None, *(Stress("look-alikes", level) for level in range(1, 6))]
    found = [stress_video(plain_video, stress).settings.similarity for stress in levels]
    assert (np.diff(found) > 0).all()
    assert found[-1] == 1


def test_a_speed_that_cannot_be_drawn_is_told_with_level_and_video():
    fast = WorldVideo(WorldSettings(kind="street", seed=4, speed=2.5), "fast")
    with pytest.raises(ConfigError, match=r"level 5 of 'speed' \(6 times .* 15.0 is out") as caught:
        stress_video(fast, Stress("speed", 5))
    assert caught.value.where == "fast"


@pytest.mark.parametrize(
    ("name", "instead"), [("speed", "'drop' and 'shake'"), ("look-alikes", "'washed' works")]
)
def test_the_world_is_needed(name, instead):
    with pytest.raises(ConfigError, match=f"needs synthetic video.*{instead}") as caught:
        stress_video(plain(), Stress(name, 1))
    assert caught.value.where == "drawn"


@pytest.mark.parametrize("name", [entry.name for entry in EVERY if entry.needs_images])
def test_images_are_needed(name):
    with pytest.raises(DataError, match="changes images, and this video has none"):
        stress_video(plain(with_images=False), Stress(name, 1))


@pytest.mark.parametrize("name", ["bars", "passing", "pasted", "washed"])
def test_truth_is_needed(name):
    with pytest.raises(DataError, match="follows the labelled things"):
        stress_video(plain(with_truth=False), Stress(name, 1))


@pytest.mark.parametrize("name", ["poles", "shake", "blur", "noise", "fog", "rain", "drop"])
def test_truth_is_not_needed(name):
    stressed = stress_video(plain(with_truth=False), Stress(name, 1))
    assert not stressed.has_truth
    assert stressed.frame(1).image.shape == (48, 96, 3)
