"""``--vpq-windows`` of evaluations and experiments."""

import click

from mapt_bench.errors import whole_numbers

__all__ = ["windows_option"]


def _read_windows(context: click.Context, option: click.Parameter, text: str) -> tuple[int, ...]:
    from mapt_bench.metrics.scorer import checked_windows  # needs NumPy, which help does not

    del context
    name = option.opts[0]
    expected = "window sizes in frames from 1, ascending, as in 1,2,4,6,8"
    return checked_windows(whole_numbers(name, text, expected), name)


windows_option = click.option(
    "--vpq-windows",
    default="1,2,3,4",  # those of mapt_bench.metrics.scorer.WINDOWS
    show_default=True,
    metavar="SIZES",
    callback=_read_windows,
    help="Window sizes of VPQ in frames. Example: --vpq-windows 1,2,4,6,8 (VIPSeg)",
)
"""``--vpq-windows``."""
