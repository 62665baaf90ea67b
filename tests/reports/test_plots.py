import subprocess
import sys
import warnings
from xml.etree import ElementTree

import numpy as np
import pytest
from helpers.results import run, summary_row, sweep
from PIL import Image

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.reports.plot_style import MARKERS, reference_marks
from mapt_bench.reports.plots import plot_scores, plot_sweep, write_plots


def test_an_ablation_gives_one_picture_in_both_formats(tmp_path):
    written = write_plots(run(), tmp_path / "plots")
    assert [path.name for path in written] == ["pat_stq.png", "pat_stq.svg"]
    picture = np.asarray(Image.open(written[0]).convert("RGB"))
    assert picture.shape[0] > 500
    assert (picture[0] == 255).all()  # nothing is cut off at the edges
    assert (picture[-1] == 255).all()
    assert (picture[:, 0] == 255).all()
    assert (picture[:, -1] == 255).all()
    assert ElementTree.parse(written[1]).getroot().tag.endswith("svg")  # noqa: S314 - our own file


def test_a_sweep_gives_a_picture_of_each_score(tmp_path):
    names = {path.name for path in write_plots(sweep(), tmp_path)}
    assert names == {"sweep_PAT.png", "sweep_PAT.svg", "sweep_STQ.png", "sweep_STQ.svg"}


def test_equal_results_give_equal_bytes(tmp_path):
    for result in (run(), sweep()):
        first, second = (write_plots(result, tmp_path / name) for name in ("a", "b"))
        for one, other in zip(first, second, strict=True):
            assert one.read_bytes() == other.read_bytes(), one.name


def test_other_results_give_other_pictures(tmp_path):
    plot_scores(run(), tmp_path / "a.svg")
    plot_scores(run(summary=[*run()["summary"][:3]]), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() != (tmp_path / "b.svg").read_bytes()


def colours_in(path):
    return {tuple(colour) for colour in np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)}


def test_the_oracle_and_copying_have_marks_of_their_own(tmp_path):
    ink, grey, blue = (0x22, 0x22, 0x22), (0x77, 0x77, 0x77), (0x00, 0x72, 0xB2)
    heads = [summary_row("iou", 0.6, 0.7, "heads"), summary_row("both", 0.62, 0.71, "heads")]
    plot_scores(run(summary=heads), tmp_path / "plain.png")
    assert blue in colours_in(tmp_path / "plain.png")
    references = [summary_row(name, 0.5, 0.5, "reference") for name in ("copy", "oracle")]
    plot_scores(run(summary=references), tmp_path / "references.png")
    assert blue not in colours_in(tmp_path / "references.png")
    assert {ink, grey} <= colours_in(tmp_path / "references.png")


def test_references_of_one_colour_have_markers_of_their_own():
    names = ("flow:exact+memory", "flow:exact+appearance+memory", "oracle:in-view", "oracle", "iou")
    rows = [
        summary_row(name, 0.5, 0.5, "baseline" if name == "iou" else "reference") for name in names
    ]
    marks = reference_marks(rows)
    assert list(marks) == list(names[:-1])
    assert len({mark.marker for mark in marks.values()}) == 4
    assert not {mark.marker for mark in marks.values()} & set(MARKERS)


def test_undefined_scores_leave_points_out_and_nothing_defined_no_picture(tmp_path):
    rows = [summary_row("a", None, 0.5, "heads"), summary_row("b", 0.5, 0.5, "heads")]
    assert len(write_plots(run(summary=rows), tmp_path)) == 2
    assert write_plots(run(summary=rows[:1]), tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


def test_points_that_fall_together_share_a_label(tmp_path):
    rows = [summary_row(name, 0.5, 0.5, "heads") for name in ("a", "b")]
    plot_scores(run(summary=rows), tmp_path / "one.png")
    assert (tmp_path / "one.png").stat().st_size > 1000


def test_a_sweep_of_two_kinds_has_two_panels(tmp_path):
    two = sweep()
    paired = [
        {**row, "interval": {**row["interval"], "kind": "pair"}} for row in sweep()["summary"]
    ]
    two["summary"] = two["summary"] + paired
    plot_sweep(sweep(), tmp_path / "one.png")
    plot_sweep(two, tmp_path / "two.png", score="STQ")
    assert Image.open(tmp_path / "two.png").width > Image.open(tmp_path / "one.png").width


def words_in(path):
    return "".join(ElementTree.parse(path).getroot().itertext()) + path.read_text()  # noqa: S314


def test_axes_end_with_the_scale_and_references_are_called_by_their_label(tmp_path):
    rows = [
        summary_row("blind", 0.0, 0.0, "reference", label="no links"),
        summary_row("oracle", 1.0, 1.0, "reference"),
    ]
    plot_scores(run(summary=rows), tmp_path / "a.svg")
    words = words_in(tmp_path / "a.svg")
    assert words.count("<!-- no links -->") == 3  # legend, point, bar
    assert "other reference" not in words
    assert "<!-- 100 -->" in words
    assert "<!-- 120 -->" not in words


def test_the_floor_is_told_and_does_not_press_the_others_together(tmp_path):
    rows = [
        summary_row("unlinked", 0.013, 0.051, "reference"),
        summary_row("copy", 0.8, 0.8, "baseline"),
        summary_row("both", 0.9, 0.9, "heads"),
    ]
    rows[0]["scores"]["IDSW"] = 9000
    plot_scores(run(summary=rows), tmp_path / "a.svg")
    words = words_in(tmp_path / "a.svg")
    assert "<!-- Not in the plot: unlinked -->" in words
    assert "<!-- PAT 1.3, STQ 5.1, 9000 identity switches -->" in words
    assert "<!-- 9000 -->" not in words  # nor is there a bar, beside which others were nothing
    assert "<!-- 20 -->" not in words  # an axis that reached down to it would have such a mark


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be '.jpg'; use .png or .svg"):
        plot_scores(run(), tmp_path / "a.jpg")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_data_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_plots(run(), tmp_path / "file")


def test_importing_the_module_does_not_import_matplotlib():
    code = "import sys, mapt_bench.reports.plots; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_long_names_are_wrapped_and_leave_room_for_the_plot(tmp_path):
    long = "both heads + memory, " + ", ".join(f"threshold_{at} 0.{at}" for at in range(1, 9))
    rows = [
        summary_row("both", 0.8, 0.8, "heads", label=long),
        summary_row("iou", 0.7, 0.7, "baseline"),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # matplotlib found no room for the axes
        plot_scores(run(summary=rows), tmp_path / "a.svg")
    assert "<!-- both heads + memory, threshold_1 -->" in words_in(tmp_path / "a.svg")


def test_rows_with_replaced_steps_are_in_tables_alone(tmp_path):
    replaced = summary_row("both,oracle=motion", 0.9, 0.9, "reference", label="replaced")
    replaced["settings"] = {"oracle": "motion"}
    plot_scores(run(summary=[summary_row("both", 0.8, 0.8, "heads"), replaced]), tmp_path / "a.svg")
    assert "replaced" not in words_in(tmp_path / "a.svg")
