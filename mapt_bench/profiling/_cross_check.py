"""Cross-check of one network by two counters: torch at the full input size, fvcore where possible.

fvcore runs the network with values. At a large size that takes seconds and gigabytes. So fvcore
runs at small sizes, and a polynomial in the number of pixels extrapolates its counts. This is exact
if every side is a multiple of 64, because then the size of each layer is the input size divided by
a power of two. Degree 1 is enough for convolutions and parts that do not depend on pixels. Degree 2
is enough for all pairs of positions. The result must agree with the first count, which was made at
the full size. Otherwise fvcore runs at the full size, too.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import torch
from torch import nn

from mapt_bench.errors import ConfigError, reason_of
from mapt_bench.profiling._fvcore_counter import TracedCount, trace_operations
from mapt_bench.profiling._torch_counter import Count, count_operations
from mapt_bench.profiling.flops_settings import Arguments, InputSize, Target
from mapt_bench.profiling.operator_table import MODES, WHOLE, Term, Work
from mapt_bench.user_code import running

__all__ = ["TOLERANCE", "BothCounts", "CrossCheck", "relative_difference"]

TOLERANCE = 1e-3
"""Counts agree if their relative difference is at most this."""

_GRID = 64

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class BothCounts:
    """Two counts of one network at one input size.

    Attributes:
        count: First count.
        counted_on: Device of the first count: ``"meta"``, or ``"cpu"`` if meta is unsupported.
        traced: Second count, at the same size.
        traced_at: Sizes that fvcore ran at, in pixels ``(height, width)``.
        trace_problem: Reason for a missing second count, else ``None``.
    """

    count: Count
    counted_on: str
    traced: TracedCount | None
    traced_at: tuple[tuple[int, int], ...]
    trace_problem: str | None = None


class CrossCheck:
    """Counts one target with both counters. Traces are reused for other sizes.

    Args:
        target: Network to count.
        instances: Number of instances in each frame.
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
            ConfigError: If the network does not accept the size, or fails.
        """
        if size not in self._counts:
            self.target.check_size(size)
            self._counts[size] = self._both(size)
        return self._counts[size]

    def count_once(self, size: InputSize) -> Count:
        """Return the first count only, which is fast at any size.

        Raises:
            ConfigError: If the network does not accept the size, or fails.
        """
        self.target.check_size(size)
        return self._first(size)[0]

    def _both(self, size: InputSize) -> BothCounts:
        count, device = self._first(size)
        try:
            with running():
                traced, at = self._second(size, count)
        except Exception as problem:  # tracing runs user code, which may raise anything
            return BothCounts(count, device, None, (), reason_of(problem))
        return BothCounts(count, device, traced, at)

    def _first(self, size: InputSize) -> tuple[Count, str]:
        target = self.target
        try:
            if self._on_meta is None:
                self._on_meta = copy.deepcopy(self.module).to("meta")
            example = self._example(size).to("meta")
            with running(), torch.device("meta"):
                return self._count(self._on_meta, example), "meta"
        except Exception:  # some operators, and some user code, do not run on the meta device
            example = self._example(size)
            found = _run(
                lambda: self._count(self._cpu(), example),
                f"{target.name} fails on an input of {size}",
            )
            return found, "cpu"

    def _count(self, module: nn.Module, example: Arguments) -> Count:
        return count_operations(
            module,
            example.positional,
            self.parts,
            keywords=example.keywords,
            rest=self.target.rest,
        )

    def _second(
        self, size: InputSize, count: Count
    ) -> tuple[TracedCount, tuple[tuple[int, int], ...]]:
        for sizes in self._small_sizes(size):
            try:
                traces = [self._trace(each) for each in sizes]
            except Exception:  # a network may take one size only
                break
            extrapolated = _extrapolated(sizes, traces, size)
            if _agree(count, extrapolated):
                return extrapolated, tuple((each.height, each.width) for each in sizes)
        return self._trace(size), ((size.height, size.width),)

    def _small_sizes(self, size: InputSize) -> list[list[InputSize]]:
        """Return sizes for degree 1, then for degree 2. Empty if that saves no time."""
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
            example = self._example(size)
            self._traces[size] = trace_operations(
                self._cpu(),
                example.positional,
                self.parts,
                keywords=example.keywords,
                rest=self.target.rest,
            )
        return self._traces[size]

    def _cpu(self) -> nn.Module:
        if self._on_cpu is None:
            self._on_cpu = _with_numbers(self.module)
        return self._on_cpu

    def _example(self, size: InputSize) -> Arguments:
        return _run(
            lambda: self.target.arguments(self.module, size, self.instances),
            f"{self.target.name} gives no example input of {size}",
        )


def relative_difference(first: int, second: int) -> float:
    """Return the difference of the second count from the first, relative to the first.

    Example:
        >>> relative_difference(1000, 1001), relative_difference(0, 0)
        (0.001, 0.0)
    """
    if first == second:
        return 0.0
    return abs(second - first) / abs(first) if first else float("inf")


def _run(action: Callable[[], _Result], failure: str) -> _Result:
    try:
        with running():
            return action()
    except Exception as problem:  # a network may raise anything
        raise ConfigError(f"{failure}: {reason_of(problem)}") from problem


def _with_numbers(module: nn.Module) -> nn.Module:
    """Return a network with values: weights on the meta device become zeros."""
    if not any(tensor.is_meta for tensor in module.state_dict().values()):
        return module
    built = copy.deepcopy(module).to_empty(device="cpu")
    with torch.no_grad():
        for tensor in (*built.parameters(), *built.buffers()):
            # New zeros use no memory until they are written. Zeroing in place would use it.
            tensor.data = torch.zeros(tensor.shape, dtype=tensor.dtype)
    return built


def _agree(count: Count, traced: TracedCount) -> bool:
    if traced.unknown[WHOLE] or count.unknown[WHOLE]:
        return True  # incomplete counts cannot be compared
    return all(
        relative_difference(count.total(WHOLE, terms), traced.work[WHOLE].total(terms)) <= TOLERANCE
        for terms in MODES.values()
    )


def _extrapolated(
    sizes: Sequence[InputSize], traces: Sequence[TracedCount], size: InputSize
) -> TracedCount:
    """Extrapolate counts to another number of pixels by a polynomial."""
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
    """Return the weight of each point in the value of the interpolating polynomial at ``at``.

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
