"""Probabilities that a segment continues a track: small networks over motion and appearance.

A table compares all tracks of a stage with all segments. One network scores each pair, one how
likely a track has no segment, one how likely a segment has no track. A softmax over each row and
each column, with "none" in both, makes them probabilities.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mapt_bench.errors import ConfigError, DataError, wrong_schema
from mapt_bench.files import parse_json, read_text, write_text

__all__ = [
    "CUES",
    "LINKER_SCHEMA",
    "PAIR",
    "SEGMENT",
    "STAGES",
    "TRACK",
    "Cues",
    "LinkModel",
    "LinkTable",
    "SmallNetwork",
    "Stage",
    "StageModel",
    "contrasted",
    "input_names",
    "linker_file",
    "read_linker",
    "write_linker",
]

LINKER_SCHEMA = "mapt-bench/linker/1"

Cues = Literal["both", "motion", "appearance"]
"""Cues that a linker may use beside size, class, time hidden and visible share."""

CUES: tuple[Cues, ...] = get_args(Cues)

Stage = Literal["view", "lost"]
"""Tracks in view are linked first, lost tracks second."""

STAGES: tuple[Stage, ...] = get_args(Stage)

_Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Inputs:
    """Names of the inputs of a network, by the cue that they belong to."""

    shared: tuple[str, ...]
    motion: tuple[str, ...] = ()
    appearance: tuple[str, ...] = ()

    @property
    def measured(self) -> tuple[str, ...]:
        """Names in the order of the columns of a table."""
        return (*self.shared, *self.motion, *self.appearance)


PAIR = _Inputs(
    shared=("area_to_last", "area_to_whole", "height_to_whole", "hidden", "sightings", "age"),
    motion=(
        *("mask_iou", "mask_overlap", "inside_carried", "carried_distance"),
        *("predicted_distance", "predicted_deviation", "box_iou", "box_inside"),
    ),
    appearance=("cosine_best", "cosine_mean", "cosine_last"),
)
"""Inputs of a pair of track and segment. Areas, heights, times and distances are logarithms."""

TRACK = _Inputs(
    shared=("area", "hidden", "sightings", "score", "is_person"),
    motion=("in_frame", "carried_share", "camera_speed"),
)
"""Inputs of a track."""

SEGMENT = _Inputs(shared=("area", "score", "at_border", "is_person", "age", "rivals"))
"""Inputs of a segment."""

_CONTRASTS = ("cosine_to_rival_track", "cosine_to_rival_segment")
"""Made from a table: how far the best cosine lies above those of rivals."""


def input_names(inputs: _Inputs, cues: Cues) -> tuple[str, ...]:
    """Return the names of the inputs that a linker with these cues may use.

    Example:
        >>> "mask_iou" in input_names(PAIR, "appearance")
        False
    """
    motion = inputs.motion if cues != "appearance" else ()
    appearance = inputs.appearance if cues != "motion" else ()
    contrasts = _CONTRASTS if inputs is PAIR and appearance else ()
    return (*inputs.shared, *motion, *appearance, *contrasts)


@dataclass(frozen=True, eq=False)
class LinkTable:
    """Tracks and segments of one frame, compared.

    Attributes:
        pair: ``(tracks, segments, len(PAIR.measured))``.
        track: ``(tracks, len(TRACK.measured))``.
        segment: ``(segments, len(SEGMENT.measured))``.
        allowed: ``bool`` of shape ``(tracks, segments)``: pairs that may be one object.
    """

    pair: _Values
    track: _Values
    segment: _Values
    allowed: NDArray[np.bool_]

    def part(self, rows: Sequence[int], columns: Sequence[int]) -> "LinkTable":
        """Return the table of some tracks and some segments."""
        r, c = np.asarray(rows, dtype=np.intp), np.asarray(columns, dtype=np.intp)
        return LinkTable(
            self.pair[np.ix_(r, c)], self.track[r], self.segment[c], self.allowed[np.ix_(r, c)]
        )


def contrasted(table: LinkTable) -> _Values:
    """Return the inputs of pairs with the contrasts of their cosines behind them.

    Returns:
        ``(tracks, segments, len(PAIR.measured) + 2)``.
    """
    cosine = table.pair[..., PAIR.measured.index("cosine_best")]
    held = np.where(table.allowed, cosine, -np.inf)
    by_track = _above_best_other(held.T).T  # other tracks of the same segment
    by_segment = _above_best_other(held)
    return np.concatenate((table.pair, by_track[..., None], by_segment[..., None]), axis=2)


def _above_best_other(held: _Values) -> _Values:
    """Return how far each value lies above the best other one of its row, in ``[-1, 1]``."""
    if held.shape[1] < 2:
        return np.ones_like(held)
    best = np.sort(held, axis=1)
    other = np.where(held == best[:, -1:], best[:, -2:-1], best[:, -1:])
    with np.errstate(invalid="ignore"):
        above = np.where(np.isfinite(held) & np.isfinite(other), held - other, 1.0)
    return np.clip(above, -1, 1)


@dataclass(frozen=True, eq=False)
class SmallNetwork:
    """Two linear layers with a hyperbolic tangent between them, over normalised inputs.

    Attributes:
        inputs: Names of the inputs.
        mean: Mean of each input where the network was fitted.
        spread: Standard deviation of each.
        hidden: Weights of the hidden units, ``(inputs + 1, units)``; the last row is the bias.
        out: Weights of the output, ``(units + 1,)``; the last one is the bias.
    """

    inputs: tuple[str, ...]
    mean: _Values
    spread: _Values
    hidden: _Values
    out: _Values

    def __call__(self, values: _Values) -> _Values:
        """Return the output for inputs ``(..., len(inputs))``."""
        normal = np.clip((values - self.mean) / self.spread, -5, 5)
        units = np.tanh(normal @ self.hidden[:-1] + self.hidden[-1])
        scores: _Values = units @ self.out[:-1] + self.out[-1]
        return scores

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that :meth:`from_dict` reads back."""
        return {
            "inputs": list(self.inputs),
            **{
                name: np.round(getattr(self, name), 6).tolist()
                for name in ("mean", "spread", "hidden", "out")
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], expected: tuple[str, ...]) -> "SmallNetwork":
        """Build a network from plain data.

        Raises:
            ValueError: If inputs or shapes are others than expected.
        """
        if tuple(data["inputs"]) != expected:
            raise ValueError(f"inputs {data['inputs']}, expected {list(expected)}")
        arrays = {
            name: np.asarray(data[name], dtype=np.float64)
            for name in ("mean", "spread", "hidden", "out")
        }
        units = arrays["hidden"].shape[-1]
        shapes = {
            "mean": (len(expected),),
            "spread": (len(expected),),
            "hidden": (len(expected) + 1, units),
            "out": (units + 1,),
        }
        for name, shape in shapes.items():
            if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
                raise ValueError(f"{name} has shape {arrays[name].shape}, expected {shape}")
        return cls(expected, **arrays)


@dataclass(frozen=True, eq=False)
class StageModel:
    """The networks of one stage.

    Attributes:
        pair: Scores a pair.
        track: Scores a track that has no segment.
        segment: Scores a segment that has no track.
    """

    pair: SmallNetwork
    track: SmallNetwork
    segment: SmallNetwork

    def probabilities(self, table: LinkTable) -> _Values:
        """Return the probability that track and segment are one object, ``(tracks, segments)``.

        It is the geometric mean of two softmaxes: over the segments of the track, and over the
        tracks of the segment. Pairs that are not allowed have 0.
        """
        if not table.allowed.size:
            return np.zeros(table.allowed.shape)
        known = (*PAIR.measured, *_CONTRASTS)
        scores = np.where(
            table.allowed, self.pair(_columns(contrasted(table), known, self.pair)), -np.inf
        )
        gone = self.track(_columns(table.track, TRACK.measured, self.track))
        new = self.segment(_columns(table.segment, SEGMENT.measured, self.segment))
        rows = _softmax(np.concatenate((scores, gone[:, None]), axis=1))[:, :-1]
        columns = _softmax(np.concatenate((scores.T, new[:, None]), axis=1))[:, :-1].T
        return np.sqrt(rows * columns)


def _columns(values: _Values, known: Sequence[str], network: SmallNetwork) -> _Values:
    return values[..., [known.index(name) for name in network.inputs]]


def _softmax(scores: _Values) -> _Values:
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    share: _Values = shifted / shifted.sum(axis=1, keepdims=True)
    return share


@dataclass(frozen=True, eq=False)
class LinkModel:
    """A fitted linker.

    Attributes:
        cues: Cues that it uses.
        stages: Networks by stage.
    """

    cues: Cues
    stages: Mapping[Stage, StageModel]


def linker_file(weights: Path) -> Path:
    """Return where the linker of a weights file lies: beside it.

    Example:
        >>> linker_file(Path("runs/mine/weights.safetensors")).as_posix()
        'runs/mine/weights.linker.json'
    """
    return weights.with_suffix(".linker.json")


_PARTS = {"pair": PAIR, "track": TRACK, "segment": SEGMENT}


def write_linker(path: Path, models: Sequence[LinkModel], record: Mapping[str, Any]) -> None:
    """Write fitted linkers to a JSON file.

    Args:
        path: File.
        models: One for each set of cues.
        record: How they were fitted, ready for JSON.
    """
    linkers = {
        model.cues: {
            stage: {part: getattr(networks, part).to_dict() for part in _PARTS}
            for stage, networks in model.stages.items()
        }
        for model in models
    }
    data = {"schema": LINKER_SCHEMA, "record": dict(record), "linkers": linkers}
    write_text(path, json.dumps(data, allow_nan=False) + "\n")  # numbers on one line


def read_linker(path: Path, cues: Cues) -> LinkModel:
    """Read a fitted linker.

    Args:
        path: File that :func:`write_linker` wrote.
        cues: Which of its linkers is wanted.

    Raises:
        ConfigError: If it has no linker for these cues.
        DataError: If the file is missing or damaged, or has other inputs.
    """
    try:
        data = parse_json(read_text(path))
        if data["schema"] != LINKER_SCHEMA:
            remedy = "fit it again with tools/fit_linker.py"
            raise DataError(wrong_schema(data["schema"], LINKER_SCHEMA, remedy=remedy), where=path)
        linkers = data["linkers"]
        if cues in linkers:
            return LinkModel(cues, {stage: _stage(linkers[cues], stage, cues) for stage in STAGES})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise DataError(
            f"is no linker that this version can use ({problem}); fit it again with "
            "tools/fit_linker.py",
            where=path,
        ) from problem
    raise ConfigError(
        f"has no linker for the cues {cues!r}; it has {', '.join(linkers) or 'none'}; fit it again "
        "with tools/fit_linker.py",
        where=path,
    )


def _stage(linker: Mapping[str, Any], stage: Stage, cues: Cues) -> StageModel:
    return StageModel(
        **{
            part: SmallNetwork.from_dict(linker[stage][part], input_names(inputs, cues))
            for part, inputs in _PARTS.items()
        }
    )
