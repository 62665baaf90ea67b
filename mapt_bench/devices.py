"""Devices that networks run on: their names, what is there, precision and memory.

torch is imported only where a device other than the CPU, or another precision than float32, is
asked for.
"""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from mapt_bench.errors import ConfigError, DataError, nearest

if TYPE_CHECKING:
    import torch

__all__ = [
    "AUTO",
    "CPU",
    "CUDA",
    "FLOAT32",
    "PRECISIONS",
    "DeviceSettings",
    "autocast",
    "check_device_options",
    "check_precision",
    "described_device",
    "listed_devices",
    "memory_fault",
    "peak_of_gpu",
    "synchronise",
    "usable_device",
]

CPU, CUDA, AUTO = "cpu", "cuda", "auto"

FLOAT32 = "float32"
PRECISIONS = (FLOAT32, "bf16", "fp16")
"""Values of ``--precision``."""

_NAME = re.compile(r"cpu|auto|cuda(:[0-9]{1,3})?")
_BATCH_OF_GPU = 8
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """Where a network runs, in which precision, and on how many images at a time.

    Attributes:
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        precision: ``"float32"``, ``"bf16"`` or ``"fp16"``.
        batch: Images at a time, 1 or more. It changes results by rounding only.
    """

    device: str = CPU
    precision: str = FLOAT32
    batch: int = 1

    @classmethod
    def of(cls, device: str, precision: str, batch: int | None, *, is_remote: bool = False) -> Self:
        """Return the settings of the options of a command.

        Args:
            device: Value of ``--device``.
            precision: Value of ``--precision``.
            batch: Value of ``--batch``. ``None`` is 1 on the CPU and 8 on a GPU.
            is_remote: Whether the network runs on other machines.

        Raises:
            ConfigError: If a value is malformed, or the device of other machines is ``"auto"``.
        """
        check_device_options(device, precision, batch)
        if device == AUTO and is_remote:
            raise ConfigError(
                "--device auto is for this machine; on a cluster name the device: cpu or cuda"
            )
        if device == AUTO:
            device = CUDA if _gpus() else CPU
        return cls(device, precision, batch or (1 if device == CPU else _BATCH_OF_GPU))

    def check_here(self) -> None:
        """Check that this machine has the device and the precision.

        Raises:
            ConfigError: If it has not. The message names what there is.
        """
        if (self.device, self.precision) != (CPU, FLOAT32):
            check_precision(usable_device(self.device), self.precision)

    @property
    def is_gpu(self) -> bool:
        """Whether the network runs on a GPU."""
        return self.device != CPU

    @property
    def is_plain(self) -> bool:
        """Whether the network runs as trackers run theirs: on the CPU, image by image."""
        return self == DeviceSettings()

    def describe(self) -> dict[str, Any]:
        """Return everything for the header of a segment archive, the model of a GPU included."""
        device = described_device(self.device)
        return {"device": device, "precision": self.precision, "batch": self.batch}

    def identity(self) -> dict[str, str]:
        """Return what decides a result apart from rounding: the kind of device, the precision.

        Returns:
            Empty for float32 on the CPU, so that the identity of such results stays as it was.
        """
        kind = self.device.partition(":")[0]
        if (kind, self.precision) == (CPU, FLOAT32):
            return {}
        return {"device": kind, "precision": self.precision}


def check_device_options(device: str, precision: str, batch: int | None) -> None:
    """Check the form of the options of a device. torch is not imported.

    Raises:
        ConfigError: If a value is malformed.
    """
    if not _NAME.fullmatch(device):
        raise ConfigError(f"--device is {device!r}; expected cpu, cuda, cuda:N or auto")
    if precision not in PRECISIONS:
        raise ConfigError(f"--precision is {precision!r}; {nearest(precision, PRECISIONS)}")
    if batch is not None and batch < 1:
        raise ConfigError(f"--batch is {batch}; expected 1 image or more")


def usable_device(name: str) -> "torch.device":
    """Return a device after trying it.

    Args:
        name: Any name that torch knows.

    Raises:
        ConfigError: If torch does not know it, or cannot use it here. The message names the devices
            of this machine.
    """
    import torch

    try:
        probe = torch.ones(1, device=name)
        probe.item()  # the meta device makes tensors, too, but none that hold anything
        return probe.device
    # torch raises AssertionError where it was built without CUDA.
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        # The first sentence only: torch continues with instructions for a driver.
        reason = str(problem).splitlines()[0].partition(". ")[0].rstrip(".")
        raise ConfigError(
            f"device {name!r} cannot be used ({reason}); this machine has {listed_devices()}"
        ) from problem


def listed_devices() -> str:
    """Return the devices of this machine, for messages."""
    return ", ".join((CPU, *_gpus()))


def _gpus() -> list[str]:
    import torch

    if not torch.cuda.is_available():
        return []
    count = torch.cuda.device_count()
    return [f"{CUDA}:{at} ({torch.cuda.get_device_name(at)})" for at in range(count)]


def described_device(name: str) -> str:
    """Return a device with the model of its GPU."""
    if name == CPU:
        return CPU
    import torch

    return f"{name} ({torch.cuda.get_device_name(torch.device(name))})"


def check_precision(device: "torch.device", precision: str) -> None:
    """Check that a device computes in a precision.

    Raises:
        ConfigError: If it does not.
    """
    if not _computes_in(device, precision):
        raise ConfigError(
            f"--precision {precision}: the device {device} does not compute in it; choose "
            f"{FLOAT32}, or another device"
        )


def _computes_in(device: "torch.device", precision: str) -> bool:
    import torch

    if precision == FLOAT32:
        return True
    if device.type == CUDA:
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return precision == "fp16" or bool(has_bf16)
    known: Mapping[str, Any] = torch.cpu.get_capabilities() if device.type == CPU else {}
    return any(known.get(f"{unit}_{precision}", False) for unit in ("amx", "avx512"))


def autocast(device: "torch.device", precision: str) -> AbstractContextManager[None]:
    """Return the context in which a network computes in a precision; its weights stay float32."""
    if precision == FLOAT32:
        return nullcontext()
    import torch

    half = torch.bfloat16 if precision == "bf16" else torch.float16
    context: AbstractContextManager[None] = torch.autocast(device.type, half)
    return context


def synchronise(device: "torch.device") -> None:
    """Wait until a device has done all its work. Work on a GPU begins after its call returns."""
    if device.type == CUDA:
        import torch

        torch.cuda.synchronize(device)


def peak_of_gpu(device: "torch.device") -> float | None:
    """Return the peak memory of torch on a GPU in MiB, ``None`` for another device."""
    if device.type != CUDA:
        return None
    import torch

    return torch.cuda.max_memory_allocated(device) / 2**20


def memory_fault(
    problem: BaseException,
    settings: DeviceSettings,
    doing: str = "segments were detected",
) -> DataError | None:
    """Return the error to report where a device has too little memory for a network.

    Args:
        problem: An exception of the network.
        settings: Where it ran.
        doing: What was done, for the message.

    Returns:
        ``None`` if the exception has another cause.
    """
    is_gpu = type(problem).__name__ == "OutOfMemoryError"
    if not is_gpu and "DefaultCPUAllocator" not in str(problem):
        return None
    lower = f"lower --batch, which is {settings.batch}"
    if settings.batch == 1:
        lower = "--batch is 1 already; give --device cpu" if is_gpu else "--batch is 1 already"
    others = "lower -j, because all processes share this memory"
    if is_gpu and settings.precision == FLOAT32:
        others += ", or give --precision bf16 in another run folder"
    return DataError(
        f"the memory of {settings.device}{_size_of(settings.device)} ran out while {doing}; "
        f"{lower}; or {others}; finished work units are kept: the same command resumes",
    )


def _size_of(device: str) -> str:
    if device == CPU:
        return ""
    import torch

    try:
        free, total = torch.cuda.mem_get_info(torch.device(device))
    except (RuntimeError, AssertionError):  # the device is in a state in which it says nothing
        return ""
    return f" ({total / _GIB:.1f} GiB, {free / _GIB:.1f} GiB free)"
