"""The result in a run folder, and what a folder without one is."""

from pathlib import Path

from mapt_bench.errors import DataError

__all__ = ["INCOMPLETE", "RESULTS", "result_in"]

RESULTS = "results.json"
"""Result of a complete run."""

INCOMPLETE = "results.incomplete.json"
"""Result of a run with failed cells."""


def result_in(folder: Path) -> Path:
    """Return the result of a complete run.

    Args:
        folder: Run folder.

    Raises:
        DataError: If there is none. The message says whether the run is incomplete.
    """
    if (folder / RESULTS).exists():
        return folder / RESULTS
    if (folder / INCOMPLETE).exists():
        raise DataError(
            f"is an incomplete run; resume it with its command, or name its {INCOMPLETE} to use "
            "the rows that are done",
            where=folder,
        )
    if (folder / "run.json").exists():
        raise DataError(
            f"is an unfinished run without {RESULTS}; resume it with its command", where=folder
        )
    raise DataError(
        f"is a folder without {RESULTS}; expected a run folder or a result file", where=folder
    )
