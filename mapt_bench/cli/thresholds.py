"""The option that says which thresholds trackers run with."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

import click

from mapt_bench.baselines.chosen import chosen_thresholds
from mapt_bench.baselines.settings import Setting

__all__ = ["thresholds_named", "thresholds_option"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_CHOSEN, _PUBLISHED = "chosen", "published"


def thresholds_option(default: Literal["chosen", "published"]) -> Callable[[_Function], _Function]:
    """Return the option that says which thresholds trackers run with."""
    return click.option(
        "--thresholds",
        type=click.Choice([_CHOSEN, _PUBLISHED]),
        default=default,
        show_default=True,
        help="Those chosen on drawn videos, with as many trials for each tracker, or the published "
        "ones.",
    )


def thresholds_named(name: str) -> dict[str, tuple[Setting, ...]]:
    """Return the settings of trackers that :func:`thresholds_option` asks for, by name."""
    return chosen_thresholds() if name == _CHOSEN else {}
