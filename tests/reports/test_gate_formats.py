"""Outputs of the gate for CI. Names of rows and sequences are hostile."""

import json
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import pytest
from helpers.results import evaluation, evaluations

from mapt_bench.compare import Acceptance, GateRules, Limit, Scope, compare_results
from mapt_bench.reports.difference_tables import comparison_table
from mapt_bench.reports.gate_formats import (
    github_annotations,
    gitlab_report,
    junit_report,
    markdown_comment,
)

HOSTILE = "<script>alert('x')</script>\"`rm`|a_b*c*\n::error::\x1b[31m @all ]]> &amp; %0A"
SCHEMA = Path(__file__).parent / "junit-10.xsd"
"""Schema of Jenkins' xUnit plugin (MIT, Gregory Boissinot), unchanged, from pytest 8.4.2."""


def compared(tmp_path, before, after, rules):
    paths = []
    for name, data in (("before", before), ("after", after)):
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps(data))
    return compare_results(*paths, rules=rules, today=date(2026, 1, 1)).to_dict()


@pytest.fixture
def hostile(tmp_path):
    """Two hostile rows: one fails, one is accepted; a third is new, and a sequence is missing."""
    before = evaluations(evaluation(HOSTILE), evaluation(f"{HOSTILE}2"))
    after = evaluations(
        evaluation(HOSTILE, shift=-0.1), evaluation(f"{HOSTILE}2", shift=-0.2), evaluation("new")
    )
    after["evaluations"][0]["per_sequence"] = {}
    limits = (
        Limit.of_option("max-drop", "PAT=0.5"),
        Limit.of_option("max-drop", "STQ=30"),
        Limit("PQ", "<", -15, scope=Scope(row=f"{HOSTILE}2")),
    )
    accepted = (Acceptance("PQ", HOSTILE, date(2026, 1, 1)),)
    return compared(tmp_path, before, after, GateRules(limits, (), accepted))


def test_junit_is_valid_and_has_one_case_per_limit(hostile):
    text = junit_report(hostile)
    etree = pytest.importorskip("lxml.etree")
    schema = etree.XMLSchema(etree.parse(SCHEMA))
    schema.assertValid(etree.fromstring(text.encode()))
    for wrong in (text.replace(" name=", " title="), text.replace("skipped", "omitted")):
        assert not schema.validate(etree.fromstring(wrong.encode()))
    (suite,) = ElementTree.fromstring(text)  # noqa: S314 - our own text
    counts = [suite.get(name) for name in ("tests", "failures", "skipped", "errors")]
    assert counts == ["4", "2", "1", "0"]
    outcomes = [[child.tag for child in case] for case in suite]
    assert outcomes == [["failure"], [], ["skipped"], ["failure"]]
    assert len(suite[0][0].text.splitlines()) == 2  # two rows exceed one limit
    assert "<script>alert('x')</script>" in suite[0][0].get("message")
    assert "\\n::error::\\x1b[31m" in suite[0][0].get("message")


def test_every_annotation_is_one_line(hostile):
    lines = github_annotations(hostile)
    assert len(lines) == len(hostile["failures"]) + 1
    for line in lines:
        assert line.startswith(("::error file=", "::warning file="))
        assert "\n" not in line
        assert "\x1b" not in line
        assert "%250A" in line or "new" in line or "is missing" in line


def test_github_shows_ten_annotations_of_a_level(tmp_path):
    names = [f"row {at}" for at in range(30)]
    before = evaluations(*map(evaluation, names))
    after = evaluations(*(evaluation(name, shift=-0.1) for name in names))
    rules = GateRules((Limit.of_option("max-drop", "PAT=1"),))
    found = compared(tmp_path, before, after, rules)
    lines = github_annotations(found)
    assert len(lines) == 10
    assert lines[-1].endswith("::and 21 more")
    assert github_annotations({**found, "failures": found["failures"][:10]})[9].endswith("PAT=1")


def test_properties_of_annotations_are_escaped(tmp_path, hostile):
    (line, *_) = github_annotations({**hostile, "current": "a:b,c%d\n.json"})
    assert line.startswith("::error file=a%3Ab%2Cc%25d\\n.json,title=mapt-bench compare::")


def test_gitlab_entries_have_the_required_fields(hostile):
    entries = json.loads(gitlab_report(hostile))
    assert {entry["severity"] for entry in entries} == {"major", "info"}
    for entry in entries:
        assert entry.keys() >= {"description", "check_name", "fingerprint", "severity", "location"}
        assert entry["location"]["lines"]["begin"] == 1
        assert "\x1b" not in entry["description"]
    assert len({entry["fingerprint"] for entry in entries}) == len(entries)


def test_a_comment_shows_names_as_text(hostile):
    comment = markdown_comment(hostile)
    assert comment.splitlines()[0] == "### mapt-bench compare: failed"
    assert "<script>" not in comment.replace("\\<script\\>", "")
    assert "\x1b" not in comment
    assert "@all" not in comment
    assert "\\`rm\\`\\|a\\_b" in comment
    for line in comment.splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 6


def test_a_comment_has_at_most_sixty_lines(tmp_path):
    names = [f"row {at}" for at in range(300)]
    before = evaluations(*(evaluation(name) for name in names))
    after = evaluations(*(evaluation(name, shift=-0.1) for name in names))
    for result in after["evaluations"][:100]:
        result["per_sequence"] = {}
    limits = tuple(
        Limit.of_option("max-drop", f"{score}=1") for score in ("PAT", "PQ", "TQ", "STQ") * 10
    )
    comment = markdown_comment(compared(tmp_path, before, after, GateRules(limits)))
    assert len(comment.splitlines()) <= 60
    assert "more changed scores" in comment


def test_without_a_change_a_comment_says_so(tmp_path):
    comment = markdown_comment(compared(tmp_path, evaluation(), evaluation(), GateRules()))
    assert comment.startswith("### mapt-bench compare: no limit given\n\nNo score changed.")


def test_the_terminal_shows_escapes(hostile):
    table = comparison_table(hostile)
    assert "\x1b" not in "".join([table.title, *map(str, table.footnotes)])
    assert all("\x1b" not in str(cell) for row in table.rows for cell in row)
