"""What pyproject.toml says is what lies in the folders."""

import importlib.metadata
import importlib.resources
import tomllib

from helpers.modules import FOLDERS, ROOT

import mapt_bench

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]


def packages_on_disk():
    return {
        ".".join([package, *file.parent.relative_to(folder).parts])
        for package, folder in FOLDERS.items()
        for file in folder.rglob("__init__.py")
    }


def test_every_package_is_listed():
    assert set(SETUPTOOLS["packages"]) == packages_on_disk()
    assert SETUPTOOLS["packages"] == sorted(SETUPTOOLS["packages"])


def test_every_folder_of_modules_is_a_package():
    folders = {file.parent for folder in FOLDERS.values() for file in folder.rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_root_folders_are_mapped_into_the_package():
    expected = {package: folder.name for package, folder in FOLDERS.items()}
    assert SETUPTOOLS["package-dir"] == expected


def test_types_ship():
    assert "py.typed" in SETUPTOOLS["package-data"]["mapt_bench"]
    assert importlib.resources.files("mapt_bench").joinpath("py.typed").is_file()


def test_data_files_are_listed():
    listed = {
        path
        for package, patterns in SETUPTOOLS["package-data"].items()
        for pattern in patterns
        for path in _folder_of(package).glob(pattern)
    }
    lying = {
        path
        for folder in FOLDERS.values()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }
    assert lying == listed


def _folder_of(package):
    top = max((name for name in FOLDERS if f"{package}.".startswith(f"{name}.")), key=len)
    return FOLDERS[top].joinpath(*package[len(top) :].strip(".").split("."))


def test_version_is_said_once_over():
    assert PROJECT["project"]["version"] == mapt_bench.__version__
    assert importlib.metadata.version("mapt-bench") == mapt_bench.__version__


def test_the_command_points_at_the_group():
    assert PROJECT["project"]["scripts"] == {"mapt-bench": "mapt_bench.cli:main"}


def test_nothing_leaks_under_a_bare_name():
    tops = {package.split(".")[0] for package in SETUPTOOLS["packages"]}
    assert tops == {"mapt_bench"}
