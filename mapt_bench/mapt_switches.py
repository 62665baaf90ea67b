"""Names of the components of MAPT that can be removed at inference. This needs no torch."""

from collections.abc import Mapping

from mapt_bench.errors import ConfigError, nearest

__all__ = ["SWITCHES", "check_switch"]

SWITCHES: Mapping[str, str] = {
    "no-gate": "dilations weigh alike at each position",
    "single-dilation": "the first dilation alone",
    "no-offsets": "ordinary propagation: taps stay in their regular places",
    "difference-alone": "offsets found from the difference of the two frames, not from the present",
    "static": "embeddings without propagated features (W_p = 0)",
}
"""Components of a trained MAPT that can be removed at inference, with what remains."""


def check_switch(name: str) -> None:
    """Check the name of a switch.

    Args:
        name: Name that the user gave.

    Raises:
        ConfigError: If no switch has that name. The message lists all switches.
    """
    if name not in SWITCHES:
        known = "; ".join(f"{known}: {meaning}" for known, meaning in SWITCHES.items())
        raise ConfigError(
            f"mapt has no switch {name!r}; {nearest(name, SWITCHES)}. Meanings: {known}. To remove "
            "another component, train without it (mapt-bench train --set "
            "model_settings.KEY=VALUE), and give the network with --trained NAME=FILE"
        )
