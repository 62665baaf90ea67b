"""Names at the ends of lines, moved apart just far enough to be read."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["label_ends", "spread"]

_LINE_HEIGHT = 1.25
_LEAD = 0.05
"""Where names begin, right of the axes, as a share of their width."""


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move places apart to a least distance, the sum of squared moves being the least possible.

    Args:
        places: In any order.
        gap: Least distance.
        low: Lower limit, kept as long as there is room.
        high: Upper limit.

    Returns:
        The new places, in the given order. Less ``gap`` times their rank they have to rise, which
        makes it an isotonic regression, solved by pooling adjacent violators.

    Example:
        >>> spread([1.0, 1.0, 5.0], 1.0, 0.0, 10.0)
        [0.5, 1.5, 5.0]
    """
    order = sorted(range(len(places)), key=lambda at: places[at])
    pools: list[tuple[float, int]] = []  # mean and size
    for rank, at in enumerate(order):
        mean, size = places[at] - gap * rank, 1
        while pools and pools[-1][0] >= mean:
            before, count = pools.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        pools.append((mean, size))
    levels = [mean for mean, size in pools for _ in range(size)]
    most = high - gap * (len(places) - 1)
    moved = [0.0] * len(places)
    for rank, (at, level) in enumerate(zip(order, levels, strict=True)):
        moved[at] = max(min(level, most), low) + gap * rank
    return moved


def label_ends(
    axes: "Axes", ends: Sequence[tuple[str, float, float, str]], *, size: float = 8
) -> None:
    """Write names right of the axes, each with a thin line from the end of its curve.

    Args:
        axes: Laid out and with frozen limits, since places are worked out in points.
        ends: Name, x and y of the curve's end in data, and colour.
        size: Of the letters, in points.
    """
    box = axes.get_window_extent()
    points = box.height * 72 / axes.figure.dpi
    to_axes = axes.transData + axes.transAxes.inverted()
    anchors = [tuple(to_axes.transform((x, y))) for _, x, y, _ in ends]
    gap = _LINE_HEIGHT * size / points
    heights = spread([y for _, y in anchors], gap, gap / 2, 1 - gap / 2)
    for (name, _, _, colour), anchor, height in zip(ends, anchors, heights, strict=True):
        axes.annotate(
            name,
            xy=anchor,
            xycoords="axes fraction",
            xytext=(1 + _LEAD, height),
            textcoords="axes fraction",
            color=colour,
            fontsize=size,
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.6,
                "shrinkA": 1,
                "relpos": (0, 0.5),
            },
        )
