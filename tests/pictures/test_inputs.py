import pytest

from mapt_bench.errors import ConfigError
from mapt_bench.pictures import choose_frames


@pytest.mark.parametrize(
    ("text", "at_most", "expected"),
    [
        (None, None, list(range(10))),
        ("0:3", None, [0, 1, 2]),
        (":2", None, [0, 1]),
        ("8:", None, [8, 9]),
        ("0:10:4", None, [0, 4, 8]),
        ("4,2,4", None, [2, 4]),
        ("7", None, [7]),
        (None, 4, [0, 3, 6, 9]),
        (None, 1, [0]),
        ("2:9", 2, [2, 8]),
        ("2:4", 5, [2, 3]),
    ],
)
def test_choices(text, at_most, expected):
    assert choose_frames(text, 10, at_most) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "is 'a'; expected positions from 0"),
        ("-1", "expected positions from 0"),
        ("1:2:0", "expected positions from 0"),
        ("", "expected positions from 0"),
        ("5:5", "selects no frame"),
        ("6:2", "selects no frame"),
        ("0:11", r"reaches frame 10, but the sequence has 10 frames, from 0 to 9"),
        ("3,12", "reaches frame 12"),
    ],
)
def test_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        choose_frames(text, 10, None)
