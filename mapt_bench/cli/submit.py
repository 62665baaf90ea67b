"""``mapt-bench submit``: pack predictions for a benchmark server."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mapt_bench.cli.completion import complete_encoding, complete_from
from mapt_bench.cli.options import (
    checked_output,
    emit_json,
    json_option,
    path_type,
    print_line,
)
from mapt_bench.cli.progress import progress_bar
from mapt_bench.errors import counted

if TYPE_CHECKING:
    from mapt_bench.data.submission import Submission

__all__ = ["command"]


def _benchmark_names() -> tuple[str, ...]:
    from mapt_bench.data.submission import BENCHMARKS

    return tuple(BENCHMARKS)


@click.command(
    "submit",
    epilog="""\b
Examples:
  mapt-bench submit kitti-step runs/mine --out mine.zip
  mapt-bench submit motchallenge-step runs/mine --images MOTS/test --out mine.zip
""",
)
@click.argument(
    "name", metavar="kitti-step|motchallenge-step", shell_complete=complete_from(_benchmark_names)
)
@click.argument("predictions", metavar="PRED", type=path_type)
@click.option(
    "--out",
    type=path_type,
    metavar="ZIP",
    required=True,
    callback=checked_output,
    help="Write the archive to this file. Example: --out mine.zip",
)
@click.option(
    "--images",
    type=path_type,
    metavar="DIR",
    help="Compare names, frames and sizes with these test images. Example: --images testing",
)
@click.option(
    "--encoding",
    shell_complete=complete_encoding,
    metavar="NAME",
    show_default="detected from the files",
    help="Encoding of the predictions.",
)
@json_option
def command(
    name: str,
    predictions: Path,
    out: Path,
    images: Path | None,
    encoding: str | None,
    json_file: str | None,
) -> int:
    """Check the predictions in PRED for a benchmark server, and pack them into the file --out.

    The checks are sequences, frames, sizes, classes and ids. With a problem, the command lists all
    problems, writes no archive, and exits with 1.
    """
    from mapt_bench.data.submission import benchmark, pack_submission

    page = benchmark(name).page  # report an unknown name before anything is read
    with ExitStack() as stack:
        bars = []

        def started(steps: int) -> None:
            bars.append(stack.enter_context(progress_bar("packing", steps)))

        found = pack_submission(
            name,
            predictions,
            out,
            encoding=encoding,
            images=images,
            started=started,
            advance=lambda steps: bars[0](steps),
        )
    if not emit_json(json_file, found.to_dict()):
        _show(found, page)
    return int(bool(found.problems))


def _show(found: "Submission", page: str) -> None:
    for note in found.notes:
        print_line(f"note: {note}", err=True)
    for problem in found.problems:
        print_line(f"{problem.path}: {problem.message} [{problem.kind}]")
    if found.problems:
        count = counted(len(found.problems), "problem")
        print_line(f"failed: {count}, so no archive is written", err=True)
        return
    frames = counted(sum(found.frames.values()), "frame")
    print_line(
        f"{frames} of {counted(len(found.frames), 'sequence')} packed into {found.archive} "
        f"({(found.bytes or 0) / 1e6:.1f} MB); upload it as {page} says"
    )
