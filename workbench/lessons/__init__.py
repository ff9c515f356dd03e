"""Lessons: functions that students write are held against the library's, questions against what is measured.

``lessons.check("modulation", modulation)`` and ``lessons.ask("largest_mean", answer=0.25)``, in notebooks/labs.
"""

from workbench.extras import check as check_packages

check_packages(__name__)

from workbench.lessons.answers import QUESTIONS, ask, expected
from workbench.lessons.checking import check
from workbench.lessons.feedback import Feedback
from workbench.lessons.tasks import TASKS

__all__ = ["QUESTIONS", "TASKS", "Feedback", "ask", "check", "expected"]
