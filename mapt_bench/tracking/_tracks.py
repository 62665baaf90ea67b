"""Track memory: masks and embeddings of each track, and how long they are kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Track",
    "TrackBank",
]


@dataclass(eq=False)
class Track:
    """One object over time.

    Attributes:
        track_id: Identity, from 1 upwards, never given twice in a video.
        class_id: Class; it never changes.
        born: Frame of the first observation.
        last_seen: Frame of the latest observation.
        masks: Soft mask at each frame still needed, observed or propagated.
        gallery: ``(frame, embedding)`` of observations still needed, oldest first.
    """

    track_id: int
    class_id: int
    born: int
    last_seen: int
    masks: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    gallery: list[tuple[int, NDArray[np.float32]]] = field(default_factory=list)

    def reference_frame(self, now: int, pair: int) -> int:
        """Return the frame whose state is compared with ``now``: ``now - pair`` or the birth."""
        return max(now - pair, self.born)


class TrackBank:
    """All tracks that may still be continued or recovered.

    At frame ``t`` a track is a candidate if it was observed at most ``pair + memory`` frames ago
    (of intervals that change, the longest ``pair``).
    It is *lost* if it was not observed in any of the ``pair`` frames before ``t``; with
    ``memory = 0`` no lost track is a candidate.

    Args:
        pair: Pairing interval: ``t`` is compared with the state of frame ``t - pair``, or with
            that of its birth where a track is younger. It may change from frame to frame.
        longest_pair: Longest pairing interval. Candidates were observed at most ``longest_pair +
            memory`` frames ago, whatever the interval of a frame is.
        memory: Frames that a lost track is kept for.
        gallery_size: Embeddings kept of each track for its recovery once it is lost.
    """

    def __init__(self, *, pair: int, longest_pair: int, memory: int, gallery_size: int) -> None:
        self.pair = pair
        self.longest_pair = longest_pair
        self.memory = memory
        self.gallery_size = gallery_size
        self.tracks: list[Track] = []
        self._given = 0

    def candidates(self, now: int) -> list[Track]:
        """Forget the tracks lost for too long and return the rest, oldest first."""
        reach = self.longest_pair + self.memory
        self.tracks = [track for track in self.tracks if now - track.last_seen <= reach]
        return self.tracks

    def is_lost(self, track: Track, now: int) -> bool:
        """Whether a track was not observed in any of the ``pair`` frames before ``now``."""
        return now - track.last_seen > self.pair

    def reference_embeddings(self, track: Track, now: int) -> list[NDArray[np.float32]]:
        """Return the embeddings that a track is compared by at ``now``.

        The latest observation at or before ``now - pair``, else the earliest one; of a lost track
        the last ``gallery_size`` of them, so that memory changes nothing for tracks in view.
        """
        known = [embedding for frame, embedding in track.gallery if frame <= now - self.pair]
        if not known:
            return [embedding for _, embedding in track.gallery[:1]]
        return known[-self.gallery_size :] if self.is_lost(track, now) else known[-1:]

    def observe(
        self,
        track: Track,
        now: int,
        mask: NDArray[np.float32] | None,
        embedding: NDArray[np.float32] | None,
    ) -> None:
        """Record the observation of a track at ``now``."""
        track.last_seen = now
        if mask is not None:
            track.masks[now] = mask
        if embedding is not None:
            track.gallery.append((now, embedding))

    def begin(
        self,
        class_id: int,
        now: int,
        mask: NDArray[np.float32] | None,
        embedding: NDArray[np.float32] | None,
    ) -> Track:
        """Start a track with an identity that was never given before."""
        self._given += 1
        track = Track(self._given, class_id, born=now, last_seen=now)
        self.observe(track, now, mask, embedding)
        self.tracks.append(track)
        return track

    def carry_on(self, tracks: Sequence[Track], now: int, masks: NDArray[np.float32]) -> None:
        """Keep propagated masks ``(n, h, w)`` as the state of tracks not found at ``now``."""
        for track, mask in zip(tracks, masks, strict=True):
            if track.last_seen < now:
                track.masks[now] = mask

    def forget_before(self, now: int) -> None:
        """Drop states that no frame after ``now`` will refer to."""
        oldest = now + 1 - self.longest_pair
        for track in self.tracks:
            track.masks = {frame: mask for frame, mask in track.masks.items() if frame >= oldest}
            settled = sum(frame <= oldest for frame, _ in track.gallery)
            del track.gallery[: max(0, settled - self.gallery_size)]
