"""Stand-ins for the shipped weights, in a folder of their own."""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import torch
from helpers.mapt_clips import small_mapt
from safetensors.torch import save_file
from torch import nn

import mapt_bench.weights as weights_registry
from mapt_bench.baselines.flownet2.narrow import NARROW_MODEL, NarrowWidth, narrow_flownet2
from mapt_bench.model import mapt_config_to_dict
from mapt_bench.weights import CARD_SCHEMA

FINDS_MUCH = {"instance.score_threshold": 1e-4, "instance.detections": 6}
"""Settings by which untrained weights find something."""

_LINKER = weights_registry.WEIGHTS_FOLDER / f"{weights_registry.DEFAULT_MAPT}.linker.json"


def empty_weights_folder(monkeypatch, folder: Path) -> Path:
    """Make the package look for shipped weights in another, empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(weights_registry, "WEIGHTS_FOLDER", folder)
    return folder


def put_weights(folder: Path, name: str = "mapt-tiny", **changes: object) -> Path:
    """Write a small untrained MAPT with its card and the linker that ships."""
    shutil.copy(_LINKER, folder / f"{name}.linker.json")
    model = small_mapt(**{**FINDS_MUCH, **changes})
    config = mapt_config_to_dict(model.config)
    return _put(folder / f"{name}.safetensors", model, {"model_config": config})


def put_narrow_flownet2(folder: Path) -> Path:
    """Write an untrained narrow FlowNet2 with its card."""
    narrow = NarrowWidth(width=0.02, least=2)
    torch.manual_seed(0)
    record = {"model": NARROW_MODEL, "recipe": {"model_settings": asdict(narrow)}}
    return _put(folder / "flownet2-narrow.safetensors", narrow_flownet2(narrow), record)


def _put(path: Path, model: nn.Module, record: dict) -> Path:
    tensors = {key: value.contiguous() for key, value in model.state_dict().items()}
    save_file(tensors, path, metadata={"record": json.dumps(record)})
    card = {
        "schema": CARD_SCHEMA,
        "name": path.stem,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "data": {"name": "train"},
        "model_config": record.get("model_config"),
    }
    path.with_suffix(".json").write_text(json.dumps(card))
    return path
