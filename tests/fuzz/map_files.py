"""Valid folders of maps in every encoding, with what may stand beside them."""

import io
import json
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from mapt_bench.data.png import encode_png
from mapt_bench.data.writers import map_format
from mapt_bench.labels import BACKGROUND_ID, PanopticMap, label_space, pack_codes
from tests.fuzz.cases import Entry, Tree, files

WRITTEN = (
    *("kitti-step", "coco-panoptic", "two-channel", "cityscapes", "vipseg", "waymo", "bdd100k"),
    *("mots-txt", "youtube-vis", "palette-png", "object-masks"),
)
"""Encodings that the package writes. The fuzzer writes the others itself."""

ENCODINGS = (*WRITTEN, "mots-png", "object-folders", "two-channel-png", "mots-challenge")

SPACES = {
    "cityscapes": "cityscapes",
    "vipseg": "vipseg",
    "waymo": "waymo",
    "bdd100k": "bdd100k-panoptic",
    "youtube-vis": "youtube-vis-2021",
}
"""Label space of an encoding, where it is not that of KITTI-STEP."""

SIZE = (6, 9)
SHAPES = ((1, 2, SIZE), (1, 1, SIZE), (2, 2, SIZE), (1, 3, SIZE), (1, 2, (1, 1)), (2, 1, (17, 5)))
"""Sequences, frames of each, and height and width of folders of maps."""

SEEDS = (0, 5)


def space_of(encoding: str) -> str:
    return SPACES.get(encoding, "kitti-step")


def _maps(encoding: str, count: int, size: tuple[int, int], seed: int) -> list[PanopticMap]:
    """Make maps of blocks: a few classes, ids that go on from frame to frame."""
    labels = label_space(space_of(encoding))
    rng = np.random.default_rng(seed)
    things, stuff = sorted(labels.thing_ids), sorted(labels.stuff_ids)
    if encoding.startswith("mots"):
        things = [11, 13]
    found = []
    for index in range(count):
        classes = np.full(size, stuff[0] if stuff else labels.ignore_label)
        ids = np.zeros(size, dtype=np.int64)
        if not stuff:
            ids[:] = BACKGROUND_ID
        for number in range(1, 4):
            top = int(rng.integers(0, size[0]))
            left = int((number * 3 + index) % size[1])
            classes[top : top + 3, left : left + 2] = things[number % len(things)]
            ids[top : top + 3, left : left + 2] = number
        found.append(PanopticMap(pack_codes(classes, ids)))
    return found


def maps_tree(
    encoding: str,
    sequences: int = 1,
    frames: int = 2,
    size: tuple[int, int] = SIZE,
    seed: int = 0,
) -> Tree:
    """Return a folder of maps in an encoding."""
    return _made(encoding, sequences, frames, size, seed)


@lru_cache(maxsize=512)
def _made(encoding: str, sequences: int, frames: int, size: tuple[int, int], seed: int) -> Tree:
    of_sequences = {
        f"{number:04d}": _maps(encoding, frames, size, seed + number)
        for number in range(1, sequences + 1)
    }
    own = _OWN.get(encoding)
    if own is not None:
        return own(of_sequences)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with map_format(encoding).open(folder, label_space(space_of(encoding))) as writer:
            for sequence, maps in of_sequences.items():
                for index, panoptic in enumerate(maps):
                    writer.write(sequence, f"{index:06d}", panoptic)
        return tree_of(folder)


def tree_of(folder: Path) -> Tree:
    """Return the files below a folder."""
    return files(
        {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
    )


def _mots_png(of_sequences) -> Tree:
    numbers = {13: 1, 11: 2}
    found = {}
    for sequence, maps in of_sequences.items():
        for index, panoptic in enumerate(maps):
            values = np.zeros(panoptic.shape, dtype=np.uint16)
            for number, own in numbers.items():
                of_class = panoptic.classes == number
                values[of_class] = 1000 * own + panoptic.ids[of_class]
            found[f"{sequence}/{index:06d}.png"] = encode_png(values)
    return files(found)


def _object_folders(of_sequences) -> Tree:
    found = {"object_classes.yaml": b"default: car\n"}
    for sequence, maps in of_sequences.items():
        for index, panoptic in enumerate(maps):
            for number in (1, 2, 3):
                mask = (panoptic.ids == number).astype(np.uint8) * 255
                found[f"{sequence}/{number:03d}/{index:05d}.png"] = encode_png(mask)
    return files(found)


def _two_channel_png(of_sequences) -> Tree:
    found = {}
    for sequence, maps in of_sequences.items():
        for index, panoptic in enumerate(maps):
            pixels = np.stack([panoptic.classes, panoptic.ids % 256], axis=-1).astype(np.uint8)
            found[f"{sequence}/{index:06d}.png"] = encode_png(pixels)
    return files(found)


def _mots_challenge(of_sequences) -> Tree:
    text = maps_tree("mots-txt", sequences=len(of_sequences))
    found = {}
    for name, maps in of_sequences.items():
        height, width = maps[0].shape
        lines = text[f"{name}.txt"].data.decode().splitlines() if (height, width) == (6, 9) else []
        later = [f"{int(line.split()[0]) + 1} {line.partition(' ')[2]}\n" for line in lines]
        found[f"{name}/gt/gt.txt"] = "".join(later).encode()
        found[f"{name}/seqinfo.ini"] = (
            f"[Sequence]\nname={name}\nimDir=img1\nframeRate=25\nseqLength={len(maps) + 1}\n"
            f"imWidth={width}\nimHeight={height}\nimExt=.jpg\n"
        ).encode()
        found[f"{name}/det/det.txt"] = b"1,-1,1,2,3,4,0.5\n"
    return files(found)


_OWN = {
    "mots-png": _mots_png,
    "object-folders": _object_folders,
    "two-channel-png": _two_channel_png,
    "mots-challenge": _mots_challenge,
}

encodings = st.sampled_from(ENCODINGS)


shapes = st.sampled_from([*SHAPES[:1] * 3, *SHAPES[:4], *SHAPES])


@st.composite
def maps_of(draw, encoding: str) -> Tree:
    """Return a valid folder of maps with one or two sequences of one to three frames."""
    return maps_tree(encoding, *draw(shapes))


def make_all() -> None:
    """Make the maps of all encodings, because writers draw names of temporary files at random."""
    for encoding in ENCODINGS:
        for shape in SHAPES:
            for seed in SEEDS:
                maps_tree(encoding, *shape, seed)
    images_tree()


def side_cars(encoding: str) -> dict[str, Entry]:
    """Return valid files beside maps: what a reader looks for."""
    labels = label_space(space_of(encoding)).to_dict()
    stated = {"0001": {"frames": 3, "size": [6, 9]}}
    return files(
        {
            "dataset.json": json.dumps({**labels, "sequences": stated}).encode(),
            "object_classes.yaml": json.dumps(
                {"default": "car", "objects": {"1": "person"}, "sequences": {"0001": {"2": 13}}}
            ).encode(),
        }
    )


@lru_cache(maxsize=8)
def images_tree(
    sequences: int = 1, frames: int = 2, size: tuple[int, int] = (6, 9), suffix: str = "png"
) -> Tree:
    """Return colour images, PNG or JPEG."""
    rng = np.random.default_rng(0)
    found = {}
    for number in range(1, sequences + 1):
        for index in range(frames):
            stream = io.BytesIO()
            pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(stream, format={"jpg": "JPEG"}.get(suffix, "PNG"))
            found[f"images/val/{number:04d}/{index:06d}.{suffix}"] = stream.getvalue()
    return files(found)
