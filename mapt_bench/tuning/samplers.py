"""Samplers: which settings a tracker tries next."""

import importlib.metadata
import importlib.util
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from mapt_bench.baselines.search_spaces import SearchSpace, Values
from mapt_bench.baselines.thresholds import Setting
from mapt_bench.errors import ConfigError
from mapt_bench.tuning.tuning_config import AUTO, OPTUNA, RANDOM

if TYPE_CHECKING:
    import optuna

__all__ = [
    "Sampler",
    "Settings",
    "described_sampler",
    "new_sampler",
    "resolved_sampler",
    "round_sizes",
]

Settings = tuple[Setting, ...]
"""Settings of one trial, sorted by name."""

_DIGITS = 3
"""Decimals of a number that is tried: thresholds are read by people."""

_ROUNDS = 4
"""Rounds of a sampler that learns. Within a round no trial knows the result of another, so that
trials run side by side and share what is read and computed of each video."""


_TIMED_ROUND = 8
"""Trials of a round where the time decides how many there are."""


class Sampler(Protocol):
    """Proposes settings, and gets the objective that they reach.

    The first round is proposed before any value is known.
    """

    def start(self, settings: Mapping[str, Any], value: float) -> None:
        """Take the value of the first trial, whose settings were not proposed.

        Args:
            settings: Value of each setting of the space, where it is known.
            value: Objective.
        """
        ...

    def ask(self, count: int) -> list[Settings]:
        """Propose settings."""
        ...

    def tell(self, values: Sequence[float]) -> None:
        """Take the objective of each of the settings that were proposed last, in order."""
        ...


def resolved_sampler(name: str) -> str:
    """Return ``"optuna"`` or ``"random"`` for the name of a sampler.

    Raises:
        ConfigError: If Optuna is asked for and is not installed.
    """
    if name == RANDOM:
        return RANDOM
    is_installed = _has_optuna()
    if name == AUTO:
        return OPTUNA if is_installed else RANDOM
    if not is_installed:
        raise ConfigError(
            "--sampler optuna needs the package optuna, which is not installed; type: "
            'pip install "mapt-bench[tune]", or choose --sampler random'
        )
    return OPTUNA


def described_sampler(sampler: str) -> str:
    """Return a sampler with its version, which decides what it proposes."""
    return f"{OPTUNA} {importlib.metadata.version(OPTUNA)}" if sampler == OPTUNA else sampler


def round_sizes(sampler: str, trials: int, *, is_timed: bool = False) -> list[int]:
    """Return how many trials each round has; the first trial of the first round is the start.

    Args:
        sampler: ``"optuna"`` or ``"random"``.
        trials: Trials in all.
        is_timed: Whether a tracker may stop after any round.

    Example:
        >>> round_sizes("optuna", 13), round_sizes("random", 13)
        ([4, 3, 3, 3], [13])
    """
    if is_timed:
        return [min(_TIMED_ROUND, trials - done) for done in range(0, trials, _TIMED_ROUND)]
    rounds = 1 if sampler == RANDOM else min(_ROUNDS, trials)
    return [trials // rounds + (number < trials % rounds) for number in range(rounds)]


def new_sampler(
    sampler: str, space: SearchSpace, *, trials: int, seed: int, is_timed: bool = False
) -> Sampler:
    """Return a sampler for one tracker.

    Args:
        sampler: ``"optuna"`` or ``"random"``.
        space: Search space of the tracker.
        trials: Trials in all.
        seed: Decides every proposal, together with the values that it gets.
        is_timed: As for :func:`round_sizes`.
    """
    if sampler == RANDOM:
        return _SobolSampler(space, trials, seed)
    return _OptunaSampler(space, round_sizes(sampler, trials, is_timed=is_timed)[0], seed)


class _SobolSampler:
    """Random search by a scrambled Sobol sequence, which fills the space evenly."""

    def __init__(self, space: SearchSpace, trials: int, seed: int) -> None:
        from scipy.stats.qmc import Sobol

        self._space = space
        power = max((trials - 2).bit_length(), 0)
        self._points = Sobol(len(space), rng=seed).random_base2(power).tolist()

    def start(self, settings: Mapping[str, Any], value: float) -> None:
        """Nothing is learned."""

    def ask(self, count: int) -> list[Settings]:
        """Return the next points of the sequence."""
        taken, self._points = self._points[:count], self._points[count:]
        return [
            tuple(
                sorted(
                    (name, _at(values, share))
                    for (name, values), share in zip(self._space.items(), point, strict=True)
                )
            )
            for point in taken
        ]

    def tell(self, values: Sequence[float]) -> None:
        """Nothing is learned."""


def _at(values: Values, share: float) -> str | int | float:
    """Return the value at a share of a range, or of a list of alternatives."""
    first, last = values[0], values[-1]
    if isinstance(first, str) or isinstance(last, str):
        return values[int(share * len(values))]
    if isinstance(first, int) and isinstance(last, int):
        return first + int(share * (last - first + 1))
    return round(first + share * (last - first), _DIGITS)


def _seed_of_32_bits(seed: int) -> int:
    """Return a seed that Optuna takes. Smaller seeds stay what they are."""
    import numpy as np  # with Optuna alone, because --help must start fast

    return seed if seed < 1 << 32 else int(np.random.SeedSequence(seed).generate_state(1)[0])


class _OptunaSampler:
    """Optuna's tree-structured Parzen estimator.

    The study lives in memory. A resumed run repeats every step, so it proposes the same.
    """

    def __init__(self, space: SearchSpace, first_round: int, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(
            seed=_seed_of_32_bits(seed), n_startup_trials=first_round, constant_liar=True
        )
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._distributions = {name: _distribution(values) for name, values in space.items()}
        self._asked: list[optuna.Trial] = []

    def start(self, settings: Mapping[str, Any], value: float) -> None:
        """Add the first trial to the study, if its settings lie in the space."""
        import optuna

        try:
            trial = optuna.create_trial(
                params={name: settings[name] for name in self._distributions},
                distributions=self._distributions,
                value=value,
            )
        except (KeyError, ValueError):
            return
        self._study.add_trial(trial)

    def ask(self, count: int) -> list[Settings]:
        """Return what the study proposes."""
        self._asked = [self._study.ask(self._distributions) for _ in range(count)]
        return [
            tuple(sorted((name, _rounded(value)) for name, value in trial.params.items()))
            for trial in self._asked
        ]

    def tell(self, values: Sequence[float]) -> None:
        """Give the study the values of its proposals."""
        for trial, value in zip(self._asked, values, strict=True):
            self._study.tell(trial, value)


def _distribution(values: Values) -> "optuna.distributions.BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    first, last = values[0], values[-1]
    if isinstance(first, str) or isinstance(last, str):
        return CategoricalDistribution(values)
    if isinstance(first, int) and isinstance(last, int):
        return IntDistribution(first, last)
    return FloatDistribution(float(first), float(last))


def _rounded(value: Any) -> Any:  # noqa: ANN401 - text or a number
    return round(value, _DIGITS) if isinstance(value, float) else value


def _has_optuna() -> bool:
    try:
        return importlib.util.find_spec("optuna") is not None
    except ValueError:  # it was blocked: sys.modules["optuna"] is None
        return False
