"""A bidirectional GRU on poses: what the papers' pose networks are compared with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.nets.pose.persons import mean_over_persons


class PoseGRU(nn.Module):
    """GRU layers in both directions over the t_p poses of a body, ``hidden`` numbers a pose and direction; dropout
    between the layers."""

    def __init__(self, joints: int, hidden: int = 128, layers: int = 2, dropout: float = 0.3) -> None:
        super().__init__()
        between = dropout if layers > 1 else 0.0
        self.gru = nn.GRU(3 * joints, hidden, layers, batch_first=True, bidirectional=True, dropout=between)

    def forward(self, pose: Tensor) -> Tensor:
        """pose float [B,M,t_p,V,3] -> the output at every step, [B,t_p,2 hidden]."""
        return mean_over_persons(self.encode, pose)[0]

    def encode(self, pose: Tensor) -> tuple[Tensor]:
        """One body: [R,t_p,V,3] -> the output at every step, float32 [R,t_p,2 hidden]."""
        with torch.autocast(pose.device.type, enabled=False):  # see PoseLSTM
            return (self.gru(pose.flatten(2).float())[0],)
