"""Search spaces: the values that ``mapt-bench tune`` may give to the settings of a tracker.

A space is declared where its tracker is registered::

    @register("mine", ..., settings=("iou_threshold",), search={"iou_threshold": (0.05, 0.7)})

A range of two floats is continuous, a range of two integers holds whole numbers, and text values
are alternatives. The constants below are the spaces that several trackers share.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.tracking.affinity import PROXIMITIES
from mapt_bench.tracking.two_step import SECOND_STEPS

__all__ = [
    "APPEARANCE_SPACE",
    "FUSION_SPACE",
    "JOINT_SPACE",
    "LEARNED_SPACE",
    "LINKER_SPACE",
    "MOTION_SPACE",
    "SEGMENTS_SPACE",
    "SearchSpace",
    "Values",
    "check_space",
]

Values = tuple[float, float] | tuple[int, int] | tuple[str, ...]
"""Values of a setting: a range with both ends, or alternatives."""

SearchSpace = Mapping[str, Values]
"""Values by name of the setting, in the order in which they are sampled."""

MOTION_SPACE: SearchSpace = {
    "motion_threshold": (0.02, 0.6),
    "proximity": tuple(PROXIMITIES),
    "lost_margin": (0.0, 0.4),
}
"""Space of a tracker that propagates masks."""

LEARNED_SPACE: SearchSpace = {"embedding_threshold": (0.2, 0.95), "lost_margin": (0.0, 0.4)}
"""Space of a tracker that compares learned embeddings."""

LINKER_SPACE: SearchSpace = {
    "view_probability": (0.1, 0.8),
    "lost_probability": (0.2, 0.9),
}
"""Space of the joint linker, with either cue and with both."""

APPEARANCE_SPACE: SearchSpace = {
    "appearance_threshold": (0.75, 0.97),
    "lost_margin": (0.0, 0.1),  # the cosines of histograms lie close together
}
"""Space of a tracker that compares hand-crafted appearance."""

FUSION_SPACE: SearchSpace = {"second_step": tuple(SECOND_STEPS)}
"""Space of the second of two steps."""

JOINT_SPACE: SearchSpace = {"motion_weight": (0.2, 0.8), "joint_threshold": (0.3, 0.8)}
"""Space of one assignment over a joint affinity."""


SEGMENTS_SPACE: SearchSpace = {"least_score": (0.3, 0.45)}
"""Space of the segments that a tracker gets. Detections of the shipped MAPT score 0.3 or more."""


def check_space(tracker: str, space: object, settings: Collection[str]) -> SearchSpace:
    """Return a search space after checking its form.

    Args:
        tracker: Name of the tracker, for messages.
        space: Declared space.
        settings: Names of the settings that the tracker has.

    Raises:
        ConfigError: If it is not a mapping, names an unknown setting, or has values of another
            form.

    Example:
        >>> check_space("mine", {"reach": [20, 120]}, ["reach"])
        {'reach': (20, 120)}
    """
    if not isinstance(space, Mapping):
        raise ConfigError(
            f"the search space of tracker {tracker!r} is {space!r}; expected a mapping of settings "
            "to values, as in {'reach': (20, 120)}"
        )
    for name in space:
        if name not in settings:
            raise ConfigError(
                f"the search space of tracker {tracker!r} names {name!r}, which is not one of its "
                f"settings; {nearest(str(name), settings) if settings else 'it has none'}"
            )
    return {name: _values(tracker, name, values) for name, values in space.items()}


def _values(tracker: str, name: str, values: Any) -> Values:  # noqa: ANN401 - declared by a user
    found = tuple(values) if isinstance(values, Sequence) and not isinstance(values, str) else ()
    if len(set(found)) == len(found) >= 2 and all(isinstance(each, str) for each in found):
        return found
    if len(found) == 2 and all(map(_is_number, found)) and found[0] < found[1]:
        return found
    raise ConfigError(
        f"the search space of tracker {tracker!r} gives {name} the values {values!r}; expected two "
        "numbers, the smaller first, or two or more different names"
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
