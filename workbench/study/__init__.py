"""An experiment: configuration, training, evaluation, runs."""

from workbench.study.config import PRESETS, TrainConfig
from workbench.study.evaluate import evaluate
from workbench.study.sweeping import sweep
from workbench.study.train import fit

__all__ = ["PRESETS", "TrainConfig", "evaluate", "fit", "sweep"]
