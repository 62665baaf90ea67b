"""Thresholds of all trackers: the published ones, and those tuned on validation videos.

``tools/tune_thresholds.py`` tunes every tracker with the same number of trials and writes
``thresholds.json``, with all trials and their scores. Every command uses the tuned thresholds
unless the user asks for the published ones.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

from mapt_bench.baselines.boxes import OVERLAPS, Overlap
from mapt_bench.errors import ConfigError, nearest
from mapt_bench.tracking.affinity import Proximity
from mapt_bench.tracking.two_step import SecondStep

__all__ = [
    "APPEARANCE",
    "DEFAULT_THRESHOLDS",
    "FUSION",
    "LEARNED",
    "MOTION",
    "THRESHOLDS",
    "THRESHOLDS_FILE",
    "THRESHOLDS_SCHEMA",
    "Setting",
    "ThresholdsName",
    "TrackerSettings",
    "parse_setting",
    "settings_of",
    "tuned_thresholds",
]

MOTION = ("proximity", "motion_threshold", "lost_margin")
"""Settings of a tracker that propagates masks."""

APPEARANCE = ("appearance_threshold", "gallery_size", "lost_margin")
"""Settings of a tracker that compares hand-crafted appearance."""

LEARNED = ("embedding_threshold", "gallery_size", "lost_margin")
"""Settings of a tracker that compares learned embeddings."""

FUSION = ("second_step", "motion_weight", "joint_threshold")
"""Settings of a tracker that combines two cues."""

Setting = tuple[str, str | int | float]
"""Name and value of a field of :class:`TrackerSettings`."""


@dataclass(frozen=True, kw_only=True)
class TrackerSettings:
    """Thresholds, with the values of the papers where a paper gives one.

    Attributes:
        proximity: Measure of mask proximity: ``iou``, ``overlap-smaller`` or ``centroid``
            (``copy``, ``motion``, ``both*``).
        motion_threshold: Least proximity of a match by motion, in ``[0, 1]``
            (``copy``, ``motion``, ``both*``).
        appearance_threshold: Least cosine of a match by hand-crafted appearance, in ``[-1, 1]``
            (``appearance``, ``both*``, ``bot-sort``). Histograms of any two objects are similar,
            so the value lies far above the 0.5 that suits learned embeddings.
        embedding_threshold: Least cosine similarity of a match by learned embeddings, in
            ``[-1, 1]`` (``mapt``, ``bot-sort``).
        second_step: Cue that links the segments that the first cue does not link: ``other-cue``,
            as published, or ``both-cues`` (``both*``, ``mapt*``).
        motion_weight: Share of motion in the joint affinity, in ``[0, 1]`` (``*:simultaneous``,
            ``second_step=both-cues``).
        joint_threshold: Least joint affinity, in ``[0, 1]`` (the same).
        gallery_size: Embeddings kept of a lost track (``appearance``, ``both*``).
        lost_margin: Affinity that a lost track needs above that of a track in view, by either
            cue, in ``[0, 1]`` (``copy``, ``motion``, ``appearance``, ``both*``, ``mapt*``).
        flow_height: Rows, in pixels, that frames are scaled down to for the flow
            (``motion``, ``both*``).
        iou_threshold: Least box IoU of a match, in ``[0, 1]``; 0.5 as in Bochinski et al. 2017
            (``iou``).
        sort_iou_threshold: Least IoU with the predicted box; 0.3 as in Bewley et al. 2016
            (``sort``, ``oc-sort``, ``deep-oc-sort``).
        high_score: Segments of at least this score take part in the first pass and may begin
            tracks; 0.6 as in Zhang et al. 2022 (``bytetrack``, ``bot-sort``). ``oc-sort`` and
            ``deep-oc-sort`` drop all others.
        low_score: Segments below this score are dropped; 0.1 as in Zhang et al. 2022
            (``bytetrack``, ``bot-sort``).
        first_pass_iou: Least IoU in the first pass; 0.2, as in its released code
            (``bytetrack``, ``bot-sort``).
        second_pass_iou: Least IoU in the second pass; 0.5, as in its released code
            (``bytetrack``, ``bot-sort``).
        overlap: What IoU is measured on: ``box`` or ``mask``
            (``oc-sort``, ``deep-oc-sort``, ``bot-sort``).
        direction_weight: Weight of the direction of motion next to the IoU; 0.2 as in Cao et al.
            2022 (``oc-sort``, ``deep-oc-sort``).
        direction_frames: Frames between the two observations that give the direction, 1 or more;
            3 as in Cao et al. 2022 (``oc-sort``, ``deep-oc-sort``).
        appearance_weight: Weight of a cosine next to the IoU; 0.75 as in Maggiolino et al. 2023
            (``deep-oc-sort``).
        appearance_bonus: Greatest bonus to this weight where one candidate looks much more alike
            than the next; 0.5 as in Maggiolino et al. 2023 (``deep-oc-sort``).
        appearance_smoothing: Share of the old embedding that a segment of score 1 leaves, in
            ``[0, 1]``; 0.95 as in Maggiolino et al. 2023 (``deep-oc-sort``).
        new_score: Least score of a segment that starts a track; 0.7 as in Aharon et al. 2022
            (``bot-sort``).
        appearance_iou: Least IoU of a match by appearance; 0.5 as in Aharon et al. 2022
            (``bot-sort``).

    Raises:
        ConfigError: If a value lies outside its range.
    """

    proximity: Proximity = "iou"
    motion_threshold: float = 0.3
    appearance_threshold: float = 0.9
    embedding_threshold: float = 0.5
    second_step: SecondStep = "other-cue"
    motion_weight: float = 0.5
    joint_threshold: float = 0.5
    gallery_size: int = 5
    lost_margin: float = 0.0
    flow_height: int = 192
    iou_threshold: float = 0.5
    sort_iou_threshold: float = 0.3
    high_score: float = 0.6
    low_score: float = 0.1
    first_pass_iou: float = 0.2
    second_pass_iou: float = 0.5
    overlap: Overlap = "box"
    direction_weight: float = 0.2
    direction_frames: int = 3
    appearance_weight: float = 0.75
    appearance_bonus: float = 0.5
    appearance_smoothing: float = 0.95
    new_score: float = 0.7
    appearance_iou: float = 0.5

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Build settings from names and values. Omitted ones keep their defaults.

        Raises:
            ConfigError: If a name is unknown or a value of the wrong kind or out of range.
        """
        known = {field.name: type(field.default) for field in fields(cls)}
        for name, value in values.items():
            if name not in known:
                raise ConfigError(f"trackers have no setting {name!r}; {nearest(name, known)}")
            kinds = (int, float) if known[name] is float else known[name]
            if isinstance(value, bool) or not isinstance(value, kinds):
                raise ConfigError(f"{name} is {value!r}; expected a {known[name].__name__}")
        return cls(**values)

    def __post_init__(self) -> None:
        # The fusion checks its own settings when it is built; these belong to the box trackers.
        for name in (
            "iou_threshold",
            "sort_iou_threshold",
            "high_score",
            "low_score",
            "first_pass_iou",
            "second_pass_iou",
            "appearance_smoothing",
            "new_score",
            "appearance_iou",
        ):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} is {value}; expected 0 to 1")
        for name in ("direction_weight", "appearance_weight", "appearance_bonus"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ConfigError(f"{name} is {value}; expected 0 or more")
        if self.overlap not in OVERLAPS:
            raise ConfigError(f"overlap is {self.overlap!r}; {nearest(self.overlap, OVERLAPS)}")
        if self.direction_frames < 1:
            raise ConfigError(
                f"direction_frames is {self.direction_frames}; expected 1 frame or more"
            )
        if self.low_score > self.high_score:
            raise ConfigError(
                f"low_score {self.low_score} is above high_score {self.high_score}; "
                "the second pass takes what lies between them"
            )
        if self.flow_height < 32:
            raise ConfigError(f"flow_height is {self.flow_height}; expected 32 or more")


def parse_setting(text: str) -> Setting:
    """Read a setting that is given as ``SETTING=VALUE``, whether it exists or not.

    Example:
        >>> parse_setting("motion_threshold=0.2"), parse_setting("proximity=centroid")
        (('motion_threshold', 0.2), ('proximity', 'centroid'))
    """
    name, _, value = text.partition("=")
    if value.lower() in ("true", "false"):
        return name, value.lower() == "true"
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


ThresholdsName = Literal["tuned", "published"]

THRESHOLDS: tuple[ThresholdsName, ThresholdsName] = ("tuned", "published")
DEFAULT_THRESHOLDS: ThresholdsName = "tuned"

THRESHOLDS_FILE = Path(__file__).with_name("thresholds.json")
THRESHOLDS_SCHEMA = "mapt-bench/thresholds/2"


def tuned_thresholds() -> dict[str, tuple[Setting, ...]]:
    """Return the settings of each associator that has tuned ones, by its name."""
    return {
        name: tuple(sorted(entry["settings"].items()))
        for name, entry in _read().get("tuned", {}).items()
    }


def settings_of(
    tracker: str, own: tuple[Setting, ...], thresholds: ThresholdsName
) -> tuple[Setting, ...]:
    """Return all settings that a tracker runs with, sorted by name.

    Args:
        tracker: Its name.
        own: Settings that its row spells out; they override the tuned ones.
        thresholds: Which thresholds apply where the row says nothing.
    """
    tuned = tuned_thresholds().get(tracker, ()) if thresholds == "tuned" else ()
    return tuple(sorted({**dict(tuned), **dict(own)}.items()))


@lru_cache(maxsize=1)
def _read() -> Mapping[str, Any]:
    if not THRESHOLDS_FILE.exists():
        return {}
    found: dict[str, Any] = json.loads(THRESHOLDS_FILE.read_text(encoding="utf-8"))
    return found
