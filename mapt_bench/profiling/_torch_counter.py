"""First counter: torch's ``FlopCounterMode`` with a formula for every operator of the table.

It counts operators as they run, so it follows control flow. It counts any input size on the meta
device, where tensors have shapes and no values.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from mapt_bench.profiling._operator_registry import known_operators, without_fast_path
from mapt_bench.profiling._torch_formulas import torch_formulas
from mapt_bench.profiling.operator_table import WHOLE, Term, Work, plain_name

__all__ = ["Count", "count_operations"]


@dataclass(frozen=True)
class Count:
    """Operations of one forward pass.

    Attributes:
        work: Operations by part and operator (``"aten::convolution"``). :data:`WHOLE` is the
            whole network.
        unknown: Operators without a formula by part, sorted.
    """

    work: Mapping[str, Mapping[str, Work]]
    unknown: Mapping[str, tuple[str, ...]]

    def total(self, part: str, terms: frozenset[Term]) -> int:
        """Return the operations of a part in some terms."""
        return sum(work.total(terms) for work in self.work[part].values())


def count_operations(
    module: nn.Module,
    inputs: Sequence[object],
    parts: Mapping[str, Sequence[str]] | None = None,
    *,
    keywords: Mapping[str, object] = MappingProxyType({}),
    rest: str = "rest",
) -> Count:
    """Count one forward pass.

    Args:
        module: Network, in ``eval()`` mode for inference.
        inputs: Positional arguments of ``forward``, on the device of the network or on ``meta``.
        parts: Paths of submodules, by the name of their part. Parts must not overlap.
        keywords: Keyword arguments of ``forward``, like ``inputs``.
        rest: Name of the part for operations outside all other parts. Omitted without ``parts``.
    """
    counter = FlopCounterMode(display=False, custom_mapping=dict(torch_formulas()))
    others = _Others(counter)
    # Inference mode keeps composite operators whole, so that their formulas apply.
    with without_fast_path(), torch.inference_mode(), others, counter:
        module(*inputs, **keywords)
    root = type(module).__name__
    work = {WHOLE: _by_operator(counter, ["Global"])}
    unknown = {WHOLE: tuple(sorted(others.names("Global")))}
    outside = dict(work[WHOLE])
    for part, paths in (parts or {}).items():
        called = list(_outermost(counter, [f"{root}.{path}" for path in paths]))
        work[part] = _by_operator(counter, called)
        unknown[part] = tuple(sorted({name for at in called for name in others.names(at)}))
        for name, amount in work[part].items():
            outside[name] = outside[name] - amount
    if parts:
        work[rest] = outside
        inside = {name for part in parts for name in unknown[part]}
        unknown[rest] = tuple(name for name in unknown[WHOLE] if name not in inside)
    return Count(work, unknown)


def _by_operator(counter: FlopCounterMode, modules: Sequence[str]) -> dict[str, Work]:
    total: dict[str, Work] = {}
    for module in modules:
        for packet, amount in counter.flop_counts.get(module, {}).items():
            name = plain_name(packet._qualified_op_name)
            total[name] = total.get(name, Work({})) + amount
    return total


def _outermost(counter: FlopCounterMode, paths: Sequence[str]) -> Iterator[str]:
    """Yield the outermost called modules at or below some paths."""
    under = [
        name
        for name in counter.flop_counts
        if any(name == path or name.startswith(f"{path}.") for path in paths)
    ]
    for name in under:
        if not any(name.startswith(f"{other}.") for other in under):
            yield name


class _Others(TorchDispatchMode):  # type: ignore[no-untyped-call]  # untyped in torch
    """Records, by module, every operator that is not in the table."""

    def __init__(self, counter: FlopCounterMode) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._counter = counter
        self._known = known_operators()
        self._seen: set[tuple[str, str]] = set()

    def names(self, module: str) -> set[str]:
        """Return the operators recorded in a module and its children."""
        return {name for at, name in self._seen if at == module}

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - an overload of an operator; torch has no public type for it
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the operator returns
        packet = getattr(func, "_overloadpacket", func)
        name = plain_name(getattr(packet, "_qualified_op_name", str(packet)))
        if name not in self._known and packet not in self._counter.flop_registry:
            self._seen |= {(module, name) for module in self._counter.mod_tracker.parents}
        if name in _SLOW_TO_SHAPE and args[0].device.type == "meta" and args[0].ndim == 4:
            # torch would run all of the arithmetic to get the shape.
            return args[0].new_empty(*args[0].shape[:2], *args[1].shape[1:3])
        return func(*args, **(kwargs or {}))


_SLOW_TO_SHAPE = ("aten::grid_sampler", "aten::grid_sampler_2d")
