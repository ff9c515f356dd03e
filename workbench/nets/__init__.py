"""What systems are composed of. Needs torch and numpy only (``weights`` reads safetensors where it is installed)."""

from workbench.nets import weights
from workbench.nets.pose import PoseGCN, PoseLSTM
from workbench.nets.video import I3D

__all__ = ["I3D", "PoseGCN", "PoseLSTM", "weights"]
