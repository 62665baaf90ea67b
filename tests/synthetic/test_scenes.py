"""Scenes of the world: who goes where, who is alike, who vanishes and for how long."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapt_bench.errors import ConfigError
from mapt_bench.labels import label_space
from mapt_bench.synthetic.paths import Clock, Route, drive, pace, travelled, walk
from mapt_bench.synthetic.planned_occlusions import Candidates, find_encounter, is_close
from mapt_bench.synthetic.scene import CameraTrack, View
from mapt_bench.synthetic.shifted_style import shifted_style
from mapt_bench.synthetic.street_layout import sample_layout
from mapt_bench.synthetic.style_sampling import sampled_style
from mapt_bench.synthetic.video import WorldVideo, build_scene
from mapt_bench.synthetic.world_settings import WorldSettings, even_choice, even_share

CROWD_CLASSES = {entry.name for entry in label_space("motchallenge-step").classes}
CLASSES = {entry.name for entry in label_space("kitti-step").classes}
SMALL = {"height": 128, "width": 416}


def camera_at_origin(frames):
    zeros = np.zeros(frames)
    return CameraTrack(np.zeros((frames, 2)), 1.6, zeros, zeros, 2.0)


def view_at_origin(frames):
    return View(camera_at_origin(frames), 1.0)


def gaps_of(video):
    """Frames between two sightings, one value for each time that a thing was away."""
    last, gaps = {}, []
    things = video.info.labels.is_thing_table
    for index in range(video.info.frame_count):
        codes = np.unique(video.truth(index).codes)
        for code in codes[things[codes >> 24] & (codes & 0xFFFFFF > 0)].tolist():
            if code in last and index - last[code] > 1:
                gaps.append(index - last[code] - 1)
            last[code] = index
    return gaps


# -- paths ----------------------------------------------------------------------------------------


def test_route_is_followed_beside_and_beyond_its_ends():
    east = Route(np.array([[0.0, 0.0], [10.0, 0.0]]))  # runs along x: its right is -z
    assert east.place(np.array([4.0]), 1.0) == pytest.approx(np.array([[4.0, -1.0]]))
    assert east.place(np.array([12.0])) == pytest.approx(np.array([[12.0, 0.0]]))
    assert east.heading(np.array([4.0])) == pytest.approx([np.pi / 2])


def test_what_comes_back_along_a_route_faces_where_it_goes():
    north = Route(np.array([[0.0, 0.0], [0.0, 50.0]]))
    path = drive(north, np.array([30.0, 28.0]), -2.0, back=True)
    step = path.position[1] - path.position[0]
    facing = np.array([np.sin(path.heading[0]), np.cos(path.heading[0])])
    assert step @ facing == pytest.approx(2.0)
    assert path.distance.tolist() == [0.0, 2.0]


@pytest.mark.parametrize("style_of", [sampled_style, shifted_style])
def test_paces_are_never_constant_and_never_negative(style_of):
    clock = Clock(30, 0.1)
    for seed in range(20):
        speeds = pace(np.random.default_rng(seed), clock, 1.5, style_of(seed).paces)
        assert speeds.min() >= 0
        assert np.ptp(speeds) > 0.05
        assert 0.5 < speeds.mean() / 1.5 < 1.6


def test_who_stops_goes_on():
    speeds = pace(np.random.default_rng(3), Clock(60, 0.1), 1.5, sampled_style(0).paces, stop=1.0)
    still = speeds < 0.01
    assert still.any()
    assert not still[0] or not still[-1]


def test_travelled_is_the_area_below_the_speeds():
    assert travelled(np.array([0.0, 2.0, 2.0]), Clock(3, 0.5)).tolist() == [0.0, 0.5, 1.5]


def test_a_walk_covers_what_its_speeds_say():
    clock = Clock(20, 0.1)
    path = walk(np.random.default_rng(0), clock, np.full(20, 1.2), 0.3, turn=1.0)
    steps = np.hypot(*np.diff(path.position, axis=0).T)
    assert steps == pytest.approx(np.full(19, 0.12), rel=0.05)
    assert np.ptp(path.heading) > 0.5


def test_speed_stretches_the_time_between_frames():
    clock = Clock.of(WorldSettings(kind="crowd", seed=0, frames=11, speed=2.0))
    assert clock.span == pytest.approx(2.0)


@pytest.mark.parametrize("side", [-1, 1])
def test_the_way_round_a_corner_leads_into_the_crossing_road(side):
    layout = sample_layout(np.random.default_rng(4), junction=20.0, bends=False)
    way = layout.corner(side, 8.0)
    ahead, after = way.heading(np.array([5.0, way.length + 30.0]))
    assert after - ahead == pytest.approx(side * np.pi / 2, abs=1e-6)
    end = way.place(np.array(way.length + 20.0))
    assert abs(end[1] - layout.junction) < layout.cross.half_road


# -- hiding ---------------------------------------------------------------------------------------


def crossing(ahead, speed, starts, frames=20):
    """Ways across the view at a distance, one for each start, moving to the right."""
    x = np.asarray(starts, dtype=float)[:, None] + speed * np.arange(frames)
    position = np.stack([x, np.full_like(x, ahead)], axis=2)
    return Candidates(position, np.full(x.shape, np.pi / 2), (0.01, 0.01))


def screen(ahead, half, frames=20):
    """Something flat and wide that stands before the camera."""
    position = np.broadcast_to([0.0, ahead], (1, frames, 2))
    return Candidates(position, np.zeros((1, frames)), (half, 0.01))


def find(gap, *, targets, occluders):
    return find_encounter(
        np.random.default_rng(0),
        view_at_origin(20),
        targets,
        occluders,
        gap=gap,
        farthest=30.0,
    )


def test_a_thing_behind_a_screen_is_hidden_as_long_as_the_screen_is_wide():
    # At twice the distance a screen of 2 m hides 4 m: 8 frames at half a metre a frame.
    found = find(8, targets=crossing(10.0, 0.5, [-4.9]), occluders=screen(5.0, 1.0))
    assert found is not None
    assert found.frames in (7, 8)


def test_who_stays_behind_the_screen_does_not_come_back():
    assert find(8, targets=crossing(10.0, 0.1, [-3.0]), occluders=screen(5.0, 1.0)) is None


def test_nearer_things_are_not_hidden():
    assert find(8, targets=crossing(4.0, 0.5, [-4.9]), occluders=screen(5.0, 1.0)) is None


def test_of_many_starts_one_is_chosen_that_is_seen_before_and_after():
    starts = np.arange(-12.0, 4.0, 0.5)
    found = find(8, targets=crossing(10.0, 0.5, starts), occluders=screen(5.0, 1.0))
    assert found is not None
    assert -6.0 < starts[found.target] < -2.4  # not hidden at first or at last


@pytest.mark.parametrize(("frames", "gap", "close"), [(4, 3, True), (5, 3, False), (10, 8, True)])
def test_gaps_are_close_within_a_quarter(frames, gap, close):
    assert is_close(frames, gap) is close


# -- choices that are even over seeds -------------------------------------------------------------


def test_a_short_list_of_seeds_has_every_choice_by_its_weight():
    weights = {"a": 0.5, "b": 0.3, "c": 0.2}
    for first in (0, 777, 3_000_000):
        chosen = [even_choice(seed, weights)[0] for seed in range(first, first + 40)]
        for name, weight in weights.items():
            assert chosen.count(name) == pytest.approx(40 * weight, abs=2)


def test_what_is_left_of_a_choice_is_spread_evenly():
    left = [even_choice(seed, {"a": 0.5, "b": 0.5}) for seed in range(100)]
    for name in ("a", "b"):
        shares = sorted(share for choice, share in left if choice == name)
        assert max(np.diff([0.0, *shares, 1.0])) < 0.06


@given(st.integers(0, 2**63 - 1), st.integers(0, 1))
def test_even_shares_lie_in_range(seed, dimension):
    assert 0 <= even_share(seed, dimension) < 1


# -- scenes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["street", "crowd"])
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), gap=st.integers(0, 6))
def test_every_scene_is_sound(kind, seed, gap):
    labels = "kitti-step" if kind == "street" else "motchallenge-step"
    scene = build_scene(WorldSettings(kind=kind, seed=seed, frames=10, gap=gap, labels=labels))
    frames = scene.camera.frame_count
    assert frames == 10
    tracked = [actor.track_id for actor in scene.actors if actor.track_id]
    assert sorted(tracked) == list(range(1, len(tracked) + 1))
    known = CLASSES if kind == "street" else CROWD_CLASSES
    for actor in (*scene.actors, *scene.surroundings):
        assert actor.class_name in known
        assert actor.track_id == 0 or actor.class_name in {"person", "car"}
        assert len(actor.position) in (1, frames)
        assert np.isfinite(actor.position).all()
        assert np.isfinite(actor.heading).all()
        panels = {panel.class_name for panel in actor.body.panels} - {None}
        assert panels <= CLASSES
    assert {patch.class_name for patch in scene.ground} <= known
    assert scene.ground[0].corners is None


@pytest.mark.parametrize("kind", ["street", "crowd"])
def test_equal_settings_give_equal_scenes(kind):
    chosen = WorldSettings(kind=kind, seed=11, frames=12, gap=4)
    first, second = build_scene(chosen), build_scene(chosen)
    assert len(first.actors) == len(second.actors)
    for one, other in zip(first.actors, second.actors, strict=True):
        assert one.position.tobytes() == other.position.tobytes()
        assert one.body.joints.tobytes() == other.body.joints.tobytes()
    other = build_scene(replace(chosen, seed=12))
    assert first.camera.focal != other.camera.focal


@pytest.mark.parametrize("kind", ["street", "crowd"])
def test_all_alike_means_every_thing_has_a_twin(kind):
    scene = build_scene(WorldSettings(kind=kind, seed=5, frames=8, similarity=1.0, objects=9))
    groups = {}
    for actor in scene.actors:
        if actor.track_id:
            groups.setdefault((actor.class_name, actor.look_alike), []).append(actor)
    alike = {key: members for key, members in groups.items() if key[1]}
    alone = [len(members) for key, members in groups.items() if not key[1]]
    assert alike
    assert sum(alone) <= 2  # the only one of its class has no twin
    for members in alike.values():
        assert 2 <= len(members) <= 6
        paints = [
            tuple(part.paint for part in (*actor.body.panels, *actor.body.limbs))
            for actor in members
        ]
        assert len(set(paints)) == 1


def test_no_similarity_means_no_groups():
    scene = build_scene(WorldSettings(kind="crowd", seed=5, frames=8, similarity=0.0))
    assert {actor.look_alike for actor in scene.actors} == {0}


def test_crowds_stand_closer_when_spacing_is_small():
    def nearest(spacing):
        scene = build_scene(
            WorldSettings(kind="crowd", seed=8, frames=6, spacing=spacing, objects=16)
        )
        places = np.array([actor.position[3] for actor in scene.actors if actor.track_id])
        apart = np.hypot(*(places[:, None] - places).transpose(2, 0, 1))
        np.fill_diagonal(apart, np.inf)
        return float(np.median(apart.min(axis=1)))

    assert nearest(0.3) < 0.7 * nearest(2.0)


@pytest.mark.parametrize("kind", ["street", "crowd"])
def test_as_many_objects_as_asked_for(kind):
    scene = build_scene(WorldSettings(kind=kind, seed=2, frames=6, objects=7))
    assert sum(actor.track_id > 0 for actor in scene.actors) == 7


def test_more_objects_than_fit_are_refused_with_the_limit_named():
    crowded = WorldSettings(kind="street", seed=2, frames=6, objects=60)
    with pytest.raises(ConfigError, match=r"60 objects do not fit .* expected at most \d+"):
        build_scene(crowded)


@pytest.mark.parametrize("gap", [3, 8])
def test_things_vanish_for_about_the_frames_asked_for(gap):
    gaps = []
    for seed in range(4):
        chosen = WorldSettings(kind="crowd", seed=seed, frames=24, gap=gap, speed=1.5, **SMALL)
        gaps += gaps_of(WorldVideo(chosen, str(seed)))
    long = [found for found in gaps if found > 1]
    assert len(long) >= 8
    assert gap - 1 <= np.median(long) <= gap + 3


def test_streets_hide_things_behind_trucks():
    away = 0
    for seed in range(6):
        chosen = WorldSettings(kind="street", seed=seed, frames=24, gap=6, **SMALL)
        scene = build_scene(chosen)
        trucks = [actor for actor in scene.actors if actor.class_name == "truck"]
        gaps = [gap for gap in gaps_of(WorldVideo(chosen, str(seed))) if gap >= 4]
        away += len(gaps)
        assert trucks or not gaps
    assert away >= 3


def test_a_crowd_can_be_had_in_either_label_space():
    chosen = WorldSettings(kind="crowd", seed=4, frames=6, **SMALL)
    kitti, mot = build_scene(chosen), build_scene(replace(chosen, labels="motchallenge-step"))
    assert {actor.class_name for actor in mot.actors} <= CROWD_CLASSES
    # Lamps and signs have no class in MOTChallenge-STEP. The people are the same.
    assert {actor.class_name for actor in kitti.actors} - CROWD_CLASSES == {"pole"}
    for one, other in zip(tracked_actors(kitti), tracked_actors(mot), strict=True):
        assert (one.class_name, one.track_id) == (other.class_name, other.track_id)
        assert np.array_equal(one.position, other.position)


def tracked_actors(scene):
    return [actor for actor in scene.actors if actor.track_id]


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "crowed"}, "did you mean 'crowd'"),
        ({"kind": "street", "labels": "motchallenge-step"}, "of a street"),
        ({"family": "shift"}, "did you mean 'shifted'"),
        ({"frames": 0}, "frames 0 is out of range; expected 1 to"),
        ({"speed": 0.0}, "speed 0.0 is out of range"),
        ({"spacing": float("nan")}, "spacing nan is out of range"),
        ({"similarity": 1.5}, "expected 0.0 to 1.0"),
        ({"wash": -0.1}, "wash -0.1 is out of range"),
        ({"seed": -1}, "seed -1 is out of range"),
        ({"objects": 61}, "expected 0 to 60"),
        ({"gap": 17}, "expected at most 16"),
        ({"width": 100}, "expected 160x96 or more"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        WorldSettings(**{"kind": "crowd", "seed": 0, "frames": 20, **wrong})


def test_one_frame_is_enough():
    for kind in ("street", "crowd"):
        assert build_scene(WorldSettings(kind=kind, seed=3, frames=1)).camera.frame_count == 1
