"""Small panoptic maps, drawn as text or at random, and folders of them."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from mapt_bench.data.encodings.kitti_step import encode_kitti_step
from mapt_bench.labels import (
    BACKGROUND_ID,
    LabelSpace,
    PanopticMap,
    background_code,
    label_space,
    pack_codes,
)

KITTI = label_space("kitti-step")
CAR, PERSON, ROAD, SIDEWALK, VOID = 13, 11, 0, 1, 255


def draw(*rows: str) -> PanopticMap:
    """Make a map of rows of words.

    ``r`` road, ``s`` sidewalk, ``v`` void, ``b`` background, ``c7`` car 7, ``p0`` person 0.
    """
    classes = {"r": ROAD, "s": SIDEWALK, "v": VOID, "b": VOID, "c": CAR, "p": PERSON}
    words = [row.split() for row in rows]
    return PanopticMap.from_classes_and_ids(
        np.array([[classes[word[0]] for word in row] for row in words]),
        np.array(
            [
                [BACKGROUND_ID if word == "b" else int(word[1:] or 0) for word in row]
                for row in words
            ]
        ),
    )


def random_maps(
    count: int,
    *,
    size: tuple[int, int] = (6, 9),
    labels: LabelSpace = KITTI,
    id_limit: int = 1 << 16,
    seed: int = 0,
) -> list[PanopticMap]:
    """Make maps of random classes (void too); things have ids 0 to ``id_limit`` - 1, stuff 0."""
    generator = np.random.default_rng(seed)
    numbers = np.array([*labels.class_ids, labels.ignore_label])
    maps = []
    for _ in range(count):
        classes = generator.choice(numbers, size=size)
        ids = generator.integers(0, id_limit, size=size) * labels.is_thing_table[classes]
        maps.append(PanopticMap(pack_codes(classes, ids)))
    return maps


def write_frames(folder: Path, maps: Iterable[PanopticMap], first: int = 0) -> Path:
    """Write KITTI-STEP frames ``%06d.png`` straight into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, panoptic in enumerate(maps, start=first):
        (folder / f"{index:06d}.png").write_bytes(encode_kitti_step(panoptic, folder))
    return folder


def write_sequences(
    folder: Path, names: Sequence[str], count: int = 2, size: tuple[int, int] = (6, 9)
) -> Path:
    """Write ``<folder>/<name>/%06d.png`` for every name."""
    for seed, name in enumerate(names):
        write_frames(folder / name, random_maps(count, size=size, seed=seed))
    return folder


def same(left: PanopticMap, right: PanopticMap) -> bool:
    """Whether two maps are equal, pixel for pixel."""
    return left.shape == right.shape and bool((left.codes == right.codes).all())


def background_as_void(panoptic: PanopticMap) -> PanopticMap:
    """Return a map whose background is void like any other."""
    void = np.uint32(VOID << 24)
    return PanopticMap(np.where(panoptic.codes == background_code(VOID), void, panoptic.codes))


def shared_folder(*parts: str) -> Path:
    """Return a folder of the real data that lies beside the project, or skip the test."""
    beside = Path(__file__).resolve().parents[3] / "shared"
    folder = Path(os.environ.get("MAPT_BENCH_SHARED", beside)).joinpath(*parts)
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}; set MAPT_BENCH_SHARED")
    return folder
