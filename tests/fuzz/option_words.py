"""Words for every option of every command, read from the commands themselves."""

from functools import cache

import click
from hypothesis import strategies as st

from mapt_bench.cli import main
from tests.fuzz.odd_values import words

VALUES: dict[str, tuple[str, ...]] = {
    "--by": ("visibility", "visibility,size,density,gap"),
    "--batch": ("1", "4"),
    "--train-on": ("tiny", "in"),
    "--train-sequences": ("1", "2"),
    "--train-intervals": ("1", "1,sampled,adaptive"),
    "--train-seeds": ("0", "0,1"),
    "--train-steps": ("1", "2"),
    "--target": ("0.3", "1"),
    "--imagenet": ("w/weights.pth", "missing.pth"),
    "--minutes": ("0.01", "1"),
    "--folds": ("2", "5"),
    "--dataset": ("kitti-step", "motchallenge-step", "objects", "labels.yaml", "cityscapes"),
    "--pred-dataset": ("kitti-step", "labels.yaml"),
    "--map": ("common", "classes.yaml"),
    "--encoding": ("kitti-step", "mots-txt", "two-channel", "youtube-vis", "cityscapes", "vipseg"),
    "--gt-encoding": ("kitti-step", "mots-txt", "object-folders", "object-masks", "waymo"),
    "--sequence": ("0001", "val/0001", "crowd-0001", "*"),
    "--frames": ("2", "0001=3", "4"),
    "--size": ("6x9", "1x1", "96x160"),
    "--pat-protocol": ("present", "official", "things"),
    "--vpq-windows": ("1,2", "1", "3,1"),
    "--seed": ("0", "7"),
    "--cluster": ("tcp://127.0.0.1:1",),
    "--scheduler-file": ("scheduler.json",),
    "--scores": ("PAT,STQ", "IDSW", "HOTA,PAT"),
    "--rows": ("iou", "pred,gt", "iou,unlinked"),
    "--row": ("pred", "*", "iou"),
    "--revision": ("v1", "a b"),
    "--log-to": ("tensorboard=out/log",),
    "--json": ("-", "out/result.json"),
    "--csv": ("out/table.csv", "out/table"),
    "--latex": ("out/table.tex",),
    "--markdown": ("out/table.md",),
    "--html": ("out/page.html",),
    "--junit": ("out/junit.xml",),
    "--gitlab": ("out/quality.json",),
    "--png": ("out/plot.png",),
    "--timeline": ("out/timeline.png",),
    "--plots": ("out/plots",),
    "--save": ("out/thresholds.json",),
    "--to": ("kitti-step", "coco-panoptic", "two-channel", "cityscapes", "vipseg", "waymo"),
    "--images": ("world/images", "gt"),
    "--pred": ("pred", "gt"),
    "--rate": ("5", "0.5"),
    "--scale": ("1", "0.5"),
    "--max-drop": ("PAT=0.5", "STQ=1%"),
    "--max-rise": ("IDSW=3",),
    "--min": ("PAT=10",),
    "--max": ("IDSW=100",),
    "--exact": ("PAT", "predictions"),
    "--fail-on": ("PAT<-0.5", "IDSW>3"),
    "--gate": ("gate.yaml",),
    "--var": ("row=iou", "memory=3", "other=1"),
    "--tracker": (
        "iou",
        "sort+memory=5",
        "copy",
        "oracle",
        "unlinked",
        "flow:files",
        "sort,sort_iou_threshold=0.4",
    ),
    "--segments": ("groundtruth", "noisy", "pred"),
    "--pair": ("1", "2"),
    "--drop": ("1,2", "3"),
    "--thresholds": ("tuned", "published", "thresholds.json"),
    "--weights": ("none", "weights.safetensors"),
    "--flow-weights": ("flow:raft-small=weights.pth",),
    "--device": ("cpu",),
    "--memory": ("5",),
    "--switch": ("no-motion",),
    "--trained": ("no-motion=weights.safetensors",),
    "--reference": ("iou", "unlinked"),
    "--add": ("sort+memory",),
    "--only": ("iou",),
    "--losses": ("iou",),
    "--stressor": ("bars", "noise", "speed", "washed"),
    "--levels": ("1", "1-2", "1,2"),
    "--suite": ("nothing",),
    "--score": ("TQ", "PAT=1,recovery_f1=0.5"),
    "--trials": ("1", "2"),
    "--sampler": ("random",),
    "--split": ("val", "all"),
    "--data": ("world",),
    "--kind": ("street", "crowd"),
    "--count": ("1", "2"),
    "--labels": ("kitti-step", "cityscapes", "labels.yaml"),
    "--family": ("train", "street"),
    "--speed": ("1", "2.5"),
    "--spacing": ("1", "0.5"),
    "--similarity": ("0.3", "1"),
    "--gap": ("2",),
    "--wash": ("0.5",),
    "--objects": ("1", "3"),
    "--results": ("numbers",),
    "--config": ("recipe.yaml", "mapt-tiny"),
    "--val": ("none", "world"),
    "--set": ("steps=1", "optimizer.lr=0.01", "clips.length=2"),
    "--steps": ("1",),
    "--init": ("weights.safetensors", "weights.pth"),
    "--resume": ("weights.safetensors",),
    "--snapshot": ("out/snapshot.safetensors",),
    "--input": ("64x96", "1x3x64x96"),
    "--mode": ("conv",),
    "--instances": ("2",),
    "--warm-up": ("0",),
    "--repeats": ("1",),
    "--threads": ("1",),
    "--order": ("date", "given"),
    "--scheduler": ("scheduler.json",),
    "--gallery": ("0", "1"),
    "--max-frames": ("1", "3"),
    "-j": ("1",),
}
"""Valid values of options, which name files that the cases may have."""

OF_COMMAND: dict[tuple[str, str], tuple[str, ...]] = {
    ("show", "--frames"): ("0:2", "0", "0:9:2"),
    ("show", "--out"): ("out/a.png", "out/a.gif"),
    ("submit", "--out"): ("out/a.zip",),
    ("report", "--out"): ("out/a.html",),
    ("synth", "--frames"): ("2",),
    ("synth", "--size"): ("96x160",),
    ("synth", "--flow"): ("both", "none", "backward"),
    ("synth", "--out"): ("out/world",),
    ("evaluate", "--rows"): ("pred",),
    ("convert", "--to"): (
        *("kitti-step", "coco-panoptic", "two-channel", "cityscapes", "vipseg", "waymo"),
        *("bdd100k", "mots-txt", "youtube-vis", "palette-png", "object-masks"),
    ),
    ("check", "--images"): ("world/images",),
    ("sweep-interval", "--pair"): ("1,2",),
    ("flops", "--scores"): ("run",),
    ("tune", "--segments"): ("groundtruth",),
}
_OUT = ("out/run",)
_NEVER = frozenset({"--help", "--version", "--yes", "--measure", "--cluster"})
"""Options that wait for other machines, or for long."""


@cache
def options_of(command: str) -> tuple[click.Option, ...]:
    found = main.get_command(click.Context(main), command)
    assert found is not None
    return tuple(
        each
        for each in found.params
        if isinstance(each, click.Option) and not _NEVER & {*each.opts}
    )


def import_all() -> None:
    """Import all commands. Some of the modules draw random numbers when they are imported."""
    for command in main.list_commands(click.Context(main)):
        options_of(command)


def valid_values(command: str, option: click.Option) -> tuple[str, ...]:
    """Return words for the value of an option. Flags have none."""
    name = max(option.opts, key=len)
    if option.is_flag:
        return ()
    if (command, name) in OF_COMMAND:
        return OF_COMMAND[command, name]
    if isinstance(option.type, click.Choice):
        return tuple(map(str, option.type.choices))
    return _OUT if name == "--out" else VALUES[name]


def an_option(
    draw, command: str, *, valid: bool, unless: frozenset[str] = frozenset()
) -> list[str]:
    """Draw an option of a command with a value, which may be odd."""
    choices = [each for each in options_of(command) if max(each.opts, key=len) not in unless]
    option = draw(st.sampled_from(choices))
    name = max(option.opts, key=len)
    if option.is_flag:
        return [name]
    value = draw(
        st.sampled_from(valid_values(command, option)) if valid else odd_value(command, option)
    )
    return (
        [name, value] if draw(st.booleans()) or not name.startswith("--") else [f"{name}={value}"]
    )


def odd_value(command: str, option: click.Option) -> st.SearchStrategy[str]:
    """Return odd values: anything, a part of a valid value, or a valid value with more."""
    valid = st.sampled_from(valid_values(command, option))
    return st.one_of(
        words(),
        st.tuples(
            valid, st.sampled_from([",", "=", "x", "\u202e", ",,", "=nan", "/", "+memory=-1"])
        ).map("".join),
        st.tuples(valid, words()).map(lambda pair: pair[0].partition("=")[0] + "=" + pair[1]),
        valid.map(lambda text: text[: len(text) // 2]),
    )


def broken_words(draw, given: list[str]) -> list[str]:
    """Remove, repeat, replace or move a word."""
    at = draw(st.integers(0, max(0, len(given) - 1)))
    choice = draw(st.integers(0, 4))
    if not given or choice == 0:
        return [*given, draw(words())]
    if choice == 1:
        return given[:at] + given[at + 1 :]
    if choice == 2:
        return [*given[:at], given[at], *given[at:]]
    if choice == 3:
        return [*given[:at], draw(words()), *given[at + 1 :]]
    return given[::-1]
