import pickle
from dataclasses import replace

import cv2
import numpy as np
import pytest

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import BACKGROUND_ID, AnnotatedVideo
from mapt_bench.synthetic.flying import FlyingSettings, flying_clip
from mapt_bench.synthetic.flying import _flying_video as rendering
from mapt_bench.synthetic.flying._layer_appearance import (
    HELD_OUT_PATTERNS,
    PATTERNS,
    SHAPES,
    random_silhouette,
    random_texture,
)
from mapt_bench.synthetic.flying.clip_scene import build_scene
from mapt_bench.synthetic.flying.moving_layers import Layer, random_path, random_wave

SMALL = {"height": 64, "width": 96, "frames": 12}


def test_equal_settings_give_equal_bytes_and_others_differ():
    image = flying_clip(4, **SMALL).frame(3).image
    rendering._rendered.cache_clear()
    rendering._scene.cache_clear()
    assert np.array_equal(image, flying_clip(4, **SMALL).frame(3).image)
    for other in ({"index": 5}, {"index": 4, "seed": 1}, {"index": 4, "held_out": True}):
        assert not np.array_equal(image, flying_clip(**other, **SMALL).frame(3).image)


def test_a_clip_is_an_annotated_synthetic_video_that_pickles():
    video = pickle.loads(pickle.dumps(flying_clip(0, **SMALL)))  # noqa: S301
    assert isinstance(video, AnnotatedVideo)
    assert not video.has_semantics
    assert video.info.frame_count == 12
    image = video.frame(2).image
    assert image.shape == (64, 96, 3)
    assert image.dtype == np.uint8
    assert not image.flags.writeable
    with pytest.raises(DataError, match="there is no frame -1"):
        video.backward_flow(0)
    with pytest.raises(DataError, match="no frame 12"):
        video.frame(12)


@pytest.mark.parametrize("index", range(4))
def test_objects_agree_with_the_map(index):
    video = flying_clip(index, **SMALL)
    things = set(video.info.labels.thing_ids)
    for frame in (0, 6):
        truth = video.truth(frame)
        background = truth.classes == video.info.labels.ignore_label
        assert (truth.ids[background] == BACKGROUND_ID).all()
        assert set(np.unique(truth.classes[~background])) <= things
        objects = video.objects(frame)
        assert set(np.unique(truth.codes[~background])) <= {known.code for known in objects}
        for known in objects:
            mask = truth.codes == known.code
            assert known.visible_px == mask.sum()
            whole = np.zeros(truth.shape, bool)
            height, width = known.amodal.shape
            whole[known.top : known.top + height, known.left : known.left + width] = known.amodal
            assert not (mask & ~whole).any()


def _clean(index: int):
    """Return the scene of a clip without light, noise, blur and compression."""
    settings = FlyingSettings(index=index, **SMALL)
    scene = build_scene(settings)
    sensor = replace(
        scene.sensor,
        gain=np.ones_like(scene.sensor.gain),
        gamma=1.0,
        noise=0.0,
        defocus=np.zeros_like(scene.sensor.defocus),
        shutter=0.0,
        quality=None,
    )
    light = replace(scene.light, steady=scene.light.steady * 0, spots=scene.light.spots[:, :0])
    layers = tuple(
        replace(layer, texture=cv2.GaussianBlur(layer.texture, (0, 0), 2)) for layer in scene.layers
    )
    return settings, replace(scene, sensor=sensor, light=light, layers=layers)


@pytest.mark.parametrize("index", range(6))
@pytest.mark.parametrize("gap", [1, 3, 10])
def test_the_flow_leads_to_the_same_point_of_the_same_object(index, gap, monkeypatch):
    settings, scene = _clean(index)
    monkeypatch.setattr(rendering, "_scene", lambda _: scene)
    for cached in (rendering._rendered, rendering._codes):
        cached.cache_clear()
    video = rendering.FlyingVideo(settings)
    now, earlier = 11, 11 - gap
    field = video.flow_between(now, earlier)
    y, x = np.mgrid[:64, :96].astype(np.float32)
    ends = x + field.flow[..., 0], y + field.flow[..., 1]
    codes = video.truth(earlier).codes
    rows, columns = (np.rint(end[field.valid]).astype(int) for end in ends[::-1])
    assert (codes[rows, columns] == video.truth(now).codes[field.valid]).all()
    read = cv2.remap(video.frame(earlier).image, *ends, cv2.INTER_LINEAR)
    owners = rendering._rendered(settings, earlier)[1]
    borders = cv2.dilate(cv2.morphologyEx(owners, cv2.MORPH_GRADIENT, np.ones((3, 3))), None)
    inner = field.valid & (cv2.remap(borders, *ends, cv2.INTER_NEAREST) == 0)
    own = rendering._rendered(settings, now)[1]
    inner &= cv2.dilate(cv2.morphologyEx(own, cv2.MORPH_GRADIENT, np.ones((3, 3))), None) == 0
    wrong = np.abs(read.astype(float) - video.frame(now).image)[inner]
    for cached in (rendering._rendered, rendering._codes):
        cached.cache_clear()
    assert inner.any()
    assert wrong.mean() < 4
    assert np.quantile(wrong, 0.95) < 25


def test_the_way_to_the_image_inverts_the_way_to_the_texture():
    dice = np.random.default_rng(3)
    for _ in range(5):
        path = random_path(dice, 12, half_size=40, liveliness=1)
        path[:, :2, 2] += dice.uniform(20, 40, 2)
        layer = Layer(
            np.zeros((80, 80, 3), np.uint8),
            None,
            path,
            random_wave(dice, half_size=40, liveliness=1),
        )
        x, y = layer.sources(7, (5, 3, 20, 30))
        back_x, back_y = layer.places(7, x, y)
        assert np.abs(back_x - np.arange(3, 33)).max() < 0.01
        assert np.abs(back_y - np.arange(5, 25)[:, None]).max() < 0.01


def test_identities_stay_and_objects_leave_and_return():
    returns = 0
    for index in range(12):
        video = flying_clip(index, **SMALL)
        classes: dict[int, int] = {}
        seen: dict[int, list[int]] = {}
        for frame in range(12):
            for known in video.objects(frame):
                assert (
                    classes.setdefault(known.code & 0xFFFFFF, known.code >> 24) == known.code >> 24
                )
                if known.visible_px:
                    seen.setdefault(known.code, []).append(frame)
        returns += sum(max(np.diff(frames), default=1) > 1 for frames in seen.values())
    assert returns > 3


def test_displacements_and_sizes_are_of_all_kinds():
    speeds, sizes = [], []
    for index in range(12):
        video = flying_clip(index, frames=3)
        for known in video.objects(1):
            speeds.append(known.speed)
            sizes.append(known.amodal_px)
    assert np.quantile(speeds, 0.1) < 2
    assert np.quantile(speeds, 0.9) > 8
    assert min(sizes) < 60
    assert max(sizes) > 0.1 * 192 * 624


@pytest.mark.parametrize("name", [*PATTERNS, *HELD_OUT_PATTERNS])
def test_every_pattern_makes_a_texture_of_its_own(name):
    first, second = (
        random_texture(np.random.default_rng(seed), (40, 60), [name]) for seed in (0, 1)
    )
    assert first.shape == (40, 60, 3)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("size", [(3, 3), (40, 7), (30, 60)])
def test_every_shape_covers_something(name, size):
    for seed in range(4):
        alpha = random_silhouette(np.random.default_rng(seed), size, name)
        assert alpha.shape == size
        assert alpha.max() > 0


def test_impossible_settings_are_refused():
    with pytest.raises(ConfigError, match="frames of a flying clip is 1; expected 2 or more"):
        flying_clip(0, frames=1)
    with pytest.raises(ConfigError, match="index"):
        flying_clip(-1)
