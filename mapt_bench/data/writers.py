"""Writers of panoptic maps, all with one face."""

from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from mapt_bench.data.dataset_file import write_dataset_file
from mapt_bench.data.kitti_step import encode_kitti_step
from mapt_bench.data.layout import MAPS_FOLDER
from mapt_bench.files import replace_when_complete
from mapt_bench.labels import LabelSpace, PanopticMap

__all__ = ["KittiStepWriter", "MapWriter"]


class MapWriter(Protocol):
    """Takes maps frame by frame; what is on disk is whole once it is closed."""

    def write(self, sequence: str, frame_name: str, panoptic_map: PanopticMap) -> None:
        """Write one frame.

        Args:
            sequence: Name of the sequence, for example ``"0001"``.
            frame_name: For example ``"000005"``.
            panoptic_map: Its map.

        Raises:
            DataError: If an identity does not fit, or the file cannot be written.
        """
        ...

    def close(self) -> None:
        """Write what is written last."""
        ...


class _ClosesItself:
    """The context manager of every writer: closes after success, and only then."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()

    def close(self) -> None:
        raise NotImplementedError


class KittiStepWriter(_ClosesItself):
    """Writes ``<folder>/panoptic_maps/<split>/<sequence>/<frame>.png`` and ``dataset.json``.

    Args:
        folder: Where to write.
        labels: Label space, for ``dataset.json``.
        split: For example ``"val"``.
    """

    def __init__(self, folder: Path, labels: LabelSpace, *, split: str = "val") -> None:
        self._folder = Path(folder)
        self._labels = labels
        self._maps = self._folder / MAPS_FOLDER / split

    def write(self, sequence: str, frame_name: str, panoptic_map: PanopticMap) -> None:
        """Write one frame; see :meth:`MapWriter.write`."""
        path = self._maps / sequence / f"{frame_name}.png"
        data = encode_kitti_step(panoptic_map, path)
        with replace_when_complete(path) as beside:
            beside.write_bytes(data)

    def close(self) -> None:
        """Write ``dataset.json``."""
        write_dataset_file(self._folder, self._labels, "kitti-step")
