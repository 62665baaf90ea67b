import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_the_example_of_the_page_runs_and_prints_what_it_says(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(example, {})  # noqa: S102 - the page is our own
    promised = re.findall(r"print\(.*\)  # (.*)", example)
    assert capsys.readouterr().out.split() == promised == ["1"]
