"""The page in a browser: no complaint, no request, every picture loaded, sorting and filters."""

import json

import pytest
from helpers.browser import find_browser, open_browser
from helpers.results import evaluation, run, sweep

from mapt_bench.report import write_report

pytestmark = pytest.mark.skipif(find_browser() is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    names = {
        f"<b>{at}": {**evaluation()["per_sequence"]["0001"], "PAT": at / 20} for at in range(9)
    }
    documents = [run(), sweep(), evaluation("</script><script>x()</script>", per_sequence=names)]
    paths = []
    for at, document in enumerate(documents):
        paths.append(folder / f"{at}.json")
        paths[-1].write_text(json.dumps(document))
    write_report(paths, folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_is_quiet_and_fits(page, file, width, dark):
    page.show(width, dark=dark)
    page.open(file)
    assert page.run("document.querySelectorAll('section').length") > 5
    assert page.complaints() == []
    assert page.requests() == [file.resolve().as_uri()]
    assert page.run("[...document.images].every((each) => each.complete && each.naturalWidth)")
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    shown = "[...document.querySelectorAll('.chart svg')].filter((each) => each.clientWidth)"
    kind = "narrow" if width < 640 else "wide"
    assert page.run(f"{shown}.map((each) => each.className.baseVal)") == [kind] * page.run(
        "document.querySelectorAll('.chart').length"
    )
    pictures = "[...document.querySelectorAll('.picture .scroll')]"
    assert page.run(f"{pictures}.every((each) => each.scrollWidth <= each.clientWidth)")
    links = "[...document.querySelectorAll('a[href^=\"#\"]')]"
    assert page.run(f"{links}.every((each) => document.querySelector(each.hash))")


def test_tables_sort_and_filter(page, file):
    page.show(1280)
    page.open(file)
    first = "table.tBodies[0].rows[0].cells[0].textContent"
    find = (
        "const table = [...document.querySelectorAll('table')]"
        ".find((each) => each.caption.textContent.startsWith('Sequences that cost <'));"
    )
    assert page.run(f"{{ {find} {first} }}") == "<b>0"
    click = "table.tHead.rows[0].querySelector('th:last-child button').click();"
    assert page.run(f"{{ {find} {click} {click} {first} }}") == "<b>8"
    assert page.run(f"{{ {find} table.querySelector('th:last-child').ariaSort }}") == "ascending"
    type_in = (
        "const input = table.parentElement.parentElement.querySelector('input');"
        "input.value = '<b>3'; input.dispatchEvent(new Event('input'));"
    )
    count = "[...table.tBodies[0].rows].filter((row) => row.offsetHeight).length"
    assert page.run(f"{{ {find} {type_in} {count} }}") == 1


@pytest.mark.parametrize("width", [1280, 400])
def test_tables_that_are_cut_say_so(page, file, width):
    page.show(width)
    page.open(file)
    page.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    shown = "filter((each) => !each.closest('details:not([open])'))"
    boxes = f"[...document.querySelectorAll('.wide-table')].{shown}"
    cut = "each.scrollWidth > each.clientWidth + 1"
    hint = "each.previousElementSibling"
    assert page.run(f"{boxes}.every((each) => {hint}.className === 'hint')")
    assert page.run(f"{boxes}.every((each) => {hint}.hidden !== ({cut}))")
    if width < 640:
        assert page.run(f"{boxes}.some((each) => {cut})")
        told = page.run(f"{hint.replace('each', f'{boxes}.find((each) => {cut})')}.textContent")
        assert told.endswith(": scroll →")


def test_names_of_rows_stay_in_sight_on_a_phone(page, file):
    page.show(400)
    page.open(file)
    found = page.run("""(() => {
      const boxes = [...document.querySelectorAll(".wide-table")]
        .filter((each) => each.scrollWidth > each.clientWidth + 40);
      return boxes.map((each) => {
        each.scrollLeft = 40;
        const left = (cell) => cell.getBoundingClientRect().left;
        const names = [each.querySelector("thead th"), each.querySelector("tbody th")];
        return names.map((cell) => Math.round(left(cell) - left(each)));
      });
    })()""")
    assert found
    assert all(each == [0, 0] for each in found)


def test_tables_fit_on_paper(page, file):
    page.show(794, media="print")  # A4
    page.open(file)
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    head = "[...document.querySelectorAll('thead th.n')][0]"
    assert page.run(f"getComputedStyle({head}).whiteSpace") == "normal"
    assert not page.run("[...document.querySelectorAll('.hint')].some((each) => each.offsetHeight)")
    # Numbers stay in one piece.
    cell = "[...document.querySelectorAll('td.n')][0]"
    assert page.run(f"getComputedStyle({cell}).overflowWrap") == "break-word"


def test_the_page_works_without_scripts(page, file):
    page.show(400, scripts=False)
    page.open(file)
    page.show(400)
    assert page.complaints() == []
    assert page.run("document.querySelectorAll('th button').length") == 0
    assert page.run("document.querySelectorAll('td').length") > 50


def test_texts_have_contrast(page, file):
    """Text is at least 4.5:1 on its background, in light and dark."""
    ratio = """(() => {
      const light = (text) => {
        const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map((each) => each / 255)
          .map((each) => each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
          const color = getComputedStyle(at).backgroundColor;
          if (!color.endsWith(", 0)")) return color;
        }
        return "rgb(255, 255, 255)";
      };
      let least = 99;
      for (const each of document.querySelectorAll("body *")) {
        if (!each.textContent.trim() || each.closest("svg")) continue;
        const style = getComputedStyle(each);
        const pair = [light(style.color), light(ground(each))].sort((a, b) => b - a);
        least = Math.min(least, (pair[0] + 0.05) / (pair[1] + 0.05));
      }
      return least;
    })()"""
    for dark in (False, True):
        page.show(1280, dark=dark)
        page.open(file)
        assert page.run(ratio) >= 4.5
