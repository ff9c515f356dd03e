"""Pose backbones: skeletons in, features out."""

from workbench.nets.pose.agcn import AGCN
from workbench.nets.pose.gcn import PoseGCN
from workbench.nets.pose.gru import PoseGRU
from workbench.nets.pose.lstm import PoseLSTM

__all__ = ["AGCN", "PoseGCN", "PoseGRU", "PoseLSTM"]
