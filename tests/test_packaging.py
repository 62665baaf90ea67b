"""pyproject.toml and setup.py describe the folders as they are."""

import importlib.metadata
import importlib.resources
import runpy
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml
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


@pytest.fixture(scope="module")
def packages_and_folders():
    return runpy.run_path(str(ROOT / "setup.py"), run_name="setup")["packages_and_folders"]


def test_every_package_is_found_through_the_links(packages_and_folders):
    found, folders = packages_and_folders()
    assert sorted(found) == sorted(packages_on_disk())
    assert folders == {}


def test_every_package_is_found_in_a_checkout_without_links(packages_and_folders, tmp_path):
    for folder in FOLDERS.values():
        shutil.copytree(folder, tmp_path / folder.name, ignore=_links)
    found, folders = packages_and_folders(tmp_path)
    assert sorted(found) == sorted(packages_on_disk())
    assert folders == {name: top.name for name, top in FOLDERS.items() if name != "mapt_bench"}


def _links(folder, names):
    return [name for name in names if (Path(folder) / name).is_symlink()]


def test_every_folder_of_modules_is_a_package():
    folders = {file.parent for folder in FOLDERS.values() for file in folder.rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_root_folders_are_linked_into_the_package():
    for package, folder in FOLDERS.items():
        if package != "mapt_bench":
            assert (ROOT / "mapt_bench" / folder.name).resolve() == folder


def test_types_ship():
    assert "py.typed" in SETUPTOOLS["package-data"]["mapt_bench"]
    assert importlib.resources.files("mapt_bench").joinpath("py.typed").is_file()


def test_data_files_are_listed():
    listed = {
        path
        for package, patterns in SETUPTOOLS["package-data"].items()
        for pattern in patterns
        for path in _folder_of(package).glob(pattern)
        if path.is_file()
    }
    lying = {
        path
        for folder in FOLDERS.values()
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts and path.is_file() and path.suffix != ".py"
    }
    assert lying == listed


def _folder_of(package):
    top = max((name for name in FOLDERS if f"{package}.".startswith(f"{name}.")), key=len)
    return FOLDERS[top].joinpath(*package[len(top) :].strip(".").split("."))


def test_version_is_said_once_over():
    assert PROJECT["project"]["version"] == mapt_bench.__version__
    assert importlib.metadata.version("mapt-bench") == mapt_bench.__version__
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == mapt_bench.__version__


def test_the_command_points_at_the_group():
    assert PROJECT["project"]["scripts"] == {"mapt-bench": "mapt_bench.cli:main"}


def test_nothing_leaks_under_a_bare_name(packages_and_folders):
    tops = {package.split(".")[0] for package in packages_and_folders()[0]}
    assert tops == {"mapt_bench"}


@pytest.mark.parametrize(
    "file", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda file: file.name
)
def test_workflows_and_templates_are_yaml(file):
    assert isinstance(yaml.safe_load(file.read_text(encoding="utf-8")), dict)


def test_workflows_run_the_pythons_that_are_declared():
    text = (ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8")
    tested = yaml.safe_load(text)["jobs"]["tests"]["strategy"]["matrix"]["python"]
    prefix = "Programming Language :: Python :: 3."
    declared = [
        each.split()[-1] for each in PROJECT["project"]["classifiers"] if each.startswith(prefix)
    ]
    assert tested == declared
