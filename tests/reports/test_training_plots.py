import pytest

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.reports.training_plots import plot_training, smoothed


def rows(count):
    return [
        {
            "kind": "train",
            "step": step,
            "total": 3.0 / step,
            "values": {"loss_mask": 1.0 / step, "loss_box": 2.0 / step, "things": 3.0},
            "lr": 0.1,
            "gradient_norm": 2.0,
            **({"loss_gradient_norms": {"loss_mask": 1.0}} if step % 2 else {}),
        }
        for step in range(1, count + 1)
    ]


SCORED = [{"kind": "validation", "step": 4, "scores": {"PAT": 0.25, "STQ": 0.5}}]


@pytest.mark.parametrize("log", [rows(1), rows(5) + SCORED, rows(200) + SCORED])
def test_curves_of_short_and_long_logs(tmp_path, log):
    plot_training(log, tmp_path / "a.svg")
    plot_training(log, tmp_path / "b.svg")
    drawn = (tmp_path / "a.svg").read_text()
    assert drawn == (tmp_path / "b.svg").read_text()
    assert "<!-- mask -->" in drawn
    assert "<!-- things -->" not in drawn  # no loss
    assert ("<!-- PAT -->" in drawn) == (SCORED[0] in log)
    assert ("<!-- not validated -->" in drawn) == (SCORED[0] not in log)


def test_a_log_without_steps_and_other_suffixes(tmp_path):
    with pytest.raises(DataError, match="no step to plot"):
        plot_training(SCORED, tmp_path / "a.png")
    with pytest.raises(ConfigError, match=r"cannot be '\.pdf'"):
        plot_training(rows(2), tmp_path / "a.pdf")


def test_smoothing_looks_back_only():
    assert smoothed([1.0, 2.0, 6.0], 1) == [1.0, 2.0, 6.0]
    assert smoothed([1.0, 2.0, 6.0], 3) == [1.0, 1.5, 3.0]


def test_axes_show_numbers_not_formulas(tmp_path):
    path = tmp_path / "curves.svg"
    plot_training(rows(200), path)
    drawn = path.read_text(encoding="utf-8")
    assert "mathdefault" not in drawn
    assert "<!-- 0.1 -->" in drawn
