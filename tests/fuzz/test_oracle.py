"""The oracle sees each kind of fault, and the generators start from valid files."""

import json
import sys

import pytest

from mapt_bench.cli.main import _COMMANDS
from tests.fuzz import oracle
from tests.fuzz.cases import Case, Entry, below, files
from tests.fuzz.fork_server import ForkServer, Outcome
from tests.fuzz.map_files import ENCODINGS, maps_tree, space_of
from tests.fuzz.option_words import options_of, valid_values
from tests.fuzz.scenarios import HEAVY, LIGHT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fork server needs Linux")


class Pretended:
    """A server whose commands do what a test says."""

    def __init__(self, act=lambda work: None, **outcome):
        given = {"code": 0, "stdout": b"", "stderr": b"", "cpu_seconds": 0.1, "peak_bytes": 10**8}
        self._act, self._outcome = act, Outcome(**{**given, **outcome})

    def run(self, words, root):
        self._act(root / "work")
        return self._outcome


JSON = ("evaluate", "gt", "pred", "--json", "-")
TRACEBACK = (
    b'Traceback (most recent call last):\n  File "/x/mapt_bench/data/png.py", line 3, in load\n'
    b"KeyError: 'a'\ninternal error: KeyError: 'a'\n"
)


def write(name):
    return lambda work: (work / name).write_text("x")


def log_to(folder):
    def act(work):
        (work / folder).mkdir(parents=True)
        (work / folder / "events.out.tfevents.1").write_text("x")

    return act


@pytest.mark.parametrize(
    ("server", "words", "signature"),
    [
        (
            {"code": 70, "stderr": TRACEBACK},
            (),
            "exit code: 70 mapt_bench/data/png.py load KeyError",
        ),
        ({"code": -9}, (), "exit code: -9"),
        ({"code": -9, "is_stuck": True}, (), "waits for ever"),
        ({"cpu_seconds": 21.0}, (), "takes too long"),
        ({"peak_bytes": 2 * 10**9}, (), "memory"),
        ({"outlived": True}, (), "leaves a process"),
        ({"stderr": TRACEBACK}, (), "traceback"),
        ({"code": 3}, (), "no message"),
        ({"code": 3, "stderr": b"error: memory ran out; free some\n"}, (), "takes the machine"),
        ({"stdout": b"a \x1b[31mname"}, (), "hidden characters"),
        ({"stdout": "a \u202ename".encode()}, (), "hidden characters"),
        ({"stdout": b"\xff"}, (), "not UTF-8"),
        ({"stdout": b"a table\n{}"}, JSON, "not pure JSON"),
        ({"stdout": b'{"a": NaN}'}, JSON, "not pure JSON"),
        ({"stdout": b"{}", "code": 3, "stderr": b"error: a"}, JSON, "JSON without error"),
        ({"act": write("gt/a.png")}, (), "changes an input"),
        ({"act": write("new.txt")}, (), "writes elsewhere"),
        ({"act": write("../outside/planted")}, (), "writes elsewhere"),
        (
            {"act": write("new.txt")},
            ("evaluate", "gt", "pred", "--log-to=tensorboard=logs"),
            "writes elsewhere",
        ),
        ({"act": write("../tmp/a.png")}, (), "writes elsewhere"),
        ({"act": write("executed")}, (), "runs code"),
        ({"act": write("out/.unfinished-a-1-b")}, (), "leaves a temporary file"),
    ],
)
def test_the_oracle_sees(server, words, signature):
    case = Case("evaluate", "a", words or ("evaluate", "gt", "pred"), files({"gt/a.png": b"a"}))
    faults = oracle.examine(case, Pretended(**server))[1]
    assert any(fault.signature.startswith(signature) for fault in faults), faults


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ({}, ()),
        (
            {
                "code": 3,
                "stderr": b"error: no\n",
                "stdout": b'{"error": {"kind": "a", "message": "b", "where": null}}',
            },
            JSON,
        ),
        ({"stdout": b"{}"}, JSON),
        ({"act": write("out/a.png")}, ()),
        ({"act": write("named.csv")}, ("evaluate", "gt", "pred", "--csv", "named.csv")),
        ({"act": log_to(".5/pred")}, ("evaluate", "gt", "pred", "--log-to=tensorboard=.5")),
        ({"act": log_to("../pred")}, ("evaluate", "gt", "pred", "--log-to=tensorboard=..")),
        ({"act": log_to("pred2")}, ("evaluate", "gt", "pred", "--log-to=tensorboard=.")),
    ],
)
def test_the_oracle_passes(server, words):
    case = Case("evaluate", "a", words or ("evaluate", "gt", "pred"), files({"gt/a.png": b"a"}))
    assert oracle.examine(case, Pretended(**server))[1] == []


@pytest.fixture(scope="module")
def server():
    found = ForkServer()
    yield found
    found.close()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_maps_are_valid_before_they_are_broken(server, encoding):
    words = ("check", "data", "--dataset", space_of(encoding), "--json", "-")
    outcome, faults = oracle.examine(
        Case("check", encoding, words, below("data", maps_tree(encoding))), server
    )
    assert (outcome.code, faults) == (0, [])


def test_a_case_comes_back_from_its_json():
    tree = {"a\udcff": Entry(data=b"\xff" * 300), "b": Entry("link", b"a"), "c": Entry("pipe")}
    case = Case("check", "a", ("check", "a\udcff"), tree, ("cut",))
    assert Case.from_dict(json.loads(case.to_json())) == case


def test_every_command_is_fuzzed_and_every_option_has_values():
    fuzzed = {each.__name__.replace("_", "-") for each in (*LIGHT, *HEAVY)} - {"track-mapt"}
    assert fuzzed == set(_COMMANDS)
    for command in _COMMANDS:
        for option in options_of(command):
            assert option.is_flag or valid_values(command, option)
