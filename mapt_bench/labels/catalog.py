"""Built-in label spaces of public data sets, and label spaces in YAML files."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.files import read_text
from mapt_bench.labels.space import LabelClass, LabelSpace, spread_color
from mapt_bench.strict_config import load_yaml

__all__ = ["label_space", "label_space_names"]


def _space(
    name: str, rows: Iterable[tuple[int, str, tuple[int, int, int]]], things: set[str]
) -> LabelSpace:
    return LabelSpace(
        name,
        tuple(LabelClass(number, title, title in things, color) for number, title, color in rows),
    )


_CITYSCAPES_ROWS: tuple[tuple[int, str, tuple[int, int, int]], ...] = (
    (0, "road", (128, 64, 128)),
    (1, "sidewalk", (244, 35, 232)),
    (2, "building", (70, 70, 70)),
    (3, "wall", (102, 102, 156)),
    (4, "fence", (190, 153, 153)),
    (5, "pole", (153, 153, 153)),
    (6, "traffic light", (250, 170, 30)),
    (7, "traffic sign", (220, 220, 0)),
    (8, "vegetation", (107, 142, 35)),
    (9, "terrain", (152, 251, 152)),
    (10, "sky", (70, 130, 180)),
    (11, "person", (220, 20, 60)),
    (12, "rider", (255, 0, 0)),
    (13, "car", (0, 0, 142)),
    (14, "truck", (0, 0, 70)),
    (15, "bus", (0, 60, 100)),
    (16, "train", (0, 80, 100)),
    (17, "motorcycle", (0, 0, 230)),
    (18, "bicycle", (119, 11, 32)),
)
_COLOR_OF = {title: color for _, title, color in _CITYSCAPES_ROWS}
_MOTCHALLENGE_NAMES = ("sidewalk", "building", "vegetation", "sky", "person", "rider", "bicycle")

_KITTI_STEP = _space("kitti-step", _CITYSCAPES_ROWS, {"person", "car"})
_CITYSCAPES = _space(
    "cityscapes",
    _CITYSCAPES_ROWS,
    {title for number, title, _ in _CITYSCAPES_ROWS if number >= 11},
)


def _names(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",")]


def _listed(name: str, classes: str, things: str) -> LabelSpace:
    """Return a label space whose classes are numbered from 1, because 0 is void.

    Args:
        name: Name of the label space.
        classes: Names of all classes, separated by commas.
        things: Names of the classes with identities.
    """
    is_thing = set(_names(things))
    entries = [
        LabelClass(number, title, title in is_thing, spread_color(number))
        for number, title in enumerate(_names(classes), start=1)
    ]
    return LabelSpace(name, tuple(entries), ignore_label=0)


def _from_zero(name: str, labels: LabelSpace) -> LabelSpace:
    """Return a label space whose classes are numbered from 0. Void is 255."""
    entries = [replace(entry, class_id=entry.class_id - 1) for entry in labels.classes]
    return LabelSpace(name, tuple(entries))


def _objects(name: str, things: str) -> LabelSpace:
    return _listed(name, things, things)


_VIPSEG_NAMES = """
wall, ceiling, door, stair, ladder, escalator, Playground_slide, handrail_or_fence, window, rail,
goal, pillar, pole, floor, ground, grass, sand, athletic_field, road, path, crosswalk, building,
house, bridge, tower, windmill, well_or_well_lid, other_construction, sky, mountain, stone, wood,
ice, snowfield, grandstand, sea, river, lake, waterfall, water, billboard_or_Bulletin_Board,
sculpture, pipeline, flag, parasol_or_umbrella, cushion_or_carpet, tent, roadblock, car, bus, truck,
bicycle, motorcycle, wheeled_machine, ship_or_boat, raft, airplane, tyre, traffic_light, lamp,
person, cat, dog, horse, cattle, other_animal, tree, flower, other_plant, toy, ball_net, backboard,
skateboard, bat, ball, cupboard_or_showcase_or_storage_rack, box, traveling_case_or_trolley_case,
basket, bag_or_package, trash_can, cage, plate, tub_or_bowl_or_pot, bottle_or_cup, barrel, fishbowl,
bed, pillow, table_or_desk, chair_or_seat, bench, sofa, shelf, bathtub, gun, commode, roaster,
other_machine, refrigerator, washing_machine, Microwave_oven, fan, curtain, textiles, clothes,
painting_or_poster, mirror, flower_pot_or_vase, clock, book, tool, blackboard, tissue,
screen_or_television, computer, printer, Mobile_phone, keyboard, other_electronic_product, fruit,
food, instrument, train
"""
_VIPSEG_THINGS = """
door, ladder, window, goal, sculpture, flag, parasol_or_umbrella, tent, roadblock, car, bus, truck,
bicycle, motorcycle, ship_or_boat, raft, airplane, person, cat, dog, horse, cattle, other_animal,
skateboard, ball, box, traveling_case_or_trolley_case, basket, bag_or_package, plate,
tub_or_bowl_or_pot, bottle_or_cup, barrel, fishbowl, bed, pillow, table_or_desk, chair_or_seat,
bench, sofa, gun, commode, roaster, refrigerator, washing_machine, Microwave_oven, fan,
painting_or_poster, mirror, flower_pot_or_vase, clock, screen_or_television, computer, printer,
Mobile_phone, keyboard, instrument, train
"""
_BDD100K_PANOPTIC_NAMES = """
dynamic, ego vehicle, ground, static, parking, rail track, road, sidewalk, bridge, building, fence,
garage, guard rail, tunnel, wall, banner, billboard, lane divider, parking sign, pole, polegroup,
street light, traffic cone, traffic device, traffic light, traffic sign, traffic sign frame,
terrain, vegetation, sky, person, rider, bicycle, bus, car, caravan, motorcycle, trailer, train,
truck
"""
_BDD100K_THINGS = "person, rider, bicycle, bus, car, caravan, motorcycle, trailer, train, truck"
_WAYMO_NAMES = """
ego_vehicle, car, truck, bus, other_large_vehicle, bicycle, motorcycle, trailer, pedestrian,
cyclist, motorcyclist, bird, ground_animal, construction_cone_pole, pole, pedestrian_object, sign,
traffic_light, building, road, lane_marker, road_marker, sidewalk, vegetation, sky, ground, dynamic,
static
"""
_WAYMO_THINGS = "car, truck, bus, other_large_vehicle, trailer, pedestrian, cyclist, motorcyclist"


_VIPSEG = _listed("vipseg", _VIPSEG_NAMES, _VIPSEG_THINGS)


def _cityscapes(name: str, *void_labels: int) -> LabelSpace:
    return LabelSpace(name, _CITYSCAPES.classes, _CITYSCAPES.ignore_label, void_labels)


_BUILT_IN = {
    space.name: space
    for space in (
        _KITTI_STEP,
        _CITYSCAPES,
        # Void is class 32 in the ground truth. Predictions of Cityscapes-DVPS write it as 19.
        _cityscapes("cityscapes-vps", 32),
        _cityscapes("cityscapes-dvps", 19, 32),
        _space(
            "motchallenge-step",
            ((number, title, _COLOR_OF[title]) for number, title in enumerate(_MOTCHALLENGE_NAMES)),
            {"person"},
        ),
        _VIPSEG,
        _from_zero("vipseg-coco", _VIPSEG),
        _listed("bdd100k-panoptic", _BDD100K_PANOPTIC_NAMES, _BDD100K_THINGS),
        _objects(
            "bdd100k-seg-track", "pedestrian, rider, car, truck, bus, train, motorcycle, bicycle"
        ),
        _listed("waymo", _WAYMO_NAMES, _WAYMO_THINGS),
        _objects(
            "youtube-vis-2019",
            "person, giant_panda, lizard, parrot, skateboard, sedan, ape, dog, snake, monkey, "
            "hand, rabbit, duck, cat, cow, fish, train, horse, turtle, bear, motorbike, giraffe, "
            "leopard, fox, deer, owl, surfboard, airplane, truck, zebra, tiger, elephant, "
            "snowboard, boat, shark, mouse, frog, eagle, earless_seal, tennis_racket",
        ),
        _objects(
            "youtube-vis-2021",
            "airplane, bear, bird, boat, car, cat, cow, deer, dog, duck, earless_seal, elephant, "
            "fish, flying_disc, fox, frog, giant_panda, giraffe, horse, leopard, lizard, monkey, "
            "motorbike, mouse, parrot, person, rabbit, shark, skateboard, snake, snowboard, "
            "squirrel, surfboard, tennis_racket, tiger, train, truck, turtle, whale, zebra",
        ),
        _objects(
            "ovis",
            "Person, Bird, Cat, Dog, Horse, Sheep, Cow, Elephant, Bear, Zebra, Giraffe, Poultry, "
            "Giant_panda, Lizard, Parrot, Monkey, Rabbit, Tiger, Fish, Turtle, Bicycle, "
            "Motorcycle, Airplane, Boat, Vehical",
        ),
        _objects("objects", "object"),
    )
}


_CONTENT = "name and classes, each with id, name, thing and optionally color [r, g, b]"


def label_space_names() -> tuple[str, ...]:
    """Return the names of the built-in label spaces, sorted."""
    return tuple(sorted(_BUILT_IN))


def label_space(name_or_file: str | Path) -> LabelSpace:
    """Return a built-in label space by name, or read one from a YAML file.

    Args:
        name_or_file: A name of :func:`label_space_names`, or a path that ends in ``.yaml``,
            ``.yml`` or ``.json``.

    Raises:
        ConfigError: If the name is unknown or the file is unreadable. The message suggests the
            nearest name.

    Example:
        >>> label_space("kitti-step").thing_ids
        (11, 13)
    """
    name = str(name_or_file)
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    path = Path(name)
    if path.suffix not in {".yaml", ".yml", ".json"}:
        raise ConfigError(
            f"unknown label space {name!r}; {nearest(name, _BUILT_IN)}; or give a YAML file"
        )
    try:
        text = read_text(path)
    except FileNotFoundError as problem:
        known = ", ".join(sorted(_BUILT_IN))
        raise ConfigError(
            f"does not exist; expected a label space file, or one of {known}", where=path
        ) from problem
    except OSError as problem:
        raise ConfigError(
            f"cannot be read ({problem.strerror}); check the path and its permissions", where=path
        ) from problem
    except ValueError as problem:
        raise ConfigError(
            f"is not valid YAML ({problem}); expected {_CONTENT}", where=path
        ) from problem
    data = load_yaml(text, where=path, expected=_CONTENT)
    return LabelSpace.from_dict(data, where=path)
