"""What the paper says of cost, beside what is counted here."""

from collections.abc import Callable
from typing import Any

from mapt_bench.profiling.sizes import InputSize

__all__ = ["CLAIM_SIZES", "cost_claims"]

CLAIM_SIZES = (InputSize(1024, 1920), InputSize(384, 1280))
"""1,966,080 pixels, where FlowNet2 meets its figure, and a frame of KITTI padded to 64."""

_HEAD, _FLOW = "motion-head", "flownet2"
_CLAIMED = {_HEAD: 3.50, _FLOW: 993.13}
_RATIO = 284.0
_MODE = {_HEAD: "conv", _FLOW: "ptflops"}
_NOTES = {
    _HEAD: "its widths were chosen to meet the figure: fitted, not reproduced",
    _FLOW: "the figure meets this network at 1,966,080 pixels; the paper gives no size",
}

Total = Callable[[str, InputSize, str], int]
"""Returns the operations of a whole model at a size in a mode."""


def cost_claims(models: set[str], total: Total, *, instances: int) -> list[dict[str, Any]]:
    """Return the claims about the models at hand, at both sizes.

    Each has ``name``, ``claimed``, ``measured`` (GMACs, or a ratio), ``fitted``,
    ``relative_difference`` (measured over claimed, minus 1), ``at`` (``[height, width]``),
    ``mode``, ``instances``, ``unit`` and ``note``. The ratio takes both counts in mode ``conv``.

    Args:
        models: Names that were counted.
        total: Where counts are looked up.
        instances: That the motion head was counted with.

    Note:
        Hurtado, Marvi, Mohan and Valada 2025 (arXiv:2503.09191): 3.50 GFLOPs for the motion head,
        993.13 for FlowNet2, about 284 times as many.
    """
    claims = []
    for size in CLAIM_SIZES:
        for model, claimed in _CLAIMED.items():
            if model in models:
                mode = _MODE[model]
                measured = total(model, size, mode) / 1e9
                claims.append(
                    _claim(
                        f"operations of {_title(model)}",
                        claimed,
                        measured,
                        size,
                        fitted=model == _HEAD,
                        mode=mode,
                        instances=instances,
                        unit="GMACs",
                        note=_NOTES[model],
                    )
                )
        if set(_CLAIMED) <= models:
            ratio = total(_FLOW, size, "conv") / total(_HEAD, size, "conv")
            claims.append(
                _claim(
                    "FlowNet2 over the motion head",
                    _RATIO,
                    ratio,
                    size,
                    fitted=True,
                    mode="conv",
                    instances=instances,
                    unit="times",
                    note="both in one mode; follows from the fitted widths",
                )
            )
    return claims


def _title(model: str) -> str:
    return {"motion-head": "the motion head", "flownet2": "FlowNet2"}[model]


def _claim(
    name: str, claimed: float, measured: float, size: InputSize, **more: object
) -> dict[str, Any]:
    return {
        "name": name,
        "claimed": claimed,
        "measured": measured,
        "relative_difference": measured / claimed - 1,
        "at": [size.height, size.width],
        **more,
    }
