"""VPN: Learning Video-Pose Embedding for Activities of Daily Living (Das et al., ECCV 2020; thesis 4.5).

A video backbone gives a feature map f. An attention network reads the 3D poses and weighs f in space and time. A
spatial embedding draws f and the pose's latent attention vector z1 together while training. Equation numbers are the
ECCV paper's, (A2) and (A3) the sections of its appendix; m x n and t_c are H' x W' and T' of the feature map.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from workbench import losses
from workbench.nets import AttentionPoint, Modulation, PoseGCN, PoseLSTM, couple, modulate, truth_weights
from workbench.nets.attention import Guide, modulated_channels, truth_apart
from workbench.systems.baselines.pose_lstm import POSE_OPTIMIZER
from workbench.systems.common.base import Stage, System
from workbench.systems.common.building import Setting
from workbench.types import Batch, Output

Embedding = Literal["normalized_euclidean", "kl_visual_pose", "kl_pose_visual", "kl_bidirectional", "manhattan", "none"]

# L_e of two projections [B,D_e]. Eq. 8 and 9 compare distributions, so the projections go through a softmax there.
EMBEDDINGS: dict[str, Callable[..., Tensor]] = {
    "normalized_euclidean": losses.normalized_euclidean,  # eq. 4
    "kl_visual_pose": lambda f, p: losses.kl_divergence(f.softmax(1), p.softmax(1)),  # eq. 8
    "kl_pose_visual": lambda f, p: losses.kl_divergence(p.softmax(1), f.softmax(1)),  # eq. 9
    "kl_bidirectional": lambda f, p: EMBEDDINGS["kl_visual_pose"](f, p) + EMBEDDINGS["kl_pose_visual"](f, p),  # (A3)
    "manhattan": lambda f, p: losses.manhattan(f.sigmoid(), p.sigmoid()),
}


@dataclass(frozen=True)
class VPNOptions:
    """The paper's ablations, then its numbers.

    coupler False is two dissociated streams (A2), temporal False is spatial attention alone (table 4). embedding is
    the form of L_e; "none" leaves the spatial embedding out, and "manhattan" is the public code's (there at lambda1
    0.999, of A_S instead of z1). normalize_pose: see PoseNorm, which the paper doesn't draw. regularizer as in
    RGBOptions, in the fine-tuning of the backbone. The thesis trains with Adam. Where the paper gives no number, the
    public code's stands: the widths of attention_hidden and embedding_size, and pose_pooling (see PoseGCN, also for
    far_pairs).

    pose_first trains the GCN on the classes by itself before the whole, as A2 does with the LSTM (which then stays as
    it is, and the GCN doesn't); the paper has it learn with the rest, from nothing. modulation is how f' comes of A and
    f, see nets.attention: residual is below eq. 2; of the two streams, residual is the product alone, which is what A2
    prints. guide "truth" is no published network but a ceiling: the known truth stands in for A, and there are no poses
    and no embedding. embedding_eps is the epsilon of eq. 7, "a small positive value". It is also a rate: z1 begins at
    zero, where the gradient of L_e is 2 / sqrt(embedding_eps) long.
    """

    pose_backbone: Literal["gcn", "lstm"] = "gcn"
    coupler: bool = True
    temporal: bool = True
    modulation: Modulation = "residual"
    guide: Guide = "pose"
    embedding: Embedding = "normalized_euclidean"
    embedding_eps: float = 1e-3
    pose_first: bool = False
    normalize_pose: bool = False
    lambda1: float = 0.8
    lambda2: float = 1e-5
    alpha: float = 5.0
    beta: float = 2.0
    far_pairs: Literal["all", "selected"] = "all"
    pose_pooling: int = 4
    lstm_hidden: int = 512
    lstm_residual: bool = False
    attention_hidden: int = 256
    embedding_size: int = 256
    dropout: float = 0.3
    bn_momentum: float = 0.01
    regularizer: float = 0.0
    optimizer: Literal["sgd", "adam"] = "sgd"

    def __post_init__(self) -> None:
        if not self.coupler and not self.temporal:
            raise ValueError("vpn: coupler=False needs temporal=True: it keeps a spatial and a temporal stream apart")
        if self.lambda1 > 1:
            raise ValueError(f"vpn: lambda1 must be between 0 and 1, got {self.lambda1}")
        if self.embedding_eps == 0:
            raise ValueError("vpn: embedding_eps must be above 0, which divides by it where z1 begins, got 0")
        if self.guide == "truth" and self.embedding != "none":
            got = f"got embedding={self.embedding!r}"
            raise ValueError(f"vpn: guide='truth' reads no poses to embed, so it needs embedding='none', {got}")


class Scores(nn.Module):
    """z = W_z tanh(W_h h* + b_h) + b_z, the latent attention vector below eq. 2: h* [B,F] -> [B,count]."""

    def __init__(self, features: int, hidden: int, count: int) -> None:
        super().__init__()
        self.hidden, self.score = nn.Linear(features, hidden), nn.Linear(hidden, count)
        # Thesis, algorithm 3: equal attention scores to begin with, Gaussian weights elsewhere.
        nn.init.xavier_normal_(self.hidden.weight)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def forward(self, h: Tensor) -> Tensor:
        """float [B,F] -> [B,count]."""
        return self.score(torch.tanh(self.hidden(h)))


class PoseNorm(nn.BatchNorm1d):
    """Batch norm of h* [B,F], which the paper doesn't draw; the public code's pose backbone ends with a batch norm too.

    What all clips have in common is most of h* (it comes out of a ReLU). Left in, it drives the tanh into saturation
    within an epoch, and the attention is then the same for every clip. A batch of one has no statistics of its
    own, and is normalised by the running ones.
    """

    def forward(self, h: Tensor) -> Tensor:
        """float [B,F] -> the same shape."""
        if len(h) > 1:
            return super().forward(h)
        return F.batch_norm(h, self.running_mean, self.running_var, eps=self.eps)


class AttentionNetwork(nn.Module):
    """Eq. 2: h* [B,F] -> z1 [B,mn], and by name "spatial", A_S [B,m,n], each weight in (0,1), and "temporal", A_T
    [B,t_c], summing to 1 (without temporal there is none)."""

    def __init__(
        self, features: int, grid: tuple[int, int, int], hidden: int, temporal: bool, normalize: bool = True
    ) -> None:
        super().__init__()
        t_c, self.m, self.n = grid
        self.norm = PoseNorm(features, affine=False) if normalize else nn.Identity()
        self.spatial = Scores(features, hidden, self.m * self.n)
        self.temporal = Scores(features, hidden, t_c) if temporal else None

    def forward(self, h: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """h* float [B,F] -> z1 [B,mn] and the weights by name."""
        h = self.norm(h)
        z1 = self.spatial(h)
        weights = {"spatial": torch.sigmoid(z1).view(-1, self.m, self.n)}
        if self.temporal is not None:
            weights["temporal"] = torch.softmax(self.temporal(h), dim=1)
        return z1, weights


class SpatialEmbedding(nn.Module):
    """Eq. 3: f_e = T_v f_s and P_e = T_p z1, both [B,D_e], under the constraint ||T_v||_2 = ||T_p||_2 = 1 of eq. 4.

    f_s is f summed over time, flattened: D_v = m n c numbers. The 2-norm of a matrix is its largest singular value,
    which torch's spectral_norm divides by. A feature map of another size is average-pooled to m x n.
    """

    def __init__(self, channels: int, grid: tuple[int, int, int], size: int) -> None:
        super().__init__()
        self.grid = grid[1:]
        cells = grid[1] * grid[2]
        self.visual = spectral_norm(nn.Linear(channels * cells, size, bias=False))  # T_v
        self.pose = spectral_norm(nn.Linear(cells, size, bias=False))  # T_p

    def forward(self, f: Tensor, latent: Tensor) -> tuple[Tensor, Tensor]:
        """f float [B,C,T',H',W'] and z1 [B,mn] -> f_e and P_e, [B,D_e] each."""
        f_s = F.adaptive_avg_pool2d(f.sum(2), self.grid)  # [B,C,m,n], unchanged where f has m x n cells
        return self.visual(f_s.flatten(1)), self.pose(latent)


class VPN(System):
    """A video of any height and width may be classified; t_c, and with it the clip length, is fixed when VPN is
    built. A batch without video is classified by the pose backbone alone, where that is trained first."""

    needs_train = frozenset({"video", "pose", "truth", "label"})
    needs_test = frozenset({"video", "pose", "truth"})
    Options: type[VPNOptions] = VPNOptions

    options: VPNOptions
    attention: AttentionNetwork
    embedding: SpatialEmbedding
    pose_backbone: nn.Module
    pose_classifier: nn.Linear

    def __init__(self, setting: Setting, options: VPNOptions) -> None:
        super().__init__()
        self.options = options
        self.backbone = setting.video_backbone(bn_momentum=options.bn_momentum)
        grid, channels = self.backbone.grid(setting.clip), self.backbone.channels
        if options.guide == "pose":
            features, hidden = self.make_pose_backbone(setting), options.attention_hidden
            self.attention = AttentionNetwork(features, grid, hidden, options.temporal, options.normalize_pose)
        if options.embedding != "none":
            self.embedding = SpatialEmbedding(channels, grid, options.embedding_size)
        self.needs_test = frozenset({"video", options.guide})
        self.needs_train = self.needs_test | {"label"}
        self.points = nn.ModuleDict({name: AttentionPoint() for name in self.weights})
        self.dropout = nn.Dropout(options.dropout)
        streams = 1 if options.coupler else 2
        self.classifier = nn.Linear(streams * modulated_channels(channels, options.modulation), setting.num_classes)
        self.poses, self.t_c = setting.poses, grid[0]

    @property
    def pose_first(self) -> bool:
        """Whether the pose backbone has a classifier of its own, to be trained by before the whole."""
        return hasattr(self, "pose_classifier")

    @property
    def weights(self) -> tuple[str, ...]:
        """What A is made of: A_S and A_T, or A_ST itself where the truth gives it."""
        if self.options.guide == "truth" and self.options.coupler and self.options.temporal:
            return ("attention",)
        return ("spatial", "temporal") if self.options.temporal else ("spatial",)

    def forward(self, batch: Batch) -> Output:
        """Reads video, and pose or truth; maps: feature_map, modulated, spatial, temporal, attention, joints."""
        guide, learns = self.take(batch, self.options.guide), self.options.guide == "pose"
        if learns and guide.shape[2] != self.poses:
            raise ValueError(f"batch.pose has {guide.shape[2]} poses a clip, this VPN was built for {self.poses}")
        if self.pose_first and batch.video is None:
            h, maps, aux = self.read_pose(guide)
            return Output(aux["steps"][:, -1], h, maps, aux)
        video = self.take(batch, "video")
        f = self.backbone(video)  # [B,C,T',H',W']
        if f.shape[2] != self.t_c:
            raise ValueError(f"{video.shape[2]} frames give {f.shape[2]} time steps, this VPN was built for {self.t_c}")
        maps, aux = {}, {}
        if learns:
            h, maps, aux = self.read_pose(guide)  # h* [B,F]
        # What follows is small beside the backbone, and is exact in fp32 whatever the backbone's precision.
        with torch.autocast(f.device.type, enabled=False):
            f = f.float()
            if learns:
                z1, weights = self.attention(h.float())
                aux["spatial"] = weights["spatial"].flatten(1)
                if self.options.embedding != "none":
                    latent = aux["spatial"] if self.options.embedding == "manhattan" else z1
                    aux["visual"], aux["pose"] = self.embedding(f, latent)
            else:
                weights = self.known_weights(truth_weights(guide, f.shape[2:]))
            weights = {name: self.points[name](weights[name]) for name in self.weights}
            modulated, weights = self.modulate(f, weights)
            features = modulated.mean((2, 3, 4))  # global average pooling
            logits = self.classifier(self.dropout(features))
            plain = f.mean((2, 3, 4)).repeat(1, features.shape[1] // f.shape[1])
            aux["backbone_logits"] = self.classifier(self.dropout(plain))
        return Output(logits, features, maps | weights | {"feature_map": f, "modulated": modulated}, aux)

    def known_weights(self, truth: Tensor) -> dict[str, Tensor]:
        """The truth [B,T',H',W'], from ``truth_weights``, in the place of A_ST; where A_S and A_T stand alone, of both
        (see ``truth_apart``)."""
        spatial, temporal = truth_apart(truth)
        return {"attention": truth, "spatial": spatial, "temporal": temporal}

    def make_pose_backbone(self, setting: Setting) -> int:
        """Sets up what ``read_pose`` needs; returns F, the length of h*."""
        options = self.options
        if options.pose_backbone == "gcn":
            network = PoseGCN(
                setting.skeleton, setting.poses, options.alpha, options.beta, options.far_pairs, options.pose_pooling
            )
            self.pose_backbone = network
            if options.pose_first:
                self.pose_classifier = nn.Linear(network.features, setting.num_classes)
            return network.features
        self.pose_backbone = PoseLSTM(setting.skeleton.count, options.lstm_hidden, residual=options.lstm_residual)
        self.pose_classifier = nn.Linear(options.lstm_hidden, setting.num_classes)  # for its pre-training alone
        return setting.poses * options.lstm_hidden

    def read_pose(self, pose: Tensor) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """h* [B,F] of poses [B,M,t_p,V,3], and what else the pose backbone has to show (maps) and to learn from
        (aux)."""
        if self.options.pose_backbone == "gcn":
            h, joints = self.pose_backbone(pose)
            steps = {"steps": self.pose_classifier(self.dropout(h))[:, None]} if self.pose_first else {}
            return h, {"joints": joints}, steps
        steps = self.pose_backbone(pose)  # [B,t_p,hidden], concatenated over time (A2)
        return steps.flatten(1), {}, {"steps": self.pose_classifier(steps)}

    def modulate(self, f: Tensor, weights: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The modulated feature map, [B,C,T',H',W'] (twice the channels with modulation "both", and of two streams
        without coupler), and the weights that made it."""
        how = self.options.modulation
        if "attention" in weights:
            return modulate(f, weights["attention"], how), weights
        a_s = weights["spatial"]
        if a_s.shape[1:] != f.shape[3:]:  # fully convolutional inference: the attention stretches with the picture
            a_s = F.interpolate(a_s[:, None], f.shape[3:], mode="bilinear", align_corners=False)[:, 0]
        weights, spatial = weights | {"spatial": a_s}, a_s[:, None]  # inflate(A_S) [B,1,H',W']
        if not self.options.temporal:
            return modulate(f, spatial, how), weights | {"attention": spatial.expand(-1, f.shape[2], -1, -1)}
        temporal = weights["temporal"][:, :, None, None]  # inflate(A_T) [B,T',1,1]
        if not self.options.coupler:  # (A2), as in Separable STA: multiplied apart, without residual, and concatenated
            how = "gated" if how == "residual" else how
            return torch.cat([modulate(f, spatial, how), modulate(f, temporal, how)], dim=1), weights
        a_st = couple(a_s, weights["temporal"])  # A_ST = inflate(A_S) o inflate(A_T)
        return modulate(f, a_st, how), weights | {"attention": a_st}

    def loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """L = lambda1 L_C + (1 - lambda1) L_e + lambda2 L_a (eq. 5); without embedding there is nothing to trade off
        against L_C, and L = L_C + lambda2 L_a; without learned attention, L = L_C."""
        options = self.options
        l_c = F.cross_entropy(output.logits, self.take(batch, "label"))
        if options.guide == "truth":
            return {"total": l_c, "classification": l_c}
        l_a = losses.attention_regularizer(output.aux["spatial"], output.maps.get("temporal"))  # eq. 6
        terms = {"classification": l_c, "attention": l_a}
        if options.embedding == "none":
            return terms | {"total": l_c + options.lambda2 * l_a}
        eps = {"eps": options.embedding_eps} if options.embedding == "normalized_euclidean" else {}
        l_e = EMBEDDINGS[options.embedding](output.aux["visual"], output.aux["pose"], **eps)
        total = options.lambda1 * l_c + (1 - options.lambda1) * l_e + options.lambda2 * l_a
        return terms | {"embedding": l_e, "total": total}

    def backbone_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy with the attention left out (f' = f, in both streams where there are two, and in both halves
        of modulation "both"): the backbone's fine-tuning, which leaves a classifier that the attention can start
        from."""
        label, weight = self.take(batch, "label"), self.classifier.weight
        return losses.fine_tuning(output.aux["backbone_logits"], label, weight, self.options.regularizer)

    def pose_loss(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy at every step of the pose LSTM: its pre-training (A2). A GCN reads all poses in one step."""
        total = losses.every_step(output.aux["steps"], self.take(batch, "label"))
        return {"total": total, "classification": total}

    def stages(self) -> list[Stage]:
        """Thesis, algorithm 3. The number of epochs is the joint training's; the papers give none for the stages
        before."""
        stages = [Stage("backbone", trains=("backbone", "classifier"), loss="backbone_loss")]
        frozen: tuple[str, ...] = ()
        if self.pose_first:
            lstm = self.options.pose_backbone == "lstm"
            trained = ("pose_backbone.lstm" if lstm else "pose_backbone", "pose_classifier")
            needs = frozenset({"pose", "label"})
            stages.append(Stage("pose", trains=trained, loss="pose_loss", optimizer=POSE_OPTIMIZER, needs=needs))
            frozen = trained if lstm else ("pose_classifier",)
        joint = Stage("joint", freezes=frozen)
        adam = replace(joint, optimizer={"name": "adam", "lr": 0.01})
        return [*stages, adam if self.options.optimizer == "adam" else joint]
