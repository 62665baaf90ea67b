from helpers.memory import peak_mb
from hypothesis import given
from hypothesis import strategies as st

from mapt_bench.data.matching import match_by_suffix
from mapt_bench.errors import DataError

PATHS = st.lists(
    st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map(tuple), unique=True, max_size=6
)


def common(left, right):
    length = 0
    while length < min(len(left), len(right)) and left[-1 - length] == right[-1 - length]:
        length += 1
    return length


def by_comparing_all(left, right):
    """The partners by the definition, or None for a tie."""
    partner = {}
    for length in range(4, 0, -1):
        pairs = [
            (a, b)
            for a in left
            for b in right
            if a not in partner and b not in partner.values() and common(a, b) == length
        ]
        if len({a for a, _ in pairs}) < len(pairs) or len({b for _, b in pairs}) < len(pairs):
            return None
        partner.update(pairs)
    return partner


@given(left=PATHS, right=PATHS)
def test_paths_match_as_if_all_were_compared(left, right):
    try:
        found = match_by_suffix(left, right, where="here")
    except DataError:
        found = None
    assert found == by_comparing_all(left, right)


MANY = """
from mapt_bench.data.matching import match_by_suffix
names = [("val", f"{number:05d}") for number in range(20_000)]
assert match_by_suffix(names, [name[1:] for name in names], where="here")[names[7]] == ("00007",)
"""


def test_memory_follows_the_number_of_sequences():
    assert peak_mb(MANY) < 200
