"""Configuration is read strictly: a typing error is an error, with its place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest

from mapt_bench.errors import ConfigError
from mapt_bench.strict_config import from_mapping, load_yaml, overlaid, plain_value


@dataclass(frozen=True)
class Inner:
    size: float = 1.0
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Due:
    day: date


@dataclass(frozen=True)
class Outer:
    count: int
    kind: Literal["mild", "hard"] = "mild"
    place: Path | None = None
    pair: tuple[int, int] = (1, 2)
    weights: Mapping[str, float] = field(default_factory=dict)
    inner: Inner = Inner()

    def __post_init__(self):
        if self.count < 0:
            raise ConfigError(f"count is {self.count}; expected 0 or more")


def test_a_mapping_becomes_a_dataclass():
    found = from_mapping(
        Outer,
        {
            "count": 3,
            "kind": "hard",
            "place": "a/b",
            "pair": [3, 4],
            "weights": {"x": 2},
            "inner": {"size": "1e-4", "names": ["n"]},
        },
    )
    inner = Inner(1e-4, ("n",))
    assert found == Outer(3, "hard", Path("a/b"), (3, 4), {"x": 2.0}, inner)
    assert from_mapping(Outer, {"count": 3, "place": None}) == Outer(3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "the plan is []; expected a mapping with the keys count, kind"),
        ({"count": 1, "conut": 2}, "the plan has an unknown key 'conut'; did you mean 'count'"),
        ({"count": 1, "inner": {"siez": 1}}, "unknown key 'inner.siez'; did you mean 'inner.size'"),
        ({"count": 1, "inner": 3}, "inner is 3; expected a mapping with the keys size, names"),
        ({}, "the plan lacks the key 'count'; expected a whole number"),
        ({"count": 1.5}, "count is 1.5; expected a whole number"),
        ({"count": True}, "count is true; expected a whole number"),
        ({"count": None}, "count is null; expected a whole number"),
        ({"count": -1}, "count is -1; expected 0 or more"),
        ({"count": 1, "kind": "hrad"}, "kind is 'hrad'; did you mean 'hard'"),
        ({"count": 1, "place": 3}, "place is 3; expected a path"),
        ({"count": 1, "pair": [1]}, "pair is [1]; expected a list of 2 numbers"),
        ({"count": 1, "pair": [1, "x"]}, "pair is 'x'; expected a whole number"),
        ({"count": 1, "weights": [1]}, "weights is [1]; expected a mapping"),
        ({"count": 1, "weights": {"x": "y"}}, "weights.x is 'y'; expected a number"),
        ({"count": 1, "inner": {"names": "n"}}, "inner.names is 'n'; expected a list of values"),
    ],
)
def test_a_mistake_is_named_with_its_place(data, message):
    with pytest.raises(ConfigError) as caught:
        from_mapping(Outer, data, what="the plan", where="my.yaml")
    assert message in caught.value.message
    assert caught.value.where == "my.yaml"


def test_a_key_that_occurs_twice_is_refused_at_any_depth():
    for text in ("a: 1\nb: 2\na: 3", "a: {b: 1}\nc: {d: 1, e: 2, d: 1}", '{"a": 1, "a": 1}'):
        with pytest.raises(ConfigError, match=r"line \d: key '[ad]' occurs twice; keep one"):
            load_yaml(text, where="my.yaml")
    assert load_yaml("a: {b: 1}\nc: {b: 1}") == {"a": {"b": 1}, "c": {"b": 1}}


def test_yaml_with_anchors_and_merges_is_read():
    assert load_yaml("a: &a {b: 1}\nc: {<<: *a, d: 2}")["c"] == {"b": 1, "d": 2}


@pytest.mark.parametrize("text", ["{", "a: [1", "? [1]\n: 2", "a: !!python/object:os.system x"])
def test_what_is_not_yaml_is_told_on_one_line(text):
    with pytest.raises(ConfigError, match="is not valid YAML") as caught:
        load_yaml(text, where="my.yaml")
    assert "\n" not in caught.value.message


def test_values_of_the_command_line():
    assert [plain_value(text, what="x") for text in ("1", "[1, a]", "false", "x")] == [
        *(1, [1, "a"], False, "x"),
    ]
    with pytest.raises(ConfigError, match="the value of --set a=\\[ is not valid YAML"):
        plain_value("[", what="--set a=[")


def test_changes_are_laid_over_section_by_section():
    base = {"a": {"b": 1, "c": 2}, "d": 3}
    assert overlaid(base, {"a": {"b": 4}, "d": {"e": 5}}) == {"a": {"b": 4, "c": 2}, "d": {"e": 5}}
    assert base == {"a": {"b": 1, "c": 2}, "d": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 5000, "nested too deeply"),
        ("[" * 61 + "]" * 61, "nested too deeply"),
        ("a: &a [*a]", "recursive"),
        ("a: &a {b: *a}", "recursive"),
        ("a: .nan", "has the number nan"),
        ("a: [-.inf]", "has the number -inf"),
        ("9" * 5000, "digits"),
        ("1" + "0" * 30, "more than 64 bits"),
        (r'a: "\ud800"', "half of a character"),
    ],
)
def test_yaml_that_no_setting_needs_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        load_yaml(text, where="my.yaml")


def test_references_that_repeat_values_without_end_are_refused():
    lines = ["a: &a [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]" for a, b in pairwise("abcdefgh")]
    with pytest.raises(ConfigError, match="more than 1000000 values"):
        load_yaml("\n".join(lines))


def test_dates_are_text_unless_a_date_is_wanted():
    assert load_yaml("a: 2027-01-31") == {"a": "2027-01-31"}
    assert load_yaml("2027-01-31 10:00:00: 1") == {"2027-01-31 10:00:00": 1}
    assert from_mapping(Due, load_yaml("day: 2027-01-31")) == Due(date(2027, 1, 31))
    with pytest.raises(ConfigError, match="day is '2027-13-31'; expected a date"):
        from_mapping(Due, load_yaml("day: 2027-13-31"))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", float("nan"), float("inf")])
def test_numbers_are_finite(value):
    with pytest.raises(ConfigError, match=r"inner\.size is .*; expected a finite number"):
        from_mapping(Outer, {"count": 1, "inner": {"size": value}})


def test_a_path_has_no_nul():
    with pytest.raises(ConfigError, match=r"place is 'a\\x00b'; expected a path"):
        from_mapping(Outer, {"count": 1, "place": "a\0b"})
