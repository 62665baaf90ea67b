"""Optional dependencies: which extra installs a package that is missing."""

from mapt_bench.errors import ConfigError

__all__ = ["EXTRA_OF", "missing_extra"]

EXTRA_OF = {"torch": "model", "torchvision": "model", "fvcore": "model", "ptlflow": "flow"}
"""Importable packages that the base install lacks, with the extra that brings each."""


def missing_extra(problem: ModuleNotFoundError) -> ConfigError | None:
    """Return the error to report for a missing optional package.

    Args:
        problem: A failed import.

    Returns:
        An error that names the command to type, or ``None`` if no extra brings the package: then
        the import failed for another reason.

    Example:
        >>> print(missing_extra(ModuleNotFoundError("No module named 'torch'", name="torch")))
        this needs the package torch, which is not installed; type: pip install "mapt-bench[model]"
    """
    package = (problem.name or "").partition(".")[0]
    extra = EXTRA_OF.get(package)
    if extra is None:
        return None
    return ConfigError(
        f"this needs the package {package}, which is not installed; "
        f'type: pip install "mapt-bench[{extra}]"'
    )
