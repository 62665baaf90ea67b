"""Read result files: :func:`load_result` reads evaluations and runs as rows of scores.

Tables, plots and comparisons read results here. The package needs neither the code that computed
the results nor any other package, except pandas for
:meth:`~mapt_bench.results.result_files.ResultFile.to_frame`.
"""

from mapt_bench.results.result_files import (
    ResultFile,
    ResultRow,
    load_result,
    read_document,
    result_rows,
)

__all__ = ["ResultFile", "ResultRow", "load_result", "read_document", "result_rows"]
