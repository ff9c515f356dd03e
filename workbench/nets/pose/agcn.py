"""AGCN: adaptive graph convolutions over joints, convolutions over time (Shi et al., "Two-Stream Adaptive Graph
Convolutional Networks for Skeleton-Based Action Recognition", CVPR 2019).

Module names, padding and batch norm are those of the public 2s-AGCN, so that its checkpoints load as they are. Equation
numbers are the paper's.
"""

from __future__ import annotations

from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.nets.modules import ModuleList, classifier_of
from workbench.types import Skeleton

Pair = tuple[int, int]

# Output channels at width 1, and stride in time, of the units l1 to l10.
UNITS = ((64, 1), (64, 1), (64, 1), (64, 1), (128, 2), (128, 1), (128, 1), (256, 2), (256, 1), (256, 1))


def adjacency(skeleton: Skeleton) -> Tensor:
    """A_k of eq. 2, float32 [3,V,V]: column v says what joint v gathers. Itself; its parent, the next joint on the way
    to the schema's centre, where the bones end; the mean of its children. A column without neighbours is zero.

    Columns sum to 1 as in the public code; the paper normalises rows and columns alike, D^-1/2 A D^-1/2.
    """
    inward = torch.zeros(skeleton.count, skeleton.count)
    for child, parent in skeleton.bones:
        inward[parent, child] = 1
    links = torch.stack([torch.eye(skeleton.count), inward, inward.T])
    return links / links.sum(1, keepdim=True).clamp(min=1)


class HeConv2d(nn.Conv2d):
    """A convolution with the public initialisation: He's, by the number of outputs, and no bias."""

    bias: nn.Parameter

    def __init__(
        self, inputs: int, outputs: int, kernel: int | Pair, stride: int | Pair = 1, padding: int | Pair = 0
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding)
        nn.init.kaiming_normal_(self.weight, mode="fan_out")
        nn.init.zeros_(self.bias)


class UnitTCN(nn.Module):
    """Convolution over time and batch norm: [R,C,t_p,V] -> [R,O,ceil(t_p / stride),V]."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 9, stride: int = 1) -> None:
        super().__init__()
        self.conv = HeConv2d(inputs, outputs, (kernel, 1), (stride, 1), (kernel // 2, 0))
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """float [R,C,t_p,V] -> [R,O,ceil(t_p / stride),V]."""
        return self.bn(self.conv(x))


class UnitGCN(nn.Module):
    """Adaptive graph convolution (eq. 3): f_out = sum_k W_k f_in (A_k + B_k + C_k), [R,C,t_p,V] -> [R,O,t_p,V].

    A_k is the skeleton, B_k (PA) is learned, C_k is the clip's own: softmax(theta(f_in)^T phi(f_in)) (eq. 5).
    """

    graph: Tensor
    conv_a: ModuleList[HeConv2d]
    conv_b: ModuleList[HeConv2d]
    conv_d: ModuleList[HeConv2d]

    def __init__(self, inputs: int, outputs: int, graph: Tensor) -> None:
        super().__init__()
        subsets, embedding = len(graph), outputs // 4
        self.register_buffer("graph", graph.clone(), persistent=False)
        self.PA = nn.Parameter(torch.full_like(graph, 1e-6))
        self.conv_a = ModuleList(HeConv2d(inputs, embedding, 1) for _ in range(subsets))  # theta
        self.conv_b = ModuleList(HeConv2d(inputs, embedding, 1) for _ in range(subsets))  # phi
        self.conv_d = ModuleList(HeConv2d(inputs, outputs, 1) for _ in range(subsets))  # W
        for conv in self.conv_d:
            nn.init.normal_(conv.weight, 0, sqrt(2 / (outputs * inputs * subsets)))
        self.down: nn.Module = nn.Identity()
        if inputs != outputs:
            self.down = nn.Sequential(HeConv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs))
        self.bn = nn.BatchNorm2d(outputs)
        nn.init.constant_(self.bn.weight, 1e-6)  # the unit starts as its residual

    def forward(self, x: Tensor) -> Tensor:
        """float [R,C,t_p,V] -> [R,O,t_p,V], >= 0."""
        links = self.graph + self.PA + self.own_links(x)  # A_k + B_k + C_k [R,3,V,V]
        gathered = (x.flatten(1, 2)[:, None] @ links).view(len(x), -1, *x.shape[2:])  # [R,3*C,t_p,V]
        # The three W_k side by side are one convolution of the three results.
        weight = torch.cat([conv.weight for conv in self.conv_d], dim=1)
        bias = sum((conv.bias for conv in self.conv_d), torch.zeros((), device=x.device))
        y = F.conv2d(gathered, weight, bias)  # [R,O,t_p,V]
        return F.relu(self.bn(y) + self.down(x))

    def own_links(self, x: Tensor) -> Tensor:
        """C_k [R,3,V,V], every column summing to 1: how alike joints are over the whole clip, in embeddings of C_e
        channels. The paper doesn't divide by their length C_e t_p; the public code does."""
        convs = [*self.conv_a, *self.conv_b]
        both = F.conv2d(x, torch.cat([conv.weight for conv in convs]), torch.cat([conv.bias for conv in convs]))
        theta, phi = both.unflatten(1, (2, len(self.PA), -1)).flatten(3, 4).unbind(1)  # [R,3,C_e*t_p,V]
        return torch.softmax(theta.transpose(2, 3) @ phi / theta.shape[2], dim=-2)


class Unit(nn.Module):
    """Graph convolution, convolution over time, and the unit's input added: [R,C,t_p,V] -> [R,O,ceil(t_p/stride),V]."""

    def __init__(self, inputs: int, outputs: int, graph: Tensor, stride: int = 1, residual: bool = True) -> None:
        super().__init__()
        self.gcn1 = UnitGCN(inputs, outputs, graph)
        self.tcn1 = UnitTCN(outputs, outputs, stride=stride)
        self.residual = None
        if residual:
            same = inputs == outputs and stride == 1
            self.residual = nn.Identity() if same else UnitTCN(inputs, outputs, kernel=1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """float [R,C,t_p,V] -> [R,O,ceil(t_p / stride),V], >= 0."""
        y = self.tcn1(self.gcn1(x))
        return F.relu(y if self.residual is None else y + self.residual(x))


class AGCN(nn.Module):
    """Poses of any number t_p and any skeleton -> features [B,channels] and the activation of the joints.

    3,469,510 parameters for 60 classes, 25 joints and two persons. With num_classes there is a classifier, ``fc``, that
    reads the features. width scales every unit's channels, rounded to multiples of 8 (256 features at width 1). layers:
    only the first so many of the ten units; two are the pose backbone of VPN++'s teacher VPN* (TPAMI 2021, section
    4.1; these units in its code).

    persons: bodies that the first batch norm has statistics for, each its own. As in the public code a body that isn't
    there is zeros, passes through the network and counts in the mean over the bodies; a batch of fewer bodies is
    filled up with such, so that it makes no difference whether they are stored.
    Raises ValueError for layers outside 1 to 10 or persons below 1.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        skeleton: Skeleton | str = "kinect_v2",
        persons: int = 2,
        layers: int = 10,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        if not 1 <= layers <= len(UNITS):
            raise ValueError(f"AGCN: layers must be 1 to {len(UNITS)}, got {layers}")
        if persons < 1:
            raise ValueError(f"AGCN: persons must be 1 or more, got {persons}")
        body = skeleton if isinstance(skeleton, Skeleton) else Skeleton.named(skeleton)
        graph = adjacency(body)
        self.persons, self.joints, self.layers = persons, body.count, layers
        self.data_bn = nn.BatchNorm1d(persons * body.count * 3)
        inputs = 3
        for i, (channels, stride) in enumerate(UNITS[:layers], start=1):
            outputs = max(8, int(channels * width / 8 + 0.5) * 8)
            self.add_module(f"l{i}", Unit(inputs, outputs, graph, stride, residual=i > 1))
            inputs = outputs
        self.channels = inputs
        self.fc = nn.Linear(inputs, num_classes) if num_classes else None
        if self.fc is not None:
            nn.init.normal_(self.fc.weight, 0, sqrt(2 / self.fc.out_features))

    def forward(self, pose: Tensor) -> tuple[Tensor, Tensor]:
        """pose float [B,M,t_p,V,3], M up to ``persons`` -> features [B,channels], and float >= 0 [B,t_p,V]: the mean
        over the last unit's channels and the bodies, stretched in time from t_p/4 steps (two strides) to t_p."""
        x = self.normalize(pose)  # [B*M,3,t_p,V]
        for i in range(1, self.layers + 1):
            x = self.get_submodule(f"l{i}")(x)  # 64 channels, t_p; from l5 on 128, t_p/2; from l8 on 256, t_p/4
        x = x.unflatten(0, (-1, self.persons))  # [B,M,channels,t_p/4,V]
        joints = x.mean((1, 2))  # [B,t_p/4,V]
        if joints.shape[1] != pose.shape[2]:
            joints = F.interpolate(joints.transpose(1, 2), pose.shape[2], mode="linear").transpose(1, 2)
        return x.mean((1, 3, 4)), joints

    def classify(self, features: Tensor) -> Tensor:
        """Class scores [B,N] of features [B,channels]; ValueError without num_classes."""
        return classifier_of(self, self.fc)(features)

    def normalize(self, pose: Tensor) -> Tensor:
        """Batch norm of every coordinate of every joint of every body: [B,M,t_p,V,3] -> [B*persons,3,t_p,V].
        ValueError for more bodies than ``persons`` or another number of joints."""
        if pose.dim() != 5 or pose.shape[1] > self.persons or pose.shape[3:] != (self.joints, 3):
            expected = f"[B,M<={self.persons},t_p,{self.joints},3]"
            raise ValueError(f"AGCN: poses must be {expected}, got {list(pose.shape)}")
        missing = self.persons - pose.shape[1]
        pose = F.pad(torch.nan_to_num(pose), (0, 0, 0, 0, 0, 0, 0, missing))
        x = self.data_bn(pose.permute(0, 1, 3, 4, 2).flatten(1, 3))  # [B,M*V*3,t_p], in the public order
        return x.unflatten(1, (self.persons, self.joints, 3)).permute(0, 1, 3, 4, 2).flatten(0, 1).contiguous()
