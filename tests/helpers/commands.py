"""What the tests of commands share: data to run them on, and the examples of their help."""

from click.testing import CliRunner
from helpers.shipped_weights import empty_weights_folder
from helpers.small_runs import walk, write_videos

from mapt_bench.cli import main


def write_two_walks(folder, frames):
    """Write maps alone, as truth and as predictions: trackers that read images cannot run."""
    videos = [walk(frames, speed=speed, name=name) for name, speed in (("a", 1), ("b", 2))]
    write_videos(folder / "DATA", *videos)
    write_videos(folder / "PREDICTIONS", *videos)


def enter_two_walks(monkeypatch, folder, frames):
    """Write maps alone into a folder, and make it the current one. No weights ship there."""
    monkeypatch.chdir(folder)
    empty_weights_folder(monkeypatch, folder / "no weights")
    write_two_walks(folder, frames)


def examples_of(command):
    """Return the words after ``mapt-bench COMMAND`` of each example that its help shows."""
    shown = CliRunner().invoke(main, [command, "--help"]).stdout.partition("Examples:\n")[2]
    lines = [line.split() for line in shown.splitlines()]
    return [words[2:] for words in lines if words[:2] == ["mapt-bench", command]]
