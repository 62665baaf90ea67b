"""Where every operator that torch registers belongs: the rows of the table, filled by their rules.

Torch registers some 2,000 operators. The table names those with a formula, and those whose tags
and schema do not show what they do. All others follow from a rule of a row.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from functools import lru_cache
from typing import Any

import torch
import torchvision  # noqa: F401  # registers its operators with torch
from torch.utils.flop_counter import flop_registry

from mapt_bench.profiling.operator_table import OPERATORS, OperatorRow, Rule, plain_name

__all__ = ["Standing", "known_operators", "operator_surface", "without_fast_path"]

_OUTSIDE = ("_c10d_functional", "c10d", "c10d_functional", "prim", "profiler")
"""Namespaces of :attr:`Rule.OUTSIDE`."""

_FOREACH = "_foreach_"


class Standing(StrEnum):
    """What the FLOPs report knows about an operator."""

    COUNTED = "counted"
    """It has a formula."""
    PARTS = "counted by parts"
    """Torch makes it from other operators, which are counted."""
    FREE = "free"
    """Every mode omits it by definition."""
    UNKNOWN = "unknown"
    """A network with this operator has no total."""


@lru_cache(maxsize=1)
def known_operators() -> Mapping[str, OperatorRow]:
    """Return the row of every known operator, by plain name.

    Operators registered later, for example by :func:`torch.library.custom_op`, are unknown.
    """
    rows = {name: row for row in OPERATORS for name in row.names}
    by_rule = {row.rule: row for row in OPERATORS if row.rule}
    schemas = _schemas()
    for name, overloads in schemas.items():
        rule = None if name in rows else _rule(name, overloads)
        if rule is not None:
            rows[name] = by_rule[rule]
    for name in schemas:
        model = _model(name)
        if model in rows and name not in rows and not rows[model].is_counted:
            rows[name] = rows[model]
    return rows


def operator_surface() -> dict[str, Standing]:
    """Return the standing of every operator in torch's registry, by plain name."""
    rows = known_operators()
    own = {getattr(packet, "_qualified_op_name", "") for packet in flop_registry}
    found = {}
    for name, overloads in sorted(_schemas().items()):
        if name in own or (name in rows and rows[name].is_counted):
            found[name] = Standing.COUNTED
        elif name in rows:
            found[name] = Standing.FREE
        elif any(map(_is_composite, overloads)):
            found[name] = Standing.PARTS
        else:
            found[name] = Standing.UNKNOWN
    return found


@contextmanager
def without_fast_path() -> Iterator[None]:
    """Run attention layers by their ordinary operators instead of one fused operator."""
    was_enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was_enabled)


def _schemas() -> dict[str, list[Any]]:
    """Return the schemas (``torch._C.FunctionSchema``) of all overloads, by plain name."""
    found: dict[str, list[Any]] = {}
    for schema in torch._C._jit_get_all_schemas():
        found.setdefault(plain_name(schema.name), []).append(schema)
    return found


def _rule(name: str, overloads: list[Any]) -> Rule | None:
    if name.endswith("PythonOp"):
        return None  # it calls any code
    if name.partition("::")[0] in _OUTSIDE:
        return Rule.OUTSIDE
    tags = {tag.name for schema in overloads for tag in _tags(schema)}
    if "pointwise" in tags:
        return Rule.POINTWISE
    if "reduction" in tags:
        return Rule.REDUCTION
    if "view_copy" in tags or any(map(_returns_view, overloads)):
        return Rule.VIEW
    if not any(map(_takes_tensor, overloads)):
        return Rule.CREATION
    if not any(_returns_tensor(schema) or _writes(schema) for schema in overloads):
        return Rule.QUERY
    return None


def _model(name: str) -> str:
    """Return the operator that another repeats: on several tensors, or as a primitive."""
    space, _, operator = name.partition("::")
    if space == "prims":
        return f"aten::{operator}"
    return f"{space}::{operator.removeprefix(_FOREACH)}"


def _tags(schema: Any) -> list[Any]:  # noqa: ANN401 - torch._C.FunctionSchema
    found = torch._C._get_operation_overload(schema.name, schema.overload_name)
    return [] if found is None else found[2]


def _returns_view(schema: Any) -> bool:  # noqa: ANN401
    return any(value.alias_info and not value.alias_info.is_write for value in schema.returns)


def _takes_tensor(schema: Any) -> bool:  # noqa: ANN401
    return any("Tensor" in str(value.type) for value in schema.arguments if not value.is_out)


def _returns_tensor(schema: Any) -> bool:  # noqa: ANN401
    return any("Tensor" in str(value.type) for value in schema.returns)


def _writes(schema: Any) -> bool:  # noqa: ANN401
    return any(value.alias_info and value.alias_info.is_write for value in schema.arguments)


def _is_composite(schema: Any) -> bool:  # noqa: ANN401
    name = f"{schema.name}.{schema.overload_name}".removesuffix(".")
    return torch._C._dispatch_has_kernel(name) and bool(
        torch._C._dispatch_has_kernel_for_dispatch_key(name, "CompositeImplicitAutograd")
    )
