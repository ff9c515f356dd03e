"""The Temporal Model: temporal granularities under two levels of pose-driven attention (Das, thesis 2020, 5.2; "Looking
deeper into Time for Activities of Daily Living Recognition", WACV 2020).

A video is cut into G equal segments, for several granularities G, by the loader (data.ClipSpec). A video backbone that
was trained before, the base, makes a feature vector of each segment, as if it were a clip of its own, and one recurrent
network a granularity links them. Poses say how much each
segment (TS-att) and each granularity (TG-att) counts. Equation numbers are the thesis'; algorithm 4 is its training.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.nets.attention import AttentionPoint, Modulation
from workbench.nets.pose.persons import mean_over_persons
from workbench.systems.baselines.rgb import RGB
from workbench.systems.common.base import Stage, System
from workbench.systems.common.building import Setting, assemble
from workbench.systems.common.composite import member_stages
from workbench.systems.thesis.p_i3d import PI3D, Region
from workbench.systems.thesis.separable_sta import SeparableSTA
from workbench.systems.vpn.vpn import VPN, PoseNorm
from workbench.types import Batch, Output

BASES: dict[str, type[System]] = {"rgb": RGB, "p_i3d": PI3D, "separable_sta": SeparableSTA, "vpn": VPN}


@dataclass(frozen=True)
class TemporalModelOptions:
    """base is the video backbone f(.) (table 5.2); granularities any numbers of segments from 2 on, in any order;
    segments is how the loader makes clips of them (see data.ClipSpec): "resampled" from the video, which "is divided
    into G temporal segments" (5.2.1), or "looped" or "repeated" from the frames of the one clip. An attention that is
    off leaves a plain sum (figure 5.8, table 5.1).

    hidden: numbers of R^S_G; attention_hidden: of R^p_{G,j} and R^p_G; segment_poses: poses that a segment's attention
    reads (5 for NTU, 4 for N-UCLA); dropout behind every recurrent network is the public code's, as the thesis names
    none. normalize_steps is a batch norm of what R^p_G says, before it is scored, which the thesis lacks: without it
    what all clips have in common soon decides the weights (see vpn.PoseNorm). The rest are the base's, where it has
    them: modulation, normalize_pose and pose_first None are its own default.
    """

    base: Literal["rgb", "p_i3d", "separable_sta", "vpn"] = "rgb"
    granularities: tuple[int, ...] = (2, 3, 4)
    segments: Literal["resampled", "looped", "repeated"] = "resampled"
    segment_attention: bool = True
    granularity_attention: bool = True
    hidden: int = 512
    attention_hidden: int = 150
    segment_poses: int = 5
    normalize_steps: bool = False
    dropout: float = 0.6
    bn_momentum: float = 0.01
    regularizer: float = 0.0
    lstm_hidden: int = 512
    regions: tuple[Region, ...] = ("left_hand", "right_hand", "full_body")
    body: Literal["track", "crop"] = "track"
    modulation: Modulation | None = None
    normalize_pose: bool | None = None
    pose_first: bool | None = None

    def __post_init__(self) -> None:
        if min(self.granularities) < 2:
            raise ValueError(f"granularities must be 2 or more (1 is the whole video), got {self.granularities}")
        if len(set(self.granularities)) < len(self.granularities):
            raise ValueError(f"granularities must differ from each other, got {self.granularities}")
        if self.dropout >= 1:
            raise ValueError(f"dropout must be below 1, got {self.dropout}")


#: The options that are the base's.
OF_BASE = ("bn_momentum", "regularizer", "lstm_hidden", "regions", "body", "modulation", "normalize_pose", "pose_first")


def base_of(setting: Setting, options: TemporalModelOptions) -> System:
    """The base, f(.), with those of ``options`` that it has."""
    kind = BASES[options.base]
    own = {field.name for field in fields(kind.Options)}.intersection(OF_BASE)
    values = {name: getattr(options, name) for name in own}
    return assemble(kind, setting, **{name: value for name, value in values.items() if value is not None})


def thinned(length: int, count: int) -> Tensor:
    """int64 [count]: of ``length`` moments the one in the middle of each of ``count`` equal shares."""
    return (2 * torch.arange(count) + 1) * length // (2 * count)


def gru(inputs: int, hidden: int) -> nn.GRU:
    """A recurrent network of one layer, its weights Gaussian (algorithm 4, line 6)."""
    network = nn.GRU(inputs, hidden, batch_first=True)
    for parameter in network.parameters():
        nn.init.xavier_normal_(parameter) if parameter.dim() == 2 else nn.init.zeros_(parameter)
    return network


def equal_scores(inputs: int, count: int) -> nn.Linear:
    """``count`` scores of a vector, all equal to begin with (algorithm 4, line 6)."""
    layer = nn.Linear(inputs, count, bias=count > 1)  # a softmax doesn't see what all scores have in common
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class PoseNetworks(nn.Module):
    """The G + 1 recurrent networks of a granularity (figure 5.6): R^p_{G,j} reads the poses of segment j, and R^p_G the
    last outputs of all of them in turn. Eq. 5.4 adds the networks up; its closed form is wrong (8 of G = 2, 3, 4, which
    have 3 + 4 + 5 = 12)."""

    def __init__(self, joints: int, granularity: int, hidden: int, dropout: float, normalize: bool = False) -> None:
        super().__init__()
        self.segments = nn.ModuleList(gru(3 * joints, hidden) for _ in range(granularity))  # R^p_{G,j}
        self.whole = gru(hidden, hidden)  # R^p_G
        self.dropout = nn.Dropout(dropout)
        self.norm = PoseNorm(granularity * hidden, affine=False) if normalize else nn.Identity()

    def forward(self, pose: Tensor) -> Tensor:
        """pose float [B,M,G x segment_poses,V,3] -> the output of R^p_G after each segment, [B,G,hidden], the mean over
        persons; the last one is Y_G."""
        steps = mean_over_persons(self.encode, pose)[0]
        return self.norm(steps.flatten(1)).view_as(steps)

    def encode(self, pose: Tensor) -> tuple[Tensor]:
        parts = pose.flatten(2).chunk(len(self.segments), dim=1)  # P_Gj, G times [B,segment_poses,3V]
        last = [network(part)[0][:, -1] for network, part in zip(self.segments, parts, strict=True)]
        return (self.dropout(self.whole(self.dropout(torch.stack(last, dim=1)))[0]),)


class TemporalModel(System):
    """Reads poses where an attention is on or the base does; needs_train and needs_test say so."""

    needs_train = frozenset({"video", "pose", "parts", "segments", "label"})
    needs_test = frozenset({"video", "pose", "parts", "segments"})
    Options = TemporalModelOptions

    def __init__(self, setting: Setting, options: TemporalModelOptions) -> None:
        super().__init__()
        self.options, self.base = options, base_of(setting, options)
        self.attends = options.segment_attention or options.granularity_attention
        own = frozenset({"segments", "pose"} if self.attends else {"segments"})
        self.needs_train, self.needs_test = self.base.needs_train | own, self.base.needs_test | own

        names, hidden = [str(g) for g in options.granularities], options.attention_hidden
        inputs = self.base.classifier.in_features
        self.recurrent = nn.ModuleDict({g: gru(inputs, options.hidden) for g in names})  # R^S_G
        if self.attends:
            joints = setting.skeleton.count
            how = (hidden, options.dropout, options.normalize_steps)
            networks = {g: PoseNetworks(joints, int(g), *how) for g in names}
            self.pose_networks = nn.ModuleDict(networks)
        if options.segment_attention:
            self.segment_scores = nn.ModuleDict({g: equal_scores(hidden, 1) for g in names})
        if options.granularity_attention:
            self.granularity_scores = equal_scores(hidden * len(names), len(names))
        self.segment_point, self.granularity_point = AttentionPoint(), AttentionPoint()
        self.dropout = nn.Dropout(options.dropout)
        self.classifier = nn.Linear(options.hidden, setting.num_classes)
        nn.init.xavier_normal_(self.classifier.weight)

    def forward(self, batch: Batch) -> Output:
        return self.classify(self.encode(batch) if batch.features is None else batch.features)

    def encode(self, batch: Batch) -> dict[str, Tensor]:
        """What the Temporal Model reads of each clip (algorithm 4, line 3), for every granularity G: "segments/<G>"
        float [B,G,F], the base's features; and, with attention, "poses/<G>" float [B,M,G x segment_poses,V,3].

        The features are the base's behind its global average pooling (5.4.1), which the base's classifier reads too.
        The public code keeps seven moments of each segment apart, 7 x 1024 numbers, as the thesis must where it counts
        80 M parameters (6.3). While training, no gradient reaches the base through its features: the two aren't trained
        jointly (5.2.3).
        """
        self.take(batch, "segments")
        features = {}
        for g in self.options.granularities:
            seen, poses = [], []
            for i in range(g):
                segment = batch.segment(g, i)  # S_Gi and P_Gi (5.2.1), as many clips as the batch has
                with torch.set_grad_enabled(torch.is_grad_enabled() and not self.training):
                    seen.append(self.base(segment).features)
                if self.attends:
                    pose = self.take(segment, "pose")  # [B,M,t_p,V,3]
                    poses.append(pose[:, :, thinned(pose.shape[2], self.options.segment_poses).to(pose.device)])
            features[f"segments/{g}"] = torch.stack(seen, dim=1)  # ST(V,G)
            if self.attends:
                features[f"poses/{g}"] = torch.cat(poses, dim=2)
        return features

    def classify(self, features: dict[str, Tensor]) -> Output:
        """The stages B and C of figure 5.3: the classification networks, and the fusion of granularities.

        One classifier reads the sum: since sum_G beta_G = 1, the scores of that sum are the weighted sum of the
        granularities' scores. The public code concatenates the granularities instead, and scores all segments from the
        last output of R^p_G where algorithm 4 (line 5) scores each from its own.
        """
        v, y, maps = [], [], {}
        # Small beside the base, and recurrence adds up rounding: fp32 whatever the base's precision.
        with torch.autocast(self.classifier.weight.device.type, enabled=False):
            for g in self.recurrent:
                u = self.dropout(self.recurrent[g](features[f"segments/{g}"].float())[0])  # U_G [B,G,512], eq. 5.1
                if self.attends:
                    steps = self.pose_networks[g](features[f"poses/{g}"].float())  # [B,G,150]
                    y.append(steps[:, -1])  # Y_G
                if self.options.segment_attention:
                    alpha = self.segment_point(self.segment_scores[g](steps).softmax(dim=1))  # [B,G,1], eq. 5.2
                    u, maps[f"segments/{g}"] = alpha * u, alpha[:, :, 0]
                v.append(u.sum(1))  # v_G [B,512], eq. 5.3
            fused = torch.stack(v, dim=1)  # [B,n,512]
            if self.options.granularity_attention:
                beta = self.granularity_point(self.granularity_scores(torch.cat(y, dim=1)).softmax(dim=1))  # eq. 5.6
                fused, maps["granularities"] = beta[:, :, None] * fused, beta
            pooled = fused.sum(1)  # [B,512]
            return Output(self.classifier(pooled), pooled, maps)  # eq. 5.7 before its softmax

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """L_c, without a regulariser on the attention (5.2.3). While the base is in training mode and has clips to
        train on, its own loss of the whole clip stands beside; the two share no parameter."""
        l_c = F.cross_entropy(output.logits, self.take(batch, "label"))
        if not self.base.training or batch.features is not None:
            return {"total": l_c, "classification": l_c}
        base = self.base.loss(self.base(batch), batch)["total"]
        return {"total": l_c + base, "classification": l_c, "base": base}

    def backbone_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The base's own, of the whole clip, as are the two below: its fine-tuning."""
        return self.base.backbone_loss(self.base(batch), batch)

    def part_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The fine-tuning of its networks of body parts."""
        return self.base.part_loss(self.base(batch), batch)

    def pose_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The training of its pose network before the whole's."""
        return self.base.pose_loss(self.base(batch), batch)

    def stages(self) -> list[Stage]:
        """Algorithm 4: the base as its own paper trains it, on whole clips; then, on its features, all the rest. The
        thesis gives neither epochs nor a schedule; the schedule is the public code's."""
        head = Stage(
            "head",
            freezes=("base",),
            cached="encode",
            optimizer={"name": "adam", "lr": 5e-4},
            schedule={"name": "plateau", "patience": 10},
        )
        return [*member_stages("base", self.base), head]
