"""Shell completion of the values of options. Imports wait until a value is completed."""

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

__all__ = [
    "complete_class_map",
    "complete_encoding",
    "complete_from",
    "complete_label_space",
    "complete_list",
    "complete_row",
    "complete_segments",
    "complete_suite",
    "complete_thresholds",
    "complete_weights",
]

_Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def complete_row(
    context: click.Context, option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete a row: names of trackers, and ``+memory`` if the tracker supports it."""
    from mapt_bench.baselines.registry import (
        associator_names,
        flow_tracker_names,
        mapt_tracker_names,
    )
    from mapt_bench.baselines.rows import tracker_entry
    from mapt_bench.baselines.user_trackers import plugin_names

    names = dict.fromkeys(
        (*associator_names(), *mapt_tracker_names(), *flow_tracker_names(), *plugin_names())
    )
    begun = [name for name in names if incomplete.startswith(name)]
    remembering = [f"{name}+memory" for name in begun if tracker_entry(name).supports_memory]
    return _beginning(incomplete, [*names, *remembering])


def complete_segments(
    context: click.Context, option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete segments: their names, names of shipped weights, else files and folders.

    After a comma, the next name is completed.
    """
    from mapt_bench.baselines.segmenters import GROUND_TRUTH
    from mapt_bench.experiments import FOUND_BY_MAPT, NOISY
    from mapt_bench.weights import shipped_mapt_weights

    names = (FOUND_BY_MAPT, GROUND_TRUTH, NOISY, *shipped_mapt_weights())
    return [*_files(incomplete.rpartition(",")[2]), *_next_of_list(incomplete, names)]


def complete_from(names: Callable[[], Iterable[str]], *, or_file: bool = False) -> _Completion:
    """Return a function that completes one of some names, each once, or else a file.

    Args:
        names: Returns the names. It is called on completion only, so it may import modules.
        or_file: Whether the value may also be a file.
    """

    def complete(
        context: click.Context, option: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        given = context.params.get(option.name or "") if option.multiple or option.nargs < 0 else ()
        left = [name for name in names() if name not in (given or ())]
        return [*(_files(incomplete) if or_file else ()), *_beginning(incomplete, left)]

    return complete


def complete_list(names: Callable[[], Iterable[str]]) -> _Completion:
    """Return a function that completes names that are separated by commas, each once.

    Args:
        names: Returns the names. It is called on completion only, so it may import modules.
    """

    def complete(
        context: click.Context, option: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return _next_of_list(incomplete, names())

    return complete


def _next_of_list(incomplete: str, names: Iterable[str]) -> list[CompletionItem]:
    """Return the names that may stand after the last comma."""
    before, comma, _ = incomplete.rpartition(",")
    given = before.split(",")
    return _beginning(incomplete, [f"{before}{comma}{name}" for name in names if name not in given])


def _beginning(incomplete: str, values: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(value) for value in values if value.startswith(incomplete)]


def _files(incomplete: str) -> list[CompletionItem]:
    """Let the shell complete files if no name fits. It comes first: bash drops items before it."""
    return [CompletionItem(incomplete, type="file")]


def _suites() -> Iterable[str]:
    from mapt_bench.synthetic.suites import suite_names

    return suite_names()


def _thresholds() -> Iterable[str]:
    from mapt_bench.baselines.thresholds import THRESHOLDS

    return THRESHOLDS


def _label_spaces() -> Iterable[str]:
    from mapt_bench.labels import label_space_names

    return label_space_names()


def _class_maps() -> Iterable[str]:
    from mapt_bench.labels import class_map_names

    return class_map_names()


def _encodings() -> Iterable[str]:
    from mapt_bench.data import encoding_names

    return encoding_names()


def _weights() -> Iterable[str]:
    from mapt_bench.weights import shipped_weights

    return shipped_weights()


complete_suite = complete_from(_suites)
"""Complete the name of a suite of synthetic videos."""

complete_thresholds = complete_from(_thresholds, or_file=True)
"""Complete the thresholds of an experiment: their names, else a file."""

complete_label_space = complete_from(_label_spaces, or_file=True)
"""Complete the name of a built-in label space, else a file."""

complete_class_map = complete_from(_class_maps, or_file=True)
"""Complete the name of built-in class maps, else a file."""

complete_encoding = complete_from(_encodings)
"""Complete the name of an encoding of maps."""

complete_weights = complete_from(_weights, or_file=True)
"""Complete the name of shipped weights, else a file."""
