"""``dataset.json``: the label space and the encoding of a folder, written beside its maps."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mapt_bench.data.layout import DATASET_FILE, MAPS_FOLDER
from mapt_bench.errors import DataError, MaptBenchError
from mapt_bench.files import write_json
from mapt_bench.labels import LabelSpace, label_space

__all__ = ["DatasetFile", "find_dataset_file", "resolve_labels", "write_dataset_file"]

_DEFAULT = "kitti-step"


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """What a ``dataset.json`` says.

    Attributes:
        path: Where it lies.
        labels: Label space of the maps.
        encoding: Name of their encoding, or ``None`` where it is to be found out.
    """

    path: Path
    labels: LabelSpace
    encoding: str | None


def find_dataset_file(folder: Path) -> DatasetFile | None:
    """Read the ``dataset.json`` of a folder, or of the data set that it is a part of.

    It lies in the folder itself or beside the ``panoptic_maps`` that is or holds the folder.

    Raises:
        DataError: If there is one and it is unreadable.
    """
    whole = Path(folder).absolute()
    owners = [place.parent for place in (whole, *whole.parents) if place.name == MAPS_FOLDER]
    for owner in (Path(folder), *owners):
        path = owner / DATASET_FILE
        if path.is_file():
            return _read(path)
    return None


def _read(path: Path) -> DatasetFile:
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        encoding = data.pop("encoding", None) if isinstance(data, dict) else None
        labels = LabelSpace.from_dict(data, where=path)
    except (OSError, ValueError, MaptBenchError) as problem:
        reason = problem.message if isinstance(problem, MaptBenchError) else problem
        raise DataError(
            f"cannot be read ({reason}); expected the label space (name, classes) and an "
            "encoding; mend or remove it",
            where=path,
        ) from problem
    return DatasetFile(path, labels, None if encoding is None else str(encoding))


def write_dataset_file(folder: Path, labels: LabelSpace, encoding: str) -> None:
    """Write ``dataset.json`` into a folder."""
    write_json(folder / DATASET_FILE, {**labels.to_dict(), "encoding": encoding})


def resolve_labels(dataset: str | None, folder: Path, *others: Path) -> LabelSpace:
    """Choose the label space: what was asked for, else what the data say, else kitti-step.

    Predictions never choose: how they are read must not depend on what somebody wrote into them.

    Args:
        dataset: Built-in name or YAML file; ``None`` to ask the data.
        folder: The data: ground truth, where there is any.
        others: Folders of predictions; what they say must agree.

    Raises:
        ConfigError: If ``dataset`` is unknown; the message suggests the nearest.
        DataError: If a ``dataset.json`` is unreadable, or one of ``others`` disagrees.
    """
    if dataset is not None:
        return label_space(dataset)
    stated = find_dataset_file(folder)
    labels = label_space(_DEFAULT) if stated is None else stated.labels
    for other in map(find_dataset_file, others):
        if other is not None and other.labels != labels:
            source = (
                f"{folder} says none and is read as {labels.name!r}"
                if stated is None
                else f"{stated.path} says {labels.name!r}{_difference(labels, other.labels)}"
            )
            raise DataError(
                f"says label space {other.labels.name!r}, but {source}; "
                f"choose one with --dataset, as in --dataset {other.labels.name}",
                where=other.path,
            )
    return labels


def _difference(left: LabelSpace, right: LabelSpace) -> str:
    return " with other classes" if left.name == right.name else ""
