"""Motion head against optical flow on the CPU: time, memory and operations, side by side.

Each contender runs in a process of its own, on one thread, on one pair of frames. Time is that of
the processor (it does not grow when the machine is shared, as the clock on the wall does); both
are given. Weights are random: the time of these networks does not depend on them.

    python benchmarks/motion.py
    python benchmarks/motion.py --only motion --only flownet2 --json -
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import torch

Run = Callable[[], object]

REFERENCE = "motion"
INSTANCES = 10
OFFSET_SPREAD = 3.0  # cells: a fresh head's offsets lie near zero, and reading is then too orderly


@dataclass(frozen=True)
class Measurement:
    """What one contender took; times in milliseconds, memory in MiB.

    Attributes:
        gmacs: Multiply-adds of its convolutions, in units of 10^9; ``None`` if not counted.
        cpu_ms: Processor time of each repeat.
        wall_ms: Elapsed time of each repeat.
        peak_mib: Highest resident memory of the process.
        import_mib: That after imports alone.
        convolutions_cpu_ms: Processor time of its convolutions alone, where that was measured.
    """

    name: str
    gmacs: float | None
    cpu_ms: list[float]
    wall_ms: list[float]
    peak_mib: float
    import_mib: float
    convolutions_cpu_ms: float | None = None


@dataclass(frozen=True)
class Prepared:
    """A contender ready to run; ``network`` where its convolutions are to be timed alone too."""

    run: Run
    macs: float | None = None
    network: "torch.nn.Module | None" = None


@dataclass(frozen=True)
class Contender:
    """A thing to be timed, and how it is made ready for frames of a height and width."""

    title: str
    prepare: Callable[[int, int], Prepared]


def _motion(design: str, form: str) -> Callable[[int, int], Prepared]:
    def prepare(height: int, width: int) -> Prepared:
        import torch

        from mapt_bench.model import MotionHead, motion_config

        config = motion_config(design)
        head = MotionHead(config, form=form).eval()
        rows, columns = height // config.stride, width // config.stride
        before, now = torch.rand(2, 1, config.in_channels, rows, columns).unbind()
        masks = torch.rand(1, INSTANCES, rows, columns)
        cached = head.reduce(before)
        spread = head.motion(cached, head.reduce(now))[0].std()
        for convolution in head.offset:
            convolution.weight.mul_(OFFSET_SPREAD / spread)
        macs = config.macs_per_position(INSTANCES) * rows * columns
        return Prepared(lambda: head(cached, head.reduce(now), masks), macs)

    return prepare


def _flownet2(height: int, width: int) -> Prepared:
    import torch

    from mapt_bench.baselines.flownet2 import FlowNet2

    network = FlowNet2().eval()
    frames = torch.rand(1, 3, 2, height, width) * 255
    shapes = torch.empty(frames.shape, device="meta")
    macs = _convolution_macs(FlowNet2().to("meta").eval(), shapes)
    return Prepared(lambda: network(frames), macs, network)


def _raft(name: str) -> Callable[[int, int], Prepared]:
    def prepare(height: int, width: int) -> Prepared:
        import torch
        from torchvision.models import optical_flow

        network = getattr(optical_flow, name)(weights=None).eval()
        before, now = (torch.rand(2, 1, 3, height, width) * 2 - 1).unbind()
        shapes = torch.empty(before.shape, device="meta")
        macs = _convolution_macs(getattr(optical_flow, name)().to("meta").eval(), shapes, shapes)
        return Prepared(lambda: network(before, now), macs)

    return prepare


def _dis(height: int, width: int) -> Prepared:
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 8, width // 8), np.uint8)
    before = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    now = np.roll(before, (2, 5), axis=(0, 1))
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return Prepared(lambda: engine.calc(before, now, None))


def _one_dilation(form: str) -> Callable[[int, int], Prepared]:
    def prepare(height: int, width: int) -> Prepared:
        import torch

        from mapt_bench.model import deformable_convolution

        channels, rows, columns = 32, height // 4, width // 4
        x = torch.randn(1, channels, rows, columns)
        offset = torch.randn(1, 18, rows, columns) * OFFSET_SPREAD
        weight = torch.randn(channels, 1, 3, 3)

        def run() -> object:
            return deformable_convolution(x, offset, weight, dilation=3, form=form)

        return Prepared(run, 9 * x.numel())

    return prepare


CONTENDERS = {
    REFERENCE: Contender("motion head gated-s4, 10 masks", _motion("gated-s4", "auto")),
    "motion-samples": Contender("  its sampling by grid_sample", _motion("gated-s4", "samples")),
    "motion-operator": Contender("  its sampling by torchvision", _motion("gated-s4", "operator")),
    "motion-linear": Contender("motion head linear-s4", _motion("linear-s4", "auto")),
    "motion-s8": Contender("motion head s8-c128", _motion("s8-c128", "auto")),
    "flownet2": Contender("FlowNet2", _flownet2),
    "raft-small": Contender("RAFT-small, 12 updates", _raft("raft_small")),
    "raft-large": Contender("RAFT-large, 12 updates", _raft("raft_large")),
    "dis": Contender("DIS (OpenCV, medium)", _dis),
    "rows": Contender("one dilation, 32 channels: rows", _one_dilation("rows")),
    "samples": Contender("one dilation, 32 channels: grid_sample", _one_dilation("samples")),
    "operator": Contender("one dilation, 32 channels: torchvision", _one_dilation("operator")),
}


def _convolution_macs(network: "torch.nn.Module", *inputs: "torch.Tensor") -> float:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        network(*inputs)
    counts = counter.get_flop_counts()["Global"]
    return sum(flops for operator, flops in counts.items() if "conv" in str(operator)) / 2


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _repeat(run: Run, seconds: float) -> tuple[list[float], list[float]]:
    run()
    cpu, wall = [], []
    end = time.perf_counter() + seconds
    while len(cpu) < 3 or time.perf_counter() < end:
        cpu_start, wall_start = time.process_time(), time.perf_counter()
        run()
        cpu.append((time.process_time() - cpu_start) * 1e3)
        wall.append((time.perf_counter() - wall_start) * 1e3)
    return cpu, wall


def _convolutions_alone(network: "torch.nn.Module", run: Run) -> float:
    """Time each convolution of a network by itself, on inputs of the shapes it meets."""
    import torch

    met: list[tuple[torch.nn.Module, torch.Size]] = []
    kinds = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    hooks = [
        module.register_forward_pre_hook(lambda module, args: met.append((module, args[0].shape)))
        for module in network.modules()
        if isinstance(module, kinds)
    ]
    run()
    for hook in hooks:
        hook.remove()
    total = 0.0
    for module, shape in met:
        x = torch.rand(shape)
        total += statistics.median(_repeat(lambda module=module, x=x: module(x), 0)[0])
    return total


def _measure(name: str, height: int, width: int, seconds: float) -> Measurement:
    import torch
    import torchvision  # noqa: F401  # imported here so that import_mib is the same for all

    torch.set_num_threads(1)
    torch.manual_seed(0)
    import_mib = _peak_mib()
    with torch.inference_mode():
        prepared = CONTENDERS[name].prepare(height, width)
        cpu, wall = _repeat(prepared.run, seconds)
        peak = _peak_mib()
        alone = None
        if prepared.network is not None:
            alone = _convolutions_alone(prepared.network, prepared.run)
    gmacs = None if prepared.macs is None else prepared.macs / 1e9
    return Measurement(name, gmacs, cpu, wall, peak, import_mib, alone)


def _in_fresh_process(name: str, size: str, seconds: float) -> Measurement | str:
    """Return what a contender took, or in a few words why it did not run."""
    command = [sys.executable, __file__, "--worker", name, "--size", size]
    # More than one thread would wait for each other on a shared machine; one is asked for.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--seconds", str(seconds)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return lines[-1] if lines else f"exit code {done.returncode}"
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def _row(measured: Measurement, reference: Measurement | None) -> dict[str, object]:
    cpu = statistics.median(measured.cpu_ms)
    quartiles = statistics.quantiles(measured.cpu_ms, n=4, method="inclusive")
    row: dict[str, object] = {
        "name": measured.name,
        "gmacs": measured.gmacs,
        "cpu_ms": cpu,
        "cpu_ms_least": min(measured.cpu_ms),
        "cpu_ms_quartiles": [quartiles[0], quartiles[2]],
        "wall_ms": statistics.median(measured.wall_ms),
        "repeats": len(measured.cpu_ms),
        "peak_mib": measured.peak_mib,
        "import_mib": measured.import_mib,
        "convolutions_cpu_ms": measured.convolutions_cpu_ms,
        "operations_ratio": None,
        "time_ratio": None,
    }
    if reference is not None:
        row["time_ratio"] = cpu / statistics.median(reference.cpu_ms)
        if measured.gmacs is not None and reference.gmacs is not None:
            row["operations_ratio"] = measured.gmacs / reference.gmacs
    return row


def _cell(value: object, form: str) -> str:
    return "-" if value is None else format(value, form)


def _table(rows: list[dict[str, object]], size: str) -> Table:
    table = Table(title=f"{size}, one thread; ratios are against the motion head")
    table.add_column("contender", no_wrap=True)
    headings = ("GMACs", "CPU ms", "quartiles", "wall ms", "n", "peak MiB", "operations", "time")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        quartiles = " - ".join(f"{value:.1f}" for value in row["cpu_ms_quartiles"])
        table.add_row(
            CONTENDERS[str(row["name"])].title,
            _cell(row["gmacs"], ".3f"),
            _cell(row["cpu_ms"], ".1f"),
            quartiles,
            _cell(row["wall_ms"], ".1f"),
            str(row["repeats"]),
            _cell(row["peak_mib"], ".0f"),
            _cell(row["operations_ratio"], ".1f"),
            _cell(row["time_ratio"], ".2f"),
        )
    return table


def _size(text: str) -> tuple[int, int]:
    try:
        height, width = (int(part) for part in text.split("x"))
    except ValueError:
        height = width = 0
    if height < 64 or width < 64 or height % 64 or width % 64:
        raise click.BadParameter(f"{text!r}: expected HEIGHTxWIDTH in multiples of 64")
    return height, width


@click.command(help=__doc__)
@click.option("--size", default="384x1280", show_default=True, help="Frames, HEIGHTxWIDTH.")
@click.option("--seconds", default=10.0, show_default=True, help="Time for each, at least 3 runs.")
@click.option("--only", multiple=True, type=click.Choice(list(CONTENDERS)), help="Repeatable.")
@click.option("--json", "json_path", help="Write all figures here; - is stdout.")
@click.option("--worker", type=click.Choice(list(CONTENDERS)), hidden=True)
def main(
    size: str, seconds: float, only: tuple[str, ...], json_path: str | None, worker: str | None
) -> None:
    """Measure each contender in a fresh process, and show them side by side."""
    height, width = _size(size)
    if worker is not None:
        click.echo(json.dumps(asdict(_measure(worker, height, width, seconds))))
        return
    console = Console(stderr=json_path == "-", width=None if sys.stdout.isatty() else 130)
    measured: dict[str, Measurement] = {}
    absent: dict[str, str] = {}
    for name in only or CONTENDERS:
        with Console(stderr=True).status(f"measuring {name}"):
            outcome = _in_fresh_process(name, size, seconds)
        if isinstance(outcome, str):
            absent[name] = outcome
        else:
            measured[name] = outcome
    rows = [_row(measurement, measured.get(REFERENCE)) for measurement in measured.values()]
    console.print(_table(rows, size))
    for name, reason in absent.items():
        console.print(f"absent: {name}: {reason}", markup=False)
    for row in rows:
        if isinstance(alone := row["convolutions_cpu_ms"], float):
            share = float(str(row["cpu_ms"])) / alone
            console.print(
                f"{row['name']}: {share:.2f} times its convolutions alone ({alone:.0f} ms)"
            )
    if json_path is not None:
        text = json.dumps({"size": [height, width], "threads": 1, "rows": rows, "absent": absent})
        if json_path == "-":
            click.echo(text)
        else:
            Path(json_path).write_text(text + "\n")


if __name__ == "__main__":
    main()
