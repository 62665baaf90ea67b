"""Code in the docs: Python blocks run, commands exist, and imports are of public names."""

import ast
import re
import shlex
import subprocess
import sys

import click
import pytest
from helpers.modules import ROOT
from helpers.small_runs import walk, write_videos

import mapt_bench as mb
from mapt_bench.cli.main import main

PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").glob("*.md")),
    )
}
EXAMPLES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "examples").glob("*.py"))
}

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(mapt-bench [a-z][^`]*)`")

INTERNALS = {
    "docs/data.md": {"mapt_bench.data", "mapt_bench.labels"},  # write a reader for the package
    "docs/flow.md": {"mapt_bench.baselines.flownet2"},  # the network itself, as plain PyTorch
    "docs/model.md": {"mapt_bench.model"},  # the parts of MAPT
    "docs/motion.md": {"mapt_bench.model"},  # the motion head alone
    "docs/show.md": {"mapt_bench.pictures"},  # what the command show is made of
    "docs/statistics.md": {"mapt_bench.metrics"},  # resample measures of your own
    "docs/statistics_of_data.md": {"mapt_bench.statistics"},  # what check --statistics calls
    "docs/stress.md": {"mapt_bench.stress", "mapt_bench.synthetic"},  # stress one video
    "docs/world.md": {"mapt_bench.data.annotations", "mapt_bench.synthetic"},  # own scenes
}
"""Packages that a page imports although they are internal: it explains what is inside."""

_PYCOCOTOOLS = ("-W", "ignore:__array__ implementation doesn't:DeprecationWarning")
"""pycocotools warns about itself."""

NEEDS_TORCH = {"docs/flow.md", "docs/model.md", "docs/motion.md", "docs/training.md"}


def python_of(page):
    """Return the Python of a page on its own lines, so that errors name lines of the page."""
    kept = [""] * (page.count("\n") + 1)
    for block in _FENCED.finditer(page):
        if block[1] == "python":
            first = page.count("\n", 0, block.start(2))
            for at, line in enumerate(block[2].splitlines()):
                kept[first + at] = line
    return "\n".join(kept) + "\n"


def commands_of(page):
    """Return every ``mapt-bench`` command of a page, as words."""
    lines = [
        line
        for block in _FENCED.finditer(page)
        if block[1] == "sh"
        for line in block[2].replace("\\\n", " ").splitlines()
    ]
    lines += re.findall(r"^    (mapt-bench .*)$", page, re.MULTILINE)
    lines += _INLINE.findall(page)
    for line in lines:
        for part in re.split(r"&&|\|", line):
            words = shlex.split(part, comments=True)
            if words[:1] == ["mapt-bench"]:
                yield words[1:]


CODE = {name: python_of(page) for name, page in PAGES.items() if "```python" in page}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with what pages use: data, a prediction with results, and a synthetic world."""
    folder = tmp_path_factory.mktemp("docs")
    write_videos(folder / "data", walk(8, name="0001"), walk(6, speed=1, name="0002"))
    write_videos(folder / "runs" / "mine", walk(8, speed=1, name="0001"), walk(6, name="0002"))
    result = mb.evaluate(folder / "data", folder / "runs" / "mine")
    for name in ("baseline.json", "current.json", "runs/mine/results.json"):
        result.write(folder / name)
    words = [
        "synth",
        "--kind",
        "street",
        "--seed",
        "7",
        "--count",
        "1",
        "--frames",
        "3",
        "--flow",
        "both",
        "--out",
        "world",
    ]
    subprocess.run([sys.executable, "-m", "mapt_bench", *words], cwd=folder, check=True)
    return folder


def run(file, folder, *words):
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", *_PYCOCOTOOLS, str(file), *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", CODE)
def test_python_of_the_docs_runs(name, folder):
    if name in NEEDS_TORCH:
        pytest.importorskip("torch")
    file = folder / f"{name.replace('/', '_').removesuffix('.md')}.py"
    file.write_text(CODE[name], encoding="utf-8")
    run(file, folder)


def test_there_is_python_in_the_docs():
    assert {"README.md", "docs/metrics.md", "docs/trackers.md"} <= CODE.keys()


@pytest.mark.parametrize("name", PAGES)
def test_commands_of_the_docs_exist(name):
    for words in commands_of(PAGES[name]):
        if words[0].startswith("-"):
            continue
        command = main.get_command(click.Context(main), words[0])
        assert command is not None, words
        try:
            command.make_parser(click.Context(command)).parse_args(words[1:])
        except click.UsageError as problem:
            pytest.fail(f"{shlex.join(words)}: {problem.format_message()}")


def test_commands_are_found():
    found = list(commands_of(PAGES["README.md"]))
    assert ["conformance"] in found
    assert ["ablate", "-j", "2"] in found


def imported(code):
    """Return the modules of this package that code imports, and the public names that it uses."""
    modules, names, aliases = set(), set(), set()
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {
                each.asname or each.name for each in node.names if each.name == "mapt_bench"
            }
            modules |= {each.name for each in node.names if each.name.startswith("mapt_bench.")}
        elif isinstance(node, ast.ImportFrom) and node.module == "mapt_bench":
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("mapt_bench."):
            modules.add(node.module)
    names |= {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in aliases
    }
    return modules, names


@pytest.mark.parametrize("name", [*CODE, *EXAMPLES])
def test_docs_and_examples_import_public_names(name):
    modules, names = imported({**CODE, **EXAMPLES}[name])
    assert names <= mb.PUBLIC.keys()
    allowed = INTERNALS.get(name, set())
    outside = {each for each in modules if not any(f"{each}.".startswith(f"{a}.") for a in allowed)}
    assert not outside, f"use public names, or give a reason in INTERNALS: {sorted(outside)}"
    unused = {a for a in allowed if not any(f"{each}.".startswith(f"{a}.") for each in modules)}
    assert not unused, f"remove from INTERNALS: {sorted(unused)}"


def test_internal_imports_are_seen():
    assert imported("import mapt_bench.data as d\nfrom mapt_bench.labels import x")[0] == {
        "mapt_bench.data",
        "mapt_bench.labels",
    }
    assert imported("import mapt_bench as mb\nmb.Scorer\nx.other")[1] == {"Scorer"}


def test_the_api_page_lists_every_public_name():
    page = PAGES["docs/api.md"]
    listed = re.findall(r"^::: mapt_bench\.(?:\w+\.)*(\w+)$", page, re.MULTILINE)
    assert sorted(listed) == sorted(mb.PUBLIC)


EXAMPLES_WITH_TORCH = {"examples/own_evaluation_loop.py", "examples/train_a_little.py"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs(name, tmp_path):
    if name in EXAMPLES_WITH_TORCH:
        pytest.importorskip("torch")
    assert len(EXAMPLES[name].splitlines()) < 60
    assert f"python {name}" in ast.get_docstring(ast.parse(EXAMPLES[name]))
    assert run(ROOT / name, tmp_path).strip()


def test_there_are_five_examples():
    assert len(EXAMPLES) == 5


@pytest.mark.parametrize("name", [*PAGES, "CHANGELOG.md"])
def test_prose_has_lines_of_at_most_100_columns(name):
    """Rows of tables, pictures, and code that people copy cannot be broken."""
    text = (ROOT / name).read_text(encoding="utf-8")
    prose = re.sub(r"^(\||!\[| {4}).*$", "", _FENCED.sub("", text), flags=re.MULTILINE)
    assert [line for line in prose.splitlines() if len(line) > 100] == []


def anchors_of(page):
    """Return the anchors of a page's headings, as GitHub and mkdocs make them."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") for text in headings}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files_and_headings(name):
    folder = (ROOT / name).parent
    for link in re.findall(r"\]\(([^)\s]+)\)", _FENCED.sub("", PAGES[name])):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = folder / path if path else ROOT / name
        assert target.exists(), link
        if anchor:
            assert anchor in anchors_of(target.read_text(encoding="utf-8")), link
