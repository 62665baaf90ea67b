"""Notes on what a search over settings left out: trackers and sequences, with the reasons."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from mapt_bench.errors import listed

__all__ = ["skipped_notes"]


def skipped_notes(skipped: Sequence[Mapping[str, str]], trackers: str) -> list[str]:
    """Return a note on the trackers that were left out, and one on the sequences.

    Args:
        skipped: Entries ``skipped`` of a result: ``tracker``, ``reason``, and ``sequence`` for a
            sequence that no tracker ran on.
        trackers: Beginning of the note on trackers.

    Example:
        >>> skipped_notes([{"tracker": "both", "reason": "needs images"}], "Not tuned")
        ['Not tuned: both (needs images).']
    """
    left_out = [(each["tracker"], each["reason"]) for each in skipped if "sequence" not in each]
    sequences = [(each["sequence"], each["reason"]) for each in skipped if "sequence" in each]
    return [
        *([f"{trackers}: {_by_reason(left_out, ', '.join)}."] if left_out else []),
        *([f"Sequences left out: {_by_reason(sequences, listed)}."] if sequences else []),
    ]


def _by_reason(places: Sequence[tuple[str, str]], joined: Callable[[Iterable[str]], str]) -> str:
    names: dict[str, list[str]] = {}
    for name, reason in places:
        names.setdefault(reason, []).append(name)
    return "; ".join(f"{joined(found)} ({reason})" for reason, found in names.items())
