"""Rows in which ground truth replaces steps of a fusion, to measure what each step costs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mapt_bench.baselines.registry import AssociatorEntry
from mapt_bench.baselines.rows import parse_row, tracker_entry
from mapt_bench.baselines.thresholds import ORACLE
from mapt_bench.errors import ConfigError
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.tracking.oracle_steps import ORACLE_STEPS

__all__ = ["ORACLE_SETS", "oracle_rows_of", "with_oracle_rows"]

(_ORACLE,) = ORACLE

ORACLE_SETS = (
    *((step,) for step in ORACLE_STEPS),
    ("motion", "appearance"),
    ("appearance", "memory"),
    ORACLE_STEPS,
)
"""Sets of steps that ground truth replaces: each step alone, and those that
:mod:`~mapt_bench.experiments.summaries.step_results` needs to divide a loss among them."""


def with_oracle_rows(variants: Sequence[Variant]) -> tuple[Variant, ...]:
    """Return rows in which each fusion with memory is followed by its rows with an oracle.

    Args:
        variants: Rows of a plan. Those that have an oracle already are kept as they are.

    Raises:
        ConfigError: If no row is a fusion whose steps ground truth can replace.
    """
    found: dict[str, Variant] = {}
    is_split = False
    for variant in variants:
        found.setdefault(variant.name, variant)
        if _has_steps(variant):
            is_split = True
            found |= {each.name: each for each in _oracle_rows(variant)}
    if not is_split:
        raise ConfigError(
            "--by counts the steps of a fusion with memory, and there is no such row; run "
            "mapt+memory or mapt:paper+memory, with weights of MAPT"
        )
    return tuple(found.values())


def oracle_rows_of(variants: Sequence[Variant]) -> Mapping[str, Mapping[tuple[str, ...], str]]:
    """Return the names of the rows with an oracle, by the name of their fusion and by steps."""
    names = {variant.name for variant in variants}
    found = {
        variant.name: {
            steps: row.name
            for steps, row in zip(ORACLE_SETS, _oracle_rows(variant), strict=True)
            if row.name in names
        }
        for variant in variants
        if _has_steps(variant)
    }
    return {name: rows for name, rows in found.items() if len(rows) == len(ORACLE_SETS)}


def _has_steps(variant: Variant) -> bool:
    entry = tracker_entry(variant.associator)
    return (
        isinstance(entry, AssociatorEntry)
        and _ORACLE in entry.settings
        and bool(variant.memory)
        and not variant.switches
        and _ORACLE not in dict(variant.settings)
    )


def _oracle_rows(variant: Variant) -> Iterator[Variant]:
    row = parse_row(variant.name)
    for steps in ORACLE_SETS:
        words = "+".join(steps)
        of_row = tuple(sorted({**dict(row.settings), _ORACLE: words}.items()))
        yield replace(
            variant,
            name=str(replace(row, settings=of_row)),
            label=f"{variant.label}, oracle {words}",
            group="reference",
            settings=tuple(sorted({**dict(variant.settings), _ORACLE: words}.items())),
        )
