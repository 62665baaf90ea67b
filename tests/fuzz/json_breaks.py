"""Breaks of JSON, JSON lines and YAML in their grammar."""

import json

from hypothesis import strategies as st

from tests.fuzz.byte_breaks import break_bytes
from tests.fuzz.odd_values import Pairs, Raw, json_values, texts


def written(value: object) -> str:
    """Write JSON with repeated keys and raw text, which the standard module refuses."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Pairs):
        return "{" + ", ".join(f"{json.dumps(k)}: {written(v)}" for k, v in value) + "}"
    if isinstance(value, dict):
        return written(Pairs((str(key), part) for key, part in value.items()))
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**300:
        return "1" + "0" * 400
    return json.dumps(value)


def _members(value: object) -> list[tuple[object, object]]:
    if isinstance(value, Pairs):
        return list(value)
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _with(value, place, new):
    """Return a container with another member, or with more or fewer."""
    if isinstance(value, list) and not isinstance(value, Pairs):
        return [new if at == place else part for at, part in enumerate(value)]
    return Pairs(
        (key, new if at == place else part) for at, (key, part) in enumerate(_members(value))
    )


def break_value(draw, value: object) -> object:
    """Change one part of a value, at any depth: as likely near the root as in a leaf."""
    members = _members(value)
    if not members or draw(st.integers(0, 5)) == 0:
        return _changed(draw, value)
    place = draw(st.integers(0, min(len(members), 40) - 1))
    return _with(value, place, break_value(draw, members[place][1]))


def _changed(draw, value):
    members = _members(value)
    choice = draw(st.integers(0, 5 if members else 1))
    if choice <= 1:
        return draw(json_values)
    at = draw(st.integers(0, min(len(members), 40) - 1))
    is_list = isinstance(value, list) and not isinstance(value, Pairs)
    if choice == 2:  # without a member
        rest = members[:at] + members[at + 1 :]
        return [part for _, part in rest] if is_list else Pairs(rest)
    if choice == 3:  # a member twice
        again = [*members, members[at]]
        return [part for _, part in again] if is_list else Pairs(again)
    if choice == 4:  # one more member, or a key of another name
        if is_list:
            return [*value, draw(json_values)]
        return Pairs([*members, (draw(texts), draw(json_values))])
    if is_list:  # the wrong order, or one member only
        return draw(st.sampled_from([value[::-1], value[:1], value * 3]))
    return Pairs(
        (draw(texts) if place == at else key, part) for place, (key, part) in enumerate(members)
    )


def break_json(draw, data: bytes) -> tuple[bytes, str]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return break_bytes(draw, data)
    text = written(break_value(draw, value))
    return _encoded(draw, text), "json"


def break_json_lines(draw, data: bytes) -> tuple[bytes, str]:
    lines = data.decode("utf-8", "replace").splitlines()
    try:
        values = [json.loads(line) for line in lines]
    except (ValueError, RecursionError):
        return break_bytes(draw, data)
    if not values:
        return break_bytes(draw, data)
    broken = _members(break_value(draw, values[:40]) if len(values) < 40 else values)
    return "\n".join(written(part) for _, part in broken).encode(
        "utf-8", "surrogatepass"
    ), "json lines"


def _encoded(draw, text: str) -> bytes:
    form = draw(st.sampled_from(["utf-8"] * 12 + ["utf-8-sig", "utf-16", "latin-1"]))
    return text.encode(form, "replace")


_YAML = (
    *("a: &a [*a]", "a: &a {b: *a}", "!!python/object/apply:os.system ['touch executed']"),
    *(
        "!!python/name:os.system",
        "a: !!binary '===='",
        "a: !!set {b}",
        "a: !!omap [b: 1]",
        "? [a]\n: b",
    ),
    *(
        "a: 2027-01-31",
        "a: 12:30:45",
        "a: 0b2",
        "a: 1_0",
        "a: .inf",
        "a: .nan",
        "a: yes",
        "a: ~",
        "<<: 3",
    ),
    *(
        "<<: {a: 1}",
        "<<: [*x]",
        "a: |\n  b\n c",
        "\ta: b",
        "%YAML 9.9\n---\n",
        "---\na: b\n---\nc: d",
        "a: b: c",
    ),
    "a: &x [1,1,1,1,1,1,1,1]\nb: &y [*x,*x,*x,*x,*x,*x,*x,*x]\nc: &z [*y,*y,*y,*y,*y,*y,*y,*y]\n"
    "d: &w [*z,*z,*z,*z,*z,*z,*z,*z]\ne: &v [*w,*w,*w,*w,*w,*w,*w,*w]\nf: &u [*v,*v,*v,*v,*v,*v]\n"
    "g: [*u,*u,*u,*u,*u,*u,*u,*u,*u]",
)


def break_yaml(draw, data: bytes) -> tuple[bytes, str]:
    """Break YAML. Valid files of the fuzzer are written as JSON, which is a part of YAML."""
    if draw(st.integers(0, 3)) == 0:
        line = draw(st.sampled_from(_YAML))
        text = data.decode("utf-8", "replace")
        try:
            plain = "\n".join(f"{key}: {written(part)}" for key, part in _members(json.loads(text)))
        except (ValueError, RecursionError):
            plain = text
        return f"{plain}\n{line}\n".encode("utf-8", "replace"), "yaml"
    return break_json(draw, data)
