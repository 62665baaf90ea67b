"""Commands that are killed, or find the disk full, and resume: ``python -m tests.crashes``."""
