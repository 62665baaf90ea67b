"""Names from data are shown as text in every format, whatever characters they have."""

import csv
import io
import json
import re
import shutil
import tempfile
import unicodedata
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from helpers.commands import write_two_walks
from helpers.results import evaluation, evaluations
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mapt_bench.cli import main
from mapt_bench.compare import GateRules, Limit, compare_results
from mapt_bench.errors import printable
from mapt_bench.report.page import read_parts, render_report
from mapt_bench.reports.gate_formats import (
    github_annotations,
    gitlab_report,
    junit_report,
    markdown_comment,
)
from mapt_bench.reports.table_formats import render_table
from mapt_bench.reports.tables import Column, Table

FRAGMENTS = (
    *("[x](javascript:alert(1))", "![x](javascript:1)", "[x]: javascript:1", "<javascript:x>"),
    *("<script>alert(1)</script>", "<b>", "&lt;", "&amp;", "`", "``", "~~", "**", "_a_", "|", "\\"),
    *("=1+1", "+1", "-1", "@SUM(A1)", "-", "=", "\t=1", '"', "'", ",", ";", "]]>", "::error::"),
    *(
        "\x1b[31m",
        "\x1b]0;title\x07",
        "\x9b31m",
        "\r",
        "\n",
        "\r\n",
        "\b",
        "\x00",
        "\x7f",
        "\u2028",
    ),
    *("\u202e", "\u2066", "\u200f", "\ufeff", "\u0085", "\udcff", "\ue000", "%0A", "%", "$x$", "#"),
    *("{", "}", "^", "a", "sort", " ", "é", "日本", "0001", "]", "(", "[", "- ", "1. ", "# "),
)
NAMES = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=4), min_size=1, max_size=5).map(
    "".join
)

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[*HealthCheck])

_CONTROLS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def assert_no_controls(text, allowed="\n"):
    found = {each for each in text if unicodedata.category(each) in _CONTROLS} - {*allowed}
    assert not found, ascii(found)


def table_of(name):
    return Table(
        title=f"title {name}",
        columns=(Column(name), Column("PQ", "percent"), Column("note")),
        rows=((name, 0.5, name), ("plain", -0.25, "-0.5")),
        footnotes=(f"note {name}",),
    )


@given(NAMES)
@example("=1+1")
@example("'=1+1")
@example("-")
def test_csv_has_text_and_no_formula(name):
    text = render_table(table_of(name), "csv")
    assert_no_controls(text)
    heading, first, second = csv.reader(io.StringIO(text))
    assert second == ["plain", "-25.0", "-0.5"]
    assert first[1] == "50.0"
    for cell in (heading[0], first[0], first[2]):
        shown = cell[1:] if cell[:2] in ("'=", "'+", "'-", "'@") else cell
        assert printable(name) in (cell, shown)
        if cell.startswith(("=", "+", "-", "@")):
            assert re.fullmatch(r"[+-]\s*[\d_.]+(e[+-]?\d+)?\s*", cell, re.IGNORECASE), cell


def inline_of(text):
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    return tokens, [child for token in tokens for child in token.children or ()]


MARKUP = ("link_open", "image", "html_inline", "code_inline", "em_open", "s_open")


@given(NAMES)
@example("[x](javascript:alert(1))")
@example("[x]\n: y")
def test_markdown_has_one_table_and_no_markup_of_names(name):
    text = render_table(table_of(name), "markdown")
    assert_no_controls(text)
    tokens, children = inline_of(text)
    kinds = [token.type for token in tokens]
    assert kinds.count("table_open") == 1
    assert kinds.count("tr_open") == 3
    assert not {*kinds} & {"html_block", "heading_open", "fence", "code_block", "list_item_open"}
    assert not {child.type for child in children} & {*MARKUP}
    cells = [token for token in tokens if token.type == "inline"]
    plain = ["".join(child.content for child in token.children) for token in cells]
    assert printable(name).strip() in [cell.strip() for cell in plain]


_LATEX_ESCAPES = re.compile(
    r"\\textbackslash\{\}|\\text(?:asciitilde|asciicircum|less|greater|bar|asciigrave)\{\}"
    r"|\\texttt\{\\char34\}|\\[{}&%$#_]|\$\\(?:to|tau|times|Delta)\$|\{\}"
)


@given(NAMES)
def test_latex_has_no_command_of_names(name):
    lines = render_table(table_of(name), "latex").splitlines()
    (row,) = [line for line in lines if r" & \textbf{50.00} & " in line or " & 50.00 & " in line]
    first, _, last = re.split(
        r"(?<!\\) & ", row.removeprefix("    ").removesuffix(r" \\"), maxsplit=2
    )
    for cell in (first, last):
        assert not re.search(r"[\\{}&%$#_^~]", _LATEX_ESCAPES.sub("", cell)), cell
    assert_no_controls("\n".join(lines))


@given(NAMES)
def test_text_has_a_line_for_each_row(name):
    text = render_table(table_of(name), "text")
    assert_no_controls(text)
    assert len(text.splitlines()) == len(render_table(table_of("x"), "text").splitlines())


def comparison_of(name):
    before = evaluations(evaluation(name), evaluation("plain"))
    after = evaluations(
        evaluation(name, shift=-0.1), evaluation("plain"), evaluation(f"new {name}")
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "before.json", Path(folder) / "after.json"]
        for path, data in zip(paths, (before, after), strict=True):
            path.write_text(json.dumps(data))
        rules = GateRules((Limit.of_option("max-drop", "PAT=0.5"),), (), ())
        return compare_results(*paths, rules=rules, today=date(2026, 1, 1)).to_dict()


@FEW
@given(NAMES.filter(str.strip))
def test_formats_of_the_gate(name):
    comparison = comparison_of(name)
    junit = junit_report(comparison)
    ElementTree.fromstring(junit)  # noqa: S314 - our own text
    assert_no_controls(junit)
    for line in github_annotations(comparison):
        assert line.startswith("::")
        assert_no_controls(line, "")
    for entry in json.loads(gitlab_report(comparison)):
        assert_no_controls(entry["description"], "")
    comment = markdown_comment(comparison)
    assert_no_controls(comment, "\n\u200b")
    tokens, children = inline_of(comment)
    assert not {child.type for child in children} & {*MARKUP}
    blocks = [token.content.strip() for token in tokens if token.type == "html_block"]
    assert blocks == ["<details><summary>Details</summary>", "</details>"]


class _Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, sorted(name for name, _ in attrs)))


def page_of(name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.json"
        path.write_text(json.dumps(evaluations(evaluation("plain"), evaluation(name))))
        return render_report(read_parts([path], gallery=0))


@FEW
@given(NAMES.filter(str.strip))
def test_the_html_page_has_the_elements_of_a_plain_name(name):
    page = page_of(name)
    assert_no_controls(page)
    expected = _Tags(page_of("x")).found
    assert {tag for tag, _ in _Tags(page).found} - {"wbr"} == {tag for tag, _ in expected}
    attributes = {name for _, names in _Tags(page).found for name in names}
    assert attributes == {name for _, names in expected for name in names}


@FEW
@given(NAMES.filter(lambda name: not set(name) & {"\0", "/"} and name not in (".", "..", "")))
@pytest.mark.parametrize("command", ["evaluate", "check", "report"])
def test_messages(command, name):
    words = [command, "--", f"missing/{name}", *(["gone"] if command == "evaluate" else [])]
    done = CliRunner().invoke(main, words)
    assert done.exit_code in (2, 3), done.output
    assert_no_controls(done.stderr)
    assert done.stderr.startswith("error: ")
    assert all(line.startswith("  ") for line in done.stderr.splitlines()[1:])


HOSTILE = "a\x1b[31m\u202e\nerror: =1+1 [x](javascript:y) <b>"
EXPERIMENT = ("--data", "DATA", "--weights", "none", "--out", "run")


@pytest.fixture
def hostile_data(tmp_path, monkeypatch):
    """Two folders of maps. The name of the sequence is hostile."""
    monkeypatch.chdir(tmp_path)
    write_two_walks(tmp_path, frames=4)
    for folder in ("DATA", "PREDICTIONS"):
        split = tmp_path / folder / "panoptic_maps" / "val"
        (split / "a").rename(split / HOSTILE)
    shutil.copytree("DATA", "BROKEN")
    frame = Path("BROKEN", "panoptic_maps", "val", HOSTILE, "000001.png")
    frame.write_bytes(frame.read_bytes()[:40])
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("check", "DATA", "--statistics"),
        ("check", "BROKEN"),
        ("evaluate", "DATA", "PREDICTIONS", "--losses", "--csv", "t.csv", "--markdown", "t.md"),
        ("evaluate", "DATA", "BROKEN"),
        ("convert", "DATA", "NEW", "--to", "kitti-step"),
        ("convert", "BROKEN", "NEW", "--to", "kitti-step"),
        ("show", "DATA", "--out", "x.png"),
        ("show", "DATA", "--sequence", "none", "--out", "x.png"),
        ("track", "DATA", "--tracker", "sort", "--out", "NEW"),
        ("ablate", *EXPERIMENT, "--losses", "sort+memory", "--full"),
        ("tune", *EXPERIMENT, "--split", "val", "--tracker", "iou", "--trials", "2", "--score=TQ"),
    ],
)
def test_commands_on_a_sequence_with_a_hostile_name(hostile_data, words):
    done = CliRunner().invoke(main, words)
    assert done.exit_code in (0, 1, 2, 3), done.stderr
    assert_no_controls(done.output)
    assert "\nerror: =1" not in done.output
    assert "\n  error: =1" not in done.output  # a newline is an escape, too
    texts = [p for p in hostile_data.rglob("*") if p.suffix in (".csv", ".md", ".tex", ".html")]
    for path in texts:
        assert_no_controls(path.read_text())
        assert "<b>" not in path.read_text() or path.suffix in (".csv", ".tex")
