"""Class maps: what a file may say, what becomes of a map, and how mistakes are reported."""

from collections import Counter

import numpy as np
import pytest
from helpers.maps import CAR, KITTI, PERSON, ROAD, VOID, draw, random_maps

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.labels import (
    BACKGROUND_ID,
    ClassTarget,
    LabelClass,
    LabelSpace,
    MappingTally,
    PanopticMap,
    class_map_names,
    class_maps,
    label_space,
    label_space_names,
)

CITY = label_space("cityscapes")
SMALL = LabelSpace(
    "small",
    (
        LabelClass(0, "ground", False, (1, 2, 3)),
        LabelClass(1, "human", True, (4, 5, 6)),
        LabelClass(2, "vehicle", True, (7, 8, 9)),
        LabelClass(3, "bus", False, (1, 1, 1)),
    ),
    ignore_label=9,
)
TARGET = """
target:
  name: small
  ignore_label: 9
  classes:
    - {id: 0, name: ground, thing: false, color: [1, 2, 3]}
    - {id: 1, name: human, thing: true, color: [4, 5, 6]}
    - {id: 2, name: vehicle, thing: true, color: [7, 8, 9]}
    - {id: 3, name: bus, thing: false, color: [1, 1, 1]}
"""


def city(**goals):
    """The lines of a source for Cityscapes in which all other classes are void."""
    lines = [f"      {each.name}: {goals.get(each.name, 'void')}" for each in CITY.classes]
    return "\n".join(["  cityscapes:", "    classes:", *lines])


def read(tmp_path, sources, target=TARGET):
    path = tmp_path / "mine.yaml"
    path.write_text(f"{target}\nsources:\n{sources}\n")
    return class_maps(path)


def city_map(tmp_path, **goals):
    return read(tmp_path, city(**goals)).of(CITY)


def codes(*pairs):
    return PanopticMap.from_classes_and_ids(
        np.array([[class_id for class_id, _ in pairs]]), np.array([[i for _, i in pairs]])
    )


def pairs(panoptic):
    return list(zip(panoptic.classes[0].tolist(), panoptic.ids[0].tolist(), strict=True))


def test_classes_become_one_class_void_and_crowd(tmp_path):
    found = city_map(
        tmp_path, road="ground", sidewalk="ground", person="human", rider="{crowd: human}"
    )
    drawn = codes((0, 0), (1, 0), (2, 0), (11, 7), (12, 8), (13, 1), (255, 0))
    expected = [(0, 0), (0, 0), (9, 0), (1, 7), (1, 0), (9, 0), (9, 0)]
    assert pairs(found.apply(drawn, is_truth=True)) == expected
    expected[4] = (9, 0)  # a prediction has no crowd
    assert pairs(found.apply(drawn, is_truth=False)) == expected


def test_objects_of_joined_classes_stay_apart(tmp_path):
    found = city_map(tmp_path, car="vehicle", truck="vehicle", train="vehicle")
    drawn = codes((13, 1), (14, 1), (16, 1), (13, 2), (14, 2), (13, 0), (14, 0))
    truth, prediction = (found.apply(drawn, is_truth=each) for each in (True, False))
    assert set(truth.classes[0]) == {2}
    assert len(set(truth.ids[0][:5])) == 5
    assert set(truth.ids[0][5:]) == {0}  # crowd stays crowd
    assert len(set(prediction.ids[0])) == 7  # in predictions, 0 is an object
    again = found.apply(codes((14, 2), (13, 1)), is_truth=True)
    assert again.ids[0].tolist() == [truth.ids[0][4], truth.ids[0][0]]


def test_an_identity_that_is_too_large_to_be_spread_is_refused(tmp_path):
    found = city_map(tmp_path, car="vehicle", truck="vehicle")
    assert found.apply(codes((13, 1 << 22)), is_truth=True).ids[0, 0] == (1 << 23) - 1
    with pytest.raises(DataError, match=r"reach to 12582912, .* expected identities up to 8388480"):
        found.apply(codes((13, 3 << 22)), is_truth=True)
    alone = city_map(tmp_path, car="vehicle")
    assert alone.apply(codes((13, 3 << 22)), is_truth=True).ids[0, 0] == 3 << 22


def test_a_thing_becomes_stuff_where_the_file_asks_for_it(tmp_path):
    found = city_map(tmp_path, bus="{stuff: bus}")
    assert pairs(found.apply(codes((15, 4), (15, 5)), is_truth=True)) == [(3, 0), (3, 0)]


def test_background_and_empty_objects_keep_their_meaning(tmp_path):
    found = city_map(tmp_path, person="human")
    background = draw("b v")
    assert pairs(found.apply(background, is_truth=True)) == [(9, BACKGROUND_ID), (9, 0)]
    listed = PanopticMap(codes((0, 0)).codes, (11 << 24 | 5, 13 << 24 | 6))
    assert found.apply(listed, is_truth=True).empty == (1 << 24 | 5,)


@pytest.mark.parametrize(
    ("goals", "message"),
    [
        (
            {"bus": "bus"},
            r"class 'bus' of 'cityscapes' is a thing, and 'bus' is stuff .*\{stuff: bus\}",
        ),
        ({"road": "human"}, r"class 'road' .* is stuff, and 'human' is a thing .*\{crowd: human\}"),
        ({"road": "{crowd: ground}"}, "becomes crowd of 'ground', which is stuff"),
        ({"car": "{stuff: vehicle}"}, "becomes stuff 'vehicle', which is a thing"),
        ({"road": "grund"}, "label space 'small' has no class 'grund'; did you mean 'ground'"),
        ({"road": "[ground]"}, r"sources.cityscapes.classes.road is \['ground'\]; expected"),
        ({"road": "{stuff: ground, crowd: human}"}, "expected one key, stuff or crowd"),
        ({"road": "{stuf: ground}"}, "unknown key 'sources.cityscapes.classes.road.stuf'; did you"),
        ({"road": "true"}, "road is True; expected the name of a class"),
    ],
)
def test_entries_that_do_not_fit_are_refused(tmp_path, goals, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read(tmp_path, city(**goals))
    assert caught.value.where == str(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (city().replace("      sky: void\n", ""), r"lacks sky; expected every class .* to void"),
        (city() + "\n      rode: ground", "a class 'rode', .* lacks; did you mean 'road'"),
        (city() + "\n      road: ground", "key 'road' occurs twice"),
        ("  cityscapes: {}", "a source needs classes"),
        ("  cityscapes: {trough: kitti-step}", "unknown key .*trough'; did you mean .*through"),
        ("  cityscapes: {through: kitti-stpe}", "unknown label space 'kitti-stpe'; did you mean"),
        ("  cityscapes: {through: kitti-step}", "does not map the label space 'kitti-step'"),
        (
            "  cityscapes: {through: kitti-step}\n  kitti-step: {through: cityscapes}",
            "the sources form a cycle: cityscapes -> kitti-step -> cityscapes",
        ),
        ("  cityscapes: {through: cityscapes}", "form a cycle: cityscapes -> cityscapes"),
    ],
)
def test_sources_that_do_not_fit_are_refused(tmp_path, sources, message):
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, sources)


def test_a_source_through_another(tmp_path):
    mine = LabelSpace(
        "mine",
        (
            LabelClass(5, "crowd of people", False, (0, 0, 0)),
            LabelClass(6, "van", True, (0, 0, 0)),
            LabelClass(7, "coach", True, (0, 0, 0)),
        ),
    )
    through = (
        "  mine:\n    through: cityscapes\n    classes:\n"
        "      crowd of people: {crowd: person}\n      van: car\n      coach: bus\n"
    )
    maps = read(tmp_path, through + city(person="human", car="vehicle", bus="{stuff: bus}"))
    assert maps.of(mine).entries == (
        ClassTarget("human", "crowd"),
        ClassTarget("vehicle"),
        ClassTarget("bus", "stuff"),
    )
    with pytest.raises(ConfigError, match="does not map the label space 'kitti-step'"):
        maps.of(KITTI)
    changed = LabelSpace("mine", mine.classes[1:])
    with pytest.raises(ConfigError, match="has a class 'crowd of people', which"):
        maps.of(changed)


def test_the_target_is_not_changed(tmp_path):
    maps = read(tmp_path, city())
    (drawn,) = random_maps(1, labels=SMALL)
    assert (maps.of(SMALL).apply(drawn, is_truth=True).codes == drawn.codes).all()


def test_void_is_no_class_of_a_target(tmp_path):
    target = "target: {name: odd, classes: [{id: 0, name: void, thing: false}]}"
    with pytest.raises(ConfigError, match="reserved word"):
        read(tmp_path, city(), target)


def test_a_file_that_is_no_class_map(tmp_path):
    (tmp_path / "a.yaml").write_text("name: x")
    with pytest.raises(ConfigError, match=r"unknown key 'name'; .*known: sources, target"):
        class_maps(tmp_path / "a.yaml")
    with pytest.raises(ConfigError, match=r"unknown class map 'comon'; did you mean 'common'"):
        class_maps("comon")
    with pytest.raises(ConfigError, match="cannot be read"):
        class_maps(tmp_path / "no.yaml")


def test_the_share_that_became_void(tmp_path):
    found = city_map(
        tmp_path, road="ground", person="human", bus="{stuff: bus}", rider="{crowd: human}"
    )
    tally = MappingTally(found, is_truth=True)
    tally.add(codes((0, 0), (11, 1), (13, 1), (13, 0), (255, 0)))
    tally.add(codes((0, 0), (11, 1), (15, 2), (12, 3), (13, 1)))
    share = tally.share()
    assert share.to_dict() == {
        "pixels": 9,
        "void_pixels": 3,
        "objects": 4,  # person 1, car 1, bus 2, rider 3; each once
        "void_objects": 1,
        "merged_objects": 2,
    }
    assert share.in_words() == (
        "33.3 % of the pixels and 25.0 % of 4 objects became void; "
        "50.0 % of the objects became stuff or crowd"
    )
    prediction = MappingTally(found, is_truth=False)
    prediction.add(codes((13, 0), (12, 3)))
    assert prediction.share().to_dict() == {
        "pixels": 2,
        "void_pixels": 2,
        "objects": 2,
        "void_objects": 2,
        "merged_objects": 0,
    }


def test_built_in_maps_cover_the_built_in_label_spaces():
    assert class_map_names() == ("common",)
    maps = class_maps("common")
    assert set(maps.source_names) <= set(label_space_names())
    assert set(maps.source_names) >= {
        *("kitti-step", "cityscapes", "cityscapes-vps", "motchallenge-step", "vipseg", "waymo"),
        *("bdd100k-panoptic", "bdd100k-seg-track"),
    }
    labelled = Counter()
    for name in maps.source_names:
        labelled.update({each.name for each in maps.of(label_space(name)).entries} - {None})
    assert labelled["person"] == len(maps.source_names)
    assert min(labelled[each.name] for each in maps.target.classes) >= 6
    vipseg = maps.of(label_space("vipseg"))  # void is 0 there, and person 61
    assert pairs(vipseg.apply(codes((0, 0), (61, 2)), is_truth=True)) == [(255, 0), (7, 2)]
    kitti = maps.of(KITTI)
    drawn = codes((ROAD, 0), (PERSON, 3), (CAR, 4), (12, 0), (VOID, 0))
    assert pairs(kitti.apply(drawn, is_truth=True)) == [(0, 0), (7, 3), (8, 4), (255, 0), (255, 0)]


def test_the_description_follows_the_content(tmp_path):
    first = read(tmp_path, city(road="ground")).describe()
    assert first == read(tmp_path, city(road="ground")).describe()
    assert (first["name"], first["target"]) == ("mine", "small")
    assert first["sha256"] != read(tmp_path, city(sidewalk="ground")).describe()["sha256"]
