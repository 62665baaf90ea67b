"""From numbers back to an image."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["grey_levels"]


def grey_levels(values: NDArray[np.number]) -> NDArray[np.uint8]:
    """Round to whole grey levels and cut off what is below 0 or above 255.

    Example:
        >>> grey_levels(np.array([-3.0, 7.6, 300.0])).tolist()
        [0, 8, 255]
    """
    return np.asarray(np.rint(np.clip(values, 0, 255)), dtype=np.uint8)
