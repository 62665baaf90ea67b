"""Checks of every command: its numbers are finite, and no output replaces one of its inputs."""

import copy
import functools
import math
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mapt_bench.errors import ConfigError, DataError
from mapt_bench.files import REFUSE_INPUT, read_bytes
from mapt_bench.special_files import refuse_root

__all__ = ["OUTPUTS", "protect_inputs", "protect_named"]

OUTPUTS = "mapt_bench.outputs"
"""Key of a command's context for the output files named so far, each with its option."""

_OUTPUT_FOLDERS = frozenset({"out", "plots", "target"})
"""Parameters that name an output folder. The library takes a new one, or one of the same run."""

_DATASET, _SETUP = "dataset.json", "run.json"

_RUN = frozenset(
    {_SETUP, "plan.yaml", "results.json", "results.incomplete.json", "report.html"}
    | {"cells", "objects", "segments"}
)

_OWN_NAMES = {
    "convert": frozenset({_DATASET}),
    "track": frozenset({_DATASET, "panoptic_maps"}),
    "synth": frozenset({_DATASET, "world.json", "images", "panoptic_maps", "known"})
    | {"backward_flow", "forward_flow"},
    "tune": frozenset({_SETUP, "tuning.json", "trials.jsonl", "thresholds.json"})
    | {"cells", "segments"},
    "train": frozenset({"train.json", "weights.json", "weights.safetensors", "log.jsonl"})
    | {"curves.png", "checkpoints", "seen"},
    **dict.fromkeys(("ablate", "frontier", "run", "stress"), _RUN),
    "sweep-interval": _RUN | {"heads", "seen"},
}
"""Files and folders by which commands know their output folders again, or the data in them. The
names are repeated here, because the modules that define them load NumPy, SciPy or torch, and every
command loads this one first. A test compares them."""

_RESULT_READERS = frozenset({"compare", "flops", "history", "report"})
"""Commands whose folders hold results. Those of other commands hold frames."""


def protect_inputs(command: click.Command) -> click.Command:
    """Return a command that refuses infinite numbers, and outputs that would replace its inputs.

    Every argument and option that names an existing file or folder is an input, except output
    options: those with ``checked_output``, and the output folders.
    """
    run = command.callback
    if run is None:
        return command

    @functools.wraps(run)
    def guarded(*words: Any, **options: Any) -> Any:  # noqa: ANN401 - as the command has them
        context = click.get_current_context()
        _refuse_infinite(context)
        token = REFUSE_INPUT.set(None)
        try:
            _protect(context, tuple(_inputs(context)))
            _protect_own(context)
            return run(*words, **options)
        finally:
            REFUSE_INPUT.reset(token)

    protected = copy.copy(command)
    protected.callback = guarded
    return protected


def protect_named(values: Iterable[object]) -> None:
    """Protect what an input of the running command names, such as the data of a plan.

    Args:
        values: Paths, and text that may name some, as in options.

    Raises:
        ConfigError: If an output option names one of them.
    """
    context = click.get_current_context()
    _protect(context, (*_inputs(context), *_places(values)))


def _protect(context: click.Context, places: tuple[Path, ...]) -> None:
    """Refuse outputs that would replace a file in some places: those named so far, and later."""
    inputs = _InputFiles(places, reads_results=context.info_name in _RESULT_READERS)
    REFUSE_INPUT.set(inputs.refuse)
    for path in context.meta.get(OUTPUTS, {}):
        inputs.refuse(path)


def _protect_own(context: click.Context) -> None:
    """Refuse output files that would replace files of the command's own output folder.

    Raises:
        ConfigError: If an output file has a name that the command gives to a file or folder there.
    """
    own = _OWN_NAMES.get(context.info_name or "", frozenset())
    outputs: dict[Path, str] = context.meta.get(OUTPUTS, {})
    given = [context.params.get(name) for name in _OUTPUT_FOLDERS]
    folders = [_resolved(each) for each in given if isinstance(each, Path)]
    for path, option in outputs.items():
        for folder in folders:
            if folder is None or not path.is_relative_to(folder):
                continue
            found = own.intersection(path.relative_to(folder).parts)
            if option == "--save":  # tune writes its thresholds there without the option, too
                found -= {"thresholds.json"}
            if found:
                raise ConfigError(
                    f"{option} names a place of the output folder that this command itself uses "
                    f"({min(found)}); choose another path",
                    where=path,
                )


def _refuse_infinite(context: click.Context) -> None:
    """Refuse NaN and infinity, which click takes for numbers of any range without an end.

    Raises:
        ConfigError: If an option has such a number.
    """
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, float) and not math.isfinite(number):
                raise ConfigError(f"{parameter.opts[0]} is {number}; expected a finite number")


def _inputs(context: click.Context) -> Iterator[Path]:
    outputs = set(context.meta.get(OUTPUTS, {}).values())
    # train --snapshot reads the run of --out.
    folders = _OUTPUT_FOLDERS if context.params.get("snapshot") is None else frozenset[str]()
    for parameter in context.command.params:
        if parameter.opts[0] not in outputs and parameter.name not in folders:
            yield from _places(context.params.get(parameter.name or ""))


def _places(value: object) -> Iterator[Path]:
    """Yield the files and folders that a value names: one, several, or among other words."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, str):
        words = {value, *value.split(","), *(word.partition("=")[2] for word in value.split(","))}
        yield from filter(_exists, map(Path, sorted(words - {""})))
    elif isinstance(value, Iterable):
        for each in value:
            yield from _places(each)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a path, or with a NUL
        return False


@dataclass(frozen=True)
class _InputFiles:
    """Files that a command reads. None of its outputs may replace one, also through links.

    Attributes:
        places: Files, and folders with all that is below them.
        reads_results: Whether the folders hold results, where only JSON is read. Otherwise they
            hold frames.
    """

    places: tuple[Path, ...]
    reads_results: bool = False

    def refuse(self, path: Path) -> None:
        """Refuse an output that would replace an input.

        Earlier outputs in an input folder, such as tables, may be replaced.

        Raises:
            ConfigError: If the path is an input or a link to one, or would be read as one.
        """
        described = self._described_by(path)
        if described is not None:
            raise ConfigError(
                f"would describe the data in {described}, which this command reads; choose "
                "another path",
                where=path,
            )
        found = self._same_as(path)
        if found is not None:
            link = "" if found.absolute() == path.absolute() else f", a link to {found}"
            raise ConfigError(
                f"is an input of this command{link}; an output must not replace it; choose "
                "another path",
                where=path,
            )

    def _described_by(self, path: Path) -> Path | None:
        """Return the folder of data that a new file would describe by its name."""
        place = _resolved(path)
        if self.reads_results or path.name not in _DESCRIPTIONS or place is None or place.exists():
            return None
        for each in self.places:
            whole = _resolved(each)
            if whole is not None and whole.is_dir():
                near = (whole, *whole.parents[:_ANCESTORS])
                if place.parent in near or place.is_relative_to(whole):
                    return each
        return None

    def _same_as(self, path: Path) -> Path | None:
        for place in self.places:
            if place.absolute() == path.absolute() or _resolved(place) == _resolved(path):
                return place
        try:
            wanted = path.stat()
        except (OSError, ValueError):  # no file is there to be replaced
            return None
        if not stat.S_ISREG(wanted.st_mode):
            return None
        for found in self._files():
            with suppress(OSError):
                if os.path.samestat(found.stat(), wanted) and not self._is_output(found):
                    return found
        return None

    def _files(self) -> Iterator[Path]:
        """Yield the files, those that describe them, and those below folders."""
        seen: set[tuple[int, int]] = set()
        for place in self.places:
            whole = place.absolute()
            if whole.is_dir():
                refuse_root(whole)
                owners = [above.parent for above in (whole, *whole.parents) if above.name == _MAPS]
                for folder in (whole, *owners):
                    yield from _files_below(folder, seen)
                above = () if self.reads_results else whole.parents[:_ANCESTORS]
                for folder in above:
                    yield from filter(_is_description, _files_in(folder))
            else:
                yield whole
                yield whole.with_suffix(".json")  # the record of weights

    def _is_output(self, path: Path) -> bool:
        """Say whether a file in an input folder is an earlier output, which no command reads."""
        if path.absolute() in {place.absolute() for place in self.places}:
            return False
        suffix = path.suffix.lower()
        if suffix != ".json":
            return self.reads_results or suffix in _NEVER_READ
        with path.open("rb") as file:
            start = file.read(200)
        if start[:1] == b"[":  # a list: a code-quality report, or labels
            return self.reads_results
        stated = _SCHEMA.match(start)
        kind = stated[1].decode() if stated else ""
        return kind in _REPORTS or (kind in _RESULTS and not self.reads_results)


_MAPS = "panoptic_maps"
"""Folder of maps. The images and side-cars beside it are read too."""

_ANCESTORS = 4
"""Folders above an input whose descriptions of data may be read."""

_DESCRIPTION = re.compile(
    rb'\s*(?:\xef\xbb\xbf)?\s*\{\s*"(?:annotations|categories|images|info|licenses|videos)"'
)
"""The beginning of a JSON file in the manner of COCO."""

_DESCRIPTIONS = frozenset({_DATASET, "object_classes.yaml"})
"""Names of files that describe data, see :mod:`mapt_bench.data`."""

_NEVER_READ = frozenset({".csv", ".htm", ".html", ".markdown", ".md", ".svg", ".tex", ".xml"})
"""Suffixes that only outputs have."""

_SCHEMA = re.compile(rb'\s*\{\s*"schema":\s*"mapt-bench/([a-z-]+)/\d+"')

_REPORTS = frozenset(
    {
        "check",
        "comparison",
        "conformance",
        "convert",
        "history",
        "plan-state",
        "report",
        "show",
        "submission",
        "synth",
    }
)
"""Kinds of JSON that no command reads."""

_RESULTS = frozenset(
    {"cost", "evaluation", "evaluations", "run", "thresholds", "tracking", "training-run", "tuning"}
)
"""Kinds of JSON that only commands for results read."""


def _resolved(path: Path) -> Path | None:
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):  # a loop of links, or a NUL
        return None


def _files_below(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """Yield the files below a folder, also through links, and each folder once."""
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        with suppress(OSError):
            about = here.stat()
            if (about.st_dev, about.st_ino) in seen:
                continue
            seen.add((about.st_dev, about.st_ino))
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.is_dir():
                        waiting.append(Path(entry.path))
                    else:
                        yield Path(entry.path)


def _files_in(folder: Path) -> Iterator[Path]:
    with suppress(OSError), os.scandir(folder) as entries:
        yield from (Path(entry.path) for entry in entries if not entry.is_dir())


def _is_description(path: Path) -> bool:
    """Say whether a file in a folder above the data may describe them."""
    if path.name in _DESCRIPTIONS or path.suffix.lower() != ".json":
        return path.name in _DESCRIPTIONS
    try:
        return _DESCRIPTION.match(read_bytes(path, 200)[0]) is not None
    except (OSError, DataError):  # a named pipe describes nothing
        return False
