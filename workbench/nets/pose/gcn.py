"""VPN's GCN pose backbone (ECCV 2020, section 3.2 (I) and 4.1; thesis 4.5.2.1)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.nets.pose.persons import mean_over_persons
from workbench.types import Skeleton

# The pairs that the public code joins by beta; a schema without hands means its wrists.
FAR_PAIRS = (
    ("hand_right", "ankle_right"),
    ("hand_left", "ankle_left"),
    ("elbow_right", "knee_right"),
    ("elbow_left", "knee_left"),
    ("hand_right", "hand_left"),
    ("elbow_right", "elbow_left"),
)


def adjacency(
    skeleton: Skeleton, alpha: float = 5.0, beta: float = 2.0, far_pairs: Literal["all", "selected"] = "all"
) -> Tensor:
    """E, float32 [V,V]: 0 on the diagonal, alpha where a bone joins two joints, beta where none does.

    far_pairs "all" is the paper: beta for every other pair. "selected" is the public code: beta for six far pairs, 0
    for the rest.
    """
    e = torch.zeros(skeleton.count, skeleton.count)
    if far_pairs == "all":
        e.fill_(beta).fill_diagonal_(0)
    else:
        present = set(skeleton.joints)
        named = [[j if j in present else j.replace("hand", "wrist") for j in pair] for pair in FAR_PAIRS]
        _join(e, [tuple(map(skeleton.index, pair)) for pair in named], beta)
    _join(e, skeleton.bones, alpha)
    return e


def _join(e: Tensor, pairs: list | tuple, weight: float) -> None:
    for i, j in pairs:
        e[i, j] = e[j, i] = weight


def normalize(e: Tensor) -> Tensor:
    """D^-1/2 (E + I) D^-1/2 with D_ii the row sums of E + I (eq. 1); [V,V]."""
    a = e + torch.eye(len(e))
    d = a.sum(1).rsqrt()
    return d[:, None] * a * d[None, :]


class ConvBNReLU(nn.Sequential):
    """3 x 3 convolution over (t_p, V), batch norm, ReLU; the size stays."""

    def __init__(self, inputs: int, outputs: int) -> None:
        conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        super().__init__(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class PoseGCN(nn.Module):
    """One graph convolution per pose, a residual with the poses, three convolutions of 64, 64 and 128 channels.

    The paper names kernel size and the kind of residual nowhere; both are the public code's here: 3 x 3, and the poses
    joined to the graph convolution's 64 channels as three more ("residual" by addition would need 64 of them).
    pooling: window of a max pool over (t_p, V) before h* is flattened. The paper asks for compact features and draws no
    pool, the public code pools by 4 in all; 1 takes none, which makes h* of 20 poses 64,000 numbers long.
    """

    graph: Tensor

    def __init__(
        self,
        skeleton: Skeleton,
        poses: int = 20,
        alpha: float = 5.0,
        beta: float = 2.0,
        far_pairs: Literal["all", "selected"] = "all",
        pooling: int = 4,
    ) -> None:
        super().__init__()
        self.register_buffer("graph", normalize(adjacency(skeleton, alpha, beta, far_pairs)), persistent=False)
        self.weight = nn.Parameter(torch.randn(poses, 3, 64) * 3**-0.5)  # W_t of eq. 1, one per pose
        self.conv1, self.conv2, self.conv3 = ConvBNReLU(64 + 3, 64), ConvBNReLU(64, 64), ConvBNReLU(64, 128)
        self.pooling = pooling
        self.features = 128 * -(-poses // pooling) * -(-skeleton.count // pooling)

    def forward(self, pose: Tensor) -> tuple[Tensor, Tensor]:
        """pose float [B,M,t_p,V,3] -> h* [B,features] and the activation of the joints, float >= 0 [B,t_p,V]: the
        mean over the channels of the last convolution, before it is pooled (the paper's figure 5a)."""
        h, joints = mean_over_persons(self.encode, pose)
        return h, joints

    def encode(self, pose: Tensor) -> tuple[Tensor, Tensor]:
        """One body: [R,t_p,V,3] -> h* [R,features], and the activation of the joints [R,t_p,V]."""
        f = self.graph_convolution(pose)  # [B,t_p,V,64]
        x = torch.cat([f, pose], dim=3).permute(0, 3, 1, 2)  # [B,64+3,t_p,V]
        x = self.conv3(self.conv2(self.conv1(x)))  # [B,128,t_p,V]
        h = F.max_pool2d(x, self.pooling, ceil_mode=True) if self.pooling > 1 else x
        return h.flatten(1), x.mean(1)

    def graph_convolution(self, pose: Tensor) -> Tensor:
        """f+_t = D^-1/2 (E + I) D^-1/2 P_t W_t (eq. 1): [B,t_p,V,3] -> [B,t_p,V,64]."""
        return self.graph @ pose @ self.weight
