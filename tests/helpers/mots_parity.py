"""Maps as MOTS text, disturbed maps, and TrackEval's scores of them."""

import contextlib
import io

import numpy as np

from mapt_bench.labels import ID_BITS, ID_LIMIT, PanopticMap

CAR, PERSON, ROAD, VOID = 13, 11, 0, 255
MOTS_CLASS = {CAR: 1, PERSON: 2}
MOTS_IGNORE = 10


def mots_text(maps, *, is_gt):
    """Write maps (KITTI-STEP classes) as MOTS text, by pycocotools.

    Void and crowd of the ground truth are an ignore region; a predicted id 0 is a track.
    """
    lines = []
    for frame, panoptic in enumerate(maps):
        codes, classes = panoptic.codes, panoptic.classes
        is_thing = np.isin(classes, list(MOTS_CLASS))
        ignored = (classes == VOID) | (is_thing & (panoptic.ids == 0))
        for code in np.unique(codes[is_thing]).tolist():
            class_id, track = code >> ID_BITS, code & (ID_LIMIT - 1)
            if track or not is_gt:
                mots_class = MOTS_CLASS[class_id]
                number = mots_class * 100_000 + track  # TrackEval wants ids that no class shares
                lines.append(_line(frame, number, mots_class, codes == code))
        if is_gt and ignored.any():
            lines.append(_line(frame, 10000, MOTS_IGNORE, ignored))
    return "".join(lines)


def _line(frame, track, mots_class, mask):
    from pycocotools import mask as coco

    rle = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    return f"{frame} {track} {mots_class} {mask.shape[0]} {mask.shape[1]} {rle}\n"


def maps_of_mots_text(text, frame_count):
    """Draw MOTS text by pycocotools: road where nothing is labelled, void in ignore regions."""
    from pycocotools import mask as coco

    frames = {}
    for line in text.splitlines():
        frame, track, mots_class, height, width, rle = line.split()
        size = int(height), int(width)
        codes = frames.setdefault(int(frame), np.full(size, ROAD << ID_BITS, dtype=np.uint32))
        mask = coco.decode({"size": size, "counts": rle.encode()}).astype(bool)
        class_id = {"1": CAR, "2": PERSON, "10": VOID}[mots_class]
        codes[mask] = class_id << ID_BITS | (0 if class_id == VOID else int(track) % 1000 + 1)
    empty = np.full(size, ROAD << ID_BITS, dtype=np.uint32)
    return [PanopticMap(frames.get(frame, empty)) for frame in range(frame_count)]


def disturbed(maps, seed):
    """Shift, erode, drop, rename, reclass and invent things; the rest becomes road."""
    import cv2

    random = np.random.default_rng(seed)
    names = {}
    result = []
    for panoptic in maps:
        codes = np.full(panoptic.shape, ROAD << ID_BITS, dtype=np.uint32)
        for code in np.unique(panoptic.codes).tolist():
            if code >> ID_BITS not in MOTS_CLASS or random.random() < 0.08:
                continue
            mask = (panoptic.codes == code).astype(np.uint8)
            if random.random() < 0.5:
                mask = cv2.erode(mask, np.ones((3, 3), dtype=np.uint8))
            mask = np.roll(mask, random.integers(-6, 7, 2), axis=(0, 1)) > 0
            if random.random() < 0.05 or code not in names:
                names[code] = int(random.integers(1, 40))
            class_id = code >> ID_BITS
            if random.random() < 0.05:
                class_id = CAR + PERSON - class_id
            codes[mask] = class_id << ID_BITS | names[code]
        for _ in range(random.integers(0, 3)):  # false alarms
            top, left = (int(random.integers(0, size - 20)) for size in panoptic.shape)
            code = int(random.choice([CAR, PERSON])) << ID_BITS | int(random.integers(40, 44))
            codes[top : top + 20, left : left + 20] = code
        result.append(PanopticMap(codes))
    return result


def trackeval_measures(folder, gt_text, pred_text, frame_count):
    """Return TrackEval's measures of one sequence, by class, under the names of our block."""
    import trackeval

    for name, text in (("gt", gt_text), ("pred", pred_text)):
        (folder / name).mkdir()
        (folder / name / "0000.txt").write_text(text)
    config = {
        "GT_FOLDER": str(folder / "gt"),
        "GT_LOC_FORMAT": "{gt_folder}/{seq}.txt",
        "TRACKERS_FOLDER": str(folder),
        "TRACKERS_TO_EVAL": ["pred"],
        "TRACKER_SUB_FOLDER": "",
        "SEQ_INFO": {"0000": frame_count},
        "PRINT_CONFIG": False,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        data = trackeval.datasets.KittiMOTS(config)
        raw = data.get_raw_seq_data("pred", "0000")
        return {
            name: _measures(trackeval.metrics, data.get_preprocessed_seq_data(raw, name))
            for name in ("car", "pedestrian")
        }


HOTA_NAMES = ("HOTA", "DetA", "AssA", "DetRe", "DetPr", "AssRe", "AssPr", "LocA")
CLEAR_NAMES = {
    "MOTSA": "MOTA", "sMOTSA": "sMOTA", "MOTSP": "MOTP", "IDSW": "IDSW", "Frag": "Frag",
    "MT": "MT", "PT": "PT", "ML": "ML", "TP": "CLR_TP", "FP": "CLR_FP", "FN": "CLR_FN",
}  # fmt: skip
IDENTITY_NAMES = ("IDF1", "IDP", "IDR", "IDTP", "IDFP", "IDFN")


def _measures(metrics, data):
    hota = metrics.HOTA().eval_sequence(data)
    clear = metrics.CLEAR({"PRINT_CONFIG": False}).eval_sequence(data)
    identity = metrics.Identity({"PRINT_CONFIG": False}).eval_sequence(data)
    return {
        **{name: float(np.mean(hota[name])) for name in HOTA_NAMES},
        **{f"{name}_per_alpha": hota[name].tolist() for name in ("HOTA", "DetA", "AssA")},
        **{name: float(clear[theirs]) for name, theirs in CLEAR_NAMES.items()},
        **{name: float(identity[name]) for name in IDENTITY_NAMES},
    }
