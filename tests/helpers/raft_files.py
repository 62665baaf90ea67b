"""Files with weights of RAFT-small. They are drawn at random: good for plumbing, for no number."""

import torch
from torchvision.models.optical_flow import raft_small


def write_raft_small(path, seed=0):
    """Write a state dict drawn from a seed; return the path."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.save(raft_small(weights=None).state_dict(), path)
    return path
