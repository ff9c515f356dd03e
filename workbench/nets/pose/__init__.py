"""Pose backbones: skeletons in, features out."""

from workbench.nets.pose.gcn import PoseGCN
from workbench.nets.pose.lstm import PoseLSTM

__all__ = ["PoseGCN", "PoseLSTM"]
