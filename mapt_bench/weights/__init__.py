"""Trained weights of this package: safetensors files, each with a card."""

from mapt_bench.weights.weights_registry import (
    CARD_SCHEMA,
    DEFAULT_MAPT,
    DEFAULT_NARROW_FLOWNET2,
    ShippedWeights,
    WeightsInUse,
    shipped,
    shipped_at,
    shipped_weights,
    weights_file,
    weights_in_use,
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
