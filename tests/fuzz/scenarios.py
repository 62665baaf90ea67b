"""Whole cases: valid files and words of every command, then broken in up to three places."""

import json
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from tests.fuzz import config_files, option_words, tree_breaks
from tests.fuzz.cases import Case, Entry, Tree, below, files
from tests.fuzz.map_files import (
    ENCODINGS,
    SEEDS,
    WRITTEN,
    encodings,
    images_tree,
    maps_of,
    maps_tree,
    shapes,
    side_cars,
    space_of,
)
from tests.fuzz.recorded_files import RESULTS, Recorded

Parts = tuple[str, list[str], dict[str, Entry]]
"""Format, words and files of a valid case."""

Scenario = Callable[..., Parts]

CANARIES = {
    name: Entry(data=b"open('executed', 'w').close()\n")
    for name in (
        "types.py",
        "random.py",
        "json.py",
        "struct.py",
        "operator.py",
        "numpy.py",
        "sitecustomize.py",
    )
}
"""Modules in the current folder, which must not run."""

_CONFIGURATIONS = {
    "labels.yaml": config_files.label_space_file,
    "classes.yaml": config_files.class_map_file,
    "gate.yaml": config_files.gate_file,
    "recipe.yaml": config_files.recipe_file,
}


def _dataset(encoding: str) -> list[str]:
    return ["--dataset", space_of(encoding)]


def _with_side_cars(draw, encoding: str, tree: Tree) -> dict[str, Entry]:
    """Put files beside maps that state what they are, as often as not."""
    beside = side_cars(encoding).items()
    return {**tree, **{name: entry for name, entry in beside if draw(st.integers(0, 3)) == 0}}


def check(draw, recorded: Recorded) -> Parts:
    if draw(st.integers(0, 4)) == 0:
        return "synthetic-data", ["check", "data"], below("data", recorded.folder("world"))
    encoding = draw(encodings)
    tree = _with_side_cars(draw, encoding, draw(maps_of(encoding)))
    if draw(st.integers(0, 3)) == 0:
        tree |= images_tree(suffix=draw(st.sampled_from(["png", "jpg"])))
    return encoding, ["check", "data", *_dataset(encoding)], below("data", tree)


def evaluate(draw, recorded: Recorded) -> Parts:
    del recorded
    encoding = draw(encodings)
    shape = draw(shapes)
    gt = maps_tree(encoding, *shape)
    other = encoding if draw(st.integers(0, 3)) else "kitti-step"
    pred = maps_tree(other, *shape, draw(st.sampled_from(SEEDS)))
    tree = {**below("gt", _with_side_cars(draw, encoding, gt)), **below("pred", pred)}
    words = ["evaluate", "gt", "pred", *_dataset(encoding)]
    return encoding, words, tree


def convert(draw, recorded: Recorded) -> Parts:
    del recorded
    encoding = draw(encodings)
    target = draw(st.sampled_from(WRITTEN))
    tree = _with_side_cars(draw, encoding, draw(maps_of(encoding)))
    words = ["convert", "data", "out/new", "--to", target, *_dataset(encoding)]
    return encoding, words, below("data", tree)


def submit(draw, recorded: Recorded) -> Parts:
    del recorded
    encoding = draw(st.sampled_from(ENCODINGS[:1] * 3 + ENCODINGS))
    tree = draw(maps_of(encoding))
    server = draw(st.sampled_from(["kitti-step", "motchallenge-step"]))
    return encoding, ["submit", server, "pred", "--out", "out/a.zip"], below("pred", tree)


def show(draw, recorded: Recorded) -> Parts:
    if draw(st.integers(0, 3)) == 0:
        tree = {
            **below("data", recorded.folder("world")),
            **below("pred", recorded.folder("tracks")),
        }
        return "synthetic-data", ["show", "data", "--pred", "pred", "--max-frames", "2"], tree
    encoding = draw(encodings)
    tree = below("data", draw(maps_of(encoding)))
    out = draw(
        st.sampled_from(
            [["--out", "out/a.png"], ["--timeline", "out/t.png"], [], ["--out", "out/a.gif"]]
        )
    )
    return encoding, ["show", "data", *_dataset(encoding), *out], tree


def track(draw, recorded: Recorded) -> Parts:
    tracker = draw(
        st.sampled_from(["iou", "sort+memory=5", "copy", "oracle", "unlinked", "bytetrack"])
    )
    if draw(st.booleans()):
        encoding = draw(encodings)
        words = ["track", "data", *_dataset(encoding), "--tracker", tracker, "--out", "out/tracks"]
        return encoding, words, below("data", draw(maps_of(encoding)))
    world = recorded.folder("world")
    words = ["track", "data", "--tracker", tracker, "--out", "out/tracks"]
    if draw(st.booleans()):
        words[words.index(tracker)] = "flow:files"
        words += ["--weights", "flow"]
    flow = {path[14:]: entry for path, entry in world.items() if path.startswith("backward_flow/")}
    return "synthetic-data", words, {**below("data", world), **below("flow", flow)}


_BY_NAME = {
    **{name: name for name in RESULTS},
    **{name: name for name in ("small-evaluation", "small-evaluations", "small-run")},
}
_results = st.sampled_from([*_BY_NAME, "small-evaluation", "small-run", "small-evaluations"])


def compare(draw, recorded: Recorded) -> Parts:
    name = draw(_results)
    other = name if draw(st.integers(0, 4)) else draw(_results)
    tree = files({"in/a.json": recorded.result(name), "in/b.json": recorded.result(other)})
    tree |= files({"in/gate.yaml": config_files.gate_file()})
    words = ["compare", "in/a.json", "in/b.json"]
    gate = draw(st.sampled_from([[], ["--gate", "in/gate.yaml"], ["--max-drop", "PAT=0.5"]]))
    return name, [*words, *gate], tree


def history(draw, recorded: Recorded) -> Parts:
    name, other = draw(_results), draw(_results)
    tree = files({"in/a.json": recorded.result(name), "in/b.json": recorded.result(other)})
    return name, ["history", "in/a.json", "in/b.json"], tree


def report(draw, recorded: Recorded) -> Parts:
    if draw(st.integers(0, 5)) == 0:
        return (
            "run-folder",
            ["report", "in", "--out", "out/a.html"],
            below("in", recorded.folder("run")),
        )
    name = draw(_results)
    words = ["report", "in/a.json", "--out", "out/a.html"]
    return name, words, files({"in/a.json": recorded.result(name)})


def conformance(draw, recorded: Recorded) -> Parts:
    tree = below("cases/iou_half", recorded.golden())
    if draw(st.booleans()):
        expected = json.loads(tree["cases/iou_half/expected.json"].data)
        numbers = json.dumps(expected.get("results", expected)).encode()
        tree |= files({"numbers/iou_half.json": numbers})
        return "golden-results", ["conformance", "cases", "--results", "numbers"], tree
    return "golden-case", ["conformance", "cases"], tree


def synth(draw, recorded: Recorded) -> Parts:
    del recorded
    kind = draw(st.sampled_from(["street", "crowd"]))
    words = [
        "synth",
        "--kind",
        kind,
        "--seed",
        "1",
        "--frames",
        "2",
        "--size",
        "96x160",
        "--out",
        "out/w",
    ]
    return "options", words, files({"in/labels.yaml": config_files.label_space_file()})


def _experiment(draw, recorded: Recorded, words: Sequence[str]) -> Parts:
    """Return an experiment on data, on a run to be resumed, or with thresholds."""
    tree = below("in", recorded.folder("world"))
    tree |= files({"t/thresholds.json": recorded.thresholds})
    # Most cases break what is read first, because a run takes seconds.
    all_words = [*words, "--data", "in", "--weights", "none", "--only", "iou", "--no-report"]
    if draw(st.integers(0, 2)) == 0:
        all_words += ["--thresholds", "t/thresholds.json"]
    return "synthetic-data", all_words, tree


def ablate(draw, recorded: Recorded) -> Parts:
    if draw(st.booleans()):
        tree = {**below("in", recorded.folder("world")), **below("out/run", recorded.folder("run"))}
        words = ["ablate", "--data", "in", "--weights", "none", "--only", "iou", "--no-report"]
        return "run-folder", [*words, "--out", "out/run"], tree
    return _experiment(draw, recorded, ["ablate", "--out", "out/new"])


def stress(draw, recorded: Recorded) -> Parts:
    kind, stressor = draw(
        st.sampled_from(
            [
                ("occlusion", "bars"),
                ("motion", "drop"),
                ("similarity", "washed"),
                ("image", "noise"),
            ]
        )
    )
    words = ["stress", kind, "--stressor", stressor, "--levels", "1", "--out", "out/new"]
    return _experiment(draw, recorded, words)


def sweep_interval(draw, recorded: Recorded) -> Parts:
    return _experiment(draw, recorded, ["sweep-interval", "--drop", "1,2", "--out", "out/new"])


def run(draw, recorded: Recorded) -> Parts:
    tree = {
        **below("world", recorded.folder("world")),
        **files({"in/plan.yaml": config_files.plan_file()}),
    }
    dry = draw(st.sampled_from([["--dry-run"]] * 5 + [[]]))
    return "plan", ["run", "in/plan.yaml", "--out", "out/run", *dry], tree


def tune(draw, recorded: Recorded) -> Parts:
    tree = below("in", recorded.folder("world"))
    if draw(st.booleans()):
        tree |= below("out/run", recorded.folder("tuning"))
    words = ["tune", "--data", "in", "--split", "val", "--weights", "none", "--tracker", "iou"]
    words += ["--score", "TQ", "--trials", "2", "--sampler", "random", "--out", "out/run"]
    return "run-folder", words, tree


def frontier(draw, recorded: Recorded) -> Parts:
    del draw
    words = ["frontier", "--data", "in", "--weights", "none", "--segments", "groundtruth"]
    words += ["--tracker", "iou", "--trials", "2", "--no-report", "--out", "out/run"]
    return "synthetic-data", words, below("in", recorded.folder("world"))


def track_mapt(draw, recorded: Recorded) -> Parts:
    tree = {**below("data", recorded.folder("world")), **files(recorded.weights())}
    tracker, file = draw(
        st.sampled_from([("mapt", "w/weights.safetensors"), ("flow:raft-small", "w/weights.pth")])
    )
    words = ["track", "data", "--tracker", tracker, "--weights", file, "--out", "out/tracks"]
    return "weights", words, tree


def train(draw, recorded: Recorded) -> Parts:
    del draw
    tree = {
        **below("data", recorded.folder("world")),
        **files({"in/recipe.yaml": config_files.recipe_file()}),
    }
    words = ["train", "--config", "in/recipe.yaml", "--data", "data", "--val", "none", "--dry-run"]
    return "recipe", words, tree


def flops(draw, recorded: Recorded) -> Parts:
    del recorded
    network = draw(st.sampled_from(["motion-head", "mapt-tiny", "appearance-head"]))
    words = ["flops", network, "--input", "64x96", "--mode", "conv"]
    return "options", words, files({"in/a": b""})


LIGHT: dict[Scenario, int] = {
    evaluate: 26,
    check: 20,
    convert: 14,
    compare: 8,
    submit: 6,
    report: 5,
    history: 4,
    track: 6,
    show: 4,
    conformance: 3,
    run: 3,
    synth: 2,
    ablate: 1,
    stress: 1,
    sweep_interval: 1,
    tune: 1,
    frontier: 1,
}
"""Scenarios by weight: what reads more formats, and takes less time, comes more often."""

HEAVY: dict[Scenario, int] = {track_mapt: 3, train: 2, flops: 1}
"""Scenarios that import torch."""

_TORCH_PERCENT = 2
_light = st.sampled_from([each for each, weight in LIGHT.items() for _ in range(weight)])
_heavy = st.sampled_from([each for each, weight in HEAVY.items() for _ in range(weight)])


@st.composite
def cases(draw, recorded: Recorded, *, torch: bool = True) -> Case:
    """Draw a case: a valid scenario, more options, and one to three breaks (none in a tenth)."""
    heavy = torch and draw(st.integers(0, 99)) >= 100 - _TORCH_PERCENT
    scenario = draw(_heavy if heavy else _light)
    form, words, tree = scenario(draw, recorded)
    for _ in range(draw(st.sampled_from([0, 1, 2]))):
        words = words + option_words.an_option(draw, words[0], valid=True, unless=_given(words))
    breaks = []
    for _ in range(draw(st.sampled_from([1, 1, 1, 1, 2, 2, 2, 3, 3, 0]))):
        words, tree, how = _break(draw, words, tree)
        breaks.append(how)
    if "--json" not in words and draw(st.integers(0, 2)):
        words = [*words, "--json", draw(st.sampled_from(["-", "-", "out/result.json"]))]
    tree = {**tree, **_configurations(words), **(CANARIES if draw(st.booleans()) else {})}
    words = ["--max-frame", "4096x4096", *words]
    return Case(scenario.__name__.replace("_", "-"), form, tuple(words), tree, tuple(breaks), heavy)


def _given(words: Sequence[str]) -> frozenset[str]:
    return frozenset(word.partition("=")[0] for word in words if word.startswith("-")) | {"--out"}


def _break(draw, words: list[str], tree: Tree) -> tuple[list[str], Tree, str]:
    choice = draw(st.integers(0, 9))
    if choice == 0:
        odd = option_words.an_option(draw, words[0], valid=False, unless=frozenset({"--out"}))
        return words + odd, tree, f"option {odd[0][:60]}"
    if choice == 1:
        return [words[0], *option_words.broken_words(draw, words[1:])], tree, "words"
    tree, how = tree_breaks.break_tree(draw, tree)
    return words, tree, how


def _configurations(words: Sequence[str]) -> dict[str, Entry]:
    """Return the configurations that the words name."""
    text = " ".join(words)
    return {
        name: Entry(data=make())
        for name, make in _CONFIGURATIONS.items()
        if name in text and f"/{name}" not in text
    }
