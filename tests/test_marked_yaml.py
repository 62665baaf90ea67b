"""YAML with positions: every trap is refused with its line and column."""

import pytest

from mapt_bench.errors import ConfigError
from mapt_bench.marked_yaml import Places, overlaid_nodes, read_marked, with_variables


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def read_text(text, name="a.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_marked(path.relative_to(tmp_path))

    return read_text


def test_every_value_and_key_has_its_place(read):
    node = read('a: 1\nb:\n  - x\n  - {c: true, d: "2"}\ne: 1.5\nf:\n')
    assert node.plain() == {"a": 1, "b": ["x", {"c": True, "d": "2"}], "e": 1.5, "f": None}
    places = Places(node)
    assert places.of("a") == "a.yaml, line 1, column 4"
    assert places.of("b[1].d") == "a.yaml, line 4, column 18"
    assert places.of("b[1].d", is_key=True) == "a.yaml, line 4, column 15"
    assert places.of("b[7].x") == "a.yaml, line 3, column 3"  # the nearest value around it
    assert str(places) == "a.yaml"


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: 1\na: 2\n", "line 2, column 1", "the key 'a' occurs twice; keep one"),
        ("a:\n\tb: 1\n", "line 2, column 1", "there is a tab where YAML expects spaces"),
        ("a: !!python/object/apply:os.system [ls]\n", "line 1, column 4", "the tag .* remove it"),
        ("a: !mine 3\n", "line 1, column 4", "the tag !mine is not allowed"),
        ("a: !!binary aGk=\n", "line 1, column 4", "the tag !!binary is not allowed"),
        ("a: 2027-01-31\n", "line 1, column 4", "YAML reads 2027-01-31 as a date; quote it"),
        ("a: {b: 1}\nc: {<<: {d: 2}}\n", "line 2, column 5", "merge key << is not allowed"),
        ("a: &x [*x]\n", "line 1, column 4", "an alias refers to a value that contains it"),
        ("a: *x\n", "line 1, column 4", "no anchor for the alias 'x'; define it first"),
        (BOMB, "line 1", "more than 100,000 values, counted with its aliases"),
        ("[" * 21 + "]" * 21, "", "holds no mapping; expected a mapping"),
        ("a: " + "[" * 30 + "]" * 30, "line 1", "is nested deeper than 20 levels"),
        ("a: " + "[" * 5000 + "]" * 5000, "", "is nested deeper than 20 levels"),
        ("a: 1\n---\nb: 2\n", "line 2", "a second document begins"),
        ("a: [1\n", "line 2", "is not valid YAML"),
        ("a: .nan\n", "line 1, column 4", "no finite number"),
        ("? [1]\n: 2\n", "line 1, column 3", "a key is no text"),
        ("", "", "is empty; expected a mapping"),
        (b"a: \xff\n", "", r"is not text in UTF-8 \(byte 3\)"),
        (b"a: \x00\n", "", "is not valid YAML"),
        (b"#" * 1_000_001, "", "more than 1,000,000 bytes"),
    ],
)
def test_traps_are_refused_at_their_place(read, text, place, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read(text)
    assert caught.value.where.startswith("a.yaml")
    assert place in caught.value.where


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be read \(No such file") as caught:
        read_marked(tmp_path / "none.yaml")
    assert caught.value.where == str(tmp_path / "none.yaml")


def test_aliases_within_bounds_are_read(read):
    assert read("a: &x [1, 2]\nb: *x\n").plain() == {"a": [1, 2], "b": [1, 2]}


def test_variables_take_the_type_of_their_value(read):
    node = read('a: ${n}\nb: "${n}"\nc: x-${n}-${s}\nd: $${n}\ne: [{f: "${s}"}]\ng: ${t}\n')
    used = set()
    filled = with_variables(node, {"n": "3", "s": "y", "t": True}, used)
    assert filled.plain() == {
        "a": 3,
        "b": "3",
        "c": "x-3-y",
        "d": "${n}",
        "e": [{"f": "y"}],
        "g": True,
    }
    assert used == {"n", "s", "t"}
    with pytest.raises(ConfigError, match=r"\$\{n\} has no value; give --var n=VALUE.*there are"):
        with_variables(node, {}, set())
    with pytest.raises(ConfigError, match="known: m, s") as caught:
        with_variables(node, {"m": 1, "s": 2}, set())
    assert caught.value.where == "a.yaml, line 1, column 4"


def test_a_document_over_another_keeps_both_places(read):
    below, above = read("a: 1\nb: {c: 2, d: [1]}\n"), read("b: {d: [2]}\n", "b.yaml")
    both = overlaid_nodes(below, above)
    assert both.plain() == {"a": 1, "b": {"c": 2, "d": [2]}}
    places = Places(both)
    assert places.of("b.c") == "a.yaml, line 2, column 8"
    assert places.of("b.d[0]") == "b.yaml, line 1, column 9"
