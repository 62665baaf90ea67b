"""Thresholds of all trackers: the published ones, and those tuned on validation videos.

``mapt-bench tune`` tunes every tracker with the same number of trials and writes a thresholds file.
``thresholds.json`` beside this module is the one that ships. Every command uses it unless the user
asks for the published thresholds, or gives another file.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from mapt_bench.baselines.boxes import OVERLAPS, Overlap
from mapt_bench.errors import ConfigError, DataError, nearest, with_article, wrong_schema
from mapt_bench.files import file_sha256, parse_json, read_text
from mapt_bench.tracking.affinity import Proximity
from mapt_bench.tracking.oracle_steps import parse_oracle_steps
from mapt_bench.tracking.two_step import SecondStep

__all__ = [
    "APPEARANCE",
    "DEFAULT_THRESHOLDS",
    "FUSION",
    "LEARNED",
    "LEAST_SCORE",
    "LINKER",
    "MOTION",
    "ORACLE",
    "PAIRING",
    "PUBLISHED",
    "THRESHOLDS",
    "THRESHOLDS_FILE",
    "THRESHOLDS_SCHEMA",
    "TUNED",
    "Setting",
    "ThresholdsName",
    "TrackerSettings",
    "check_thresholds",
    "describe_thresholds",
    "parse_setting",
    "settings_of",
    "thresholds_named",
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

LINKER = ("view_probability", "lost_probability", "patience", "delay", "gallery_size")
"""Settings of the joint linker."""

PAIRING = ("pair_target", "longest_pair")
"""Settings of a tracker that may choose its pairing interval for each frame."""

LEAST_SCORE = "least_score"
"""Setting of every tracker of this package: it decides which segments the tracker gets."""

ORACLE = ("oracle",)
"""Setting of a fusion whose steps ground truth can replace."""

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

        clear_overlap: Least IoU of a propagated mask that links at once, in ``[0, 1]``
            (``mapt``, ``mapt:motion``).
        view_probability: Least probability that links a track in view, in ``[0, 1]`` (``mapt``,
            ``mapt:motion``, ``mapt:appearance``).
        lost_probability: Least probability that links a lost track (the same).
        patience: Frames in which a new track may turn out to be a lost one (the same).
        delay: Frames by which maps are returned late (the same).
        pair_target: Displacement over size from which the pairing interval of each frame is chosen,
            0 or more; 0 keeps the interval of ``--pair`` (``mapt``, ``mapt:motion``,
            ``mapt:propagation``, ``mapt:displacement``, ``mapt:paper`` and its other orders).
        longest_pair: Longest interval that is chosen then, in frames, 1 or more (the same).
        oracle: Steps that ground truth decides, joined by ``+``: ``motion``, ``appearance``,
            ``memory``. Empty for none (``mapt``, ``mapt:paper``).
        least_score: Segments below this score are dropped before any tracker sees them, in
            ``[0, 1]`` (every tracker).

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
    clear_overlap: float = 0.5
    view_probability: float = 0.5
    lost_probability: float = 0.5
    patience: int = 3
    delay: int = 0
    pair_target: float = 0.0
    longest_pair: int = 5
    oracle: str = ""
    least_score: float = 0.0

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
                raise ConfigError(
                    f"{name} is {value!r}; expected {with_article(known[name].__name__)}"
                )
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
            LEAST_SCORE,
        ):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} is {value}; expected 0 to 1")
        for name in (
            "direction_weight",
            "appearance_weight",
            "appearance_bonus",
            "pair_target",
        ):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ConfigError(f"{name} is {value}; expected 0 or more")
        if self.overlap not in OVERLAPS:
            raise ConfigError(f"overlap is {self.overlap!r}; {nearest(self.overlap, OVERLAPS)}")
        if self.direction_frames < 1:
            raise ConfigError(
                f"direction_frames is {self.direction_frames}; expected 1 frame or more"
            )
        if self.longest_pair < 1:
            raise ConfigError(f"longest_pair is {self.longest_pair}; expected 1 frame or more")
        if self.low_score > self.high_score:
            raise ConfigError(
                f"low_score {self.low_score} is above high_score {self.high_score}; "
                "the second pass takes what lies between them"
            )
        parse_oracle_steps(self.oracle)
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


ThresholdsName = str
"""``"tuned"``, ``"published"``, or the path of a thresholds file that ``mapt-bench tune`` wrote."""

TUNED: ThresholdsName = "tuned"
PUBLISHED: ThresholdsName = "published"
THRESHOLDS: tuple[ThresholdsName, ThresholdsName] = (TUNED, PUBLISHED)
DEFAULT_THRESHOLDS: ThresholdsName = TUNED

THRESHOLDS_FILE = Path(__file__).with_name("thresholds.json")
THRESHOLDS_SCHEMA = "mapt-bench/thresholds/3"
_READABLE = (THRESHOLDS_SCHEMA, "mapt-bench/thresholds/2")  # 2 has no provenance

_Thresholds = Mapping[str, tuple[Setting, ...]]


def check_thresholds(thresholds: ThresholdsName) -> None:
    """Refuse thresholds that do not exist.

    Raises:
        ConfigError: If the name is unknown.
        DataError: If the file does not exist or cannot be used.
    """
    if thresholds in THRESHOLDS:
        return
    path = Path(thresholds).expanduser()
    if not path.is_file():
        if path.suffix or len(path.parts) > 1:
            raise DataError("there is no such thresholds file; check the path", where=path)
        raise ConfigError(
            f"--thresholds {thresholds!r} is neither a name nor a file; "
            f"{nearest(thresholds, THRESHOLDS)}; mapt-bench tune writes such a file"
        )
    _read(path)


def describe_thresholds(thresholds: ThresholdsName) -> str:
    """Return what results say of thresholds: their name, or file name and hash of a file."""
    if thresholds in THRESHOLDS:
        return thresholds
    path = Path(thresholds).expanduser()
    return f"{path.name} (SHA-256 {file_sha256(path)[:12]})"


def thresholds_named(thresholds: ThresholdsName) -> _Thresholds:
    """Return the tuned settings of each tracker that has any, by its name.

    Args:
        thresholds: Which ones. The published ones are the defaults, so nothing is tuned.

    Raises:
        ConfigError: If the name is unknown.
        DataError: If the file does not exist or cannot be used.
    """
    if thresholds == PUBLISHED:
        return {}
    if thresholds == TUNED:
        return tuned_thresholds()
    check_thresholds(thresholds)
    return _read(Path(thresholds).expanduser())


def tuned_thresholds() -> _Thresholds:
    """Return the settings of each tracker in the thresholds file that ships, by its name."""
    return _read(THRESHOLDS_FILE) if THRESHOLDS_FILE.exists() else {}


def settings_of(
    tracker: str, own: tuple[Setting, ...], thresholds: ThresholdsName
) -> tuple[Setting, ...]:
    """Return all settings that a tracker runs with, sorted by name.

    Args:
        tracker: Its name.
        own: Settings that its row spells out; they override the tuned ones.
        thresholds: Which thresholds apply where the row says nothing.

    Raises:
        ConfigError: If there are no such thresholds.
        DataError: If their file cannot be used.
    """
    tuned = thresholds_named(thresholds).get(tracker, ())
    return tuple(sorted({**dict(tuned), **dict(own)}.items()))


def _read(path: Path) -> _Thresholds:
    try:
        state = path.stat()
    except OSError as problem:
        raise DataError(f"cannot be read ({problem.strerror}); check the path", where=path) from (
            problem
        )
    return _read_once(path.absolute(), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4)
def _read_once(path: Path, changed_ns: int, size: int) -> _Thresholds:
    """Read a thresholds file, once as long as it does not change."""
    try:
        found = parse_json(read_text(path))
        if found["schema"] not in _READABLE:  # before fields that other schemas may lack
            remedy = "write it again with mapt-bench tune"
            raise DataError(wrong_schema(found["schema"], *_READABLE, remedy=remedy), where=path)
        tuned = {
            str(name): tuple(sorted((str(key), value) for key, value in entry["settings"].items()))
            for name, entry in found["tuned"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise DataError(
            f"is not a thresholds file ({type(problem).__name__}: {problem}); expected one that "
            "mapt-bench tune wrote",
            where=path,
        ) from problem
    return tuned
