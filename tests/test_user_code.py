import asyncio
import importlib
import sys

import pytest

from mapt_bench.errors import ConfigError, text_of
from mapt_bench.faults import full_disk
from mapt_bench.user_code import (
    EarlyExitError,
    UnusualError,
    attribute_of,
    failure_of,
    running,
    source_files,
    source_fingerprint,
)
from mapt_bench.workers.processes import WorkerEnd


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


class Own(BaseException):
    pass


class SilentError(Exception):
    def __str__(self):
        raise ValueError("inner")


class WordlessError(Exception):
    def __str__(self):
        return None


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (asyncio.CancelledError("late"), "CancelledError: late"),
        (GeneratorExit(), "GeneratorExit: no message"),
        (Own("mine"), "Own: mine"),
    ],
)
def test_what_is_no_exception_becomes_one(problem, message):
    with pytest.raises(UnusualError) as caught, running():
        raise problem
    assert failure_of(caught.value).startswith(message)
    assert caught.value.__cause__ is problem


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), WorkerEnd(143), ValueError("x")])
def test_ctrl_c_and_the_end_of_a_worker_pass(problem):
    with pytest.raises(type(problem)), running():
        raise problem


def test_sys_exit_becomes_an_exception():
    with pytest.raises(EarlyExitError), running():
        sys.exit(3)


@pytest.mark.parametrize(
    ("kind", "found"), [(SilentError, "ValueError"), (WordlessError, "TypeError")]
)
def test_an_exception_may_have_no_text(kind, found):
    told = f"its text is unknown, because its __str__ raised {found}"
    assert text_of(kind()) == told
    assert failure_of(kind()) == f"{kind.__name__}: {told}"
    assert full_disk(kind()) is None


def test_attributes_of_exceptions_may_be_anything():
    class OddError(Exception):
        @property
        def errno(self):
            return {}  # cannot be looked up in a set

        @property
        def filename(self):
            raise ValueError("no name")

    assert full_disk(OddError()) is None
    assert full_disk(OddError("No space left on device")).where is None


def test_the_current_folder_may_be_gone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(ValueError, match="lost") as caught, running():
        raise ValueError("lost")
    assert failure_of(caught.value).startswith("ValueError: lost (")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import pytest\npytest.skip('no gpu', allow_module_level=True)\n", "Skipped: no gpu"),
        ("raise GeneratorExit\n", "cannot be imported: GeneratorExit: no message"),
        ("def __getattr__(name):\n    raise ValueError(name)\n", "cannot be read: ValueError: x"),
    ],
)
def test_a_module_that_raises_is_named(tmp_path, monkeypatch, text, message):
    monkeypatch.syspath_prepend(tmp_path)
    name = f"raises_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(text)
    with pytest.raises(ConfigError, match=message):
        attribute_of(f"{name}:x", kind="tracker", form="module:Class")
    sys.modules.pop(name, None)
