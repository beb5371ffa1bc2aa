"""Comparisons of training runs, and reports of a run, from what their folders hold."""

from tfgans.comparison.comparison import Comparison, Group, SignificanceTest
from tfgans.comparison.recorded_run import GridFile, RecordedRun, absent_runs, find_runs
from tfgans.comparison.report import (
    comparison_text,
    run_text,
    write_comparison,
    write_report,
)

__all__ = [
    "Comparison",
    "GridFile",
    "Group",
    "RecordedRun",
    "SignificanceTest",
    "absent_runs",
    "comparison_text",
    "find_runs",
    "run_text",
    "write_comparison",
    "write_report",
]
