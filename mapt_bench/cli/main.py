"""The group of all commands. Each command's module is imported only when it is asked for."""

import importlib
import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from mapt_bench import __version__
from mapt_bench.errors import ConfigError, MaptBenchError, nearest
from mapt_bench.extras import missing_extra

__all__ = ["main"]

_COMMANDS = {
    "ablate": ("mapt_bench.cli.ablate", "Cross cues, memory and fusion orders on one video set."),
    "check": ("mapt_bench.cli.check", "Validate a folder of labels and summarise its content."),
    "compare": ("mapt_bench.cli.compare", "Fail when a result is worse than a baseline."),
    "conformance": ("mapt_bench.cli.conformance", "Check the metrics against golden cases."),
    "evaluate": ("mapt_bench.cli.evaluate", "Score folders of predictions against ground truth."),
    "flops": ("mapt_bench.cli.flops", "Count FLOPs with two counters; measure latency, memory."),
    "show": ("mapt_bench.cli.show", "Show frames, animations and timelines of tracks."),
    "stress": ("mapt_bench.cli.stress", "Hide, hasten, confuse or spoil what is tracked."),
    "sweep-interval": (
        "mapt_bench.cli.sweep_interval",
        "Drop frames or widen the pairing interval.",
    ),
    "synth": ("mapt_bench.cli.synth", "Draw videos of which every answer is known."),
    "train": ("mapt_bench.cli.train", "Train a model, or go on with a run that was stopped."),
    "track": ("mapt_bench.cli.track", "Run one tracker and write its panoptic maps."),
}

_CRASH = 70
_USAGE = 2
_INTERRUPTED = 130
_PIPE_CLOSED = 141
"""As shells report the signals INT and PIPE; 1 would say that a check failed."""

_NAME = "mapt-bench"
_COMPLETION = "_MAPT_BENCH_COMPLETE"
"""The variable by which a shell asks for completions; click derives it from the name."""


class _LazyGroup(click.Group):
    """A group that knows its commands by name and keeps the exit codes of the contract."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(_COMMANDS[cmd_name][0])
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__}.command is no click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            raise click.UsageError(f"no command {args[0]!r}; {nearest(args[0], _COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Summaries stand here, so that --help imports no command and starts at once.
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry[1]) for name, entry in sorted(_COMMANDS.items())])

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        **extra: Any,  # noqa: ANN401 - handed on to click as it is
    ) -> NoReturn:
        """Run, and turn every outcome into an exit code: 0, 1, 2, 3 or 70; never returns."""
        words = list(sys.argv[1:] if args is None else args)
        if _COMPLETION in os.environ:  # click answers the shell and exits
            super().main(words, prog_name=_NAME, complete_var=_COMPLETION)
        extra["standalone_mode"] = False
        wants_json = any(word == "--json" or word.startswith("--json=") for word in words)
        sys.exit(self._run(words, wants_json, {"prog_name": prog_name, **extra}))

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
            problem.show()
            if wants_json:
                _print_error(ConfigError(problem.format_message()).to_dict())
            return _USAGE
        except (click.Abort, KeyboardInterrupt):
            details = {"kind": "stopped", "message": "stopped from outside", "where": None}
            _complain("stopped", details, wants_json)
            return _INTERRUPTED
        except SystemExit as problem:
            return _left(problem, wants_json)
        except Exception as problem:  # the last resort: exit 70 is part of the contract
            return _crashed(problem, wants_json)


def _failed(problem: MaptBenchError, wants_json: bool) -> int:
    """Report an error that is meant for the user."""
    if problem.exit_code == _CRASH:  # the user's own code failed: they need the traceback
        traceback.print_exc()
    place = f"{problem.where}: " if problem.where else ""
    _complain(f"error: {place}{problem.message}", problem.to_dict(), wants_json)
    return problem.exit_code


def _crashed(problem: Exception, wants_json: bool) -> int:
    """Report a bug, or an optional package that is not installed."""
    missing = missing_extra(problem) if isinstance(problem, ModuleNotFoundError) else None
    if missing is not None:
        return _failed(missing, wants_json)
    traceback.print_exc()
    message = f"{type(problem).__name__}: {problem}"
    details = {"kind": "crash", "message": message, "where": None}
    _complain(f"internal error: {message}", details, wants_json)
    return _CRASH


def _left(problem: SystemExit, wants_json: bool) -> int:
    """Tell the two ways to leave apart: click's when a pipe is closed, and somebody's sys.exit."""
    if "PacifyFlushWrapper" in type(sys.stdout).__name__:  # click has put it there
        return _PIPE_CLOSED
    message = f"code that was called left by sys.exit({problem.code!r})"
    details = {"kind": "crash", "message": message, "where": None}
    _complain(f"error: {message}; it must return instead", details, wants_json)
    return _CRASH


def _complain(line: str, details: dict[str, str | None], wants_json: bool) -> None:
    click.echo(line, err=True)
    if wants_json:
        _print_error(details)


def _print_error(details: dict[str, str | None]) -> None:
    click.echo(json.dumps({"error": details}, indent=2))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mapt-bench")
def main() -> None:
    """Evaluate and compare panoptic trackers: PAT, STQ and every related score.

    Exit codes: 0 fine, 1 a check failed, 2 wrong usage, 3 unusable data, 70 a crash; 130 stopped by
    Ctrl-C, 141 the reader of a pipe has gone.
    """
