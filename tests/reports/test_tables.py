# ruff: noqa: RUF001 - the dash of undefined cells
import io

import pytest
from rich.console import Console

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.reports.table_formats import (
    make_console,
    print_table,
    render_table,
    write_table,
    write_tables,
)
from mapt_bench.reports.tables import Column, Estimate, Table, format_cell, joined_tables

_COUNTS = (Column("variant"), Column("IDSW", "count"))


@pytest.fixture
def table():
    return Table(
        "Small & sweet: a_b",
        (
            Column("tracker"),
            Column("PAT", "percent", True),
            Column("PAT interval", "range"),
            Column("IDSW", "integer", False),
        ),
        (
            ("copy_last", 0.5, (0.4, 0.6), 3),
            ("both | 100%", 0.75123, None, 2),
            ("next", 0.75112, None, 2),
            ("oracle", 1.0, None, None),
        ),
        ("– PTQ: no <things>",),
        frozenset({3}),
    )


def test_latex(table):
    assert (
        render_table(table, "latex")
        == r"""% This table needs \usepackage{booktabs}.
\begin{table}
  \centering
  \caption{Small \& sweet: a\_b}
  \begin{tabular}{lrr}
    \toprule
    tracker & PAT $\uparrow$ & IDSW $\downarrow$ \\
    \midrule
    copy\_last & 50.00 [40.00, 60.00] & 3 \\
    both \textbar{} 100\% & \textbf{75.12} & 2 \\
    next & 75.11 & 2 \\
    oracle & 100.00 & -- \\
    \bottomrule
  \end{tabular}
  \par\footnotesize -- PTQ: no \textless{}things\textgreater{}
\end{table}
"""
    )


def test_latex_escapes_every_special_character():
    odd = Table("t", (Column("a"),), ((r"\ { } ~ ^ & % $ # _ τ",),))
    assert (
        r"\textbackslash{} \{ \} \textasciitilde{} \textasciicircum{} \& \% \$ \# \_ $\tau$"
        in render_table(odd, "latex")
    )


def test_a_cell_that_begins_with_a_bracket_is_no_argument_of_the_line_break_before_it():
    bracketed = Table("t", (Column("range", "range"),), (((0.1, 0.2),), ((0.3, 0.4),)))
    assert r"{}[10.00, 20.00] \\" in render_table(bracketed, "latex")


def test_markdown(table):
    assert (
        render_table(table, "markdown")
        == r"""**Small & sweet: a\_b**

| tracker | PAT | IDSW |
| --- | ---: | ---: |
| copy\_last | 50.00 [40.00, 60.00] | 3 |
| both \| 100% | **75.12** | 2 |
| next | 75.11 | 2 |
| oracle | 100.00 | – |

– PTQ: no \<things\>
"""
    )


def test_csv_has_all_digits_in_the_unit_of_the_heading(table):
    assert render_table(table, "csv") == (
        "tracker,PAT (%),PAT interval low (%),PAT interval high (%),IDSW\n"
        "copy_last,50.0,40.0,60.0,3\n"
        "both | 100%,75.123,,,2\n"
        "next,75.112,,,2\n"
        "oracle,100.0,,,\n"
    )
    points = Table("t", (Column("a", "points"), Column("b %", "points")), ((-0.00125, 0.5),))
    assert render_table(points, "csv") == "a (points),b %\n-0.125,50.0\n"


def test_text(table):
    assert render_table(table, "text") == (
        "Small & sweet: a_b\n"
        "tracker         PAT    PAT interval  IDSW\n"
        "─────────────────────────────────────────\n"
        "copy_last     50.00  [40.00, 60.00]     3\n"
        "both | 100%   75.12               –     2\n"
        "next          75.11               –     2\n"
        "oracle       100.00               –     –\n"
        "– PTQ: no <things>\n"
    )


def test_dict(table):
    found = table.to_dict()
    assert found["columns"] == ["tracker", "PAT", "PAT interval", "IDSW"]
    assert found["rows"][0] == ["copy_last", 0.5, [0.4, 0.6], 3]
    assert found["footnotes"] == ["– PTQ: no <things>"]


def test_best_needs_two_rows_and_a_direction():
    one = Table("t", (Column("PQ", "percent", True),), ((0.5,), (None,)))
    assert one.best_cells() == frozenset()
    plain = Table("t", (Column("PQ", "percent"),), ((0.5,), (0.6,)))
    assert plain.best_cells() == frozenset()
    two = Table("t", (Column("PQ", "percent", True),), ((0.5,), (0.6,)))
    assert two.best_cells() == {(1, 0)}


def test_no_row_is_best_where_another_ties():
    column, interval = Column("PQ", "percent", True), Column("CI", "range")

    def best(first, second, **given):
        rows = ((first, (0.55, 0.7)), (second, (0.4, 0.6)))
        return Table("t", (column, interval), rows, **given).best_cells()

    assert best(0.6, 0.5) == {(0, 0)}
    assert best(0.6, 0.56) == frozenset()  # within the interval of the best
    assert best(0.6, 0.56, references=frozenset({1})) == frozenset()  # one row competes
    same = Table("t", (column,), ((0.60001,), (0.60002,), (0.5,)))
    assert same.best_cells() == frozenset()  # the same text
    hidden = ((Estimate(0.6, (0.55, 0.7)),), (Estimate(0.56, (0.4, 0.6)),))
    assert Table("t", (column,), hidden).best_cells() == frozenset()
    assert Table("t", (column,), hidden).texts() == [["60.00"], ["56.00"]]


@pytest.mark.parametrize(
    ("standings", "best"),
    [
        (("reference", "below", "below"), {(0, 0)}),
        (("reference", "below", "open"), set()),
        (("above", "reference", "below"), {(0, 0)}),  # above and below differ, too
        (("above", "above", "reference"), set()),  # not tested against each other
        (("above", "reference", None), set()),
    ],
)
def test_tests_decide_on_the_best_whatever_the_intervals(standings, best):
    values = zip((0.6, 0.59, 0.58), standings, strict=True)
    cells = tuple((Estimate(value, (0.5, 0.7), each), 7 - value) for value, each in values)
    columns = (Column("PQ", "percent", True), Column("ms", "decimal", False))
    table = Table("t", columns, cells)
    assert table.best_cells() == best
    assert table.has_tests
    assert table.unjudged_columns() == ["ms"]  # its lowest number has no mark


def test_best_ignores_not_a_number():
    table = Table("t", (Column("PQ", "percent", False),), ((0.5,), (float("nan"),), (0.6,)))
    assert table.best_cells() == {(0, 0)}
    assert table.texts()[1] == ["–"]


@pytest.mark.parametrize(
    ("cell", "kind", "text"),
    [
        (0.61606, "percent", "61.61"),
        (None, "percent", "–"),
        (-0.00001, "percent", "0.00"),
        (-0.001, "decimal", "0.00"),
        (-0.0, "count", "0"),
        (-0.00001, "points", "0.00"),
        (0.0123, "points", "+1.23"),
        (3.0, "number", "3"),
        (3.14159, "number", "3.14"),
        (0.0123456, "number", "0.0123"),
        ("as it is", "number", "as it is"),
        (683, "count", "683"),
        (448.5, "count", "448.5"),
        ((0, 64), "count range", "[0, 64]"),
        ((0.5, 2.25), "count range", "[0.5, 2.2]"),
        (0.03, "decimal", "0.03"),
        (12.0, "decimal", "12.00"),
    ],
)
def test_cells(cell, kind, text):
    assert format_cell(cell, kind) == text


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="row 1 of table 't' has 2 cells for 1 columns"):
        Table("t", (Column("a"),), (("x",), ("y", "z")))


def print_to(table, **settings):
    stream = io.StringIO()
    print_table(table, Console(file=stream, **settings))
    return stream.getvalue()


def test_a_pipe_gets_whole_lines_without_colour():
    wide = Table(
        "wide",
        (Column("name"), *(Column(f"score {at}", "percent", True) for at in range(40))),
        (("a", *[0.5] * 40), ("b", *[0.6] * 40)),
    )
    lines = print_to(wide).splitlines()
    assert len(lines) == 5
    assert "\x1b" not in "".join(lines)
    assert lines[-1].count("60.00") == 40


def test_a_narrow_terminal_gets_the_table_folded_under_its_first_column(table, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = print_to(table, force_terminal=True, width=30, color_system="standard")
    assert text.count("copy_last") == 3
    assert "…" not in text
    assert "\x1b[1;32m 75.12" in text  # bold and green


def test_no_color_leaves_no_colour(table, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert "32m" not in print_to(table, force_terminal=True, width=80)


def test_the_suffix_decides_the_format(table, tmp_path):
    for suffix, table_format in ((".csv", "csv"), (".tex", "latex"), (".md", "markdown")):
        path = tmp_path / f"table{suffix}"
        write_table(table, path)
        assert path.read_text() == render_table(table, table_format)
    write_table(table, tmp_path / "table.dat", "csv")
    assert (tmp_path / "table.dat").read_text().startswith("tracker,PAT")


def test_unknown_formats_are_refused(table, tmp_path):
    with pytest.raises(ConfigError, match=r"suffix '.xls' names no table format") as caught:
        write_table(table, tmp_path / "table.xls")
    assert caught.value.where.endswith("table.xls")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="did you mean 'markdown'"):
        render_table(table, "markdwon")


def test_a_path_that_cannot_be_written_is_a_data_error(table, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_table(table, tmp_path / "file" / "table.csv")


def test_several_tables_share_a_file_except_in_csv(table, tmp_path):
    other = Table("Classes of x/y", (Column("class"),), (("road",),), name="classes")
    assert write_tables([table, other], tmp_path / "t.md") == [tmp_path / "t.md"]
    assert "Classes of x/y" in (tmp_path / "t.md").read_text()
    paths = write_tables([table, other], tmp_path / "t.csv")
    assert [path.name for path in paths] == ["t.csv", "t-classes.csv"]
    assert paths[1].read_text() == "class\nroad\n"


def test_counts_of_a_column_have_the_same_decimals():
    rows = (("a", 683), ("b", 448.5), ("c", None))
    assert [row[1] for row in Table("t", _COUNTS, rows).texts()] == ["683.0", "448.5", "–"]
    assert [row[1] for row in Table("t", _COUNTS, rows[::2]).texts()] == ["683", "–"]


def test_columns_of_one_name_and_two_units_stay_apart_in_a_file():
    tables = [
        Table("a", (Column("row"), Column("x", "percent")), (("copy", 0.5),), name="both"),
        Table("b", (Column("row"), Column("x", "count")), (("copy", 3),), name="both"),
    ]
    (joined,) = joined_tables(tables)
    assert [column.kind for column in joined.columns] == ["text", "percent", "count"]
    assert joined.rows == (("copy", 0.5, None), ("copy", None, 3))


@pytest.mark.parametrize("width", ["0", "1", "60"])
def test_lines_are_printed_whatever_the_width(monkeypatch, capsys, width):
    monkeypatch.setenv("COLUMNS", width)
    print_table(Table("Title", (Column("a"), Column("b")), (("x", "y"),)), make_console())
    make_console().print("text", no_wrap=True, overflow="ignore", crop=False)
    assert "Title" in (shown := capsys.readouterr().out)
    assert "text" in shown
