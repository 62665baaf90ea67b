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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not valid YAML (line 1: expected the node content, but found '<stream end>')"),
        ("a: [1\nb: 2", "is not valid YAML (line 2: "),
        ("", "the label space is None; expected a mapping with the keys classes, ignore_label"),
        ("[1]", "the label space is [1]; expected a mapping"),
        ("name: x", "it has no 'classes'; expected a list of classes"),
        ("name: x\nclasses: 7", "'classes' is 7; expected a list of classes"),
        ("classes: []", "the label space has no 'name'; expected text"),
        (classes(GROUND, name="[1]"), "'name' of the label space is [1]; expected text"),
        (classes(GROUND, naem=1), "has an unknown key 'naem'; did you mean 'name'"),
        (classes(GROUND, ignore_label="x"), "'ignore_label' of the label space is 'x'; expected a"),
        (classes(GROUND, "7"), "class 2 of the list is 7; expected a mapping"),
        (classes("{id: 0, name: ground}"), "class 1 of the list has no 'thing'; expected true or"),
        (classes("{id: 0, thing: true}"), "class 1 of the list has no 'name'"),
        (classes("{name: a, thing: true}"), "class 1 of the list has no 'id'"),
        (classes("{id: 0, name: a, thing: 1}"), "'thing' of class 1 of the list is 1; expected"),
        (
            classes("{id: 0.5, name: a, thing: true}"),
            "'id' of class 1 of the list is 0.5; expected",
        ),
        (classes("{id: null, name: a, thing: true}"), "'id' of class 1 of the list is None"),
        (classes("{id: 0, name: null, thing: true}"), "'name' of class 1 of the list is None"),
        (classes("{id: 0, name: a, thing: true, color: red}"), "'color' of class 1 of the list is"),
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


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"does not exist; expected .* or one of cityscapes"):
        label_space(tmp_path / "none.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        label_space(tmp_path / "folder.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ConfigError, match="is not valid YAML"):
        label_space(tmp_path / "bytes.yaml")
