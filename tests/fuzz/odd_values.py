"""Values that no program writes: numbers, names, texts and JSON that a reader may not expect."""

from hypothesis import strategies as st

ODD_NUMBERS = (
    *(0, -1, 1, 2, 255, 256, 65535, 65536, 2**24 - 1, 2**24, 2**31 - 1, 2**31, 2**32, 2**53 + 1),
    *(2**63 - 1, 2**63, 2**64, 10**30, -(2**31), -(2**63), -(10**30), 10**400),
    *(0.5, -0.0, 1e-320, 1e15, 1e308, -1e308, 3.0, 1e5),
)

NUMBER_TEXTS = (
    *(
        "nan",
        "NaN",
        "inf",
        "-inf",
        "Infinity",
        "1e999",
        "-1e999",
        "0x10",
        "1_000",
        "+5",
        " 5",
        "5 ",
    ),
    *("05", "1e3", "1.", ".5", "--5", "\u0663", "\u00b2", "\uff15", "1,5", "9" * 5000, "-", ""),
)

ODD_NAMES = (
    *("", " ", ".", "..", "...", "-", "--", "-h", "a b", "a\tb", "a\nb", "a\rb", "nul", "con.png"),
    *("\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\u202egnp.exe", "\u200b", "\ufeff", "e\u0301"),
    *("\U0001f600", "\u0661\u0662", "\udcff\udcfe", "a\udcffb", "x" * 255, "\x7f", "a|b", "a,b"),
    *("=cmd|'/c calc'!A0", "+1", "@a", "[x](javascript:alert(1))", "<script>alert(1)</script>"),
    *("&amp;", '"', "'", "`", "\\", "\\input{x}", "$x$", "%s%n", "{0}", "{{7*7}}", "${HOME}", "~"),
    *("a=b", "a;b", "a:b", "*", "?", "__proto__", "null", "true", "NaN", "1e5", "000001", "1"),
)
"""Names without ``/`` and NUL, which no entry of a folder can have."""

ODD_PATHS = (
    *(".", "..", "@ROOT@/outside/kept.png", "../outside/kept.png", "../../outside/planted"),
    *("@ROOT@/outside/planted", "/proc/self/environ", "/proc/self/fd/1", "out", "x/" * 2500),
    *(
        "gt",
        "gt/0001",
        "gt/0001/000000.png",
        "missing",
        "missing/a",
        "a/../../b",
        "C:\\a",
        "file:///a",
    ),
)

ODD_TEXTS = (*ODD_NAMES, *ODD_PATHS, *NUMBER_TEXTS, "a\0b", "\ud800", "\r\n", "x" * 70_000)
"""Texts in files, which may hold anything."""


class Raw(str):
    """Text that stands in JSON as it is."""


class Pairs(list[tuple[str, object]]):
    """Members of an object in JSON. A key may occur twice."""


DEEP = ("[" * 400 + "]" * 400, "[" * 50_000, '{"a":' * 300 + "1" + "}" * 300, "[" * 70 + "]" * 70)

ODD_JSON: tuple[object, ...] = (
    *(None, True, False, [], {}, "", [[]], [None], {"": None}, [1, "a", None, {}], {"size": [1]}),
    *map(Raw, ("NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, "-0", "1E400", "0.1e-400")),
    *map(Raw, ('"\\ud800"', '"\\u0000"', "'a'", "nul", "[1,]", "{,}", "//", "")),
    *map(Raw, DEEP),
    [0] * 3000,
)

numbers = st.sampled_from(ODD_NUMBERS)
names = st.sampled_from(ODD_NAMES)
texts = st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=6))
json_values = st.one_of(st.sampled_from(ODD_JSON), numbers, texts)


def words() -> st.SearchStrategy[str]:
    """Words of a command line: what the system can hand to a process."""
    return st.one_of(
        st.sampled_from([*ODD_NAMES, *ODD_PATHS, *NUMBER_TEXTS]),
        numbers.map(str).map(lambda text: text[:300]),
    )
