"""Output of commands that write a folder: a file of ``--json`` beside it or in it."""

from pathlib import Path

from mapt_bench.cli.options import emit_json

__all__ = ["emit_json_before"]


def emit_json_before(json_file: str | None, data: object, out: Path, unfinished: Path) -> None:
    """Write the file of ``--json``, if there is one, before an output folder appears.

    So a killed command has either its JSON alone, and runs again, or both.

    Args:
        json_file: File of ``--json``, ``-`` for stdout, or ``None``.
        data: Result.
        out: Output folder.
        unfinished: Folder that becomes ``out``. A file below ``out`` is written here.
    """
    if json_file is None or json_file == "-":
        return
    place, folder = Path(json_file).resolve(), out.resolve()
    if place.is_relative_to(folder):
        place = unfinished / place.relative_to(folder)
    emit_json(str(place), data)
