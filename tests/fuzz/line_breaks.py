"""Breaks of text in lines of fields: MOTS text, ``seqinfo.ini``, run lengths."""

from hypothesis import strategies as st

from tests.fuzz.byte_breaks import break_bytes
from tests.fuzz.odd_values import texts

_RUN_LENGTHS = (
    *(
        "",
        "0",
        "1",
        "o",
        "oooooooo",
        "ooooooo0",
        "_" * 20,
        "P",
        "PPPP",
        "0" * 1000,
        "/",
        "p",
        "1" * 5000,
    ),
    *("T;\u00e9", "\\0", "n1n1", "XYZ", "0O", "oooo?", "kkkkkk7", "5" * 70_000, "QQQQQQQ0", "a b"),
)


def break_lines(draw, data: bytes) -> tuple[bytes, str]:
    lines = data.decode("utf-8", "replace").split("\n")
    at = draw(st.integers(0, min(len(lines), 60) - 1))
    choice = draw(st.integers(0, 7))
    fields = lines[at].split(" ")
    if choice <= 2:
        place = draw(st.integers(0, len(fields) - 1))
        fields[place] = draw(texts)
        lines[at] = " ".join(fields)
    elif choice == 3:  # run lengths stand last
        fields[-1] = draw(st.sampled_from(_RUN_LENGTHS))
        lines[at] = " ".join(fields)
    elif choice == 4:
        lines.insert(at, lines[at])
    elif choice == 5:
        lines[at] = " ".join(draw(st.permutations(fields[:6])))
    elif choice == 6:
        lines[at] = draw(
            st.sampled_from(["\t".join(fields), lines[at] + " x", lines[at] * 2000, "#"])
        )
    else:
        return break_bytes(draw, data)
    return "\n".join(lines).encode("utf-8", "surrogatepass"), "lines"
