"""How far apart the frames of a clip are."""

from collections.abc import Callable

import numpy as np

from mapt_bench.training.recipe import ClipSettings

__all__ = ["choose_interval"]


def choose_interval(
    settings: ClipSettings,
    frame: int,
    dice: np.random.Generator,
    displacement: Callable[[int], float | None],
) -> int:
    """Choose the pairing interval of a clip that ends at a frame.

    Args:
        settings: How, and from which.
        frame: Position in the video; intervals that would begin before the video are left out.
        dice: What is drawn with.
        displacement: For an interval, the median over the things that both frames show of their
            displacement over their size; ``None`` where there are none. Asked only by
            ``"adaptive"``, which then draws an interval as ``"sampled"`` does.

    Returns:
        One of ``settings.taus``.
    """
    fitting = [tau for tau in settings.taus if tau * (settings.length - 1) <= frame]
    if settings.interval == "adaptive":
        found = {tau: displacement(tau) for tau in fitting}
        distance = {
            tau: abs(value - settings.target_displacement)
            for tau, value in found.items()
            if value is not None
        }
        if distance:
            return min(distance, key=lambda tau: (distance[tau], tau))
    return fitting[int(dice.integers(len(fitting)))]
