"""Names of rows: in a plan, ``+memory`` stands for the track memory of the run that has the row."""

import re
from collections.abc import Iterable

from mapt_bench.baselines.rows import DEFAULT_MEMORY, row_name
from mapt_bench.errors import whole_number
from mapt_bench.experiments.experiment_config import ExperimentConfig

__all__ = ["memory_of", "name_in_plan", "name_in_run", "names_by_plan"]

_MEMORY = re.compile(r"\+memory(?:=(\d+))?(?=,|$)")


def memory_of(config: ExperimentConfig) -> int:
    """Return the track memory of a run in frames, 0 for the default."""
    memory: int = getattr(config, "memory", 0)  # every experiment has it
    return memory


def name_in_run(text: str, memory: int) -> str:
    """Return the name that a row of a plan has in a run.

    Args:
        text: Name of a row in a plan. ``+memory`` stands for the memory of the run.
        memory: Track memory of the run in frames, 0 for the default.

    Example:
        >>> name_in_run("sort+memory", 5), name_in_run("sort+memory=10", 5)
        ('sort+memory=5', 'sort+memory')
    """

    def spelled(found: re.Match[str]) -> str:
        frames = whole_number(found[1]) if found[1] else memory or DEFAULT_MEMORY
        if frames is None:  # the parser of rows reports the number
            return found[0]
        if frames == 0:
            return ""
        return "+memory" if frames == DEFAULT_MEMORY else f"+memory={frames}"

    return _MEMORY.sub(spelled, text.strip(), count=1)


def name_in_plan(name: str, memory: int) -> str:
    """Return the name of a row of a run as a plan has it, the inverse of :func:`name_in_run`.

    Args:
        name: Name of a row in a run.
        memory: Track memory of the run in frames, 0 for the default.

    Example:
        >>> name_in_plan("sort+memory=5", 5), name_in_plan("sort+memory", 5)
        ('sort+memory', 'sort+memory=10')
    """

    def spelled(found: re.Match[str]) -> str:
        frames = whole_number(found[1]) if found[1] else DEFAULT_MEMORY
        if frames is None:  # as above
            return found[0]
        return "+memory" if frames == (memory or DEFAULT_MEMORY) else f"+memory={frames}"

    return _MEMORY.sub(spelled, name, count=1)


def names_by_plan(config: ExperimentConfig, names: Iterable[str]) -> dict[str, str]:
    """Return the rows of a run: the name of each in the run, by its name in the plan.

    A row that the plan names with a number, such as ``sort+memory=10``, keeps it: in a run with
    another memory, it is not the row ``sort+memory``.

    Args:
        config: Options of the run.
        names: Names of its rows.
    """
    memory = memory_of(config)
    numbered: dict[str, str] = {}
    others: set[str] = set()
    for text in (*config.only, *config.add):
        name = row_name(text, memory=memory or DEFAULT_MEMORY)
        words = _MEMORY.search(text)
        if words is None or not words[1]:
            others.add(name)
        else:
            numbered[_MEMORY.sub(words[0], name, count=1)] = name
    found: dict[str, str] = {}
    for name in names:
        keys = [key for key, its in numbered.items() if its == name]
        if not keys or name in others or not config.only:
            keys.append(name_in_plan(name, memory))
        found.update(dict.fromkeys(keys, name))
    return found
