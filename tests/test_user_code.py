import importlib
import sys

import pytest

from mapt_bench.errors import ConfigError
from mapt_bench.user_code import attribute_of, source_files, source_fingerprint


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A module of the user, and what it imports at the top, inside a function, and relatively."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"user_{tmp_path.name}".replace("-", "_")
    folder = tmp_path / name
    (folder / "deep").mkdir(parents=True)
    files = {
        "__init__.py": "",
        "main.py": "import json\nimport numpy\nfrom . import near\n"
        "def late():\n    from .deep import inner\n",
        "near.py": "try:\n    import not_installed_either\nexcept ImportError: pass\n",
        "deep/__init__.py": "",
        "deep/inner.py": f"from {name}.near import nothing\n",
        "unused.py": "x = 1\n",
    }
    for place, text in files.items():
        (folder / place).write_text(text)
    yield name, folder
    for loaded in [each for each in sys.modules if each.partition(".")[0] == name]:
        del sys.modules[loaded]


def fingerprint(name):
    """As a new process would take it."""
    importlib.invalidate_caches()
    for loaded in [each for each in sys.modules if each.partition(".")[0] == name]:
        del sys.modules[loaded]
    importlib.import_module(f"{name}.main")
    return source_fingerprint(f"{name}.main")


def test_the_closure_of_a_module(package):
    name, _ = package
    found = {each.removeprefix(name) for each in source_files(f"{name}.main")}
    assert found == {"", ".main", ".near", ".deep", ".deep.inner"}


@pytest.mark.parametrize("place", ["main.py", "near.py", "deep/inner.py", "__init__.py"])
def test_code_of_the_closure_counts(package, place):
    name, folder = package
    before = fingerprint(name)
    (folder / place).write_text((folder / place).read_text() + "\ny = 2\n")
    assert fingerprint(name) != before


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("unused.py", "x = 2\n"),
        (
            "main.py",
            '"""Words."""\nimport json # w\nimport numpy\nfrom . import near\n'
            'def late():\n    "More."\n    from .deep import inner\n',
        ),
    ],
)
def test_other_files_comments_and_docstrings_do_not(package, place, text):
    name, folder = package
    before = fingerprint(name)
    (folder / place).write_text(text)
    assert fingerprint(name) == before


def test_a_process_keeps_the_fingerprint_of_the_code_that_it_imported(package):
    name, folder = package
    before = fingerprint(name)
    (folder / "main.py").write_text("z = 3\n")
    assert source_fingerprint(f"{name}.main") == before


def test_code_that_lies_nowhere_has_no_fingerprint(monkeypatch):
    monkeypatch.setitem(sys.modules, "made_up", type(sys)("made_up"))
    with pytest.raises(ConfigError, match="source of module 'made_up' is not found"):
        source_fingerprint("made_up")


def test_code_of_this_package_that_is_imported_counts_and_that_of_others_does_not(package):
    name, folder = package
    (folder / "main.py").write_text("import numpy\nfrom mapt_bench.errors import DataError\n")
    found = set(source_files(f"{name}.main"))
    assert "mapt_bench.errors" in found
    assert not any(each.startswith("numpy") for each in found)


@pytest.mark.parametrize(
    "text",
    [
        "import mapt_bench as mb\nx = mb.FrameSegments\n",
        "import mapt_bench\nx = mapt_bench.FrameSegments\n",
        "from mapt_bench import FrameSegments as Kept\n",
    ],
)
def test_public_names_count_by_what_is_behind_them(package, text):
    name, folder = package
    (folder / "main.py").write_text(text)
    found = set(source_files(f"{name}.main"))
    assert {"mapt_bench", "mapt_bench.tracking.protocol"} <= found
    assert not {each for each in found if each.startswith("mapt_bench.experiments")}


def test_names_of_others_are_not_public_names(package):
    name, folder = package
    (folder / "main.py").write_text("import json as mb\nx = lambda: mb.evaluate\n")
    assert "mapt_bench" not in set(source_files(f"{name}.main"))


def test_the_current_folder_is_searched_last(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place not in ("", ".")])
    (tmp_path / f"last_{tmp_path.name.replace('-', '_')}.py").write_text("found = 1\n")
    name = next(tmp_path.glob("last_*.py")).stem
    assert attribute_of(f"{name}:found", kind="tracker", form="module:Class") == 1
    assert sys.path.index(str(tmp_path)) == len(sys.path) - 1
    del sys.modules[name]
