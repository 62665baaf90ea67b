import asyncio
import importlib.util
import json
import os
import re
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from helpers.maps import draw, write_frames
from helpers.small_runs import walk, write_videos

import mapt_bench
from mapt_bench.cli import main
from mapt_bench.cli.completion import complete_segments
from mapt_bench.errors import ConfigError, DataError, ProtocolError

HEAVY = ("torch", "torchvision", "matplotlib", "cv2")
COMMANDS = main.list_commands(None)


def invoke(*words):
    return CliRunner().invoke(main, [*words])


def module_of(command):
    return f"mapt_bench.cli.{command.replace('-', '_')}"


def skip_if_absent(command):
    if importlib.util.find_spec(module_of(command)) is None:
        pytest.skip(f"{command} is listed, but its module is not there yet")


def test_version():
    outcome = invoke("--version")
    assert outcome.exit_code == 0
    assert outcome.stdout == f"mapt-bench, version {mapt_bench.__version__}\n"


def test_help_names_every_command_and_the_exit_codes():
    outcome = invoke("--help")
    assert outcome.exit_code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command}  +\S", outcome.stdout, re.MULTILINE), command
    assert "0 success, 1 a check failed, 2 wrong usage, 3 unusable data, 70 crash" in re.sub(
        r"\s+", " ", outcome.stdout
    )


def test_without_a_command_help_goes_to_stderr():
    outcome = invoke()
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert "Usage:" in outcome.stderr


def test_an_unknown_command_suggests_the_nearest():
    outcome = invoke("evalute")
    assert outcome.exit_code == 2
    assert "no command 'evalute'; did you mean 'evaluate'?" in outcome.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_ends_with_two_examples(command):
    skip_if_absent(command)
    outcome = invoke(command, "--help")
    assert outcome.exit_code == 0
    _, examples = outcome.stdout.rstrip().split("Examples:\n")
    lines = [line.strip() for line in examples.splitlines()]
    calls = [line for line in lines if line.startswith(f"mapt-bench {command}")]
    assert len(calls) >= 2
    assert lines[-1].startswith("mapt-bench")  # nothing follows them
    assert "--json FILE" in outcome.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_use_options_that_exist(command):
    skip_if_absent(command)
    known = {
        name
        for parameter in main.get_command(None, command).params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    examples = invoke(command, "--help").stdout.split("Examples:\n")[1]
    used = set(re.findall(r"(?<= )--?[a-z][a-z-]*", examples))
    assert used <= known


def raising(problem):
    @click.command("fails")
    @click.option("--json", "json_file")
    def command(json_file):
        raise problem

    return command


@pytest.fixture
def fails(monkeypatch):
    """Make every command raise a given problem."""

    def arrange(problem):
        monkeypatch.setattr(type(main), "get_command", lambda *_: raising(problem))

    return arrange


@pytest.mark.parametrize(
    ("problem", "code", "kind"),
    [
        (ConfigError("wrong", where="here"), 2, "config"),
        (DataError("wrong", where="here"), 3, "data"),
        (ProtocolError("wrong", where="here"), 3, "protocol"),
    ],
)
def test_errors_become_exit_codes(fails, problem, code, kind):
    fails(problem)
    plain = invoke("check")
    assert plain.exit_code == code
    assert plain.stderr == "error: here: wrong\n"
    assert plain.stdout == ""
    asked = invoke("check", "--json", "-")
    assert asked.exit_code == code
    assert json.loads(asked.stdout) == {
        "error": {"kind": kind, "message": "wrong", "where": "here"}
    }


def test_a_crash_is_exit_code_70_with_its_trace(fails):
    fails(ZeroDivisionError("division"))
    outcome = invoke("check", "--json=x.json")
    assert outcome.exit_code == 70
    assert "Traceback" in outcome.stderr
    assert "internal error: ZeroDivisionError: division" in outcome.stderr
    assert json.loads(outcome.stdout)["error"] == {
        "kind": "crash",
        "message": "ZeroDivisionError: division",
        "where": None,
    }


@pytest.mark.parametrize("problem", [GeneratorExit("gone"), asyncio.CancelledError("gone")])
def test_what_is_no_exception_is_a_crash_too(fails, problem):
    fails(problem)
    outcome = invoke("check", "--json", "-")
    assert outcome.exit_code == 70
    told = json.loads(outcome.stdout)["error"]
    assert (told["kind"], told["message"]) == ("crash", f"{type(problem).__name__}: gone")


def test_interruption_is_exit_code_130(fails):
    fails(KeyboardInterrupt())
    outcome = invoke("check")
    assert outcome.exit_code == 130
    assert outcome.stderr.strip() == "stopped"


def test_an_interruption_may_say_how_to_resume(fails):
    fails(KeyboardInterrupt("to resume: again"))
    outcome = invoke("check", "--json", "-")
    assert outcome.exit_code == 130
    assert outcome.stderr.strip().splitlines()[-1] == "stopped; to resume: again"
    assert json.loads(outcome.stdout)["error"]["message"] == "to resume: again"


def test_a_long_error_is_broken_at_semicolons(fails):
    fails(DataError(f"{'x' * 300}; choose another"))
    assert invoke("check").stderr.splitlines() == [f"error: {'x' * 300};", "  choose another"]


def imported_after(code):
    """Names of heavy packages that a fresh interpreter has imported after some code."""
    probe = f"import sys\n{code}\nprint(sorted({set(HEAVY)!r} & set(sys.modules)))"
    outcome = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout.splitlines()[-1]


def test_help_imports_nothing_heavy():
    code = (
        "from mapt_bench.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    )
    assert imported_after(code) == "[]"


def test_commands_import_nothing_heavy():
    there = [name for name in COMMANDS if importlib.util.find_spec(module_of(name)) is not None]
    light = [
        name for name in ("evaluate", "compare", "report", "conformance", "check") if name in there
    ]
    assert {"evaluate", "compare", "conformance", "check"} <= set(light)
    code = "\n".join(f"import {module_of(name)}" for name in light)
    assert imported_after(code) == "[]"


@pytest.mark.parametrize("words", [["--help"], ["check", "DATA"]])  # by click, and by rich
def test_a_reader_that_has_gone_is_no_failed_check(words, tmp_path):
    write_videos(tmp_path / "DATA", walk(2))
    script = (
        "import os\n"
        "from mapt_bench.cli import main\n"
        "read, write = os.pipe()\n"
        "os.close(read)\n"
        "os.dup2(write, 1)\n"
        f"main({words})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 141
    assert done.stderr == b""


def as_module(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "mapt_bench", *words],
        capture_output=True,
        cwd=folder,
        check=False,
        text=True,
    )


def test_the_package_runs_as_a_module(tmp_path):
    done = as_module(tmp_path, "--version")
    assert (done.returncode, done.stdout) == (
        0,
        f"mapt-bench, version {mapt_bench.__version__}\n",
    )


def test_code_that_ends_python_is_named(tmp_path):
    (tmp_path / "leaver.py").write_text(
        "import sys\n\n\ndef build():\n    print('going')\n    sys.exit(3)\n"
    )
    done = as_module(tmp_path, "flops", "leaver:build", "--json", "-")
    assert done.returncode == 2
    assert done.stderr.startswith("going\n")
    told = json.loads(done.stdout)["error"]["message"]
    assert "it called sys.exit(3)" in told
    assert "(leaver.py:6 in build)" in told


LOUD = """
import os, subprocess, sys, threading

def talk(done):
    while not done.wait(0.01):
        print("thread")

def build():
    done = threading.Event()
    thread = threading.Thread(target=talk, args=(done,))
    thread.start()
    os.write(1, b"raw\\n")
    subprocess.run(["echo", "child"])
    print("direct", file=sys.__stdout__, flush=True)
    threading.Timer(0.3, done.set).start()
    return None
"""


def test_json_is_alone_on_stdout_whatever_user_code_writes(tmp_path):
    (tmp_path / "loud.py").write_text(LOUD)
    done = as_module(tmp_path, "flops", "loud:build", "--json", "-")
    assert done.returncode == 2, done.stderr
    assert "is or returns None" in json.loads(done.stdout)["error"]["message"]
    assert {"raw", "child", "direct", "thread"} <= set(done.stderr.split())


def test_help_stays_on_stdout():
    done = subprocess.run(
        [sys.executable, "-m", "mapt_bench", "check", "--help", "--json", "-"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.stdout.startswith("Usage:")


def test_a_closed_or_full_stdout_keeps_the_exit_code(tmp_path):
    command = f"{sys.executable} -m mapt_bench check nowhere --json -"
    for redirection in (">&-", "2>&-", ">/dev/full"):
        done = subprocess.run(  # noqa: S602 - a shell closes the descriptors
            f"{command} {redirection}", capture_output=True, cwd=tmp_path, check=False, shell=True
        )
        assert done.returncode == 3, (redirection, done.stderr)


def test_sys_exit_in_a_command_is_no_closed_pipe(monkeypatch):
    def leave(*_, **__):
        sys.exit(3)

    monkeypatch.setattr("mapt_bench.cli.conformance.check_conformance", leave)
    done = CliRunner().invoke(main, ["conformance", "--json", "-"])
    assert done.exit_code == 70
    assert "sys.exit(3)" in done.stderr
    assert json.loads(done.stdout)["error"]["kind"] == "crash"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("words", [["conformance", "--json", "-"], ["evaluate", "no", "where"]])
def test_a_full_disk_behind_an_output_keeps_the_exit_code(tmp_path, stream, words):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mapt_bench", *words],
            cwd=tmp_path,
            check=False,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: full},
        )
    works = words[0] == "conformance" and stream == "stderr"
    assert done.returncode == (0 if works else 3)
    assert b"Traceback" not in (done.stderr or b"")


def complete(shell, words, position):
    """What a shell shows on TAB."""
    environment = {
        **os.environ,
        "_MAPT_BENCH_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(position),
    }
    return subprocess.run(
        [sys.executable, "-m", "mapt_bench"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_shell_completes_commands():
    outcome = complete("bash", "mapt-bench ev", 1)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "plain,evaluate\n", "")


def test_a_shell_completes_options():
    outcome = complete("bash", "mapt-bench compare --fail", 2)
    assert (outcome.returncode, outcome.stdout) == (0, "plain,--fail-on\n")


CITYSCAPES = "file,ci\nplain,cityscapes\nplain,cityscapes-dvps\nplain,cityscapes-vps\n"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("track --tracker byte", "plain,bytetrack\n"),
        ("track --tracker sort", "plain,sort\nplain,sort+memory\n"),
        ("track --tracker unlinked", "plain,unlinked\n"),
        ("track --suite shift-", "plain,shift-val\n"),
        ("track --segments gr", "file,gr\nplain,groundtruth\n"),
        ("track --segments my_folder", "file,my_folder\n"),
        ("evaluate --dataset ki", "file,ki\nplain,kitti-step\n"),
        ("check --dataset ci", CITYSCAPES),
        ("show --dataset ci", CITYSCAPES),
        ("synth --suite shift-", "plain,shift-val\n"),
        ("train --suite shift-", "plain,shift-val\n"),
        ("tune --suite s", "plain,shift-val\n"),
        ("tune --tracker sor", "plain,sort\n"),
        ("tune --score PAT=1,recovery_f", "plain,PAT=1,recovery_f1\n"),
        ("tune --score PAT,PA", "\n"),
        ("ablate --by visibility,s", "plain,visibility,size\n"),
        ("ablate --by size,s", "\n"),
        ("tune --thresholds tu", "file,tu\nplain,tuned\n"),
        ("ablate --thresholds pub", "file,pub\nplain,published\n"),
        ("stress occ", "plain,occlusion\n"),
        ("stress occlusion --stressor bar", "plain,bars\n"),
        ("synth --kind str", "plain,street\n"),
        ("train --config mapt-r", "file,mapt-r\nplain,mapt-regnety8gf\n"),
        ("evaluate --gt-encoding kitti-st", "plain,kitti-step\n"),
        ("track --weights mapt-c", "file,mapt-c\nplain,mapt-compact\n"),
        ("flops mapt-ti", "plain,mapt-tiny\n"),
        ("flops mapt-tiny mapt-ti", "\n"),
        ("flops --mode pt", "plain,ptflops\n"),
    ],
)
def test_a_shell_completes_values(words, shown):
    outcome = complete("bash", f"mapt-bench {words}", len(words.split()))
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, shown, "")


@pytest.mark.parametrize("command", ["ablate", "sweep-interval", "stress"])
def test_experiments_complete_values(command):
    options = {
        "--suite": ("qui", ["quick"]),
        "--segments": ("groundtruth,no", ["no", "groundtruth,noisy"]),
        "--add": ("motio", ["motion"]),
        "--dataset": ("motch", ["motch", "motchallenge-step"]),
        **({"--reference": ("copy", ["copy", "copy+memory"])} if command == "ablate" else {}),
    }
    group = main.get_command(click.Context(main), command)
    by_name = {option.opts[0]: option for option in group.params}
    for name, (begun, expected) in options.items():
        items = by_name[name].shell_complete(click.Context(group), begun)
        assert [item.value for item in items][: len(expected)] == expected, name


def test_completing_loads_no_weights():
    code = (
        "import sys, click; from mapt_bench.cli import main\n"
        "command = main.get_command(click.Context(main), 'ablate')\n"
        "command.make_context('ablate', ['--flow-weights', 'x'], resilient_parsing=True)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_segments_are_named_once():
    option = click.Option(["--segments"], shell_complete=complete_segments)
    items = option.shell_complete(click.Context(main), "groundtruth,")
    assert "groundtruth,groundtruth" not in {item.value for item in items}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion_script(shell):
    outcome = subprocess.run(
        [sys.executable, "-m", "mapt_bench"],
        env={**os.environ, "_MAPT_BENCH_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert "_MAPT_BENCH_COMPLETE" in outcome.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_every_character_can_be_printed(tmp_path, encoding):
    """A folder name that is not UTF-8, a note about it, and the tables with their dashes."""
    gt, pred = (tmp_path / side for side in ("gt", os.fsdecode(b"caf\xe9")))
    write_frames(gt / "0001", [draw("r c1")])
    write_frames(pred / "0001", [draw("r c0")])
    files = [tmp_path / f"scores.{suffix}" for suffix in ("csv", "tex", "md", "json")]
    options = zip(("--csv", "--latex", "--markdown", "--json"), files, strict=True)
    words = [str(word) for option in options for word in option]
    command = [sys.executable, "-m", "mapt_bench", "evaluate", str(gt), str(pred)]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    plain = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert plain.returncode == 0, plain.stderr
    assert b"note: caf" in plain.stderr
    written = subprocess.run([*command, *words], capture_output=True, env=environment, check=False)
    assert written.returncode == 0, written.stderr
    assert all("caf" in file.read_text(encoding="utf-8") for file in files)


def test_a_killed_worker_is_no_crash(fails):
    fails(BrokenProcessPool("a child process terminated abruptly"))
    outcome = invoke("evaluate")
    assert outcome.exit_code == 3
    assert "fewer workers" in outcome.stderr
