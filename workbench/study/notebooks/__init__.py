"""Notebooks with checked parameters: configurations, execution, kernels."""

from workbench.study.config.notebook_config import (
    CONFIGS,
    AblationReport,
    AttentionMaps,
    Confusion,
    DataFlow,
    Detection,
    Distillation,
    Embeddings,
    Explorer,
    GradCam,
    Notebook,
    PoseRendering,
    Train,
    config_of,
)
from workbench.study.notebooks.execution import collect, execute, execute_all, open_runs, record, recorded, run_copy

__all__ = [
    "CONFIGS",
    "AblationReport",
    "AttentionMaps",
    "Confusion",
    "DataFlow",
    "Detection",
    "Distillation",
    "Embeddings",
    "Explorer",
    "GradCam",
    "Notebook",
    "PoseRendering",
    "Train",
    "collect",
    "config_of",
    "execute",
    "execute_all",
    "open_runs",
    "record",
    "recorded",
    "run_copy",
]
