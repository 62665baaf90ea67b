"""Mutation tests of the metrics: change one place of the code, and see whether a test fails.

python tools/mutate.py --each 40 --out mutants.jsonl
python tools/mutate.py --report mutants.jsonl

Each place has one mutant, which the seed draws from the operators of cosmic-ray. Mutants that
differ in annotations or in decorators of data classes only are omitted. A mutant runs in a fork,
with the tests that reach its line, the fastest first, until one fails.

The file of results grows by a line for each mutant. The same command resumes a stopped run, and a
larger --each adds mutants. A file beside it, .lines.json, keeps the tests that reach each line:
remove it when code or tests change. Linux only.
"""

import argparse
import ast
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import SourceFileLoader
from itertools import islice
from pathlib import Path
from typing import Any

import coverage
import hypothesis
import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "mapt_bench.metrics"
FOLDER = ROOT / "mapt_bench" / "metrics"
TESTS = ("tests/metrics", "tests/evaluation/test_conformance_check.py")
_PREPARED = ("numpy", "scipy.optimize", "scipy.sparse", "pandas", "PIL.Image")
_SECONDS = 90.0  # of a mutant that never ends
_OMITTED = ("core/ReplaceComparisonOperator_Is_", "core/ReplaceComparisonOperator_IsNot_")
"""``x is 3`` is a warning of Python, and no likely mistake."""

_NO_BEHAVIOUR = ("import ", "from ", "@dataclass", "@overload", "*,")
"""Lines of imports, and of signatures and decorators that guard against mistakes only."""


@dataclass(frozen=True)
class Mutant:
    """One changed place.

    Attributes:
        module: Name of the file.
        line: Line of the place, from 1.
        column: Column of the place.
        operator: Name of the operator of cosmic-ray.
        code: Code of the module.
    """

    module: str
    line: int
    column: int
    operator: str
    code: str

    @property
    def key(self) -> str:
        """Name of the mutant in the file of results."""
        return f"{self.module}:{self.line}:{self.column} {self.operator}"


def main() -> int:
    """Run mutants, or print what the file of results says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=20, help="mutants of each module, 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw")
    parser.add_argument("--module", action="append", help="only this file, such as pq.py")
    parser.add_argument("--out", type=Path, default=Path("mutants.jsonl"), help="file of results")
    parser.add_argument("--again", action="store_true", help="run the survivors again")
    parser.add_argument("--report", type=Path, help="print the counts and survivors of this file")
    given = parser.parse_args()
    if given.report is not None:
        print(report(given.report))
        return 0
    os.chdir(ROOT)
    for name in _PREPARED:
        import_module(name)
    hypothesis.settings.load_profile("ci")  # draws the same examples for each mutant
    modules = given.module or sorted(path.name for path in FOLDER.glob("*.py"))
    done = {} if not given.out.exists() else _results(given.out)
    if given.again:
        done = {key: row for key, row in done.items() if row["killed"]}
    known = given.out.with_suffix(".lines.json")
    reached = json.loads(known.read_text()) if known.exists() else _in_fork(_reached)
    known.write_text(json.dumps(reached))
    drawn = {module: islice(draw(module, given.seed), given.each or None) for module in modules}
    with given.out.open("a") as file:
        while drawn:  # in turns, so that a stopped run has as many mutants of each module
            for module in list(drawn):
                mutant = next(drawn[module], None)
                if mutant is None:
                    del drawn[module]
                elif mutant.key not in done:
                    row = examine(mutant, reached)
                    file.write(json.dumps(row) + "\n")
                    file.flush()
                    print(f"{'killed  ' if row['killed'] else 'SURVIVED'} {mutant.key}", flush=True)
    return 0


def draw(module: str, seed: int) -> Iterator[Mutant]:
    """Yield the mutants of a module in the order of a random draw: one for each place."""
    code = (FOLDER / module).read_text()
    lines = code.splitlines()
    places: dict[tuple[Any, str], list[tuple[str, int]]] = defaultdict(list)
    nodes = list(ast_nodes(get_ast(code)))
    for name in operator_names():
        operator = get_operator(name)
        if operator.arguments() or name.startswith(_OMITTED):
            continue
        found = (start for node in nodes for start, _ in operator().mutation_positions(node))
        for at, start in enumerate(found):
            places[start, name.split("_")[0]].append((name, at))
    dice = random.Random(f"{seed} {module}")  # noqa: S311 - not for secrets
    order = sorted(places)
    dice.shuffle(order)
    plain = _without_annotations(code)
    for (line, column), family in order:
        choices = places[(line, column), family]
        name, at = dice.choice(choices)
        changed = mutate_code(code, get_operator(name)(), at)
        if changed is None or lines[line - 1].lstrip().startswith(_NO_BEHAVIOUR):
            continue
        with suppress(SyntaxError):
            if _without_annotations(changed) != plain:
                yield Mutant(module, line, column, name.removeprefix("core/"), changed)


def _without_annotations(code: str) -> str:
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
    return ast.dump(tree)


def examine(mutant: Mutant, reached: Mapping[str, Any]) -> dict[str, Any]:
    """Run the tests that reach a mutant, and return the result as a line of the file."""
    names = reached["lines"].get(mutant.module, {})
    tests = names.get(str(mutant.line))
    if not tests:  # a line that runs at the import: all tests in files that reach the module
        files = {test.partition("::")[0] for each in names.values() for test in each}
        tests = [test for test in reached["seconds"] if test.partition("::")[0] in files]
    tests = sorted(tests, key=lambda test: reached["seconds"].get(test, 0.0))
    start = time.monotonic()
    said = _in_fork(_failed, mutant, tests) if tests else {"killed": False, "by": "no test"}
    old = (FOLDER / mutant.module).read_text().splitlines()
    new = mutant.code.splitlines()
    changed = [(a.strip(), b.strip()) for a, b in zip(old, new, strict=False) if a != b]
    return {
        "key": mutant.key,
        "module": mutant.module,
        "line": mutant.line,
        "operator": mutant.operator,
        "was": changed[0][0] if changed else "",
        "is": changed[0][1] if changed else "",
        "tests": len(tests),
        "seconds": round(time.monotonic() - start, 1),
        **said,
    }


def _in_fork(act: Any, *words: Any) -> dict[str, Any]:  # noqa: ANN401 - any function
    """Return what a function returns in a fork, or that the fork died."""
    with tempfile.TemporaryDirectory() as name:
        answer = Path(name) / "answer.json"
        process = os.fork()
        if process == 0:
            _settle(Path(name))
            try:
                answer.write_text(json.dumps(act(*words)))
            finally:
                os._exit(0)
        _, _ = os.waitpid(process, 0)
        if not answer.exists():
            return {"killed": True, "by": "the time limit, or a crash"}
        return dict(json.loads(answer.read_text()))


def _settle(folder: Path) -> None:
    os.setsid()
    silent = os.open(folder / "said", os.O_WRONLY | os.O_CREAT)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    os.environ |= {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    sys.path.insert(0, str(ROOT))
    tempfile.tempdir = None


class _Watch:
    """Notes the time of each test, the lines that it reaches, and the first that fails."""

    def __init__(self, measured: coverage.Coverage | None = None) -> None:
        self.seconds: Counter[str] = Counter()
        self.failed = ""
        self._measured = measured

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if self._measured is not None:
            self._measured.switch_context(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed and not self.failed:
            self.failed = report.nodeid


_WORDS = (
    "-q",
    "-x",
    "--assert=plain",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "--no-header",
    "--tb=no",
)


def _reached() -> dict[str, Any]:
    """Return the tests that reach each line, and the time of each test."""
    measured = coverage.Coverage(data_file=None, source=[str(FOLDER), str(FOLDER.resolve())])
    watch = _Watch(measured)
    measured.start()
    code = pytest.main([*_WORDS, *TESTS], plugins=[watch])
    measured.stop()
    if code != 0:
        raise SystemExit(f"the tests fail without a mutant: {watch.failed}")
    data = measured.get_data()
    lines = {}
    for path in data.measured_files():
        found = data.contexts_by_lineno(path)
        lines[Path(path).name] = {line: [t for t in tests if t] for line, tests in found.items()}
    return {"lines": lines, "seconds": watch.seconds}


def _failed(mutant: Mutant, tests: Sequence[str]) -> dict[str, Any]:
    """Run tests with a mutant in place of its module, in this process."""
    limit = int(_SECONDS)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    signal.alarm(4 * limit)
    own, get_code = f"{PACKAGE}.{mutant.module.removesuffix('.py')}", SourceFileLoader.get_code

    def mutated(loader: SourceFileLoader, name: str) -> Any:  # noqa: ANN401 - a code object
        if name in (own, own.removesuffix(".__init__")):
            return compile(mutant.code, str(FOLDER / mutant.module), "exec")
        return get_code(loader, name)

    SourceFileLoader.get_code = mutated  # type: ignore[method-assign, assignment]
    watch = _Watch()
    code = pytest.main([*_WORDS, *tests], plugins=[watch])
    return {"killed": code != 0, "by": watch.failed or ("import" if code else "")}


def _results(file: Path) -> dict[str, dict[str, Any]]:
    rows = (json.loads(line) for line in file.read_text().splitlines())
    return {row["key"]: row for row in rows}


def report(file: Path) -> str:
    """Return the counts by module and the surviving mutants, in Markdown."""
    rows = list(_results(file).values())
    lines = ["| module | mutants | killed | survived |", "|---|---|---|---|"]
    lines += _counted(rows)
    lines += ["", "| survivor | was | is |", "|---|---|---|"]
    for row in sorted(rows, key=lambda row: (row["module"], row["line"])):
        if not row["killed"]:
            was, now = (row[key].replace("|", "\\|") for key in ("was", "is"))
            lines.append(f"| {row['module']}:{row['line']} | `{was}` | `{now}` |")
    return "\n".join(lines)


def _counted(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    by_module: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_module[row["module"]].append(row)
    by_module["all"] = list(rows)
    for module, some in sorted(by_module.items(), key=lambda pair: (pair[0] == "all", pair[0])):
        killed = sum(row["killed"] for row in some)
        yield f"| {module} | {len(some)} | {killed} | {len(some) - killed} |"


if __name__ == "__main__":
    sys.exit(main())
