"""``mapt-bench convert``: write maps in another encoding."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mapt_bench.cli.completion import complete_from
from mapt_bench.cli.options import (
    emit_json,
    extent_options,
    json_option,
    maps_options,
    path_type,
    print_line,
)
from mapt_bench.cli.output_folders import check_outside, emit_json_before
from mapt_bench.cli.progress import progress_bar
from mapt_bench.errors import counted

if TYPE_CHECKING:
    from mapt_bench.data import MapFolder
    from mapt_bench.data.conversion import Conversion

__all__ = ["command"]


def _writer_names() -> tuple[str, ...]:
    from mapt_bench.data import writer_names

    return writer_names()


@click.command(
    "convert",
    epilog="""\b
Examples:
  mapt-bench convert data/kitti_step out --to coco-panoptic
  mapt-bench convert predictions out --encoding mots-txt --to kitti-step --frames 447
""",
)
@click.argument("source", metavar="SRC", type=path_type)
@click.argument("target", metavar="DST", type=path_type)
@click.option(
    "--to",
    "target_encoding",
    shell_complete=complete_from(_writer_names),
    metavar="NAME",
    required=True,
    help="Encoding to write. Pass an unknown name to list the valid ones.",
)
@maps_options("SRC")
@extent_options("SRC")
@click.option(
    "--lossless", is_flag=True, help="Write nothing and exit with 1 if something is lost."
)
@json_option
def command(
    source: Path,
    target: Path,
    target_encoding: str,
    dataset: str | None,
    encoding: str | None,
    frames: tuple[str, ...],
    size: str | None,
    lossless: bool,
    json_file: str | None,
) -> int:
    """Write the maps of SRC to the new folder DST in another encoding.

    Every frame is read back and compared with SRC. The command prints each loss with its reason,
    or that nothing is lost.
    """
    from mapt_bench.data import open_maps
    from mapt_bench.data.conversion import convert_maps
    from mapt_bench.data.dataset_file import Extents
    from mapt_bench.data.writers import map_format

    check_outside(target, [source])
    map_format(target_encoding)  # report an unknown name before anything is read
    maps = open_maps(source, dataset, encoding=encoding, extents=Extents.from_options(frames, size))

    def document(found: "Conversion") -> dict[str, Any]:
        return {**found.to_dict(), "written": not (lossless and found.losses)}

    def report(found: "Conversion", unfinished: Path) -> None:
        if not (lossless and found.losses):
            emit_json_before(json_file, document(found), target, unfinished)

    with progress_bar("converting", 2 * maps.frame_count) as advance:
        found = convert_maps(
            maps,
            target,
            target_encoding,
            keep_losses=not lossless,
            advance=advance,
            report=report,
        )
    is_refused = lossless and bool(found.losses)
    is_late = is_refused or json_file == "-"
    if not (is_late and emit_json(json_file, document(found))):
        _show(maps, found, is_refused=is_refused)
    if is_refused:
        print_line("failed: something would be lost, so nothing is written", err=True)
    return int(is_refused)


def _show(maps: "MapFolder", found: "Conversion", *, is_refused: bool) -> None:
    for note in maps.notes:
        print_line(f"note: {note}", err=True)
    for loss in found.losses:
        print_line(f"lost: {loss}", err=True)
    for reason in found.reasons:
        print_line(f"{found.encoding}: {reason}", err=True)
    if not is_refused:
        ending = "" if found.losses else "; nothing is lost"
        print_line(
            f"{counted(found.frames, 'frame')} of {counted(found.sequences, 'sequence')} written "
            f"to {found.folder} as {found.encoding}, from {maps.encoding}{ending}"
        )
