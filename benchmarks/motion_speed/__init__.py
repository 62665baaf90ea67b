"""Parts of ``benchmarks/motion.py``."""
