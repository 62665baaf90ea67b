"""Result files, read back: :func:`load_result` for evaluations and runs, and their rows.

Whoever renders or compares results reads them here. It needs neither the code that made them nor
any package beyond Python, but for :meth:`~mapt_bench.results.result_files.ResultFile.to_frame`.
"""

from mapt_bench.results.result_files import ResultFile, ResultRow, load_result

__all__ = ["ResultFile", "ResultRow", "load_result"]
