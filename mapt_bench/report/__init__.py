"""The report: one self-contained HTML page about runs and evaluations.

:func:`write_report` is the entry point. The page needs no network. Every name from a result is
escaped, so that it shows as text.
"""

from mapt_bench.report.page import (
    ReportPart,
    read_parts,
    render_report,
    report_text,
    write_report,
)

__all__ = ["ReportPart", "read_parts", "render_report", "report_text", "write_report"]
