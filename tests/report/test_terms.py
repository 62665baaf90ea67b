"""Terms of the report: definitions for all rows and scores, and links from the first use."""

import pytest

from mapt_bench.baselines.registry import (
    associator_names,
    flow_tracker_names,
    mapt_tracker_names,
)
from mapt_bench.report.terms import TermLinks, reference_notes, row_term
from mapt_bench.results.result_views import HEADLINE, OF_DEPTH

ROWS = (*associator_names(), *mapt_tracker_names(), *flow_tracker_names())


@pytest.mark.parametrize("name", ROWS)
def test_every_row_has_a_definition(name):
    assert row_term(name) is row_term(f"{name}+memory=5,setting=0.2") is not None


def test_rows_of_families_have_the_definition_of_their_kind():
    assert row_term("flow:dis+mapt").name == "flow:NAME+mapt"
    assert row_term("flow:exact").name == "flow:exact"
    assert row_term("mine") is None


@pytest.mark.parametrize("score", sorted(set(HEADLINE) - set(OF_DEPTH)))
def test_every_score_has_a_definition(score):
    links = TermLinks()
    links.text(f"the score {score} of a row")
    assert [name for _, name, _ in links.used()]


def test_the_first_use_is_a_link_and_text_is_escaped():
    links = TermLinks()
    assert links.text("<b>PAT</b> and PAT, not PATH") == (
        '&lt;b&gt;<a href="#term-pat">PAT</a>&lt;/b&gt; and PAT, not PATH'
    )
    assert links.text("PAT of both") == "PAT of both"
    assert links.row("both+memory") == (
        '<a href="#term-both">both</a><wbr><a href="#term-memory">+<wbr>memory</a>'
    )
    assert links.text("Occlusion gap") == '<a href="#term-occlusion-gap">Occlusion gap</a>'
    assert [name for _, name, _ in links.used()] == ["occlusion gap", "+memory", "both", "PAT"]


def test_words_of_small_letters_are_no_scores():
    assert TermLinks().text("pat, Pat and sort") == "pat, Pat and sort"


def test_references_say_what_they_are():
    (note,) = reference_notes(["oracle", "mine"])
    assert "They do not compete. oracle: the upper bound" in note
    assert "mine" not in note
    assert reference_notes([]) == []
