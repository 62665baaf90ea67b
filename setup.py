"""Find the packages of mapt_bench, with and without symbolic links.

Three sub-packages lie at the root of the checkout and are linked into ``mapt_bench``. A checkout
without symbolic links (git on Windows writes a text file in place of each) is mapped by hand.
"""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
LINKED = ("baselines", "metrics", "reports")


def packages_and_folders(root: Path = ROOT) -> tuple[list[str], dict[str, str]]:
    """Return the names of all packages, and the folders of those that lie beside ``mapt_bench``.

    Args:
        root: Folder of the checkout.
    """
    inside = find_packages(str(root), include=["mapt_bench", "mapt_bench.*"])
    if all((root / "mapt_bench" / name).is_dir() for name in LINKED):
        return inside, {}
    beside = [
        package
        for name in LINKED
        for package in find_packages(str(root), include=[name, f"{name}.*"])
    ]
    mapped = {f"mapt_bench.{name}": name for name in LINKED}
    return [*inside, *(f"mapt_bench.{package}" for package in beside)], mapped


if __name__ == "__main__":
    found, folders = packages_and_folders()
    setup(packages=found, package_dir=folders)
