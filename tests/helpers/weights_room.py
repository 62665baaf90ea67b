"""Stand-ins for the weights that ship, in a room of their own."""

import hashlib
import json
from pathlib import Path

from helpers.mapt_clips import small_mapt
from safetensors.torch import save_file

from mapt_bench.model import mapt_config_to_dict
from mapt_bench.weights import CARD_SCHEMA, room

FINDS_MUCH = {"instance.score_threshold": 1e-4, "instance.detections": 6}
"""Settings by which untrained weights find something."""


def empty_room(monkeypatch, folder: Path) -> Path:
    """Let the package have no weights but those put into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(room, "ROOM", folder)
    return folder


def put_weights(folder: Path, name: str = "mapt-tiny", **changes: object) -> Path:
    """Write a small untrained MAPT with its card."""
    model = small_mapt(**{**FINDS_MUCH, **changes})
    path = folder / f"{name}.safetensors"
    config = mapt_config_to_dict(model.config)
    tensors = {key: value.contiguous() for key, value in model.state_dict().items()}
    save_file(tensors, path, metadata={"record": json.dumps({"model_config": config})})
    card = {
        "schema": CARD_SCHEMA,
        "name": name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "data": {"name": "train"},
        "model_config": config,
    }
    path.with_suffix(".json").write_text(json.dumps(card))
    return path
