"""Parts of the public interface that join several packages: build a tracker, load MAPT."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mapt_bench.baselines.choice import TrackerChoice
from mapt_bench.baselines.mapt_trackers import mapt_weights
from mapt_bench.baselines.registry import AssociatorEntry
from mapt_bench.baselines.rows import Row, parse_row, tracker_entry
from mapt_bench.baselines.segmenters import GROUND_TRUTH
from mapt_bench.baselines.thresholds import DEFAULT_THRESHOLDS, ThresholdsName, settings_of
from mapt_bench.baselines.tracker_options import FlowOptions, MaptOptions
from mapt_bench.baselines.user_trackers import wrapped_tracker
from mapt_bench.devices import DeviceSettings
from mapt_bench.errors import ConfigError, missing_extra
from mapt_bench.experiments.experiment_config import FOUND_BY_MAPT
from mapt_bench.experiments.plans.network_weights import MaptWeights, read_mapt_weights
from mapt_bench.experiments.plans.segment_sources import (
    SegmentSource,
    parse_segments,
    saved_segments,
)
from mapt_bench.labels import Video
from mapt_bench.tracking import Associator, Segmenter, SegmentTracker, Tracker

if TYPE_CHECKING:
    from mapt_bench.model import MAPT

__all__ = [
    "build_tracker",
    "default_segments",
    "load_mapt",
    "segments_to_link",
    "tracker_choice",
]


def build_tracker(
    row: str | Associator | Tracker,
    video: Video,
    *,
    segments: str | Path | None = None,
    thresholds: ThresholdsName = DEFAULT_THRESHOLDS,
    pair: int = 1,
    weights: str | Path | None = None,
    device: str = "cpu",
    seed: int = 0,
) -> Tracker:
    """Build a tracker for one video. Run it with :func:`mapt_bench.run_tracker`.

    Args:
        row: Row as in tables and in ``--tracker``: ``NAME[+memory[=N]][,SETTING=VALUE...]``. NAME
            is a tracker of this package, for example ``"sort"``, ``"both"`` or ``"mapt"``, an
            installed one, or ``"package.module:Class"``. Or an object of yours with
            ``start(info)`` and ``associate(frame, segments)`` or ``step(frame)``.
        video: Video that the tracker will run on.
        segments: Segments to link: ``"groundtruth"`` (ground-truth segments without identities),
            ``"noisy"`` (the same with mild faults), ``"mapt"``, shipped weights or a weights file
            (what this MAPT finds), or a folder of predictions. ``None`` is ``"mapt"`` for MAPT's
            trackers and ``"groundtruth"`` for the others. Trackers with ``step`` find their own.
        thresholds: ``"tuned"`` on the synthetic suite val, or ``"published"``.
        pair: Pairing interval in frames, 1 or more.
        weights: Weights of MAPT or of a flow network: a file, or the name of shipped weights.
        device: Device of networks, for example ``"cuda"``.
        seed: Seed of the order and the faults of segments, 0 or more.

    Raises:
        ConfigError: If the row, the segments or the weights are unknown or do not go together, or
            a package is not installed.
        DataError: If the video or a file lacks what the tracker needs.
        TrackerError: If your tracker fails while it is built.

    Example:
        >>> from mapt_bench.synthetic.suites import open_suite
        >>> from mapt_bench.tracking import run_tracker
        >>> video = open_suite("tiny").videos[0]
        >>> maps = run_tracker(build_tracker("sort+memory", video), video)
        >>> next(maps).shape == (video.info.height, video.info.width)
        True
    """
    text = None if segments is None else str(segments)
    with _extras_named():
        if not isinstance(row, str):
            return _of_object(row, video, text, device, seed)
        choice = tracker_choice(
            parse_row(row),
            thresholds=thresholds,
            pair=pair,
            weights=None if weights is None else Path(weights),
            device=device,
        )
        choice.check()
        kind = segments_to_link(choice, text)
        segmenter = None if kind is None else _segmenter(kind, video, device, seed)
        return choice.build(video, segmenter)


def load_mapt(weights: str | Path = "mapt-compact", *, device: str = "cpu") -> "MAPT":
    """Load a trained MAPT, in evaluation mode. Needs the extra ``[model]``.

    Call ``model.step(image, state)`` for each frame: it returns the segments of the frame with
    their embeddings, the previous frame's segments propagated to this frame, and the next state.

    Args:
        weights: Name of shipped weights, or a file that ``mapt-bench train`` wrote.
        device: Device of the model, for example ``"cuda"``.

    Raises:
        ConfigError: If no weights have the name, or torch is not installed.
        DataError: If the file is missing or damaged.
    """
    with _extras_named():
        from mapt_bench.model import load_mapt as load

        return load(weights, device=device)


def tracker_choice(
    row: Row,
    *,
    thresholds: ThresholdsName = DEFAULT_THRESHOLDS,
    pair: int = 1,
    weights: Path | None = None,
    random_weights: bool = False,
    device: str = "cpu",
) -> TrackerChoice:
    """Return a row with its thresholds, weights and device. Nothing is checked or built.

    Args:
        row: The tracker, its memory and what it changes.
        thresholds: Which thresholds apply where the row names none.
        pair: Pairing interval in frames.
        weights: Weights of the tracker's network.
        random_weights: Whether a flow network may run untrained.
        device: Device of networks.

    Raises:
        ConfigError: If the row names weights too.
    """
    if row.weights is not None and weights is not None:
        raise ConfigError(
            f"--weights {weights} and the row {str(row)!r} both give weights; keep one of them"
        )
    given = weights if row.weights is None else Path(row.weights)
    by_mapt = _links_by_mapt(row)
    flow = FlowOptions(
        weights=None if by_mapt else given, random_weights=random_weights, device=device
    )
    mapt = MaptOptions(weights=given if by_mapt else None, device=device, switches=row.switches)
    return TrackerChoice(row, pair, flow, mapt, settings_of(row.tracker, row.settings, thresholds))


def _links_by_mapt(row: Row) -> bool:
    """Return whether MAPT's heads alone link the segments."""
    entry = tracker_entry(row.tracker)
    return isinstance(entry, AssociatorEntry) and entry.uses_mapt and entry.flow is None


def default_segments(row: Row) -> str:
    """Return the segments that a row links where nothing is said."""
    return FOUND_BY_MAPT if _links_by_mapt(row) else GROUND_TRUTH


def segments_to_link(choice: TrackerChoice, segments: str | None) -> SegmentSource | Path | None:
    """Return the segments that a tracker links.

    Args:
        choice: The tracker.
        segments: Value of ``--segments``. ``None`` for the default of the row.

    Returns:
        A path is a folder of predictions; ``None`` is a whole tracker, which finds its own.

    Raises:
        ConfigError: If there are no such segments, or the tracker finds its own.
        DataError: If a file or folder is not there, or weights cannot be used.
    """
    row = choice.row
    if choice.is_whole:
        if segments is not None:
            raise ConfigError(
                f"--segments {segments}: tracker {row.tracker!r} has step(frame) and finds its own "
                "segments; omit --segments, or give a tracker with associate(frame, segments)"
            )
        return None

    def mapt() -> MaptWeights:
        return read_mapt_weights(str(mapt_weights(choice.mapt)))

    (kind,) = parse_segments(segments or default_segments(row), mapt=mapt)
    return kind


def _of_object(
    tracker: object, video: Video, segments: str | None, device: str, seed: int
) -> Tracker:
    """Return a tracker object of the user, checked while it runs."""
    wrapped = wrapped_tracker(tracker)
    if isinstance(wrapped, Tracker):
        if segments is not None:
            raise ConfigError(
                f"segments={segments!r}: {type(tracker).__name__} has step(frame) and finds its "
                "own segments; omit segments, or give an object with associate(frame, segments)"
            )
        return wrapped

    def mapt() -> MaptWeights:
        return read_mapt_weights(str(mapt_weights(MaptOptions())))

    (kind,) = parse_segments(segments or GROUND_TRUTH, mapt=mapt)
    return SegmentTracker(_segmenter(kind, video, device, seed), wrapped)


def _segmenter(kind: SegmentSource | Path, video: Video, device: str, seed: int) -> Segmenter:
    source = saved_segments(kind, [video], video.info.labels) if isinstance(kind, Path) else kind
    return replace(source, on=DeviceSettings(device=device)).segmenter(video, 0, seed)


@contextmanager
def _extras_named() -> Iterator[None]:
    """Say which extra to install where an optional package is missing."""
    try:
        yield
    except ModuleNotFoundError as problem:
        missing = missing_extra(problem)
        if missing is None:
            raise
        raise missing from problem
