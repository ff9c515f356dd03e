"""What systems are composed of. Needs torch and numpy only (``weights`` reads safetensors where it is installed)."""

from workbench.nets import weights
from workbench.nets.attention import AttentionPoint, Modulation, couple, modulate, truth_weights, uniform_attention
from workbench.nets.pose import AGCN, PoseGCN, PoseGRU, PoseLSTM
from workbench.nets.temporal import SSTCN, TGM, BiLSTM
from workbench.nets.video import I3D, R3D50G, S3DG, I3DNonLocal, NonLocal, ResNeXt3D

__all__ = [
    "AGCN",
    "AttentionPoint",
    "BiLSTM",
    "I3D",
    "I3DNonLocal",
    "Modulation",
    "NonLocal",
    "PoseGCN",
    "PoseGRU",
    "PoseLSTM",
    "R3D50G",
    "ResNeXt3D",
    "S3DG",
    "SSTCN",
    "TGM",
    "couple",
    "modulate",
    "truth_weights",
    "uniform_attention",
    "weights",
]
