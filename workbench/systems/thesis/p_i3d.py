"""P-I3D: spatial attention over body parts (Das, thesis 2020, section 4.3; WACV 2019).

One video backbone a body part reads that part's crop. An attention network reads the 3D poses and says how much each
part's feature map counts; the weighted maps are summed (or concatenated) and classified. Equation numbers are the
thesis'.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench import losses
from workbench.nets import I3D
from workbench.nets.attention import AttentionPoint, Modulation, modulate, modulated_channels
from workbench.nets.modules import ModuleDict, submodule
from workbench.nets.video.i3d import Half
from workbench.systems.baselines.pose_lstm import PoseLSTMClassifier, PoseLSTMOptions
from workbench.systems.baselines.rgb import RGB, RGBOptions
from workbench.systems.common.base import Stage, System
from workbench.systems.common.building import Setting, assemble
from workbench.systems.common.composite import member_stages
from workbench.systems.vpn.vpn import PoseNorm, Scores
from workbench.types import Batch, Output

Region = Literal["left_hand", "right_hand", "full_body", "upper_body", "full_frame"]

# Thesis 4.6.1: the whole network is trained with Adam, each video backbone before it with SGD.
ADAM = {"name": "adam", "lr": 0.01}


@dataclass(frozen=True)
class PI3DOptions:
    """The thesis' ablations (tables 4.2 and 4.3), then its numbers.

    regions are the K body parts, in the order of Batch.parts. at is r: the parts are aggregated in front of the last r
    inception blocks, which one network then runs on the aggregate. attention False is plain sum_r or concat_r, which
    reads no pose. body is what full_body shows (see data.ClipSpec): "tracks of human body parts" (4.3.1), or the crop
    of the clip itself, which networks that were trained on whole clips know.

    modulation is eq. 4.7, alpha_k g_k ("gated"), or another reading of nets.attention.modulate, for which the parts are
    the cells: "mean" gives the weights a mean of 1, so that equal ones are plain sum_r; "both" puts plain sum_r beside.
    guide is where weights come from: the pose, or, as a ceiling, the known truth: each part's share of the pixels that
    decide the label (Batch.part_truth), divided by the sum of the shares. normalize_pose: see vpn.PoseNorm; without it
    h* is read as it is, as eq. 4.5 has it.

    weight_penalty is ||W|| of eq. 4.8 as it is printed, or squared as in the public code.
    attention_hidden is the public code's, as the thesis gives no number. lstm_hidden is 512 for NTU and 128 for
    Smarthome and N-UCLA, lambda1 1e-4 for N-UCLA. regularizer as in RGBOptions, in the fine-tuning of the parts.
    """

    regions: tuple[Region, ...] = ("left_hand", "right_hand", "full_body")
    aggregate: Literal["sum", "concat"] = "sum"
    at: Literal[0, 1, 2, 3, 4, 5, 6, 7, 8, 9] = 0
    attention: bool = True
    body: Literal["track", "crop"] = "track"
    modulation: Modulation = "gated"
    guide: Literal["pose", "truth"] = "pose"
    normalize_pose: bool = False
    lambda1: float = 1e-5
    lambda2: float = 1e-3
    weight_penalty: Literal["norm", "squared"] = "norm"
    lstm_hidden: int = 512
    attention_hidden: int = 128
    dropout: float = 0.3
    bn_momentum: float = 0.01
    regularizer: float = 0.0

    def __post_init__(self) -> None:
        if len(set(self.regions)) < len(self.regions):
            raise ValueError(f"p_i3d: regions must differ from each other, got {', '.join(self.regions)}")
        if self.attention and len(self.regions) == 1:
            raise ValueError(f"p_i3d: attention=True needs two regions or more to weigh, got {self.regions[0]} alone")
        if self.aggregate == "concat" and self.at:
            raise ValueError(f"p_i3d: aggregate='concat' needs at=0, no block behind the aggregate, got at={self.at}")
        if self.modulation == "both" and self.at:
            raise ValueError(f"p_i3d: modulation='both' needs at=0, as it doubles the channels, got at={self.at}")


class PartNetwork(RGB):
    """The video backbone of the body part at ``index`` in Batch.parts, with a classifier that serves its fine-tuning
    alone (algorithm 1, step 2)."""

    needs_train = frozenset({"parts", "label"})
    needs_test = frozenset({"parts"})

    def __init__(self, setting: Setting, options: RGBOptions, index: int) -> None:
        super().__init__(setting, options)
        self.index = index

    def forward(self, batch: Batch) -> Output:
        """Reads the part at ``index`` as RGB reads the video."""
        return super().forward(batch.replace(video=self.take(batch, "parts")[:, self.index]))

    def part_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """``loss``, under the name that the whole has too."""
        return self.loss(output, batch)


class PoseNetwork(PoseLSTMClassifier):
    """The pose backbone, three LSTM layers, with a classifier that serves its training before the whole's alone
    (algorithms 1 and 2, step 3). h* has ``features`` numbers: the hidden states of all steps, concatenated."""

    def __init__(self, setting: Setting, options: PoseLSTMOptions) -> None:
        super().__init__(setting, options)
        self.poses, self.features = setting.poses, setting.poses * options.hidden

    def read(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """h* [B,features], and the classifier's logits at every step [B,t_p,N]. ValueError for another t_p than the
        setting's."""
        pose = self.take(batch, "pose")
        if pose.shape[2] != self.poses:
            raise ValueError(f"batch.pose has {pose.shape[2]} poses a clip, this system was built for {self.poses}")
        steps = self.pose_backbone(pose)  # [B,t_p,hidden]
        return steps.flatten(1), self.classifier(self.dropout(steps))

    def pose_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """``loss``, under the name that the whole has too."""
        return self.loss(output, batch)


class PI3D(System):
    """Crops of any size and length may be classified.

    The maps feature_map and modulated are the aggregate of the parts, without and with their weights, as it is formed;
    with at=0 it is what is pooled and classified.
    """

    needs_train = frozenset({"parts", "pose", "part_truth", "label"})
    needs_test = frozenset({"parts", "pose", "part_truth"})
    Options = PI3DOptions

    tail: Half
    pose: PoseNetwork
    norm: nn.Module
    attention: Scores

    def __init__(self, setting: Setting, options: PI3DOptions) -> None:
        super().__init__()
        self.options = options
        rgb = RGBOptions(options.dropout, options.bn_momentum, options.regularizer)
        parts: dict[str, PartNetwork] = {name: PartNetwork(setting, rgb, k) for k, name in enumerate(options.regions)}
        self.parts: ModuleDict[PartNetwork] = ModuleDict(parts)
        if options.at:
            backbone = setting.video_backbone(bn_momentum=options.bn_momentum)
            if not isinstance(backbone, I3D):
                raise ValueError(f"p_i3d: at={options.at} needs the inception blocks of i3d, got {setting.backbone!r}")
            self.tail = backbone.halves(options.at)[1]
        self.learns = options.attention and options.guide == "pose"
        if self.learns:
            self.pose = assemble(PoseNetwork, setting, hidden=options.lstm_hidden)
            self.norm = PoseNorm(self.pose.features, affine=False) if options.normalize_pose else nn.Identity()
            self.attention = Scores(self.pose.features, options.attention_hidden, len(self.parts))
        self.point = AttentionPoint()
        guide: set[str] = {"pose" if self.learns else "part_truth"} if options.attention else set()
        self.needs_train, self.needs_test = frozenset({"parts", "label"} | guide), frozenset({"parts"} | guide)
        self.dropout = nn.Dropout(options.dropout)
        channels = self.parts[options.regions[0]].backbone.channels
        if options.aggregate == "concat":
            channels *= len(self.parts)
        if options.attention:
            channels = modulated_channels(channels, options.modulation)
        self.classifier = nn.Linear(channels, setting.num_classes)

    def forward(self, batch: Batch) -> Output:
        """Reads parts, and pose or part_truth with attention; maps: feature_map, parts, modulated."""
        crops = self.take(batch, "parts")
        if crops.shape[1] != len(self.parts):
            raise ValueError(f"batch.parts has {crops.shape[1]} parts a clip, expected {', '.join(self.parts)}")
        seen = [self.halves(part)[0](crops[:, part.index]) for part in self.parts.values()]
        g = torch.stack(seen, dim=1).float()  # eq. 4.4: g_k [B,K,C,T',H',W']
        f = self.aggregate(g)
        maps, aux = {"feature_map": f}, {"g": g}
        if self.options.attention:
            alpha, steps = self.weights(batch)
            f = self.aggregate(self.modulate(g, self.point(alpha)))  # eq. 4.7: F
            maps, aux = maps | {"parts": alpha, "modulated": f}, aux | steps
        if self.options.at:
            f = self.tail(f)
        features = f.float().mean((2, 3, 4))  # global average pooling
        return Output(self.classifier(self.dropout(features)), features, maps, aux)

    def weights(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """alpha [B,K], eq. 4.5 and 4.6, or the truth in its place; and, where poses are read, the "steps" of ``pose``,
        the logits of its classifier."""
        if not self.learns:
            share = self.take(batch, "part_truth").float().clamp_min(1e-6)  # where nothing is seen, all alike
            return share / share.sum(1, keepdim=True), {}
        h, steps = self.pose.read(batch)  # h* [B,F]
        with torch.autocast(h.device.type, enabled=False):
            return torch.softmax(self.attention(self.norm(h.float())), dim=1), {"steps": steps}

    def modulate(self, g: Tensor, alpha: Tensor) -> Tensor:
        """The maps of the parts [B,K,C,T',H',W'] with their weights [B,K]; of "both", [B,K,2C,T',H',W']."""
        parts, steps = g.shape[1], g.shape[3]
        cells = g.transpose(1, 2).flatten(2, 3)  # [B,C,KT',H',W']
        modulated = modulate(cells, alpha.repeat_interleave(steps, dim=1)[..., None, None], self.options.modulation)
        return modulated.unflatten(2, (parts, steps)).transpose(1, 2)

    def halves(self, part: PartNetwork) -> tuple[nn.Module, nn.Module]:
        """The layers of a part's backbone before and after the aggregation; the latter serve its fine-tuning alone."""
        if not self.options.at:
            return part.backbone, nn.Identity()
        return submodule(part, "backbone", I3D).halves(self.options.at)

    def aggregate(self, g: Tensor) -> Tensor:
        """The maps of the parts [B,K,C,T',H',W'] as one: their sum, or their channels side by side (K C of them)."""
        return g.sum(1) if self.options.aggregate == "sum" else g.flatten(1, 2)

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """L = L_c + lambda1 sum_k (1 - alpha_k)^2 + lambda2 ||W_uv|| (eq. 4.8), of the last layer's weights W_uv."""
        options = self.options
        l_c = F.cross_entropy(output.logits, self.take(batch, "label"))  # eq. 4.9
        terms = {
            "classification": l_c,
            "weights": losses.weight_penalty(self.classifier.weight, options.weight_penalty == "squared"),
        }
        total = l_c + options.lambda2 * terms["weights"]
        if self.learns:
            terms["attention"] = losses.attention_balance(output.maps["parts"])
            total = total + options.lambda1 * terms["attention"]
        return terms | {"total": total}

    def part_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of every part's own classifier, summed: what each part's fine-tuning has a share of."""
        label, shares = self.take(batch, "label"), []
        for part, g in zip(self.parts.values(), output.aux["g"].unbind(1), strict=True):
            features = self.halves(part)[1](g).mean((2, 3, 4))
            logits = part.classifier(part.dropout(features))
            shares.append(losses.fine_tuning(logits, label, part.classifier.weight, part.regularizer))
        return {name: torch.stack([share[name] for share in shares]).sum() for name in shares[0]}

    def pose_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy at every step of the pose LSTM: its training before the whole's (4.3.2)."""
        total = losses.every_step(output.aux["steps"], self.take(batch, "label"))
        return {"total": total, "classification": total}

    def stages(self) -> list[Stage]:
        """Algorithm 1, with its N1 and N2 as numbers of epochs: steps 2, 3, 5 and 6. Without attention there are no
        scores to obtain first."""
        stages = [
            replace(stage, loss="part_loss")
            for name, part in self.parts.items()
            for stage in member_stages(f"parts.{name}", part)
        ]
        spent = [f"parts.{name}.{layer}" for name, part in self.parts.items() for layer in self.spent(part)]
        if self.learns:
            stages += [replace(stage, loss="pose_loss") for stage in member_stages("pose", self.pose)]
            stages.append(Stage("attention/joint", freezes=(*spent, "pose.classifier"), epochs=10, optimizer=ADAM))
            spent.append("pose")
        return [*stages, Stage("joint", freezes=tuple(spent), epochs=25, optimizer=ADAM)]

    def spent(self, part: PartNetwork) -> list[str]:
        """Names of a part's layers that nothing reads once the parts are aggregated."""
        behind = [name for name, layer in self.halves(part)[1].named_children() if list(layer.parameters())]
        return ["classifier", *(f"backbone.{name}" for name in behind)]
