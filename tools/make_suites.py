"""Freeze the suites of the synthetic world, and compare them with real video.

python tools/make_suites.py [--real DIR] [--freeze] [--freeze-only]

Writes docs/world_statistics.md. DIR holds KITTI MOTS maps, for a column of real video in windows as
long as the sequences of suites. --freeze adds new versions of suites to
mapt_bench/synthetic/suites.json; a frozen version is never changed. --freeze-only writes nothing
else.
"""

import argparse
import json
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np

from mapt_bench.baselines import build_associator
from mapt_bench.baselines.segmenters import GroundTruthSegments
from mapt_bench.data import open_maps
from mapt_bench.labels import ID_BITS, MapSequence, PanopticMap, label_space
from mapt_bench.metrics import LinkEvents, LinkOutcome, LinkRecorder, Sightings, count_overlap
from mapt_bench.statistics import (
    DataStatistics,
    Distribution,
    TrackStatistics,
    measure_statistics,
)
from mapt_bench.synthetic import fingerprints
from mapt_bench.synthetic.fingerprints import check_suite, suite_fingerprint
from mapt_bench.synthetic.suites import (
    KINDS,
    Suite,
    SuiteEntry,
    calibration_entries,
    open_suite,
    suite_names,
    train_sequence,
)
from mapt_bench.synthetic.video import WorldMaps
from mapt_bench.synthetic.world_settings import FACTORS, Family
from mapt_bench.tracking import SegmentTracker

_DOCS = Path(__file__).resolve().parents[1] / "docs"
_TEXT = _DOCS / "world_statistics.head.md"
_PAGE = _DOCS / "world_statistics.md"
_WIDTH = 100  # columns of a line of the page
_FROZEN = Path(fingerprints.__file__).with_name("suites.json")
_MEMORY = {"sort": 1, "bytetrack": 30, "appearance": 10, "motion": 10, "both": 10}
"""Track memory in frames of each cue in the table of links; the other cues have none."""

_LABELS = label_space("kitti-step")
_WINDOW = 24  # frames: the middle of the sequences
_CALIBRATED = 240  # videos of each family, outside all suites
_FAMILIES: tuple[Family, ...] = get_args(Family)
_STREAM = range(64, 264)  # of the training stream, outside the suite train
_EVERY = 3  # frames: neighbours differ little
_SMALL = 50 / (128 * 416)  # share of the frame: 112 px of a suite
_SHOWN = 20 / (128 * 416)  # share of the frame from which a class counts as visible: 45 px
_RARE = ("pole", "traffic sign", "traffic light", "rider", "bicycle", "truck", "person", "car")
_SAMPLED = 60  # videos at most per split and kind: the training suite is long
_CUES = ("copy", "iou", "sort", "bytetrack", "motion", "appearance", "both")
_REAL = "KITTI, whole"
_AREA = "mask area, pixels at 416x128"

# 530 tracks in the twelve training sequences of KITTI-STEP by their KITTI MOTS masks, areas scaled
# to 416x128 pixels: facts about that data, measured once with `mapt-bench check --statistics`.
_KITTI = {
    "objects per frame": "- / 5 / 11",
    _AREA: "41 / 184 / 1480",
    "gap, frames": "- / 2 / 8",
    "copying right / wrong, tau 1": "87.9 / 0.4 %",
    "copying right / wrong, tau 2": "68.3 / 2.9 %",
    "copying right / wrong, tau 3": "53.5 / 6.5 %",
    "copying right / wrong, tau 5": "37.0 / 14.0 %",
    "car: displacement / size, tau 1": "- / 0.11 / 0.34",
    "car: displacement / size, tau 2": "- / 0.21 / 0.64",
    "car: displacement / size, tau 3": "- / 0.30 / 0.91",
    "car: displacement / size, tau 5": "- / 0.46 / 1.40",
    "car: displacement / neighbour, tau 1": "- / 0.09 / 0.35",
    "car: displacement / neighbour, tau 2": "- / 0.18 / 0.66",
    "car: displacement / neighbour, tau 3": "- / 0.25 / 0.94",
    "car: displacement / neighbour, tau 5": "- / 0.39 / 1.44",
    "car: overlap, tau 1": "0.38 / 0.72 / -",
    "car: overlap, tau 2": "0.15 / 0.55 / -",
    "car: overlap, tau 3": "0.04 / 0.43 / -",
    "car: overlap, tau 5": "0.00 / 0.25 / -",
    "person: displacement / size, tau 1": "- / 0.10 / 0.30",
    "person: displacement / size, tau 2": "- / 0.20 / 0.54",
    "person: displacement / size, tau 3": "- / 0.30 / 0.75",
    "person: displacement / size, tau 5": "- / 0.49 / 1.11",
    "person: displacement / neighbour, tau 1": "- / 0.10 / 0.45",
    "person: displacement / neighbour, tau 2": "- / 0.20 / 0.81",
    "person: displacement / neighbour, tau 3": "- / 0.29 / 1.14",
    "person: displacement / neighbour, tau 5": "- / 0.47 / 1.80",
    "person: overlap, tau 1": "0.13 / 0.46 / -",
    "person: overlap, tau 2": "0.01 / 0.24 / -",
    "person: overlap, tau 3": "0.00 / 0.12 / -",
    "person: overlap, tau 5": "0.00 / 0.02 / -",
}


_HISTORY = (
    "In the training videos of version 1, 21.6% of all things were small, 23.4% hardly visible "
    "and 21.3% hidden. These are pooled over splits and kinds. The pooled share of small things "
    "rose to 28.9%, but on realistic streets alone it is 19.5%. The shares of version 1 by kind, "
    "and those of other suites, were not measured."
)
"""What version 1 of the suites had, measured the same way; release 0.2.0 generates it."""

_READING = """\
## Reading these tables

Single suites are small and vary around the calibration above. KITTI's column has complete
sequences, not windows, so its gaps can be longer. The gap setting is a target: every crowd video
has a gap near it, but only about half of the street videos, where a truck can hide a person in
time. So the factor *gap length* is partly nominal. Rely on association accuracy over *measured*
gaps, which every experiment reports.
"""


def main() -> None:
    """Write the page, and freeze suites if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, help="folder of KITTI MOTS maps")
    parser.add_argument("--freeze", action="store_true", help="freeze new versions of suites")
    parser.add_argument(
        "--freeze-only", action="store_true", help="freeze new versions and write nothing else"
    )
    arguments = parser.parse_args()
    real = arguments.real
    cv2.setNumThreads(1)
    if arguments.freeze or arguments.freeze_only:
        _freeze([open_suite(name) for name in suite_names()])
    if arguments.freeze_only:
        return
    suites = [check_suite(name) for name in suite_names()]
    parts = [
        _TEXT.read_text(encoding="utf-8").rstrip(),
        _suite_table(suites),
        _calibration_part(),
        _training_part(),
        _statistics_part("Realistic street", suites, "street", "real-like", real),
        _statistics_part("Realistic crowd", suites, "crowd", "real-like"),
        _statistics_part("Hard street", suites, "street", "hard"),
        _statistics_part("Hard crowd", suites, "crowd", "hard"),
        _cue_part(open_suite("val")),
        _READING.rstrip(),
    ]
    lines = "\n\n".join(parts).splitlines()
    _PAGE.write_text("\n".join(map(_filled, lines)) + "\n", encoding="utf-8")


def _filled(line: str) -> str:
    """Return a line of prose at the width of the page; tables stay as they are."""
    if line.startswith("|"):
        return line
    return textwrap.fill(line, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _freeze(suites: Sequence[Suite]) -> None:
    """Freeze versions that are not frozen yet."""
    known: dict[str, Any] = {}
    if _FROZEN.exists():
        known = json.loads(_FROZEN.read_text(encoding="utf-8"))
    for suite in suites:
        name = f"{suite.name}-{suite.version}"
        if name not in known:
            known[name] = asdict(suite_fingerprint(suite))
    _FROZEN.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


def _suite_table(suites: Sequence[Suite]) -> str:
    rows = [
        (
            f"`{suite.name}`",
            str(len(suite.entries)),
            str(suite.frame_count),
            ", ".join(sorted({entry.video.settings.family for entry in suite.entries})),
            f"`{fingerprints.frozen_fingerprint(suite)}`",
        )
        for suite in suites
    ]
    heads = ("suite", "sequences", "frames", "family", "fingerprint (recipe-drawing)")
    return f"## Suites\n\n{_table(heads, rows)}"


def _calibration_part() -> str:
    """Return medians of many realistic streets of every family, relative to those of KITTI."""
    columns = {}
    for family in _FAMILIES:
        maps = [WorldMaps(entry.video) for entry in calibration_entries(family, _CALIBRATED)]
        columns[family] = _medians(measure_statistics(maps, _LABELS))
    kitti = {name: float(text.split(" / ")[1]) for name, text in _KITTI.items() if "%" not in text}
    rows, outside = [], []
    for name, real in kitti.items():
        cells = [f"{found[name]:.3g} ({found[name] / real:.2f})" for found in columns.values()]
        outside += [
            f"{name} of *{family}*"
            for family, found in columns.items()
            if not 2 / 3 <= found[name] / real <= 1.5
        ]
        rows.append((name, f"{real:g}", *cells))
    heads = ("median of", "KITTI", *(f"{family} (ratio)" for family in columns))
    return (
        f"## Calibration of realistic streets\n\nMedians of {_CALIBRATED} videos of each family "
        "from seeds of no suite. Single suites are small and vary around these. Areas are scaled "
        "to 416x128 pixels, like those of KITTI.\n\n"
        f"{_table(heads, rows)}\n\nMedians outside a factor of 1.5: {', '.join(outside) or 'none'}."
    )


def _medians(found: DataStatistics) -> dict[str, float]:
    """Return the medians of the quantities of :data:`_KITTI`."""
    spreads = {
        "objects per frame": found.overall.objects,
        _AREA: _scaled(found.overall.area_share),
        "gap, frames": found.overall.gap,
    }
    for group in found.classes:
        for entry in group.intervals:
            spreads[f"{group.name}: displacement / size, tau {entry.tau}"] = entry.over_size
            neighbour = f"{group.name}: displacement / neighbour, tau {entry.tau}"
            spreads[neighbour] = entry.over_neighbour
            spreads[f"{group.name}: overlap, tau {entry.tau}"] = entry.overlap
    return {name: values.quantile("median") or 0.0 for name, values in spreads.items()}


def _scaled(shares: Distribution) -> Distribution:
    """Return areas in pixels at 416x128, from shares of the frame."""
    return Distribution(shares.count, tuple(share * 128 * 416 for share in shares.quantiles))


@dataclass
class _Seen:
    """Counts over videos of one split and kind."""

    frames: int = 0
    objects: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)


def _training_part() -> str:
    """Return tables of small and hidden things and rare classes in the training videos."""
    found = _count([train_sequence(index) for index in _STREAM])
    groups = [(half, kind) for half in ("real-like", "hard") for kind in KINDS]
    titles = [f"{half} {kind}".replace("real-like", "realistic") for half, kind in groups]
    rows = []
    for what in ("small", "hardly visible", "hidden"):
        parts = [found[group] for group in groups]
        cells = [_part_of(part.objects, what) for part in parts]
        rows.append(
            (what, *cells, _part_of(sum((part.objects for part in parts), Counter()), what))
        )
    heads = ("things", *titles, "all")
    seen = []
    for name in _RARE:
        cells = [f"{found[group].classes[name] / found[group].frames:.0%}" for group in groups]
        seen.append((name, *cells))
    return (
        "## Training videos\n\nEvery third frame of 200 videos of the stream. *Small*: fewer than "
        "112 pixels are visible. *Hardly visible*: less than half of the silhouette inside the "
        "frame. *Hidden*: none of it. *Hidden* is a share of all things in the frame, the others "
        f"are shares of the visible ones.\n\n{_table(heads, rows)}\n\n{_HISTORY}\n\nShare of "
        f"frames in which a class covers at least 45 pixels:\n\n{_table(('class', *titles), seen)}"
    )


def _count(entries: Sequence[SuiteEntry]) -> dict[tuple[str, str], _Seen]:
    found: dict[tuple[str, str], _Seen] = {}
    for entry in entries:
        seen = found.setdefault((entry.half, entry.kind), _Seen())
        video = entry.video
        for index in range(0, video.settings.frames, _EVERY):
            seen.frames += 1
            codes = video.truth(index).codes
            ids, counts = np.unique(codes >> ID_BITS, return_counts=True)
            for class_id in ids[counts >= _SHOWN * codes.size].tolist():
                if class_id != _LABELS.ignore_label:
                    seen.classes[_LABELS.by_id(class_id).name] += 1
            for known in video.objects(index):
                seen.objects["all"] += 1
                seen.objects["hidden"] += known.visible_px == 0
                if known.visible_px:
                    seen.objects["small"] += known.visible_px < _SMALL * codes.size
                    seen.objects["hardly visible"] += known.visible_px < known.amodal.sum() / 2
    return found


def _part_of(objects: Counter[str], what: str) -> str:
    whole = objects["all"] - (0 if what == "hidden" else objects["hidden"])
    return f"{objects[what] / whole:.1%}"


def _statistics_part(
    title: str, suites: Sequence[Suite], kind: str, half: str, real: Path | None = None
) -> str:
    columns: dict[str, dict[str, str]] = {}
    if title == "Realistic street":
        columns[_REAL] = _KITTI
        if real is not None:
            found = measure_statistics(_windows(real), _LABELS)
            columns[f"KITTI, 3 sequences in windows of {_WINDOW}"] = _rows(found)
    for suite in suites:
        entries = [each for each in suite.entries if (each.kind, each.half) == (kind, half)]
        if entries:
            step = -(-len(entries) // _SAMPLED)
            maps = [WorldMaps(entry.video) for entry in entries[::step]]
            columns[f"`{suite.name}`"] = _rows(measure_statistics(maps, _LABELS))
    names = dict.fromkeys(name for column in columns.values() for name in column)
    rows = [(name, *(column.get(name, "-") for column in columns.values())) for name in names]
    return f"## {title}\n\n{_table(('', *columns), rows)}"


def _rows(found: DataStatistics) -> dict[str, str]:
    """Return the quantities of one column, by name: 10 % / median / 90 %."""
    rows = {
        "objects per frame": _spread(found.overall.objects),
        _AREA: _spread(_scaled(found.overall.area_share)),
        "gap, frames": _spread(found.overall.gap),
    }
    for entry in found.overall.intervals:
        right, wrong = entry.right_share or 0.0, entry.wrong_share or 0.0
        rows[f"copying right / wrong, tau {entry.tau}"] = f"{right:.1%} / {wrong:.1%}"
    for group in sorted(found.classes, key=lambda group: group.name):
        rows |= _motion_rows(group)
    return rows


def _motion_rows(group: TrackStatistics) -> dict[str, str]:
    quantities = {
        "displacement / size": "over_size",
        "displacement / neighbour": "over_neighbour",
        "overlap": "overlap",
    }
    return {
        f"{group.name}: {title}, tau {entry.tau}": _spread(getattr(entry, name))
        for title, name in quantities.items()
        for entry in group.intervals
    }


def _spread(values: Distribution) -> str:
    if not values.count:
        return "-"
    shown = (values.quantile(name) or 0.0 for name in ("p10", "median", "p90"))
    return " / ".join(f"{value:.0f}" if value >= 10 else f"{value:.2g}" for value in shown)


@dataclass(frozen=True)
class _Window:
    """A window of a longer sequence."""

    whole: MapSequence
    start: int

    @property
    def parts(self) -> tuple[str, ...]:
        return (*self.whole.parts, str(self.start))

    @property
    def frame_names(self) -> tuple[str, ...]:
        return self.whole.frame_names[self.start : self.start + _WINDOW]

    @property
    def size(self) -> tuple[int, int]:
        return self.whole.size

    def read(self, index: int) -> PanopticMap:
        return self.whole.read(self.start + index)


def _windows(folder: Path) -> Iterator[MapSequence]:
    for sequence in open_maps(folder, _LABELS).sequences:
        for start in range(0, len(sequence.frame_names) - _WINDOW + 1, _WINDOW):
            yield _Window(sequence, start)


def _cue_part(suite: Suite) -> str:
    hard = [entry for entry in suite.entries if entry.half == "hard"]
    rows = []
    for name in _CUES:
        kept = {entry.video.name: _kept(entry, name) for entry in hard}
        cells = [_share(kept, hard)]
        cells += [_share(kept, [each for each in hard if each.kind == kind]) for kind in KINDS]
        for factor in FACTORS:
            for level in ("low", "high"):
                cells.append(_share(kept, [each for each in hard if each.cell[factor] == level]))
        rows.append((f"`{name}`", *cells))
    heads = ["tracker", "all", *KINDS]
    heads += [
        f"{factor.replace('_', ' ')} {level}" for factor in FACTORS for level in ("low", "high")
    ]
    return (
        "## Association accuracy of training-free cues on the hard split of `val`\n\n"
        "Share of correct links of ground-truth segments, from each sighting of a track to its "
        "next, gaps included. Each level of a factor has 8 videos, so levels differ by chance "
        f"too.\n\n{_table(tuple(heads), rows)}"
    )


def _kept(entry: SuiteEntry, associator: str) -> tuple[int, int]:
    """Return the number of correct links of a video, and the number of links."""
    video = entry.video
    memory = _MEMORY.get(associator, 0)
    tracker = SegmentTracker(
        GroundTruthSegments(video), build_associator(associator, memory=memory)
    )
    tracker.start(video.info)
    recorder = LinkRecorder(_LABELS)
    for index in range(video.info.frame_count):
        truth, found = video.truth(index), tracker.step(video.frame(index))
        recorder.update(Sightings.of(truth, _LABELS), count_overlap(truth, found, _LABELS))
    outcomes = LinkEvents.joined([recorder.result()]).links["outcome"]
    return int((outcomes == LinkOutcome.KEPT).sum()), len(outcomes)


def _share(kept: dict[str, tuple[int, int]], entries: Sequence[SuiteEntry]) -> str:
    pairs = [kept[entry.video.name] for entry in entries]
    return f"{sum(right for right, _ in pairs) / sum(links for _, links in pairs):.1%}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table, split by columns into several where it is too wide for the page."""
    lines = [heads, ["---"] * len(heads), *rows]
    widths = [max(map(len, column)) + 3 for column in zip(*lines, strict=True)]
    parts: list[list[int]] = [[0]]
    for at, width in enumerate(widths[1:], 1):
        if 1 + width + sum(widths[column] for column in parts[-1]) > _WIDTH:
            parts.append([0])
        parts[-1].append(at)
    return "\n\n".join(
        "\n".join(f"| {' | '.join(line[at] for at in part)} |" for line in lines) for part in parts
    )


if __name__ == "__main__":
    main()
