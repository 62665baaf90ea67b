"""Which part of a model takes the time: calls are timed, and what they call is taken off."""

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from mapt_bench.model import MAPT
from mapt_bench.tracking import TwoStepAssociator

__all__ = ["PARTS", "Stopwatch", "watch_association", "watch_model"]

PARTS = (
    *("backbone", "pyramid", "semantic head", "proposals", "boxes", "masks", "fusion"),
    *("motion head", "appearance head", "association", "other"),
)


_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class Stopwatch:
    """Adds up processor time by part.

    Attributes:
        seconds: Of each part by itself, without the parts that it calls.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._running: list[str] = []
        self._since = 0.0

    def reset(self) -> None:
        """Begin anew."""
        self.seconds = dict.fromkeys(PARTS, 0.0)

    def timed(self, part: str, action: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
        """Return an action that does the same, and counts for a part."""

        def run(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
            self._switch()
            self._running.append(part)
            try:
                return action(*args, **kwargs)
            finally:
                self._switch()
                self._running.pop()

        return run

    def watch(self, part: str, owner: object, *names: str) -> None:
        """Count the methods of an object for a part."""
        for name in names:
            setattr(owner, name, self.timed(part, getattr(owner, name)))

    def _switch(self) -> None:
        now = time.process_time()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now


def watch_model(watch: Stopwatch, model: MAPT) -> None:
    """Count the parts of a model; what lies between them is ``other``."""
    head, regions = model.instance, model.instance.regions
    watch.watch("backbone", model.backbone, "forward")
    watch.watch("pyramid", model.fpn, "forward")
    watch.watch("semantic head", model.semantic, "forward")
    watch.watch("proposals", head.proposals, "forward")
    watch.watch("boxes", head, "detect")
    for module in (regions.mask_roi_pool, regions.mask_head, regions.mask_predictor):
        watch.watch("masks", module, "forward")
    model.fusion = watch.timed("fusion", model.fusion)
    if model.motion is not None:
        names = ("reduce", "motion", "carry_masks", "carry_features")
        watch.watch("motion head", model.motion, *names)
    if model.appearance is not None:
        watch.watch("appearance head", model.appearance, "describe", "propagated", "forward")


def watch_association(watch: Stopwatch) -> None:
    """Count all association, without the heads that it calls."""
    watch.watch("association", TwoStepAssociator, "associate")
