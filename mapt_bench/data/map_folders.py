"""Folders of panoptic maps: open one, and match the sequences of two."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mapt_bench.data.dataset_file import Extents, find_dataset_file, resolve_labels
from mapt_bench.data.encodings import (
    Encoding,
    Lacks,
    detect_encoding,
    encoding_by_name,
    encoding_suffixes,
)
from mapt_bench.data.encodings.youtube_vis import results_of_videos, score_notes
from mapt_bench.data.folder_layout import (
    DEPTH_FOLDER,
    IMAGE_SUFFIXES,
    IMAGES_FOLDER,
    MAPS_FOLDER,
    Listing,
    list_folder,
    map_root,
)
from mapt_bench.data.matching import Parts, joined, match_by_suffix
from mapt_bench.data.sequences import (
    OpenEnded,
    Report,
    StoredSequence,
    aligned,
    moment,
    raise_problem,
    with_void_of,
)
from mapt_bench.errors import ConfigError, DataError, counted, listed, nearest, whole_number
from mapt_bench.frame_limit import check_frame
from mapt_bench.labels import LabelSpace, MapSequence

__all__ = [
    "MapFolder",
    "match_sequences",
    "matching_notes",
    "open_maps",
    "select_sequences",
]


_DEPTH = 4  # the folder, <split>, panoptic_maps, and the folder of images and maps


@dataclass(frozen=True, slots=True)
class MapFolder:
    """A folder of panoptic maps. Only file headers have been read.

    Attributes:
        folder: Folder, as given.
        encoding: Name of the encoding, for example ``"kitti-step"``.
        labels: Label space.
        sequences: At least one sequence, sorted by parts.
        notes: What was read in a way that may surprise, one line each.
        lacks: What the maps cannot state.
    """

    folder: Path
    encoding: str
    labels: LabelSpace
    sequences: tuple[StoredSequence, ...]
    notes: tuple[str, ...] = ()
    lacks: Lacks = field(default_factory=Lacks)

    @property
    def frame_count(self) -> int:
        """Number of frames in all sequences."""
        return sum(len(sequence.frame_names) for sequence in self.sequences)


def open_maps(
    folder: Path | str,
    labels: LabelSpace | str | Path | None = None,
    *,
    encoding: str | None = None,
    extents: Extents | None = None,
    report: Report = raise_problem,
) -> MapFolder:
    """Find the sequences of a folder. Only headers are read.

    Sequences are found at any depth. Frames directly in the folder are one sequence. If the folder
    has a ``panoptic_maps``, the maps are searched only there.

    Args:
        folder: Folder of the maps.
        labels: Label space, its built-in name or YAML file. ``None`` reads the folder's
            ``dataset.json``, and takes ``kitti-step`` where there is none.
        encoding: Name of the encoding. ``None`` reads it from the folder's ``dataset.json``, or
            detects it from a few files.
        extents: Lengths and sizes of sequences that the files do not state, in addition to those in
            ``dataset.json`` and those of ``images`` beside the maps.
        report: Receives the problem of every unusable file. By default the first one is raised.

    Raises:
        ConfigError: If the encoding is unknown.
        DataError: If there is no folder or no frame, or a file differs from the rest.
    """
    folder = Path(folder)
    labels = resolve_labels(labels, folder)
    listing = list_folder(
        map_root(folder),
        skip=frozenset({IMAGES_FOLDER, DEPTH_FOLDER}),
        suffixes=encoding_suffixes(),
    )
    _refuse_files_of_one_frame(listing)
    chosen = _choose(folder, listing, labels, encoding)
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
    stated = find_dataset_file(folder)
    lacks = chosen.lacks(listing, labels)
    objects_only = stated is not None and stated.objects_only and not lacks.stuff
    extended = [_extended(sequence, folder, extents) for sequence in sequences]
    for sequence in extended:
        size = sequence.known_size if isinstance(sequence, OpenEnded) else sequence.size
        if size is not None:  # stated by an option or another file
            check_frame(*size, folder, what=f"a frame of {sequence.parts[-1]}")
    sequences = tuple(
        with_void_of(sequence, labels, objects_only=objects_only) for sequence in extended
    )
    ordered = tuple(sorted(sequences, key=lambda sequence: sequence.parts))
    lacks = replace(lacks, stuff=lacks.stuff or objects_only)
    notes = (*_split_notes(listing), *score_notes(ordered))
    return MapFolder(folder, chosen.name, labels, ordered, notes, lacks)


def _split_notes(listing: Listing) -> tuple[str, ...]:
    split = Counter(entry.path for entry in listing.folders if entry.prefix_pieces)
    return tuple(
        f"the files of {path} are read as {count} sequences, named by the beginnings of their names"
        for path, count in split.items()
    )


_NUMBER_AND_WORD = re.compile("(.*[0-9])[-_.]?([A-Za-z][A-Za-z_-]*)")


def _refuse_files_of_one_frame(listing: Listing) -> None:
    """Refuse a folder with several files for each frame, told apart by a word at their ends."""
    for folder in listing.folders:
        words: dict[str, str] = {}
        for name in folder.with_suffix(".png", ".npy").names:
            stem, _, suffix = name.rpartition(".")
            found = _NUMBER_AND_WORD.fullmatch(stem)
            other = words.setdefault(found[1] if found else stem, name)
            if other != name and other.rpartition(".")[2] == suffix:
                raise DataError(
                    f"holds several files for one frame, such as {other} and {name}; "
                    "expected one file with class and identity for each frame; keep one kind of "
                    "file, or join class and identity into two-channel .npy files",
                    where=folder.path,
                )


def _extended(sequence: StoredSequence, folder: Path, given: Extents | None) -> StoredSequence:
    """Give an open-ended sequence its length and size: from options, dataset.json, or images."""
    if not isinstance(sequence, OpenEnded):
        return sequence
    name = sequence.parts[-1]
    stated = find_dataset_file(folder)
    own = None if stated is None else stated.extents
    sources = [source for source in (given, own) if source is not None]
    frames = next((n for n in (source.frames_of(name) for source in sources) if n), None)
    size = next((s for s in (source.size_of(name) for source in sources) if s), None)
    found = sequence.with_extent(frames, size)
    names = () if found.is_complete else _image_names(sequence, folder)
    return found.with_frames(names, None, is_complete=True) if names else found


def _image_names(sequence: StoredSequence, folder: Path) -> tuple[str, ...]:
    """Return the names of the images of a sequence, if they are beside its maps and numbers."""
    places = (folder, *folder.absolute().parents)
    for owner in places[:_DEPTH]:
        if (owner / IMAGES_FOLDER).is_dir() and (owner == folder or (owner / MAPS_FOLDER).is_dir()):
            break
    else:
        return ()
    images = {
        entry.parts: tuple(entry.frame_name(file) for file in entry.with_suffix(*IMAGE_SUFFIXES))
        for entry in list_folder(owner / IMAGES_FOLDER).folders
    }
    found = match_by_suffix([sequence.parts], [p for p in images if images[p]], where=folder)
    names = images[found[sequence.parts]] if found else ()
    return names if all(whole_number(name) is not None for name in names) else ()


def _choose(folder: Path, listing: Listing, labels: LabelSpace, encoding: str | None) -> Encoding:
    if encoding is not None:
        return encoding_by_name(encoding)
    stated = find_dataset_file(folder)
    if stated is None or stated.encoding is None:
        return detect_encoding(listing, labels)
    chosen = encoding_by_name(stated.encoding)
    against = chosen.contradiction(listing, labels)
    if against is not None:
        raise DataError(
            f"states encoding {chosen.name!r}, but {against}; expected the same from both; name "
            "the right one with --encoding (--gt-encoding for the ground truth), or correct "
            "dataset.json",
            where=stated.path,
        )
    return chosen


def select_sequences(
    gt: MapFolder, pred: MapFolder, names: Sequence[str]
) -> tuple[MapFolder, MapFolder]:
    """Return both folders with some sequences only.

    Args:
        gt: Ground truth.
        pred: Prediction. It may lack all other sequences.
        names: Names of sequences of the ground truth, or paths such as ``"val/0001"``.

    Raises:
        ConfigError: If the ground truth has no sequence of a name.
        DataError: If a match of the two folders is not unique.
    """
    known = {name: s for s in gt.sequences for name in (s.parts[-1], joined(s.parts))}
    for name in names:
        if name not in known:
            raise ConfigError(
                f"--sequence {name!r} is not in the ground truth {gt.folder}; "
                f"{nearest(name, [s.parts[-1] for s in gt.sequences])}"
            )
    kept = [s for s in gt.sequences if {s.parts[-1], joined(s.parts)} & set(names)]
    if len(gt.sequences) == len(pred.sequences) == 1:
        return gt, pred
    partner = match_by_suffix(
        [s.parts for s in gt.sequences], [s.parts for s in pred.sequences], where=pred.folder
    )
    partners = {partner[s.parts] for s in kept if s.parts in partner}
    others = tuple(s for s in pred.sequences if s.parts in partners)
    return replace(gt, sequences=tuple(kept)), replace(pred, sequences=others)


def match_sequences(gt: MapFolder, pred: MapFolder) -> list[tuple[StoredSequence, StoredSequence]]:
    """Match the sequences of two folders by their longest common path suffix.

    If each side has exactly one sequence, they match with any names. A sequence of MOTS text,
    which stores no empty frames, gets the frames of its partner.

    Returns:
        Pairs (ground truth, prediction), in the order of the ground truth.

    Raises:
        DataError: If both are the same folder, or share folders or files, if a match is not
            unique, or if a sequence of either side has no partner.
    """
    _refuse_the_same(gt, pred)
    pred = replace(pred, sequences=results_of_videos(gt.sequences, pred.sequences))
    if len(gt.sequences) == len(pred.sequences) == 1:
        return [_aligned(gt.sequences[0], pred.sequences[0])]
    gt_by_parts = {sequence.parts: sequence for sequence in gt.sequences}
    pred_by_parts = {sequence.parts: sequence for sequence in pred.sequences}
    partner = match_by_suffix(list(gt_by_parts), list(pred_by_parts), where=pred.folder)
    _require_none("prediction", set(gt_by_parts) - set(partner), pred.folder)
    _require_none("ground truth", set(pred_by_parts) - set(partner.values()), gt.folder)
    return [_aligned(gt_by_parts[parts], pred_by_parts[partner[parts]]) for parts in gt_by_parts]


def matching_notes(
    pairs: Sequence[tuple[MapSequence, MapSequence]],
) -> tuple[str, ...]:
    """Describe matches of sequences with different names.

    Args:
        pairs: Result of :func:`match_sequences`.

    Returns:
        One line for each pair with different names. This is at most one, because several
        sequences are matched by name.
    """
    return tuple(
        f"sequence {joined(gt.parts)} of the ground truth was scored against {joined(pred.parts)} "
        "of the prediction, because each side has only one sequence"
        for gt, pred in pairs
        if gt.parts[-1] != pred.parts[-1]
    )


def _refuse_the_same(gt: MapFolder, pred: MapFolder) -> None:
    truth, prediction = map_root(gt.folder).resolve(), map_root(pred.folder).resolve()
    if truth == prediction:
        raise DataError(
            "prediction and ground truth are the same folder; give two different ones",
            where=pred.folder,
        )
    if truth in prediction.parents or prediction in truth.parents:
        raise DataError(
            f"the maps of prediction and ground truth ({gt.folder}) are one inside the other; "
            "expected two separate folders; give folders with the maps of one side only",
            where=pred.folder,
        )
    of_truth = {key for key, _ in _files(gt)}
    shared = {key: path for key, path in _files(pred) if key in of_truth}
    if shared:
        path = min(shared.values())
        raise DataError(
            "this file of the prediction is also one of the ground truth "
            f"({counted(len(shared), 'file')} in all); expected separate files; write the "
            "predictions to another folder, without links to the ground truth",
            where=path,
        )


def _files(folder: MapFolder) -> Iterator[tuple[tuple[int, int], Path]]:
    """Yield device and inode of each file, which links share, and its path."""
    for sequence in folder.sequences:
        previous = None  # one file often holds all frames
        for index in range(len(sequence.frame_names)):
            path = sequence.path(index)
            if path == previous:
                continue
            previous = path
            try:
                status = path.stat()
            except OSError:  # removed since the folder was listed: reading it reports the error
                continue
            yield (status.st_dev, status.st_ino), path


def _aligned(gt: StoredSequence, pred: StoredSequence) -> tuple[StoredSequence, StoredSequence]:
    """Give open-ended sequences the frames of their partner.

    An open-ended ground truth has its own frames. If its length is unknown, it also takes those of
    a partner of known length, or of any partner if it has no object itself.
    """
    if isinstance(gt, OpenEnded):
        size = pred.known_size if isinstance(pred, OpenEnded) else pred.size
        names = gt.frame_names
        if gt.is_complete:
            pass
        elif isinstance(pred, OpenEnded) and not (pred.is_complete or gt.is_empty):
            _refuse_longer(gt, pred)
        else:
            names = (*names, *pred.frame_names)
        gt = aligned(gt, names, size)
    if isinstance(pred, OpenEnded):
        pred = aligned(pred, gt.frame_names, gt.size)
    return gt, pred


def _refuse_longer(gt: StoredSequence, pred: StoredSequence) -> None:
    """Refuse a prediction with objects beyond the last object of a ground truth."""
    last, end = (
        int(moment(side.frame_names[-1])) if side.frame_names else -1 for side in (gt, pred)
    )
    if end <= last:
        return
    raise DataError(
        f"the prediction has objects up to frame {end}, the ground truth up to frame {last}; "
        "the ground truth may have empty frames at its end, which its format does not store; give "
        f"the number of frames with --frames (at least {end + 1}), or correct the frame numbers of "
        "the prediction, which count from 0 if those of the ground truth do",
        where=pred.path(0),
    )


def _require_none(side: str, left_over: set[Parts], where: object) -> None:
    if left_over:
        raise DataError(
            f"no {side} for the sequence{'s' if len(left_over) > 1 else ''} "
            f"{listed(joined(parts) for parts in sorted(left_over))}; expected the same sequences "
            "on both sides; add the missing sequences, or score others by name with --sequence",
            where=where,
        )
