"""``mapt-bench synth``: write synthetic videos and their annotations to a folder."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import click

from mapt_bench.cli.completion import complete_from, complete_label_space, complete_suite
from mapt_bench.cli.options import (
    add_options,
    emit_json,
    json_option,
    path_type,
    print_line,
    resumable,
)
from mapt_bench.cli.progress import progress_bar
from mapt_bench.errors import ConfigError, counted
from mapt_bench.provenance import provenance
from mapt_bench.reports.table_formats import print_table
from mapt_bench.reports.tables import Column, Table
from mapt_bench.synthetic.fingerprints import check_suite, frozen_fingerprint
from mapt_bench.synthetic.suites import suite_names
from mapt_bench.synthetic.video import WorldVideo
from mapt_bench.synthetic.video_export import (
    Export,
    ExportedVideo,
    Written,
    WrittenFlow,
    export_videos,
)
from mapt_bench.synthetic.world_settings import Family, Kind, WorldSettings

__all__ = ["command"]

_EPILOG = """\b
Examples:
  mapt-bench synth --kind street --seed 7 --count 4 --out world
  mapt-bench synth --suite val --flow backward -j 2 --out val --json val.json
"""

_settings_options = add_options(
    click.option(
        "--kind",
        shell_complete=complete_from(lambda: get_args(Kind)),
        metavar="|".join(get_args(Kind)),
        help="Kind of scene.",
    ),
    click.option(
        "--seed", type=int, help="Seed of the first video. Further videos count up from it."
    ),
    click.option("--count", type=int, help="Number of videos (default: 1)."),
    click.option("--frames", type=int, help="Number of frames of each video (default: 20)."),
    click.option("--size", metavar="HxW", help="Height and width in pixels (default: 192x624)."),
    click.option(
        "--labels",
        shell_complete=complete_label_space,
        metavar="NAME",
        help="Label space (default: kitti-step).",
    ),
    click.option(
        "--family",
        shell_complete=complete_from(lambda: get_args(Family)),
        metavar="NAME",
        help="Source of appearance, shapes and gaits: varied (default; sampled for each video), or "
        "shifted (fixed; for domain shift).",
    ),
    click.option("--speed", type=float, help="Factor of all speeds (default: 1, realistic)."),
    click.option(
        "--spacing",
        type=float,
        help="Factor of the distances between objects (default: 1, realistic).",
    ),
    click.option("--similarity", type=float, help="Share of look-alikes, 0 to 1 (default: 0.3)."),
    click.option(
        "--gap",
        type=int,
        help="Approximate length of full occlusions in frames, where an occluder can be placed "
        "(default: 0, no added occluder).",
    ),
    click.option("--wash", type=float, help="Fade colours of objects towards grey, 0 (none) to 1."),
    click.option("--objects", type=int, help="Number of tracked objects (default: random)."),
)
"""Options of the scene. Omitted options take the defaults of the world settings."""


@click.command("synth", epilog=_EPILOG)
@_settings_options
@click.option(
    "--suite",
    shell_complete=complete_suite,
    metavar="NAME",
    help="Write this frozen suite instead of --kind and --seed: "
    f"{', '.join(suite_names())}. Example: --suite val",
)
@click.option(
    "--flow",
    shell_complete=complete_from(lambda: get_args(WrittenFlow)),
    default="none",
    show_default=True,
    metavar="|".join(get_args(WrittenFlow)),
    help="Also write the true optical flow, as KITTI's 16-bit PNG.",
)
@click.option("-j", "jobs", default=1, show_default=True, help="Number of worker processes.")
@click.option("--out", type=path_type, metavar="DIR", required=True, help="Output folder.")
@json_option
def command(
    suite: str | None,
    flow: WrittenFlow,
    jobs: int,
    out: Path,
    json_file: str | None,
    kind: Kind | None,
    seed: int | None,
    **given: Any,  # noqa: ANN401 - what click collects
) -> int:
    """Generate synthetic videos with complete ground truth, in KITTI-STEP's layout.

    The folder gets images, panoptic_maps and known. known has one line of JSON per frame, with the
    amodal and visible shape, depth, speed and look-alikes of every object. Equal settings give
    equal bytes. Run the same command again to resume a stopped one.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    if suite is not None:
        export = _suite_export(suite, {"kind": kind, "seed": seed, **chosen}, out)
    else:
        export = _export(kind, seed, chosen, out)
    export = replace(export, flow=flow)
    frames = sum(drawn.video.info.frame_count for drawn in export.videos)
    # Several commands may write one folder: each sequence is locked by itself.
    with resumable(out, is_alone=False), progress_bar("rendering", frames) as advance:
        written = export_videos(export, jobs=jobs, advance=advance)
    result = {
        **export.describe(),
        "schema": "mapt-bench/synth/1",
        "out": str(out),
        "sequences": [{**one.header.to_dict(), "was_there": one.was_there} for one in written],
        "provenance": provenance(threads=jobs),
    }
    if not emit_json(json_file, result):
        print_table(_table(written))
        print_line(f"videos: {out}")
    return 0


def _suite_export(name: str, given: Mapping[str, Any], out: Path) -> Export:
    refused = [f"--{option}" for option, value in given.items() if value is not None]
    if refused:
        raise ConfigError(
            f"--suite {name} is frozen, with settings of its own; omit {', '.join(refused)}"
        )
    suite = check_suite(name)
    return Export(
        out,
        tuple(ExportedVideo(video, asdict(video.settings)) for video in suite.videos),
        split="train" if suite.name == "train" else "val",
        suite={
            "name": suite.name,
            "version": suite.version,
            "fingerprint": str(frozen_fingerprint(suite)),
        },
    )


def _missing(kind: Kind | None, seed: int | None) -> str:
    if kind is None and seed is None:
        return "no scene is given"
    return "--kind is missing" if kind is None else "--seed is missing"


def _export(kind: Kind | None, seed: int | None, given: Mapping[str, Any], out: Path) -> Export:
    if kind is None or seed is None:
        raise ConfigError(
            f"{_missing(kind, seed)}; give --kind {'|'.join(get_args(Kind))} and --seed N, or "
            "--suite NAME"
        )
    rest = dict(given)
    count = rest.pop("count", 1)
    if count < 1:
        raise ConfigError(f"--count is {count}; expected 1 or more")
    if "size" in rest:
        rest["height"], rest["width"] = _size(rest.pop("size"))
    videos = [
        WorldVideo(WorldSettings(kind=kind, seed=number, **rest), f"{kind}-{number:04d}")
        for number in range(seed, seed + count)
    ]
    return Export(out, tuple(ExportedVideo(video, asdict(video.settings)) for video in videos))


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch("([0-9]{1,9})x([0-9]{1,9})", text)
    if found is None:
        raise ConfigError(f"--size is {text!r}; expected HxW, as in 192x624")
    return int(found[1]), int(found[2])


def _table(written: Sequence[Written]) -> Table:
    """Return one row per sequence, with the first digits of the fingerprint of its maps."""
    columns = (
        Column("sequence"),
        Column("frames", "integer"),
        Column("tracks", "integer"),
        Column("maps (SHA-256)"),
        Column("state"),
    )
    rows = tuple(
        (
            one.header.sequence,
            one.header.frames,
            one.header.tracks,
            one.header.maps_sha256[:16],
            "was there" if one.was_there else "written",
        )
        for one in written
    )
    return Table(counted(len(rows), "synthetic video"), columns, rows)
