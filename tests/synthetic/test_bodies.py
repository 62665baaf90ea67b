"""Bodies of the world: faces that are flat and face outward, people whose feet stay above ground,
paints and shapes of the domain shift that other videos never show."""

from dataclasses import fields, is_dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapt_bench.synthetic._vehicles import car_body, truck_body
from mapt_bench.synthetic.appearances import (
    car_appearance,
    person_appearance,
    rider_appearance,
    truck_appearance,
)
from mapt_bench.synthetic.patterns import LEVELS
from mapt_bench.synthetic.people import bent, bicycle_body, person_body, rider_body, stride
from mapt_bench.synthetic.shapes import Paint, box, disc, normal, outward, patch, prism
from mapt_bench.synthetic.shifted_style import shifted_style
from mapt_bench.synthetic.style_sampling import sampled_style
from mapt_bench.synthetic.style_tables import GREY, mixed, oklch, washed
from mapt_bench.synthetic.surroundings import (
    facade_body,
    fence_body,
    ground_paint,
    hedge_body,
    light_body,
    pillar_body,
    pole_body,
    sign_body,
    sky_appearance,
    tree_body,
    wall_body,
)

STYLES = {
    **{f"sampled {seed}": sampled_style(seed) for seed in range(6)},
    "shifted": shifted_style(0),
}
SAMPLED, SHIFTED = STYLES["sampled 0"], STYLES["shifted"]
EITHER = pytest.mark.parametrize("style", [SAMPLED, SHIFTED], ids=["sampled", "shifted"])
CYCLE = np.linspace(0, 2 * np.pi, 24, endpoint=False)
SURROUNDINGS = {
    "pole": lambda rng, style: pole_body(rng, style, 4.0),
    "sign": sign_body,
    "light": light_body,
    "tree": lambda rng, style: tree_body(rng, style, 6.0),
    "hedge": lambda rng, style: hedge_body(rng, style, 5.0),
    "pillar": pillar_body,
    "facade": lambda rng, style: facade_body(rng, style, 11.0, 9.0),
    "fence": lambda rng, style: fence_body(rng, style, 5.0),
    "wall": lambda rng, style: wall_body(rng, style, 5.0),
}
LOOKS = {"person": person_appearance, "rider": rider_appearance, "car": car_appearance}
BODIES = {
    "person": lambda rng, style: person_body(person_appearance(rng, style), CYCLE, np.ones(24)),
    "rider": lambda rng, style: rider_body(rider_appearance(rng, style), CYCLE),
    "bicycle": lambda rng, style: bicycle_body(rider_appearance(rng, style)),
    "car": lambda rng, style: car_body(car_appearance(rng, style)),
    "truck": lambda rng, style: truck_body(truck_appearance(rng, style)),
    **SURROUNDINGS,
}


def some(count=40):
    return [np.random.default_rng(seed) for seed in range(count)]


def paints(value):
    """All paints within a look."""
    if isinstance(value, Paint):
        yield value
    elif is_dataclass(value):
        for part in fields(value):
            yield from paints(getattr(value, part.name))


def surfaces(body):
    return (*body.panels, *body.limbs)


def is_convex(corners):
    edges = np.roll(corners, -1, axis=0) - corners
    turns = np.cross(edges, np.roll(edges, -1, axis=0))
    return bool((turns @ normal(corners) < 1e-12).all())


# Faces


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("kind", BODIES)
def test_panels_are_flat_and_convex(kind, style):
    for rng in some():
        for panel in BODIES[kind](rng, style).panels:
            off_plane = (panel.corners - panel.corners[0]) @ normal(panel.corners)
            np.testing.assert_allclose(off_plane, 0, atol=1e-9)
            assert is_convex(panel.corners)


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_a_vehicle_faces_outward_on_all_sides(style):
    for rng in some():
        for body in (
            car_body(car_appearance(rng, style)),
            truck_body(truck_appearance(rng, style)),
        ):
            for panel in body.panels:
                middle = panel.corners.mean(axis=0)
                # Over the axles and at half height, every panel looks away from the long axis.
                axis = np.array([0, 0.5 if middle[1] < 0.9 else 0.9, np.clip(middle[2], -1.2, 1.2)])
                assert normal(panel.corners) @ (middle - axis) > -1e-9


def test_an_axis_aligned_box_faces_outward():
    faces = box((0, 2), (0, 1), (3, 5))
    looks = {name: np.round(normal(face)).tolist() for name, face in faces.items()}
    assert looks == {
        "left": [-1, 0, 0],
        "right": [1, 0, 0],
        "back": [0, 0, -1],
        "front": [0, 0, 1],
        "top": [0, 1, 0],
    }
    for face in (faces["left"], faces["right"], faces["back"], faces["front"]):
        assert (face[:2, 1] == 0).all(), "textures of a wall run along its foot"


def test_winding_a_face_keeps_its_first_edge():
    triangle = [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    before, behind = outward(triangle, (0, 0, 1)), outward(triangle, (0, 0, -1))
    assert before.tolist() == triangle
    assert behind.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_a_prism_has_two_sides_and_a_face_for_every_edge():
    ends, around = prism([(-1, 0), (1, 0), (0, 1)], 2.0)
    assert [normal(end)[0] for end in ends] == [-1, 1]
    np.testing.assert_allclose(normal(around[0]), (0, -1, 0), atol=1e-12)
    for slope in around[1:]:
        assert normal(slope)[1] > 0
        assert (slope[:2, 1] == 0).all(), "the first edge is the lower one"


@pytest.mark.parametrize("side", [-1, 1])
def test_a_disc_looks_to_its_side_on_a_level_edge(side):
    wheel = disc((0.5, 0.3, 1), 0.3, side)
    np.testing.assert_allclose(normal(wheel), (side, 0, 0), atol=1e-12)
    np.testing.assert_allclose(wheel[:2, 1], wheel[:, 1].min())
    np.testing.assert_allclose(wheel.mean(axis=0), (0.5, 0.3, 1), atol=1e-12)


def test_a_patch_lies_on_its_wall():
    wall = box((0, 4), (0, 2), (0, 1))["front"]
    window = patch(wall, (0.25, 0.75), (0.5, 1.0), lift=0.1)
    np.testing.assert_allclose(window[:, 2], 1.1)
    assert sorted(set(window[:, 0])) == [1, 3]
    assert sorted(set(window[:, 1])) == [1, 2]


# People


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("swing", [0.0, 0.4, 1.0])
def test_somebody_on_foot_stands_on_the_ground_in_every_frame(style, swing):
    for rng in some():
        body = person_body(person_appearance(rng, style), CYCLE, np.full(24, swing))
        starts = [body.joints[:, limb.start, 1] - limb.start_radius for limb in body.limbs]
        ends = [body.joints[:, limb.end, 1] - limb.end_radius for limb in body.limbs]
        np.testing.assert_allclose(np.min([*starts, *ends], axis=0), 0, atol=0.01)


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("kind", ["person", "rider"])
def test_people_are_finite_and_of_their_size(kind, style):
    for rng in some():
        joints = BODIES[kind](rng, style).joints
        assert np.isfinite(joints).all()
        assert joints[..., 1].min() > -0.01
        assert 0.8 < joints[..., 1].max() < 2.1
        assert np.abs(joints[..., 0]).max() < 0.6


def test_who_stands_does_not_move_and_who_walks_does():
    look = person_appearance(np.random.default_rng(0), SAMPLED)
    still = person_body(look, CYCLE, np.zeros(24)).joints
    assert (still == still[:1]).all()
    walking = person_body(look, CYCLE, np.ones(24)).joints
    assert np.ptp(walking[..., 2], axis=0).max() > 0.4 * look.height


def test_legs_swing_in_turn_and_arms_against_them():
    look = person_appearance(np.random.default_rng(0), SAMPLED)
    body = person_body(look, np.array([np.pi / 2]), np.ones(1))
    joints = {False: [], True: []}  # ends of limbs ahead, by whether they are of the right
    for limb in body.limbs:
        joints[bool(body.joints[0, limb.end, 0] > 0)].append(body.joints[0, limb.end])
    height = look.height
    left_foot, right_foot = (min(joints[side], key=lambda at: at[1]) for side in (False, True))
    assert left_foot[2] > 0.1 * height > -0.1 * height > right_foot[2]
    hands = [max(joints[side], key=lambda at: abs(at[0])) for side in (False, True)]
    assert hands[0][2] < hands[1][2]


def test_a_cycle_is_as_long_as_two_steps():
    look = person_appearance(np.random.default_rng(0), SAMPLED)
    assert stride(look, 0.0) == 0
    assert 0.7 * look.height < stride(look) < look.height


@given(st.floats(0.3, 0.79), st.floats(-3.1, 3.1))
def test_a_knee_keeps_the_length_of_both_rods(reach, angle):
    start, end = np.zeros((1, 3)), reach * np.array([[0, np.sin(angle), np.cos(angle)]])
    knee = bent(start, end, (0.42, 0.38), ahead=True)
    assert np.linalg.norm(knee - start) == pytest.approx(0.42)
    assert np.linalg.norm(knee - end) == pytest.approx(0.38)


def test_a_knee_bends_ahead_and_an_elbow_back():
    start, end = np.array([[0, 1.0, 0]]), np.array([[0, 0.3, 0]])
    assert bent(start, end, (0.42, 0.38), ahead=True)[0, 2] > 0.1
    assert bent(start, end, (0.42, 0.38), ahead=False)[0, 2] < -0.1


def test_a_rider_sits_on_a_bicycle_of_its_own_class():
    body = BODIES["rider"](np.random.default_rng(0), SAMPLED)
    names = {part.class_name for part in surfaces(body)}
    assert names == {None, "bicycle"}
    assert {panel.class_name for panel in body.panels} == {"bicycle"}


def test_signs_and_lights_are_of_their_own_class():
    for make, name in ((sign_body, "traffic sign"), (light_body, "traffic light")):
        body = make(np.random.default_rng(0), SAMPLED)
        assert {panel.class_name for panel in body.panels} == {name}
        assert {limb.class_name for limb in body.limbs} == {None}


# Looks


def test_the_domain_shift_shares_no_pattern_with_sampled_styles():
    shared = set(SHIFTED.textures.index) & set(SAMPLED.textures.index)
    assert shared == {"plain", "glass", "rim", "clouds"}


@EITHER
def test_paint_is_no_fingerprint(style):
    cars = [car_appearance(rng, style) for rng in some(100)]
    people = [person_appearance(rng, style) for rng in some(100)]
    assert len({car.paint for car in cars}) == len(style.car_paints) <= 10
    assert len({person.coat for person in people}) == len(style.coats) <= 12
    assert len({person.leg_wear for person in people}) == len(style.leg_wear) <= 8
    assert len(style.car_shapes) >= 4


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("kind", LOOKS)
def test_washed_out_things_are_grey_all_over(kind, style):
    for rng in some():
        for paint in paints(LOOKS[kind](rng, style, 1.0)):
            assert paint.base == paint.accent == GREY


@pytest.mark.parametrize("kind", LOOKS)
def test_washing_takes_colour_alone(kind):
    def sizes(look):
        return [value for value in vars_of(look) if isinstance(value, float | bool | str)]

    for seed in range(20):
        vivid = LOOKS[kind](np.random.default_rng(seed), SAMPLED, 0.0)
        faint = LOOKS[kind](np.random.default_rng(seed), SAMPLED, 0.5)
        assert sizes(vivid) == sizes(faint)
        assert [washed(paint, 0.5) for paint in paints(vivid)] == list(paints(faint))


def vars_of(look):
    for part in fields(look):
        value = getattr(look, part.name)
        if is_dataclass(value) and not isinstance(value, Paint):
            yield from vars_of(value)
        else:
            yield value


def test_half_washed_is_half_way():
    assert mixed((24, 124, 224), GREY, 0.5) == (74, 124, 174)
    paint = Paint((0, 0, 0), (248, 248, 248), "plain", (2, 3), (0.1, 0.2))
    assert washed(paint, 0.5) == Paint((62,) * 3, (186,) * 3, "plain", (2, 3), (0.1, 0.2))
    assert washed(paint, 0.0) == paint


def test_look_alikes_have_one_body():
    look = person_appearance(np.random.default_rng(4), SAMPLED)
    first, second = (person_body(look, CYCLE, np.ones(24)) for _ in range(2))
    assert first.limbs == second.limbs
    assert (first.joints == second.joints).all()


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("kind", BODIES)
def test_one_seed_is_one_body(kind, style):
    first, second = (BODIES[kind](np.random.default_rng(9), style) for _ in range(2))
    assert first.limbs == second.limbs
    assert [panel.paint for panel in first.panels] == [panel.paint for panel in second.panels]
    for one, other in zip(first.panels, second.panels, strict=True):
        assert (one.corners == other.corners).all()
    assert (first.joints == second.joints).all()


@pytest.mark.parametrize(
    "draw",
    [person_appearance, rider_appearance, car_appearance, truck_appearance, *SURROUNDINGS.values()],
)
@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_every_draw_takes_as_many_random_numbers(draw, style):
    def next_of(seed, calls):
        class Counting(np.random.Generator):
            taken = 0

            def random(self, size=None):
                Counting.taken += int(np.prod(size or 1))
                return super().random(size)

        rng = Counting(np.random.PCG64(seed))
        for _ in range(calls):
            draw(rng, style)
        return Counting.taken

    assert len({next_of(seed, 1) for seed in range(30)}) == 1


@EITHER
def test_ground_and_sky_are_of_the_style(style):
    skies = {sky_appearance(rng, style) for rng in some()}
    assert skies == set(style.skies)
    for name in ("road", "sidewalk", "terrain", "vegetation"):
        found = {ground_paint(name, rng, style).texture for rng in some()}
        assert found == {paint.texture for paint in style.ground[name]}


# Sampled styles


def all_paints(style):
    plain = (*style.coats, *style.leg_wear, *style.frames, *style.car_paints, *style.truck_paints)
    grounds = [paint for choices in style.ground.values() for paint in choices]
    stone = (style.bark, style.fence, style.garden_wall, style.poster, style.stone, style.marking)
    return (*plain, *grounds, *stone)


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_a_style_has_the_textures_of_all_that_is_made_from_it(style):
    known = set(style.textures.index)
    for make in BODIES.values():
        for part in surfaces(make(np.random.default_rng(1), style)):
            assert part.paint.texture in known
    assert {paint.texture for paint in all_paints(style)} <= known


def test_equal_seeds_sample_equal_styles_and_others_differ():
    one, same, other = sampled_style(5), sampled_style(5), sampled_style(6)
    assert all_paints(one) == all_paints(same)
    assert one.car_shapes == same.car_shapes
    assert (one.textures.texels == same.textures.texels).all()
    assert not {each.base for each in one.coats} & {each.base for each in other.coats}
    assert one.ground["road"] != other.ground["road"]
    assert one.skies != other.skies


def test_sampled_colours_are_those_of_streets():
    roads = np.array([sampled_style(seed).ground["road"][0].base for seed in range(120)])
    assert np.ptp(roads, axis=1).max() < 45, "asphalt is nearly grey"
    assert roads.mean(axis=1).min() > 20
    assert roads.mean(axis=1).max() < 150
    assert np.ptp(roads.mean(axis=1)) > 60, "but some is dark, and some light"
    coats = np.concatenate([[p.base for p in sampled_style(seed).coats] for seed in range(40)])
    vivid = np.ptp(coats, axis=1) > 60
    assert 0.1 < vivid.mean() < 0.6


def test_no_shape_of_a_car_is_sampled_as_those_of_the_other_domain():
    shapes = [shape for seed in range(60) for shape in sampled_style(seed).car_shapes]
    names = {shape.name for shape in SHIFTED.car_shapes}
    assert not {shape.name for shape in shapes} & names
    lengths = [shape.length for shape in shapes]
    assert min(lengths) > 3.6
    assert np.ptp(lengths) > 0.8


@pytest.mark.parametrize(
    ("lightness", "chroma", "hue", "color"),
    [(0.0, 0, 0, (0, 0, 0)), (1.0, 0, 0, (255, 255, 255)), (0.628, 0.2577, 29.23, (255, 0, 0))],
)
def test_oklch_agrees_with_known_colours(lightness, chroma, hue, color):
    assert np.abs(np.subtract(oklch(lightness, chroma, hue), color)).max() <= 2


@given(st.floats(0, 1), st.floats(0, 0.4), st.floats(0, 360))
def test_oklch_always_finds_a_colour_that_exists(lightness, chroma, hue):
    assert all(0 <= channel <= 255 for channel in oklch(lightness, chroma, hue))


# Textures


def tiles_of(textures, level):
    """All tiles of a level of detail, 0..255: ``(textures, side, side)``."""
    side = (1 << textures.bits) >> level
    start, count = textures.starts[level], len(textures.index)
    tiles = textures.texels[start : start + count * side * side]
    return tiles.reshape(count, side, side).astype(float)


@EITHER
def test_every_texture_has_every_level(style):
    textures = style.textures
    assert len(textures.starts) == LEVELS
    sides = [(1 << textures.bits) >> level for level in range(LEVELS)]
    assert textures.texels.size == len(textures.index) * sum(side * side for side in sides)
    assert list(textures.index.values()) == list(range(len(textures.index)))


def test_no_two_textures_are_alike():
    tiles = tiles_of(SHIFTED.textures, 0).reshape(len(SHIFTED.textures.index), -1)
    apart = np.abs(tiles[:, None] - tiles[None]).mean(axis=2)
    np.fill_diagonal(apart, 255)
    assert apart.min() > 0.02 * 255


@EITHER
def test_a_level_averages_the_one_before(style):
    for level in range(1, LEVELS):
        before, after = tiles_of(style.textures, level - 1), tiles_of(style.textures, level)
        count, side, _ = after.shape
        means = before.reshape(count, side, 2, side, 2).mean(axis=(2, 4))
        assert np.abs(after - means).max() <= 0.5


def test_coarse_levels_lose_stripes():
    stripes = SHIFTED.textures.index["diagonals"]  # 32 texels each, which level 5 averages
    spread = [tiles_of(SHIFTED.textures, level)[stripes].std() for level in range(LEVELS)]
    assert spread[0] == pytest.approx(127.5)
    assert spread[5] < 1
