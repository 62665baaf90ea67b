"""Content keys of cells and segments: equal work has equal keys, different work never does."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any

from mapt_bench.baselines.mapt_trackers import describe_for_mapt
from mapt_bench.baselines.registry import AssociatorEntry, TrackerEntry
from mapt_bench.baselines.segmenters import MappedSegmenter
from mapt_bench.code_closure import PACKAGE, code_fingerprint, root_of
from mapt_bench.evaluation.tracking_run import match_saved_segments
from mapt_bench.experiments.engine.shared import Library
from mapt_bench.experiments.engine.unit import one_thread, run_unit
from mapt_bench.experiments.plans.data_source import DataSource
from mapt_bench.experiments.plans.plan import Cell
from mapt_bench.experiments.plans.segment_sources import (
    SegmentSource,
    find_segments,
    noticed_by_segments,
)
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.labels import ClassMaps
from mapt_bench.metrics.scorer import WINDOWS
from mapt_bench.stress import Stress, stressor

__all__ = [
    "CODE_SCHEMA",
    "Keys",
    "canonical_json",
    "cell_config",
    "cell_key",
    "segments_key",
]

CODE_SCHEMA = 2
"""Increased when the content of a run's files changes its meaning."""

_KEY_LENGTH = 16


def canonical_json(data: Any) -> str:  # noqa: ANN401 - any JSON
    """Return the canonical text of JSON data, for keys.

    Example:
        >>> canonical_json({"b": 1, "a": [1.5, None]})
        '{"a":[1.5,null],"b":1}'
    """
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def cell_config(
    cell: Cell,
    *,
    pair: int,
    stress: Stress | None = None,
    vpq_windows: Sequence[int] = WINDOWS,
) -> dict[str, Any]:
    """Return everything about a cell that decides its result, and nothing else.

    Args:
        cell: The cell.
        pair: Pairing interval of the associator, 1 if it supports none.
        stress: Stress that affects the associator, or ``None``.
        vpq_windows: Window sizes of VPQ in frames.
    """
    return {
        **cell.variant.describe(),
        "drop": cell.drop,
        "pair": pair,
        "stress": None if stress is None else asdict(stress),
        "vpq_windows": list(vpq_windows),
    }


def cell_key(
    config: dict[str, Any], *, code: str, data_fingerprint: str, segments: str, seed: int
) -> str:
    """Return the content key of a cell: 16 hexadecimal digits.

    Args:
        config: Description of the cell, from :func:`cell_config`.
        code: Fingerprint of the code that runs and scores the tracker.
        data_fingerprint: Fingerprint of the videos.
        segments: Content key of the segments, from :func:`segments_key`.
        seed: Seed of the experiment.
    """
    return _key(config=config, code=code, data=data_fingerprint, segments=segments, seed=seed)


def segments_key(
    segments: dict[str, Any],
    *,
    code: str,
    data_fingerprint: str,
    labels: dict[str, Any],
    stress: Stress | None,
    seed: int,
) -> str:
    """Return the content key of segments of all videos under a stress: 16 hexadecimal digits.

    Args:
        segments: Description of the segments, including weights, from
            :meth:`~mapt_bench.experiments.plans.segment_sources.SegmentSource.describe`.
        code: Fingerprint of the code that computes the segments.
        data_fingerprint: Fingerprint of the videos.
        labels: Label space as plain data. Files of maps contain only class numbers.
        stress: Stress that affects the segmenter, or ``None``.
        seed: Seed of the experiment.
    """
    noticed = None if stress is None else asdict(stress)
    return _key(
        segments=segments,
        code=code,
        data=data_fingerprint,
        labels=labels,
        stress=noticed,
        seed=seed,
    )


def _key(**content: object) -> str:
    spelled = canonical_json({"schema": CODE_SCHEMA, **content})
    return hashlib.sha256(spelled.encode("utf-8", "surrogateescape")).hexdigest()[:_KEY_LENGTH]


@dataclass(frozen=True)
class Keys:
    """Computes the content keys of an experiment.

    The roots of a key are the functions and classes that run.
    :mod:`mapt_bench.code_closure` finds all other code that decides a result from them.

    Attributes:
        source: Videos and segments.
        seed: Seed of the experiment.
        vpq_windows: Window sizes of VPQ in frames.
    """

    source: DataSource
    seed: int
    vpq_windows: tuple[int, ...] = WINDOWS

    def of_segments(self, name: str | None, stress: Stress | None) -> str:
        """Return the key of segments of the videos under a stress."""
        segments = self.source.segments_named(name)
        return segments_key(
            segments.describe(),
            code=code_fingerprint(self.roots_of_segments(name, stress)),
            data_fingerprint=self.source.fingerprint,
            labels=self.source.labels.to_dict(),
            stress=noticed_by_segments(segments, stress),
            seed=self.seed,
        )

    def of_cell(self, cell: Cell, entry: TrackerEntry, *, pair: int, stress: Stress | None) -> str:
        """Return the key of a cell.

        Args:
            cell: The cell.
            entry: Registry entry of its tracker.
            pair: Pairing interval of the associator, 1 if it supports none.
            stress: Stress that affects the associator, or ``None``.
        """
        return cell_key(
            cell_config(cell, pair=pair, stress=stress, vpq_windows=self.vpq_windows),
            code=code_fingerprint(self.roots_of_cell(cell, entry, stress)),
            data_fingerprint=self.source.fingerprint,
            segments=self.of_segments(cell.segments, stress),
            seed=self.seed,
        )

    def roots_of_segments(self, name: str | None, stress: Stress | None) -> frozenset[str]:
        """Return the roots of the code that computes segments and writes their archive."""
        segments = self.source.segments_named(name)
        roots: list[object] = [find_segments, SegmentSource, segments.maker]
        if segments.saved is not None:
            roots += [match_saved_segments, *_kinds_in(segments.saved)]
        if segments.maps is not None:
            roots += [MappedSegmenter, ClassMaps]
        return self._named(roots, noticed_by_segments(segments, stress))

    def roots_of_cell(
        self, cell: Cell, entry: TrackerEntry, stress: Stress | None
    ) -> frozenset[str]:
        """Return the roots of the code that runs a tracker on given segments and scores it."""
        roots: list[object] = [run_unit, Library, Variant, one_thread]
        if isinstance(entry, AssociatorEntry):
            roots += [entry.build, *entry.parts]
        else:  # the description of the variant contains the source of the user's tracker
            roots.append(type(entry))
        if cell.variant.mapt is not None:
            roots.append(describe_for_mapt)
        return self._named(roots, stress)

    def _named(self, roots: list[object], stress: Stress | None) -> frozenset[str]:
        stressed = [] if stress is None else [stressor(stress), Stress]  # Stress has the levels
        named = map(root_of, (*roots, *stressed, *self._data_roots))
        return frozenset(root for root in named if root is not None)

    @cached_property
    def _data_roots(self) -> tuple[str, ...]:
        return _kinds_in(self.source.videos)


def _kinds_in(things: Iterable[object]) -> tuple[str, ...]:
    """Return the modules of this package that define the classes of things and of their fields."""
    found: set[str] = set()
    waiting = list(things)
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, tuple):
            waiting += thing
        elif type(thing).__module__.partition(".")[0] == PACKAGE:
            found.add(type(thing).__module__)
            if is_dataclass(thing):
                waiting += [getattr(thing, each.name) for each in fields(thing)]
    return tuple(sorted(found))
