"""What the paper claims, kept apart from anything measured here."""

from typing import Any

__all__ = ["paper_claims"]

_HEADS = (("motion head alone", 0.6161), ("appearance head alone", 0.5984), ("both heads", 0.6265))
_WHY = (
    "not measured: the claim is MAPT's trained model on KITTI-STEP val; this run links given "
    "segments without training"
)


def paper_claims(experiment: str) -> list[dict[str, Any]]:
    """Return the paper's numbers that belong to an experiment, as fractions.

    Each has ``name``, ``score``, ``claimed``, ``measured``, ``difference`` and ``note``.
    ``measured`` and ``difference`` are null: no run of trackers that need no training, on whatever
    data, measures what the paper claims of its trained model, and the note says so.

    Args:
        experiment: Name of the experiment; only ``"ablate"`` has claims to stand beside.

    Note:
        Hurtado, Marvi, Mohan and Valada 2025 (arXiv:2503.09191), ablation of the heads.
    """
    if experiment != "ablate":
        return []
    return [
        {
            "name": f"PAT, {name}",
            "score": "PAT",
            "claimed": claimed,
            "measured": None,
            "difference": None,
            "note": _WHY,
        }
        for name, claimed in _HEADS
    ]
