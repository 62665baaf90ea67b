import hashlib

import pytest

from mapt_bench.errors import DataError
from mapt_bench.files import file_sha256


def test_a_file_is_known_by_its_contents(tmp_path):
    path = tmp_path / "some.bin"
    path.write_bytes(b"abc")
    assert file_sha256(path) == hashlib.sha256(b"abc").hexdigest()


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="No such file") as refusal:
        file_sha256(tmp_path / "gone.bin")
    assert refusal.value.where == str(tmp_path / "gone.bin")
