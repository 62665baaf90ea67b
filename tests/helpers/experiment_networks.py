"""Networks of which there is only a name: good for plans and schedules, which read no file."""

from pathlib import Path

from mapt_bench.experiments import MaptWeights, NetworkWeights


def named_mapt(
    name="mapt-tiny", *, label_space="kitti-step", has_motion=True, has_appearance=True
) -> MaptWeights:
    """A MAPT by name."""
    path, sha256 = Path(f"{name}.safetensors"), f"{name:x<64}"
    return MaptWeights(name, path, sha256, label_space, has_motion, has_appearance)


def named_flow(flow) -> NetworkWeights:
    """A flow network by name."""
    return NetworkWeights(flow, Path("weights.pth"), f"hash of {flow}")
