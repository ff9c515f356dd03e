"""Separable STA: separable spatio-temporal attention (Das, thesis 2020, section 4.4; ICCV 2019).

A video backbone gives a feature map g. An attention network reads the 3D poses and gives weights to its places and,
apart from them, to its moments; g weighed in space and g weighed in time are pooled, concatenated and classified.
Equation numbers are the thesis'; m x n and t_c are H' x W' and T' of the feature map.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from math import prod
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench import losses
from workbench.nets import AttentionPoint, Modulation, modulate, truth_weights
from workbench.nets.attention import Guide, modulated_channels, truth_apart
from workbench.nets.modules import ModuleDict
from workbench.systems.common.base import Stage, System
from workbench.systems.common.building import Setting, assemble
from workbench.systems.common.composite import member_stages
from workbench.systems.thesis.p_i3d import ADAM, PoseNetwork
from workbench.systems.vpn.vpn import PoseNorm, Scores
from workbench.types import Batch, Output

Attention = Literal[
    "separable", "none", "spatial", "temporal", "spatial_then_temporal", "temporal_then_spatial", "joint"
]

# Table 4.4: the weights that each choice learns, in the order in which they are applied, by their names as maps.
WEIGHTS = {
    "none": (),
    "spatial": ("spatial",),
    "temporal": ("temporal",),
    "spatial_then_temporal": ("spatial", "temporal"),
    "temporal_then_spatial": ("temporal", "spatial"),
    "joint": ("attention",),
    "separable": ("spatial", "temporal"),
}


@dataclass(frozen=True)
class SeparableSTAOptions:
    """The choices of table 4.4, then the thesis' numbers.

    joint is one map of t_c x m x n weights; the thesis doesn't say how they are normalised, and for its m x n weights
    it finds softmax too small, so they are a sigmoid of their scores and count as spatial in the loss. One attention
    after the other gives the same map in either order: what differs is which is trained first (see ``stages``).
    attention_hidden is a third party's implementation's, the thesis gives no number; lstm_hidden is 512 for NTU and 128
    for Smarthome and N-UCLA; regularizer as in RGBOptions, in the fine-tuning of the backbone.

    modulation is how gs and gt come of the weights and g, see nets.attention; gated is eq. 4.12. Attentions that are
    applied in turn are multiplied into one map. guide "truth" is no published network but a ceiling: the known truth
    stands in for the weights, and there are no poses. normalize_pose is VPN's (see PoseNorm), which the thesis doesn't
    draw: without it the weights soon are the same for all clips.
    """

    attention: Attention = "separable"
    modulation: Modulation = "gated"
    guide: Guide = "pose"
    normalize_pose: bool = False
    lambda1: float = 1e-5
    lambda2: float = 1e-5
    lstm_hidden: int = 512
    attention_hidden: int = 256
    dropout: float = 0.3
    bn_momentum: float = 0.01
    regularizer: float = 0.0

    def __post_init__(self) -> None:
        if self.guide == "truth" and self.attention == "none":
            raise ValueError("separable_sta: guide='truth' needs an attention to stand in for, got attention='none'")


class SeparableSTA(System):
    """A video of any height and width may be classified, and of any length where no weight belongs to a moment."""

    needs_train = frozenset({"video", "pose", "truth", "label"})
    needs_test = frozenset({"video", "pose", "truth"})
    Options = SeparableSTAOptions

    pose: PoseNetwork
    norm: nn.Module
    attention: ModuleDict[Scores]

    def __init__(self, setting: Setting, options: SeparableSTAOptions) -> None:
        super().__init__()
        self.options = options
        self.backbone = setting.video_backbone(bn_momentum=options.bn_momentum)
        t_c, m, n = self.grid = self.backbone.grid(setting.clip)
        self.shapes = {"spatial": (m, n), "temporal": (t_c,), "attention": (t_c, m, n)}
        self.weights = WEIGHTS[options.attention]
        guide = {options.guide} if self.weights else set()
        self.needs_train, self.needs_test = frozenset({"video", "label", *guide}), frozenset({"video", *guide})
        if self.learns:
            self.pose = assemble(PoseNetwork, setting, hidden=options.lstm_hidden)
            features, hidden = self.pose.features, options.attention_hidden
            scores = {name: Scores(features, hidden, prod(self.shapes[name])) for name in self.weights}
            self.norm = PoseNorm(features, affine=False) if options.normalize_pose else nn.Identity()
            self.attention = ModuleDict(scores)
        self.points = nn.ModuleDict({name: AttentionPoint() for name in self.weights})
        self.dropout = nn.Dropout(options.dropout)
        # The thesis' 1 x 1 x 1 convolution; what it reads is pooled to a single cell.
        channels = self.backbone.channels
        if self.weights:
            channels = self.branches * modulated_channels(channels, options.modulation)
        self.classifier = nn.Linear(channels, setting.num_classes)

    @property
    def branches(self) -> int:
        """How many modulated maps are laid side by side."""
        return 2 if self.options.attention == "separable" else 1

    @property
    def learns(self) -> bool:
        """Whether there is attention, and poses drive it."""
        return bool(self.weights) and self.options.guide == "pose"

    @property
    def in_turn(self) -> bool:
        """Whether one attention is applied to what another has modulated."""
        return len(self.weights) > self.branches

    def forward(self, batch: Batch) -> Output:
        """Reads video, and pose or truth with attention; maps: feature_map, modulated, the weights by name."""
        video = self.take(batch, "video")
        g = self.backbone(video)  # [B,C,T',H',W']
        if g.shape[2] != self.grid[0] and {"temporal", "attention"} & set(self.weights):
            got = f"{video.shape[2]} frames give {g.shape[2]} time steps"
            raise ValueError(f"{got}, this Separable STA was built for {self.grid[0]}")
        if self.learns:
            h, steps = self.pose.read(batch)  # h* [B,F]
        # What follows is small beside the backbone, and is exact in fp32 whatever the backbone's precision.
        with torch.autocast(g.device.type, enabled=False):
            g = g.float()
            learned = {}
            if self.learns:
                h = self.norm(h.float())
                learned = {name: self.attend(name, h) for name in self.weights}
            weights = learned if self.learns or not self.weights else self.known_weights(batch, g)
            weights = {name: self.points[name](weight) for name, weight in weights.items()}
            weights = {name: stretch(weight, g.shape[3:]) for name, weight in weights.items()}
            modulated = self.modulate(g, weights)
            features = modulated.mean((2, 3, 4))  # global average pooling: [B,C], of two branches [B,2C]
            logits = self.classifier(self.dropout(features))
            if not self.weights:
                return Output(logits, features, {"feature_map": g})
            plain = g.mean((2, 3, 4)).repeat(1, features.shape[1] // g.shape[1])
            aux = learned | {"backbone_logits": self.classifier(self.dropout(plain))}
            maps = weights | {"feature_map": g, "modulated": modulated}
            if self.in_turn:
                first, second = (inflate(weights[name]) for name in self.weights)
                maps["attention"] = first * second
            if self.learns:
                aux["steps"] = steps
                if self.in_turn:
                    alone = modulate(g, first, self.options.modulation).mean((2, 3, 4))
                    aux["first_logits"] = self.classifier(self.dropout(alone))
        return Output(logits, features, maps, aux)

    def attend(self, name: str, h: Tensor) -> Tensor:
        """Eq. 4.10 and 4.11: the weights alpha [B,m,n] ("spatial"), beta [B,t_c] ("temporal") or both in one,
        [B,t_c,m,n] ("attention")."""
        s = self.attention[name](h)
        weights = torch.softmax(s, dim=1) if name == "temporal" else torch.sigmoid(s)
        return weights.unflatten(1, self.shapes[name])

    def known_weights(self, batch: Batch, g: Tensor) -> dict[str, Tensor]:
        """The truth in the place of the weights: as it is of those in one ("attention"), apart of others (see
        ``truth_apart``)."""
        truth = truth_weights(self.take(batch, "truth"), g.shape[2:])
        spatial, temporal = truth_apart(truth)
        weights = {"attention": truth, "spatial": spatial, "temporal": temporal}
        return {name: weights[name] for name in self.weights}

    def modulate(self, g: Tensor, weights: dict[str, Tensor]) -> Tensor:
        """Eq. 4.12: the modulated feature map [B,C,T',H',W']; of separable attention gs and gt, [B,2C,T',H',W'] (twice
        the channels with modulation "both")."""
        inflated, how = [inflate(weight) for weight in weights.values()], self.options.modulation
        if not inflated:
            return g
        if self.options.attention == "separable":
            return torch.cat([modulate(g, weight, how) for weight in inflated], dim=1)
        return modulate(g, reduce(torch.mul, inflated), how)

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """L = L_C + lambda1 sum_j ||alpha_j|| + lambda2 sum_j (1 - beta_j)^2 (eq. 4.13), of the weights there are;
        without attention the fine-tuning of the backbone is all there is."""
        if not self.weights:
            weight = self.classifier.weight
            return losses.fine_tuning(output.logits, self.take(batch, "label"), weight, self.options.regularizer)
        return self.regularized(output.logits, self.weights, output, batch)

    def first_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The same of the attention that is applied first, with the other's weights fixed as ones."""
        return self.regularized(output.aux["first_logits"], self.weights[:1], output, batch)

    def regularized(self, logits: Tensor, weights: tuple[str, ...], output: Output, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of ``logits`` with the terms of eq. 4.13 for ``weights``, by their names as maps."""
        total = F.cross_entropy(logits, self.take(batch, "label"))
        terms = {"classification": total}
        for name in weights if self.learns else ():
            temporal, learned = name == "temporal", output.aux[name].flatten(1)
            terms[name] = losses.attention_balance(learned) if temporal else losses.attention_regularizer(learned)
            total = total + (self.options.lambda2 if temporal else self.options.lambda1) * terms[name]
        return terms | {"total": total}

    def backbone_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy without attention (gs = gt = g): the backbone's fine-tuning, which leaves a classifier that the
        attention can start from."""
        label, weight = self.take(batch, "label"), self.classifier.weight
        return losses.fine_tuning(output.aux["backbone_logits"], label, weight, self.options.regularizer)

    def pose_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy at every step of the pose LSTM: its training before the whole's."""
        total = losses.every_step(output.aux["steps"], self.take(batch, "label"))
        return {"total": total, "classification": total}

    def stages(self) -> list[Stage]:
        """Algorithm 2, with the 30 epochs of 4.6.1. Attentions that are applied in turn are trained in turn, and in 30
        epochs too (after Song et al., AAAI 2017, whose procedure the thesis adopts): the first with the other left out,
        the second on the map that the first, now fixed, has modulated, then both."""
        if not self.weights:
            return [Stage("backbone")]
        stages = [Stage("backbone", trains=("backbone", "classifier"), loss="backbone_loss")]
        if not self.learns:
            return [*stages, Stage("joint", optimizer=ADAM)]
        stages += [replace(stage, loss="pose_loss") for stage in member_stages("pose", self.pose)]
        joint = Stage("joint", freezes=("pose.classifier",), optimizer=ADAM)
        if not self.in_turn:
            return [*stages, joint]
        first, second = (f"attention.{name}" for name in self.weights)
        joint = replace(joint, epochs=10)
        return [
            *stages,
            replace(joint, name=f"{first}/joint", freezes=(second, "pose.classifier"), loss="first_loss"),
            replace(joint, name=f"{second}/joint", freezes=(first, "pose")),
            joint,
        ]


def inflate(weights: Tensor) -> Tensor:
    """Weights [B,m,n], [B,t_c] or [B,t_c,m,n] with the axes [B,T',H',W'] of a feature map's cells, of size 1 where
    nothing depends on them."""
    if weights.dim() == 2:
        return weights[:, :, None, None]
    return weights[:, None] if weights.dim() == 3 else weights


def stretch(weights: Tensor, size: torch.Size) -> Tensor:
    """Weights [B,m,n] or [B,t_c,m,n] for a feature map of ``size`` (H',W'): those of a larger picture (fully
    convolutional inference, 4.6.1). Weights [B,t_c] stay as they are."""
    if weights.dim() == 2 or weights.shape[-2:] == size:
        return weights
    cells = weights.reshape(len(weights), -1, *weights.shape[-2:])
    return F.interpolate(cells, size, mode="bilinear", align_corners=False).view(*weights.shape[:-2], *size)
