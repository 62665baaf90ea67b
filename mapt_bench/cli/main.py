"""The group of all commands. The module of a command is imported only when it is used."""

import codecs
import importlib
import io
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NoReturn

import click

from mapt_bench import __version__
from mapt_bench.cli.inputs import protect_inputs
from mapt_bench.cli.results_stream import keep_stdout_for_json, results_stream
from mapt_bench.errors import (
    ConfigError,
    MaptBenchError,
    missing_extra,
    nearest,
    printable,
    text_of,
)
from mapt_bench.faults import machine_fault

__all__ = ["main"]

_COMMANDS = {
    "ablate": (
        "experiment_commands:ablate",
        "Run the ablation: cues, track memory, fusion order.",
    ),
    "check": ("check", "Validate a folder of labels and summarise its content."),
    "compare": ("compare", "Regression gate: fail if a result is worse than a baseline."),
    "conformance": ("conformance", "Check the metrics against golden cases."),
    "convert": ("convert", "Write maps in another encoding, and name each loss."),
    "evaluate": ("evaluate", "Score folders of predictions against ground truth."),
    "flops": ("flops", "Count FLOPs with two counters; measure latency, memory."),
    "frontier": ("frontier", "Pareto set of PAT against STQ over settings of trackers."),
    "history": ("history", "Show scores over revisions, and where they changed."),
    "report": ("report", "Write one HTML page about runs and evaluations."),
    "run": ("run", "Run the experiments that a plan in a YAML file describes."),
    "show": ("show", "Show frames, animations and timelines of tracks."),
    "stress": (
        "experiment_commands:stress",
        "Evaluate trackers under occlusion, motion, look-alikes, corruption.",
    ),
    "submit": ("submit", "Pack predictions for a benchmark server, after checks."),
    "sweep-interval": (
        "experiment_commands:sweep_interval",
        "Evaluate trackers with dropped frames and pairing intervals.",
    ),
    "synth": ("synth", "Generate synthetic videos with complete ground truth."),
    "train": ("train", "Train a model, or resume a stopped run."),
    "track": ("track", "Run one tracker and write its panoptic maps."),
    "tune": ("tune", "Tune thresholds, with as many trials for every tracker."),
}
"""For each command its module in this package, with the name in it, and its summary in --help."""

_CRASH = 70
_USAGE = 2
_INTERRUPTED = 130
_PIPE_CLOSED = 141
_TERMINATED = 143
"""Exit codes of shells for the signals INT, PIPE and TERM. Code 1 means that a check failed."""

_LONG = 300
"""Most characters of an error that is printed as one line."""

_NAME = "mapt-bench"
_COMPLETION = "_MAPT_BENCH_COMPLETE"
"""Environment variable of a shell that asks for completions. click derives it from the name."""


class _LazyGroup(click.Group):
    """A group that imports commands on demand and returns the documented exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(f"mapt_bench.cli.{module}"), name or "command")
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}: {name or 'command'} is not a click command")
        return protect_inputs(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            raise click.UsageError(f"no command {args[0]!r}; {nearest(args[0], _COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Summaries are listed above, so that --help imports no command and starts fast.
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry[1]) for name, entry in sorted(_COMMANDS.items())])

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        **extra: Any,  # noqa: ANN401 - passed to click
    ) -> NoReturn:
        """Run a command and exit with the code of its outcome: 0, 1, 2, 3 or 70."""
        words = list(sys.argv[1:] if args is None else args)
        if args is None:  # started as a command, not by a test
            # Python starts workers with the current folder first on the module path. A types.py
            # there, in an unpacked data set, would run.
            os.environ["PYTHONSAFEPATH"] = "1"
            _end_on_sigterm()
        _print_any_character()
        if args is None and _prints_json(words):
            keep_stdout_for_json()
        if _COMPLETION in os.environ:  # click prints completions and exits
            super().main(words, prog_name=_NAME, complete_var=_COMPLETION)
        extra["standalone_mode"] = False
        wants_json = any(word == "--json" or word.startswith("--json=") for word in words)
        sys.exit(self._run(words, wants_json, {"prog_name": prog_name, "obj": words, **extra}))

    def _run(self, words: list[str], wants_json: bool, extra: dict[str, Any]) -> int:
        try:
            outcome = super().main(words, **extra)
            return outcome if isinstance(outcome, int) else 0
        except MaptBenchError as problem:
            return _failed(problem, wants_json)
        except click.exceptions.NoArgsIsHelpError as problem:
            click.echo(problem.ctx.get_help() if problem.ctx else "", err=True)
            return _USAGE
        except click.ClickException as problem:
            if wants_json:
                _print_error(ConfigError(problem.format_message()).to_dict())
            usage = io.StringIO()
            problem.show(usage)  # it may quote a file name that the shell found
            click.echo("\n".join(map(printable, usage.getvalue().rstrip().split("\n"))), err=True)
            return _USAGE
        except (click.Abort, KeyboardInterrupt) as problem:
            return _stopped(problem, wants_json)
        except SystemExit as problem:
            return _left(problem, wants_json)
        except BaseException as problem:  # the last resort: exit 70 is part of the contract
            return _crashed(problem, wants_json)


def _prints_json(words: Sequence[str]) -> bool:
    """Say whether JSON is all that the command prints to stdout."""
    is_asked = "--json=-" in words or ("--json", "-") in pairwise(words)
    return is_asked and not _OTHER_TEXT & set(words)


_OTHER_TEXT = {"-h", "--help", "--version", "--schema", "--show-config", "--where"}
"""Options that print a text of their own to stdout, and no result."""


_PLAIN = {"\u2013": "-", "\u2014": "-", "\u2212": "-", "\u00b1": "+-", "\u2026": "..."}
"""ASCII text of characters that the tables print, for terminals without them."""


def _print_any_character() -> None:
    """Replace characters that the encoding of stdout or stderr lacks, instead of failing."""
    codecs.register_error("mapt_bench.plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # streams of tests have none
        if reconfigure is not None:
            reconfigure(errors="mapt_bench.plain")


def _plain(problem: UnicodeError) -> tuple[str, int]:
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    text = problem.object[problem.start : problem.end]
    return "".join(map(_plain_character, text)), problem.end


def _plain_character(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte of a file name that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return _PLAIN.get(character, "?")


def _failed(problem: MaptBenchError, wants_json: bool) -> int:
    """Print an error that is meant for the user."""
    place = f"{printable(str(problem.where))}: " if problem.where else ""
    _complain(f"error: {place}{problem.message}", problem.to_dict(), wants_json)
    return problem.exit_code


def _in_lines(message: str) -> str:
    """Return a message with control characters as escapes, and long ones broken at semicolons.

    Names in a message may have newlines. What follows is indented, so that no name can pass for a
    message of its own.
    """
    text = "\n  ".join(map(printable, message.split("\n")))
    return text if len(text) <= _LONG else text.replace("; ", ";\n  ")


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


def _end_on_sigterm() -> None:
    """Let SIGTERM end this process as Ctrl-C does, and its workers at once."""

    def end(number: int, frame: object) -> NoReturn:
        del frame
        signal.signal(number, signal.SIG_IGN)  # a second one would interrupt the tidying
        workers = sys.modules.get("multiprocessing")
        for worker in workers.active_children() if workers is not None else ():
            if not worker.daemon:  # loaders of torch end with this process
                worker.terminate()
        raise Terminated

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, end)


def _stopped(problem: BaseException, wants_json: bool) -> int:
    """Print that Ctrl-C or SIGTERM stopped the command, and how to resume it if it can be."""
    # click replaces a KeyboardInterrupt by its own exception without text.
    cause = problem.__cause__ or problem
    hint = str(problem) or str(cause)
    details = {"kind": "stopped", "message": hint or "stopped from outside", "where": None}
    _complain(f"stopped; {hint}" if hint else "stopped", details, wants_json)
    return _TERMINATED if isinstance(cause, Terminated) else _INTERRUPTED


def _crashed(problem: BaseException, wants_json: bool) -> int:
    """Print a bug, a fault of the machine, or the name of a package that is not installed."""
    fault = machine_fault(problem)
    if fault is not None:
        return _failed(fault, wants_json)
    missing = missing_extra(problem) if isinstance(problem, ModuleNotFoundError) else None
    if missing is not None:
        return _failed(missing, wants_json)
    _echo("\n".join(map(printable, traceback.format_exc().splitlines())), err=True)
    message = f"{type(problem).__name__}: {text_of(problem)}"
    details = {"kind": "crash", "message": message, "where": None}
    _complain(f"internal error: {message}", details, wants_json)
    return _CRASH


def _left(problem: SystemExit, wants_json: bool) -> int:
    """Return the exit code for ``SystemExit``, which click raises for a closed pipe."""
    if "PacifyFlushWrapper" in type(sys.stdout).__name__:  # set by click
        return _PIPE_CLOSED
    message = f"called code exited with sys.exit({problem.code!r})"
    details = {"kind": "crash", "message": message, "where": None}
    _complain(f"error: {message}; it must return instead", details, wants_json)
    return _CRASH


def _complain(line: str, details: dict[str, str | None], wants_json: bool) -> None:
    _echo(_in_lines(line), err=True)
    if wants_json:
        _print_error(details)


def _print_error(details: dict[str, str | None]) -> None:
    _echo(json.dumps({"error": details}, indent=2))


def _echo(text: str, *, err: bool = False) -> None:
    """Print. A closed pipe or a full disk must not change the exit code."""
    try:
        click.echo(text, file=None if err else results_stream(), err=err)
    except OSError:  # nothing may be written there at exit either
        stream = sys.stderr if err else results_stream()
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mapt-bench")
@click.option(
    "--max-frame",
    metavar="HxW",
    help="Largest frame that is decoded, in pixels; memory grows with it. Default: 8192x8192, "
    "about 2 GB.",
)
def main(max_frame: str | None) -> None:
    """Evaluate and compare panoptic trackers: PAT, STQ and every related score.

    Exit codes: 0 success, 1 a check failed, 2 wrong usage, 3 unusable data, 70 crash, 130 stopped
    by Ctrl-C, 141 closed pipe, 143 stopped by SIGTERM.
    """
    if max_frame is not None:
        from mapt_bench.frame_limit import set_frame_limit  # --help must start fast

        set_frame_limit(max_frame)
