"""Progress on stderr: a bar on a terminal, lines elsewhere."""

import re
import time

from mapt_bench.cli import progress


def test_without_a_terminal_lines_are_printed_from_time_to_time(monkeypatch, capsys):
    monkeypatch.setattr(progress, "_LINE_EVERY", 0.01)
    with progress.progress_bar("scoring [bold]\x1b", 7) as advance:
        advance(3)
        for _ in range(500):
            time.sleep(0.01)
            if "3 of 7" in (printed := capsys.readouterr().err):
                break
    line = printed.splitlines()[-1]
    assert re.fullmatch(r"scoring \[bold\]\\x1b: 3 of 7, 0:0\d min", line)


def test_short_work_prints_no_line(capsys):
    with progress.progress_bar("scoring", 7) as advance:
        advance(7)
    assert capsys.readouterr().err == ""
