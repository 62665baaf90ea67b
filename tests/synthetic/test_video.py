import multiprocessing
import pickle

import numpy as np
import pytest

from mapt_bench.errors import DataError
from mapt_bench.labels import ID_BITS, AnnotatedVideo, label_space
from mapt_bench.synthetic import video as drawing
from mapt_bench.synthetic.style_sampling import style_of
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.synthetic.world_settings import WorldSettings

VOID = 255 << ID_BITS
SEEDS = [
    *(("street", seed, "varied") for seed in range(5)),
    *(("crowd", seed, "varied") for seed in range(3)),
    *((kind, seed, "shifted") for kind in ("street", "crowd") for seed in range(2)),
]
SCENES = [(kind, seed) for kind in ("street", "crowd") for seed in range(5)]
FEW = 6


def world(kind, seed, *, height=128, width=416, **settings):
    size = {"height": height, "width": width}
    return WorldVideo(
        WorldSettings(kind=kind, seed=seed, frames=FEW, **size, **settings), f"{seed:04d}"
    )


def sampled(codes, flow):
    """Codes of the other frame where the flow points to, and whether that is inside."""
    height, width = codes.shape
    rows = np.rint(np.arange(height)[:, None] + flow[..., 1]).astype(int)
    columns = np.rint(np.arange(width) + flow[..., 0]).astype(int)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return codes[rows.clip(0, height - 1), columns.clip(0, width - 1)], inside


def everything(video):
    parts = []
    for index in range(video.info.frame_count):
        parts += [video.frame(index).image.tobytes(), video.truth(index).codes.tobytes()]
        parts += [entry.amodal.tobytes() for entry in video.objects(index)]
    return b"".join(parts)


def _draw_elsewhere(video):
    return everything(video)


@pytest.mark.parametrize(("kind", "seed", "family"), SEEDS)
def test_flow_agrees_with_the_maps(kind, seed, family):
    video = world(kind, seed, family=family)
    agreeing = valid = 0
    for index in range(1, FEW):
        for field, here, there in (
            (video.backward_flow(index), index, index - 1),
            (video.forward_flow(index - 1), index - 1, index),
        ):
            expected, inside = sampled(video.truth(there).codes, field.flow)
            assert inside[field.valid].all()
            same = expected == video.truth(here).codes
            agreeing += int((same & field.valid).sum())
            valid += int(field.valid.sum())
            assert field.valid.mean() > 0.3
    assert agreeing > 0.99 * valid


@pytest.mark.parametrize(("kind", "seed", "family"), SEEDS)
def test_forward_and_backward_flow_undo_each_other(kind, seed, family):
    video = world(kind, seed, family=family)
    forward, backward = video.forward_flow(2), video.backward_flow(3)
    height, width = forward.valid.shape
    rows = np.rint(np.arange(height)[:, None] + forward.flow[..., 1]).astype(int)
    columns = np.rint(np.arange(width) + forward.flow[..., 0]).astype(int)
    there = (rows.clip(0, height - 1), columns.clip(0, width - 1))
    both = forward.valid & backward.valid[there]
    back = forward.flow[both] + backward.flow[there][both]
    # Whole pixels are compared, so what is left is the change of the flow over half a pixel.
    assert np.median(np.abs(back)) < 0.1
    assert np.quantile(np.abs(back), 0.95) < 1.5


@pytest.mark.parametrize(("kind", "seed", "family"), SEEDS)
def test_images_agree_with_the_flow(kind, seed, family):
    video = world(kind, seed, family=family)
    now, before = (video.frame(index).image.astype(float).mean(axis=2) for index in (3, 2))
    field = video.backward_flow(3)
    moved, _ = sampled(before, field.flow)
    still = np.abs(now - before)[field.valid].mean()
    assert np.abs(now - moved)[field.valid].mean() < max(0.9 * still, 8)


@pytest.mark.parametrize(("kind", "seed", "family"), SEEDS)
def test_whole_shapes_contain_what_is_seen(kind, seed, family):
    video = world(kind, seed, family=family)
    for index in range(FEW):
        codes = video.truth(index).codes
        tracked = {code for code in np.unique(codes).tolist() if code & ((1 << ID_BITS) - 1)}
        objects = video.objects(index)
        assert tracked <= {entry.code for entry in objects}
        assert [entry.depth for entry in objects] == sorted(entry.depth for entry in objects)
        for entry in objects:
            seen = codes == entry.code
            height, width = entry.amodal.shape
            window = (slice(entry.top, entry.top + height), slice(entry.left, entry.left + width))
            assert seen[window].sum() == seen.sum() == entry.visible_px
            assert not (seen[window] & ~entry.amodal).any()
            assert entry.visible_fraction == entry.visible_px / entry.amodal.sum()
            # Unknown in the first frame, and of things that reach beside or behind the camera.
            assert entry.speed >= 0 or index == 0 or entry.depth < 5
            assert np.isnan(entry.speed) or index > 0


@pytest.mark.parametrize("family", ["varied", "shifted"])
@pytest.mark.parametrize("kind", ["street", "crowd"])
def test_one_seed_gives_the_same_bytes_in_any_process(kind, family):
    video = world(kind, 11, family=family)
    here = everything(video)
    for cache in (
        style_of,
        drawing._prepared,
        drawing._surfaces,
        drawing._codes,
        drawing._objects,
        drawing._image,
        drawing._motion,
    ):
        cache.cache_clear()
    assert everything(pickle.loads(pickle.dumps(video))) == here  # noqa: S301 - our own
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_draw_elsewhere, (video,)) == here


def test_another_seed_gives_another_video():
    assert everything(world("street", 1)) != everything(world("street", 2))


@pytest.mark.parametrize("family", ["varied", "shifted"])
@pytest.mark.parametrize("labels", ["kitti-step", "motchallenge-step"])
def test_a_crowd_in_either_label_space(labels, family):
    video = world("crowd", 2, labels=labels, family=family)
    space = label_space(labels)
    names = set()
    for index in range(FEW):
        classes = np.unique(video.truth(index).classes).tolist()
        names |= {space.by_id(number).name for number in classes if number != space.ignore_label}
    assert "person" in names


def test_void_and_crowd_regions_are_there():
    kinds = {"void": 0, "crowd": 0}
    for seed in range(8):
        video = world("street", seed)
        codes = video.truth(0).codes
        kinds["void"] += int((codes == VOID).any())
        kinds["crowd"] += int(np.isin(codes, (11 << ID_BITS, 13 << ID_BITS)).any())
    assert kinds["void"] >= 6
    assert kinds["crowd"] >= 2


@pytest.mark.parametrize("family", ["varied", "shifted"])
def test_a_larger_video_shows_the_same_scene(family):
    small, large = (
        world("street", 5, family=family, height=height, width=width)
        for height, width in ((128, 416), (192, 624))
    )
    assert large.frame(0).image.shape == (192, 624, 3)
    ours = small.truth(2).codes[::2, ::2]
    theirs = large.truth(2).codes[::3, ::3]
    assert (ours == theirs).mean() > 0.85


def test_it_is_a_known_video_with_limits():
    video = world("crowd", 1)
    assert isinstance(video, AnnotatedVideo)
    with pytest.raises(DataError, match="none before it"):
        video.backward_flow(0)
    with pytest.raises(DataError, match="none after it"):
        video.forward_flow(FEW - 1)


@pytest.mark.parametrize("family", ["varied", "shifted"])
def test_images_are_neither_dark_nor_saturated(family):
    images = np.stack([world(kind, seed, family=family).frame(1).image for kind, seed in SCENES])
    levels = images.mean(axis=(1, 2, 3))
    assert levels.min() > 45
    assert levels.max() < 215
    assert (images == 255).mean() < 0.02
    assert (images < 5).mean() < 0.02


def test_sampled_videos_are_no_clones():
    images = [world("street", seed, family="varied").frame(0).image for seed in range(12)]
    colors = np.array([image[-20:].reshape(-1, 3).mean(axis=0) for image in images])
    apart = np.abs(colors[:, None] - colors).max(axis=2)[np.triu_indices(12, 1)]
    assert (apart > 5).mean() > 0.9
