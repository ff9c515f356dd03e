"""An experiment: configuration, training, evaluation, runs."""

from workbench.extras import check

check(__name__)

from workbench.study.config.presets import PRESETS
from workbench.study.config.train_config import TrainConfig
from workbench.study.evaluate.evaluate import evaluate
from workbench.study.sweep.sweep import sweep
from workbench.study.train.fit import fit

__all__ = ["PRESETS", "TrainConfig", "evaluate", "fit", "sweep"]
