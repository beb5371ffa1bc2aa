"""Comparisons of training runs, and reports of a run, from what their folders hold."""

from tfgans.comparison.comparison import Comparison, Group, SignificanceTest
from tfgans.comparison.recorded_run import GridFile, RecordedRun
from tfgans.comparison.report import (
    comparison_text,
    run_text,
    write_comparison,
    write_report,
)
from tfgans.comparison.run_search import RunSearch, find_runs, search_runs

__all__ = [
    "Comparison",
    "GridFile",
    "Group",
    "RecordedRun",
    "RunSearch",
    "SignificanceTest",
    "comparison_text",
    "find_runs",
    "run_text",
    "search_runs",
    "write_comparison",
    "write_report",
]
