"""``import mapt_bench as mb``: the public names, imported at first use."""

import ast
import importlib
import inspect
import json
import subprocess
import sys

import pytest
from helpers.modules import MODULES

import mapt_bench as mb

NAMES = sorted(mb.PUBLIC)


def run(code):
    """Run code in a fresh Python; return what it prints, read as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_package_alone_imports_no_other_package():
    loaded = run(
        "import json, sys; before = set(sys.modules); import mapt_bench;"
        "print(json.dumps([m for m in sys.modules if m not in before and '.' not in m]))"
    )
    assert "mapt_bench" in loaded
    assert {name for name in loaded if name not in sys.stdlib_module_names} == {"mapt_bench"}


def test_scoring_in_memory_needs_no_heavy_package():
    heavy = ("torch", "matplotlib", "pandas", "cv2")
    loaded = run(
        "import json, sys, mapt_bench as mb; mb.evaluate;"
        "mb.Scorer; mb.PanopticMap; mb.load_result;"
        f"print(json.dumps([m for m in {heavy} if m in sys.modules]))"
    )
    assert loaded == []


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_has_a_whole_docstring(name):
    thing = getattr(mb, name)
    assert thing is getattr(importlib.import_module(mb.PUBLIC[name]), name)
    doc = inspect.getdoc(thing)
    assert doc
    if inspect.isfunction(thing):
        given = [each for each in inspect.signature(thing).parameters if each != "report"]
        assert [each for each in given if f"    {each}: " not in doc] == []


def test_names_are_listed_and_in_order():
    listed = run("import json, mapt_bench; print(json.dumps(dir(mapt_bench)))")
    assert set(NAMES) <= set(listed)
    assert list(mb.PUBLIC) == sorted(mb.PUBLIC)
    assert set(mb.__all__) == {"__version__", *NAMES}


def test_type_checkers_see_the_same_names():
    tree = ast.parse(MODULES["mapt_bench"].read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    seen = {
        alias.name: (node.module, alias.asname)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {name: (module, name) for name, module in mb.PUBLIC.items()}


def test_no_public_name_is_a_module():
    # Importing the module would replace the public name.
    modules = {name.split(".")[1] for name in MODULES if name.count(".") >= 1}
    assert not modules & set(NAMES)


def test_a_wrong_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'evalute'"):
        mb.evalute  # noqa: B018


def test_load_mapt_names_the_extra_where_torch_is_missing():
    message = run(
        "import json, sys; sys.modules['torch'] = None; import mapt_bench as mb\n"
        "try: mb.load_mapt()\n"
        "except mb.ConfigError as problem: print(json.dumps(str(problem)))"
    )
    assert 'pip install "mapt-bench[model]"' in message
