"""``mapt-bench stress``: trackers under occlusion, motion, likeness and bad images."""

from typing import Any

import click

from mapt_bench.baselines.rows import DEFAULT_MEMORY
from mapt_bench.cli.experiment import experiment_options, network_options, run_and_show
from mapt_bench.experiments import DEFAULT_LEVELS, StressConfig, run_stress
from mapt_bench.reports.run_tables import stress_tables
from mapt_bench.reports.stress_plots import write_stress_plots

__all__ = ["command"]

_EPILOG = """\b
Examples:
  mapt-bench stress occlusion -j 2
  mapt-bench stress motion --data DATA --stressor drop --levels 1,2 --out runs/drop --json -
  mapt-bench stress occlusion --add mapt+memory --add my_module:MyTracker -j 2
"""


@click.command("stress", epilog=_EPILOG)
@click.argument("kind", metavar="occlusion|motion|similarity|image")
@click.option(
    "--stressor",
    "stressors",
    multiple=True,
    metavar="NAME",
    help="Apply this stressor of the kind. Repeatable. Default: all of the kind; of occlusion all "
    "but poles. Example: --stressor bars",
)
@click.option(
    "--levels",
    default=",".join(map(str, DEFAULT_LEVELS)),
    show_default=True,
    metavar="LEVELS",
    help="Apply these levels from 1 (mild) to 5. Level 0, the unchanged videos, always runs. "
    "Example: --levels 1,3",
)
@click.option(
    "--memory",
    default=DEFAULT_MEMORY,
    show_default=True,
    metavar="N",
    help="Keep a lost track for N frames in rows named +memory. Example: --memory 20",
)
@network_options
@experiment_options
def command(
    json_file: str | None,
    show_config: bool,
    **options: Any,  # noqa: ANN401 - what click collects
) -> int:
    """Put videos under stress, level by level, and see what trackers lose.

    Gives scores by level, links kept by visible fraction and by gap length, identities recovered
    after a gap with the precision of recoveries, and for motion the break point: the displacement
    at which half of the associations are lost. Truth and segments follow the stress.

    Without --data the suite 'stress' is run, mild videos of the drawn world; each kind takes three
    to six minutes on two cores with -j 2. Segments are the true ones (--segments groundtruth)
    unless others are asked for, so that what is lost is lost to the stress.
    """
    return run_and_show(
        run_stress,
        StressConfig.from_cli(**options),
        json_file=json_file,
        show_config=show_config,
        tables_of=stress_tables,
        write_pictures=write_stress_plots,
    )
