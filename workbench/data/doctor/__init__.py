"""The doctor: finds what silently ruins results. ``python -m workbench doctor DATASET``.

One check is one function in ``files`` (videos), ``joints`` (poses), ``sights`` (poses against pictures), ``tables``
(labels and parts) or ``twins`` (clips in two parts); ``registry.CHECKS`` lists them with what they mean.
"""

from workbench.data.doctor.examine import Report, Result, examine, open_parts
from workbench.data.doctor.page import write
from workbench.data.doctor.registry import CHECKS, Check, Finding

__all__ = ["CHECKS", "Check", "Finding", "Report", "Result", "examine", "open_parts", "write"]
