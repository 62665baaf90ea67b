"""The modules of the package, by name, wherever their folder lies in the checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FOLDERS = {
    "mapt_bench": ROOT / "mapt_bench",
    "mapt_bench.baselines": ROOT / "baselines",
    "mapt_bench.metrics": ROOT / "metrics",
    "mapt_bench.reports": ROOT / "reports",
}
"""The top of every part, by the name that it is imported as."""


def _name(package: str, folder: Path, file: Path) -> str:
    parts = file.relative_to(folder).with_suffix("").parts
    return ".".join([package, *(part for part in parts if part != "__init__")])


MODULES = {
    _name(package, folder, file): file
    for package, folder in FOLDERS.items()
    for file in sorted(folder.rglob("*.py"))  # follows no links
}
"""The file of every module."""
