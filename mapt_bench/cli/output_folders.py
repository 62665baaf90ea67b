"""Output of commands that write a folder: where it may lie, and a file of ``--json`` in it."""

from collections.abc import Iterable
from pathlib import Path

from mapt_bench.cli.options import emit_json
from mapt_bench.errors import ConfigError

__all__ = ["check_outside", "emit_json_before"]


def check_outside(out: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output folder inside an input folder, which would have more sequences by it.

    Args:
        out: Output folder, which need not exist.
        inputs: Folders of maps and images.

    Raises:
        ConfigError: If it lies inside one, also through links.
    """
    place = out.resolve()
    for folder in inputs:
        if folder.resolve() in place.parents and folder.is_dir():
            raise ConfigError(
                f"lies inside {folder}, which this command reads; the maps written there would "
                "become part of it; choose a folder outside",
                where=out,
            )


def emit_json_before(json_file: str | None, data: object, out: Path, unfinished: Path) -> None:
    """Write the file of ``--json``, if there is one, before an output folder appears.

    So a killed command has either its JSON alone, and runs again, or both.

    Args:
        json_file: File of ``--json``, ``-`` for stdout, or ``None``.
        data: Result.
        out: Output folder.
        unfinished: Folder that becomes ``out``. A file below ``out`` is written here.

    Raises:
        ConfigError: If it has the name of a file that the command wrote to the folder.
        DataError: If it cannot be written.
    """
    if json_file is None or json_file == "-":
        return
    place, folder = Path(json_file).resolve(), out.resolve()
    if place.is_relative_to(folder):
        place = unfinished / place.relative_to(folder)
        if place.exists():
            raise ConfigError(
                "--json names a file that this command itself writes; choose another path",
                where=json_file,
            )
    emit_json(str(place), data)
