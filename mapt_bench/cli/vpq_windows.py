"""``--vpq-windows`` of evaluations and experiments."""

import click

from mapt_bench.errors import ConfigError, whole_number

__all__ = ["windows_option"]


def _read_windows(context: click.Context, option: click.Parameter, text: str) -> tuple[int, ...]:
    from mapt_bench.metrics.scorer import checked_windows  # needs NumPy, which help does not

    del context
    name = option.opts[0]
    windows = [whole_number(word.strip()) for word in text.split(",")]
    if None in windows:
        raise ConfigError(
            f"{name} is {text!r}; expected window sizes in frames from 1, ascending, as in "
            "1,2,4,6,8"
        )
    return checked_windows([size for size in windows if size is not None], name)


windows_option = click.option(
    "--vpq-windows",
    default="1,2,3,4",  # those of mapt_bench.metrics.scorer.WINDOWS
    show_default=True,
    metavar="SIZES",
    callback=_read_windows,
    help="Window sizes of VPQ in frames. Example: --vpq-windows 1,2,4,6,8 (VIPSeg)",
)
"""``--vpq-windows``."""
