"""An experiment: configuration, training, evaluation, runs."""

from workbench.study.config import TrainConfig
from workbench.study.evaluate import evaluate
from workbench.study.presets import PRESETS
from workbench.study.sweeping import sweep
from workbench.study.train import fit

__all__ = ["PRESETS", "TrainConfig", "evaluate", "fit", "sweep"]
