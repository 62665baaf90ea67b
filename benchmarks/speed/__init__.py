"""Parts of ``benchmarks/metrics.py``."""
