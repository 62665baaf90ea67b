"""``mapt-bench ablate``, ``sweep-interval`` and ``stress``: experiments with the same options."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from mapt_bench.baselines.rows import DEFAULT_MEMORY, ROW_FORM
from mapt_bench.baselines.thresholds import DEFAULT_THRESHOLDS
from mapt_bench.cli.completion import (
    complete_from,
    complete_label_space,
    complete_list,
    complete_row,
    complete_segments,
    complete_suite,
    complete_thresholds,
    complete_weights,
)
from mapt_bench.cli.interval_matrix import (
    matrix_options,
    run_matrix_command,
    without_matrix_options,
)
from mapt_bench.cli.options import (
    add_options,
    cluster_options,
    device_options,
    encoding_option,
    gallery_option,
    headline_options,
    jobs_option,
    json_option,
    log_option,
    map_option,
    path_type,
    revision_option,
    split_names,
)
from mapt_bench.cli.run_and_show import (
    options_by_data,
    run_and_show,
    run_each_and_show,
    split_view,
)
from mapt_bench.cli.show_config import print_config, show_config_option
from mapt_bench.cli.vpq_windows import windows_option
from mapt_bench.errors import ConfigError
from mapt_bench.experiments.experiment_config import (
    DEFAULT_LEVELS,
    FAILURES,
    SEGMENTS_FORM,
    AblationConfig,
    ExperimentConfig,
    StressConfig,
    SweepConfig,
)
from mapt_bench.experiments.plan_settings import plan_text
from mapt_bench.weights import DEFAULT_MAPT

__all__ = [
    "ablate",
    "experiment_options",
    "network_options",
    "stress",
    "sweep_interval",
    "thresholds_option",
]

thresholds_option = click.option(
    "--thresholds",
    shell_complete=complete_thresholds,
    metavar="tuned|published|FILE",
    default=DEFAULT_THRESHOLDS,
    show_default=True,
    help="Run trackers with thresholds tuned on the suite val, with the published ones, or "
    "with those of a FILE that tune wrote. Settings in a row override them. "
    "Example: --thresholds published",
)
"""``--thresholds``, with the same default in every command that runs trackers."""

experiment_options = add_options(
    thresholds_option,
    click.option(
        "--data",
        multiple=True,
        type=path_type,
        help="Run on this folder with panoptic_maps and images. Default: --suite. Repeatable in "
        "ablate. Example: --data KITTI_STEP",
    ),
    click.option(
        "--suite",
        shell_complete=complete_suite,
        multiple=True,
        metavar="NAME",
        help="Run on this suite of synthetic videos: quick, bench (numbers to report), tiny "
        "(trials), stress, train or val. Default: quick; for stress tests, stress. Repeatable in "
        "ablate. Example: --suite tiny",
    ),
    click.option(
        "--segments",
        shell_complete=complete_segments,
        metavar=SEGMENTS_FORM,
        help="Link these segments with every tracker: MAPT's detections (mapt), ground-truth "
        "segments without identities (groundtruth), the same with mild faults (noisy), "
        "detections by the weights NAME or FILE, or the predictions in DIR. ablate and stress "
        "take several kinds, separated by commas. Default: groundtruth; on suites "
        "mapt,groundtruth in ablate and mapt in sweep-interval. Example: --segments "
        "mapt,groundtruth",
    ),
    click.option(
        "--add",
        shell_complete=complete_row,
        multiple=True,
        metavar="ROW",
        help=f"Run one more row: {ROW_FORM}. NAME is a tracker of this package, an installed "
        "one, or package.module:Class. Repeatable. Example: --add my_module:MyTracker+memory",
    ),
    click.option(
        "--only",
        shell_complete=complete_row,
        multiple=True,
        metavar="ROW",
        help="Run only this row, besides the lower and upper bounds and the rows of --add. Tables "
        "keep the order. Repeatable. Example: --only mapt+memory --only sort+memory",
    ),
    click.option(
        "--dataset",
        shell_complete=complete_label_space,
        multiple=True,
        metavar="NAME",
        help="Use this label space for --data: a built-in name or a YAML file. With several "
        "--data, give one for all or one for each. Example: --dataset kitti-step",
    ),
    map_option,
    encoding_option,
    windows_option,
    click.option(
        "--out",
        type=path_type,
        help="Write the run to this folder. An existing run is resumed. "
        "Default: runs/<command>-<time>. Example: --out runs/mine",
    ),
    click.option(
        "--losses",
        shell_complete=complete_row,
        multiple=True,
        metavar="ROW",
        help="Show where the points of this row were lost, besides the reference, the best row, "
        "the oracle and rows of --add. Repeatable. Example: --losses mapt:motion",
    ),
    jobs_option,
    cluster_options,
    device_options,
    click.option(
        "--seed",
        default=0,
        show_default=True,
        help="Seed the order and faults of segments, and resampling. Example: --seed 1",
    ),
    show_config_option,
    headline_options,
    click.option(
        "--no-report",
        is_flag=True,
        help="Do not write report.html, the page with all results. Example: --no-report",
    ),
    gallery_option,
    revision_option,
    log_option,
    json_option,
)
"""Options that all experiments have."""

network_options = add_options(
    click.option(
        "--weights",
        shell_complete=complete_weights,
        metavar="NAME|FILE|none",
        help="Run MAPT with these weights: the name of shipped weights, a file that train "
        f"wrote, or none to run without MAPT. Default: {DEFAULT_MAPT}. "
        "Example: --weights mapt-compact",
    ),
    click.option(
        "--flow-weights",
        multiple=True,
        metavar="NAME=FILE",
        help="Run this flow network with trained weights. Repeatable. The shipped narrow "
        "FlowNet2 needs only its name, flow:flownet2-narrow. "
        "Example: --flow-weights flow:raft-small=raft_small.pth",
    ),
)
"""``--weights`` and ``--flow-weights``."""

_memory_option = click.option(
    "--memory",
    default=DEFAULT_MEMORY,
    show_default=True,
    metavar="N",
    help="Keep a lost track for N frames in rows named +memory. Example: --memory 20",
)
"""``--memory`` of the experiments that run rows with and without memory."""


def _factors() -> Iterable[str]:
    from mapt_bench.metrics.step_links import BY_FACTORS

    return BY_FACTORS


def _run(kind: type[ExperimentConfig], options: Mapping[str, Any], *, several: bool = False) -> int:
    """Run the experiment of the options of a command, on one data set or on each of several.

    Args:
        kind: Class of the configuration.
        options: All options of the command.
        several: Whether there may be several data sets.

    Raises:
        ConfigError: If options do not go together, or ``--out`` holds another run.
        DataError: If the data are unusable or a file cannot be written.
    """
    given, view = split_view(
        {name: value for name, value in options.items() if name != "show_config"}
    )
    if not (several and len(options["data"]) + len(options["suite"]) > 1):
        (one,) = options_by_data(given, several=False).values()
        config = kind.from_cli(**one)
        if options["show_config"]:
            return _print_config(config)
        return run_and_show(config, view)
    if options["show_config"]:
        raise ConfigError("--show-config is for one data set; give one --data or --suite")
    folder = options["out"] or Path("runs") / f"ablate-{datetime.now():%Y%m%d-%H%M%S}"
    configs = {
        name: kind.from_cli(**{**own, "out": folder / name})
        for name, own in options_by_data(given, several=True).items()
    }
    text = plan_text([*configs.values()], view.report())
    return run_each_and_show(configs, folder, view, text=text)


def _print_config(config: ExperimentConfig) -> int:
    from mapt_bench.experiments import check_config

    check_config(config)
    print_config(config.to_dict())
    return 0


@click.command(
    "ablate",
    epilog="""\b
Examples:
  mapt-bench ablate -j 2
  mapt-bench ablate --data DATA --segments PREDICTIONS --memory 20 --out runs/mine --json -
  mapt-bench ablate --suite tiny --add my_module:MyTracker+memory --out runs/tracker
  mapt-bench ablate --suite tiny --suite quick --out runs/two
  mapt-bench ablate --by visibility,size,density,gap --only mapt+memory --only mapt:paper+memory
""",
)
@_memory_option
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="NAME|KEY=VALUE|all",
    help="Add a row of MAPT with this component removed at inference, or with a setting changed. "
    "all adds one row for each component. Repeatable. Pass an unknown name to list the valid "
    "ones. Example: --switch static --switch gallery_size=1",
)
@click.option(
    "--trained",
    multiple=True,
    metavar="NAME|NAME=FILE",
    help="Compare a network that was trained without a component, in separate tables: weights "
    "of yours, or shipped ones by name. Repeatable. Example: --trained mine=FILE",
)
@click.option(
    "--reference",
    shell_complete=complete_row,
    metavar="ROW",
    help="Compute paired differences to this row. Pass an unknown row to list the valid ones. "
    "Example: --reference mapt:motion+memory  [default: mapt+memory; without MAPT, both]",
)
@click.option(
    "--without-memory",
    is_flag=True,
    help="Run baselines and fusions without memory too, not only copying and MAPT's heads.",
)
@click.option(
    "--by",
    shell_complete=complete_list(_factors),
    callback=lambda _context, _option, text: split_names(text),
    metavar="NAME[,NAME...]",
    help="Count the links of each step of the fusion by these properties of the object: "
    "visibility, size, density, gap. Adds rows in which ground truth replaces each step of "
    "mapt+memory and mapt:paper+memory. Example: --by visibility,size",
)
@network_options
@experiment_options
def ablate(**options: Any) -> int:  # noqa: ANN401 - what click collects
    """Run the ablation: cues, track memory and fusion order on the same segments.

    The rows are MAPT's motion head, its appearance head and both, each with and without track
    memory; other fusion orders; and optical flow instead of the motion head. Baselines are copying
    the last masks, IoU, SORT, ByteTrack, OC-SORT, Deep OC-SORT, BoT-SORT and hand-crafted
    appearance, with memory. Unlinked segments are the lower bound, ground-truth identities the
    upper bound. All rows link the same segments: MAPT's detections, then ground-truth segments.
    The run folder holds the result, tables and plots.

    Several --data and --suite run one after the other, each in its own folder, and a table shows
    the drop of each row from the first: name the data that the network was trained on first.
    """
    return _run(AblationConfig, options, several=True)


@click.command(
    "sweep-interval",
    epilog="""\b
Examples:
  mapt-bench sweep-interval -j 2
  mapt-bench sweep-interval -j 2 --flow-weights flow:flownet2-narrow
  mapt-bench sweep-interval --add both+memory --add my_module:MyTracker -j 2
  mapt-bench sweep-interval --data DATA --drop 1,2,4 --out runs/drop --json drop.json
  mapt-bench sweep-interval --train -j 2 --out runs/intervals
""",
)
@click.option(
    "--drop",
    metavar="TAUS",
    help="Keep only every tau-th frame, for trackers and ground truth, and average scores over "
    "all tau phases. Example: --drop 1,2,4",
)
@click.option(
    "--pair", metavar="TAUS", help="Pair frame t with frame t - tau. Example: --pair 1,2,3"
)
@click.option(
    "--memory",
    type=int,
    metavar="N",
    help="Keep a lost track for N frames in every row that supports memory. These rows are named "
    f"+memory. Default: 0; with --train {DEFAULT_MEMORY}. Example: --memory 10",
)
@matrix_options
@network_options
@experiment_options
def sweep_interval(**options: Any) -> int:  # noqa: ANN401 - what click collects
    """Evaluate trackers over temporal intervals: dropped frames and pairing intervals.

    TAUS are whole numbers of frames, separated by commas. Without --drop and --pair, both sweeps
    run with 1,2,3,5. Scores at different tau are not comparable by themselves, so each tau has two
    reference rows: copying the last masks, and the oracle. Each head of MAPT has a row, and so
    have both heads, the fusion of the paper, and each flow network that you name.

    --train answers another question: which interval to train at, and which to run at. It fine-tunes
    MAPT's heads at each training interval, and runs them at each inference interval (--pair), at
    the adaptive one, and with each frame skip (--drop, by default none).
    """
    if options["train"]:
        return run_matrix_command(options)
    return _run(SweepConfig, without_matrix_options(options))


def _stress_kinds() -> tuple[str, ...]:
    from mapt_bench.stress.catalog import STRESS_KINDS

    return (*STRESS_KINDS, FAILURES)


def _stressor_names() -> tuple[str, ...]:
    from mapt_bench.stress.catalog import STRESS_KINDS, stress_entries

    return tuple(entry.name for kind in STRESS_KINDS for entry in stress_entries(kind))


@click.command(
    "stress",
    epilog="""\b
Examples:
  mapt-bench stress occlusion -j 2
  mapt-bench stress motion --data DATA --stressor drop --levels 1,2 --out runs/drop --json -
  mapt-bench stress failures --segments mapt,groundtruth -j 2
  mapt-bench stress occlusion --add my_module:MyTracker -j 2
""",
)
@click.argument(
    "kind",
    shell_complete=complete_from(_stress_kinds),
    metavar=f"occlusion|motion|similarity|image|{FAILURES}",
)
@click.option(
    "--stressor",
    "stressors",
    shell_complete=complete_from(_stressor_names),
    multiple=True,
    metavar="NAME",
    help="Apply this stressor of the kind; for failures, of any kind. Repeatable. Default: all of "
    "the kind; for occlusion, all but poles; for failures, speed, passing, look-alikes and blur. "
    "Example: --stressor bars",
)
@click.option(
    "--levels",
    metavar="LEVELS",
    help="Apply these levels from 1 (mild) to 5. Level 0, the unchanged videos, always runs. "
    f"Default: {','.join(map(str, DEFAULT_LEVELS))}; for failures, 3. Example: --levels 1,3",
)
@_memory_option
@network_options
@experiment_options
def stress(**options: Any) -> int:  # noqa: ANN401 - what click collects
    """Evaluate trackers under occlusion, fast motion, look-alikes or image corruption.

    The rows are MAPT's heads, alone and together, under occlusion and motion also in other fusion
    orders, and the baselines. The kind 'failures' has one table of MAPT's rows under rapid
    motion, occlusion, look-alikes and blur. --weights none runs without MAPT, which is much faster.

    The result has scores by level; association accuracy by visible fraction and by length of the
    occlusion gap; recovery after occlusion, with its precision; and, for motion, the break point:
    the displacement at which half of the associations are lost. Ground truth and segments are
    stressed like the videos.

    Without --data, the suite 'stress' is used: synthetic videos that are easy without stress.
    Without MAPT, each kind takes three to six minutes on two cores with -j 2. The default is
    --segments groundtruth, so that every loss is due to the stress.
    """
    return _run(StressConfig, options)
