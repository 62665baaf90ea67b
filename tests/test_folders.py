"""Output folders that are complete or absent, and never at the expense of other folders."""

import os
import shutil

import pytest

from mapt_bench.errors import ConfigError
from mapt_bench.folders import folder_when_complete


def write(folder, fails=False):
    """Write a folder, perhaps in vain, and return the temporary folder."""
    with folder_when_complete(folder) as beside:
        (beside / "a.txt").write_text("a")
        if fails:
            raise ZeroDivisionError
    return beside


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_it_is_there_when_complete(tmp_path):
    write(tmp_path / "out")
    assert tree(tmp_path) == ["out", "out/a.txt"]


def test_nothing_is_left_of_a_failure(tmp_path):
    with pytest.raises(ZeroDivisionError):
        write(tmp_path / "out", fails=True)
    assert tree(tmp_path) == []


def test_what_a_killed_command_left_is_replaced(tmp_path):
    left = write(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    (left / "half").mkdir(parents=True)
    write(tmp_path / "out")
    assert tree(tmp_path) == ["out", "out/a.txt"]


def test_what_is_left_beside_a_finished_folder_is_removed(tmp_path):
    left = write(tmp_path / "out").parent
    left.mkdir()
    with pytest.raises(ConfigError, match="is not empty"):
        write(tmp_path / "out")
    assert tree(tmp_path) == ["out", "out/a.txt"]


@pytest.mark.parametrize("kind", ["folder", "link", "file", "link inside"])
def test_what_has_the_name_of_the_temporary_folder_stays(tmp_path, kind):
    taken = tmp_path / ".out.unfinished"
    precious = taken if kind == "folder" else tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("t")
    if kind == "link":
        taken.symlink_to(precious)
    elif kind == "file":
        taken.write_text("t")
    elif kind == "link inside":
        taken.mkdir()
        (taken / "unfinished-output").symlink_to(precious)
    before = tree(tmp_path)
    with pytest.raises(ConfigError, match="was not made by it") as caught:
        write(tmp_path / "out")
    assert caught.value.where == str(taken)
    assert tree(tmp_path) == before
    assert os.path.lexists(taken)
