"""``--show-config``: print the options of a run instead of running it."""

from collections.abc import Mapping
from typing import Any

import click
import yaml

__all__ = ["print_config", "show_config_option"]

show_config_option = click.option(
    "--show-config",
    is_flag=True,
    help="Print all options of this run as YAML and stop.",
)
"""``--show-config``."""


def print_config(config: Mapping[str, Any]) -> None:
    """Print the options of a run as YAML, for ``--show-config``."""
    click.echo(yaml.safe_dump(dict(config), sort_keys=False), nl=False)
