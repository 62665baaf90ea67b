"""Where the taps of a dilated kernel lie."""

from collections.abc import Sequence

__all__ = ["tap_displacements"]


def tap_displacements(size: int, dilations: Sequence[int]) -> list[tuple[int, int]]:
    """Return ``(down, right)`` in cells for each tap of each dilation, in row order.

    Args:
        size: Side of the square kernel, odd.
        dilations: Cells between neighbouring taps.

    Example:
        >>> tap_displacements(3, [2])[:4]
        [(-2, -2), (-2, 0), (-2, 2), (0, -2)]
    """
    reach = range(-(size // 2), size // 2 + 1)
    return [
        (down * dilation, right * dilation)
        for dilation in dilations
        for down in reach
        for right in reach
    ]
