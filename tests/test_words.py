"""Retired words: help texts, docs, docstrings, messages and labels use the glossary's terms."""

import re
from dataclasses import dataclass, field

import pytest
from helpers.modules import ROOT
from helpers.prose import (
    names_in,
    place_of,
    plain,
    prose_of_code,
    prose_of_help,
    prose_of_pages,
    python_files,
)

from mapt_bench.cli.main import main


@dataclass(frozen=True)
class Retired:
    """A pattern that prose must not contain.

    Attributes:
        pattern: Regular expression, case ignored, over prose on one line without code.
        say: What to write instead.
        finds: Texts that the pattern must find.
        passes: Similar texts that are fine.
    """

    pattern: str
    say: str
    finds: tuple[str, ...]
    passes: tuple[str, ...] = field(default=())


RETIRED = [
    Retired(
        r"\bdrawn (world|video|scene|sequence|suite|data|street|crowd|clip|frame)s?\b"
        r"|\bdraws? (a |the )?(world|video|clip)s?\b|\bdrawn (anew|again)\b",
        "synthetic world, synthetic video; generate, render",
        ("suites of the drawn world", "Draw videos of which", "can be drawn anew"),
        ("strips are drawn by matplotlib", "weights drawn from a generator"),
    ),
    Retired(
        r"(?<!ground )(?<!ground-)\btruth\b(?! tables?|:)",
        "ground truth",
        ("Truth and segments follow the stress", "images or truth"),
        ("ground truth", "ground-truth segments"),
    ),
    Retired(
        r"\btrue (segments|masks)\b|\b(on|and) (the )?true ones\b|\b(ids|identities) taken away\b",
        "ground-truth segments",
        ("on true segments", "segments that it found and on true ones", "with its ids taken away"),
        ("true identities",),
    ),
    Retired(
        r"\bkinds? of segments\b|\b(it|MAPT|tracker|they) finds? (it|them)sel(f|ves)\b",
        "detections (MAPT's own); segments (any source)",
        ("segments that MAPT finds itself", "each kind of segments"),
    ),
    Retired(
        r"\b(its|their|the|of|by|lose|and|block's|thing's) looks\b(?! (like|at|up|for|to|along))"
        r"|\b(a|an|the|its|their|one|same|every|each) look\b(?! at)|\blooks fade\b",
        "appearance",
        ("things that lose their looks", "before it has a look", "tells tracks by looks"),
        ("an instance looks like a car", "look-alikes", "have a look at it"),
    ),
    Retired(r"\bhand-made\b", "hand-crafted", ("hand-made appearance",)),
    Retired(
        r"\b(any|some|no|every)body\b",
        "name the thing or the person that acts",
        ("anybody's segments", "given to somebody else", "nobody can say"),
        ("any body of a loop", "no one"),
    ),
    Retired(
        r"\blinks? kept\b|\bkept links\b",
        "association accuracy (share of correct links)",
        ("links kept by visible fraction",),
        ("links are kept in order",),
    ),
    Retired(
        r"\bfound again\b|\bfinds? (it|them) again\b|\brecoveries\b",
        "recovery after occlusion, recovered identities, recovery precision",
        ("found again", "precision of recoveries"),
    ),
    Retired(
        r"\b(what|that|which) (was|were|is) lost\b|\bmemory of (what|lost)\b",
        "lost track, track memory (frames)",
        ("what was lost", "memory of lost tracks"),
        ("the track is lost",),
    ),
    Retired(
        r"\b(the|a|as|is|its|common) (floor|ceiling)\b|\bceiling of\b",
        "lower bound, upper bound, oracle",
        ("unlinked segments are the floor", "the ceiling of propagation"),
        ("ground floor", "upper floors"),
    ),
    Retired(
        r"\bchosen thresholds?\b|\bthresholds? (was |were |are )?chosen\b"
        r"|\bchosen (and|or|/) published",
        "tuned thresholds / published thresholds",
        ("chosen thresholds", "thresholds were chosen on"),
        ("the chosen entries",),
    ),
    Retired(
        r"\b(real-like|hard) (half|halves)\b|\breal-like\b"
        r"|\b(each|either|both|one|a|the) hal(f|ves)"
        r" (of|and kind of) (a|the|every|each) suites?\b|\bhalf and kind\b",
        "realistic split / hard split",
        ("the real-like half", "on the hard half", "each half of a suite", "half and kind"),
        ("half of the associations",),
    ),
    Retired(
        r"\bfamil(y|ies) seen\b|\bseen famil(y|ies)\b|\bheld-out famil(y|ies)\b",
        "in-domain / domain shift",
        ("the family seen", "a held-out family"),
        ("a family of comparisons", "held-out clips"),
    ),
    Retired(
        r"\bknown videos?\b",
        "annotated synthetic video",
        ("A known video stays known",),
        ("unknown videos",),
    ),
    Retired(
        r"\b(parts?|heads?|components?|what is) (that (is|are|was|were) )?"
        r"(switched off|left out)\b|\bswitched off or\b",
        "component removed at inference / removed in training",
        ("parts switched off", "Parts left out", "what is switched off"),
        ("the camera is switched off",),
    ),
    Retired(
        r"\b(go|goes|going|gone|went) on (with|from|where|to|at|again)\b|\b(can|cannot|to) go on\b"
        r"|\b(it|training|program|run|that live) goe?s? on\b|\bgoes on\b",
        "resume, continue",
        ("one that exists is gone on with", "run the same again to go on", "the training goes on"),
        ("and so on",),
    ),
    Retired(
        r"\bledgers?\b|\bwitness(es)?\b",
        "FLOPs report; cross-check by two counters",
        ("the cost ledger", "two witnesses"),
    ),
    Retired(
        r"\brooms\b", "registry, package", ("the rooms of the house",), ("while there is room",)
    ),
    Retired(
        r"\bspoil(s|ed|t|ing)?\b|\bhasten(s|ed|ing)?\b",
        "corruption (image), stressor, fast motion",
        ("Hide, hasten what is tracked", "spoil an image"),
    ),
    Retired(r"\b(leave|leaves|left|leaving) away\b", "remove, omit", ("what is left away",)),
    Retired(r"\bmend(s|ed|ing)?\b", "fix", ("mend it",), ("recommended", "amend")),
    Retired(
        r"\bfor (want|lack) of\b",
        "out of memory; because ... is missing",
        ("for want of memory",),
    ),
    Retired(r"\bfilms?\b", "animation", ("strips and films",), ("filming",)),
    Retired(
        r"\b(tell|tells|told)\b(?![^.]{0,70}\b(apart|from)\b)",
        "print, report, show, say",
        ("Rows of a run tell their settings", "where that is told"),
        ("to tell tracks apart", "telling"),
    ),
    Retired(
        r"\bof which\b|\bso many\b|\bwhom\b|\bwhoever\b|\bas many as there\b",
        "short sentences: the subject first, the verb second",
        ("videos of which every answer is known", "every so many pixels", "Whoever makes a key"),
    ),
    Retired(
        r"\bif need be\b|\bmade dear\b|\beaten up\b|\bhangs? on\b|\bbut for\b|\bcame of\b"
        r"|\bcomes? of it\b|\bbe(came|comes?) of\b|\bbrings? about\b|\bsave for\b",
        "plain words: if needed, penalise, except, result, change",
        ("made if need be", "What came of a cell", "what becomes of the objects"),
    ),
    Retired(
        r"(?<!there )\b(is|are|was|were) no (number|numbers|file|folder|result|click|terminal|limit"
        r"|Python|thing|comparison|name|object|class|tracker|suite|weights|image|map|video)\b",
        "is not a number, is not a file",
        ("a name is no number", "Numbers are no comparison by themselves"),
        ("there is no file",),
    ),
]
"""What prose must not contain any more. A pattern is specific enough to pass ordinary English."""

RETIRED_NAMES = re.compile(
    r"ledger|exhibit|(?<![a-z])films?(?![a-z])|witness|spoil|hasten|(any|some|no)body|hand_?made"
    r"|drawn_?(world|video)|known_?(video|flow)|ceiling|goes_on|(?<![a-z_])looks(?!_like)(?![a-z])"
    r"|(?<=_)looks$|(?<=[a-z])Looks?$|^_?Looks?$",
)
"""What names of modules, functions, classes and fields must not contain."""

KEYS = {"half and kind", "real-like street"}
"""Keys of result files, which are no prose."""


def findings(pieces):
    """Return each finding as its place and a line that says what to write instead."""
    return [
        (
            piece.place,
            f"{piece.where}: '{piece.text[max(0, hit.start() - 30) : hit.end() + 30]}'"
            f" - say: {retired.say}",
        )
        for piece in pieces
        if piece.text not in KEYS
        for retired in RETIRED
        for hit in re.finditer(retired.pattern, piece.text, re.IGNORECASE)
    ]


def name_findings():
    return [
        (place_of(path), f"{path.relative_to(ROOT)}:{line}: the name {name}")
        for path in python_files()
        for line, name in names_in(path)
        if RETIRED_NAMES.search(name)
    ]


PROSE = [*prose_of_code(), *prose_of_pages(), *prose_of_help(main)]
FOUND = [*findings(PROSE), *name_findings()]


@pytest.mark.parametrize("place", sorted({piece.place for piece in PROSE}))
def test_prose_has_no_retired_word(place):
    assert [line for found, line in FOUND if found == place] == []


@pytest.mark.parametrize("retired", RETIRED, ids=lambda retired: retired.say)
def test_a_pattern_finds_what_is_retired_and_passes_ordinary_english(retired):
    for text in retired.finds:
        assert re.search(retired.pattern, text, re.IGNORECASE), text
    for text in retired.passes:
        assert not re.search(retired.pattern, text, re.IGNORECASE), text


def test_code_is_no_prose():
    text = "Read ``spoil`` and `ledger` of :func:`told`.\n\n    >>> drawn_world\n    'whom'\n\nEnd."
    assert plain(text) == "Read ` and ` of ` . End."


def test_help_of_every_command_is_read():
    commands = {piece.where for piece in prose_of_help(main)}
    assert {"mapt-bench", "mapt-bench evaluate", "mapt-bench sweep-interval"} <= commands
