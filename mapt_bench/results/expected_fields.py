"""Faults of a result file: fields that are missing or have another type."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mapt_bench.errors import DataError

__all__ = ["expecting_fields"]


@contextmanager
def expecting_fields(file: Path | str, schema: object) -> Iterator[None]:
    """Report values of a result that the block cannot use as faults of its file.

    Args:
        file: File or files of the result.
        schema: What the result should be.

    Raises:
        DataError: If a field is missing or has another type in the block.
    """
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as problem:
        raise DataError(
            f"does not have the fields of {schema} ({type(problem).__name__}: {problem}); "
            "write it again with this version of mapt-bench",
            where=file,
        ) from problem
