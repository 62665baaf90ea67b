"""Both counts of one network: the first at the size asked for, the second where it can be had.

fvcore has to run the network with numbers. At a large size that takes seconds and gigabytes, so it
runs at small sizes, and its counts are carried to the size asked for by the polynomial in the
number of pixels through them: exact where every side is a multiple of 64, since then each layer's
size is the input's divided by a power of two. Degree 1 is enough for convolutions (and parts that
see no pixels), degree 2 for all pairs of positions. What comes out must meet the first count, which
was made at the full size; where it does not, fvcore runs at the full size after all.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import torch
from torch import Tensor, nn

from mapt_bench.errors import ConfigError
from mapt_bench.profiling.counted import WHOLE, Count, count_operations
from mapt_bench.profiling.modes import MODES, Term, Work
from mapt_bench.profiling.sizes import InputSize
from mapt_bench.profiling.targets import Target
from mapt_bench.profiling.traced import TracedCount, trace_operations

__all__ = ["TOLERANCE", "BothCounts", "Witnesses", "relative_difference"]

TOLERANCE = 1e-3
"""Relative difference between the two counts that is taken for agreement."""

_GRID = 64

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class BothCounts:
    """Two counts of one network at one size.

    Attributes:
        count: The first.
        counted_on: Device of the first: ``"meta"``, or ``"cpu"`` for what cannot run there.
        traced: The second, at the same size.
        traced_at: Sizes at which the second was made, in pixels ``(height, width)``.
        trace_problem: Why there is no second count, ``None`` if there is.
    """

    count: Count
    counted_on: str
    traced: TracedCount | None
    traced_at: tuple[tuple[int, int], ...]
    trace_problem: str | None = None


class Witnesses:
    """Counts one target, keeping what was traced from size to size.

    Args:
        target: What to count.
        instances: Where its cost depends on them.
    """

    def __init__(self, target: Target, instances: int) -> None:
        self.target = target
        self.instances = instances
        self.module = _run(target.build, f"{target.name} cannot be built")
        self.parts = target.parts_of(self.module)
        self._on_cpu: nn.Module | None = None
        self._on_meta: nn.Module | None = None
        self._traces: dict[InputSize, TracedCount] = {}
        self._counts: dict[InputSize, BothCounts] = {}

    def count(self, size: InputSize) -> BothCounts:
        """Count at one size.

        Raises:
            ConfigError: If the network cannot take the size, or fails.
        """
        if size not in self._counts:
            self.target.check_size(size)
            self._counts[size] = self._both(size)
        return self._counts[size]

    def count_once(self, size: InputSize) -> Count:
        """Return the first count alone, which is fast at any size.

        Raises:
            ConfigError: If the network cannot take the size, or fails.
        """
        self.target.check_size(size)
        return self._first(size)[0]

    def _both(self, size: InputSize) -> BothCounts:
        count, device = self._first(size)
        try:
            traced, at = self._second(size, count)
        except Exception as problem:  # tracing runs anybody's code in a way it may not stand
            first_line = (str(problem).strip().splitlines() or ["no message"])[0]
            words = f"{type(problem).__name__}: {first_line}"
            return BothCounts(count, device, None, (), words)
        return BothCounts(count, device, traced, at)

    def _first(self, size: InputSize) -> tuple[Count, str]:
        target = self.target
        try:
            if self._on_meta is None:
                self._on_meta = copy.deepcopy(self.module).to("meta")
            inputs = [each.to("meta") for each in self._example(size)]
            with torch.device("meta"):
                found = count_operations(self._on_meta, inputs, self.parts, rest=target.rest)
        except Exception:  # not every operator, and not all of anybody's code, runs without numbers
            example = self._example(size)
            found = _run(
                lambda: count_operations(self._cpu(), example, self.parts, rest=target.rest),
                f"{target.name} fails on an input of {size}",
            )
            return found, "cpu"
        return found, "meta"

    def _second(
        self, size: InputSize, count: Count
    ) -> tuple[TracedCount, tuple[tuple[int, int], ...]]:
        for sizes in self._small_sizes(size):
            traces = [self._trace(each) for each in sizes]
            carried = _carried(sizes, traces, size)
            if _agree(count, carried):
                return carried, tuple((each.height, each.width) for each in sizes)
        return self._trace(size), ((size.height, size.width),)

    def _small_sizes(self, size: InputSize) -> list[list[InputSize]]:
        """Return sizes for degree 1, then for degree 2; none where that saves nothing."""
        if size.height % _GRID or size.width % _GRID:
            return []
        cells = -(-self.target.smallest // _GRID)
        shapes = ((cells, cells), (cells, cells + 1), (cells + 1, cells + 1))
        sizes = [size.resized(_GRID * rows, _GRID * columns) for rows, columns in shapes]
        if sizes[-1].pixels >= size.pixels:
            return []
        return [sizes[:2], sizes]

    def _trace(self, size: InputSize) -> TracedCount:
        if size not in self._traces:
            self._traces[size] = trace_operations(
                self._cpu(), self._example(size), self.parts, rest=self.target.rest
            )
        return self._traces[size]

    def _cpu(self) -> nn.Module:
        if self._on_cpu is None:
            self._on_cpu = _with_numbers(self.module)
        return self._on_cpu

    def _example(self, size: InputSize) -> tuple[Tensor, ...]:
        return _run(
            lambda: self.target.example(self.module, size, self.instances),
            f"{self.target.name} gives no example input of {size}",
        )


def relative_difference(first: int, second: int) -> float:
    """Return the second count's distance from the first, relative to the first.

    Example:
        >>> relative_difference(1000, 1001), relative_difference(0, 0)
        (0.001, 0.0)
    """
    if first == second:
        return 0.0
    return abs(second - first) / abs(first) if first else float("inf")


def _run(action: Callable[[], _Result], failure: str) -> _Result:
    try:
        return action()
    except Exception as problem:  # a network may raise anything
        raise ConfigError(f"{failure}: {type(problem).__name__}: {problem}") from problem


def _with_numbers(module: nn.Module) -> nn.Module:
    """Return a network that computes: weights that have no values become zeros."""
    if not any(tensor.is_meta for tensor in module.state_dict().values()):
        return module
    built = copy.deepcopy(module).to_empty(device="cpu")
    with torch.no_grad():
        for tensor in (*built.parameters(), *built.buffers()):
            # Fresh zeros cost no memory before they are written to; zeroing in place would.
            tensor.data = torch.zeros(tensor.shape, dtype=tensor.dtype)
    return built


def _agree(count: Count, traced: TracedCount) -> bool:
    if traced.unknown[WHOLE] or count.unknown[WHOLE]:
        return True  # neither is complete, so there is nothing to hold against each other
    return all(
        relative_difference(count.total(WHOLE, terms), traced.work[WHOLE].total(terms)) <= TOLERANCE
        for terms in MODES.values()
    )


def _carried(
    sizes: Sequence[InputSize], traces: Sequence[TracedCount], size: InputSize
) -> TracedCount:
    """Evaluate the polynomial through some counts at another number of pixels."""
    weights = _lagrange([each.pixels for each in sizes], size.pixels)
    work: dict[str, Work] = {}
    for part in traces[0].work:
        amounts = {}
        for term in Term:
            exact = sum(
                weight * trace.work[part].amounts.get(term, 0)
                for weight, trace in zip(weights, traces, strict=True)
            )
            amounts[term] = round(exact)
        work[part] = Work(amounts)
    unknown: Mapping[str, tuple[str, ...]] = traces[0].unknown
    return TracedCount(work, unknown)


def _lagrange(points: Sequence[int], at: int) -> list[Fraction]:
    """Return what each point's value weighs in the value of the polynomial at another place.

    Example:
        >>> [int(weight) for weight in _lagrange([1, 2], 3)]
        [-1, 2]
    """
    weights = []
    for point in points:
        weight = Fraction(1)
        for other in points:
            if other != point:
                weight *= Fraction(at - other, point - other)
        weights.append(weight)
    return weights
