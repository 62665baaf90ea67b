"""Breaks of a tree of files: links, pipes, sockets, odd names, missing and repeated files."""

from pathlib import PurePosixPath

from hypothesis import strategies as st

from tests.fuzz.array_breaks import (
    break_archive,
    break_flow,
    break_npy,
    break_pickle,
    break_safetensors,
)
from tests.fuzz.byte_breaks import break_bytes
from tests.fuzz.cases import FILE, FOLDER, HARD_LINK, LINK, PIPE, SOCKET, Entry, Tree
from tests.fuzz.json_breaks import break_json, break_json_lines, break_yaml
from tests.fuzz.line_breaks import break_lines
from tests.fuzz.odd_values import ODD_NAMES
from tests.fuzz.png_breaks import break_png

BREAKS_OF = {
    ".png": break_png,
    ".json": break_json,
    ".jsonl": break_json_lines,
    ".yaml": break_yaml,
    ".txt": break_lines,
    ".ini": break_lines,
    ".npy": break_npy,
    ".npz": break_archive,
    ".zip": break_archive,
    ".flo": break_flow,
    ".safetensors": break_safetensors,
    ".pth": break_pickle,
}
"""Breaks in the grammar of a format, by suffix. Other files are broken as bytes."""

_TARGETS = (
    *("missing", "/dev/zero", "/dev/full", "/dev/null", "/dev/stdin", "/proc/self/environ"),
    *(".", "..", "../..", "/", "@ROOT@/outside/kept.png", "@ROOT@/work", "@ROOT@/outside"),
)


def _files(tree: Tree) -> list[str]:
    return sorted(path for path, entry in tree.items() if entry.kind == FILE)


def _folders(tree: Tree) -> list[str]:
    return sorted({str(above) for path in tree for above in PurePosixPath(path).parents} - {"."})


def _content(draw, tree):
    """Break the content of a file."""
    path = draw(st.sampled_from(_files(tree)))
    data = tree[path].data
    breaker = BREAKS_OF.get(PurePosixPath(path).suffix, break_bytes)
    if draw(st.integers(0, 3)) == 0:
        breaker = break_bytes
    broken, how = breaker(draw, data)
    return {**tree, path: Entry(FILE, broken)}, f"{path}: {how}"


def _replace(draw, tree):
    """Put a link, a pipe, a socket or a folder in place of a file."""
    path = draw(st.sampled_from(_files(tree)))
    kind = draw(st.sampled_from([LINK, LINK, HARD_LINK, PIPE, SOCKET, FOLDER]))
    data = b""
    if kind == LINK:
        data = draw(st.sampled_from([*_TARGETS, PurePosixPath(path).name])).encode()
    if kind == HARD_LINK:
        data = draw(st.sampled_from(_files(tree))).encode("utf-8", "surrogateescape")
    return {**tree, path: Entry(kind, data)}, f"{path}: {kind}"


def _moved(tree, old, new):
    return {
        (new + path[len(old) :] if path == old or path.startswith(f"{old}/") else path): entry
        for path, entry in tree.items()
    }


def _rename(draw, tree):
    """Give a file or a folder an odd name. Files keep their suffix."""
    old = draw(st.sampled_from([*_files(tree), *_folders(tree)]))
    place = PurePosixPath(old)
    name = draw(
        st.sampled_from([*ODD_NAMES, place.stem.upper(), place.stem + "_1", "0" + place.stem])
    )
    if "/" not in old and draw(st.booleans()):  # the words name the folders at the top
        return tree, "no break"
    suffix = place.suffix if tree.get(old) else ""
    new = str(place.parent / "x")[:-1] + name + draw(st.sampled_from([suffix, suffix.upper()]))
    return _moved(tree, old, new), f"{old}: renamed"


def _remove(draw, tree):
    old = draw(st.sampled_from([*_files(tree), *_folders(tree)]))
    left = {
        path: entry
        for path, entry in tree.items()
        if path != old and not path.startswith(f"{old}/")
    }
    return left, f"{old}: removed"


def _twin(draw, tree):
    """Repeat a file or a folder under another name."""
    old = draw(st.sampled_from([*_files(tree), *_folders(tree)]))
    place = PurePosixPath(old)
    name = draw(
        st.sampled_from(
            [
                *(
                    place.stem.lstrip("0") or "0",
                    "0" + place.stem,
                    place.stem + "0",
                    "a",
                    ".hidden",
                ),
                *("000001", "-1", "1.5", "99999999999999999999"),
            ]
        )
    )
    new = str(place.parent / (name + place.suffix))
    copied = _moved(
        {path: e for path, e in tree.items() if path == old or path.startswith(f"{old}/")}, old, new
    )
    return {**tree, **copied}, f"{old}: twin {name}"


def _link_folder(draw, tree):
    """Put a link in place of a folder, or a loop into it."""
    old = draw(st.sampled_from(_folders(tree)))
    if draw(st.booleans()):
        target = draw(st.sampled_from([".", "..", *_TARGETS]))
        return {**tree, f"{old}/loop": Entry(LINK, target.encode())}, f"{old}: loop"
    left = {path: entry for path, entry in tree.items() if not path.startswith(f"{old}/")}
    target = draw(st.sampled_from([*_TARGETS, PurePosixPath(old).name]))
    return {**left, old: Entry(LINK, target.encode())}, f"{old}: link"


def _stray(draw, tree):
    """Add a file that does not belong: another format, hidden, or of a folder's name."""
    folder = draw(st.sampled_from(_folders(tree)))
    name = draw(
        st.sampled_from(
            [
                *(
                    "dataset.json",
                    "object_classes.yaml",
                    "Thumbs.db",
                    ".DS_Store",
                    "a.png",
                    "a.npy",
                ),
                *(
                    "seqinfo.ini",
                    "panoptic.json",
                    "gt.txt",
                    "a.npz",
                    "0.txt",
                    "panoptic_maps",
                    "images",
                ),
            ]
        )
    )
    path = draw(st.sampled_from(_files(tree)))
    data = draw(st.sampled_from([b"", b"{}", b"x", tree[path].data]))
    return {**tree, f"{folder}/{name}": Entry(FILE, data)}, f"{folder}: stray {name}"


_BREAKS = (*[_content] * 12, _replace, _replace, _rename, _remove, _twin, _link_folder, _stray)


def break_tree(draw, tree: Tree) -> tuple[Tree, str]:
    """Return a broken tree, and the break in words."""
    if not _files(tree) or not _folders(tree):
        return tree, "no break"
    return draw(st.sampled_from(_BREAKS))(draw, tree)
