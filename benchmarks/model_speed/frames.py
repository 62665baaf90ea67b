"""Frames, one after the other: MAPT and its peer in turns, in one process."""

import time
from collections.abc import Callable
from typing import Any

import torch

from mapt_bench.labels import Frame, VideoInfo
from mapt_bench.model import MaptAssociator, MaptCues, MaptState, mapt_config
from mapt_bench.profiling._measurement import peak_mib
from mapt_bench.tracking import TwoStepSettings
from model_speed.forced import forced_mapt, forced_mask_rcnn, noise_frames
from model_speed.stopwatch import Stopwatch, watch_association, watch_model

__all__ = ["measure_memory", "measure_tracking", "measure_turns"]

_MEMORY = 10


def _took(action: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return processor and elapsed milliseconds, and what came out."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = action()
    return (time.process_time() - cpu) * 1e3, (time.perf_counter() - wall) * 1e3, result


def measure_turns(request: dict[str, Any]) -> dict[str, Any]:
    """Time a step, a pair seen anew and, if asked for, Mask R-CNN, in turns.

    A pair seen anew is the earlier frame and the later one, both from their images; a step has the
    earlier one in its state.
    """
    config, size, instances = _asked(request)
    first, second = noise_frames(*size, 2)
    model = forced_mapt(config, *size, instances)
    peer = forced_mask_rcnn(config, *size, instances) if request["has_peer"] else None
    times: dict[str, list[tuple[float, float]]] = {"step": [], "pair": [], "mask-rcnn": []}
    for turn in range(1 + request["repeats"]):
        earlier_cpu, earlier_wall, (_, state) = _took(lambda: model.step(first, MaptState()))
        cpu, wall, (found, _) = _took(lambda state=state: model.step(second, state))
        if found.segments.count != instances:
            raise RuntimeError(f"found {found.segments.count} things, not {instances}")
        peer_took = None if peer is None else _took(lambda: peer(second))[:2]
        if turn:  # the first turn warms up
            times["step"].append((cpu, wall))
            times["pair"].append((earlier_cpu + cpu, earlier_wall + wall))
            if peer_took is not None:
                times["mask-rcnn"].append(peer_took)
    return {name: _columns(taken) for name, taken in times.items() if taken}


def measure_tracking(request: dict[str, Any]) -> dict[str, Any]:
    """Time the parts of a tracked frame: found, linked to ten frames of tracks."""
    config, size, instances = _asked(request)
    images = noise_frames(*size, 2)
    model, watch = forced_mapt(config, *size, instances), Stopwatch()
    watch_model(watch, model)
    watch_association(watch)
    names = tuple(str(index) for index in range(2 + request["repeats"]))
    info = VideoInfo("noise", names, *size, config.labels, has_images=True)
    associator = MaptAssociator(model, settings=TwoStepSettings(memory=_MEMORY))
    associator.start(info)
    cues, frames = MaptCues(model), []

    def track(index: int) -> None:
        image = images[index % 2]
        segments = cues.find(image)
        associator.associate(Frame(index, names[index], lambda: image), segments)

    tracked = watch.timed("other", track)
    for index in range(len(names)):
        watch.reset()
        tracked(index)
        if index > 1:  # the first has nothing to link to
            frames.append({part: 1e3 * seconds for part, seconds in watch.seconds.items()})
    return {"cpu_ms": frames}


def measure_memory(request: dict[str, Any]) -> dict[str, Any]:
    """Return the peak of memory of two frames, seen by MAPT or by its peer."""
    config, size, instances = _asked(request)
    start = peak_mib()
    first, second = noise_frames(*size, 2)
    if request["who"] == "mask-rcnn":
        peer = forced_mask_rcnn(config, *size, instances)
        kept = [peer(first), peer(second)][-1]
    else:
        model = forced_mapt(config, *size, instances)
        _, state = model.step(first)
        kept = model.step(second, state)
    del kept
    return {"peak_mib": peak_mib(), "start_mib": start}


def _asked(request: dict[str, Any]) -> tuple[Any, tuple[int, int], int]:
    torch.set_num_threads(request["threads"])
    torch.manual_seed(0)
    height, width = request["size"]
    return mapt_config(request["config"]), (height, width), request["instances"]


def _columns(taken: list[tuple[float, float]]) -> dict[str, list[float]]:
    cpu, wall = zip(*taken, strict=True)
    return {"cpu_ms": list(cpu), "wall_ms": list(wall)}
