"""What networks cost: operations by two independent counts, and time and memory as measured.

Counting imports torch; nothing here is imported before ``mapt-bench flops`` runs.
"""
