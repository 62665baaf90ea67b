"""The synthetic world: generated videos with complete ground truth."""
