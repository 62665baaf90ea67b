"""What a tuning run works on: trackers with their search spaces, and the videos of a split."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mapt_bench.baselines.registry import AssociatorEntry
from mapt_bench.baselines.rows import Row, parse_row, tracker_entry
from mapt_bench.baselines.search_spaces import SearchSpace, check_space
from mapt_bench.baselines.thresholds import PUBLISHED
from mapt_bench.baselines.user_trackers import UserTracker
from mapt_bench.data.fingerprint import maps_fingerprint, videos_fingerprint
from mapt_bench.data.mapped import MappedVideo
from mapt_bench.data.videos import FolderVideo
from mapt_bench.errors import ConfigError, DataError, listed
from mapt_bench.experiments.planning import ExperimentInputs
from mapt_bench.experiments.plans.ablation_plan import ablation_plan
from mapt_bench.experiments.plans.data_source import DataSource, mapped_fingerprint
from mapt_bench.experiments.plans.network_weights import WeightsReader
from mapt_bench.experiments.plans.segment_sources import SegmentSource
from mapt_bench.experiments.plans.variant import Variant
from mapt_bench.experiments.plans.variants import added_variant
from mapt_bench.labels import Video
from mapt_bench.synthetic.suites import open_suite, suite_names
from mapt_bench.tuning.frontier_config import FrontierConfig
from mapt_bench.tuning.tuning_config import ALL_SEQUENCES, TuningConfig, allows_tuning

__all__ = ["of_split", "search_space", "tuned_rows"]


def search_space(tracker: str) -> SearchSpace:
    """Return what may be tuned of a tracker; empty where there is nothing.

    Args:
        tracker: Its name. Of a user's tracker the space is the attribute ``search_space`` of its
            class.

    Raises:
        ConfigError: If there is no such tracker, or its space has another form.

    Example:
        >>> search_space("sort")
        {'sort_iou_threshold': (0.05, 0.6)}
    """
    entry = tracker_entry(tracker)
    if isinstance(entry, AssociatorEntry):
        return entry.search
    declared = getattr(entry.factory, "search_space", {})
    return check_space(tracker, declared, entry.parameters)


def tuned_rows(
    config: TuningConfig | FrontierConfig, inputs: ExperimentInputs, reader: WeightsReader
) -> tuple[Variant, ...]:
    """Return one row with memory for each tracker that is tuned.

    Args:
        config: All options.
        inputs: Networks and segments that the options name.
        reader: Reads weights.

    Raises:
        ConfigError: If a tracker is unknown, has nothing to tune, or lacks weights.
        DataError: If weights cannot be used.
    """
    if config.trackers:
        return tuple(_named_row(name, config, inputs, reader) for name in config.trackers)
    plan = ablation_plan(
        memory=config.memory,
        mapt=inputs.mapt,
        flow_weights=inputs.flow_weights,
        thresholds=PUBLISHED,
    )
    rows = {row.associator: row for row in plan.variants if row.memory != 0}
    return tuple(row for row in rows.values() if search_space(row.associator))


def _named_row(
    name: str,
    config: TuningConfig | FrontierConfig,
    inputs: ExperimentInputs,
    reader: WeightsReader,
) -> Variant:
    if config.trackers.count(name) > 1:
        raise ConfigError(f"--tracker {name} is given twice; keep one")
    row = parse_row(name)
    if row != Row(name):
        raise ConfigError(
            f"--tracker {name}: expected the name of a tracker alone, as in {row.tracker}; memory "
            "and weights are the same for all, settings are what is tuned"
        )
    if not search_space(name):
        is_own = isinstance(tracker_entry(name), UserTracker)
        hint = "; give its class a search_space" if is_own else ""
        raise ConfigError(f"tracker {name!r} has nothing to tune{hint}")
    memory = config.memory if tracker_entry(name).supports_memory else 0
    return added_variant(
        replace(row, memory=memory),
        mapt=lambda: inputs.mapt,
        flow_weights=inputs.flow_weights,
        reader=reader,
    )


def of_split(source: DataSource, config: TuningConfig) -> DataSource:
    """Return the sequences of the stated split; a suite is one already.

    Raises:
        ConfigError: If the sequences are of a suite that is for reporting.
        DataError: If the split has no sequence.
    """
    if config.data is None:
        return source
    _refuse_reporting(source, config.data)
    if config.split is None or config.split == ALL_SEQUENCES:
        return source
    folders = [_folders(video, config.data) for video in source.videos]
    kept = [at for at, names in enumerate(folders) if config.split in names]
    if not kept:
        found = sorted({name for names in folders for name in names})
        raise DataError(
            f"has no sequence with ground truth in a folder {config.split!r}; found "
            f"{listed(found)}; --split {ALL_SEQUENCES} takes every sequence",
            where=config.data,
        )
    videos = tuple(source.videos[at] for at in kept)
    return replace(
        source,
        videos=videos,
        fingerprint=mapped_fingerprint(
            videos_fingerprint([_stored(video) for video in videos]), source.class_map
        ),
        segments=tuple(_segments_of(each, kept) for each in source.segments),
        without_truth=(),  # such sequences are of no split, because their maps would say which
    )


def _folders(video: Video, data: Path) -> tuple[str, ...]:
    """Return the names of the folders that hold the maps of a video, from the data downwards."""
    video = _stored(video)
    if not isinstance(video, FolderVideo) or video.maps is None:
        return ()
    path, root = video.maps.path(0).resolve(), data.resolve()
    return path.relative_to(root).parts[:-1] if path.is_relative_to(root) else path.parts[:-1]


def _stored(video: Video) -> Video:
    """Return a video without class map: the one that knows its files."""
    return video.video if isinstance(video, MappedVideo) else video


def _segments_of(segments: SegmentSource, kept: Sequence[int]) -> SegmentSource:
    if segments.saved is None:
        return segments
    saved = tuple(segments.saved[at] for at in kept)
    return replace(segments, saved=saved, fingerprint=maps_fingerprint(saved))


def _refuse_reporting(source: DataSource, data: Path) -> None:
    names = {video.info.name for video in source.videos}
    for suite in suite_names():
        shared = names & {video.name for video in open_suite(suite).videos}
        if shared and not allows_tuning(suite):
            raise ConfigError(
                f"holds {listed(sorted(shared))} of the suite {suite}, which is for reporting; "
                "tune on other videos",
                where=data,
            )
