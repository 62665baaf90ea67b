"""Second counter: fvcore's ``FlopCountAnalysis`` on a traced graph, with separate formulas.

It shares the operator names with the first counter, but no formula. Shapes come from the values of
the graph, and fvcore itself counts convolutions and matrix products. Tracing needs a real device
and real values.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from mapt_bench.profiling._fvcore_formulas import fvcore_handles
from mapt_bench.profiling._operator_registry import without_fast_path
from mapt_bench.profiling.operator_table import WHOLE, Term, Work, plain_name

with warnings.catch_warnings():
    # A user of this package cannot change the cause of fvcore's warnings at import.
    warnings.simplefilter("ignore")
    from fvcore.nn import FlopCountAnalysis

__all__ = ["TracedCount", "trace_operations"]


@dataclass(frozen=True)
class TracedCount:
    """Operations by part, and operators without a formula by part, sorted."""

    work: Mapping[str, Work]
    unknown: Mapping[str, tuple[str, ...]]


def trace_operations(
    module: nn.Module,
    inputs: Sequence[object],
    parts: Mapping[str, Sequence[str]] | None = None,
    *,
    keywords: Mapping[str, object] = MappingProxyType({}),
    rest: str = "rest",
) -> TracedCount:
    """Trace one forward pass and count the operators of the graph.

    Args:
        module: Network on the CPU or another real device.
        inputs: Positional arguments of ``forward``.
        parts: Paths of submodules, by the name of their part.
        keywords: Keyword arguments of ``forward``.
        rest: Name of the part for operations outside all other parts.
    """
    flat = _Flat(module, inputs, keywords)
    analysis = FlopCountAnalysis(flat, flat.tensors)
    for name, handle in fvcore_handles().items():
        analysis.set_op_handle(name, handle)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.tracer_warnings("none")
    with without_fast_path(), torch.no_grad(), _one_thread(), _quiet():
        whole = _work(analysis.by_operator())
    work = {WHOLE: whole}
    unknown = {WHOLE: _unknown(analysis, [""])}
    outside = whole
    for part, named in (parts or {}).items():
        paths = [f"network.{path}" for path in named]
        work[part] = sum((_work(analysis.by_operator(path)) for path in paths), Work({}))
        unknown[part] = _unknown(analysis, paths)
        outside = outside - work[part]
    if parts:
        work[rest] = outside
        inside = {name for part in parts for name in unknown[part]}
        unknown[rest] = tuple(name for name in unknown[WHOLE] if name not in inside)
    return TracedCount(work, unknown)


class _Flat(nn.Module):
    """A network that takes and returns tensors only, as the tracer needs it.

    It returns the tensors that its modules return.

    Args:
        network: The network.
        inputs: Positional arguments: tensors, nested tensors and other values.
        keywords: Keyword arguments, like ``inputs``.
    """

    def __init__(
        self, network: nn.Module, inputs: Sequence[object], keywords: Mapping[str, object]
    ) -> None:
        super().__init__()
        self.network = network
        self.leaves, self.structure = tree_flatten((tuple(inputs), dict(keywords)))

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors among all arguments."""
        return tuple(leaf for leaf in self.leaves if isinstance(leaf, Tensor))

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run the network on its tensors, with the other values as they were given."""
        left = iter(tensors)
        leaves = [next(left) if isinstance(leaf, Tensor) else leaf for leaf in self.leaves]
        inputs, keywords = tree_unflatten(leaves, self.structure)
        # The tracer removes operators whose result is not returned. They cost all the same.
        found: list[object] = []
        keep = register_module_forward_hook(lambda _, given, made: found.append(made))
        try:
            self.network(*inputs, **keywords)
        finally:
            keep.remove()
        return tuple(leaf for leaf in tree_leaves(found) if isinstance(leaf, Tensor))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Limit torch to one thread, which is fastest for small inputs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress warnings of the tracer and the log of fvcore. Unknown operators are returned."""
    logger = logging.getLogger("fvcore")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = was_disabled


def _work(counts: Mapping[str, float]) -> Work:
    return Work({Term(term): int(amount) for term, amount in counts.items()})


def _unknown(analysis: FlopCountAnalysis, paths: Sequence[str]) -> tuple[str, ...]:
    names = {plain_name(name) for path in paths for name in analysis.unsupported_ops(path)}
    return tuple(sorted(names))
