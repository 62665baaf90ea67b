"""Trained weights that come with the package: safetensors files, each with its card."""

from mapt_bench.weights.in_use import WeightsInUse, weights_in_use
from mapt_bench.weights.room import (
    CARD_SCHEMA,
    DEFAULT_MAPT,
    DEFAULT_NARROW_FLOWNET2,
    ShippedWeights,
    shipped,
    shipped_at,
    shipped_weights,
    weights_file,
)

__all__ = [
    "CARD_SCHEMA",
    "DEFAULT_MAPT",
    "DEFAULT_NARROW_FLOWNET2",
    "ShippedWeights",
    "WeightsInUse",
    "shipped",
    "shipped_at",
    "shipped_weights",
    "weights_file",
    "weights_in_use",
]
