"""The stacked LSTM on poses of P-I3D, Separable STA and VPN's baselines (VPN appendix 2; thesis 4.3, 4.6.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.nets.pose.persons import mean_over_persons


class PoseLSTM(nn.Module):
    """Three LSTM layers over the t_p poses of a body; ``hidden`` numbers a pose (the thesis: 512, 512, 128 and 128 for
    NTU-60, NTU-120, Smarthome and N-UCLA).

    residual adds the poses, projected to ``hidden`` numbers, to the LSTM's output (appendix 2, where it doesn't help).
    """

    def __init__(self, joints: int, hidden: int = 512, layers: int = 3, residual: bool = False) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3 * joints, hidden, layers, batch_first=True)
        self.residual = nn.Linear(3 * joints, hidden) if residual else None
        # Keras' start, as in the authors' code: with torch's own, three layers say next to nothing about the poses.
        for name, parameter in self.lstm.named_parameters():
            if name.startswith("weight_ih"):
                nn.init.xavier_uniform_(parameter)
            elif name.startswith("weight_hh"):
                nn.init.orthogonal_(parameter)
            else:
                nn.init.zeros_(parameter)
            if name.startswith("bias_ih"):
                nn.init.ones_(parameter[hidden : 2 * hidden])  # the forget gate

    def forward(self, pose: Tensor) -> Tensor:
        """pose float [B,M,t_p,V,3] -> the output at every step, [B,t_p,hidden]; h* is this, flattened."""
        return mean_over_persons(self.encode, pose)[0]

    def encode(self, pose: Tensor) -> tuple[Tensor]:
        """One body: [R,t_p,V,3] -> the output at every step, float32 [R,t_p,hidden]."""
        x = pose.flatten(2)
        # Recurrence adds up rounding: bf16 would save little time here and lose the small motions.
        with torch.autocast(pose.device.type, enabled=False):
            h, _ = self.lstm(x.float())
            return (h if self.residual is None else h + self.residual(x.float()),)
