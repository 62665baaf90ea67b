"""Training: clips from any videos, steps on one process or many, checkpoints, weights."""
