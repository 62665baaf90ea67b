"""Label spaces of the user's own: what a file may say, and how a mistake in it is told."""

import pytest

from mapt_bench.errors import ConfigError
from mapt_bench.labels import LabelSpace, label_space

GROUND = "{id: 0, name: ground, thing: false}"


def read(tmp_path, text):
    path = tmp_path / "my_labels.yaml"
    path.write_text(text)
    return label_space(path)


def classes(*entries, name="mine", **more):
    lines = [f"name: {name}", *(f"{key}: {value}" for key, value in more.items()), "classes:"]
    return "\n".join([*lines, *(f"  - {entry}" for entry in entries)])


def test_a_file_by_hand(tmp_path):
    sheep = "{id: 7, name: sheep, thing: true, color: [220, 20, 60]}"
    found = read(tmp_path, classes(sheep, GROUND, ignore_label=9))
    assert (found.name, found.class_ids, found.thing_ids, found.ignore_label) == (
        "mine",
        (0, 7),
        (7,),
        9,
    )
    assert found.by_name("sheep").color == (220, 20, 60)
    assert LabelSpace.from_dict(found.to_dict()) == found


def test_other_void_numbers(tmp_path):
    found = read(tmp_path, classes(GROUND, void_labels="[19, 32]"))
    assert found.void_labels == (19, 32)
    assert LabelSpace.from_dict(found.to_dict()) == found
    with pytest.raises(ConfigError, match="void_labels 0 is also the number of a class"):
        read(tmp_path, classes(GROUND, void_labels="[0]"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not valid YAML (line 1: expected the node content, but found '<stream end>')"),
        ("a: [1\nb: 2", "is not valid YAML (line 2: "),
        ("", "the label space is null; expected a mapping with the keys name, classes, ignore_"),
        ("[1]", "the label space is [1]; expected a mapping"),
        ("name: x", "the label space lacks the key 'classes'; expected a list of mappings"),
        ("name: x\nclasses: 7", "classes is 7; expected a list of mappings with the keys id, n"),
        ("classes: []", "the label space lacks the key 'name'; expected text"),
        (classes(GROUND, name="[1]"), "name is [1]; expected text"),
        (classes(GROUND, naem=1), "has an unknown key 'naem'; did you mean 'name'"),
        (classes(GROUND, ignore_label="x"), "ignore_label is 'x'; expected a whole number"),
        (classes(GROUND, "7"), "classes[1] is 7; expected a mapping"),
        (classes("{id: 0, name: ground}"), "classes[0] lacks the key 'thing'; expected true"),
        (classes("{id: 0, thing: true}"), "classes[0] lacks the key 'name'"),
        (classes("{name: a, thing: true}"), "classes[0] lacks the key 'id'"),
        (classes("{id: 0, name: a, thing: 1}"), "classes[0].thing is 1; expected"),
        (
            classes("{id: 0.5, name: a, thing: true}"),
            "classes[0].id is 0.5; expected",
        ),
        (classes("{id: null, name: a, thing: true}"), "classes[0].id is null; expected"),
        (classes("{id: 0, name: null, thing: true}"), "classes[0].name is null; expected"),
        (classes("{id: 0, name: a, thing: true, color: red}"), "classes[0].color is 'red'"),
        (classes("{id: 0, name: a, thing: true, color: [1, 2, 256]}"), "from 0 to 255"),
        (classes(GROUND, GROUND), "class numbers must be unique and ascending, and names unique"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert "Error" not in caught.value.message  # what Python calls it helps nobody
    assert caught.value.where == str(tmp_path / "my_labels.yaml")


def test_a_number_is_a_name(tmp_path):
    found = read(tmp_path, classes("{id: 0, name: 17, thing: false}", name=5))
    assert (found.name, found.classes[0].name) == ("5", "17")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"does not exist; .* or one of bdd100k-panoptic"):
        label_space(tmp_path / "none.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        label_space(tmp_path / "folder.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ConfigError, match="is not valid YAML"):
        label_space(tmp_path / "bytes.yaml")
