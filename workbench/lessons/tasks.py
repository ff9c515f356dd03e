"""All tasks by name."""

from workbench.lessons import distillation, drawing, pose_attention
from workbench.lessons.task import Task

TASKS: dict[str, Task] = {**pose_attention.TASKS, **distillation.TASKS, **drawing.TASKS}
