"""What errors say, whatever the data that they quote."""

from mapt_bench.errors import DataError, nearest


def test_an_endless_word_of_the_data_is_cut():
    path = "/folder/" + "x" * 900
    error = DataError(f"unknown encoding {'y' * 70_000} in {path}")
    assert str(error) == f"unknown encoding {'y' * 100}... (70000 characters) in {path}"
    assert error.message == str(error)


def test_a_name_in_other_case_is_the_nearest():
    assert nearest("pat", ["AP", "PAT", "Pt"]).startswith("did you mean 'PAT'?")
