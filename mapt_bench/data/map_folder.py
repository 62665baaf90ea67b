"""A folder of panoptic maps: its encoding and its sequences."""

from dataclasses import dataclass
from pathlib import Path

from mapt_bench.data.dataset_file import find_dataset_file
from mapt_bench.data.encodings import Encoding, detect_encoding, encoding_by_name
from mapt_bench.data.layout import IMAGES_FOLDER, Listing, list_folder, map_root
from mapt_bench.data.sequences import Report, StoredSequence, raise_problem
from mapt_bench.errors import DataError
from mapt_bench.labels import LabelSpace

__all__ = ["MapFolder", "open_maps"]


@dataclass(frozen=True, slots=True)
class MapFolder:
    """A folder of panoptic maps whose headers have been read.

    Attributes:
        folder: As it was given.
        encoding: Name of the encoding, for example ``"kitti-step"``.
        labels: Label space.
        sequences: Sorted by their parts; at least one.
    """

    folder: Path
    encoding: str
    labels: LabelSpace
    sequences: tuple[StoredSequence, ...]

    @property
    def frame_count(self) -> int:
        """Number of frames in all sequences."""
        return sum(len(sequence.frame_names) for sequence in self.sequences)


def open_maps(
    folder: Path,
    labels: LabelSpace,
    *,
    encoding: str | None = None,
    report: Report = raise_problem,
) -> MapFolder:
    """Find the sequences of a folder; only headers are read.

    Sequences lie at any depth; frames directly in the folder are one sequence. If the folder has
    a ``panoptic_maps``, the maps are sought there and nowhere else.

    Args:
        folder: Where the maps lie.
        labels: Label space.
        encoding: Name of the encoding; ``None`` takes it from the folder's ``dataset.json``, or
            finds it out from a few files.
        report: Told of every file that is unusable; by default the first one is raised.

    Raises:
        ConfigError: If the encoding is unknown.
        DataError: If there is no folder, no frame, or a file does not fit with the rest.
    """
    folder = Path(folder)
    listing = list_folder(map_root(folder), skip=frozenset({IMAGES_FOLDER}))
    chosen = _choose(folder, listing, encoding)
    problems: list[DataError] = []

    def remember(problem: DataError) -> None:
        problems.append(problem)
        report(problem)

    sequences = chosen.open(listing, labels, remember)
    if not sequences:
        first = "".join(f" (first problem: {p.where}: {p.message})" for p in problems[:1])
        raise DataError(
            f"holds no frame that can be read as {chosen.name}{first}; expected maps in the folder "
            "or in folders below it; give another folder, or name its encoding with --encoding",
            where=folder,
        )
    ordered = tuple(sorted(sequences, key=lambda sequence: sequence.parts))
    return MapFolder(folder, chosen.name, labels, ordered)


def _choose(folder: Path, listing: Listing, encoding: str | None) -> Encoding:
    if encoding is None:
        stated = find_dataset_file(folder)
        encoding = None if stated is None else stated.encoding
    return detect_encoding(listing) if encoding is None else encoding_by_name(encoding)
