"""Choosing the thresholds of trackers, all with equal budgets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mapt_bench.baselines.thresholds import Setting
from mapt_bench.errors import ConfigError
from mapt_bench.experiments.plans.plan import Cell, Plan
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.tracking.two_step import SECOND_STEPS

__all__ = ["Choice", "best_trials", "search_space", "tuning_plan"]

Range = tuple[float, float]
Options = Sequence[str]

_LOST: Mapping[str, Range | Options] = {"lost_margin": (0.0, 0.4)}
_MOTION: Mapping[str, Range | Options] = {
    "motion_threshold": (0.02, 0.6),
    "proximity": ("iou", "overlap-smaller", "centroid"),
    **_LOST,
}
_LEARNED: Mapping[str, Range | Options] = {"embedding_threshold": (0.2, 0.95), **_LOST}
_HAND_CRAFTED: Mapping[str, Range | Options] = {
    "appearance_threshold": (0.75, 0.97),
    "lost_margin": (0.0, 0.1),  # the cosines of histograms lie close together
}
_TWO_STEPS: Mapping[str, Range | Options] = {"second_step": SECOND_STEPS}
_JOINT: Mapping[str, Range | Options] = {"motion_weight": (0.2, 0.8), "joint_threshold": (0.3, 0.8)}

_SPACES: Mapping[str, Mapping[str, Range | Options]] = {
    "copy": _MOTION,
    "iou": {"iou_threshold": (0.05, 0.7)},
    "sort": {"sort_iou_threshold": (0.05, 0.6)},
    "bytetrack": {
        "high_score": (0.5, 0.9),
        "low_score": (0.05, 0.5),
        "first_pass_iou": (0.05, 0.5),
        "second_pass_iou": (0.05, 0.7),
    },
    "appearance": _HAND_CRAFTED,
    "both": {**_MOTION, **_HAND_CRAFTED, **_TWO_STEPS},
    "mapt": {**_MOTION, **_LEARNED, **_TWO_STEPS},
    "mapt:paper": {**_MOTION, **_LEARNED},
    "mapt:motion": _MOTION,
    "mapt:appearance": _LEARNED,
    "mapt:appearance-first": {**_MOTION, **_LEARNED, **_TWO_STEPS},
    "mapt:simultaneous": {**_MOTION, **_LEARNED, **_JOINT},
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen for one associator.

    Attributes:
        settings: The best ones.
        score: What they reached.
        default_score: What its defaults reached, the first of the trials.
        trials: How many settings were tried.
    """

    settings: dict[str, Any]
    score: float
    default_score: float
    trials: int


def search_space(associator: str) -> Mapping[str, Range | Options]:
    """Return what may be chosen of an associator: a range of numbers, or names.

    Example:
        >>> search_space("flow:dis") == search_space("copy")
        True
    """
    if associator.endswith("+mapt"):
        return _SPACES["mapt"]
    if associator.endswith("+appearance"):
        return _SPACES["both"]
    if associator.startswith("flow:"):
        return _SPACES["copy"]
    return _SPACES.get(associator, {})


def tuning_plan(variants: Sequence[Variant], *, trials: int, seed: int = 0) -> Plan:
    """Plan to run each row with its defaults and with other settings, equally many for all.

    The settings are drawn by a scrambled Sobol sequence, which fills the space of each tracker
    evenly. Rows that link by the same associator are one.

    Args:
        variants: Rows of a plan; those without anything to choose are left out.
        trials: Settings of each, its defaults included; one more than a power of two fills the
            space best.
        seed: Of the draw.

    Raises:
        ConfigError: If there are fewer than 2 trials.
    """
    if trials < 2:
        raise ConfigError(f"{trials} trials; expected 2 or more, the first being the defaults")
    rows = {variant.associator: variant for variant in variants}
    tried = tuple(
        replace(row, name=f"{row.associator}#{number}", settings=settings)
        for row in rows.values()
        if search_space(row.associator)
        for number, settings in enumerate(_trials(row.associator, trials, seed))
    )
    return Plan(
        experiment="choose-thresholds",
        variants=tried,
        cells=tuple(Cell(variant) for variant in tried),
        reference=None,
    )


def best_trials(result: Mapping[str, Any], plan: Plan, *, score: str = "TQ") -> dict[str, Choice]:
    """Return the best settings of each associator.

    Args:
        result: Of a run of :func:`tuning_plan`.
        plan: That plan.
        score: What decides; of equal settings those tried first are kept.
    """
    reached = {row["variant"]: row["scores"].get(score) for row in result["summary"]}
    found: dict[str, list[tuple[float, Variant]]] = {}
    for variant in plan.variants:
        value = reached.get(variant.name)
        if value is not None:
            found.setdefault(variant.associator, []).append((value, variant))
    return {
        associator: Choice(
            settings=dict(max(tried, key=lambda each: each[0])[1].settings),
            score=max(value for value, _ in tried),
            default_score=tried[0][0],
            trials=len(tried),
        )
        for associator, tried in found.items()
    }


def _trials(associator: str, count: int, seed: int) -> list[tuple[Setting, ...]]:
    from scipy.stats.qmc import Sobol

    space = search_space(associator)
    draws = Sobol(len(space), rng=seed).random_base2((count - 2).bit_length())[: count - 1]
    return [
        (),
        *(
            tuple(
                sorted(
                    (name, _drawn(kind, share))
                    for (name, kind), share in zip(space.items(), draw, strict=True)
                )
            )
            for draw in draws.tolist()
        ),
    ]


def _drawn(kind: Range | Options, share: float) -> float | str:
    first, last = kind[0], kind[-1]
    if isinstance(first, str):
        return str(kind[int(share * len(kind))])
    return round(float(first) + share * (float(last) - float(first)), 3)
