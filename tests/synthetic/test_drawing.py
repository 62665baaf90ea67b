from dataclasses import replace

import numpy as np
import pytest

from mapt_bench.errors import ConfigError
from mapt_bench.labels import label_space
from mapt_bench.synthetic._ground_truth import (
    annotated_objects,
    code_faces,
    exact_flow,
    face_motion,
    frame_codes,
)
from mapt_bench.synthetic.scene import CameraTrack, Ground, Light, Scene, Sky
from mapt_bench.synthetic.shapes import Actor, Body, Limb, Paint, Panel
from mapt_bench.synthetic.stage import set_stage
from mapt_bench.synthetic.surfaces import draw_surfaces

HEIGHT, WIDTH = 100, 200
FOCAL = 2.0  # 200 pixels
CAR, VOID = 13 << 24, 255 << 24
GRAY = Paint((90, 90, 90), (120, 120, 120))


def board(half=1.0, z=0.0, **options):
    """A square board of 2 half x 2 half metres whose front looks back at the camera."""
    corners = [[-half, 0, z], [half, 0, z], [half, 2 * half, z], [-half, 2 * half, z]]
    return Panel(np.array(corners), GRAY, **options)


def actor(track_id, x, z, *, body=None, name="car", heading=0.0):
    places = np.array([x, z], dtype=float).reshape(2, -1).T
    body = Body(panels=(board(),)) if body is None else body
    return Actor(name, track_id, body, places, np.array([heading]))


def stage_of(*actors, frames=2, speed=0.0, turn=0.0, ground=("road",)):
    steps = np.arange(frames)
    camera = CameraTrack(
        position=np.stack([0 * steps, speed * steps], axis=1).astype(float),
        elevation=1.0,
        heading=turn * steps,
        pitch=np.zeros(frames),
        focal=FOCAL,
    )
    scene = Scene(
        camera=camera,
        ground=tuple(Ground(name, None, GRAY) for name in ground),
        sky=Sky((10, 20, 200), (200, 220, 255)),
        surroundings=(),
        actors=actors,
        light=Light(exposure=np.ones(frames)),
    )
    return set_stage(scene, HEIGHT, WIDTH)


def codes_of(stage, time, labels="kitti-step", seed=1):
    faces = code_faces(stage, label_space(labels), seed)
    surfaces = draw_surfaces(stage, time)
    return frame_codes(surfaces, faces), surfaces, faces


def test_a_board_fills_the_pixels_it_should():
    # 2 x 2 m at 10 m and a focal length of 200 px: 40 x 40 px around column 99.5 and row 49.5,
    # its foot 1 m below the camera.
    codes, surfaces, _ = codes_of(stage_of(actor(1, 0, 10)), 0, seed=3)
    rows, columns = np.nonzero(codes == CAR | 1)
    assert (columns.min(), columns.max()) == (80, 120) or (columns.min(), columns.max()) == (
        79,
        120,
    )
    assert abs(rows.min() - 29.5) <= 1
    assert abs(rows.max() - 69.5) <= 1
    assert surfaces.distance[50, 100] == pytest.approx(10, rel=1e-5)
    assert np.isinf(surfaces.distance[0, 0])


def test_the_ground_is_as_far_as_its_row_says():
    _, surfaces, _ = codes_of(stage_of(), 0)
    # A row r below the horizon looks down by (r - 49.5) / 200: the ground, 1 m below, is there at
    # 200 / (r - 49.5) metres.
    assert surfaces.distance[99, 10] == pytest.approx(200 / 49.5, rel=1e-4)
    assert surfaces.distance[60, 10] == pytest.approx(200 / 10.5, rel=1e-4)


def test_a_board_that_looks_away_is_not_drawn():
    codes, *_ = codes_of(stage_of(actor(1, 0, 10, heading=np.pi)), 0)
    assert not (codes == CAR | 1).any()
    both = Body(panels=(board(two_sided=True),))
    codes, *_ = codes_of(stage_of(actor(1, 0, 10, body=both, heading=np.pi)), 0)
    assert (codes == CAR | 1).any()


def test_the_nearer_hides_the_farther_and_both_are_known_whole():
    stage = stage_of(actor(1, 0, 20), actor(2, 1.2, 10))
    codes, surfaces, faces = codes_of(stage, 0, seed=3)
    near, far = annotated_objects(stage, surfaces, codes, faces, 0)
    assert (near.code, far.code) == (CAR | 2, CAR | 1)
    assert near.visible_fraction == 1
    assert far.amodal_px == pytest.approx(21 * 21, abs=45)
    assert far.visible_fraction == pytest.approx(14 / 21, abs=0.06)
    whole = np.zeros(codes.shape, dtype=bool)
    rows, columns = far.amodal.shape
    whole[far.top : far.top + rows, far.left : far.left + columns] = far.amodal
    assert (whole | ~(codes == CAR | 1)).all()


def test_flow_of_an_actor_that_steps_aside():
    stage = stage_of(actor(1, [0, 0.5], [10, 10]))
    motion = face_motion(stage, draw_surfaces(stage, 1), 1, 0)
    flow, ratio = motion.flow, motion.ratio
    assert flow[50, 110] == pytest.approx([-10, 0], abs=1e-3)
    assert ratio[50, 110] == pytest.approx(1, abs=1e-6)


def test_flow_of_a_still_scene_before_a_moving_camera():
    stage = stage_of(actor(1, 0, 10), speed=2.0)
    surfaces = draw_surfaces(stage, 1)
    flow = face_motion(stage, surfaces, 1, 0).flow
    # At 8 m the corner of the board is 25 px from the middle, at 10 m it was 20 px.
    row, column = 49.5 + 20, 99.5 + 20
    expected = np.array([20.0, 20.0]) * (8 / 10 - 1)
    assert flow[round(row), round(column)] == pytest.approx(expected, abs=0.15)


def test_flow_of_the_sky_when_the_camera_turns():
    stage = stage_of(turn=0.01)
    flow = face_motion(stage, draw_surfaces(stage, 1), 1, 0).flow
    assert flow[10, 100] == pytest.approx([200 * np.tan(0.01), 0], abs=0.1)


def test_what_was_hidden_has_no_valid_flow():
    stage = stage_of(actor(1, [2.3, 2.3], [20, 20]), actor(2, [0.3, -0.5], [10, 10]))
    one, two = codes_of(stage, 0), codes_of(stage, 1)
    motion = face_motion(stage, two[1], 1, 0)
    field = exact_flow(motion, (two[1], one[1]), (two[0], one[0]), VOID)
    was_hidden = (two[0] == CAR | 1) & (one[0] == CAR | 2)
    assert was_hidden.sum() > 50
    assert not field.valid[was_hidden].any()
    still_seen = (two[0] == CAR | 1) & (one[0] == CAR | 1)
    assert field.valid[still_seen].all()
    assert np.abs(field.flow[still_seen]).max() < 1e-3


def test_a_rod_is_as_wide_as_it_is():
    rod = Limb(0, 1, 0.25, 0.25, GRAY)
    body = Body(limbs=(rod,), joints=np.array([[[0, 0.5, 0], [0, 1.5, 0]]]))
    codes, *_ = codes_of(stage_of(actor(1, 0, 10, body=body, name="person")), 0, seed=3)
    mask = codes == (11 << 24 | 1)
    assert mask[50].sum() == pytest.approx(10, abs=1)
    assert mask.any(axis=1).sum() == pytest.approx(30, abs=2)  # 20 px and two round ends of 5


def test_parts_of_another_class_carry_no_identity():
    wheel = board(0.5, class_name="bicycle")
    body = Body(panels=(wheel, board(0.25, z=-0.1, layer=1)))
    codes, surfaces, faces = codes_of(
        stage := stage_of(actor(1, 0, 8, body=body, name="person")), 0, seed=3
    )
    assert set(np.unique(codes).tolist()) >= {18 << 24, 11 << 24 | 1}
    (person,) = annotated_objects(stage, surfaces, codes, faces, 0)
    assert person.amodal_px == (codes == (11 << 24 | 1)).sum()


def test_slivers_are_void():
    stage = stage_of(actor(1, 0, 400))
    codes, surfaces, faces = codes_of(stage, 0)
    assert (codes == CAR | 1).sum() == 4
    faces = replace(faces, least_px=5)
    codes = frame_codes(surfaces, faces)
    assert (codes == VOID).sum() == 4
    (far,) = annotated_objects(stage, surfaces, codes, faces, 0)
    assert far.visible_px == 0
    assert far.visible_fraction == 0


def test_a_class_that_the_label_space_lacks():
    with pytest.raises(ConfigError, match="'road', which label space 'motchallenge-step' lacks"):
        code_faces(stage_of(), label_space("motchallenge-step"), 0)


def test_what_passes_the_camera_is_cut_not_lost():
    long = [[-1, 0, -30], [-1, 0, 30], [-1, 3, 30], [-1, 3, -30]]
    wall = Panel(np.array(long, dtype=float), GRAY, two_sided=True)
    codes, *_ = codes_of(stage_of(actor(0, 0, 0, body=Body(panels=(wall,)), name="wall")), 0)
    mask = codes == 3 << 24
    assert mask[:, 0].all()
    assert not mask[:, 110:].any()
