"""Cost of networks: FLOPs by two independent counters, and measured latency and memory.

Counting imports torch, so ``mapt-bench flops`` imports the modules of this package on demand.
"""
