"""Freeze the suites of the drawn world, and write what they are like beside real video.

python tools/make_suites.py [--real DIR] [--freeze]

Writes docs/world_statistics.md. DIR holds KITTI MOTS maps, for a column of real video that is cut
to windows as long as the suites' sequences. With --freeze, suites of a version that was never
frozen are written to mapt_bench/synthetic/suites.json; a frozen version is never written again.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2

from mapt_bench.baselines import build_associator
from mapt_bench.baselines.segmenters import GroundTruthSegments
from mapt_bench.data import open_maps
from mapt_bench.labels import MapSequence, PanopticMap, label_space
from mapt_bench.metrics import LinkEvents, LinkOutcome, LinkRecorder, Sightings, count_overlap
from mapt_bench.statistics import (
    DataStatistics,
    Distribution,
    TrackStatistics,
    measure_statistics,
)
from mapt_bench.synthetic import fingerprints
from mapt_bench.synthetic.fingerprints import check_suite, suite_fingerprint
from mapt_bench.synthetic.hardness import FACTORS
from mapt_bench.synthetic.maps import WorldMaps
from mapt_bench.synthetic.suites import (
    KINDS,
    Suite,
    SuiteEntry,
    calibration_entries,
    open_suite,
    suite_names,
)
from mapt_bench.tracking import SegmentTracker

_TEXT = Path(__file__).with_name("world_statistics.head.md")
_PAGE = Path(__file__).with_name("world_statistics.md")
_FROZEN = Path(fingerprints.__file__).with_name("suites.json")
_MEMORY = {"sort": 1, "bytetrack": 30, "appearance": 10, "motion": 10, "both": 10}
"""Frames that each cue keeps lost tracks for in the table of links; the others have no memory."""

_LABELS = label_space("kitti-step")
_WINDOW = 24  # frames: the middle of the suites' sequences
_CALIBRATED = 96  # videos of each family, of no suite
_SAMPLED = 60  # videos at most of a suite's half and kind: the training suite is long
_CUES = ("copy", "iou", "sort", "bytetrack", "motion", "appearance", "both")
_REAL = "KITTI, whole"

# 530 tracks in the twelve training sequences of KITTI-STEP by their KITTI MOTS masks, areas scaled
# to 416x128 pixels: facts about that data, measured once with `mapt-bench check --statistics`.
_KITTI = {
    "objects a frame": "- / 5 / 11",
    "mask area, pixels at 416x128": "41 / 184 / 1480",
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


_READING = """\
## Reading these tables

Single suites are small and scatter around the calibration above: `val` has 16 real-like streets,
and its cars are slower than KITTI's (0.07 of their size against 0.11), its people on foot few. Of
the calibration's own medians one lies outside a factor of 1.5: the overlap of cars five frames
apart (0.39 to 0.40 against 0.25). KITTI's column holds whole sequences, not windows: its gaps can
be longer. The gap setting is a wish: crowds have a gap near it in every video, streets in about
half of them, where a truck can hide somebody in time. So the factor *gap length* is partly nominal,
and link accuracy over *measured* gaps (in every experiment's links) is the number to trust.
"""


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, help="folder of KITTI MOTS maps")
    parser.add_argument("--freeze", action="store_true", help="freeze versions that are not")
    arguments = parser.parse_args()
    real = arguments.real
    cv2.setNumThreads(1)
    if arguments.freeze:
        _freeze([open_suite(name) for name in suite_names()])
    suites = [check_suite(name) for name in suite_names()]
    parts = [
        _TEXT.read_text(encoding="utf-8").rstrip(),
        _suite_table(suites),
        _calibration_part(),
        _statistics_part("Real-like street", suites, "street", "real-like", real),
        _statistics_part("Real-like crowd", suites, "crowd", "real-like"),
        _statistics_part("Hard street", suites, "street", "hard"),
        _statistics_part("Hard crowd", suites, "crowd", "hard"),
        _cue_part(open_suite("val")),
        _READING.rstrip(),
    ]
    _PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _freeze(suites: Sequence[Suite]) -> None:
    """Write down versions that were never frozen."""
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
            str(suite.version),
            str(len(suite.entries)),
            str(suite.frame_count),
            ", ".join(sorted({entry.video.settings.family for entry in suite.entries})),
            f"`{fingerprints.frozen_fingerprint(suite)}`",
        )
        for suite in suites
    ]
    heads = ("suite", "version", "sequences", "frames", "family", "fingerprint (recipe-drawing)")
    return f"## Suites\n\n{_table(heads, rows)}"


# -- calibration --------------------------------------------------------------------------------


def _calibration_part() -> str:
    """Medians of many real-like streets of no suite, of both families, over those of KITTI."""
    columns = {}
    for family in ("seen", "held-out"):
        maps = [WorldMaps(entry.video) for entry in calibration_entries(family, _CALIBRATED)]
        columns[family] = _medians(measure_statistics(maps, _LABELS))
    kitti = {name: float(text.split(" / ")[1]) for name, text in _KITTI.items() if "%" not in text}
    rows = []
    for name, real in kitti.items():
        cells = [f"{found[name]:.3g} ({found[name] / real:.2f})" for found in columns.values()]
        outside = any(not 2 / 3 <= found[name] / real <= 1.5 for found in columns.values())
        rows.append((name, f"{real:g}", *cells, "outside" if outside else ""))
    heads = ("median of", "KITTI", *(f"{family} (ratio)" for family in columns), "factor of 1.5")
    return (
        f"## Calibration of real-like streets\n\nMedians of {_CALIBRATED} videos of each family "
        "from seeds of no suite: single suites are small, and scatter around these.\n\n"
        f"{_table(heads, rows)}"
    )


def _medians(found: DataStatistics) -> dict[str, float]:
    """The medians of the quantities of :data:`_KITTI`."""
    spreads = {
        "objects a frame": found.overall.objects,
        "mask area, pixels at 416x128": found.overall.area,
        "gap, frames": found.overall.gap,
    }
    for group in found.classes:
        for entry in group.intervals:
            spreads[f"{group.name}: displacement / size, tau {entry.tau}"] = entry.over_size
            neighbour = f"{group.name}: displacement / neighbour, tau {entry.tau}"
            spreads[neighbour] = entry.over_neighbour
            spreads[f"{group.name}: overlap, tau {entry.tau}"] = entry.overlap
    return {name: values.quantile("median") or 0.0 for name, values in spreads.items()}


# -- statistics ---------------------------------------------------------------------------------


def _statistics_part(
    title: str, suites: Sequence[Suite], kind: str, half: str, real: Path | None = None
) -> str:
    columns: dict[str, dict[str, str]] = {}
    if title == "Real-like street":
        columns[_REAL] = _KITTI
        if real is not None:
            found = measure_statistics(_windows(real), _LABELS)
            columns[f"KITTI, 3 sequences in windows of {_WINDOW}"] = _rows(found, 128 * 416)
    for suite in suites:
        entries = [each for each in suite.entries if (each.kind, each.half) == (kind, half)]
        if entries:
            step = -(-len(entries) // _SAMPLED)
            maps = [WorldMaps(entry.video) for entry in entries[::step]]
            columns[f"`{suite.name}`"] = _rows(measure_statistics(maps, _LABELS))
    names = dict.fromkeys(name for column in columns.values() for name in column)
    rows = [(name, *(column.get(name, "-") for column in columns.values())) for name in names]
    return f"## {title}\n\n{_table(('', *columns), rows)}"


def _rows(found: DataStatistics, scaled_to: int | None = None) -> dict[str, str]:
    """The quantities of one column, by name: 10 % / median / 90 %."""
    areas = found.overall.area
    if scaled_to is not None:
        shares = found.overall.area_share
        areas = Distribution(areas.count, tuple(each * scaled_to for each in shares.quantiles))
    rows = {
        "objects a frame": _spread(found.overall.objects),
        "mask area, pixels at 416x128": _spread(areas),
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
    """Some frames of a longer sequence."""

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


# -- what cues get right ------------------------------------------------------------------------


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
        "## What training-free cues get right on the hard half of `val`\n\n"
        "Links of true segments, from each sighting of a track to its next, gaps included, whose "
        "identity is kept. A level holds 8 videos that the other level has not, so levels differ "
        "by chance too: that a high similarity or a long gap looks easier here is such a "
        f"difference.\n\n{_table(tuple(heads), rows)}"
    )


def _kept(entry: SuiteEntry, associator: str) -> tuple[int, int]:
    """How many links of a video keep their identity, and how many there are."""
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
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
