"""The doctor: finds what silently ruins results. ``python -m workbench doctor DATASET``.

One check is one function in ``check_files`` (videos), ``check_joints`` (poses), ``check_pictures`` (poses against
pictures), ``check_tables`` (labels and parts) or ``check_twins`` (clips in two parts); ``checks.CHECKS`` lists them
with what they mean.
"""

from workbench.data.doctor.checks import CHECKS, Check, Finding
from workbench.data.doctor.examine import Report, Result, examine, open_parts
from workbench.data.doctor.report_page import write

__all__ = ["CHECKS", "Check", "Finding", "Report", "Result", "examine", "open_parts", "write"]
