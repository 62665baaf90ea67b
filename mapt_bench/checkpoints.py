"""Weights files: read tensors only, and load them with strict checks.

Importing this module imports torch.
"""

import codecs
import pickle
import sys
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from mapt_bench.errors import DataError, a_type, listed, printable

__all__ = ["load_strictly", "read_metadata", "read_state_dict", "without_prefix"]

_SHOWN = 3
_EXPECTED = "a .safetensors file, or a state dict of torch.save"
_ZIP, _PICKLE = b"PK", b"\x80"
"""First bytes of files of torch.save: of its present format, and of the one before version 1.6."""

_ENVELOPES = ("state_dict", "model_state_dict", "model", "ema")
_CONTENT = "a state dict, or a dict that has one under " + ", ".join(
    f'"{name}"' for name in _ENVELOPES
)
_PREFIXES = ("module.", "model.", "_orig_mod.")
"""Beginnings that wrappers add to every name: DataParallel, Lightning, torch.compile."""

_POINTER = b"version https://git-lfs.github.com"
_PAGE = (b"<!doctype html", b"<html")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read named tensors from a file without running code in it.

    Args:
        path: ``.safetensors``, or a file of ``torch.save`` with a state dict, or with a dict that
            has one under ``"state_dict"``, ``"model_state_dict"``, ``"model"`` or ``"ema"``, in
            this order. Other entries are ignored.

    Returns:
        Tensors on the CPU, by name.

    Raises:
        DataError: If the file is missing or damaged, or holds anything but plain data and tensors.
    """
    if path.is_dir():
        raise DataError("is a folder; give a weights file of it", where=path)
    if not path.is_file():
        raise DataError("there is no such weights file; check the path", where=path)
    _refuse_other_files(path)
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if not _may_be_of_torch(path):
        raise DataError(f"is not a weights file; expected {_EXPECTED}; check the path", where=path)
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as problem:
        raise DataError(
            f"{_beside_tensors(path)}; it could run code, so it was not read; save only the state "
            "dict with torch.save, or write safetensors",
            where=path,
        ) from problem
    except EOFError as problem:
        raise DataError(
            "is truncated: its pickle ends too early, as after a download that stopped; expected "
            "a whole file of torch.save; download or copy it again",
            where=path,
        ) from problem
    except (OSError, RuntimeError, ValueError, KeyError) as problem:
        raise DataError(
            f"cannot be read as weights ({type(problem).__name__}: {_first_line(problem)}); "
            f"expected {_EXPECTED}; copy it again",
            where=path,
        ) from problem
    return _named_tensors(loaded, path)


_PLAIN_NAMES = {"scalar": "a NumPy scalar", "_reconstruct": "a NumPy array"}
"""What stands for the functions of ``numpy.core.multiarray`` in a pickle."""


def _beside_tensors(path: Path) -> str:
    """Name everything in a pickle that is not plain data and tensors."""
    try:
        found = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
    except Exception:  # a damaged pickle may raise anything
        found = []
    things = []
    for name in sorted(found):
        module, _, function = name.rpartition(".")
        plain = _PLAIN_NAMES.get(function) if module.endswith("core.multiarray") else None
        if plain:
            things.append(f"{plain} ({name})")
        elif module not in ("numpy", "numpy.dtypes"):  # parts of scalars and arrays
            things.append(name)
    if not things:
        return "is not a weights file, or is a pickle that is not plain tensors"
    return f"is a pickle that holds {listed(things)} beside the tensors"


def _refuse_other_files(path: Path) -> None:
    """Name files that stand in the place of weights: pointers, web pages, halves of downloads."""
    try:
        with path.open("rb") as file:
            start = file.read(64).removeprefix(codecs.BOM_UTF8)
    except OSError:
        return  # the reader reports it
    kind = None
    if not start:
        kind = f"is empty, as after a download that failed; expected {_EXPECTED}; download it again"
    elif start.startswith(_POINTER):
        kind = "is a pointer of Git LFS, not the weights themselves; fetch them with git lfs pull"
    elif start.lstrip().lower().startswith(_PAGE):
        kind = "is a web page (HTML), not weights; download the file itself, not the page about it"
    elif path.suffix == ".safetensors" and start.startswith(_ZIP):
        kind = "is a file of torch.save, not of safetensors; rename it to end in .pth"
    elif start.startswith(_ZIP + b"\x03\x04") and not zipfile.is_zipfile(path):
        kind = (
            "is truncated: its zip archive has no end, as after a download that stopped; expected "
            "a whole file of torch.save; download or copy it again"
        )
    if kind is not None:
        raise DataError(kind, where=path)


def without_prefix(
    tensors: Mapping[str, Tensor], expected: Collection[str], *, where: Path
) -> dict[str, Tensor]:
    """Remove a beginning that a wrapper has added to all names, and print a note on stderr.

    Args:
        tensors: Tensors by name.
        expected: Names of the network.
        where: Weights file, for the note.

    Returns:
        The tensors by the names of the network. Unchanged, if that gives no name of the network.
    """
    length = 0
    names = list(tensors)
    while names and not any(name[length:] in expected for name in names):
        added = next(
            (p for p in _PREFIXES if all(name.startswith(p, length) for name in names)), None
        )
        if added is None:
            return dict(tensors)
        length += len(added)
    if length and names:
        sys.stderr.write(
            f"note: {printable(str(where))}: removed {names[0][:length]!r} from the beginning of "
            f"all {len(names)} names\n"
        )
    return {name[length:]: values for name, values in tensors.items()}


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a safetensors file. Other files have none.

    Raises:
        DataError: If the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as problem:
        raise DataError(
            f"cannot be read as safetensors ({_first_line(problem)}); copy the file again",
            where=path,
        ) from problem


def load_strictly(network: nn.Module, tensors: Mapping[str, Tensor], *, where: Path) -> None:
    """Load tensors into a network. All names and shapes must be those of the network.

    Args:
        network: Network, possibly on the meta device. The tensors replace its parameters.
        tensors: Tensors by name.
        where: Weights file, for messages.

    Raises:
        DataError: If a name is missing or unknown, a shape differs, or a value is not finite.
    """
    expected = network.state_dict()
    tensors = without_prefix(tensors, expected, where=where)
    missing = [name for name in expected if name not in tensors]
    unknown = [name for name in tensors if name not in expected]
    reshaped = [
        f"{name} is {tuple(tensors[name].shape)}, expected {tuple(values.shape)}"
        for name, values in expected.items()
        if name in tensors and tensors[name].shape != values.shape
    ]
    faults = (
        *_listed("without plain values", _without_plain_values(tensors, expected)),
        *_listed("missing", missing),
        *_listed("unknown", unknown),
        *_listed("of another shape", reshaped),
    )
    if faults:
        raise DataError(
            f"the weights do not fit {type(network).__name__}: {'; '.join(faults)}; give weights "
            "of this network",
            where=where,
        )
    broken = [name for name, values in tensors.items() if not torch.isfinite(values).all()]
    if broken:
        raise DataError(
            f"the weights are not finite: {'; '.join(_listed('broken', broken))}; save them again",
            where=where,
        )
    network.load_state_dict(
        {name: tensors[name].to(values.dtype) for name, values in expected.items()},
        strict=True,
        assign=True,
    )


def _may_be_of_torch(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(2).startswith((_ZIP, _PICKLE))
    except OSError as problem:
        raise DataError(
            f"cannot be read ({problem.strerror}); check the path", where=path
        ) from problem


def _without_plain_values(
    tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> list[str]:
    """Return the entries without values, or with values of another type."""
    found = []
    for name, values in tensors.items():
        wanted = expected.get(name)
        if values.is_meta:
            found.append(f"{name} has no data")
        elif values.layout != torch.strided:
            found.append(f"{name} is sparse")
        elif wanted is not None and (
            values.is_complex() or values.is_floating_point() != wanted.is_floating_point()
        ):
            found.append(f"{name} is {values.dtype}, expected {wanted.dtype}")
    return found


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as problem:
        kind = "is truncated, or " if "incomplete" in str(problem) else ""
        raise DataError(
            f"{kind}cannot be read as safetensors ({_first_line(problem)}); copy the file again",
            where=path,
        ) from problem
    return tensors


def _named_tensors(loaded: object, path: Path) -> dict[str, Tensor]:
    content = loaded
    while isinstance(content, dict):
        inner = next((content[n] for n in _ENVELOPES if isinstance(content.get(n), dict)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, dict) or not content:
        raise DataError(
            f"holds {a_type(content)} without entries; expected {_CONTENT}",
            where=path,
        )
    nameless = [name for name in content if not isinstance(name, str)]
    if nameless:
        raise DataError(
            f"has an entry named {nameless[0]!r}, which is not a string; expected {_CONTENT}",
            where=path,
        )
    others = [name for name, value in content.items() if not isinstance(value, Tensor)]
    if others:
        raise DataError(
            f"entry {others[0]!r} is {a_type(content[others[0]])}, not a tensor; "
            f"expected {_CONTENT}",
            where=path,
        )
    return dict(content)


def _listed(fault: str, entries: list[str]) -> list[str]:
    if not entries:
        return []
    more = f" and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
    return [f"{len(entries)} {fault} ({', '.join(entries[:_SHOWN])}{more})"]


def _first_line(problem: Exception) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0] if lines else type(problem).__name__
