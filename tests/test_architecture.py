"""Who may import whom. The rules are those of CONTRIBUTING: arrows run one way."""

import ast
from collections.abc import Iterator

import pytest
from helpers.modules import MODULES, ROOT

BARE = {"metrics", "baselines", "reports", "tests", "helpers"}

# Anyone may use these; they use nobody (provenance reads the package's version).
LEAVES = {
    *("code_closure", "devices", "errors", "extras", "faults", "files", "folders", "frame_limit"),
    *(
        "mapt_switches",
        "marked_yaml",
        "numpy_files",
        "provenance",
        "special_files",
        "strict_config",
        "user_code",
        "workers",
    ),
}
LABELS = {"labels"}
FOUNDATION = {"labels", "data", "metrics", "statistics", "stress", "synthetic", "tracking"}
ALLOWED = {
    "labels": LABELS,
    "data": LABELS,
    "metrics": LABELS,
    "tracking": LABELS,
    "checkpoints": set(),
    "weights": set(),
    "synthetic": LABELS | {"data"},
    "stress": LABELS | {"data", "statistics", "synthetic"},
    "statistics": LABELS | {"data"},
    "model": LABELS | {"tracking", "checkpoints", "weights"},
    "baselines": FOUNDATION | {"checkpoints", "model", "weights"},
    "pictures": FOUNDATION,
    "evaluation": FOUNDATION | {"baselines"},
    "experiments": FOUNDATION | {"baselines", "evaluation", "weights"},
    "tuning": FOUNDATION | {"baselines", "experiments"},
    "intervals": FOUNDATION | {"baselines", "experiments", "model", "training"},
    "training": FOUNDATION | {"baselines", "model", "evaluation"},
    "profiling": FOUNDATION | {"baselines", "model"},
    "interface": FOUNDATION | {"baselines", "evaluation", "experiments", "model"},
    "results": set(),  # plain data, read back from files
    "compare": {"results", "metrics"},  # it sees results only, and the formulas of scores
    "reports": {"results"},  # it sees results only
    "report": {"labels", "metrics", "pictures", "reports", "results"},
    "cli": FOUNDATION
    | {
        "baselines",
        "model",
        "compare",
        "evaluation",
        "experiments",
        "interface",
        "intervals",
        "pictures",
        "profiling",
        "report",
        "reports",
        "results",
        "training",
        "tuning",
        "weights",
    },
    "pytest_plugin": {"compare"},
    "__main__": {"cli"},
}


def running(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only type checkers read."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for other in child.orelse:
                yield from running(other)
        else:
            yield from running(child)


def imported(tree: ast.AST) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    """Every imported name, inside functions too; ``from a import b`` gives ``a.b``."""
    for node in running(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


def dependencies(name: str, *, top_level_only: bool = False) -> set[str]:
    """The package's own modules that a module imports."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    found = set()
    for node, target in imported(tree):
        if top_level_only and node not in tree.body:
            continue
        owner = target if target in MODULES else target.rpartition(".")[0]
        if owner in MODULES and owner != name:
            found.add(owner)
    return found


def layer(name: str) -> str:
    """``mapt_bench.metrics.pq`` is of ``metrics``; ``mapt_bench`` itself is of none."""
    return name.split(".")[1] if "." in name else ""


def test_the_walk_sees_the_package():
    assert {"mapt_bench", "mapt_bench.metrics.pq", "mapt_bench.cli.main"} <= MODULES.keys()
    assert dependencies("mapt_bench.metrics.arithmetic") == set()
    assert "mapt_bench.metrics.arithmetic" in dependencies("mapt_bench.metrics.pq")
    assert dependencies("mapt_bench") == set()  # public names are imported at first use


def test_every_folder_has_its_rule():
    layers = {layer(name) for name in MODULES} - {""}
    assert layers <= ALLOWED.keys() | LEAVES


@pytest.mark.parametrize("name", MODULES)
def test_imports_run_one_way(name):
    own = layer(name)
    allowed = ALLOWED.get(own, set()) | LEAVES | {own, ""}
    outside = {target for target in dependencies(name) if layer(target) not in allowed}
    assert not outside, f"{name} may not import {sorted(outside)}"


@pytest.mark.parametrize("name", MODULES)
def test_imports_are_absolute_and_inside_the_package(name):
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    for node, target in imported(tree):
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{name}: relative import"
        assert target.split(".")[0] not in BARE, f"{name} imports {target}"


MOST_LINES = 450


def test_modules_are_short():
    folders = ("mapt_bench", "metrics", "baselines", "reports", "tools", "benchmarks")
    found = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
    }
    assert len(found) > 300
    too_long = {name: lines for name, lines in found.items() if lines > MOST_LINES}
    assert not too_long, "split modules of more than 450 lines"


def test_no_two_modules_import_each_other():
    # Imports inside functions count as well: they only hide a cycle.
    graph = {name: dependencies(name) for name in MODULES}
    while True:
        ends = {name for name, targets in graph.items() if not targets & graph.keys()}
        if not ends:
            break
        graph = {name: targets for name, targets in graph.items() if name not in ends}
    assert not graph, f"in or above a cycle: {sorted(graph)}"


LAZY = {"torch", "torchvision", "matplotlib", "pandas"}


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in MODULES
        if layer(name)
        in {"labels", "metrics", "evaluation", "weights", "results", "compare", *LEAVES}
    ],
)
def test_scoring_needs_no_heavy_package(name):
    """Not even through modules that these import."""
    seen, waiting = set(), [name]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        waiting += dependencies(current, top_level_only=True)
        tree = ast.parse(MODULES[current].read_text(encoding="utf-8"))
        heavy = {target.split(".")[0] for node, target in imported(tree) if node in tree.body}
        assert not heavy & LAZY, f"{name} reaches {sorted(heavy & LAZY)} through {current}"
