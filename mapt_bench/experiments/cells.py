"""Content keys: equal work has an equal name, and a name never stands for other work."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any

from mapt_bench.baselines.mapt_entries import describe_for_mapt, mapt_segmenter
from mapt_bench.baselines.registry import AssociatorEntry
from mapt_bench.code_closure import PACKAGE, code_fingerprint, root_of
from mapt_bench.data.stress import Stress, stressor
from mapt_bench.evaluation.tracking_run import match_saved_segments
from mapt_bench.experiments.plan import Cell
from mapt_bench.experiments.segment_files import find_segments, noticed_by_segments
from mapt_bench.experiments.segment_sources import SegmentSource
from mapt_bench.experiments.shared import Library
from mapt_bench.experiments.source import DataSource
from mapt_bench.experiments.threads import one_thread
from mapt_bench.experiments.unit import run_unit
from mapt_bench.experiments.variants import Variant

__all__ = [
    "CODE_SCHEMA",
    "Keys",
    "canonical_json",
    "cell_config",
    "cell_key",
    "data_roots",
    "segment_roots",
    "segments_key",
    "stress_roots",
    "tracker_roots",
]

CODE_SCHEMA = 2
"""Raised when the files of a run change their meaning."""

_KEY_LENGTH = 16


def canonical_json(data: Any) -> str:  # noqa: ANN401 - any JSON
    """Return the one spelling of JSON data that keys are made from.

    Example:
        >>> canonical_json({"b": 1, "a": [1.5, None]})
        '{"a":[1.5,null],"b":1}'
    """
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def cell_config(cell: Cell, *, pair: int, stress: Stress | None = None) -> dict[str, Any]:
    """Return everything about a cell that decides its result, and nothing else.

    Names, labels, groups and the paths of weights are left out: cells that amount to the same work
    share a key.

    Args:
        cell: The cell.
        pair: The pairing interval that the associator is told, 1 where it has none.
        stress: What the associator notices of the cell's stress.
    """
    variant = cell.variant
    return {
        "associator": variant.associator,
        "memory": variant.memory,
        "settings": dict(variant.settings),
        "weights": None if variant.weights is None else variant.weights.sha256,
        "mapt": None if variant.mapt is None else variant.mapt.sha256,
        "switches": list(variant.switches),
        "drop": cell.drop,
        "pair": pair,
        "stress": None if stress is None else asdict(stress),
    }


def cell_key(
    config: dict[str, Any], *, code: str, data_fingerprint: str, segments: str, seed: int
) -> str:
    """Return the content key of a cell: 16 hexadecimal digits.

    Args:
        config: From :func:`cell_config`.
        code: Fingerprint of the code that runs and scores the tracker.
        data_fingerprint: Of the videos.
        segments: Content key of the segments, from :func:`segments_key`.
        seed: Of the experiment.
    """
    return _key(config=config, code=code, data=data_fingerprint, segments=segments, seed=seed)


def segments_key(
    segments: dict[str, Any],
    *,
    code: str,
    data_fingerprint: str,
    stress: Stress | None,
    seed: int,
) -> str:
    """Return the content key of segments of all videos under a stress: 16 hexadecimal digits.

    Args:
        segments: What they are, weights included; from
            :meth:`~mapt_bench.experiments.segment_sources.SegmentSource.describe`.
        code: Fingerprint of the code that makes them.
        data_fingerprint: Of the videos.
        stress: What the segmenter notices of the stress.
        seed: Of the experiment.
    """
    noticed = None if stress is None else asdict(stress)
    return _key(segments=segments, code=code, data=data_fingerprint, stress=noticed, seed=seed)


def _key(**content: object) -> str:
    spelled = canonical_json({"schema": CODE_SCHEMA, **content})
    return hashlib.sha256(spelled.encode()).hexdigest()[:_KEY_LENGTH]


# Roots: the code that decides a result, of which mapt_bench.code_closure finds all the rest.

_RUNNING = (run_unit, Library, one_thread)


def tracker_roots(variant: Variant, entry: AssociatorEntry) -> Iterator[object]:
    """Yield the code that runs a tracker over a unit and scores it.

    Args:
        variant: The tracker.
        entry: Of its associator.
    """
    yield from _RUNNING
    yield entry.build
    yield from entry.parts
    if variant.mapt is not None:
        yield describe_for_mapt


def segment_roots(segments: SegmentSource) -> Iterator[object]:
    """Yield the code that makes segments and keeps them."""
    yield find_segments
    yield SegmentSource
    if segments.mapt is not None:
        yield mapt_segmenter
    if segments.saved is not None:
        yield match_saved_segments
        yield from data_roots(segments.saved)


def data_roots(videos: Iterable[object]) -> Iterator[str]:
    """Yield the modules that read or generate videos or maps.

    Args:
        videos: Videos, or sequences of maps.
    """
    seen: set[type] = set()
    yield from (kind.__module__ for kind in _kinds_in(videos, seen))


def stress_roots(stress: Stress | None) -> Iterator[object]:
    """Yield the code that puts videos under a stress."""
    if stress is not None:
        yield stressor(stress)


def _kinds_in(things: Iterable[object], seen: set[type]) -> Iterator[type]:
    """Yield the classes of this package that things are of, and what they hold, each once."""
    for thing in things:
        kind = type(thing)
        if isinstance(thing, tuple):
            yield from _kinds_in(thing, seen)
        elif kind.__module__.partition(".")[0] == PACKAGE:
            if kind not in seen:
                seen.add(kind)
                yield kind
            if is_dataclass(thing):
                yield from _kinds_in((getattr(thing, each.name) for each in fields(thing)), seen)


@dataclass(frozen=True)
class Keys:
    """Makes the content keys of an experiment.

    Attributes:
        source: Videos and segments.
        seed: Of the experiment.
    """

    source: DataSource
    seed: int

    def of_segments(self, name: str | None, stress: Stress | None) -> str:
        """Return the key of the segments of a name, of videos under a stress."""
        segments = self.source.segments_named(name)
        noticed = noticed_by_segments(segments, stress)
        return segments_key(
            segments.describe(),
            code=_code(segment_roots(segments), self._data_roots, stress_roots(noticed)),
            data_fingerprint=self.source.fingerprint,
            stress=noticed,
            seed=self.seed,
        )

    def of_cell(
        self, cell: Cell, entry: AssociatorEntry, *, pair: int, stress: Stress | None
    ) -> str:
        """Return the key of a cell.

        Args:
            cell: The cell.
            entry: Of its associator.
            pair: The pairing interval that the associator is told, 1 where it has none.
            stress: What the associator notices of the cell's stress.
        """
        roots = tracker_roots(cell.variant, entry)
        return cell_key(
            cell_config(cell, pair=pair, stress=stress),
            code=_code(roots, self._data_roots, stress_roots(stress)),
            data_fingerprint=self.source.fingerprint,
            segments=self.of_segments(cell.segments, stress),
            seed=self.seed,
        )

    @cached_property
    def _data_roots(self) -> tuple[str, ...]:
        return tuple(data_roots(self.source.videos))


def _code(*roots: Iterable[object]) -> str:
    named = (root_of(root) for group in roots for root in group)
    return code_fingerprint(frozenset(root for root in named if root is not None))
