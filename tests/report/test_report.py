"""The report: sections of runs and evaluations, hostile names, incomplete runs, large results."""

import base64
import io
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.costs import cost, cost_row
from helpers.folders import write_films
from helpers.results import evaluation, evaluations, interval, run, summary_row, sweep
from helpers.small_runs import COPY, plan, source, walk, write_videos
from markupsafe import escape
from PIL import Image
from rich.console import Console

from mapt_bench.cli.main import main
from mapt_bench.errors import DataError
from mapt_bench.experiments import AblationConfig, StressConfig, Variant, run_experiment
from mapt_bench.experiments.engine.schedule import schedule_plan
from mapt_bench.experiments.engine.unit_workers import Work, Worker
from mapt_bench.metrics.link_events import SIGHTED, unpack_rows
from mapt_bench.report import gallery, read_parts, render_report, write_report
from mapt_bench.report.charts import (
    Curve,
    Point,
    Span,
    curves,
    scatter,
    spans,
    stacked_bars,
)
from mapt_bench.reports.headline import run_headline
from mapt_bench.reports.terminal import print_headline

HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>'",
    "a|b`c`_d_*e*",
    "line\nbreak",
    "red\x1b[31m",
    "</style></title><svg onload=alert(1)>",
    "{{ 7 * 7 }}",
)


class Elements(HTMLParser):
    """Tags with attributes, the text of each cell, and visible text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text.append(data)

    def named(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(tmp_path, *documents):
    paths = []
    for at, document in enumerate(documents):
        paths.append(tmp_path / f"result{at}.json")
        paths[-1].write_text(json.dumps(document), encoding="utf-8")
    return render_report(read_parts(paths))


def words_of(text):
    """Visible text, whatever its links, without tags."""
    return "".join(Elements(text).text)


def headings(text):
    return re.findall(r"<h2>(.*?)</h2>", text)


def with_losses(name="tracker"):
    loss = {
        "entries": 3,
        "pixels": 40,
        "gain": dict.fromkeys(("PAT", "PQ", "TQ", "STQ", "AQ", "SQ"), 0.2),
        "share": dict.fromkeys(("PAT", "PQ", "TQ", "STQ", "AQ", "SQ"), 0.3),
    }
    small = {**loss, "share": dict.fromkeys(loss["share"], 0.2)}
    kinds = {"identity": {**loss, "causes": {"new_identity": loss}}, "missed": small}
    scores = dict.fromkeys(loss["share"], 0.5)
    losses = {"pat": "present", "score": scores, "perfect": dict.fromkeys(scores, 1.0)}
    return evaluation(name, losses={**losses, "kinds": kinds})


def test_a_run_has_the_sections_that_apply(tmp_path):
    text = page_of(tmp_path, run())
    assert headings(text)[:1] == ["Summary"]
    assert {"Worst first", "Cost", "Provenance and protocol"} <= set(headings(text))
    assert "Stress and sweeps" not in text
    assert "both has the highest PAT, 62.65." in words_of(text)
    assert "the data has no images" in text  # why a tracker was not run
    found = Elements(text)
    assert found.named("svg")
    assert all(each.get("aria-label") for each in found.named("svg") if "role" in each)
    assert len(found.named("table")) == len(found.named("caption"))


def test_a_page_begins_with_what_was_compared_and_what_the_score_is(tmp_path):
    pat = "PAT, the main score in percent, is the harmonic mean of PQ"
    for document, words in (
        (run(), "compares 3 trackers and 1 reference. PAT"),
        (_on_splits(), "2 trackers, on 2 synthetic videos with 54 frames of the suite bench. PAT"),
        (sweep(), "compares 3 trackers and 1 reference, at frame skip 1, 2, 3, 5. PAT"),
        (
            evaluation(),
            "scores 1 prediction against the ground truth of 2 sequences with 22 frames",
        ),
    ):
        text = page_of(tmp_path, document)
        (introduction,) = re.findall(r'<p class="introduction">(.*?)</p>', text)
        assert words in words_of(introduction)
        assert pat in words_of(introduction)
        # Its terms are links to their definitions.
        assert introduction.count('<a href="#term-pat">PAT</a>') == 1
        assert text.index(introduction) < text.index("<h2>")
    costs = page_of(tmp_path, cost(cost_row("mapt-tiny")))
    assert "This page shows what networks cost on one frame: mapt-tiny." in words_of(costs)


def test_a_sweep_has_curves_with_all_its_values(tmp_path):
    text = page_of(tmp_path, sweep())
    assert "Stress and sweeps" in headings(text)
    assert "frame skip (frames)" in text
    assert "both: 1 63.00, 2 60.00, 3 57.00, 5 51.00" in text  # in words, for screen readers


def test_evaluations_share_a_part_and_show_their_losses(tmp_path):
    text = page_of(tmp_path, evaluations(with_losses("one"), with_losses("two")))
    assert headings(text)[:2] == ["Summary", "Where the points were lost"]
    assert "Prediction one loses most points to wrong identities: 30.00 PAT." in words_of(text)
    assert "new identity" in text
    assert "mapt-bench evaluate GT PRED --dataset kitti-step --losses" in text


def test_several_results_are_parts_of_one_page(tmp_path):
    text = page_of(tmp_path, run(), sweep(), evaluation())
    assert [each["id"] for each in Elements(text).named("article")] == [
        "part-1",
        "part-2",
        "part-3",
    ]
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(ids)


def test_each_section_ends_with_a_way_back_to_the_top(tmp_path):
    text = page_of(tmp_path, run())
    assert '<body id="top">' in text
    sections = re.findall(r"<section .*?</section>", text, flags=re.DOTALL)
    back = '<p class="top"><a href="#top">Back to top</a></p>'
    assert len(sections) > 3
    assert all(each.count(back) == 1 for each in sections)


def test_hostile_names_show_as_text(tmp_path):
    summary = [
        summary_row(name, 0.5 + 0.01 * at, 0.6, "baselines") for at, name in enumerate(HOSTILE)
    ]
    cells = [
        {"key": row["cell"], "variant": row["variant"], "scores": row["scores"], "undefined": {},
         "per_sequence": dict.fromkeys(HOSTILE, row["scores"]), "cost": row["cost"],
         "status": "done"}
        for row in summary
    ]  # fmt: skip
    skipped = [{"tracker": HOSTILE[0], "reason": HOSTILE[1]}]
    provenance = {"data": {"name": HOSTILE[1], "sequences": {HOSTILE[0]: 3}}, "host": HOSTILE[5]}
    hostile_run = run(summary=summary, cells=cells, skipped=skipped, provenance=provenance)
    classes = {"0": {**evaluation()["per_class"]["0"], "name": HOSTILE[0]}}
    entries = dict.fromkeys(HOSTILE, evaluation()["per_sequence"]["0001"])
    hostile = evaluation(HOSTILE[0], per_class=classes, per_sequence=entries)
    text = page_of(tmp_path, hostile_run, hostile, {**with_losses("".join(HOSTILE[3:6]))})
    found = Elements(text)
    assert len(found.named("script")) == 1
    assert not found.named("img")
    assert not any(name.startswith("on") for _, given in found.tags for name in given)
    assert "\x1b" not in text
    shown = "".join(found.text)
    for name in (*HOSTILE[:3], r"line\nbreak", r"red\x1b[31m", *HOSTILE[5:]):
        assert name in shown


def test_the_page_asks_for_nothing(tmp_path):
    found = Elements(page_of(tmp_path, run(), with_losses()))
    for tag, given in found.tags:
        for name in ("src", "href", "action", "data", "srcset", "poster"):
            assert given.get(name, "#").startswith(("#", "data:")), (tag, given)
    policy = next(each for each in found.named("meta") if "http-equiv" in each)
    assert policy["content"].startswith("default-src 'none'")


def test_long_names_break_after_their_parts(tmp_path):
    summary = [summary_row(name, 0.5, 0.6, "heads") for name in ("mapt:motion+memory", "a<b>+c")]
    text = page_of(tmp_path, run(summary=summary))
    assert '<th scope="row">mapt:<wbr>motion<wbr>+memory</th>' in text
    assert '<th scope="row">a&lt;b&gt;+<wbr>c</th>' in text


def test_an_incomplete_run_says_so_and_shows_what_there_is(tmp_path):
    folder = tmp_path / "mine"
    (folder / "cells").mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    (folder / "cells" / "one.json").write_text("{}")
    (part,) = read_parts([folder])
    assert part.warning.startswith("This run is incomplete: 1 work unit is done, no scores yet.")
    assert part.warning in render_report([part])

    # An older complete result does not hide that new rows failed.
    (folder / "results.json").write_text(json.dumps(run()))
    failed = summary_row("iou", None, None, "baselines", status="failed", scores={})
    document = run(summary=[summary_row("both", 0.6, 0.7, "heads"), failed])
    cell = {"variant": "iou", "segments": "noisy", "status": "failed", "reason": "is <damaged>"}
    document["cells"] = [document["cells"][0], cell]
    (folder / "results.incomplete.json").write_text(json.dumps(document))
    (part,) = read_parts([folder])
    assert part.warning.startswith("This run is incomplete: 1 of 2 cells failed (iou).")
    text = render_report([part])
    assert "both" in text
    assert "is &lt;damaged&gt;" in text


def test_an_experiment_with_failed_cells_writes_its_page(tmp_path, monkeypatch):
    def fails(*given, **options):
        raise DataError("is damaged", where="a/000001")

    monkeypatch.setattr("mapt_bench.experiments.engine.unit_workers.run_unit", fails)
    write_videos(tmp_path / "DATA", walk(4, name="a", with_images=False))
    words = ["ablate", "--data", str(tmp_path / "DATA"), "--weights", "none"]
    outcome = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "run")])
    assert outcome.exit_code == 3
    assert "with: sequence a/000001: is damaged" in outcome.stderr
    text = (tmp_path / "run" / "report.html").read_text()
    assert "This run is incomplete: " in text
    assert "sequence a/000001: is damaged" in text


def test_the_folder_of_the_page_must_exist(tmp_path):
    file = tmp_path / "result.json"
    file.write_text(json.dumps(run()))
    words = ["report", str(file), "--out", str(tmp_path / "new" / "report.html")]
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 3
    assert "create it, or choose another file" in refused.stderr
    assert not (tmp_path / "new").exists()


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"is a folder without results\.json"):
        read_parts([tmp_path])


def test_a_thousand_sequences_make_a_small_page(tmp_path):
    names = [f"sequence-{at:04d}" for at in range(1000)]
    entry = evaluation()["per_sequence"]["0001"]
    many = evaluation(per_sequence={name: {**entry, "PAT": 0.5} for name in names})
    document = run()
    for cell in document["cells"]:
        cell["per_sequence"] = {name: {"PAT": 0.4, "TQ": 0.3} for name in names}
    text = page_of(tmp_path, many, document)
    assert len(text) < 10_000_000
    assert "980 more sequences are not listed." in text


def test_the_command_writes_the_page_beside_the_results(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "results.json").write_text(json.dumps(run()))
    outcome = CliRunner().invoke(main, ["report", str(folder)])
    assert outcome.exit_code == 0, outcome.output
    first = (folder / "report.html").read_bytes()
    assert CliRunner().invoke(main, ["report", str(folder)]).exit_code == 0
    assert (folder / "report.html").read_bytes() == first
    outcome = CliRunner().invoke(main, ["report", str(folder), "--out", str(tmp_path / "x.pdf")])
    assert outcome.exit_code == 2
    assert "expected .html" in outcome.stderr
    (tmp_path / "broken.json").write_text("{")
    outcome = CliRunner().invoke(main, ["report", str(tmp_path / "broken.json")])
    assert outcome.exit_code == 3


def test_an_unwritable_page_is_a_data_error(tmp_path):
    (tmp_path / "r.json").write_text(json.dumps(run()))
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_report([tmp_path / "r.json"], tmp_path / "file" / "report.html")


def test_bars_are_as_long_as_their_parts():
    chart = stacked_bars({"a": {"x": 30.0, "y": 10.0, "z": -5.0}}, "points", "caption")
    # The legend has bars of 12 x 12 pixels.
    widths = [
        float(each.attributes["width"])
        for each in chart.wide.shapes
        if each.tag == "rect" and each.attributes["height"] == "24"
    ]
    assert len(widths) == 2
    assert widths[0] == pytest.approx(3 * widths[1], rel=0.01)


def test_undefined_values_leave_a_gap_in_a_curve():
    chart = curves(
        [Curve("a", [1.0, None, 3.0]), Curve("b", [None, None, None])], "012", "x", "y", ""
    )
    assert sum("mark" in each.attributes.get("class", "") for each in chart.wide.shapes) == 2
    (path,) = (each.attributes["d"] for each in chart.wide.shapes if "thick" in str(each))
    assert path.count("M") == 2  # no line over the gap
    assert "a: 0 1.00, 2 3.00" in chart.description
    assert "b" not in [each.text for each in chart.wide.shapes]


def test_the_first_sentence_says_whether_the_lead_is_real(tmp_path):
    def text_of(p_value):
        entry = {"difference": -0.02, "interval": interval(-0.03, -0.01), "p_adjusted": p_value}
        differences = {"reference": "both", "scores": {"PAT": entry}}
        second = summary_row("iou", 0.61, 0.7, "baselines", differences=differences)
        first = summary_row("both", 0.63, 0.7, "heads")
        return words_of(page_of(tmp_path, run(summary=[first, second])))

    assert "both has the highest PAT, 63.00." in text_of(0.01)
    assert "The next is iou, 2.00 behind." in text_of(0.01)
    assert "This difference is established." in text_of(0.01)
    assert "This difference is not established: it can be chance." in text_of(0.2)


def test_a_difference_is_row_minus_reference_and_grey_is_explained(tmp_path):
    entry = {"difference": -0.02, "interval": interval(-0.03, -0.01), "p_adjusted": 0.2}
    differences = {"reference": "both", "scores": {"PAT": entry}}
    rows = [
        summary_row("both", 0.63, 0.7, "heads"),
        summary_row("iou", 0.61, 0.7, "baselines", differences=differences),
        summary_row("oracle", 0.9, 0.9, "reference", differences=differences),
    ]
    text = page_of(tmp_path, run(summary=rows))
    described = 'aria-label="PAT of the row minus PAT of both (points): iou -2.00 from -3.00 to '
    assert f'{described}-1.00."' in text  # the oracle would flatten the others
    assert ">not established after correction</text>" in text
    assert ">established after correction</text>" not in text  # no row is
    assert "Right of 0, the row is better than both." in words_of(text)
    assert "oracle: the upper bound on these segments" in words_of(text)


def test_rows_that_are_not_shown_are_counted(tmp_path):
    rows = [summary_row(f"row-{at}", 0.3 + at / 100, 0.5, "heads") for at in range(15)]
    note = "A selection: 12 of 15 rows. Others may have a higher PAT. All rows are in the folded"
    assert note in words_of(page_of(tmp_path, run(summary=rows)))
    assert "A selection" not in words_of(page_of(tmp_path, run(summary=rows[:12])))


def test_the_page_and_the_terminal_show_the_same_rows(tmp_path, monkeypatch):
    rows = [
        summary_row(f"row-{at}", 0.3 + at / 100, 0.5, "heads", segments=name, trained=False)
        for name in ("noisy", "groundtruth")
        for at in range(15)
    ]
    long = "segments, with faults: 4 % missed, 3 % merged, 15 % eroded, 0.3 spurious per frame"
    few = {"PAT": {"n": 2, "reason": "2 sequences; an interval needs at least 5"}}
    document = run(summary=[{**row, "intervals": few} for row in rows])
    document["protocol"]["segments_by_name"] = {"noisy": long, "groundtruth": f"exact {long}"}
    monkeypatch.setenv("COLUMNS", "100")
    stream = io.StringIO()
    print_headline(lambda most: run_headline(document, rows=most), "", Console(file=stream))
    on_terminal = re.findall(r"^row-\d+", stream.getvalue(), flags=re.MULTILINE)
    text = page_of(tmp_path, document)
    headlines = re.findall(r"<caption><span>Scores</span>.*?</table>", text, flags=re.DOTALL)
    found = re.findall(r'<th scope="row">(row-\d+)', " ".join(headlines))
    assert found == on_terminal
    assert len(found) == 20


def test_a_flops_report_stands_alone_and_beside_a_run(tmp_path):
    measured = {
        **dict.fromkeys(("low_ms", "high_ms", "start_mib", "repeats", "warm_up", "threads"), 1),
        "median_ms": 30.0,
        "peak_mib": 700.0,
        "device": "CPU",
        "spread": "range",
    }
    networks = cost(
        cost_row("flownet2", measurement=measured),
        cost_row("flownet2", "flownetc", gmacs=0.5),
        cost_row("mapt-tiny", measurement={**measured, "median_ms": 20.0, "peak_mib": 400.0}),
        cost_row("mapt-tiny", "motion", gmacs=0.01),
        cost_row("mapt-tiny", "appearance", gmacs=0.02),
    )
    text = page_of(tmp_path, networks)
    assert headings(text) == ["Cost", "Claims", "Terms"]
    assert "Operations over latency at 384x1280" in text
    names = ("mapt", "flow:flownet2", "copy")
    summary = [
        summary_row(name, 0.5 + at / 10, 0.6, "heads", cost={"seconds_per_frame": 0.01 + at})
        for at, name in enumerate(names)
    ]
    text = page_of(tmp_path, run(summary=summary), networks)
    assert "PAT over operations of the association of a frame" in text
    assert "mapt (50.00; 0.03), flow:flownet2 (60.00; 2.00), copy (70.00; 0.00)" in text
    assert "mapt (50.00; 400.00), flow:flownet2 (60.00; 700.00)" in text
    alone = page_of(tmp_path, run(summary=summary))
    assert "PAT over time of the association of a frame" in alone
    assert "PAT over operations" not in alone


def charts_of_all_kinds():
    names = (
        "mapt:appearance-first+memory",
        "a",
        "sort+memory",
        "a-name-of-more-than-thirty-letters",
    )
    at = list(enumerate(names))
    yield scatter([Point(name, 50 + i, 60 - i) for i, name in at], "STQ (%)", "PAT (%)", "")
    rows = [Span(name, i - 1.0, (i - 2.0, i + 0.5), i > 1) for i, name in at]
    label = "PAT of the row minus PAT of mapt:appearance-first+memory (points)"
    yield spans(rows, label, "", key=("established", "not established"), with_zero=True)
    parts = ("identity", "missed", "spurious", "class", "masks", "stuff")
    bars = {name: {part: i + j for j, part in enumerate(parts)} for i, name in at}
    yield stacked_bars(bars, "points", "")
    lines = [Curve(name, [i, i + 1.0], is_reference=not i) for i, name in at]
    yield curves(lines, ("0", "1"), "level", "PAT (%)", "")


@pytest.mark.parametrize("chart", list(charts_of_all_kinds()))
def test_texts_of_charts_fit_on_wide_pages_and_on_phones(chart):
    assert chart.narrow.width <= 400 - 2 * 12
    for drawing in (chart.wide, chart.narrow):
        for each in drawing.shapes:
            if each.tag == "text":
                x, y = (float(each.attributes[name]) for name in "xy")
                width = 6.5 * len(each.text)
                left = {"start": x, "middle": x - width / 2, "end": x - width}
                start = left[each.attributes["text-anchor"]]
                assert start >= -1, each
                assert start + width <= drawing.width + 1, each
                assert 0 < y <= drawing.height, each


def test_logarithmic_axes_show_zeros_at_their_left():
    points = [Point(name, x, 50 + x / 1000) for name, x in (("a", 0.0), ("b", 1.0), ("c", 100.0))]
    chart = scatter(points, "GMACs", "PAT", "", by_decades=True)
    x = {each.text: float(each.attributes["x"]) for each in chart.wide.shapes if each.tag == "text"}
    assert x["100"] - x["10"] == pytest.approx(x["10"] - x["1"], rel=0.01)
    assert x["0"] < x["1"]
    close = [Point(name, x, 50 + x) for name, x in (("a", 0.0), ("b", 0.142), ("c", 0.148))]
    texts = {each.text for each in scatter(close, "GMACs", "PAT", "", by_decades=True).wide.shapes}
    assert "0.148" in texts
    assert "0.142" not in texts  # it would cover the other


@pytest.fixture
def judged(tmp_path):
    """A result whose prediction changes the identity of one of two cars in the third frame."""
    gt = write_films(tmp_path / "gt", {"0001": "c1 c1 c2 r | c1 c1 c2 r | c1 c1 c2 r | c1 c1 c2 r"})
    pred = write_films(
        tmp_path / "pred", {"0001": "c1 c1 c2 r | c1 c1 c2 r | c5 c5 c2 r | c5 c5 c2 r"}
    )
    file = tmp_path / "judged.json"
    outcome = CliRunner().invoke(main, ["evaluate", str(gt), str(pred), "--json", str(file)])
    assert outcome.exit_code == 0, outcome.output
    return file


def test_pictures_show_the_track_that_costs_most(judged):
    text = render_report(read_parts([judged]))
    found = "It is visible in 4 frames. Its most frequent identity covers only 2 of them."
    assert f"Look at car 1. {found} In frame 000002, its identity changes from 1 to 5." in text
    legend = "Disc with two halves: the identity changes here"
    assert legend in text
    why = "Why this one? The sequence is number 1 of 1 by the lowest PAT ("
    assert why in words_of(text)
    (track,) = re.findall(
        r"The track is number 1 of (\d+) in the sequence by frames in which it is "
        r"visible without its most frequent identity \(2 frames\)",
        words_of(text),
    )
    assert int(track) >= 1
    images = Elements(text).named("img")
    assert [each["alt"][:17] for each in images] == [
        "Frame 000001, gro",
        "Frame 000002, gro",
    ]
    timeline = (
        "Timeline of the tracks that cost most. car 1: 4 frames, 4 matched, identity changes: 1"
    )
    assert [
        each["aria-label"]
        for each in Elements(text).named("svg")
        if timeline in each.get("aria-label", "")
    ]
    for image in images:
        assert image["alt"]
        data = base64.b64decode(image["src"].partition(";base64,")[2])
        with Image.open(io.BytesIO(data)) as found:
            assert found.size == (int(image["width"]), int(image["height"]))
    without = render_report(read_parts([judged], gallery=0))
    assert not Elements(without).named("img")
    assert legend not in without


def test_a_timeline_is_part_of_the_page_and_has_large_text(judged):
    text = render_report(read_parts([judged]))
    drawings = re.findall(r'<svg [^>]*aria-label="Timeline of .*?</svg>', text, flags=re.DOTALL)
    wide, narrow = drawings
    for drawing, width in ((wide, 620), (narrow, 360)):
        assert f'viewBox="0 0 {width} ' in drawing
        assert "car 1: 2 identities, 1 switch in 4 frames" in drawing
        assert drawing.count("<title>identity switch</title>") == 1
        # Two frames with each identity: bars of half the width.
        bars = re.findall(r'<rect class="bar"[^>]* width="([\d.]+)"[^>]*><title>identity', drawing)
        assert [float(each) for each in bars[:2]] == [(width - 12) / 2] * 2
    assert "filter: brightness" in text  # the white paper of frames in dark mode


def test_a_track_that_is_never_matched_is_named_as_such(tmp_path):
    gt = write_films(tmp_path / "gt", {"0001": "c1 c1 c2 r | c1 c1 c2 r"})
    pred = write_films(tmp_path / "pred", {"0001": "r r c2 r | r r c2 r"})
    file = tmp_path / "missed.json"
    CliRunner().invoke(main, ["evaluate", str(gt), str(pred), "--json", str(file)])
    text = words_of(render_report(read_parts([file])))
    assert "Look at car 1. No segment of its class matches it in any of its 2 frames." in text
    look = "Look first at car 1 in sequence 0001, prediction pred. No segment of its class matches"
    assert look in text


def test_missing_maps_are_named(judged, tmp_path):
    shutil.rmtree(tmp_path / "pred")
    text = render_report(read_parts([judged]))
    assert "No pictures of pred, sequence 0001:" in text
    assert not Elements(text).named("img")
    text = page_of(tmp_path, evaluation())
    assert "No pictures of tracker: the result does not say where its maps are." in text


LOST = Variant("lost", "lost", "baselines", "unlinked")  # a new identity in every frame


@pytest.fixture
def lost_run(tmp_path):
    """A run folder with a row that changes all identities, and its replay."""
    folder, small = tmp_path / "run", plan(LOST, COPY, reference="lost")
    run_experiment(small, source(), folder)
    worker = Worker(Work(source(), folder, 0))
    units = {
        (unit.key, source().videos[unit.sequence].info.name): unit
        for unit in schedule_plan(small, source(), 0).units()
    }
    return folder, lambda cell, name, frames: worker.replay(units[cell, name], frames)


def pictures_of(folder, **options):
    (part,) = read_parts([folder], **options)
    (section,) = [each for each in part.sections if each.heading == "Worst first"]
    pictures = tuple(each for block in section.blocks for each in block.pictures)
    return pictures, " ".join(section.notes)


def test_a_run_shows_the_tracks_that_cost_most(lost_run):
    folder, replay = lost_run
    pictures, notes = pictures_of(folder)
    assert pictures
    assert all(each.title.endswith(", tracked by lost") for each in pictures)
    assert "Its most frequent identity covers only 1 of them." in pictures[0].text
    assert not any(each.images for each in pictures)
    assert all(each.timeline for each in pictures)
    assert notes.startswith("No frames of sequence ")
    assert "run the command of the run again" in notes

    assert re.fullmatch(
        r"The sequence is number 1 of 2 by PAT lost against a perfect result \([\d.]+ points\)\. "
        r"The track is number 1 of \d+ in the sequence by frames .+ \(\d+ frames?\)\.",
        pictures[0].reason,
    )
    look = "Look first at car 1 in sequence a, tracked by lost. It is visible in "
    assert look in words_of(render_report(read_parts([folder])))

    pictures, notes = pictures_of(folder, replays={folder: replay})
    assert [len(each.images) for each in pictures] == [2] * len(pictures)
    for frame, image in enumerate(pictures[0].images[:2]):
        assert image.alt == f"Frame {frame}, ground truth above lost, copy"
    assert not notes
    # The frames are kept: a second report tracks nothing.
    assert pictures_of(folder) == (pictures, notes)
    assert pictures_of(folder, gallery=0) == ((), "")

    shutil.rmtree(folder / "cells")
    pictures, notes = pictures_of(folder, replays={folder: replay})
    assert not pictures
    assert notes == "No pictures of tracks: the folder of the result has no cells of a run."


def test_frames_that_cannot_be_tracked_again_are_named(lost_run, monkeypatch):
    def fails(cell, name, frames):
        raise DataError("the weights are gone")

    folder, replay = lost_run
    _, notes = pictures_of(folder, replays={folder: fails})
    assert notes == "No frames of sequence a, b: the weights are gone."
    monkeypatch.setattr(gallery, "_REPLAYED_FRAMES", 0)
    _, notes = pictures_of(folder, replays={folder: replay})
    assert notes == "No frames of sequence a, b: a page tracks at most 0 frames again."


def test_results_store_the_command_of_their_run(tmp_path):
    config = AblationConfig(data=tmp_path / "my data", switches=("static",), memory=4, jobs=2)
    command = f"mapt-bench ablate --data '{tmp_path / 'my data'}' --memory 4 --switch static"
    assert config.command_line() == command
    stress = StressConfig(kind="motion", levels=(1, 2), stressors=("drop",))
    words = "mapt-bench stress motion --suite stress --stressor drop --levels 1,2"
    assert stress.command_line() == words
    text = page_of(tmp_path, run(provenance={"command": command}))
    assert f'<pre tabindex="0" aria-label="Command">{escape(command)}</pre>' in text


def test_the_command_is_preceded_by_the_installation_of_the_same_version(tmp_path):
    made = {
        "mapt_bench": "0.3.0",
        "git_commit": "abc123",
        "python": "3.12.4",
        "packages": {"numpy": "2.4.6", "torch": "2.9.0", "fvcore": None},
        "weights": {"mapt-compact": "a7c6", "my runs/w.safetensors": "b1d2"},
        "command": "mapt-bench ablate --suite quick",
    }
    text = words_of(page_of(tmp_path, run(provenance=made)))
    assert (
        "# In a checkout of mapt-bench 0.3.0:\n"
        "git checkout abc123\n"
        "python3.12 -m venv .venv && . .venv/bin/activate\n"
        "pip install -e '.[model]' numpy==2.4.6 torch==2.9.0\n"
        "echo 'a7c6  mapt_bench/weights/mapt-compact.safetensors' | sha256sum --check\n"
        "echo 'b1d2  my runs/w.safetensors' | sha256sum --check\n"
        "mapt-bench ablate --suite quick" in text
    )
    made |= {"git_commit": None, "weights": {}}
    text = words_of(page_of(tmp_path, run(provenance=made)))
    assert "# The commit is unknown. In a checkout of mapt-bench 0.3.0:\npython3.12" in text
    assert "pip install -e . numpy==2.4.6\nmapt-bench ablate" in text  # no torch without networks
    assert "git checkout" not in text
    assert "pip install" not in words_of(page_of(tmp_path, run()))  # nothing is known


def test_a_run_keeps_its_objects_for_slices(tmp_path):
    videos = (walk(6, name="a"), walk(7, speed=1, name="b"))
    run_experiment(plan(), source(*videos), tmp_path / "run")
    text = render_report(read_parts([tmp_path / "run"]))
    assert "nearest" in text
    # In a, each box moves by 2 px a frame; in b, by 1. In the first frame, speed is unknown.
    rows = unpack_rows(
        json.loads((tmp_path / "run" / "objects" / "0000.json").read_text())["objects"], SIGHTED
    )
    assert len(rows) == 12
    assert np.isnan(rows["speed_px"][:2]).all()
    assert rows["speed_px"][2:] == pytest.approx(2)
    assert rows["nearest_px"].tolist() == pytest.approx(
        [40 + 4 * t for t in range(6) for _ in "12"]
    )


def test_an_evaluation_has_slices_by_properties_of_objects(judged, tmp_path):
    hint = "For slices by properties of the objects, evaluate with --slices."
    assert hint in words_of(render_report(read_parts([judged])))
    document = json.loads(judged.read_text())
    entry = {"slice": "speed", "range": "under 1 px/frame", "segments": 40, "recall": 0.5}
    entry |= {"recall_interval": None, "links": 30, "accuracy": 0.9, "accuracy_interval": None}
    words = words_of(page_of(tmp_path, {**document, "slices": [entry]}))
    assert hint not in words
    slowest = (
        "pred finds objects at a speed of under 1 px/frame least often: 50.00 % of 40 segments"
    )
    assert f"{slowest} are found." in words
    assert "pred by properties of the objects" in words


def test_a_stress_test_shows_its_worst_sequences_at_the_highest_level(tmp_path):
    videos = (walk(6, name="a"), walk(6, name="b"))
    drop = {"name": "drop", "levels": {"1": 2, "3": 3}, "unit": "frames", "meaning": "distance"}
    folder = tmp_path / "run"
    run_experiment(plan(), source(*videos), folder)
    document = json.loads((folder / "results.json").read_text())
    levels = (0, 1, 3)
    document["summary"] = [
        {**row, "stress": {"stressor": "drop", "level": level, "value": level}}
        for row in document["summary"]
        for level in levels
    ]
    document |= {"stressors": [drop], "visibility": [], "recoveries": []}
    (folder / "results.json").write_text(json.dumps(document))
    (part,) = read_parts([folder])
    (section,) = [each for each in part.sections if each.heading == "Worst first"]
    (block,) = section.blocks
    assert len(block.texts) == 1
    assert block.texts[0].startswith("Under drop at level 3, ")
    (table,) = block.tables
    assert table.title.endswith(" most under drop at level 3")
    assert len(table.rows) == 2


def _on_splits():
    """Return a run of a suite in which the lead is established on the hard split only."""

    def differences(p_value, low):
        entry = {"difference": -0.02, "interval": interval(-0.03, low), "p_adjusted": p_value}
        family = {"of": "half real-like", "comparisons": 7}
        return {"reference": "both", "scores": {"PAT": entry}, "family": family}

    rows = [
        summary_row("both", 0.63, 0.7, "heads", cell="both"),
        summary_row(
            "iou", 0.61, 0.6, "baselines", cell="iou", differences=differences(0.01, -0.01)
        ),
    ]
    for row in rows:
        row["intervals"] = {"PAT": interval(0.6, 0.66)}
    groups = [
        {
            "variant": name,
            "label": name,
            "cell": name,
            "factor": "half",
            "value": value,
            "n_sequences": 6,
            "scores": {"PAT": pat},
            "intervals": {},
            "differences": differences(*lead) if name == "iou" else None,
        }
        for value, lead in (("real-like", (0.9, 0.01)), ("hard", (0.01, -0.01)))
        for name, pat in (("both", 0.63), ("iou", 0.61))
    ]
    data = {"name": "bench", "suite": {"name": "bench"}, "sequences": {"a": 24, "b": 30}}
    return run(
        summary=rows,
        scores_by_group=groups,
        provenance={"data": data, "weights": {"mapt-compact": "0"}},
    )


def test_the_summary_says_on_which_splits_and_data_a_lead_is_established(tmp_path):
    words = words_of(page_of(tmp_path, _on_splits()))
    lead = "both has the highest PAT, 63.00. The next is iou, 2.00 behind. This difference is "
    assert f"On the realistic split: {lead}not established: it can be chance." in words
    assert f"On the hard split: {lead}established." in words
    # They follow the sentence that they qualify.
    assert "This difference is established. On the realistic split" in " ".join(words.split())
    assert "on 2 synthetic videos with 54 frames of the suite bench." in words
    assert "They do not cover another training of the networks." in words
    assert "for the 7 comparisons of the realistic split." in words
    assert "half real-like" not in words


def test_losses_of_all_videos_are_not_those_of_a_split(tmp_path):
    found = _on_splits()
    found["summary"][0]["losses"] = with_losses()["losses"]
    for entry in found["scores_by_group"]:  # without a sentence on the next row
        entry["scores"]["PAT"] = 0.63
    words = " ".join(words_of(page_of(tmp_path, found)).split())
    assert words.count("wrong identities: 30.00 PAT.") == 2  # of all videos, and in its section
    for place in ("realistic", "hard"):
        sentences = words.partition(f"On the {place} split: ")[2].partition("On the hard split")[0]
        assert "identities" not in sentences[:150]


def test_settings_are_named_in_words(tmp_path):
    document = _on_splits()
    document["protocol"]["segments_by_name"] = {"seconds_per_frame": "an odd name"}
    document["provenance"] |= {"git_commit": "abc", "processor_count": 2}
    document["provenance"]["data"]["has_images"] = True
    (section,) = [
        each
        for part in read_parts([_written(tmp_path, document)])
        for each in part.sections
        if each.heading == "Provenance and protocol"
    ]
    tables = [table for block in section.blocks for table in block.tables]
    found = {row[0].text: row[1].text for table in tables for row in table.rows}
    assert found["variant of PAT"] == "present"
    assert found["segments: seconds_per_frame"] == "an odd name"  # a name, not a setting
    assert found["has images"] == "yes"
    assert found["number of sequences"] == "2"
    assert found["commit of mapt-bench"] == "abc"
    assert found["processors"] == "2"


def _written(folder, document):
    path = folder / "result.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_marks_of_the_best_are_explained_at_the_table(tmp_path):
    rule = "Bold: the best of a column, if paired tests establish its lead over every other row."
    never = "Without a test, so never bold: PQ, TQ, STQ, IDSW, ms/frame."
    found = _on_splits()
    words = words_of(page_of(tmp_path, found))
    assert f"{rule} {never}" in words
    assert '<b title="best of the column">63.00</b>' in page_of(tmp_path, found)
    found["summary"][1]["differences"]["scores"]["PAT"]["p_adjusted"] = 0.2
    tied = words_of(page_of(tmp_path, found))
    assert f"{rule} No lead over every other row: PAT. {never}" in tied
    found["summary"] = [{**each, "differences": None} for each in found["summary"]]
    untested = words_of(page_of(tmp_path, found))
    assert "if every other row lies outside its confidence interval" in untested
    assert "Bold: the best number of a column." in words_of(page_of(tmp_path, run()))
    same = run(summary=[summary_row(name, 0.5, 0.5, "heads") for name in "ab"])
    words = words_of(page_of(tmp_path, same))
    assert "Nothing is bold: rows tie in each column. No difference was tested." in words
    assert "Bold: the best number" not in words


def test_intervals_are_mentioned_only_where_there_are_some(tmp_path):
    found = _on_splits()
    share = {"bin": "3-10", "hits": 6, "n": 8, "share": 0.75, "interval": interval(0.6, 0.9)}
    entry = {"variant": "both", "label": "both", "group": "heads", "cell": "both"}
    entry |= {"factor": "all", "value": "all", "n_sequences": 6, "bins": []}
    entry["full_occlusions"] = {**share, "recovered": share, "returns": share}
    found["recoveries"] = [entry]
    words = words_of(page_of(tmp_path, found))
    assert "Confidence intervals are over videos." in words
    assert "To the right is better. Lines are confidence intervals." in words
    share["interval"] = {"n": 2, "reason": "2 sequences"}
    for each in found["summary"]:
        each |= {"intervals": None, "differences": None}
    words = words_of(page_of(tmp_path, found))
    assert "intervals are over videos" not in words
    assert "Lines are confidence intervals." not in words
