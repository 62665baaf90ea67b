"""What a mode counts: the terms that an operator's work divides into, and the modes that sum them.

The unit is the multiply-add (MAC): one multiplication with one addition counts **one**. In the
terms that have no such pairs (biases, activations...) one number computed counts one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mapt_bench.errors import ConfigError, nearest

__all__ = ["MODES", "UNIT", "Term", "Work", "mode_terms"]

UNIT = "GMACs: 10^9 multiply-adds, a multiply-add counts one"


class Term(StrEnum):
    """A kind of work that a mode counts or leaves out."""

    MATRIX = "matrix"
    """Convolutions, also transposed and deformable ones, and products of matrices."""
    CORRELATION = "correlation"
    """Feature maps compared at displacements, as one operator."""
    SAMPLING = "sampling"
    """Bilinear reads at computed places: grid sampling, RoIAlign, deformable taps."""
    INTERPOLATION = "interpolation"
    """Arithmetic of upsampling: 4 an output for bilinear, none for nearest."""
    BIAS = "bias"
    NORM = "norm"
    ACTIVATION = "activation"
    POOLING = "pooling"
    UPSAMPLED = "upsampled"
    """Upsampled numbers, one each whatever the method, as ptflops counts them."""
    ARITHMETIC = "arithmetic"
    """Element by element or summed, between layers. No mode counts it."""


MODES: Mapping[str, frozenset[Term]] = {
    "conv": frozenset({Term.MATRIX}),
    "conv+sampling": frozenset({Term.MATRIX, Term.CORRELATION, Term.SAMPLING, Term.INTERPOLATION}),
    "ptflops": frozenset(
        {Term.MATRIX, Term.BIAS, Term.NORM, Term.ACTIVATION, Term.POOLING, Term.UPSAMPLED}
    ),
}
"""The terms of each mode. ``ptflops`` counts what the tool of that name counts for layers."""


def mode_terms(name: str) -> frozenset[Term]:
    """Return what a mode counts.

    Raises:
        ConfigError: If there is no such mode; the message suggests the nearest.
    """
    if name not in MODES:
        raise ConfigError(f"unknown mode {name!r}; {nearest(name, MODES)}")
    return MODES[name]


@dataclass(frozen=True)
class Work:
    """Operations by term. Adds up, also from 0, so that counters of plain numbers can hold it.

    Example:
        >>> layer = Work({Term.MATRIX: 8}) + Work({Term.MATRIX: 1, Term.BIAS: 2})
        >>> layer.total({Term.MATRIX}), layer.total(MODES["ptflops"])
        (9, 11)
    """

    amounts: Mapping[Term, int]

    def __add__(self, other: "Work | int") -> "Work":
        # torch's own formulas return plain FLOPs, two a multiply-add.
        more = other.amounts if isinstance(other, Work) else {Term.MATRIX: other // 2}
        terms = dict.fromkeys((*self.amounts, *more))
        return Work({term: self.amounts.get(term, 0) + more.get(term, 0) for term in terms})

    __radd__ = __add__

    def __sub__(self, other: "Work") -> "Work":
        return self + Work({term: -amount for term, amount in other.amounts.items()})

    def total(self, terms: frozenset[Term] | set[Term]) -> int:
        """Return the sum over some of the terms."""
        return sum(amount for term, amount in self.amounts.items() if term in terms)
