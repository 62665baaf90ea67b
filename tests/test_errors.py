"""What errors say, whatever the data that they quote."""

import pytest

from mapt_bench.errors import ConfigError, DataError, nearest, whole_numbers


def test_an_endless_word_of_the_data_is_cut():
    path = "/folder/" + "x" * 900
    error = DataError(f"unknown encoding {'y' * 70_000} in {path}")
    assert str(error) == f"unknown encoding {'y' * 100}... (70000 characters) in {path}"
    assert error.message == str(error)


def test_a_name_in_other_case_is_the_nearest():
    assert nearest("pat", ["AP", "PAT", "Pt"]).startswith("did you mean 'PAT'?")


@pytest.mark.parametrize("text", ["", "1,", "1,,2", "-1", "1.5", "²", "٣", "1_0"])
def test_a_list_with_another_word_than_a_number_is_refused(text):
    assert whole_numbers("--pair", "1, 02", "frames") == (1, 2)
    with pytest.raises(ConfigError, match=r"^--pair is .*; expected frames$"):
        whole_numbers("--pair", text, "frames")
